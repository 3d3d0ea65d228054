package client

import (
	"testing"
	"time"

	"dex/internal/base/secret"
	"dex/internal/protocol/oauth"
)

var now = time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)

var here = Endpoint{
	Issuer: "https://id.example.com", Bases: []string{"https://id.example.com", "https://mtls.example.com"}, Path: "/par",
}

func hashes(secrets ...string) []secret.Hash {
	all := make([]secret.Hash, len(secrets))
	for i, s := range secrets {
		all[i] = secret.Value(s).Hash()
	}
	return all
}

func TestAClientIsWhoItCanProveToBe(t *testing.T) {
	basic := Client{ID: "app", AuthMethod: oauth.AuthSecretBasic, Secrets: hashes("old", "new")}
	post := Client{ID: "app", AuthMethod: oauth.AuthSecretPost, Secrets: hashes("old")}
	public := Client{ID: "app", AuthMethod: oauth.AuthNone, Public: true}
	disabled := basic
	disabled.Disabled = true
	bare := Client{ID: "app", AuthMethod: oauth.AuthSecretBasic}
	odd := Client{ID: "app", AuthMethod: "tls_client_auth", Secrets: hashes("old")}
	withBasic := func(id, s string) oauth.Credentials {
		return oauth.Credentials{Method: oauth.AuthSecretBasic, ClientID: id, Secret: secret.Value(s)}
	}
	withPost := func(s string) oauth.Credentials {
		return oauth.Credentials{Method: oauth.AuthSecretPost, ClientID: "app", Secret: secret.Value(s)}
	}
	nothing := oauth.Credentials{Method: oauth.AuthNone, ClientID: "app"}
	for _, tt := range []struct {
		name   string
		client Client
		cred   oauth.Credentials
		want   bool
	}{
		{"its secret", basic, withBasic("app", "old"), true},
		{"another secret of its own, while one takes over from the other", basic, withBasic("app", "new"), true},
		{"a wrong secret", basic, withBasic("app", "older"), false},
		{"the beginning of its secret", basic, withBasic("app", "ol"), false},
		{"its secret in other letters", basic, withBasic("app", "OLD"), false},
		{"an empty secret", basic, withBasic("app", ""), false},
		{"any secret, where none is registered", bare, withBasic("app", ""), false},
		{"the right secret of a client that is disabled", disabled, withBasic("app", "old"), false},
		{"the credentials of another client", basic, withBasic("other", "old"), false},
		{"an id in other letters", basic, withBasic("APP", "old"), false},
		{"its secret in the body, registered for the header", basic, withPost("old"), false},
		{"its secret in the header, registered for the body", post, withBasic("app", "old"), false},
		{"its secret in the body, registered for the body", post, withPost("old"), true},
		{"nothing, of a client that keeps no secret", public, nothing, true},
		{"nothing, of a client that has one", basic, nothing, false},
		{"a secret, of a client that keeps none", public, withBasic("app", "old"), false},
		{"an empty secret, of a client that keeps none", public, withPost(""), false},
		{"an assertion, of a client with a secret", basic, oauth.Credentials{Method: oauth.AuthPrivateKeyJWT, ClientID: "app", Assertion: "x"}, false},
		{"a method that we do not have, though it is registered", odd, oauth.Credentials{Method: "tls_client_auth", ClientID: "app", Secret: "old"}, false},
		{"no method at all", Client{ID: "app"}, oauth.Credentials{ClientID: "app"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			used, err := Authenticate(tt.client, tt.cred, here, now)
			if (err == nil) != tt.want {
				t.Errorf("accepted is %v: %v", err == nil, err)
			}
			if used != (Used{}) {
				t.Errorf("something has to be marked used: %v", used)
			}
		})
	}
}

func TestWhatAClientMay(t *testing.T) {
	c := Client{
		ID: "app", GrantTypes: []string{AuthorizationCode}, RedirectURIs: []string{"http://127.0.0.1/cb"},
		Connectors: []string{"corp"}, Groups: []string{"staff", "admins"}, TrustedPeers: []string{"friend"},
	}
	native := c
	native.Native = true
	for _, tt := range []struct {
		name      string
		got, want bool
	}{
		{"use a grant type that it has", c.May(AuthorizationCode), true},
		{"use one that it has not", c.May(RefreshToken), false},
		{"return to where it is registered", c.Returns("http://127.0.0.1/cb"), true},
		{"return to nowhere", c.Returns(""), false},
		{"return to another port", c.Returns("http://127.0.0.1:4711/cb"), false},
		{"return to another port of the device that it runs on", native.Returns("http://127.0.0.1:4711/cb"), true},
		{"send people by its connector", c.Accepts("corp"), true},
		{"send people by another", c.Accepts("local"), false},
		{"send people by any, if none is named", Client{}.Accepts("local"), true},
		{"let somebody of one of its groups in", c.Admits([]string{"guests", "admins"}), true},
		{"let somebody else in", c.Admits([]string{"guests"}), false},
		{"let somebody without groups in", c.Admits(nil), false},
		{"let anybody in, if no group is named", Client{}.Admits(nil), true},
		{"be named by its friend", c.Trusts("friend"), true},
		{"be named by itself", c.Trusts("app"), true},
		{"be named by a stranger", c.Trusts("stranger"), false},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v", tt.name, tt.got)
		}
	}
}
