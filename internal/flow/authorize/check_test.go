package authorize

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/role"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

func TestCheck(t *testing.T) {
	const challenge = oauth.Challenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
	app := client.Client{
		ID: "app", Profile: client.Standard, RequirePKCE: true,
		GrantTypes: []string{client.AuthorizationCode, client.RefreshToken},
		Scopes:     oauth.Scopes{"openid", "email", "offline_access"},
	}
	with := func(change func(c *client.Client)) client.Client {
		c := app
		change(&c)
		return c
	}
	asked := func(change func(a *oauth.Authorization)) oauth.Authorization {
		a := oauth.Authorization{
			ClientID: "app", ResponseType: oauth.ResponseTypeCode, Challenge: challenge,
			Scopes: oauth.Scopes{"openid", "email"},
		}
		if change != nil {
			change(&a)
		}
		return a
	}
	scopes := func(scopes ...string) oauth.Authorization {
		return asked(func(a *oauth.Authorization) { a.Scopes = scopes })
	}
	for _, test := range []struct {
		name    string
		asked   oauth.Authorization
		client  client.Client
		want    string
		refused oauth.Code
	}{
		{name: "a plain request", asked: asked(nil), client: app, want: "openid email"},
		{name: "a client without the flow", asked: asked(nil), client: with(func(c *client.Client) { c.GrantTypes = []string{client.ClientCredentials} }), refused: oauth.UnauthorizedClient},
		{name: "a client without any flow", asked: asked(nil), client: with(func(c *client.Client) { c.GrantTypes = nil }), refused: oauth.UnauthorizedClient},
		{name: "another response type", asked: asked(func(a *oauth.Authorization) { a.ResponseType = "token" }), client: app, refused: oauth.UnsupportedResponseType},
		{name: "no response type", asked: asked(func(a *oauth.Authorization) { a.ResponseType = "" }), client: app, refused: oauth.UnsupportedResponseType},
		{name: "no challenge", asked: asked(func(a *oauth.Authorization) { a.Challenge = "" }), client: app, refused: oauth.InvalidRequest},
		{name: "no challenge, from a client that need not use PKCE", asked: asked(func(a *oauth.Authorization) { a.Challenge = "" }), client: with(func(c *client.Client) { c.RequirePKCE = false }), want: "openid email"},
		{name: "a connector that the client accepts", asked: asked(func(a *oauth.Authorization) { a.ConnectorID = "local" }), client: with(func(c *client.Client) { c.Connectors = []string{"local"} }), want: "openid email"},
		{name: "a connector that the client does not accept", asked: asked(func(a *oauth.Authorization) { a.ConnectorID = "upstream" }), client: with(func(c *client.Client) { c.Connectors = []string{"local"} }), refused: oauth.InvalidRequest},
		{name: "any connector, where the client does not mind", asked: asked(func(a *oauth.Authorization) { a.ConnectorID = "upstream" }), client: app, want: "openid email"},
		{name: "scopes that nobody knows are left out", asked: scopes("openid", "unicorns"), client: app, want: "openid"},
		{name: "scopes that the client may not have are left out", asked: scopes("openid", "groups"), client: app, want: "openid"},
		{name: "a client that may have none of them", asked: scopes("groups", "unicorns"), client: app, refused: oauth.InvalidScope},
		{name: "administrative scopes are for trusted clients", asked: scopes("openid", "dex:users:read"), client: with(func(c *client.Client) { c.Scopes, c.Trusted = append(c.Scopes, "dex:users:read"), true }), want: "openid dex:users:read"},
		{name: "and left out for others", asked: scopes("openid", "dex:users:read"), client: with(func(c *client.Client) { c.Scopes = append(c.Scopes, "dex:users:read") }), want: "openid"},
		{name: "no scopes at all", asked: scopes(), client: app, refused: oauth.InvalidScope},
		{name: "offline access", asked: scopes("openid", "offline_access"), client: app, want: "openid offline_access"},
		{name: "offline access of a client that has no refresh tokens", asked: scopes("openid", "offline_access"), client: with(func(c *client.Client) { c.GrantTypes = []string{client.AuthorizationCode} }), want: "openid"},
		{name: "a token for another client, which is asked later", asked: scopes("openid", "audience:server:client_id:peer"), client: app, want: "openid audience:server:client_id:peer"},
		{name: "a token for nobody in particular", asked: scopes("audience:server:client_id:"), client: app, refused: oauth.InvalidScope},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := check(test.asked, test.client)
			if test.refused == "" {
				if err != nil || got.String() != test.want {
					t.Errorf("got %q, %v; want %q", got, err, test.want)
				}
				return
			}
			told, ok := errors.AsType[*oauth.Error](err)
			if !ok || told.Code != test.refused || got != nil {
				t.Errorf("got %q, %v; want %s", got, err, test.refused)
			}
		})
	}
}

func TestAPersonIsGrantedWhatTheirRoleHas(t *testing.T) {
	for _, test := range []struct {
		name, asked string
		role        role.Role
		want        string // nothing: refused
	}{
		{"who has no role", "openid dex:users:read", "", "openid"},
		{"who may read", "openid dex:users:read dex:users:write", role.Auditor, "openid dex:users:read"},
		{"who may everything", "openid dex:users:read dex:users:write", role.Owner, "openid dex:users:read dex:users:write"},
		{"who has no role, and nothing else is asked", "dex:users:read", "", ""},
		{"a role is nothing to other scopes", "openid email", "", "openid email"},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := strings.Fields(test.asked)
			req := grant.Request{Asked: oauth.Authorization{Scopes: asked}}
			got, told := within(req, &session.Known{User: user.User{Role: string(test.role)}})
			switch {
			case test.want == "" && (told == nil || told.Code != oauth.InvalidScope):
				t.Errorf("it is not refused: %v", told)
			case test.want != "" && (told != nil || got.Asked.Scopes.String() != test.want):
				t.Errorf("got %q, %v; want %q", got.Asked.Scopes, told, test.want)
			case req.Asked.Scopes.String() != test.asked:
				t.Errorf("what was asked has become %q", req.Asked.Scopes)
			}
		})
	}
	if got, told := within(grant.Request{Asked: oauth.Authorization{Scopes: oauth.Scopes{"dex:users:read"}}}, nil); told != nil || len(got.Asked.Scopes) != 1 {
		t.Error("something is taken away before anybody is known")
	}
}

func TestAFragmentIsForClientsOfTheOpenIDProfile(t *testing.T) {
	for _, mode := range []oauth.ResponseMode{oauth.ModeQuery, oauth.ModeFormPost, oauth.ModeFragment} {
		for _, profile := range []client.Profile{client.Standard, client.OpenID} {
			want := mode != oauth.ModeFragment || profile == client.OpenID
			if got := mayAnswer(mode, client.Client{Profile: profile}); got != want {
				t.Errorf("%s for %s: %v", mode, profile, got)
			}
		}
	}
}

func TestTheAudienceIsTheOtherClients(t *testing.T) {
	asked := oauth.Scopes{"openid", "audience:server:client_id:peer", "audience:server:client_id:app", "audience:server:client_id:"}
	if got := audience(asked, client.Client{ID: "app"}); !slices.Equal(got, []string{"peer"}) {
		t.Errorf("the audience is %q", got)
	}
}
