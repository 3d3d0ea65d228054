package worker_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/base/route"
	"dex/internal/connector/connectortest"
	"dex/internal/domain/audit"
)

const bye = "https://app.example.com/bye"

// leave asks for a logout.
func leave(b *workertest.Browser, pairs ...string) *workertest.Answer {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return b.Get("/logout?" + v.Encode())
}

// signedIn reports whether the browser has a session.
func signedIn(t *testing.T, s *workertest.Server, b *workertest.Browser) bool {
	t.Helper()
	a := b.Get(s.Client(t, "app").Authorize("prompt", "none"))
	switch {
	case a.Param("code") != "":
		return true
	case a.Param("error") == "login_required":
		return false
	}
	t.Fatalf("%d, to %s", a.Status, a.Header.Get("Location"))
	return false
}

func TestAnApplicationSendsSomebodyToLogOut(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	for _, test := range []struct {
		name string
		// hint makes the ID token that goes along; nil is none
		hint  func(t *testing.T, b *workertest.Browser, own workertest.Tokens) string
		pairs []string
		asked bool   // the person is, before anything happens
		to    string // where they end; empty is a page of ours
	}{
		{name: "the application shows that this session is meant", hint: ownHint, pairs: []string{"post_logout_redirect_uri", bye, "state", "a b&c"}, to: bye + "?state=a+b%26c"},
		{name: "… and says once more who it is", hint: ownHint, pairs: []string{"client_id", "app", "post_logout_redirect_uri", bye}, to: bye},
		{name: "… and does not say where to go", hint: ownHint, pairs: []string{"state", "x"}},
		{name: "nobody says who asks", pairs: []string{"post_logout_redirect_uri", bye, "state", "x"}, asked: true},
		{name: "anybody says that they are the application", pairs: []string{"client_id", "app", "post_logout_redirect_uri", bye}, asked: true},
		{name: "the application contradicts itself", hint: ownHint, pairs: []string{"client_id", "other", "post_logout_redirect_uri", bye}, asked: true},
		{name: "a hint of the person's other browser", hint: func(t *testing.T, _ *workertest.Browser, _ workertest.Tokens) string {
			return s.Client(t, "app").Obtain().IDToken
		}, pairs: []string{"post_logout_redirect_uri", bye, "state", "x"}, asked: true, to: bye + "?state=x"},
		{name: "a hint of somebody else", hint: func(t *testing.T, _ *workertest.Browser, _ workertest.Tokens) string {
			c, b := s.Client(t, "app"), s.Browser(t)
			return c.Redeem(b.SignIn(b.Get(c.Authorize()), "ben", workertest.Password).Param("code")).IDToken
		}, pairs: []string{"post_logout_redirect_uri", bye}, asked: true, to: bye},
		{name: "a hint for another application", hint: func(t *testing.T, b *workertest.Browser, _ workertest.Tokens) string {
			c := s.Client(t, "es256")
			return c.Redeem(c.Code(b)).IDToken
		}},
		{name: "an access token is no hint", hint: func(_ *testing.T, _ *workertest.Browser, own workertest.Tokens) string { return own.AccessToken }, pairs: []string{"post_logout_redirect_uri", bye}, asked: true},
		{name: "a hint that somebody has changed", hint: func(_ *testing.T, _ *workertest.Browser, own workertest.Tokens) string {
			return own.IDToken[:len(own.IDToken)-2] + "AA"
		}, pairs: []string{"post_logout_redirect_uri", bye}, asked: true},
		{name: "a hint that nobody has signed", hint: func(_ *testing.T, _ *workertest.Browser, own workertest.Tokens) string {
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(own.IDToken, ".")[1] + "."
		}, pairs: []string{"post_logout_redirect_uri", bye}, asked: true},
		{name: "a hint that is no token", hint: func(*testing.T, *workertest.Browser, workertest.Tokens) string { return strings.Repeat("x.", 500) }, pairs: []string{"post_logout_redirect_uri", bye}, asked: true},
	} {
		t.Run("1.M 158 "+test.name, func(t *testing.T) {
			b, app := s.Browser(t), s.Client(t, "app")
			own := app.Redeem(app.Code(b, "scope", "openid"))
			pairs := test.pairs
			if test.hint != nil {
				pairs = append([]string{"id_token_hint", test.hint(t, b, own)}, pairs...)
			}
			a := leave(b, pairs...)
			if test.asked {
				if !a.Has("confirm-logout") || !signedIn(t, s, b) {
					t.Fatalf("the person is not asked first: %d, to %q", a.Status, a.Header.Get("Location"))
				}
				a = b.Submit(a.Form(t, "confirm-logout"))
			}
			if got := a.Header.Get("Location"); got != test.to || a.Status >= 400 {
				t.Errorf("%d, to %q, want %q", a.Status, got, test.to)
			}
			if signedIn(t, s, b) || app.Active(own.AccessToken) {
				t.Errorf("still signed in: %v; the access token counts: %v", signedIn(t, s, b), app.Active(own.AccessToken))
			}
		})
	}
}

