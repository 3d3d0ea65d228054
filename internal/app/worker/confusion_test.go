package worker_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"dex/internal/app/workertest"
)

// handles are one thing of each kind that we hand out, all of them ben's.
type handles struct {
	s      *workertest.Server
	client *workertest.Client
	things map[string]string
}

func benHas(t *testing.T, s *workertest.Server) handles {
	t.Helper()
	h := handles{s: s, client: s.Client(t, "app"), things: map[string]string{}}
	b := s.Browser(t)
	page := b.Get("/login/local?attempt=" + attemptIn(t, b.Get(h.client.Authorize())))
	form := page.Form(t, "password")
	h.things["an attempt"], h.things["a form's token"] = form.Values.Get("attempt"), form.Values.Get("csrf")
	h.things["an attempt's cookie"] = b.Cookies("dex_attempt_")[0].Value
	code := handedBack(t, b.Follow(b.Submit(form, "login", "ben", "password", workertest.Password)), h.client)
	tokens := h.client.Redeem(code)
	h.things["a refresh token"], h.things["an access token"], h.things["an ID token"] = tokens.RefreshToken, tokens.AccessToken, tokens.IDToken
	h.things["a session cookie"], h.things["a device cookie"] = b.Cookies("dex_session")[0].Value, b.Cookies("dex_device")[0].Value
	h.things["a code"] = h.client.Code(b)
	spent := h.client.Code(b)
	h.client.Redeem(spent)
	h.things["a spent code"] = spent
	claims := workertest.Claims(t, tokens.AccessToken)
	h.things["a token's id"], _ = claims["jti"].(string)
	h.things["a grant"], _ = claims["gid"].(string)
	h.things["a session"], _ = workertest.Claims(t, tokens.IDToken)["sid"].(string)
	h.things["a person"] = "usr_ben"
	h.things["a client secret"] = h.client.Secret
	h.things["a verifier"] = h.client.Verifier
	away := s.Browser(t)
	h.things["an upstream state"] = away.Follow(away.Get(h.client.Authorize("connector_id", "elsewhere"))).Param("state")
	posted := away.CrossPost("/callback/elsewhere", url.Values{"state": {"x"}})
	h.things["a kept answer"] = posted.Param("posted")
	h.things["a kept answer's cookie"] = away.Cookies("dex_posted_")[0].Value
	_, support, _ := strings.Cut(b.Get(h.client.Authorize("connector_id", "local", "prompt", "login", "redirect_uri", "x")).Body, `id="support-code">`)
	h.things["a support code"], _, _ = strings.Cut(support, "<")
	h.things["an assertion"] = s.Client(t, "jwt").Assertion(nil)
	for what, thing := range h.things {
		if len(thing) < 7 {
			t.Fatalf("%s is %q", what, thing)
		}
	}
	return h
}

// A use is something that can be done with a handle of some kinds. It reports
// whether that was done with the one it is given.
type use struct {
	name  string
	kinds []string
	try   func(t *testing.T, h handles, thing string) bool
}

// planted returns a fresh browser whose cookie of the name has another value.
func planted(t *testing.T, s *workertest.Server, from *workertest.Browser, name, value string) *workertest.Browser {
	t.Helper()
	cookie := *from.Cookies(name)[0]
	cookie.Value = value
	b := s.Browser(t)
	b.SetCookie(&cookie)
	return b
}

