package jose

import (
	"crypto"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

func published(t testing.TB) []byte {
	t.Helper()
	var list []Key
	for _, alg := range []Algorithm{RS256, PS256, ES256, ES384, ES512, EdDSA} {
		list = append(list, Key{KID: "k-" + string(alg), Alg: alg, Public: keys()[alg].Public()})
	}
	data, err := MarshalJWKS(list)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAKeySetHoldsPublicMembersOnly(t *testing.T) {
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(published(t), &set); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"RSA": {"alg", "e", "kid", "kty", "n", "use"},
		"EC":  {"alg", "crv", "kid", "kty", "use", "x", "y"},
		"OKP": {"alg", "crv", "kid", "kty", "use", "x"},
	}
	if len(set.Keys) != 6 {
		t.Fatalf("%d keys", len(set.Keys))
	}
	for _, k := range set.Keys {
		if got := slices.Sorted(maps.Keys(k)); !slices.Equal(got, want[k["kty"]]) {
			t.Errorf("a key of kind %s has the members %q", k["kty"], got)
		}
		if k["use"] != "sig" || k["kid"] != "k-"+k["alg"] {
			t.Errorf("key %v", k)
		}
		for name, value := range k {
			if strings.ContainsAny(value, "=+/") {
				t.Errorf("%s is not in unpadded base64url: %s", name, value)
			}
		}
	}
}

func TestOthersReadOurKeySet(t *testing.T) {
	var set gojose.JSONWebKeySet
	if err := json.Unmarshal(published(t), &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		if !k.Valid() || !k.IsPublic() {
			t.Errorf("key %s is not a valid public key", k.KeyID)
		}
		if !equal(k.Key, keys()[Algorithm(k.Algorithm)].Public()) {
			t.Errorf("key %s is another one", k.KeyID)
		}
	}
}

func TestWeReadOurKeySet(t *testing.T) {
	got, err := ParseJWKS(published(t))
	if err != nil || len(got) != 6 {
		t.Fatalf("%d keys, error %v", len(got), err)
	}
	for _, k := range got {
		if k.KID != "k-"+string(k.Alg) || !equal(k.Public, keys()[k.Alg].Public()) {
			t.Errorf("key %s, %s is another one", k.KID, k.Alg)
		}
	}
}

func TestAKeySetIsNotWrittenIf(t *testing.T) {
	public := keys()[ES256].Public()
	for name, list := range map[string][]Key{
		"a key has no id":                    {{Alg: ES256, Public: public}},
		"a key has no algorithm":             {{KID: "a", Public: public}},
		"two keys have the same id":          {{KID: "a", Alg: ES256, Public: public}, {KID: "a", Alg: EdDSA, Public: keys()[EdDSA].Public()}},
		"a key does not fit its algorithm":   {{KID: "a", Alg: RS256, Public: public}},
		"a private key is among them":        {{KID: "a", Alg: ES256, Public: keys()[ES256]}},
		"a private Ed25519 key is":           {{KID: "a", Alg: EdDSA, Public: keys()[EdDSA]}},
		"a secret is among them":             {{KID: "a", Alg: "HS256", Public: []byte("secret")}},
		"a weak key is among them":           {{KID: "a", Alg: RS256, Public: weakRSA().Public()}},
		"a key is missing":                   {{KID: "a", Alg: RS256}},
		"a key is a private one of RSA kind": {{KID: "a", Alg: RS256, Public: keys()[RS256]}},
	} {
		if data, err := MarshalJWKS(list); err == nil {
			t.Errorf("%s, and yet there is %s", name, data)
		}
	}
	if data, err := MarshalJWKS(nil); err != nil || string(data) != `{"keys":[]}` {
		t.Errorf("an empty set: %s, %v", data, err)
	}
}

func TestKeysOfOthers(t *testing.T) {
	member := func(alg Algorithm, more string) string {
		k, err := publicJWK(keys()[alg].Public())
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(text), "}") + more + "}"
	}
	weak, err := json.Marshal(gojose.JSONWebKey{Key: weakRSA().Public(), KeyID: "weak"})
	if err != nil {
		t.Fatal(err)
	}
	private, err := json.Marshal(gojose.JSONWebKey{Key: keys()[ES256], KeyID: "private"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		key  string
		ok   bool
	}{
		{"for any algorithm", member(RS256, ``), true},
		{"for signatures", member(ES256, `,"use":"sig"`), true},
		{"to verify", member(ES256, `,"key_ops":["verify"]`), true},
		{"with members that nobody knows", member(EdDSA, `,"exp":5,"x5c":["garbage"],"x5t":7,"ext":true`), true},
		{"for encryption", member(RS256, `,"use":"enc"`), false},
		{"to encrypt", member(RS256, `,"key_ops":["encrypt"]`), false},
		{"to do nothing", member(RS256, `,"key_ops":[]`), false},
		{"for an algorithm of encryption", member(RS256, `,"alg":"RSA-OAEP"`), false},
		{"for an algorithm of another kind of key", member(ES256, `,"alg":"RS256"`), false},
		{"for an algorithm of another curve", member(ES256, `,"alg":"ES384"`), false},
		{"for HS256", member(RS256, `,"alg":"HS256"`), false},
		{"for none", member(RS256, `,"alg":"none"`), false},
		{"symmetric", `{"kty":"oct","k":"c2VjcmV0"}`, false},
		{"of a kind to come", `{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}`, false},
		{"of no kind", `{"n":"AQAB","e":"AQAB"}`, false},
		{"on a curve that we do not know", `{"kty":"EC","crv":"secp256k1","x":"AAAA","y":"AAAA"}`, false},
		{"of X25519", `{"kty":"OKP","crv":"X25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`, false},
		{"of a low order", `{"kty":"OKP","crv":"Ed25519","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`, false},
		{"off the curve", `{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`, false},
		{"at infinity", `{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`, false},
		{"with half a point", `{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`, false},
		{"weak", string(weak), false},
		{"with an exponent of one", strings.Replace(member(RS256, ``), `"e":"AQAB"`, `"e":"AQ"`, 1), false},
		{"with an even exponent", strings.Replace(member(RS256, ``), `"e":"AQAB"`, `"e":"AQAA"`, 1), false},
		{"with an exponent beyond 31 bits", strings.Replace(member(RS256, ``), `"e":"AQAB"`, `"e":"AQAAAAE"`, 1), false},
		{"with an exponent beyond 64 bits", strings.Replace(member(RS256, ``), `"e":"AQAB"`, `"e":"AQAAAAAAAAAB"`, 1), false},
		{"with an even modulus", `{"kty":"RSA","e":"AQAB","n":"` + strings.Repeat("_", 341) + `A"}`, false},
		{"of a huge size", `{"kty":"RSA","e":"AQAB","n":"` + strings.Repeat("_", 4000) + `"}`, false},
		{"with its private part", string(private), false},
		{"with its private part in another kind", member(RS256, `,"d":"AAAA"`), false},
		{"with a member twice", member(RS256, `,"kty":"EC"`), false},
		{"with a very long id", member(RS256, `,"kid":"`+strings.Repeat("k", 513)+`"`), false},
		{"with an id that is a number", member(RS256, `,"kid":5`), false},
		{"a text", `"key"`, false},
		{"null", `null`, false},
		{"a list", `[]`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := fmt.Sprintf(`{"keys":[%s,%s,%s]}`, member(EdDSA, `,"kid":"before"`), test.key, member(EdDSA, `,"kid":"after"`))
			got, err := ParseJWKS([]byte(set))
			if err != nil {
				t.Fatalf("the whole set is refused: %v", err)
			}
			want := 2
			if test.ok {
				want = 3
			}
			if len(got) != want || got[0].KID != "before" || got[want-1].KID != "after" {
				t.Errorf("%d keys, want %d: %+v", len(got), want, got)
			}
		})
	}
}

