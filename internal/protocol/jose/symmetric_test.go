package jose

import (
	"errors"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

var shared = []byte("a secret of thirty-two bytes, or so")

func TestATokenByASecret(t *testing.T) {
	token, err := SignSecret(shared, TypeJWT, Claims{Subject: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	payload, h, err := VerifySecret(token, []string{TypeJWT}, []byte("another secret, of the same length ."), shared)
	if err != nil || string(payload) != `{"sub":"ann"}` || h != (Header{Algorithm: HS256, Type: TypeJWT}) {
		t.Errorf("%s, %+v, %v", payload, h, err)
	}
	// Others sign and read in the same way.
	jws, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.HS256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Verify(shared); err != nil {
		t.Error(err)
	}
	theirs := foreign(t, HS256, shared, `{"sub":"ann"}`, nil)
	if _, _, err := VerifySecret(theirs, []string{""}, shared); err != nil {
		t.Error(err)
	}
	for i := range len(token) {
		if _, _, err := VerifySecret(token[:i], []string{TypeJWT}, shared); err == nil {
			t.Errorf("the first %d characters are good as well", i)
		}
	}
}

func TestATokenByASecretIsRefused(t *testing.T) {
	token, err := SignSecret(shared, TypeJWT, Claims{Subject: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, token string
		secrets     [][]byte
		is          error
	}{
		{"by another secret", token, [][]byte{[]byte("another secret, of the same length .")}, ErrSignature},
		{"where there are no secrets", token, nil, ErrSignature},
		{"by a short secret", token, [][]byte{[]byte("short")}, errSecret},
		{"by no secret", token, [][]byte{nil}, errSecret},
		{"that is signed by a key", foreign(t, ES256, keys()[ES256], `{}`, nil), [][]byte{shared}, nil},
		{"that nobody has signed", encode(`{"alg":"none","typ":"JWT"}`) + "." + encode(`{}`) + ".", [][]byte{shared}, nil},
		{"with another hash", foreign(t, "HS512", append(shared, shared...), `{}`, nil), [][]byte{append(shared, shared...)}, nil},
		{"of another type", foreign(t, HS256, shared, `{}`, map[gojose.HeaderKey]any{"typ": "at+jwt"}), [][]byte{shared}, nil},
	} {
		if _, _, err := VerifySecret(test.token, []string{TypeJWT}, test.secrets...); err == nil || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("a token %s: %v", test.name, err)
		}
	}
	if token, err := SignSecret([]byte("short"), TypeJWT, Claims{}); err == nil {
		t.Errorf("a short secret has signed %s", token)
	}
}

// The oldest trick: a public key is everybody's, so it must not do as a secret.
func TestAKeyIsNoSecretAndASecretNoKey(t *testing.T) {
	public := []byte(jwkOf(t, keys()[RS256].Public()))
	token, err := SignSecret(public, TypeJWT, Claims{Subject: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	algs := []Algorithm{RS256, PS256, ES256, EdDSA, HS256, "none"}
	if _, _, err := Verify(token, algs, []string{TypeJWT}, only(keys()[RS256].Public(), public)); err == nil {
		t.Error("a token by a secret is verified by a key")
	}
	if Algorithm(HS256).Known() || Algorithm(HS256).Signs() {
		t.Error("HS256 is one of the algorithms")
	}
}

func TestATokenThatNobodyHasSigned(t *testing.T) {
	body := encode(`{"alg":"none"}`) + "." + encode(`{"a":1}`)
	payload, err := ReadUnsigned(body+".", []string{"", TypeJWT})
	if err != nil || string(payload) != `{"a":1}` || !Unsigned(body+".") {
		t.Errorf("%s, %v", payload, err)
	}
	signed := foreign(t, ES256, keys()[ES256], `{"a":1}`, nil)
	if Unsigned(signed) || Unsigned("") || Unsigned("..") {
		t.Error("something else is unsigned")
	}
	for name, token := range map[string]string{
		"nothing":                          "",
		"two parts":                        body,
		"a signature":                      body + ".AAAA",
		"four parts":                       body + "..",
		"no payload":                       encode(`{"alg":"none"}`) + "..",
		"no header":                        "." + encode(`{}`) + ".",
		"a signature taken off":            signed[:strings.LastIndexByte(signed, '.')+1],
		"none in other letters":            encode(`{"alg":"None"}`) + "." + encode(`{}`) + ".",
		"none in capitals":                 encode(`{"alg":"NONE"}`) + "." + encode(`{}`) + ".",
		"none with a blank":                encode(`{"alg":"none "}`) + "." + encode(`{}`) + ".",
		"no algorithm":                     encode(`{}`) + "." + encode(`{}`) + ".",
		"the algorithm twice":              encode(`{"alg":"none","alg":"none"}`) + "." + encode(`{}`) + ".",
		"another type":                     encode(`{"alg":"none","typ":"at+jwt"}`) + "." + encode(`{}`) + ".",
		"a critical header":                encode(`{"alg":"none","crit":["x"]}`) + "." + encode(`{}`) + ".",
		"a payload that is not encoded so": encode(`{"alg":"none"}`) + ".e30=.",
		"more than we look at":             encode(`{"alg":"none"}`) + "." + strings.Repeat("A", MaxToken) + ".",
	} {
		if payload, err := ReadUnsigned(token, []string{"", TypeJWT}); err == nil {
			t.Errorf("%s: it is read as %s", name, payload)
		}
	}
	if _, _, err := Verify(body+".", []Algorithm{"none", ES256}, []string{""}, only(keys()[ES256].Public())); err == nil {
		t.Error("it is verified by a key")
	}
	if _, _, err := VerifySecret(body+".", []string{""}, shared); err == nil {
		t.Error("it is verified by a secret")
	}
}

func FuzzVerifySecret(f *testing.F) {
	token, err := SignSecret(shared, TypeJWT, Claims{Subject: "ann"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("e30.e30.")
	f.Fuzz(func(t *testing.T, given string) {
		if _, _, err := VerifySecret(given, []string{TypeJWT}, shared); err == nil && given != token {
			t.Errorf("%q is signed", given)
		}
	})
}

func FuzzReadUnsigned(f *testing.F) {
	f.Add(encode(`{"alg":"none"}`) + "." + encode(`{}`) + ".")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		payload, err := ReadUnsigned(token, []string{""})
		if err == nil && (!Unsigned(token) || token[strings.IndexByte(token, '.')+1:] != encode(string(payload))+".") {
			t.Errorf("%q is read as %q", token, payload)
		}
	})
}
