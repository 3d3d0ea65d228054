package worker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
)

// jar is every cookie that a browser was ever given, by name and value.
type jarWatch struct {
	t    *testing.T
	b    *workertest.Browser
	seen map[string]bool
}

// look checks the Set-Cookie lines of an answer.
func (j *jarWatch) look(a *workertest.Answer, secure bool) *workertest.Answer {
	j.t.Helper()
	names := map[string]bool{}
	for _, line := range a.Header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			j.t.Fatalf("%s: %v", line, err)
		}
		if names[c.Name] {
			j.t.Errorf("%s is set twice in one answer", c.Name)
		}
		names[c.Name] = true
		if strings.HasPrefix(c.Name, "__Host-") != secure || c.Secure != secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
			j.t.Errorf("%.60s: %s", a.URL, line)
		}
		if len(line) >= 4096 {
			j.t.Errorf("%s: %d bytes are more than browsers keep", c.Name, len(line))
		}
		if !strings.Contains(c.Name, "dex_") {
			j.t.Errorf("whose cookie is %s?", c.Name)
		}
		j.seen[c.Name[strings.Index(c.Name, "dex_"):][:7]] = true
	}
	return a
}

// follow goes where redirects lead and looks at each answer.
func (j *jarWatch) follow(a *workertest.Answer, secure bool) *workertest.Answer {
	j.t.Helper()
	j.look(a, secure)
	for a.Status == http.StatusSeeOther && strings.HasPrefix(a.Location().String(), a.URL.Scheme+"://"+a.URL.Host+"/") {
		a = j.look(j.b.Get(a.Location().String()), secure)
	}
	return a
}

func TestEveryCookieIsOurs(t *testing.T) {
	for _, test := range []struct {
		name, issuer string
		secure       bool
	}{
		{name: "1.K 124 on https", issuer: "https://example.com", secure: true},
		{name: "1.K 124 on https below a path", issuer: "https://example.com/dex", secure: true},
		{name: "1.K 124 on loopback", secure: false},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := &workertest.Upstream{}
			s := workertest.Start(t, workertest.Options{Issuer: test.issuer, Config: workertest.UpstreamConfig, Kinds: u.Kinds()})
			asks, b := s.Client(t, "asks"), s.Browser(t)
			j := &jarWatch{t: t, b: b, seen: map[string]bool{}}
			login := j.follow(b.Get(asks.Authorize("connector_id", "local", "state", strings.Repeat("incompressible?", 100))), test.secure)
			wrong := j.follow(b.Submit(login.Form(t, "password"), "login", "ann", "password", "wrong"), test.secure)
			consent := j.follow(b.Submit(wrong.Form(t, "password"), "login", "ann", "password", workertest.Password), test.secure)
			back := j.follow(b.Submit(consent.Form(t, "allow"), "answer", "allow"), test.secure)
			if back.Param("code") == "" {
				t.Fatalf("no code: %d %s", back.Status, back.Header.Get("Location"))
			}
			if left := b.Cookies("dex_attempt_"); len(left) != 0 {
				t.Errorf("the attempt is over, and left %d cookies", len(left))
			}
			other := s.Browser(t)
			o := &jarWatch{t: t, b: other, seen: j.seen}
			away := o.follow(other.Get(asks.Authorize("connector_id", "elsewhere")), test.secure)
			o.follow(other.CrossPost(strings.TrimPrefix(away.Param("redirect_uri"), s.URL), map[string][]string{"state": {away.Param("state")}, "name": {"ann"}}), test.secure)
			leave := j.follow(b.Get("/logout"), test.secure)
			j.follow(b.Submit(leave.Form(t, "confirm-logout")), test.secure)
			if left := b.Cookies("dex_session"); len(left) != 0 {
				t.Error("the session's cookie is still there")
			}
			for _, kind := range []string{"dex_att", "dex_ses", "dex_dev", "dex_pos"} {
				if !j.seen[kind] {
					t.Errorf("no cookie of the kind %s… was seen", kind)
				}
			}
		})
	}
}

