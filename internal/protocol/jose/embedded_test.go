package jose

import (
	"crypto"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const typProof = "dpop+jwt"

var proofAlgs = []Algorithm{ES256, EdDSA}

// member returns the public members of a key as JSON, with more of them behind.
func member(t testing.TB, key crypto.PublicKey, more string) string {
	t.Helper()
	set, err := MarshalForeignJWKS([]Key{{Public: key}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSuffix(strings.TrimPrefix(string(set), `{"keys":[`), `}]}`)
	return strings.TrimSuffix(strings.Replace(text, `"use":"sig",`, "", 1), "}") + more + "}"
}

func TestATokenCanBringTheKeyThatItProves(t *testing.T) {
	for _, alg := range proofAlgs {
		token, err := SignEmbedded(keys()[alg], alg, typProof, map[string]string{"jti": "1"})
		if err != nil {
			t.Fatal(err)
		}
		payload, key, err := VerifyEmbedded(token, proofAlgs, []string{typProof})
		if err != nil || string(payload) != `{"jti":"1"}` {
			t.Fatalf("%s: %s, error %v", alg, payload, err)
		}
		if want := keys()[alg].Public().(interface{ Equal(crypto.PublicKey) bool }); !want.Equal(key) {
			t.Errorf("%s: another key than the one that signed", alg)
		}
	}
}

func TestAKeyInTheHeaderIsTakenOnlyIfItIsPublicAndSigned(t *testing.T) {
	ec, ed := keys()[ES256], keys()[EdDSA]
	header := func(alg, jwk string) string { return fmt.Sprintf(`{"typ":"dpop+jwt","alg":"%s","jwk":%s}`, alg, jwk) }
	good := raw(t, ec, header("ES256", member(t, ec.Public(), "")), `{}`)
	if _, _, err := VerifyEmbedded(good, proofAlgs, []string{typProof}); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"no key":                        raw(t, ec, `{"typ":"dpop+jwt","alg":"ES256"}`, `{}`),
		"a key that is null":            raw(t, ec, header("ES256", "null"), `{}`),
		"a key that is a string":        raw(t, ec, header("ES256", `"x"`), `{}`),
		"a key that is a list":          raw(t, ec, header("ES256", `[`+member(t, ec.Public(), "")+`]`), `{}`),
		"somebody else's key":           raw(t, ec, header("ES256", member(t, keys()[ES384].Public(), "")), `{}`),
		"a key of another kind":         raw(t, ec, header("ES256", member(t, ed.Public(), "")), `{}`),
		"its private part":              raw(t, ec, header("ES256", member(t, ec.Public(), `,"d":"AQAB"`)), `{}`),
		"a private part that is null":   raw(t, ec, header("ES256", member(t, ec.Public(), `,"d":null`)), `{}`),
		"a private prime":               raw(t, ec, header("ES256", member(t, ec.Public(), `,"p":"AQAB"`)), `{}`),
		"a symmetric part":              raw(t, ec, header("ES256", member(t, ec.Public(), `,"k":"AQAB"`)), `{}`),
		"a symmetric key":               raw(t, ec, header("ES256", `{"kty":"oct","k":"AQAB"}`), `{}`),
		"a key for encryption":          raw(t, ec, header("ES256", member(t, ec.Public(), `,"use":"enc"`)), `{}`),
		"a key for another algorithm":   raw(t, ec, header("ES256", member(t, ec.Public(), `,"alg":"ES384"`)), `{}`),
		"a member that comes twice":     raw(t, ec, header("ES256", member(t, ec.Public(), `,"kty":"EC"`)), `{}`),
		"two keys":                      raw(t, ec, `{"typ":"dpop+jwt","alg":"ES256","jwk":`+member(t, ec.Public(), "")+`,"jwk":`+member(t, ec.Public(), "")+`}`, `{}`),
		"no algorithm":                  raw(t, ec, `{"typ":"dpop+jwt","jwk":`+member(t, ec.Public(), "")+`}`, `{}`),
		"the algorithm none":            raw(t, ec, header("none", member(t, ec.Public(), "")), `{}`),
		"an algorithm that is not ours": raw(t, keys()[RS256], header("RS256", member(t, keys()[RS256].Public(), "")), `{}`),
		"another type":                  raw(t, ec, strings.Replace(header("ES256", member(t, ec.Public(), "")), "dpop+jwt", "JWT", 1), `{}`),
		"critical members":              raw(t, ec, strings.Replace(header("ES256", member(t, ec.Public(), "")), `{"typ"`, `{"crit":["x"],"x":1,"typ"`, 1), `{}`),
		"a changed payload":             strings.Replace(good, "."+encode(`{}`)+".", "."+encode(`{"a":1}`)+".", 1),
		"half a token":                  good[:strings.LastIndexByte(good, '.')],
		"nothing":                       "",
	} {
		if payload, key, err := VerifyEmbedded(token, proofAlgs, []string{typProof}); err == nil || payload != nil {
			t.Errorf("%s: %s is believed, of a %T", name, payload, key)
		}
	}
}

func TestAForeignSignatureByAKeyInTheHeaderIsNotBelieved(t *testing.T) {
	ec := keys()[ES256]
	other, err := GenerateKey(ES256)
	if err != nil {
		t.Fatal(err)
	}
	token := raw(t, other, `{"typ":"dpop+jwt","alg":"ES256","jwk":`+member(t, ec.Public(), "")+`}`, `{}`)
	if _, _, err := VerifyEmbedded(token, proofAlgs, []string{typProof}); !errors.Is(err, ErrSignature) {
		t.Errorf("error %v, want %v", err, ErrSignature)
	}
}

func FuzzVerifyEmbedded(f *testing.F) {
	good, err := SignEmbedded(keys()[EdDSA], EdDSA, typProof, map[string]string{"jti": "1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("e30.e30.AA")
	f.Fuzz(func(t *testing.T, token string) {
		payload, key, err := VerifyEmbedded(token, proofAlgs, []string{typProof})
		if (err == nil) != (payload != nil) {
			t.Fatalf("payload %q, error %v", payload, err)
		}
		if err != nil {
			return
		}
		if _, err := Thumbprint(key); err != nil {
			t.Fatalf("a key without a thumbprint: %v", err)
		}
	})
}