// A token that no browser took part in names no session: whose it is counts, by whatever
// name the client knows them.
func TestAHintWithoutASessionMeansThePersonByWhateverName(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: "password_grant: true\n", Clients: `
- {id: old, profile: openid, secret: old-secret, grant_types: [authorization_code, password], redirect_uris: ["https://old.example.com/cb"], trusted: true, subject_type: pairwise}
`})
	c := s.Client(t, "old")
	for login, ends := range map[string]bool{"ann": true, "ben": false} {
		hint := byPassword(t, s, "old", login, workertest.Password, "scope", "openid").IDToken
		claims := workertest.Claims(t, hint)
		if sub, _ := claims["sub"].(string); claims["sid"] != nil || !strings.HasPrefix(sub, "pws_") {
			t.Fatalf("the hint is %v", claims)
		}
		b := s.Browser(t)
		c.Code(b)
		if leave(b, "id_token_hint", hint); signedIn(t, s, b) == ends {
			t.Errorf("%s's token ends ann's session: %v", login, !ends)
		}
	}
}

func ownHint(_ *testing.T, _ *workertest.Browser, own workertest.Tokens) string { return own.IDToken }

func TestAfterLoggingOutTheWayLeadsToARegisteredAddressOnly(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	app := s.Client(t, "app")
	hint := app.Obtain().IDToken
	for _, to := range []string{
		"", "https://app.example.com/bye/", "https://app.example.com/bye?x=1", "https://app.example.com/bye#x", "https://app.example.com/BYE", "https://APP.example.com/bye",
		"https://app.example.com:443/bye", "https://app.example.com//bye", "https://app.example.com/./bye", "https://app.example.com/%62ye", "https://app.example.com/bye%20",
		"https://app.example.com/bye\r\nX: y", "https://app.example.com/bye\x00", " https://app.example.com/bye", "http://app.example.com/bye", "//app.example.com/bye", "/bye", "bye",
		"https://app.example.com@evil.example.com/bye", "https://evil.example.com/?https://app.example.com/bye", "https://app.example.com.evil.example.com/bye", `https:\\app.example.com\bye`,
		"javascript:alert(1)", "data:text/html,x", "https://app.example.com/cb", "https://asks.example.com/cb", "https://app.example.com/by", "https://app.example.com",
	} {
		t.Run("1.M 158 "+to, func(t *testing.T) {
			a := leave(s.Browser(t), "id_token_hint", hint, "post_logout_redirect_uri", to, "state", "x")
			want := http.StatusBadRequest // oidcc-rp-initiated-logout-bad-post-logout-redirect-uri, …-query-added-to-post-logout-redirect-uri
			if to == "" {
				want = http.StatusOK // oidcc-rp-initiated-logout-no-post-logout-redirect-uri
			}
			if a.Location() != nil || a.Status != want || strings.Contains(a.Body, "post_logout_redirect_uri is not registered") != (to != "" && !strings.Contains(to, "\x00")) {
				t.Errorf("%d, to %q", a.Status, a.Header.Get("Location"))
			}
		})
	}
	if a := leave(s.Browser(t), "id_token_hint", hint, "post_logout_redirect_uri", bye); a.Header.Get("Location") != bye {
		t.Errorf("and the registered one: %d, to %q", a.Status, a.Header.Get("Location"))
	}
	if err := s.Tenant.DisableClient(t.Context(), "app", audit.By{At: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	if a := leave(s.Browser(t), "id_token_hint", hint, "post_logout_redirect_uri", bye); a.Location() != nil {
		t.Errorf("an application that is disabled still gets people: %q", a.Header.Get("Location"))
	}
}

func TestLoggingOutInUnusualWays(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	app := s.Client(t, "app")
	t.Run("1.M 158 a parameter twice", func(t *testing.T) {
		b := s.Browser(t)
		hint := app.Redeem(app.Code(b)).IDToken
		for _, name := range []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", "logout_hint"} {
			if a := leave(b, "id_token_hint", hint, name, "x", name, "y"); a.Status != http.StatusBadRequest || !signedIn(t, s, b) {
				t.Errorf("%s: %d", name, a.Status)
			}
		}
	})
	t.Run("1.M 158 an old ID token is as good a hint", func(t *testing.T) {
		for _, id := range []string{"app", "es256", "eddsa"} {
			c, b := s.Client(t, id), s.Browser(t)
			hint := c.Redeem(c.Code(b)).IDToken
			s.Advance(t, 7*time.Hour)
			if a := leave(b, "id_token_hint", hint); a.Has("confirm-logout") || signedIn(t, s, b) {
				t.Errorf("%s: %d", id, a.Status)
			}
		}
	})
	t.Run("1.M 158 a form of the application's page", func(t *testing.T) {
		b := s.Browser(t)
		hint := app.Redeem(app.Code(b)).IDToken
		a := b.CrossPost("/logout", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {bye}, "state": {"x"}, "evil": {"y"}})
		if a.Status != http.StatusSeeOther || a.Location().Path != route.Logout || strings.Contains(a.Location().RawQuery, "evil") {
			t.Fatalf("%d, to %q", a.Status, a.Header.Get("Location"))
		}
		if a = b.Follow(a); a.Header.Get("Location") != bye+"?state=x" || signedIn(t, s, b) {
			t.Errorf("%d, to %q", a.Status, a.Header.Get("Location"))
		}
	})
	t.Run("1.M 158 a form of a stranger's page", func(t *testing.T) {
		b := s.Browser(t)
		app.Code(b)
		for _, a := range []*workertest.Answer{
			b.Follow(b.CrossPost("/logout", url.Values{})),
			b.CrossPost("/logout/confirm", url.Values{"csrf": {"x"}}),
			b.Get("/logout"), b.Get("/logout/confirm"), b.Get("/logout/done"), b.Get("/logout/done?state=x"),
		} {
			if !signedIn(t, s, b) {
				t.Fatalf("%s logs people out: %d", a.URL, a.Status)
			}
		}
	})
	t.Run("1.M 158 whoever is not signed in is told so", func(t *testing.T) {
		for _, path := range []string{"/logout", "/logout?client_id=app&post_logout_redirect_uri=" + url.QueryEscape(bye), "/logout/done", "/logout/done?state=x"} {
			if a := s.Browser(t).Get(path); a.Status != http.StatusOK || a.Has("confirm-logout") || a.Location() != nil {
				t.Errorf("%s: %d, to %q", path, a.Status, a.Header.Get("Location"))
			}
		}
	})
	t.Run("1.M 158 only this browser", func(t *testing.T) {
		here, there := s.Browser(t), s.Browser(t)
		app.Code(here)
		app.Code(there)
		here.Submit(here.Get("/logout").Form(t, "confirm-logout"))
		if signedIn(t, s, here) || !signedIn(t, s, there) {
			t.Errorf("here %v, there %v", signedIn(t, s, here), signedIn(t, s, there))
		}
	})
	t.Run("1.M 158 the question, answered twice", func(t *testing.T) {
		b := s.Browser(t)
		app.Code(b)
		f := b.Get("/logout").Form(t, "confirm-logout")
		b.Submit(f)
		if a := b.Submit(f); a.Status != http.StatusOK {
			t.Errorf("%d", a.Status)
		}
		app.Code(b)
		if a := b.Submit(f); a.Status != http.StatusForbidden || !signedIn(t, s, b) {
			t.Errorf("an answer of the last session ends this one: %d", a.Status)
		}
	})
}