func TestKeySetsThatAreNone(t *testing.T) {
	for name, set := range map[string]string{
		"nothing":        ``,
		"null":           `null`,
		"a list":         `[]`,
		"without keys":   `{}`,
		"keys of null":   `{"keys":null}`,
		"keys of text":   `{"keys":"keys"}`,
		"keys twice":     `{"keys":[],"keys":[]}`,
		"a page":         `<html>`,
		"too many keys":  `{"keys":[` + strings.Repeat(`{},`, MaxKeySetKeys) + `{}]}`,
		"too many bytes": `{"keys":[],"x":"` + strings.Repeat("x", MaxKeySet) + `"}`,
	} {
		if got, err := ParseJWKS([]byte(set)); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got, err := ParseJWKS([]byte(`{"keys":[` + strings.Repeat(`{},`, MaxKeySetKeys-1) + `{}]}`)); err != nil || len(got) != 0 {
		t.Errorf("as many keys as may be: %v", err)
	}
}

func TestThumbprints(t *testing.T) {
	for name, test := range map[string]struct{ jwk, want string }{
		"RFC 7638, section 3.1": {`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}`,
			"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		"RFC 8037, appendix A.3": {`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
			"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
	} {
		got, err := ParseJWKS([]byte(`{"keys":[` + test.jwk + `]}`))
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %d keys, %v", name, len(got), err)
		}
		if thumb, err := Thumbprint(got[0].Public); err != nil || thumb != test.want {
			t.Errorf("%s: %s, %v, want %s", name, thumb, err, test.want)
		}
	}
	for _, alg := range []Algorithm{RS256, ES256, ES384, ES512, EdDSA} {
		want, err := (&gojose.JSONWebKey{Key: keys()[alg].Public()}).Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Thumbprint(keys()[alg].Public()); err != nil || got != encode(string(want)) {
			t.Errorf("%s: %s, %v", alg, got, err)
		}
	}
	for _, key := range []crypto.PublicKey{nil, []byte("secret"), keys()[ES256], keys()[EdDSA]} {
		if got, err := Thumbprint(key); err == nil {
			t.Errorf("a %T has the thumbprint %s", key, got)
		}
	}
}

func FuzzParseJWKS(f *testing.F) {
	f.Add(published(f))
	f.Add([]byte(`{"keys":[]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ParseJWKS(data)
		if err != nil {
			return
		}
		for _, k := range list {
			if err := usable(k.Public, k.Alg); err != nil {
				t.Errorf("a key that cannot be used: %v", err)
			}
			if _, err := Thumbprint(k.Public); err != nil {
				t.Errorf("a key without a thumbprint: %v", err)
			}
		}
	})
}

func equal(a, b crypto.PublicKey) bool {
	return a.(interface{ Equal(crypto.PublicKey) bool }).Equal(b)
}
