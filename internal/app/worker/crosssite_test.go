package worker_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/route"
)

// comesFrom are the ways a form can reach us, by what the browser says of it. A nil
// value leaves a header out.
var comesFrom = []struct {
	name  string
	set   func(h http.Header, ours string)
	right bool
}{
	{name: "a page of ours, told by both headers", right: true, set: func(h http.Header, ours string) {
		h.Set("Origin", ours)
		h.Set("Sec-Fetch-Site", "same-origin")
	}},
	{name: "a page of ours, told by Origin", right: true, set: func(h http.Header, ours string) { h.Set("Origin", ours) }},
	{name: "a page of ours, told by Sec-Fetch-Site", right: true, set: func(h http.Header, _ string) { h.Set("Sec-Fetch-Site", "same-origin") }},
	{name: "neither header", set: func(http.Header, string) {}},
	{name: "empty headers", set: func(h http.Header, _ string) { h["Origin"], h["Sec-Fetch-Site"] = []string{""}, []string{""} }},
	{name: "no page at all", set: func(h http.Header, _ string) { h.Set("Sec-Fetch-Site", "none") }},
	{name: "another site", set: func(h http.Header, _ string) {
		h.Set("Origin", "https://evil.example.com")
		h.Set("Sec-Fetch-Site", "cross-site")
	}},
	{name: "another site that lies by Origin", set: func(h http.Header, ours string) {
		h.Set("Origin", ours)
		h.Set("Sec-Fetch-Site", "cross-site")
	}},
	{name: "another site that lies by Sec-Fetch-Site", set: func(h http.Header, _ string) {
		h.Set("Origin", "https://evil.example.com")
		h.Set("Sec-Fetch-Site", "same-origin")
	}},
	{name: "a neighbour on our site", set: func(h http.Header, _ string) { h.Set("Sec-Fetch-Site", "same-site") }},
	{name: "an opaque origin", set: func(h http.Header, _ string) { h.Set("Origin", "null") }},
	{name: "a host below ours", set: func(h http.Header, ours string) { h.Set("Origin", strings.Replace(ours, "://", "://sub.", 1)) }},
	{name: "our host by another scheme", set: func(h http.Header, ours string) { h.Set("Origin", strings.Replace(ours, "http:", "https:", 1)) }},
	{name: "our host at another port", set: func(h http.Header, ours string) { h.Set("Origin", ours+"1") }},
	{name: "our host without its port", set: func(h http.Header, ours string) { h.Set("Origin", ours[:strings.LastIndex(ours, ":")]) }},
	{name: "our origin with a slash", set: func(h http.Header, ours string) { h.Set("Origin", ours+"/") }},
	{name: "our origin in capitals", set: func(h http.Header, ours string) { h.Set("Origin", strings.ToUpper(ours)) }},
	{name: "two origins", set: func(h http.Header, ours string) { h["Origin"] = []string{ours, "https://evil.example.com"} }},
	{name: "two origins in one line", set: func(h http.Header, ours string) { h.Set("Origin", ours+", https://evil.example.com") }},
	{name: "a referrer of ours and nothing else", set: func(h http.Header, ours string) { h.Set("Referer", ours+"/login") }},
	{name: "a header of scripts", set: func(h http.Header, _ string) { h.Set("X-Requested-With", "XMLHttpRequest") }},
}

// sendForm sends a form with a browser's cookies, with the headers set by set.
func sendForm(t *testing.T, b *workertest.Browser, address string, form url.Values, set func(http.Header)) *workertest.Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Cookies("") {
		req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	set(req.Header)
	return b.Do(req)
}

// with returns a form's values, with some set.
func with(f workertest.Form, values ...string) url.Values {
	form := url.Values{}
	for name, all := range f.Values {
		form[name] = all
	}
	for i := 0; i+1 < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	return form
}

