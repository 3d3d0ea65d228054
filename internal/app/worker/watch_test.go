package worker_test

import (
	"net/http"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/route"
	"dex/internal/domain/session"
)

// oidcc-session-management-rp-initiated-logout, but for what the script in the frame
// does: see TestAFrameTellsApplicationsWhetherTheSameBrowserStateIsThere.
func TestApplicationsMayWatchWhetherSomebodyIsSignedInStill(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Issuer: "https://example.com", Config: "session_management: true\n", Clients: `
- {id: strange, name: Strange, secret: strange-secret, redirect_uris: ["https://Strange.Example.com:443/cb"], trusted: true}
`})
	app, b := s.Client(t, "app"), s.Browser(t)
	state := func() string {
		kept := b.Cookies(session.StateCookie)
		if len(kept) == 0 {
			return ""
		}
		c := kept[0]
		if c.HttpOnly || c.SameSite != http.SameSiteNoneMode || !c.Secure || c.MaxAge != 0 || !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("the cookie is %v", c)
		}
		return c.Value
	}
	// matches reports whether what an application got is what its frame finds.
	matches := func(client, origin, got string) bool {
		_, salt, ok := strings.Cut(got, ".")
		return ok && len(salt) == 16 && got == session.State(client, origin, state(), salt)
	}
	a := app.Login(b)
	first := a.Param("session_state")
	if !matches("app", "https://app.example.com", first) {
		t.Fatalf("session_state is %q", first)
	}
	hint := app.Redeem(a.Param("code")).IDToken
	again := b.Get(app.Authorize("prompt", "none")).Param("session_state")
	if again == first || !matches("app", "https://app.example.com", again) || !matches("app", "https://app.example.com", first) {
		t.Errorf("the same session is %q, then %q", first, again)
	}
	if a := b.Get(s.Client(t, "strange").Authorize("prompt", "none", "redirect_uri", "https://Strange.Example.com:443/cb")); !matches("strange", "https://strange.example.com", a.Param("session_state")) {
		t.Errorf("an origin is written as browsers do not: %s", a.Header.Get("Location"))
	}
	if got := b.Get(app.Authorize("prompt", "none", "scope", "profile")).Param("session_state"); got != "" {
		t.Errorf("who does not speak OpenID hears %q", got)
	}
	frame := b.Get(route.CheckSession)
	if frame.Status != http.StatusOK || !strings.Contains(frame.Body, `data-cookie="__Host-`+session.StateCookie+`"`) || frame.Header.Get("X-Frame-Options") != "" {
		t.Errorf("the frame: %d %v", frame.Status, frame.Header)
	}
	if doc := b.Get(route.Discovery); !strings.Contains(doc.Body, `"check_session_iframe":"https://example.com`+route.CheckSession+`"`) {
		t.Error("the frame is not announced")
	}
	leave(b, "id_token_hint", hint)
	if state() != "" || matches("app", "https://app.example.com", first) {
		t.Error("after the logout nothing has changed")
	}
	b.SignIn(b.Get(app.Authorize()), "ben", workertest.Password)
	if state() == "" || matches("app", "https://app.example.com", first) {
		t.Error("with somebody else nothing has changed")
	}
}

func TestWithoutTheSettingNobodyWatches(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	b := s.Browser(t)
	a := s.Client(t, "app").Login(b)
	if a.Param("session_state") != "" || b.Get(route.CheckSession).Status != http.StatusNotFound {
		t.Errorf("1.M 161: it is there, and %q", a.Param("session_state"))
	}
	for _, c := range a.Header.Values("Set-Cookie") {
		if strings.Contains(c, session.StateCookie) || strings.Contains(c, "SameSite=None") {
			t.Errorf("1.M 161: a cookie for every site: %s", c)
		}
	}
}
