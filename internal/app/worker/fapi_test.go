package worker_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
)

// financial are a client of each of the FAPI profiles that asks for answers, and one of
// FAPI 2.0 Message Signing. Their key is that of the client "jwt".
const financial = `
- {id: fapi, profile: fapi2, trusted: true, ` + pushingKey + `, dpop_bound_tokens: true, redirect_uris: ["https://fapi.example.com/cb"], id_token_alg: ES256}
- {id: signs, profile: fapi2, trusted: true, ` + pushingKey + `, dpop_bound_tokens: true, require_signed_request: true, response_alg: ES256, redirect_uris: ["https://signs.example.com/cb"], id_token_alg: ES256}
`

// proves is a client of a FAPI profile, with a key for DPoP.
func proves(t *testing.T, s *workertest.Server, id string) *workertest.Client {
	c := s.Client(t, id)
	c.Secret = ""
	c.Signs = true
	c.Key, _ = workertest.NewKey(t)
	return c
}

// Mirrors fapi2-security-profile-final-happy-flow with private_key_jwt and dpop, and the
// modules that send the authorization request in another way.
func TestAClientOfFAPI2(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: financial})
	c := proves(t, s, "fapi")
	b := s.Browser(t)
	s.Client(t, "app").Code(b)
	code := func(pairs ...string) string {
		t.Helper()
		a := b.Get(c.AuthorizePushed(c.Push(pairs...)))
		if a.Param("code") == "" || a.Param("iss") != s.URL {
			t.Fatalf("%d %s", a.Status, a.Header.Get("Location"))
		}
		return a.Param("code")
	}
	t.Run("fapi2-security-profile-final-happy-flow", func(t *testing.T) {
		tokens := c.Redeem(code("scope", "openid offline_access"))
		if tokens.Status != http.StatusOK || tokens.TokenType != "DPoP" {
			t.Fatalf("%d %s", tokens.Status, tokens.Description)
		}
		if a := c.Userinfo(tokens.AccessToken); a.Status != http.StatusOK {
			t.Errorf("userinfo: %d %s", a.Status, a.Body)
		}
		first := c.Refresh(tokens.RefreshToken)
		s.Clock.Advance(30 * time.Second)
		if again := c.Refresh(tokens.RefreshToken); first.Status != http.StatusOK || again.Status != http.StatusOK {
			t.Errorf("5.3.2.1-9: a refresh token that was used is good for a while: %d, %d %s", first.Status, again.Status, again.Description)
		}
	})
	t.Run("fapi2-security-profile-final-ensure-authorization-request-without-state-success", func(t *testing.T) { code("state", "") })
	t.Run("fapi2-security-profile-final-ensure-authorization-request-without-nonce-success", func(t *testing.T) { code("nonce", "") })
	t.Run("fapi2-security-profile-final-ensure-authorization-request-with-long-state", func(t *testing.T) { code("state", strings.Repeat("s", 1000)) })
	t.Run("fapi2-security-profile-final-ensure-authorization-request-with-long-nonce", func(t *testing.T) { code("nonce", strings.Repeat("n", 384)) })
	t.Run("fapi2-security-profile-final-user-rejects-authentication", func(t *testing.T) {
		fresh := s.Browser(t)
		page := fresh.Follow(fresh.Get(c.AuthorizePushed(c.Push())))
		a := fresh.Follow(fresh.Submit(page.Form(t, "cancel"), "cancel", "1"))
		isTold(t, s, a, c.RedirectURI+"?", "access_denied", "the person goes away")
		if a.Param("state") != "state-of-fapi" {
			t.Errorf("the state is %q", a.Param("state"))
		}
	})
	t.Run("fapi2-security-profile-final-ensure-request-without-par-fails", func(t *testing.T) {
		isTold(t, s, b.Get(c.Authorize()), c.RedirectURI+"?", "invalid_request", "plain parameters")
	})
	t.Run("fapi2-security-profile-final-ensure-authorization-code-expires", func(t *testing.T) {
		old := code()
		s.Clock.Advance(62 * time.Second)
		if got := c.Redeem(old); got.Error != "invalid_grant" {
			t.Errorf("%d %s", got.Status, got.Error)
		}
	})
	for name, test := range map[string]struct {
		pairs []string
		error string
	}{
		"fapi2-security-profile-final-ensure-unsigned-response-type-code-idtoken-fails": {[]string{"response_type", "code id_token"}, "unauthorized_client"},
		"fapi2-security-profile-final-par-plain-pkce":                                   {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"fapi2-security-profile-final-par-without-pkce":                                 {[]string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		"fapi2-security-profile-final-par-without-scope":                                {[]string{"scope", ""}, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			if a, answer := c.Pushed(c.AuthorizeParams(test.pairs...)); a.Status != http.StatusBadRequest || answer.Error != test.error {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
}

// Mirrors fapi2-message-signing-final-happy-flow with signed requests and JARM.
func TestAClientOfFAPI2ThatSignsItsMessages(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: financial})
	c := proves(t, s, "signs")
	b := s.Browser(t)
	s.Client(t, "app").Code(b)
	push := func(instead map[string]any) (*workertest.Answer, workertest.PushAnswer) {
		return c.Pushed(url.Values{"request": {c.Object(instead)}})
	}
	a, answer := push(map[string]any{"response_mode": "jwt"})
	if a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	back := b.Get(c.AuthorizePushed(answer.RequestURI))
	response := workertest.Claims(t, back.Param("response"))
	if response["iss"] != s.URL || response["aud"] != "signs" || back.Param("iss") != "" {
		t.Errorf("%v beside %s", response, back.Header.Get("Location"))
	}
	if tokens := c.Redeem(response["code"].(string)); tokens.Status != http.StatusOK || tokens.TokenType != "DPoP" {
		t.Errorf("%d %s", tokens.Status, tokens.Description)
	}
	if a, answer := c.Pushed(c.AuthorizeParams()); answer.Error != "invalid_request_object" {
		t.Errorf("fapi2-message-signing-final-ensure-unsigned-request-fails: %d %s", a.Status, a.Body)
	}
	now := s.Clock.Now()
	for name, instead := range map[string]map[string]any{
		"without exp":      {"exp": nil},
		"without nbf":      {"nbf": nil},
		"expired":          {"exp": now.Add(-5 * time.Minute).Unix()},
		"for too long":     {"exp": now.Add(70 * time.Minute).Unix()},
		"too old":          {"nbf": now.Add(-70 * time.Minute).Unix()},
		"for another":      {"aud": "https://else.example"},
		"with a reference": {"request_uri": "https://signs.example.com/object"},
	} {
		if a, answer := push(instead); a.Status != http.StatusBadRequest || answer.Error != "invalid_request_object" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if a, answer := push(map[string]any{"code_challenge": nil, "code_challenge_method": nil}); answer.Error != "invalid_request" {
		t.Errorf("without a challenge: %d %s", a.Status, a.Body)
	}
}
