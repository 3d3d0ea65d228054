package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

func TestVerify(t *testing.T) {
	all := []Algorithm{RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA}
	for _, alg := range all {
		t.Run("a token in "+string(alg)+" holds", func(t *testing.T) {
			token := foreign(t, alg, keys()[alg], `{"sub":"ann"}`, map[gojose.HeaderKey]any{"typ": "JWT", "kid": "k1"})
			var asked string
			payload, h, err := Verify(token, all, []string{"JWT"}, func(kid string, a Algorithm) []crypto.PublicKey {
				asked = kid + " " + string(a)
				// A key of every kind: those that do not fit are passed over.
				return []crypto.PublicKey{keys()[RS256].Public(), keys()[ES256].Public(), keys()[ES384].Public(), keys()[ES512].Public(), keys()[EdDSA].Public()}
			})
			if err != nil || string(payload) != `{"sub":"ann"}` {
				t.Fatalf("payload %s, error %v", payload, err)
			}
			if want := (Header{Algorithm: alg, KeyID: "k1", Type: "JWT"}); h != want {
				t.Errorf("header %+v, want %+v", h, want)
			}
			if asked != "k1 "+string(alg) {
				t.Errorf("asked for the key %q", asked)
			}
		})
	}
}

func TestTypesOfTokens(t *testing.T) {
	for _, test := range []struct {
		name   string
		typ    any
		accept []string
		ok     bool
	}{
		{"the type that is asked for", "at+jwt", []string{"at+jwt"}, true},
		{"one of those that are asked for", "at+jwt", []string{"JWT", "at+jwt"}, true},
		{"media types are written in any case", "AT+JWT", []string{"at+jwt"}, true},
		{"application/ may be written out", "application/at+jwt", []string{"at+jwt"}, true},
		{"an absent type, if that may be", nil, []string{"JWT", ""}, true},
		{"an absent type, if that may not be", nil, []string{"JWT"}, false},
		{"an ID token is no access token", "JWT", []string{"at+jwt"}, false},
		{"an access token is no ID token", "at+jwt", []string{"JWT", ""}, false},
		{"a logout token is no ID token", "logout+jwt", []string{"JWT", ""}, false},
		{"another tree of media types", "text/at+jwt", []string{"at+jwt"}, false},
		{"application/ twice", "application/application/at+jwt", []string{"at+jwt"}, false},
		{"nothing is accepted where nothing is named", "JWT", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := map[gojose.HeaderKey]any{}
			if test.typ != nil {
				header["typ"] = test.typ
			}
			token := foreign(t, EdDSA, keys()[EdDSA], `{}`, header)
			_, _, err := Verify(token, []Algorithm{EdDSA}, test.accept, only(keys()[EdDSA].Public()))
			if (err == nil) != test.ok {
				t.Errorf("error %v", err)
			}
		})
	}
}