// formsOfOurs are the forms that change something for whoever sends them: how to
// come to each, and how to see whether it has done it.
var formsOfOurs = []struct {
	name   string
	route  string
	page   func(t *testing.T, s *workertest.Server, b *workertest.Browser) (workertest.Form, []string)
	effect func(t *testing.T, s *workertest.Server, b *workertest.Browser, a *workertest.Answer) bool
}{
	{
		name: "the chooser's way out", route: route.Login,
		page: func(t *testing.T, s *workertest.Server, b *workertest.Browser) (workertest.Form, []string) {
			return b.Follow(b.Get(s.Client(t, "asks").Authorize())).Form(t, "cancel"), []string{"cancel", "1"}
		},
		effect: func(_ *testing.T, _ *workertest.Server, b *workertest.Browser, a *workertest.Answer) bool {
			return b.Follow(a).Param("error") == "access_denied"
		},
	},
	{
		name: "the password", route: route.LoginConnector,
		page: func(t *testing.T, s *workertest.Server, b *workertest.Browser) (workertest.Form, []string) {
			a := b.Follow(b.Get(s.Client(t, "app").Authorize("connector_id", "local")))
			return a.Form(t, "password"), []string{"login", "ann", "password", workertest.Password}
		},
		effect: func(_ *testing.T, _ *workertest.Server, b *workertest.Browser, _ *workertest.Answer) bool {
			return len(b.Cookies("dex_session")) > 0
		},
	},
	{
		name: "consent", route: route.Consent,
		page: func(t *testing.T, s *workertest.Server, b *workertest.Browser) (workertest.Form, []string) {
			a := b.SignIn(b.Follow(b.Get(s.Client(t, "asks").Authorize("connector_id", "local"))), "ann", workertest.Password)
			return a.Form(t, "allow"), []string{"answer", "allow"}
		},
		effect: func(_ *testing.T, _ *workertest.Server, b *workertest.Browser, a *workertest.Answer) bool {
			return b.Follow(a).Param("code") != ""
		},
	},
	{
		name: "leaving", route: route.LogoutConfirm,
		page: func(t *testing.T, s *workertest.Server, b *workertest.Browser) (workertest.Form, []string) {
			s.Client(t, "app").Login(b, "connector_id", "local")
			return b.Get("/logout").Form(t, "confirm-logout"), nil
		},
		effect: func(t *testing.T, s *workertest.Server, b *workertest.Browser, _ *workertest.Answer) bool {
			return b.Get(s.Client(t, "app").Authorize("prompt", "none")).Param("code") == ""
		},
	},
}

func TestAFormOfOursIsTakenFromOurPagesOnly(t *testing.T) {
	u := &workertest.Upstream{}
	s := workertest.Start(t, workertest.Options{Config: workertest.UpstreamConfig, Kinds: u.Kinds()})
	for _, form := range formsOfOurs {
		t.Run("1.K 129 "+form.name, func(t *testing.T) {
			b := s.Browser(t)
			f, values := form.page(t, s, b)
			for _, from := range comesFrom {
				if from.right {
					continue
				}
				a := sendForm(t, b, f.Action, with(f, values...), func(h http.Header) { from.set(h, s.URL) })
				if a.Status != http.StatusForbidden || form.effect(t, s, b, a) {
					t.Fatalf("from %s: %d, %.200s", from.name, a.Status, a.Body)
				}
			}
			for name, change := range map[string]func(url.Values){
				"no token":                   func(v url.Values) { v.Del("csrf") },
				"an empty token":             func(v url.Values) { v.Set("csrf", "") },
				"a token of nobody's":        func(v url.Values) { v.Set("csrf", strings.Repeat("A", len(v.Get("csrf")))) },
				"the token twice":            func(v url.Values) { v["csrf"] = []string{"x", v.Get("csrf")} },
				"the token in small letters": func(v url.Values) { v.Set("csrf", strings.ToLower(v.Get("csrf"))) },
				"another browser's token": func(v url.Values) {
					other, _ := form.page(t, s, s.Browser(t))
					v.Set("csrf", other.Values.Get("csrf"))
				},
			} {
				v := with(f, values...)
				change(v)
				a := sendForm(t, b, f.Action, v, func(h http.Header) { comesFrom[0].set(h, s.URL) })
				if a.Status != http.StatusForbidden || form.effect(t, s, b, a) {
					t.Fatalf("with %s: %d, %.200s", name, a.Status, a.Body)
				}
			}
			for name, set := range map[string]func(h http.Header){
				"as plain text":        func(h http.Header) { h.Set("Content-Type", "text/plain") },
				"as a form with parts": func(h http.Header) { h.Set("Content-Type", "multipart/form-data; boundary=x") },
				"as JSON":              func(h http.Header) { h.Set("Content-Type", "application/json") },
				"of no type":           func(h http.Header) { h.Del("Content-Type") },
				"of two types":         func(h http.Header) { h["Content-Type"] = []string{"application/x-www-form-urlencoded", "text/plain"} },
				"in another encoding":  func(h http.Header) { h.Set("Content-Encoding", "gzip") },
			} {
				a := sendForm(t, b, f.Action, with(f, values...), func(h http.Header) { comesFrom[0].set(h, s.URL); set(h) })
				if a.Status != http.StatusUnsupportedMediaType || form.effect(t, s, b, a) {
					t.Fatalf("%s: %d, %.200s", name, a.Status, a.Body)
				}
			}
			overridden := b.Get(f.Action + "?" + with(f, append([]string{"_method", "POST"}, values...)...).Encode())
			if form.effect(t, s, b, overridden) {
				t.Fatalf("it takes its answer from an address, too")
			}
			for _, from := range comesFrom {
				if !from.right {
					continue
				}
				b := s.Browser(t)
				f, values := form.page(t, s, b)
				if a := sendForm(t, b, f.Action, with(f, values...), func(h http.Header) { from.set(h, s.URL) }); !form.effect(t, s, b, a) {
					t.Errorf("from %s: %d, %.200s", from.name, a.Status, a.Body)
				}
			}
		})
	}
}

