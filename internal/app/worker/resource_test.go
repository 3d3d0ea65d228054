package worker_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"dex/internal/app/workertest"
)

const reaching = `
- {id: reaches, secret: reaches-secret, trusted: true, redirect_uris: ["https://reaches.example.com/cb"], grant_types: [authorization_code, refresh_token, client_credentials], scopes: [openid, offline_access, api], resources: ["https://api.example.com/v1", "https://files.example.com"]}
`

// audienceOf is whom an access token says that it is for.
func audienceOf(t *testing.T, tokens workertest.Tokens) string {
	t.Helper()
	if tokens.Status != http.StatusOK {
		t.Fatalf("no token: %d %s %s", tokens.Status, tokens.Error, tokens.Description)
	}
	return fmt.Sprint(workertest.Claims(t, tokens.AccessToken)["aud"])
}

func TestAnAccessTokenIsForTheResourcesThatItsClientNames(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: reaching})
	c := s.Client(t, "reaches")
	b := s.Browser(t)
	const api, files = "https://api.example.com/v1", "https://files.example.com"
	both := c.AuthorizeParams("scope", "openid offline_access")
	both["resource"] = []string{api, files}
	login := func() string {
		t.Helper()
		a := b.Follow(b.Get("/authorize?" + both.Encode()))
		if a.Has("password") {
			a = b.SignIn(a, "ann", workertest.Password)
		}
		return a.Param("code")
	}
	t.Run("RFC 8707 2.1, 2.2", func(t *testing.T) {
		tokens := c.Redeem(login(), "resource", api)
		if aud := audienceOf(t, tokens); aud != api {
			t.Errorf("the audience is %s", aud)
		}
		if a := c.Userinfo(tokens.AccessToken); a.Status != http.StatusUnauthorized {
			t.Errorf("a token for somebody else opens userinfo: %d", a.Status)
		}
		if !c.Active(tokens.AccessToken) {
			t.Error("the client cannot ask about it")
		}
		if aud := audienceOf(t, c.Refresh(tokens.RefreshToken)); aud != fmt.Sprint([]string{api, files}) {
			t.Errorf("refreshed without a resource, the audience is %s", aud)
		}
		again := c.Redeem(login())
		if aud := audienceOf(t, c.Refresh(again.RefreshToken, "resource", files)); aud != files {
			t.Errorf("refreshed for one, the audience is %s", aud)
		}
		if revoked := c.Revoke(again.AccessToken); revoked.Status != http.StatusOK || c.Active(again.AccessToken) {
			t.Errorf("it cannot be revoked: %d", revoked.Status)
		}
	})
	t.Run("pushed, and by a client for itself", func(t *testing.T) {
		code := b.Get(c.AuthorizePushed(c.Push("resource", files))).Param("code")
		if aud := audienceOf(t, c.Redeem(code)); aud != files {
			t.Errorf("the audience is %s", aud)
		}
		own := c.Token("grant_type", "client_credentials", "scope", "api", "resource", api)
		if aud := audienceOf(t, own); aud != api || !c.Active(own.AccessToken) {
			t.Errorf("the audience is %s", aud)
		}
	})
	t.Run("without any it is for us", func(t *testing.T) {
		tokens := c.Obtain("scope", "openid")
		if aud := audienceOf(t, tokens); aud != s.URL || c.Userinfo(tokens.AccessToken).Status != http.StatusOK {
			t.Errorf("the audience is %s", aud)
		}
		if aud := audienceOf(t, c.Redeem(b.Get(c.Authorize("resource", s.URL)).Param("code"))); aud != s.URL {
			t.Errorf("asked for by name, the audience is %s", aud)
		}
	})
	t.Run("RFC 8707 2 what the client may not have", func(t *testing.T) {
		for _, wrong := range []string{"https://api.example.com", "https://api.example.com/v1/", "https://evil.example", "api", api + "#x"} {
			isTold(t, s, b.Get(c.Authorize("resource", wrong)), c.RedirectURI+"?", "invalid_target", wrong)
			if _, answer := c.Pushed(c.AuthorizeParams("resource", wrong)); answer.Error != "invalid_target" {
				t.Errorf("%s, pushed: %s", wrong, answer.Error)
			}
			code := b.Get(c.Authorize()).Param("code")
			if got := c.Redeem(code, "resource", wrong); got.Error != "invalid_target" {
				t.Errorf("%s, redeemed: %d %s", wrong, got.Status, got.Error)
			}
			if got := c.Redeem(code); got.Status != http.StatusOK {
				t.Errorf("%s has burned the code: %s", wrong, got.Description)
			}
			if got := c.Token("grant_type", "client_credentials", "resource", wrong); got.Error != "invalid_target" {
				t.Errorf("%s, for itself: %s", wrong, got.Error)
			}
		}
		isTold(t, s, b.Get(s.Client(t, "app").Authorize("resource", api)), "https://app.example.com/cb?", "invalid_target", "another client")
		narrow := b.Get(c.Authorize("resource", api)).Param("code")
		if got := c.Redeem(narrow, "resource", files); got.Error != "invalid_target" {
			t.Errorf("more than was granted: %d %s", got.Status, got.Error)
		}
	})
}

// RFC 8707 section 3: whoever is asked hears where the tokens would be of use.
func TestThePersonIsToldWhichResourcesTheClientMeans(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: strings.Replace(reaching, "trusted: true, ", "", 1)})
	c := s.Client(t, "reaches")
	for resource, told := range map[string]bool{"https://api.example.com/v1": true, "": false} {
		b := s.Browser(t)
		page := b.SignIn(b.Get(c.Authorize("scope", "openid", "resource", resource)), "ann", workertest.Password)
		if !page.Has("allow") || page.Has("resources") != told || strings.Contains(page.Body, "<bdi>https://api.example.com/v1</bdi>") != told {
			t.Errorf("the resource %q: %d %s", resource, page.Status, page.Body)
		}
	}
}