// hmacToken signs with a public key as if it were a shared secret: the classic
// confusion of algorithms.
func hmacToken(secret []byte, header string) string {
	input := encode(header) + "." + encode(`{"sub":"ann"}`)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// attacks are tokens that nobody may accept, most of them with a signature by
// the right key, so that it is not the signature that saves us.
func attacks(t testing.TB) map[string]string {
	t.Helper()
	es, ed, rs := keys()[ES256], keys()[EdDSA], keys()[RS256]
	const claims = `{"sub":"ann"}`
	good := foreign(t, ES256, es, claims, nil)
	head, body, sig := parts(good)
	der, err := x509.MarshalPKIXPublicKey(rs.Public())
	if err != nil {
		t.Fatal(err)
	}
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	stranger, err := GenerateKey(ES256)
	if err != nil {
		t.Fatal(err)
	}
	embedded := gojose.JSONWebKey{Key: stranger.Public(), KeyID: "k1", Algorithm: "ES256"}
	embeddedJSON, err := embedded.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	zero := base64.RawURLEncoding.EncodeToString(make([]byte, 64))
	order := es.Public().(*ecdsa.PublicKey).Params().N.Bytes()
	big := base64.RawURLEncoding.EncodeToString(append(append([]byte{}, order...), order...))
	asn1Sig, err := es.Sign(nil, sum(head+"."+body), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"alg none without a signature":           encode(`{"alg":"none"}`) + "." + body + ".",
		"alg none with a signature":              encode(`{"alg":"none"}`) + "." + body + "." + sig,
		"alg None":                               encode(`{"alg":"None"}`) + "." + body + ".",
		"alg nOnE":                               encode(`{"alg":"nOnE"}`) + "." + body + "." + sig,
		"alg empty":                              raw(t, es, `{"alg":""}`, claims),
		"alg absent":                             raw(t, es, `{"typ":"JWT"}`, claims),
		"alg null":                               raw(t, es, `{"alg":null}`, claims),
		"alg a number":                           raw(t, es, `{"alg":256}`, claims),
		"alg a list":                             raw(t, es, `{"alg":["ES256"]}`, claims),
		"alg in lower case":                      raw(t, es, `{"alg":"es256"}`, claims),
		"alg with a space":                       raw(t, es, `{"alg":"ES256 "}`, claims),
		"alg twice, the good one last":           raw(t, es, `{"alg":"none","alg":"ES256"}`, claims),
		"alg twice, the good one first":          raw(t, es, `{"alg":"ES256","alg":"none"}`, claims),
		"alg under another name":                 raw(t, es, `{"ALG":"ES256"}`, claims),
		"alg twice by an escape":                 raw(t, es, `{"alg":"ES256","\u0061lg":"none"}`, claims),
		"HS256 with the public key in PEM":       hmacToken(asPEM, `{"alg":"HS256"}`),
		"HS256 with the public key in DER":       hmacToken(der, `{"alg":"HS256"}`),
		"HS256 with the modulus":                 hmacToken(order, `{"alg":"HS256"}`),
		"HS256 with an empty secret":             hmacToken(nil, `{"alg":"HS256"}`),
		"HS384":                                  hmacToken(asPEM, `{"alg":"HS384"}`),
		"HS512":                                  hmacToken(asPEM, `{"alg":"HS512"}`),
		"an algorithm that is not accepted here": foreign(t, PS256, rs, claims, nil),
		"RS256 says that it is ES256":            raw(t, rs, `{"alg":"ES256"}`, claims),
		"ES256 says that it is RS256":            raw(t, es, `{"alg":"RS256"}`, claims),
		"ES256 says that it is EdDSA":            raw(t, es, `{"alg":"EdDSA"}`, claims),
		"EdDSA says that it is ES256":            raw(t, ed, `{"alg":"ES256"}`, claims),
		"a stranger's key":                       foreign(t, ES256, stranger, claims, nil),
		"a stranger's key in jwk":                raw(t, stranger, `{"alg":"ES256","jwk":`+string(embeddedJSON)+`}`, claims),
		"a stranger's key behind jku":            raw(t, stranger, `{"alg":"ES256","jku":"http://127.0.0.1:1/keys"}`, claims),
		"a stranger's key behind x5u":            raw(t, stranger, `{"alg":"ES256","x5u":"http://127.0.0.1:1/cert"}`, claims),
		"kid is a path":                          raw(t, stranger, `{"alg":"ES256","kid":"../../../../dev/null"}`, claims),
		"kid is a query":                         raw(t, stranger, `{"alg":"ES256","kid":"' OR 1=1 --"}`, claims),
		"kid is a number":                        raw(t, es, `{"alg":"ES256","kid":1}`, claims),
		"kid is an object":                       raw(t, es, `{"alg":"ES256","kid":{}}`, claims),
		"kid is huge":                            raw(t, es, `{"alg":"ES256","kid":"`+strings.Repeat("k", maxKeyID+1)+`"}`, claims),
		"crit with an unknown extension":         raw(t, es, `{"alg":"ES256","crit":["exp"],"exp":1}`, claims),
		"crit with b64":                          raw(t, es, `{"alg":"ES256","b64":true,"crit":["b64"]}`, claims),
		"crit empty":                             raw(t, es, `{"alg":"ES256","crit":[]}`, claims),
		"crit null":                              raw(t, es, `{"alg":"ES256","crit":null}`, claims),
		"b64 alone":                              raw(t, es, `{"alg":"ES256","b64":false}`, claims),
		"zip":                                    raw(t, es, `{"alg":"ES256","zip":"DEF"}`, claims),
		"enc":                                    raw(t, es, `{"alg":"ES256","enc":"A128GCM"}`, claims),
		"typ is a list":                          raw(t, es, `{"alg":"ES256","typ":["JWT"]}`, claims),
		"another member twice":                   raw(t, es, `{"alg":"ES256","x":1,"x":2}`, claims),
		"the header is no object":                raw(t, es, `["ES256"]`, claims),
		"the header is null":                     raw(t, es, `null`, claims),
		"the header is no JSON":                  raw(t, es, `alg=ES256`, claims),
		"the header goes on":                     raw(t, es, `{"alg":"ES256"}{}`, claims),
		"the header is deep and has no end":      raw(t, es, `{"alg":"ES256","x":`+strings.Repeat("[", 9000), claims),
		"a signature of zeros":                   head + "." + body + "." + zero,
		"a signature of the order":               head + "." + body + "." + big,
		"a signature in ASN.1":                   head + "." + body + "." + base64.RawURLEncoding.EncodeToString(asn1Sig),
		"no signature":                           head + "." + body + ".",
		"half a signature":                       head + "." + body + "." + sig[:len(sig)/2],
		"a signature and a half":                 head + "." + body + "." + sig + sig[:44],
		"two signatures":                         good + "." + sig,
		"two parts":                              head + "." + body,
		"five parts, as encrypted":               good + "." + body + "." + sig,
		"another payload":                        head + "." + encode(`{"sub":"bob"}`) + "." + sig,
		"an empty payload":                       head + ".." + sig,
		"padded":                                 head + "==." + body + "." + sig,
		"in plain base64":                        strings.NewReplacer("-", "+", "_", "/").Replace(good) + "+",
		"a line break":                           head + ".\n" + body + "." + sig,
		"a line break at the end":                good + "\n",
		"a carriage return":                      head + "\r." + body + "." + sig,
		"a space before":                         " " + good,
		"a zero byte":                            good + "\x00",
		"JSON serialisation":                     fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, head, body, sig),
		"JSON with several signatures":           fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q},{"protected":%q,"signature":""}]}`, body, head, sig, head),
		"empty":                                  "",
		"dots":                                   "..",
		"a million dots":                         strings.Repeat(".", 1<<20),
		"16 KiB of dots":                         strings.Repeat(".", MaxToken),
		"too long":                               foreign(t, ES256, es, `{"x":"`+strings.Repeat("x", MaxToken)+`"}`, nil),
	}
}

func TestAttacks(t *testing.T) {
	corpus := attacks(t)
	if len(corpus) < 70 {
		t.Errorf("only %d attacks", len(corpus))
	}
	accepted := []Algorithm{RS256, ES256, EdDSA, "none", "HS256", "HS384", "HS512", "", "None", "Ed25519", "es256", "ES256 "}
	// Whoever finds keys may be careless: here it gives everything it has,
	// secrets among it, whatever is asked for.
	find := only(keys()[RS256].Public(), keys()[ES256].Public(), keys()[EdDSA].Public(), []byte("secret"), nil, weakRSA().Public())
	for name, token := range corpus {
		t.Run(name, func(t *testing.T) {
			if payload, _, err := Verify(token, accepted, []string{"JWT", ""}, find); err == nil {
				t.Errorf("%.200q was accepted with the payload %s", token, payload)
			}
		})
	}
	// The corpus is only worth something if its makers make good tokens, too.
	for alg, key := range map[string]crypto.Signer{"RS256": keys()[RS256], "ES256": keys()[ES256], "EdDSA": keys()[EdDSA]} {
		if _, _, err := Verify(raw(t, key, `{"alg":"`+alg+`","x5t":"ignored","jku":"http://127.0.0.1:1/"}`, `{}`), accepted, []string{""}, find); err != nil {
			t.Errorf("the good token in %s: %v", alg, err)
		}
	}
}

func TestAHugeTokenIsRefusedUnread(t *testing.T) {
	dots := strings.Repeat(".", 8<<20)
	if allocs := testing.AllocsPerRun(10, func() {
		_, _, _ = Verify(dots, []Algorithm{ES256}, []string{""}, only())
		_, _ = UnverifiedClaims(dots)
	}); allocs > 20 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestAWeakKeyVerifiesNothing(t *testing.T) {
	s := &Signer{key: weakRSA(), alg: RS256, kid: "k1", size: weakRSA().Size()}
	token, err := s.Sign(TypeJWT, Claims{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Verify(token, []Algorithm{RS256}, []string{TypeJWT}, only(weakRSA().Public())); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("error %v, want %v", err, ErrUnknownKey)
	}
}

func TestWhyATokenIsRefused(t *testing.T) {
	token := foreign(t, EdDSA, keys()[EdDSA], `{}`, nil)
	other, err := GenerateKey(EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Verify(token, []Algorithm{EdDSA}, []string{""}, only()); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without a key: %v, want %v", err, ErrUnknownKey)
	}
	if _, _, err := Verify(token, []Algorithm{EdDSA}, []string{""}, only(other.Public())); !errors.Is(err, ErrSignature) {
		t.Errorf("with another key: %v, want %v", err, ErrSignature)
	}
	many := make([]crypto.PublicKey, maxTries, maxTries+1)
	for i := range many {
		many[i] = other.Public()
	}
	if _, _, err := Verify(token, []Algorithm{EdDSA}, []string{""}, only(append(many, keys()[EdDSA].Public())...)); !errors.Is(err, ErrSignature) {
		t.Errorf("behind many other keys: %v, want %v", err, ErrSignature)
	}
}

// TestEveryCharacterCounts changes each character of a token into each other
// one, and leaves out, doubles and cuts at each.
func TestEveryCharacterCounts(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=.+/ \n"
	// The three lengths of payload end in each way that base64 can end.
	for n, payload := range []string{`{"sub":"a"}`, `{"sub":"an"}`, `{"sub":"ann"}`} {
		token := foreign(t, EdDSA, keys()[EdDSA], payload, map[gojose.HeaderKey]any{"typ": "JWT"})
		refused := func(what string, changed string) {
			t.Helper()
			if _, _, err := Verify(changed, []Algorithm{EdDSA}, []string{"JWT"}, only(keys()[EdDSA].Public())); err == nil {
				t.Errorf("%s: %s was accepted", what, changed)
			}
		}
		if _, _, err := Verify(token, []Algorithm{EdDSA}, []string{"JWT"}, only(keys()[EdDSA].Public())); err != nil {
			t.Fatal(err)
		}
		for i := range len(token) {
			if n > 0 && i+1 < len(token) && token[i+1] != '.' {
				continue // only the ends differ from the first
			}
			for j := range len(alphabet) {
				if alphabet[j] != token[i] {
					refused("changed", token[:i]+alphabet[j:j+1]+token[i+1:])
				}
			}
			refused("cut", token[:i])
			refused("left out", token[:i]+token[i+1:])
			refused("doubled", token[:i]+token[i:i+1]+token[i:])
		}
		for j := range len(alphabet) {
			refused("longer", token+alphabet[j:j+1])
		}
	}
}

func TestUnverifiedClaims(t *testing.T) {
	token := foreign(t, EdDSA, keys()[EdDSA], `{"iss":"app","sub":"app","aud":["a","b"]}`, nil)
	c, err := UnverifiedClaims(token)
	if err != nil || c.Issuer != "app" || c.Subject != "app" || len(c.Audience) != 2 {
		t.Errorf("claims %+v, error %v", c, err)
	}
	for name, token := range map[string]string{
		"no token":             "app",
		"a payload of text":    raw(t, keys()[EdDSA], `{"alg":"EdDSA"}`, `app`),
		"a payload of a list":  raw(t, keys()[EdDSA], `{"alg":"EdDSA"}`, `[]`),
		"a payload of null":    raw(t, keys()[EdDSA], `{"alg":"EdDSA"}`, `null`),
		"an issuer twice":      raw(t, keys()[EdDSA], `{"alg":"EdDSA"}`, `{"iss":"a","iss":"b"}`),
		"a header with crit":   raw(t, keys()[EdDSA], `{"alg":"EdDSA","crit":["x"]}`, `{}`),
		"a header of a number": raw(t, keys()[EdDSA], `7`, `{}`),
	} {
		if c, err := UnverifiedClaims(token); err == nil {
			t.Errorf("%s: claims %+v", name, c)
		}
	}
}

func TestATokenMayBringKeysThatNobodyLooksAt(t *testing.T) {
	es, ed := keys()[ES256], keys()[EdDSA]
	for name, token := range map[string]string{
		"garbage in x5c":                  raw(t, es, `{"alg":"ES256","x5c":["AAAA"]}`, `{"sub":"ann"}`),
		"a key in jwk":                    raw(t, es, `{"alg":"ES256","jwk":{"kty":"oct","k":"AAAA"}}`, `{"sub":"ann"}`),
		"an address in jku":               raw(t, es, `{"alg":"ES256","jku":"http://127.0.0.1:1/"}`, `{"sub":"ann"}`),
		"EdDSA by the name of RFC 9864":   raw(t, ed, `{"alg":"Ed25519"}`, `{"sub":"ann"}`),
		"EdDSA by the name of its family": raw(t, ed, `{"alg":"EdDSA"}`, `{"sub":"ann"}`),
	} {
		find := func(_ string, alg Algorithm) []crypto.PublicKey { return []crypto.PublicKey{keys()[alg].Public()} }
		payload, _, err := Verify(token, []Algorithm{ES256, EdDSA}, []string{""}, find)
		if err != nil || string(payload) != `{"sub":"ann"}` {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := Verify(token, []Algorithm{RS256}, []string{""}, find); err == nil {
			t.Errorf("%s: another algorithm was accepted", name)
		}
	}
}

func FuzzVerify(f *testing.F) {
	for _, token := range attacks(f) {
		if len(token) < 4096 {
			f.Add(token)
		}
	}
	issued := foreign(f, EdDSA, keys()[EdDSA], `{"sub":"ann"}`, nil)
	f.Add(issued)
	find := only(keys()[EdDSA].Public())
	f.Fuzz(func(t *testing.T, token string) {
		claims, unverified := UnverifiedClaims(token)
		_, _, err := Verify(token, []Algorithm{RS256, ES256, EdDSA}, []string{"", "JWT"}, find)
		if (err == nil) != (token == issued) {
			t.Errorf("%q: %v", token, err)
		}
		if token == issued && (unverified != nil || claims.Subject != "ann") {
			t.Errorf("%+v, %v", claims, unverified)
		}
	})
}

func parts(token string) (header, payload, signature string) {
	p := strings.Split(token, ".")
	return p[0], p[1], p[2]
}

func sum(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}