func TestWhatOutlivesTheSessionAndWhatDoesNot(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	app, b := s.Client(t, "app"), s.Browser(t)
	online := app.Redeem(app.Code(b, "scope", "openid profile"))
	offline := app.Redeem(app.Code(b, "scope", "openid profile offline_access"))
	unused := app.Code(b)
	b.Submit(b.Get("/logout").Form(t, "confirm-logout"))
	if online.RefreshToken != "" {
		t.Error("a refresh token that nobody asked for")
	}
	if app.Active(online.AccessToken) || app.Userinfo(online.AccessToken).Status != http.StatusUnauthorized {
		t.Error("1.M 158: an access token that lives by the session outlives it")
	}
	if got := app.Redeem(unused); got.Error != "invalid_grant" {
		t.Errorf("1.M 158: a code of the session is redeemed after its end: %d %s", got.Status, got.Error)
	}
	if !app.Active(offline.AccessToken) {
		t.Error("1.M 158: access that was meant to outlive the session does not")
	}
	again := app.Refresh(offline.RefreshToken)
	if again.Status != http.StatusOK || !app.Active(again.AccessToken) {
		t.Errorf("1.M 158: and it cannot be renewed: %d %s", again.Status, again.Error)
	}
}

func TestTheProviderThatSomebodyCameByIsLeftToo(t *testing.T) {
	s, provider := startWithProvider(t, nil)
	app, b := s.Client(t, "app"), s.Browser(t)
	tokens := app.Redeem(comeBy(t, s, b, provider, app).Param("code"))
	away := leave(b, "id_token_hint", tokens.IDToken, "post_logout_redirect_uri", bye, "state", "x")
	to := away.Location()
	if to == nil || !strings.HasPrefix(to.String(), provider.Issuer+connectortest.EndPath) || to.Query().Get("post_logout_redirect_uri") != s.URL+route.LogoutDone || to.Query().Get("id_token_hint") == "" {
		t.Fatalf("%d, to %s", away.Status, to)
	}
	if signedIn(t, s, b) {
		t.Error("the session lasts until the provider sends the person back, if ever")
	}
	back := "/logout/done?state=" + url.QueryEscape(to.Query().Get("state"))
	if a := s.Browser(t).Get(back); a.Location() != nil || a.Status != http.StatusOK {
		t.Errorf("1.M 158: whoever knows the state is sent on: %q", a.Header.Get("Location"))
	}
	if a := b.Get(back); a.Header.Get("Location") != bye+"?state=x" {
		t.Errorf("%d, to %q", a.Status, a.Header.Get("Location"))
	}
	if a := b.Get(back); a.Location() != nil || a.Status != http.StatusOK {
		t.Errorf("and once more: %d, to %q", a.Status, a.Header.Get("Location"))
	}
	t.Run("and one that is down holds nobody back", func(t *testing.T) {
		b := s.Browser(t)
		tokens := app.Redeem(comeBy(t, s, b, provider, app).Param("code"))
		s.Advance(t, 48*time.Hour) // what is known of it is forgotten
		provider.Stop()
		if a := leave(b, "id_token_hint", tokens.IDToken, "post_logout_redirect_uri", bye); a.Status != http.StatusSeeOther || signedIn(t, s, b) {
			t.Errorf("%d, to %q", a.Status, a.Header.Get("Location"))
		}
	})
}

func TestNothingOfLogoutIsAnnouncedThatIsNotThere(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	a := s.Browser(t).Get(route.Discovery)
	if strings.Contains(a.Body, "check_session_iframe") {
		t.Error("check_session_iframe is announced")
	}
	for _, name := range []string{"backchannel_logout", "frontchannel_logout"} {
		if !strings.Contains(a.Body, `"`+name+`_supported":true`) || !strings.Contains(a.Body, `"`+name+`_session_supported":true`) {
			t.Errorf("1.M 159 161: %s is not announced", name)
		}
	}
	if !strings.Contains(a.Body, `"end_session_endpoint":"`+s.URL+`/logout"`) {
		t.Errorf("the logout is not: %s", a.Body)
	}
}
