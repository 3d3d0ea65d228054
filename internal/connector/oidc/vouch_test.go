package oidc

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/connector"
	"dex/internal/protocol/jose"
)

const ourIssuer = "https://id.example"

// issuerKey is what the issuer of [oneKey] signs with.
var issuerKey = ed25519.NewKeyFromSeed([]byte("dex tests dex tests dex tests 12"))

// vouching is a provider whose tokens are taken, with its keys at hand.
func vouching(t testing.TB, settings string) (*provider, *clock.Fake) {
	t.Helper()
	c := &clock.Fake{}
	made, err := newConnector(json.RawMessage(`{"issuer": "https://ci.example", "login": false, "jwks": `+oneKey+`, `+settings+`}`),
		connector.Env{ID: "ci", Client: &http.Client{}, Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	return made.(*provider), c
}

func sign(t testing.TB, key ed25519.PrivateKey, typ string, claims map[string]any) string {
	t.Helper()
	token, err := jose.Sign(key, jose.EdDSA, "k1", typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// RFC 7523 section 3; draft-ietf-oauth-identity-assertion-authz-grant section 4.4; OpenID
// Connect Core section 3.1.3.7.
func TestATokenVouchesIfItIsTheIssuersForUsAndOfNow(t *testing.T) {
	all := []connector.TokenKind{connector.IDTokens, connector.Assertions, connector.IDJAGs}
	p, c := vouching(t, `"accepts": ["id_token", "jwt_bearer", "id_jag"], "audiences": ["cli"]`)
	now := c.Now()
	for _, tt := range []struct {
		name    string
		instead map[string]any
		takes   string // the kinds as which it is taken
	}{
		{"as it should be", nil, "jwt_bearer id_jag"},
		{"for the audience that is configured", map[string]any{"aud": "cli"}, "id_token jwt_bearer"},
		{"for the token endpoint", map[string]any{"aud": ourIssuer + "/token"}, "jwt_bearer"},
		{"in a list of one", map[string]any{"aud": []string{ourIssuer}}, "jwt_bearer id_jag"},
		{"for us twice", map[string]any{"aud": []string{ourIssuer, ourIssuer + "/token"}}, "jwt_bearer"},
		{"for others too", map[string]any{"aud": []string{ourIssuer, "https://other.example"}}, ""},
		{"for others", map[string]any{"aud": "https://other.example"}, ""},
		{"for us with a slash more", map[string]any{"aud": ourIssuer + "/"}, ""},
		{"for nobody", map[string]any{"aud": nil}, ""},
		{"of another issuer", map[string]any{"iss": "https://evil.example"}, ""},
		{"of no issuer", map[string]any{"iss": nil}, ""},
		{"about nobody", map[string]any{"sub": nil}, ""},
		{"without an end", map[string]any{"exp": nil}, ""},
		{"that has ended", map[string]any{"exp": now.Add(-2 * time.Minute).Unix()}, ""},
		{"that ends too late", map[string]any{"exp": now.Add(2 * time.Hour).Unix()}, ""},
		{"that does not say since when", map[string]any{"iat": nil}, ""},
		{"of the future", map[string]any{"iat": now.Add(5 * time.Minute).Unix()}, ""},
		{"not yet good", map[string]any{"nbf": now.Add(5 * time.Minute).Unix()}, ""},
		{"by which it is not known again", map[string]any{"jti": nil}, ""},
		{"with an endless id", map[string]any{"jti": strings.Repeat("x", maxID+1)}, ""},
		{"for no client", map[string]any{"client_id": nil}, "jwt_bearer"},
		{"that tells of an event", map[string]any{"events": map[string]any{}}, ""},
		{"issued to another client", map[string]any{"aud": "cli", "azp": "other"}, "jwt_bearer"},
		{"issued to the client", map[string]any{"aud": "cli", "azp": "cli"}, "id_token jwt_bearer"},
		{"with an actor that is no object", map[string]any{"act": "bob"}, ""},
	} {
		claims := map[string]any{
			"iss": "https://ci.example", "sub": "repo:main", "aud": ourIssuer, "jti": "j1", "client_id": "app",
			"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		}
		for name, value := range tt.instead {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		var takes []string
		for _, kind := range all {
			typ := jose.TypeJWT
			if kind == connector.IDJAGs {
				typ = jose.TypeIDJAG
			}
			v, err := p.ReadToken(t.Context(), kind, sign(t, issuerKey, typ, claims), []string{ourIssuer, ourIssuer + "/token"})
			switch {
			case err == nil:
				takes = append(takes, string(kind))
				if v.Identity.Subject != "https://ci.example#repo:main" || v.Identity.ConnectorID != "ci" || !v.Whole {
					t.Errorf("%s: %s is about %+v", tt.name, kind, v.Identity)
				}
			case !errors.Is(err, connector.ErrRefused):
				t.Errorf("%s: %s is somebody's failure: %v", tt.name, kind, err)
			}
		}
		if got := strings.Join(takes, " "); got != tt.takes {
			t.Errorf("1.H 101: one %s is taken as %q, want %q", tt.name, got, tt.takes)
		}
	}
}

func TestATokenIsTakenForItsOwnKindAlone(t *testing.T) {
	p, c := vouching(t, `"accepts": ["jwt_bearer", "id_jag"]`)
	claims := map[string]any{
		"iss": "https://ci.example", "sub": "repo:main", "aud": ourIssuer, "jti": "j1", "client_id": "app",
		"iat": c.Now().Unix(), "exp": c.Now().Add(5 * time.Minute).Unix(),
	}
	stranger := ed25519.NewKeyFromSeed([]byte("a stranger's key a stranger's ke"))
	forged := sign(t, issuerKey, jose.TypeJWT, claims)
	for _, tt := range []struct {
		name  string
		kind  connector.TokenKind
		token string
	}{
		{"an identity assertion as a plain one", connector.Assertions, sign(t, issuerKey, jose.TypeIDJAG, claims)},
		{"a plain assertion as one of identity", connector.IDJAGs, sign(t, issuerKey, jose.TypeJWT, claims)},
		{"an access token", connector.Assertions, sign(t, issuerKey, jose.TypeAccessToken, claims)},
		{"a logout token", connector.Assertions, sign(t, issuerKey, jose.TypeLogoutToken, claims)},
		{"of a kind that is not taken", connector.IDTokens, sign(t, issuerKey, jose.TypeJWT, claims)},
		{"signed by a stranger", connector.Assertions, sign(t, stranger, jose.TypeJWT, claims)},
		{"whose signature is another's", connector.Assertions, forged[:len(forged)-8] + "AAAAAAAA"},
		{"that is none", connector.Assertions, "nonsense"},
		{"unsigned", connector.Assertions, "eyJhbGciOiJub25lIn0." + strings.Split(forged, ".")[1] + "."},
	} {
		if _, err := p.ReadToken(t.Context(), tt.kind, tt.token, []string{ourIssuer}); !errors.Is(err, connector.ErrRefused) {
			t.Errorf("1.H 101: %s: %v", tt.name, err)
		}
	}
	if !p.Takes(connector.Assertions, "https://ci.example") || p.Takes(connector.IDTokens, "https://ci.example") || p.Takes(connector.Assertions, "https://ci.example/") {
		t.Error("it takes other tokens than it is told to")
	}
	if _, err := p.Begin(t.Context(), connector.Login{}); err == nil || !p.Closed() {
		t.Errorf("somebody logs in by it: %v", err)
	}
}

func FuzzReadToken(f *testing.F) {
	p, c := vouching(f, `"accepts": ["id_token", "jwt_bearer", "id_jag"], "audiences": ["cli"]`)
	f.Add([]byte(`{"iss": "https://ci.example", "sub": "a", "aud": "https://id.example", "jti": "1", "client_id": "app", "iat": 1, "exp": 2}`))
	f.Add([]byte(`{"iss": "https://ci.example", "sub": "a", "aud": ["cli"], "azp": "cli", "act": {"sub": "b", "act": {}}, "may_act": {"sub": "c"}, "cnf": {"jkt": "x"}, "resource": ["a"]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		token, err := jose.Sign(issuerKey, jose.EdDSA, "k1", jose.TypeIDJAG, json.RawMessage(payload))
		if err != nil {
			return
		}
		v, err := p.ReadToken(t.Context(), connector.IDJAGs, token, []string{ourIssuer})
		if err != nil {
			return
		}
		if v.ID == "" || v.ClientID == "" || v.Subject == "" || v.Expires.After(c.Now().Add(longestVouched+skew)) || v.IssuedAt.After(c.Now()) {
			t.Fatalf("%+v", v)
		}
	})
}
