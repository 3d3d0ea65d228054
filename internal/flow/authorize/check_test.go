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
	but := func(c client.Client, change func(c *client.Client)) client.Client {
		change(&c)
		return c
	}
	hybrid := with(func(c *client.Client) {
		c.GrantTypes, c.ResponseTypes = append(c.GrantTypes, client.Implicit), oauth.ResponseTypes()
	})
	of := func(t oauth.ResponseType, changes ...func(a *oauth.Authorization)) oauth.Authorization {
		return asked(func(a *oauth.Authorization) {
			a.ResponseType, a.Nonce = t, "nonce"
			for _, change := range changes {
				change(a)
			}
		})
	}
	demands := func(classes string) func(a *oauth.Authorization) {
		return func(a *oauth.Authorization) {
			var err error
			if a.Claims, err = oauth.ParseClaims(`{"id_token":{"acr":{"essential":true,"values":[` + classes + `]}}}`); err != nil {
				t.Fatal(err)
			}
		}
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
		{name: "no response type", asked: asked(func(a *oauth.Authorization) { a.ResponseType = "" }), client: app, refused: oauth.UnauthorizedClient},
		{name: "tokens by the browser, for a client without the grant", asked: of(oauth.ResponseTypeIDToken), client: app, refused: oauth.UnauthorizedClient},
		{name: "and for one that has it, and not the response type", asked: of(oauth.ResponseTypeIDToken), client: with(func(c *client.Client) { c.GrantTypes = append(c.GrantTypes, client.Implicit) }), refused: oauth.UnauthorizedClient},
		{name: "an ID token", asked: of(oauth.ResponseTypeIDToken), client: hybrid, want: "openid email"},
		{name: "an ID token alone needs no PKCE", asked: of(oauth.ResponseTypeIDToken, func(a *oauth.Authorization) { a.Challenge = "" }), client: hybrid, want: "openid email"},
		{name: "a code beside it does", asked: of(oauth.ResponseTypeCodeIDToken, func(a *oauth.Authorization) { a.Challenge = "" }), client: hybrid, refused: oauth.InvalidRequest},
		{name: "a hybrid, by a client that has no codes", asked: of(oauth.ResponseTypeCodeIDToken), client: but(hybrid, func(c *client.Client) { c.GrantTypes = []string{client.Implicit} }), refused: oauth.UnauthorizedClient},
		{name: "a response type that the client has not registered", asked: of(oauth.ResponseTypeCodeToken), client: but(hybrid, func(c *client.Client) { c.ResponseTypes = []oauth.ResponseType{oauth.ResponseTypeCodeIDToken} }), refused: oauth.UnauthorizedClient},
		{name: "an ID token without a nonce", asked: of(oauth.ResponseTypeCodeIDToken, func(a *oauth.Authorization) { a.Nonce = "" }), client: hybrid, refused: oauth.InvalidRequest},
		{name: "a code and an access token without one", asked: of(oauth.ResponseTypeCodeToken, func(a *oauth.Authorization) { a.Nonce = "" }), client: hybrid, want: "openid email"},
		{name: "an ID token without the scope of one", asked: of(oauth.ResponseTypeIDTokenToken, func(a *oauth.Authorization) { a.Scopes = oauth.Scopes{"email"} }), client: hybrid, refused: oauth.InvalidScope},
		{name: "offline access without a code is left out", asked: of(oauth.ResponseTypeIDTokenToken, func(a *oauth.Authorization) { a.Scopes = oauth.Scopes{"openid", "offline_access"} }), client: hybrid, want: "openid"},
		{name: "offline access with a code and tokens", asked: of(oauth.ResponseTypeCodeIDTokenToken, func(a *oauth.Authorization) { a.Scopes = oauth.Scopes{"openid", "offline_access"} }), client: hybrid, want: "openid offline_access"},
		{name: "an access token by the browser, for a client whose tokens are bound by DPoP", asked: of(oauth.ResponseTypeCodeToken), client: but(hybrid, func(c *client.Client) { c.DPoPBound = true }), refused: oauth.UnauthorizedClient},
		{name: "an access token by the browser, for a client whose tokens are bound to a certificate", asked: of(oauth.ResponseTypeIDTokenToken), client: but(hybrid, func(c *client.Client) { c.CertificateBound = true }), refused: oauth.UnauthorizedClient},
		{name: "an ID token, which cannot be used to ask for anything", asked: of(oauth.ResponseTypeCodeIDToken), client: but(hybrid, func(c *client.Client) { c.CertificateBound = true }), want: "openid email"},
		{name: "a class that nobody can log in by is demanded", asked: asked(demands(`"phr","phrh"`)), client: app, refused: oauth.UnmetRequirements},
		{name: "one that nobody can and one that somebody can", asked: asked(demands(`"phr","aal2"`)), client: app, want: "openid email"},
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

func TestTheAudienceIsTheOtherClients(t *testing.T) {
	asked := oauth.Scopes{"openid", "audience:server:client_id:peer", "audience:server:client_id:app", "audience:server:client_id:"}
	if got := audience(asked, client.Client{ID: "app"}); !slices.Equal(got, []string{"peer"}) {
		t.Errorf("the audience is %q", got)
	}
}

func TestWhatAClientHasRegisteredStandsInForWhatItDoesNotAsk(t *testing.T) {
	age, other := oauth.Seconds(60), oauth.Seconds(5)
	c := client.Client{DefaultMaxAge: &age, DefaultACR: []string{"phr", "aal2"}}
	demand, err := oauth.ParseClaims(`{"id_token":{"acr":{"value":"aal1"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		asked oauth.Authorization
		age   oauth.Seconds
		acr   []string
	}{
		{"nothing is asked", oauth.Authorization{}, 60, []string{"aal2"}},
		{"another age", oauth.Authorization{MaxAge: &other}, 5, []string{"aal2"}},
		{"another class", oauth.Authorization{ACRValues: []string{"aal1", "unheard of"}}, 60, []string{"aal1"}},
		{"a class that nobody knows is a wish all the same", oauth.Authorization{ACRValues: []string{"unheard of"}}, 60, nil},
		{"a class as a claim", oauth.Authorization{Claims: demand}, 60, nil},
	} {
		got := complete(test.asked, c)
		if *got.MaxAge != test.age || !slices.Equal(got.ACRValues, test.acr) {
			t.Errorf("%s: max_age %d, acr_values %q", test.name, *got.MaxAge, got.ACRValues)
		}
	}
	if got := complete(oauth.Authorization{}, client.Client{}); got.MaxAge != nil || got.ACRValues != nil {
		t.Errorf("of a client that has registered nothing: %+v", got)
	}
}

func TestTheDearestClassesComeFirst(t *testing.T) {
	claims, err := oauth.ParseClaims(`{"id_token":{"acr":{"values":["phr","aal2"]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	asked := oauth.Authorization{Claims: claims, ACRValues: []string{"aal1"}}
	if got := wanted(asked); !slices.Equal(got, []string{"aal2", "aal1"}) || demanded(asked) != nil {
		t.Errorf("wanted are %q, demanded %q", got, demanded(asked))
	}
}