// twice sends a request whose Cookie line holds a cookie twice.
func twice(t *testing.T, b *workertest.Browser, address, name, first, second string) *workertest.Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.Cookies("") {
		if c.Name != name {
			req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	req.AddCookie(&http.Cookie{Name: name, Value: first})
	req.AddCookie(&http.Cookie{Name: name, Value: second})
	return b.Do(req)
}

// cleared reports whether an answer takes a cookie away.
func cleared(a *workertest.Answer, name string) bool {
	for _, line := range a.Header.Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == name && c.MaxAge < 0 {
			return true
		}
	}
	return false
}

func TestACookieThatComesTwiceIsNobodysAndGoesAway(t *testing.T) {
	for _, issuer := range []string{"", "https://example.com"} {
		t.Run("1.K 124 issuer "+issuer, func(t *testing.T) {
			s := workertest.Start(t, workertest.Options{Issuer: issuer})
			app := s.Client(t, "app")
			mallory := s.Browser(t)
			app.Code(mallory)
			planted := mallory.Cookies("dex_session")[0].Value
			for _, test := range []struct {
				name          string
				first, second func(own string) string
			}{
				{"a planted one first", func(string) string { return planted }, func(own string) string { return own }},
				{"a planted one last", func(own string) string { return own }, func(string) string { return planted }},
				{"the same one twice", func(own string) string { return own }, func(own string) string { return own }},
				{"an empty one", func(own string) string { return own }, func(string) string { return "" }},
			} {
				t.Run(test.name, func(t *testing.T) {
					b := s.Browser(t)
					app.Code(b)
					own := b.Cookies("dex_session")[0]
					a := twice(t, b, s.URL+app.Authorize("prompt", "none"), own.Name, test.first(own.Value), test.second(own.Value))
					if a.Param("error") != "login_required" || !cleared(a, own.Name) {
						t.Errorf("to %s, with %q", a.Header.Get("Location"), a.Header.Values("Set-Cookie"))
					}
					if len(b.Cookies("dex_session")) != 0 {
						t.Fatal("the browser still has it")
					}
					if app.Login(b).Param("code") == "" {
						t.Error("the next login does not work")
					}
				})
			}
			t.Run("an attempt's", func(t *testing.T) {
				b := s.Browser(t)
				b.Follow(b.Get(app.Authorize()))
				attempt := b.Cookies("dex_attempt_")[0]
				a := twice(t, b, s.URL+"/login?attempt="+attempt.Name[strings.Index(attempt.Name, "dex_attempt_")+12:], attempt.Name, attempt.Value, attempt.Value)
				if a.Status != http.StatusNotFound || !cleared(a, attempt.Name) {
					t.Errorf("%d, with %q", a.Status, a.Header.Values("Set-Cookie"))
				}
			})
		})
	}
}

func TestACookieWithoutItsPrefixIsSomebodyElses(t *testing.T) {
	// 1.K 124: on https a neighbouring host can plant a cookie of any name but one
	// with the prefix __Host-.
	s := workertest.Start(t, workertest.Options{Issuer: "https://example.com"})
	app, b := s.Client(t, "app"), s.Browser(t)
	app.Code(b)
	session := b.Cookies("dex_session")[0]
	for _, name := range []string{"dex_session", "__Secure-dex_session", "__host-dex_session", "__Host-dex_Session"} {
		victim := s.Browser(t)
		victim.SetCookie(&http.Cookie{Name: name, Value: session.Value})
		if a := victim.Get(app.Authorize("prompt", "none")); a.Param("error") != "login_required" {
			t.Errorf("%s counts as a session: %s", name, a.Header.Get("Location"))
		}
	}
}

