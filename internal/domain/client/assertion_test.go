package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"sync"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"dex/internal/base/secret"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// signers are the keys of the client "app", by their ids, and one that it does not
// have. RSA keys take their time, so all are made once.
var signers = sync.OnceValue(func() map[string]crypto.Signer {
	made := map[string]crypto.Signer{}
	for _, k := range []struct {
		id   string
		make func() (crypto.Signer, error)
	}{
		{"rsa", func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }},
		{"weak", func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 1024) }},
		{"ec", func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
		{"ec384", func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) }},
		{"ec521", func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P521(), rand.Reader) }},
		{"stranger", func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
		{"ed", func() (crypto.Signer, error) { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), nil }},
	} {
		key, err := k.make()
		if err != nil {
			panic(err)
		}
		made[k.id] = key
	}
	return made
})

// signing returns the client "app" of a profile. Its key "ec" is registered for one
// algorithm, the others for any that they fit.
func signing(p Profile) Client {
	key := func(id string, alg jose.Algorithm) jose.Key {
		return jose.Key{KID: id, Alg: alg, Public: signers()[id].Public()}
	}
	return Client{ID: "app", Profile: p, AuthMethod: oauth.AuthPrivateKeyJWT, Keys: []jose.Key{
		key("rsa", ""), key("weak", ""), key("ec", jose.ES256), key("ec384", ""), key("ec521", ""), key("ed", ""),
	}}
}

// attempt is an assertion in the making.
type attempt struct {
	alg, key string
	header   map[string]any
	claims   map[string]any
	payload  string // instead of the claims
}

// assertion is a good one, but for what the changes do to it.
func assertion(t testing.TB, changes ...func(*attempt)) string {
	t.Helper()
	a := &attempt{alg: "ES256", key: "ec", header: map[string]any{"kid": "ec"}, claims: map[string]any{
		"iss": "app", "sub": "app", "aud": here.Issuer, "jti": "one",
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}}
	for _, change := range changes {
		change(a)
	}
	payload := []byte(a.payload)
	if a.payload == "" {
		var err error
		if payload, err = json.Marshal(a.claims); err != nil {
			t.Fatal(err)
		}
	}
	options := &gojose.SignerOptions{ExtraHeaders: map[gojose.HeaderKey]any{}}
	for name, value := range a.header {
		options.ExtraHeaders[gojose.HeaderKey(name)] = value
	}
	signer, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(a.alg), Key: signers()[a.key]}, options)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func claim(name string, value any) func(*attempt) {
	return func(a *attempt) {
		if a.claims[name] = value; value == nil {
			delete(a.claims, name)
		}
	}
}

func with(alg, key, kid string) func(*attempt) {
	return func(a *attempt) { a.alg, a.key, a.header["kid"] = alg, key, kid }
}

func header(name string, value any) func(*attempt) {
	return func(a *attempt) {
		if a.header[name] = value; value == nil {
			delete(a.header, name)
		}
	}
}

func payload(text string) func(*attempt) { return func(a *attempt) { a.payload = text } }

func in(d time.Duration) int64 { return now.Add(d).Unix() }

// written is a token under a header that no library would write.
func written(head map[string]any, body map[string]any, sign func(input []byte) []byte) string {
	encode := func(v map[string]any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	input := encode(head) + "." + encode(body)
	return input + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(input)))
}

// confused is a token whose MAC was made with a public key, which everybody has,
// for a reader that takes the algorithm from the header.
func confused(t testing.TB, alg string) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(signers()["rsa"].Public())
	if err != nil {
		t.Fatal(err)
	}
	return written(map[string]any{"alg": alg, "kid": "rsa"}, goodClaims(), func(input []byte) []byte {
		m := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		m.Write(input)
		return m.Sum(nil)
	})
}

func goodClaims() map[string]any {
	return map[string]any{"iss": "app", "sub": "app", "aud": here.Issuer, "jti": "one", "iat": now.Unix(), "exp": in(time.Minute)}
}

// Who accepts an assertion.
const (
	nobody = "nobody"
	both   = "both"
	openid = "openid" // and the profile standard does not
)