// takesFormsFromElsewhere are the routes whose forms are meant to come from other
// sites or from no browser at all. No cookie counts at any of them.
var takesFormsFromElsewhere = map[string]int{
	route.Authorize: http.StatusBadRequest,   // OpenID Connect Core section 3.1.2.1; it is kept and asked for again
	route.Callback:  http.StatusSeeOther,     // a provider's form_post; it is kept and asked for again
	route.Logout:    http.StatusSeeOther,     // RP-Initiated Logout section 2; it is asked for again
	route.Token:     http.StatusUnauthorized, // clients, not browsers

	route.LogoutUpstream: http.StatusBadRequest, // a provider's server, by what it has signed

	route.Introspect: http.StatusUnauthorized,

	route.DeviceRequest: http.StatusUnauthorized,
	route.Backchannel:   http.StatusUnauthorized,
	route.PushRequest:   http.StatusUnauthorized,
	route.Register:      http.StatusForbidden, // where nobody may register a client
	route.Revoke:        http.StatusUnauthorized,
	route.Userinfo:      http.StatusUnauthorized,
}

func TestEveryRouteThatTakesAFormIsGuarded(t *testing.T) {
	// 1.K 129: a route that is added without a guard is found here.
	s := workertest.Start(t, workertest.Options{})
	// The code of a device is looked up, and changes nothing for whoever sends it. The
	// form for a password has its own test, for it needs a link.
	guarded := map[string]bool{route.Device: true, route.Approvals: true, route.AccountPassword: true}
	for _, form := range formsOfOurs {
		guarded[strings.Replace(form.route, "{connector}", "local", 1)] = true
	}
	exempt := map[string]int{}
	for path, status := range takesFormsFromElsewhere {
		exempt[strings.Replace(path, "{connector}", "local", 1)] = status
	}
	for _, path := range everyRoute(t) {
		b := s.Browser(t)
		s.Client(t, "app").Code(b)
		a := sendForm(t, b, s.URL+path, url.Values{"x": {"y"}}, func(http.Header) {})
		want, isExempt := exempt[path]
		switch {
		case guarded[path]:
			want = http.StatusForbidden
		case path == route.Live || path == route.Ready:
			want = http.StatusOK // they read nothing that is sent
		case !isExempt:
			want = http.StatusMethodNotAllowed
			if path == route.Static || path == route.CheckSession { // which is there only where sessions are watched
				want = http.StatusNotFound
			}
		}
		if a.Status != want && (path != route.Static || a.Status != http.StatusMethodNotAllowed) {
			t.Errorf("POST %s: %d, want %d", path, a.Status, want)
		}
		if b.Get(s.Client(t, "app").Authorize("prompt", "none")).Param("code") == "" {
			t.Errorf("POST %s: the session is gone", path)
		}
	}
}