func TestTwoIssuersOnOneHostLeaveEachOtherAlone(t *testing.T) {
	// 1.K 124: a browser does not tell cookies apart by port.
	one, two := workertest.Start(t, workertest.Options{}), workertest.Start(t, workertest.Options{})
	atOne, atTwo := one.Browser(t), two.Browser(t)
	share := func() {
		for _, c := range atOne.Cookies("") {
			atTwo.SetCookie(c)
		}
		for _, c := range atTwo.Cookies("") {
			atOne.SetCookie(c)
		}
	}
	under := atTwo.Follow(atTwo.Get(two.Client(t, "app").Authorize()))
	share()
	one.Client(t, "app").Code(atOne)
	share()
	if a := atTwo.SignIn(under, "ben", workertest.Password); a.Param("code") == "" {
		t.Errorf("an attempt at the one is lost by a login at the other: %d %s", a.Status, a.Header.Get("Location"))
	}
	share()
	for _, test := range []struct {
		s *workertest.Server
		b *workertest.Browser
		p string
	}{{one, atOne, "usr_ann"}, {two, atTwo, "usr_ben"}} {
		c := test.s.Client(t, "app")
		a := test.b.Get(c.Authorize("prompt", "none"))
		if tokens := c.Redeem(a.Param("code")); workertest.Claims(t, tokens.IDToken)["sub"] != test.p {
			t.Errorf("%s: not %s: %s", test.s.URL, test.p, a.Header.Get("Location"))
		}
	}
}

func TestALoginGivesTheBrowserANewCookie(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	app := s.Client(t, "app")
	session := func(b *workertest.Browser) string {
		t.Helper()
		found := b.Cookies("dex_session")
		if len(found) != 1 {
			t.Fatalf("%d sessions", len(found))
		}
		return found[0].Value
	}
	// works reports whether a cookie is a session.
	works := func(b *workertest.Browser, value string) bool {
		other := s.Browser(t)
		other.SetCookie(&http.Cookie{Name: b.Cookies("dex_session")[0].Name, Value: value})
		return other.Get(app.Authorize("prompt", "none")).Param("code") != ""
	}
	sid := func(a *workertest.Answer) any {
		return workertest.Claims(t, app.Redeem(a.Param("code")).IDToken)["sid"]
	}

	t.Run("1.K 125 what was there before the login", func(t *testing.T) {
		known := s.Browser(t)
		app.Code(known)
		for name, planted := range map[string]string{
			"invented":               "dxs_" + strings.Repeat("A", 52),
			"another person's":       session(known),
			"of no form that we use": "1",
		} {
			b := s.Browser(t)
			b.SetCookie(&http.Cookie{Name: known.Cookies("dex_session")[0].Name, Value: planted})
			if a := app.Login(b, "prompt", "login"); a.Param("code") == "" || session(b) == planted {
				t.Errorf("%s: to %s, and the cookie is the old one: %v", name, a.Header.Get("Location"), session(b) == planted)
			}
			if name != "another person's" && works(b, planted) {
				t.Errorf("%s: the planted value is a session now", name)
			}
		}
	})
	t.Run("1.K 125 the same person proves it again", func(t *testing.T) {
		b := s.Browser(t)
		first := app.Login(b)
		old, oldID := session(b), sid(first)
		again := app.Login(b, "prompt", "login")
		if session(b) == old || works(b, old) || !works(b, session(b)) {
			t.Errorf("the cookie changed: %v; the old one works: %v", session(b) != old, works(b, old))
		}
		if got := sid(again); got != oldID {
			t.Errorf("it is still the same session for applications: sid %v became %v", oldID, got)
		}
	})
	t.Run("1.K 125 138 another person at the same browser", func(t *testing.T) {
		b := s.Browser(t)
		first := app.Login(b, "scope", "openid")
		anns := app.Redeem(first.Param("code"))
		old, oldID := session(b), workertest.Claims(t, anns.IDToken)["sid"]
		form := b.Follow(b.Get(app.Authorize("prompt", "login", "scope", "openid")))
		second := b.SignIn(form, "ben", workertest.Password)
		bens := app.Redeem(second.Param("code"))
		claims := workertest.Claims(t, bens.IDToken)
		if claims["sub"] != "usr_ben" || claims["sid"] == oldID || session(b) == old || works(b, old) {
			t.Errorf("sub %v, sid %v of %v, the old cookie works: %v", claims["sub"], claims["sid"], oldID, works(b, old))
		}
		if app.Active(anns.AccessToken) || !app.Active(bens.AccessToken) {
			t.Errorf("tokens of the one who has left are active: %v; of the one who came: %v", app.Active(anns.AccessToken), app.Active(bens.AccessToken))
		}
		info := app.Userinfo(bens.AccessToken)
		if !strings.Contains(info.Body, `"usr_ben"`) || strings.Contains(info.Body, "ann") {
			t.Errorf("userinfo: %s", info.Body)
		}
	})
}

