package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// mine are private keys to decrypt with, by the kind of key.
func mine(m KeyManagement) crypto.Signer {
	if m.rsa() {
		return keys()[RS256]
	}
	return keys()[ES256]
}

// all answers with every private key for each token.
func all(string, KeyManagement) []crypto.PrivateKey {
	return []crypto.PrivateKey{keys()[EdDSA], keys()[ES384], keys()[ES256], keys()[RS256]}
}

func encrypted(t testing.TB, m KeyManagement, enc ContentEncryption, content string) string {
	t.Helper()
	token, err := Encrypt([]byte(content), "JWT", EncryptionKey{KID: "e1", Alg: m, Public: mine(m).Public()}, enc)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestWhatIsEncryptedIsReadByItsRecipientAlone(t *testing.T) {
	for _, m := range KeyManagements() {
		for _, enc := range ContentEncryptions() {
			t.Run(fmt.Sprint(m, " ", enc), func(t *testing.T) {
				token := encrypted(t, m, enc, "a.signed.token")
				content, h, err := Decrypt(token, KeyManagements(), ContentEncryptions(), all)
				if err != nil || string(content) != "a.signed.token" {
					t.Fatalf("%q, %v", content, err)
				}
				if want := (EncryptedHeader{Alg: m, Enc: enc, KeyID: "e1", ContentType: "JWT"}); h != want {
					t.Errorf("the header is %+v, want %+v", h, want)
				}
				// Others read it too.
				parsed, err := gojose.ParseEncryptedCompact(token, []gojose.KeyAlgorithm{gojose.KeyAlgorithm(m)}, []gojose.ContentEncryption{gojose.ContentEncryption(enc)})
				if err != nil {
					t.Fatal(err)
				}
				if content, err := parsed.Decrypt(mine(m)); err != nil || string(content) != "a.signed.token" {
					t.Errorf("another library reads %q, %v", content, err)
				}
				stranger, err := GenerateKey(EncryptEC)
				if err != nil {
					t.Fatal(err)
				}
				for name, private := range map[string]crypto.PrivateKey{"of the other kind": keys()[EdDSA], "of a stranger": stranger, "that is missing": nil} {
					if _, _, err := Decrypt(token, KeyManagements(), ContentEncryptions(), func(string, KeyManagement) []crypto.PrivateKey { return []crypto.PrivateKey{private} }); !errors.Is(err, ErrDecrypt) {
						t.Errorf("with a key %s: %v", name, err)
					}
				}
			})
		}
	}
}

func TestWhatIsTakenForEncrypted(t *testing.T) {
	good := encrypted(t, ECDHES, A128GCM, "x")
	parts := strings.Split(good, ".")
	with := func(i int, part string) string {
		changed := append([]string(nil), parts...)
		changed[i] = part
		return strings.Join(changed, ".")
	}
	header := func(text string) string { return with(0, encode(text)) }
	key := encrypted(t, RSAOAEP256, A256GCM, "x")
	for _, test := range []struct{ name, token string }{
		{"nothing", ""},
		{"dots", "...."},
		{"a signed token", "e30.e30.e30"},
		{"six parts", good + ".e30"},
		{"four parts", strings.Join(parts[:4], ".")},
		{"no tag", with(4, "")},
		{"no initialisation vector", with(2, "")},
		{"no content", with(3, "")},
		{"another tag", with(4, "AAAAAAAAAAAAAAAAAAAAAA")},
		{"a tag that is cut short", with(4, "AAAA")},
		{"a line break", good + "\n"},
		{"padding", good + "="},
		{"a key beside one that is agreed on", with(1, "AAAA")},
		{"a header that is no JSON", header("{")},
		{"a member twice", header(`{"alg":"ECDH-ES","alg":"ECDH-ES","enc":"A128GCM"}`)},
		{"compressed", header(`{"alg":"ECDH-ES","enc":"A128GCM","zip":"DEF"}`)},
		{"critical", header(`{"alg":"ECDH-ES","enc":"A128GCM","crit":["x"],"x":1}`)},
		{"no key of the sender", header(`{"alg":"ECDH-ES","enc":"A128GCM"}`)},
		{"a key of the sender that is none", header(`{"alg":"ECDH-ES","enc":"A128GCM","epk":{"kty":"oct","k":"AAAA"}}`)},
		{"a key of the sender on another curve", header(`{"alg":"ECDH-ES","enc":"A128GCM","epk":` + jwkOf(t, keys()[ES384].Public()) + `}`)},
		{"a key of the sender on no curve", header(`{"alg":"ECDH-ES","enc":"A128GCM","epk":{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}}`)},
		{"a key of the sender that is Ed25519", header(`{"alg":"ECDH-ES","enc":"A128GCM","epk":` + jwkOf(t, keys()[EdDSA].Public()) + `}`)},
		{"RSA1_5", header(`{"alg":"RSA1_5","enc":"A128GCM"}`)},
		{"a secret", header(`{"alg":"dir","enc":"A128GCM"}`)},
		{"a password", header(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}`)},
		{"no algorithm", header(`{"enc":"A128GCM"}`)},
		{"none", header(`{"alg":"none","enc":"A128GCM"}`)},
		{"a cipher that does not authenticate", header(`{"alg":"ECDH-ES","enc":"A128CBC"}`)},
		{"no cipher", header(`{"alg":"ECDH-ES"}`)},
		{"a long key id", header(`{"alg":"ECDH-ES","enc":"A128GCM","kid":"` + strings.Repeat("k", 600) + `"}`)},
		{"more than we look at", good + strings.Repeat("A", MaxEncrypted)},
		{"an RSA key that is missing", strings.Join(append(append([]string(nil), strings.Split(key, ".")[:1]...), append([]string{""}, strings.Split(key, ".")[2:]...)...), ".")},
		{"JSON serialisation", `{"protected":"e30","ciphertext":"e30"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if content, _, err := Decrypt(test.token, KeyManagements(), ContentEncryptions(), all); err == nil {
				t.Errorf("it is read as %q", content)
			}
		})
	}
	for name, allowed := range map[string]struct {
		algs []KeyManagement
		encs []ContentEncryption
	}{
		"a way that the recipient does not take":    {[]KeyManagement{RSAOAEP}, ContentEncryptions()},
		"a cipher that the recipient does not take": {KeyManagements(), []ContentEncryption{A256GCM}},
		"nothing that the recipient takes":          {},
	} {
		if _, _, err := Decrypt(good, allowed.algs, allowed.encs, all); err == nil || errors.Is(err, ErrDecrypt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func jwkOf(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	text, err := (gojose.JSONWebKey{Key: public}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestNothingIsEncryptedTo(t *testing.T) {
	for _, test := range []struct {
		name string
		to   EncryptionKey
		enc  ContentEncryption
	}{
		{"no key", EncryptionKey{Alg: RSAOAEP}, A128GCM},
		{"a weak key", EncryptionKey{Alg: RSAOAEP, Public: weakRSA().Public()}, A128GCM},
		{"a key of another kind", EncryptionKey{Alg: RSAOAEP, Public: keys()[ES256].Public()}, A128GCM},
		{"a key that only signs", EncryptionKey{Alg: ECDHES, Public: keys()[EdDSA].Public()}, A128GCM},
		{"a key in a way we do not know", EncryptionKey{Alg: "RSA1_5", Public: keys()[RS256].Public()}, A128GCM},
		{"a key with a cipher we do not know", EncryptionKey{Alg: RSAOAEP, Public: keys()[RS256].Public()}, "A128CBC"},
	} {
		if token, err := Encrypt([]byte("x"), "", test.to, test.enc); err == nil || token != "" {
			t.Errorf("%s: %q, %v", test.name, token, err)
		}
	}
}

func TestWhichKeyIsEncryptedTo(t *testing.T) {
	old, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	theirs := []EncryptionKey{
		{KID: "agreed", Alg: ECDHESA256KW, Public: keys()[ES384].Public()},
		{KID: "new", Public: keys()[ES256].Public()},
		{KID: "old", Public: &old.PublicKey},
		{KID: "rsa", Public: keys()[RS256].Public()},
	}
	for m, want := range map[KeyManagement]string{ECDHES: "new", ECDHESA128KW: "new", ECDHESA256KW: "agreed", RSAOAEP: "rsa", RSAOAEP256: "rsa", "RSA1_5": ""} {
		got, err := EncryptTo(theirs, m)
		if got.KID != want || (err == nil) != (want != "") || err == nil && got.Alg != m {
			t.Errorf("%s: %+v, %v, want %q", m, got, err, want)
		}
	}
}

// A key for one thing is never taken for another, in neither direction.
func TestKeysToSignAndToEncryptAreApart(t *testing.T) {
	text, err := MarshalForeignJWKS(
		[]Key{{KID: "s", Alg: RS256, Public: keys()[RS256].Public()}, {Public: keys()[EdDSA].Public()}},
		[]EncryptionKey{{KID: "e", Alg: RSAOAEP, Public: keys()[RS256].Public()}, {Public: keys()[ES256].Public()}})
	if err != nil {
		t.Fatal(err)
	}
	signing, err := ParseJWKS(text)
	if err != nil || len(signing) != 2 || signing[0].KID != "s" || signing[1].Alg != "" {
		t.Errorf("to verify: %+v, %v", signing, err)
	}
	encryption, err := ParseEncryptionJWKS(text)
	if err != nil || len(encryption) != 2 || encryption[0].KID != "e" || encryption[0].Alg != RSAOAEP || encryption[1].Alg != "" {
		t.Errorf("to encrypt to: %+v, %v", encryption, err)
	}

	rsa := strings.Trim(jwkOf(t, keys()[RS256].Public()), "{}")
	ed := strings.Trim(jwkOf(t, keys()[EdDSA].Public()), "{}")
	for _, test := range []struct {
		name, members string
		verify, wrap  bool
	}{
		{"for signatures", rsa + `,"use":"sig"`, true, false},
		{"to encrypt to", rsa + `,"use":"enc"`, false, true},
		{"for what it does not say", rsa, true, false},
		{"for signatures, by a way to encrypt", rsa + `,"use":"sig","alg":"RSA-OAEP"`, false, false},
		{"for nothing said, by a way to encrypt", rsa + `,"alg":"RSA-OAEP"`, false, false},
		{"to encrypt to, by an algorithm for signatures", rsa + `,"use":"enc","alg":"RS256"`, false, false},
		{"to encrypt to in the old way", rsa + `,"use":"enc","alg":"RSA1_5"`, false, false},
		{"to wrap keys", rsa + `,"use":"enc","key_ops":["wrapKey"]`, false, true},
		{"to encrypt to and for verifying alone", rsa + `,"use":"enc","key_ops":["verify"]`, false, false},
		{"to encrypt to, of a kind that cannot", ed + `,"use":"enc"`, false, false},
		{"to encrypt to, with its private part", rsa + `,"use":"enc","d":"AQAB"`, false, false},
	} {
		set := []byte(`{"keys":[{` + test.members + `}]}`)
		signing, err := ParseJWKS(set)
		encryption, err2 := ParseEncryptionJWKS(set)
		if err != nil || err2 != nil || (len(signing) == 1) != test.verify || (len(encryption) == 1) != test.wrap {
			t.Errorf("a key %s: %d verify and %d are encrypted to; %v, %v", test.name, len(signing), len(encryption), err, err2)
		}
	}
}

func TestKeysThatOthersEncryptToAreKeysOfOurs(t *testing.T) {
	for _, alg := range []Algorithm{EncryptRSA, EncryptEC} {
		key, err := GenerateKey(alg)
		if err != nil {
			t.Fatal(err)
		}
		der, err := MarshalPrivate(key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePrivate(der); err != nil {
			t.Error(err)
		}
		if alg.Signs() || alg.Known() || !alg.Encrypts() || HalfHash(alg, "x") != "" {
			t.Errorf("%s is taken for an algorithm that signs", alg)
		}
		set, err := MarshalJWKS([]Key{{KID: "e1", Alg: alg, Public: key.Public()}})
		if err != nil || !bytes.Contains(set, []byte(`"use":"enc"`)) || bytes.Contains(set, []byte(`"alg"`)) {
			t.Errorf("published as %s, %v", set, err)
		}
		theirs, err := ParseEncryptionJWKS(set)
		if err != nil || len(theirs) != 1 {
			t.Fatal(theirs, err)
		}
		for _, m := range Managements([]Algorithm{alg}) {
			to, err := EncryptTo(theirs, m)
			if err != nil {
				t.Fatal(err)
			}
			token, err := Encrypt([]byte("x"), "", to, A128GCM)
			if err != nil {
				t.Fatal(err)
			}
			only := func(kid string, _ KeyManagement) []crypto.PrivateKey {
				if kid != "e1" {
					t.Errorf("the key id is %q", kid)
				}
				return []crypto.PrivateKey{key}
			}
			if content, _, err := Decrypt(token, KeyManagements(), ContentEncryptions(), only); err != nil || string(content) != "x" {
				t.Errorf("%s: %q, %v", m, content, err)
			}
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	f.Add(encrypted(f, ECDHES, A128GCM, "x"))
	f.Add(encrypted(f, ECDHESA256KW, A128CBCHS256, "x"))
	f.Add(encrypted(f, RSAOAEP, A256GCM, "x"))
	f.Add("e30....")
	f.Fuzz(func(t *testing.T, token string) {
		_, h, err := Decrypt(token, KeyManagements(), ContentEncryptions(), all)
		if err != nil {
			return
		}
		if !h.Alg.Known() || !h.Enc.Known() || !Encrypted(token) {
			t.Errorf("%q is read, with the header %+v", token, h)
		}
		for part := range strings.SplitSeq(token, ".") {
			if raw, err := base64.RawURLEncoding.DecodeString(part); err != nil || base64.RawURLEncoding.EncodeToString(raw) != part {
				t.Errorf("%q is read, and has a second spelling", token)
			}
		}
	})
}