// TestAssertions is the corpus of RFC 7523: 1.C 38, 39, 40 and 41.
func TestAssertions(t *testing.T) {
	ownKey := gojose.JSONWebKey{Key: signers()["stranger"].Public(), KeyID: "ec", Algorithm: "ES256", Use: "sig"}
	good := assertion(t)
	cut := func(n int) string { return good[:len(good)-n] }
	parts := strings.Split(good, ".")
	for _, tt := range []struct {
		name, assertion, accepted string
	}{
		{"a good one", good, both},
		{"in RS256", assertion(t, with("RS256", "rsa", "rsa")), both},
		{"in PS256", assertion(t, with("PS256", "rsa", "rsa")), both},
		{"in ES384", assertion(t, with("ES384", "ec384", "ec384")), both},
		{"in EdDSA", assertion(t, with("EdDSA", "ed", "ed")), both},
		{"without a key id", assertion(t, header("kid", nil)), both},
		{"of the type JWT", assertion(t, header("typ", "JWT")), both},
		{"of the type client-authentication+jwt", assertion(t, header("typ", "client-authentication+jwt")), both},
		{"without iat, which need not be there", assertion(t, claim("iat", nil)), both},
		{"with a claim that we do not know", assertion(t, claim("purpose", "login")), both},
		{"until the last moment that is near enough", assertion(t, claim("exp", in(6*time.Minute))), both},
		{"expired within the tolerance for clocks", assertion(t, claim("exp", in(-59*time.Second))), both},
		{"made within the tolerance for clocks", assertion(t, claim("iat", in(time.Minute))), both},

		// 38: for whom it is.
		{"for the token endpoint", assertion(t, claim("aud", tokenURL)), openid},
		{"for the issuer, in a list", assertion(t, claim("aud", []string{here.Issuer})), openid},
		{"for issuer and token endpoint, in a list", assertion(t, claim("aud", []string{here.Issuer, tokenURL})), openid},
		{"for us and another server, in a list", assertion(t, claim("aud", []string{here.Issuer, "https://evil.example.com"})), nobody},
		{"for another server and our endpoint, in a list", assertion(t, claim("aud", []string{"https://evil.example.com", tokenURL})), nobody},
		{"for another server", assertion(t, claim("aud", "https://evil.example.com")), nobody},
		{"for our issuer in other letters", assertion(t, claim("aud", "https://ID.example.com")), nobody},
		{"for our issuer with a slash behind it", assertion(t, claim("aud", here.Issuer+"/")), nobody},
		{"for our issuer and more", assertion(t, claim("aud", here.Issuer+".evil.example.com")), nobody},
		{"for another endpoint of ours", assertion(t, claim("aud", here.Issuer+"/introspect")), nobody},
		{"for the client itself", assertion(t, claim("aud", "app")), nobody},
		{"for nobody", assertion(t, claim("aud", nil)), nobody},
		{"for an empty name", assertion(t, claim("aud", "")), nobody},
		{"for an empty list", assertion(t, claim("aud", []string{})), nobody},
		{"for a number", assertion(t, claim("aud", 1)), nobody},
		{"for us twice over", assertion(t, payload(`{"iss":"app","sub":"app","aud":"https://evil.example.com","aud":"https://id.example.com","jti":"one","exp":9999999999}`)), nobody},
		{"of another type", assertion(t, header("typ", "at+jwt")), nobody},
		{"of the type of a logout token", assertion(t, header("typ", "logout+jwt")), nobody},

		// 39: who, once, and for how long.
		{"of another issuer", assertion(t, claim("iss", "other")), nobody},
		{"about another client", assertion(t, claim("sub", "other")), nobody},
		{"without an issuer", assertion(t, claim("iss", nil)), nobody},
		{"about nobody", assertion(t, claim("sub", nil)), nobody},
		{"about itself in other letters", assertion(t, claim("sub", "APP"), claim("iss", "APP")), nobody},
		{"without a jti", assertion(t, claim("jti", nil)), nobody},
		{"with an empty jti", assertion(t, claim("jti", "")), nobody},
		{"with a jti that is a number", assertion(t, claim("jti", 7)), nobody},
		{"with a jti longer than anybody keeps", assertion(t, claim("jti", strings.Repeat("j", 257))), nobody},
		{"that never expires", assertion(t, claim("exp", nil)), nobody},
		{"that expires at zero", assertion(t, claim("exp", 0)), nobody},
		{"that expires on a word", assertion(t, claim("exp", "tomorrow")), nobody},
		{"that expires beyond all years", assertion(t, claim("exp", 1e300)), nobody},
		{"that has expired", assertion(t, claim("exp", in(-time.Minute))), nobody},
		{"that is good for a moment too long", assertion(t, claim("exp", in(6*time.Minute+time.Second))), nobody},
		{"that is good for two days", assertion(t, claim("exp", in(48*time.Hour))), nobody},
		{"that was made in the future", assertion(t, claim("iat", in(61*time.Second))), nobody},
		{"that is not good yet", assertion(t, claim("nbf", in(61*time.Second))), nobody},

		// 40: by which algorithm.
		{"that nobody signed", written(map[string]any{"alg": "none"}, goodClaims(), func([]byte) []byte { return nil }), nobody},
		{"that nobody signed, with something behind it", written(map[string]any{"alg": "none", "kid": "ec"}, goodClaims(), func([]byte) []byte { return []byte("x") }), nobody},
		{"that nobody signed, in capitals", written(map[string]any{"alg": "NONE"}, goodClaims(), func([]byte) []byte { return []byte("x") }), nobody},
		{"that nobody signed, in mixed letters", written(map[string]any{"alg": "nOnE"}, goodClaims(), func([]byte) []byte { return []byte("x") }), nobody},
		{"with the public key for a MAC's", confused(t, "HS256"), nobody},
		{"with the public key for a longer MAC's", confused(t, "HS512"), nobody},
		{"in small letters", written(map[string]any{"alg": "es256", "kid": "ec"}, goodClaims(), func([]byte) []byte { return make([]byte, 64) }), nobody},
		{"without an algorithm", written(map[string]any{"kid": "ec"}, goodClaims(), func([]byte) []byte { return make([]byte, 64) }), nobody},
		{"with an algorithm that is a list", written(map[string]any{"alg": []string{"ES256"}, "kid": "ec"}, goodClaims(), func([]byte) []byte { return make([]byte, 64) }), nobody},
		{"in RS512, which we do not list", assertion(t, with("RS512", "rsa", "rsa")), nobody},
		{"in ES512, which we do not list", assertion(t, with("ES512", "ec521", "ec521")), nobody},
		{"by a weak key, although it is registered", assertion(t, with("RS256", "weak", "weak")), nobody},
		{"by another kind of key than the key id names", assertion(t, with("RS256", "rsa", "ec")), nobody},
		{"with the signature of all zeros", parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)), nobody},

		// 41: by whose key.
		{"by a stranger", assertion(t, with("ES256", "stranger", "ec")), nobody},
		{"by a stranger without a key id", assertion(t, with("ES256", "stranger", "ec"), header("kid", nil)), nobody},
		{"by a stranger who brings the key along", assertion(t, with("ES256", "stranger", "ec"), header("jwk", ownKey)), nobody},
		{"by a stranger who says where the key is", assertion(t, with("ES256", "stranger", "ec"), header("jku", "https://evil.example.com/keys")), nobody},
		{"by a stranger who says where the certificate is", assertion(t, with("ES256", "stranger", "ec"), header("x5u", "https://evil.example.com/cert")), nobody},
		{"by a stranger who brings a certificate", assertion(t, with("ES256", "stranger", "ec"), header("x5c", []string{"MIIB"})), nobody},
		{"of a key id that we do not know", assertion(t, header("kid", "unknown")), nobody},
		{"of a key id that is a path", assertion(t, header("kid", "../../../../dev/null")), nobody},
		{"of a key id that is SQL", assertion(t, header("kid", "ec' OR '1'='1")), nobody},
		{"of a key id that is huge", assertion(t, header("kid", strings.Repeat("k", 4096))), nobody},
		{"of a key id that is a number", assertion(t, header("kid", 7)), nobody},
		{"with a header that must be understood", assertion(t, header("crit", []string{"exp"})), nobody},

		// Whatever else is no token of its own.
		{"empty", "", nobody},
		{"with a byte cut off", cut(1), nobody},
		{"with the signature cut off", parts[0] + "." + parts[1] + ".", nobody},
		{"with another byte behind it", good + "A", nobody},
		{"with another part behind it", good + ".e30", nobody},
		{"with a line break behind it", good + "\n", nobody},
		{"with padding", good + "=", nobody},
		{"of claims that are a list", assertion(t, payload(`[]`)), nobody},
		{"of claims that are null", assertion(t, payload(`null`)), nobody},
		{"of claims in other letters", assertion(t, payload(`{"ISS":"app","SUB":"app","AUD":"https://id.example.com","JTI":"one","EXP":9999999999}`)), nobody},
		{"with other claims than were signed", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"app","sub":"app","aud":"https://id.example.com","jti":"two","exp":1777637000}`)) + "." + parts[2], nobody},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for profile, want := range map[Profile]bool{
				Standard: tt.accepted == both, OpenID: tt.accepted == both || tt.accepted == openid,
			} {
				used, err := Authenticate(signing(profile), oauth.Credentials{
					Method: oauth.AuthPrivateKeyJWT, ClientID: "app", Assertion: tt.assertion,
				}, here, now)
				if (err == nil) != want {
					t.Errorf("%s: accepted is %v: %v", profile, err == nil, err)
				}
				if (err == nil) != (used != Used{}) {
					t.Errorf("%s: it is accepted and not marked used, or the other way round: %v", profile, used)
				}
			}
		})
	}
}

func TestAnAssertionIsRememberedForAsLongAsItCouldBePlayedAgain(t *testing.T) {
	cred := oauth.Credentials{Method: oauth.AuthPrivateKeyJWT, ClientID: "app", Assertion: assertion(t, claim("exp", in(3*time.Minute)))}
	used, err := Authenticate(signing(Standard), cred, here, now)
	if err != nil {
		t.Fatal(err)
	}
	if want := secret.Value("one").Hash(); used.JTI != want {
		t.Error("another identifier than the assertion's is remembered")
	}
	// One moment before it is forgotten it is refused for its age alone.
	if _, err := Authenticate(signing(Standard), cred, here, used.Expires.Add(-time.Second)); err != nil {
		t.Errorf("it is remembered for longer than it is good: %v", err)
	}
	if _, err := Authenticate(signing(Standard), cred, here, used.Expires); err == nil {
		t.Error("it is still good when it is forgotten")
	}
}

func TestAnotherClientsAssertionIsNoProof(t *testing.T) {
	other := signing(Standard)
	other.ID = "other" // with the very same keys
	cred := oauth.Credentials{Method: oauth.AuthPrivateKeyJWT, ClientID: "other", Assertion: assertion(t)}
	if _, err := Authenticate(other, cred, here, now); err == nil {
		t.Error("a client is taken for another that has the same key")
	}
}

func FuzzAssertion(f *testing.F) {
	// Only this key is the same in every process of a fuzz test.
	fixed := with("EdDSA", "ed", "ed")
	for _, change := range []func(*attempt){
		func(*attempt) {}, claim("aud", []string{here.Issuer}), claim("exp", nil), header("typ", "JWT"), payload(`{}`),
	} {
		f.Add(assertion(f, fixed, change))
	}
	f.Add("..")
	f.Add(confused(f, "HS256"))
	f.Fuzz(func(t *testing.T, text string) {
		used, err := Authenticate(signing(Standard), oauth.Credentials{
			Method: oauth.AuthPrivateKeyJWT, ClientID: "app", Assertion: text,
		}, here, now)
		switch {
		case err != nil && used != (Used{}):
			t.Error("what is refused is marked used")
		case err == nil && !used.Expires.After(now):
			t.Error("what is accepted is forgotten at once")
		}
	})
}