var uses = []use{
	{"redeemed", []string{"a code"}, func(_ *testing.T, h handles, thing string) bool {
		return h.client.Redeem(thing).Status == http.StatusOK
	}},
	{"presented as userinfo's token", []string{"an access token"}, func(_ *testing.T, h handles, thing string) bool {
		return h.client.Userinfo(thing).Status == http.StatusOK
	}},
	{"introspected", []string{"an access token", "a refresh token"}, func(_ *testing.T, h handles, thing string) bool {
		return h.client.Active(thing)
	}},
	{"a session's cookie", []string{"a session cookie"}, func(t *testing.T, h handles, thing string) bool {
		b := h.s.Browser(t)
		h.client.Code(b, "connector_id", "local")
		return planted(t, h.s, b, "dex_session", thing).Get(h.client.Authorize("prompt", "none")).Param("code") != ""
	}},
	{"an attempt's cookie", []string{"an attempt's cookie"}, func(t *testing.T, h handles, thing string) bool {
		b := h.s.Browser(t)
		id := h.things["an attempt"]
		own := attemptIn(t, b.Get(h.client.Authorize()))
		cookie := *b.Cookies("dex_attempt_")[0]
		cookie.Name, cookie.Value = strings.Replace(cookie.Name, own, id, 1), thing
		b.SetCookie(&cookie)
		return starts(h.s, b.Get("/authorize?attempt="+id))
	}},
	{"the handle of an attempt, in a browser that has none", nil, func(t *testing.T, h handles, thing string) bool {
		b := h.s.Browser(t)
		for _, address := range []string{"/authorize?attempt=", "/authorize?again=", "/login?attempt=", "/login/local?attempt=", "/consent?attempt=", "/callback/elsewhere?posted=", "/callback/elsewhere?state="} {
			if a := b.Get(address + url.QueryEscape(thing)); a.Status < 400 {
				return true
			}
		}
		return false
	}},
	{"a form's token", nil, func(t *testing.T, h handles, thing string) bool {
		b := h.s.Browser(t)
		form := b.Get("/login/local?attempt="+attemptIn(t, b.Get(h.client.Authorize()))).Form(t, "password")
		return b.Submit(form, "csrf", thing, "login", "ann", "password", workertest.Password).Status != http.StatusForbidden
	}},
	{"a client's secret", []string{"a client secret"}, func(t *testing.T, h handles, thing string) bool {
		c := h.s.Client(t, "app")
		c.Secret = thing
		return c.Token("grant_type", "client_credentials", "scope", "api").Status == http.StatusOK
	}},
	{"a client's assertion", []string{"an assertion"}, func(t *testing.T, h handles, thing string) bool {
		a := h.s.Browser(t).CrossPost("/introspect", url.Values{
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {thing}, "token": {"x"},
		})
		return a.Status == http.StatusOK
	}},
	{"an id_token_hint", []string{"an ID token"}, func(t *testing.T, h handles, thing string) bool {
		b := h.s.Browser(t)
		h.client.Code(b, "connector_id", "local") // by ann, whom a hint at ben would not mean
		return b.Get(h.client.Authorize("prompt", "none", "id_token_hint", thing)).Param("error") == "login_required"
	}},
	{"a verifier", nil, func(t *testing.T, h handles, thing string) bool {
		b := h.s.Browser(t)
		c := h.s.Client(t, "spa")
		return c.Redeem(c.Code(b, "connector_id", "local"), "code_verifier", thing).Status == http.StatusOK
	}},
	{"refreshed", []string{"a refresh token"}, func(_ *testing.T, h handles, thing string) bool {
		return h.client.Refresh(thing).Status == http.StatusOK
	}},
}

func TestNothingIsTakenForAnythingElse(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: workertest.UpstreamConfig, Kinds: (&workertest.Upstream{}).Kinds()})
	h := benHas(t, s)
	for _, u := range uses {
		t.Run("1.B 35 as "+u.name, func(t *testing.T) {
			for what, thing := range h.things {
				if !slices.Contains(u.kinds, what) && u.try(t, h, thing) {
					t.Errorf("%s is taken", what)
				}
			}
		})
	}
	t.Run("1.B 35 to be revoked", func(t *testing.T) {
		for what, thing := range h.things {
			if what != "an access token" && what != "a refresh token" {
				if a := h.client.Revoke(thing); a.Status != http.StatusOK {
					t.Errorf("%s: %d", what, a.Status)
				}
			}
		}
	})
	for _, u := range uses {
		t.Run("1.B 35 after all that its own kind as "+u.name, func(t *testing.T) {
			for _, what := range u.kinds {
				if !u.try(t, h, h.things[what]) {
					t.Errorf("%s is not taken", what)
				}
			}
		})
	}
}
