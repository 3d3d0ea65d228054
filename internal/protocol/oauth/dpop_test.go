package oauth

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"dex/internal/protocol/jose"
)

var (
	proofNow = time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)
	proofKey = ed25519.NewKeyFromSeed([]byte("dex tests dex tests dex tests 12"))
)

const tokenURL = "https://id.example.com/token"

// dpop returns a proof for the token endpoint, with the given claims instead; nil takes
// one out.
func dpop(t testing.TB, key crypto.Signer, alg jose.Algorithm, typ string, instead map[string]any) string {
	t.Helper()
	claims := map[string]any{"jti": "1", "htm": "POST", "htu": tokenURL, "iat": proofNow.Unix()}
	for name, value := range instead {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	proof, err := jose.SignEmbedded(key, alg, typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// The rows mirror the modules fapi2-security-profile-final-dpop-negative-tests and
// …-ensure-dpop-proof-… of the conformance suite.
func TestADPoPProofIsForOneRequestAndOneMoment(t *testing.T) {
	at := func(d time.Duration) int64 { return proofNow.Add(d).Unix() }
	post := ProofTarget{Method: "POST", URLs: []string{tokenURL, "https://mtls.example.com:8443/token"}}
	with := ProofTarget{Method: "POST", URLs: []string{tokenURL}, Token: "the-token"}
	for _, tt := range []struct {
		name    string
		target  ProofTarget
		instead map[string]any
		holds   bool
	}{
		{"as it should be", post, nil, true},
		{"ten seconds ahead", post, map[string]any{"iat": at(10 * time.Second)}, true},
		{"ten seconds old", post, map[string]any{"iat": at(-10 * time.Second)}, true},
		{"a minute old", post, map[string]any{"iat": at(-time.Minute)}, true},
		{"with a fraction of a second", post, map[string]any{"iat": float64(at(0)) + 0.5}, true},
		{"older", post, map[string]any{"iat": at(-61 * time.Second)}, false},
		{"an hour old", post, map[string]any{"iat": at(-time.Hour)}, false},
		{"an hour ahead", post, map[string]any{"iat": at(time.Hour)}, false},
		{"no time", post, map[string]any{"iat": nil}, false},
		{"a time that is a string", post, map[string]any{"iat": "1777636800"}, false},
		{"a time beyond all times", post, map[string]any{"iat": 1e300}, false},
		{"it has ended", post, map[string]any{"exp": at(-time.Minute)}, false},
		{"it ends later", post, map[string]any{"exp": at(time.Minute)}, true},
		{"it has not begun", post, map[string]any{"nbf": at(time.Minute)}, false},
		{"it has begun", post, map[string]any{"nbf": at(-time.Minute)}, true},
		{"no identifier", post, map[string]any{"jti": nil}, false},
		{"an empty identifier", post, map[string]any{"jti": ""}, false},
		{"an identifier that is a number", post, map[string]any{"jti": 1}, false},
		{"a very long identifier", post, map[string]any{"jti": strings.Repeat("x", 257)}, false},
		{"another method", post, map[string]any{"htm": "GET"}, false},
		{"the method in other letters", post, map[string]any{"htm": "post"}, false},
		{"no method", post, map[string]any{"htm": nil}, false},
		{"no address", post, map[string]any{"htu": nil}, false},
		{"the other address", post, map[string]any{"htu": "https://mtls.example.com:8443/token"}, true},
		{"scheme and host in other letters", post, map[string]any{"htu": "HTTPS://ID.Example.com/token"}, true},
		{"the usual port", post, map[string]any{"htu": "https://id.example.com:443/token"}, true},
		{"with a query", post, map[string]any{"htu": tokenURL + "?a=b"}, true},
		{"with a fragment", post, map[string]any{"htu": tokenURL + "#a"}, true},
		{"a letter of the path escaped", post, map[string]any{"htu": "https://id.example.com/%74oken"}, true},
		{"another port", post, map[string]any{"htu": "https://id.example.com:8443/token"}, false},
		{"another scheme", post, map[string]any{"htu": "http://id.example.com/token"}, false},
		{"another host", post, map[string]any{"htu": "https://id.example.com.evil.example/token"}, false},
		{"a user in the address", post, map[string]any{"htu": "https://id.example.com@evil.example/token"}, false},
		{"another path", post, map[string]any{"htu": "https://id.example.com/Token"}, false},
		{"a slash behind", post, map[string]any{"htu": tokenURL + "/"}, false},
		{"a path alone", post, map[string]any{"htu": "/token"}, false},
		{"no address but something", post, map[string]any{"htu": "mailto:token"}, false},
		{"control characters in the address", post, map[string]any{"htu": tokenURL + "\n"}, false},
		{"the hash of the token", with, map[string]any{"ath": TokenHash("the-token")}, true},
		{"the hash of another token", with, map[string]any{"ath": TokenHash("another")}, false},
		{"no hash of the token", with, nil, false},
		{"a nonce", post, map[string]any{"nonce": "n"}, true},
		{"a nonce that is a list", post, map[string]any{"nonce": []string{"n"}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseProof([]string{dpop(t, proofKey, jose.EdDSA, TypeDPoP, tt.instead)}, tt.target, proofNow)
			want, thumbErr := jose.Thumbprint(proofKey.Public())
			if thumbErr != nil {
				t.Fatal(thumbErr)
			}
			if tt.holds {
				if err != nil || got.Thumbprint != want || got.ID != "1" {
					t.Errorf("%+v, error %v", got, err)
				}
				return
			}
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != InvalidDPoPProof || got != (Proof{}) {
				t.Errorf("%+v, error %v", got, err)
			}
		})
	}
}

func TestADPoPHeaderIsOneProofOfItsOwnKind(t *testing.T) {
	target := ProofTarget{Method: "POST", URLs: []string{tokenURL}}
	good := dpop(t, proofKey, jose.EdDSA, TypeDPoP, nil)
	if got, err := ParseProof(nil, target, proofNow); err != nil || got != (Proof{}) {
		t.Errorf("no header: %+v, error %v", got, err)
	}
	rs, err := jose.GenerateKey(jose.RS256)
	if err != nil {
		t.Fatal(err)
	}
	for name, headers := range map[string][]string{
		"two proofs":                 {good, good},
		"two in one header":          {good + ", " + good},
		"an empty header":            {""},
		"another type":               {dpop(t, proofKey, jose.EdDSA, "JWT", nil)},
		"RS256":                      {dpop(t, rs, jose.RS256, TypeDPoP, nil)},
		"spaces around":              {" " + good},
		"a changed signature":        {good[:len(good)-4] + "AAAA"},
		"a proof that is very large": {dpop(t, proofKey, jose.EdDSA, TypeDPoP, map[string]any{"x": strings.Repeat("x", MaxProof)})},
	} {
		_, err := ParseProof(headers, target, proofNow)
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != InvalidDPoPProof {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func FuzzParseProof(f *testing.F) {
	target := ProofTarget{Method: "POST", URLs: []string{tokenURL}}
	f.Add(dpop(f, proofKey, jose.EdDSA, TypeDPoP, nil))
	f.Add("e30.e30.AA")
	f.Fuzz(func(t *testing.T, header string) {
		got, err := ParseProof([]string{header}, target, proofNow)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != InvalidDPoPProof {
				t.Fatalf("error %v", err)
			}
			return
		}
		if got.Thumbprint == "" || got.ID == "" || got.IssuedAt.IsZero() {
			t.Fatalf("a proof of nothing: %+v", got)
		}
	})
}

func FuzzSameTarget(f *testing.F) {
	f.Add("https://id.example.com:443/token?x#y", tokenURL)
	f.Fuzz(func(t *testing.T, a, b string) {
		if sameTarget(a, b) != sameTarget(b, a) {
			t.Fatalf("%q and %q are the same one way only", a, b)
		}
	})
}