func TestASessionEndsByTimeWhateverTheBrowserKeeps(t *testing.T) {
	signedIn := func(b *workertest.Browser, s *workertest.Server) bool {
		return b.Get(s.Client(t, "app").Authorize("prompt", "none")).Param("code") != ""
	}
	t.Run("1.K 127 nobody uses it", func(t *testing.T) {
		s := workertest.Start(t, workertest.Options{})
		b := s.Browser(t)
		s.Client(t, "app").Code(b)
		s.Advance(t, 8*time.Hour-time.Second)
		if !signedIn(b, s) {
			t.Error("it has ended too early")
		}
		s.Advance(t, 8*time.Hour)
		if signedIn(b, s) {
			t.Error("it has not ended after eight hours without use")
		}
	})
	t.Run("1.K 127 however much it is used", func(t *testing.T) {
		s := workertest.Start(t, workertest.Options{})
		b := s.Browser(t)
		s.Client(t, "app").Code(b)
		for hours := range 23 {
			s.Advance(t, time.Hour)
			if !signedIn(b, s) {
				t.Fatalf("it has ended after %d hours of use", hours+1)
			}
		}
		s.Advance(t, time.Hour)
		if signedIn(b, s) {
			t.Error("it has not ended after a day")
		}
	})
}

func TestAnEndedSessionIsEndedOnEveryWorker(t *testing.T) {
	// 1.K 127 and 128: what the person, an operator's verb or the end of the account
	// does counts at once, wherever the cookie turns up.
	s := workertest.Start(t, workertest.Options{})
	second := workertest.Start(t, workertest.Options{DB: s.DB, Clock: s.Clock, Issuer: s.URL})
	app := s.Client(t, "app")
	for _, test := range []struct {
		name string
		end  func(b *workertest.Browser)
	}{
		{"1.K 127 the person leaves", func(b *workertest.Browser) {
			b.Submit(b.Get("/logout").Form(t, "confirm-logout"))
		}},
		{"1.K 128 the session is ended by its id", func(*workertest.Browser) {
			all, err := s.Tenant.SessionsOf(t.Context(), "usr_ann")
			if err != nil || len(all) == 0 {
				t.Fatalf("%d sessions, %v", len(all), err)
			}
			for _, known := range all {
				if _, err := s.Tenant.EndSession(t.Context(), known.ID, time.Time{}, s.Clock.Now()); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"1.K 128 the account is disabled", func(*workertest.Browser) {
			if err := s.Tenant.DisableUser(t.Context(), "usr_ann", audit.By{At: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := s.Browser(t)
			tokens := app.Redeem(app.Code(b, "scope", "openid"))
			kept := b.Cookies("dex_session")[0]
			test.end(b)
			for i, server := range []*workertest.Server{s, second} {
				thief := server.Browser(t)
				thief.SetCookie(kept)
				if a := thief.Get(app.Authorize("prompt", "none")); a.Param("error") != "login_required" {
					t.Errorf("worker %d: %s", i+1, a.Header.Get("Location"))
				}
				if server.Client(t, "app").Active(tokens.AccessToken) {
					t.Errorf("worker %d honours the access token", i+1)
				}
			}
			if err := s.Tenant.EnableUser(t.Context(), "usr_ann", audit.By{At: s.Clock.Now()}); err != nil {
				t.Fatal(err)
			}
			s.Clock.Advance(time.Second)
		})
	}
}
