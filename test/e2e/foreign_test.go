package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"dex/test/foreign"
	"dex/test/program"
)

// kinds are the kinds of clients that there are, as far as others can tell them
// apart. Each is in the configuration under its name.
var kinds = []struct {
	name, settings string
	auth, idToken  string
	public         bool
}{
	{name: "basic", auth: "client_secret_basic"},
	{name: "post", settings: "auth_method: client_secret_post", auth: "client_secret_post"},
	{name: "key-es256", settings: "auth_method: private_key_jwt", auth: "private_key_jwt"},
	{name: "key-rs256", settings: "auth_method: private_key_jwt", auth: "private_key_jwt"},
	{name: "public", settings: "public: true", auth: "none", public: true},
	{name: "es256", settings: "id_token_alg: ES256", auth: "client_secret_basic", idToken: "ES256"},
	{name: "eddsa", settings: "id_token_alg: EdDSA", auth: "client_secret_basic", idToken: "EdDSA"},
	{name: "openid", settings: "profile: openid", auth: "client_secret_basic"},
}

// awkward is a secret in which every character has to be encoded for HTTP Basic
// (RFC 6749, section 2.3.1), which not every provider decodes again.
const awkward = "a+b%2F: c&d=~\"e"

// startForeign starts a dex with a client of each kind, and returns their keys.
func startForeign(t *testing.T) (dex *program.Process, keys map[string]string) {
	t.Helper()
	yaml, keys := "", map[string]string{}
	for _, k := range kinds {
		yaml += fmt.Sprintf("  - id: %s\n    name: The client %[1]s\n    redirect_uris: [%s]\n    post_logout_redirect_uris: [%s]\n", k.name, callback, byebye)
		grants := "authorization_code, refresh_token, client_credentials"
		if k.public {
			grants = "authorization_code, refresh_token"
		}
		yaml += "    grant_types: [" + grants + "]\n    scopes: [openid, profile, email, groups, offline_access, api]\n"
		if k.settings != "" {
			yaml += "    " + k.settings + "\n"
		}
		switch k.auth {
		case "private_key_jwt":
			private, set := clientKey(t, k.name)
			keys[k.name] = private
			yaml += "    jwks: " + set + "\n"
		case "none":
		default:
			secret, err := json.Marshal(awkward)
			if err != nil {
				t.Fatal(err)
			}
			yaml += "    secret: " + string(secret) + "\n"
		}
	}
	s := newSite(t)
	s.configure("users:\n  - {id: ann, username: ann, email: ann@example.com, email_verified: true, name: Ann Example, groups: [staff], password: ann-likes-dex}\nclients:\n" + yaml)
	return s.start(), keys
}

// clientKey returns a private key as a JWK, and the set with its public half.
func clientKey(t *testing.T, name string) (private, set string) {
	t.Helper()
	var key any
	var err error
	alg := "ES256"
	if name == "key-rs256" {
		alg = "RS256"
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: key, KeyID: name, Algorithm: alg, Use: "sig"}
	secret, err := jwk.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	public, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	return string(secret), string(public)
}

// Acceptance 4 of the first milestone: relying parties that others have written.
func TestForeignRelyingPartiesFindNothingWrong(t *testing.T) {
	foreign.Install(t)
	dex, keys := startForeign(t)
	for _, script := range foreign.Scripts {
		for _, k := range kinds {
			t.Run(script+" as "+k.name, func(t *testing.T) {
				foreign.Party{
					Issuer: dex.URL, ClientID: k.name, Auth: k.auth, Secret: awkward, Key: keys[k.name],
					RedirectURI: callback, PostLogoutRedirectURI: byebye, Username: "ann@example.com", Password: "ann-likes-dex",
					IDTokenAlg: k.idToken, AccessTokenAudience: dex.URL, ClientCredentials: !k.public,
				}.Run(t, script)
			})
		}
	}
}

// FAPI 2.0 with message signing: requests signed and pushed, answers signed, tokens
// bound to a key.
func TestAForeignRelyingPartyOfFAPI2FindsNothingWrong(t *testing.T) {
	foreign.Install(t)
	private, set := clientKey(t, "key-es256")
	s := newSite(t)
	s.configure(fmt.Sprintf(`users:
  - {id: ann, username: ann, email: ann@example.com, email_verified: true, name: Ann Example, groups: [staff], password: ann-likes-dex}
clients:
  - {id: fapi, name: FAPI, profile: fapi2, jwks: %s, redirect_uris: [%q], post_logout_redirect_uris: [%q], dpop_bound_tokens: true,
     require_signed_request: true, response_alg: ES256, id_token_alg: ES256}
`, set, callback, byebye))
	party := foreign.Party{
		Issuer: s.start().URL, ClientID: "fapi", Auth: "private_key_jwt", Key: private, RedirectURI: callback, PostLogoutRedirectURI: byebye,
		Username: "ann@example.com", Password: "ann-likes-dex", IDTokenAlg: "ES256",
	}
	for _, script := range foreign.FAPI2 {
		t.Run(script, func(t *testing.T) { party.Run(t, script) })
	}
}

// The same from Go, with golang.org/x/oauth2 and coreos/go-oidc.
func TestGoRelyingPartiesFindNothingWrong(t *testing.T) {
	dex, _ := startForeign(t)
	for _, k := range kinds {
		if k.auth == "private_key_jwt" {
			continue // which golang.org/x/oauth2 does not speak
		}
		t.Run(k.name, func(t *testing.T) {
			alg := k.idToken
			if alg == "" {
				alg = "RS256"
			}
			p := newParty(t, dex.URL, k.name, alg)
			p.oauth.ClientSecret = awkward
			switch k.auth {
			case "none":
				p.oauth.ClientSecret = ""
				p.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams
			case "client_secret_post":
				p.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams
			}
			v := newVisitor(t)
			first := p.login(v, func(page *page) *page {
				if page.has("password") {
					page = v.signIn(page, "ann", "ann-likes-dex")
				}
				return v.press(page, "allow")
			})
			info, err := p.userinfo(first.AccessToken)
			if err != nil || info.Subject != first.id.Subject || info.Email != "ann@example.com" {
				t.Errorf("userinfo says %+v (%v)", info, err)
			}
			next, err := p.refresh(first.RefreshToken)
			if err != nil || next.RefreshToken == first.RefreshToken || next.id.Subject != first.id.Subject {
				t.Fatalf("the refresh led to %+v (%v)", next, err)
			}
			again := p.login(v, func(page *page) *page { return page }, oauth2.SetAuthURLParam("prompt", "none"), oauth2.SetAuthURLParam("id_token_hint", next.raw))
			if again.id.Subject != first.id.Subject {
				t.Errorf("without a page she is %q", again.id.Subject)
			}
			if k.auth == "client_secret_basic" {
				if !p.active(next.AccessToken) || !p.active(next.RefreshToken) {
					t.Error("introspection does not know the tokens")
				}
				if status, _ := p.send("revocation_endpoint", url.Values{"token": {next.RefreshToken}}); status != 200 {
					t.Errorf("revocation answers %d", status)
				}
				if _, err := p.refresh(next.RefreshToken); !refused(err, "invalid_grant") {
					t.Errorf("a revoked token led to %v", err)
				}
				if p.active(next.AccessToken) {
					t.Error("what came of it is still active")
				}
			}
			v.stop = byebye
			if end := v.open(p.logout(again.raw)); end.leadsOut == nil || end.leadsOut.Query().Get("state") != "parting" {
				t.Errorf("the logout ends at %s", end.url)
			}
		})
	}
}