func TestNobodyIsLoggedInAsTheAttacker(t *testing.T) {
	u := &workertest.Upstream{}
	s := workertest.Start(t, workertest.Options{Config: workertest.UpstreamConfig, Kinds: u.Kinds()})
	app := s.Client(t, "app")
	stranger := func(t *testing.T, victim *workertest.Browser, a *workertest.Answer) {
		t.Helper()
		if a.Status != http.StatusNotFound && a.Status != http.StatusForbidden || len(victim.Cookies("dex_session")) > 0 || a.Location() != nil {
			t.Errorf("%d, to %q, with a session: %v", a.Status, a.Header.Get("Location"), len(victim.Cookies("dex_session")) > 0)
		}
	}
	t.Run("1.K 130 the attacker's way back from another provider", func(t *testing.T) {
		mallory, victim := s.Browser(t), s.Browser(t)
		away := mallory.Follow(mallory.Get(app.Authorize("connector_id", "elsewhere")))
		back := strings.TrimPrefix(away.Param("redirect_uri"), s.URL) + "?" + url.Values{"state": {away.Param("state")}, "name": {"mallory"}}.Encode()
		stranger(t, victim, victim.Get(back))
		// The victim is even under way to the same application.
		victim.Follow(victim.Get(app.Authorize("connector_id", "elsewhere")))
		stranger(t, victim, victim.Get(back))
		form := url.Values{"state": {away.Param("state")}, "name": {"mallory"}}
		stranger(t, victim, victim.Follow(victim.CrossPost(strings.TrimPrefix(away.Param("redirect_uri"), s.URL), form)))
		if a := mallory.Follow(mallory.Get(back)); a.Param("code") == "" {
			t.Errorf("the way back is spent by whoever it does not belong to: %d", a.Status)
		}
	})
	t.Run("1.K 130 the attacker's form, sent by the victim", func(t *testing.T) {
		mallory, victim := s.Browser(t), s.Browser(t)
		f := mallory.Follow(mallory.Get(app.Authorize("connector_id", "local"))).Form(t, "password")
		stranger(t, victim, victim.CrossPost(f.Action, with(f, "login", "ben", "password", workertest.Password)))
		stranger(t, victim, victim.Submit(f, "login", "ben", "password", workertest.Password))
		victim.Follow(victim.Get(app.Authorize("connector_id", "local")))
		stranger(t, victim, victim.Submit(f, "login", "ben", "password", workertest.Password))
	})
	t.Run("1.K 130 the attacker's attempt, opened by the victim", func(t *testing.T) {
		mallory, victim := s.Browser(t), s.Browser(t)
		a := mallory.Follow(mallory.Get(app.Authorize("connector_id", "local")))
		id := a.Form(t, "password").Values.Get("attempt")
		for _, path := range []string{"/authorize?attempt=", "/authorize?again=", "/login?attempt=", "/login/local?attempt=", "/consent?attempt="} {
			stranger(t, victim, victim.Get(path+id))
		}
	})
	t.Run("1.K 130 the attacker finishes, and the victim takes it from there", func(t *testing.T) {
		mallory, victim := s.Browser(t), s.Browser(t)
		consent := mallory.SignIn(mallory.Follow(mallory.Get(s.Client(t, "asks").Authorize("connector_id", "local"))), "ben", workertest.Password)
		f := consent.Form(t, "allow")
		stranger(t, victim, victim.Submit(f, "answer", "allow"))
		s.Client(t, "app").Login(victim, "connector_id", "local")
		if a := victim.Submit(f, "answer", "allow"); a.Status != http.StatusNotFound {
			t.Errorf("somebody who is logged in consents for the attacker: %d %s", a.Status, a.Header.Get("Location"))
		}
	})
}
