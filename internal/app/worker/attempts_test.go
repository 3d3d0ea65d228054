package worker_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
)

// place is a step of a login: how to get there, and the form that is shown.
type place struct {
	name, button string
	reach        func(b *workertest.Browser, c *workertest.Client, pairs ...string) *workertest.Answer
	fill         []string
}

// places are the pages of a login with a password.
var places = []place{
	{"the login page", "password", func(b *workertest.Browser, c *workertest.Client, pairs ...string) *workertest.Answer {
		return b.Follow(b.Get(c.Authorize(pairs...)))
	}, []string{"login", "ann", "password", workertest.Password}},
	{"the consent page", "allow", func(b *workertest.Browser, c *workertest.Client, pairs ...string) *workertest.Answer {
		return b.SignIn(b.Get(c.Authorize(pairs...)), "ann", workertest.Password)
	}, []string{"answer", "allow"}},
}

// goOn fills in all that is still asked.
func goOn(t *testing.T, b *workertest.Browser, a *workertest.Answer) *workertest.Answer {
	t.Helper()
	a = b.Follow(a)
	for _, p := range places {
		if a.Has(p.button) {
			a = b.Follow(b.Submit(a.Form(t, p.button), p.fill...))
		}
	}
	return a
}

// handedBack takes the redirect that ends a login apart.
func handedBack(t *testing.T, a *workertest.Answer, c *workertest.Client) (code string) {
	t.Helper()
	if code = a.Param("code"); code == "" || !strings.HasPrefix(a.Header.Get("Location"), c.RedirectURI+"?") {
		t.Fatalf("no code for %s: %d %q %s", c.ID, a.Status, a.Header.Get("Location"), firstLine(a.Body))
	}
	return code
}

func firstLine(page string) string {
	_, title, _ := strings.Cut(page, "<h1>")
	title, _, _ = strings.Cut(title, "</h1>")
	return title
}

// attemptIn returns the handle of the attempt that stands in a page or a redirect.
func attemptIn(t *testing.T, a *workertest.Answer) string {
	t.Helper()
	if id := a.Param("attempt"); id != "" {
		return id
	}
	if id := a.URL.Query().Get("attempt"); id != "" {
		return id
	}
	t.Fatalf("%s: no attempt", a.URL)
	return ""
}

func TestAnAttemptBelongsToTheBrowserThatBeganIt(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: workertest.UpstreamConfig, Kinds: (&workertest.Upstream{}).Kinds()})
	c := s.Client(t, "asks")
	local := []string{"connector_id", "local"}
	for _, p := range places {
		t.Run("1.A 19 another browser at "+p.name, func(t *testing.T) {
			attacker, victim := s.Browser(t), s.Browser(t)
			a := p.reach(attacker, c, local...)
			form, id := a.Form(t, p.button), attemptIn(t, a)
			s.Client(t, "app").Code(victim, local...) // the victim is logged in here
			for _, address := range []string{"/login?attempt=" + id, "/login/local?attempt=" + id, "/login/elsewhere?attempt=" + id, "/consent?attempt=" + id, "/authorize?attempt=" + id, "/authorize?again=" + id} {
				isErrorPage(t, victim.Get(address), http.StatusNotFound, address)
			}
			isErrorPage(t, victim.Submit(form, p.fill...), http.StatusNotFound, "the form")
			victim.Forget()
			isErrorPage(t, victim.Submit(form, p.fill...), http.StatusNotFound, "the form, with no cookie at all")
			isErrorPage(t, victim.Post("/login", form.Values), http.StatusNotFound, "the cancel form")
			// What the victim has done changed nothing for the attacker.
			if code := attacker.Get("/authorize?attempt=" + id).Param("code"); code != "" {
				t.Errorf("the attacker has a code")
			}
			handedBack(t, goOn(t, attacker, attacker.Get("/authorize?attempt="+id)), c)
		})
	}
	t.Run("1.A 19 another browser comes back from the other provider", func(t *testing.T) {
		attacker, victim := s.Browser(t), s.Browser(t)
		away := attacker.Follow(attacker.Get(c.Authorize("connector_id", "elsewhere")))
		state := away.Param("state")
		if state == "" || away.Location().Host != "elsewhere.example.com" {
			t.Fatalf("%d %s", away.Status, away.Header.Get("Location"))
		}
		back := "/callback/elsewhere?" + url.Values{"state": {state}, "name": {"victor"}}.Encode()
		isErrorPage(t, victim.Get(back), http.StatusNotFound, "the victim's browser")
		s.Client(t, "app").Code(victim, local...)
		isErrorPage(t, victim.Get(back), http.StatusNotFound, "the victim's browser, logged in")
		a := victim.Follow(victim.CrossPost("/callback/elsewhere", url.Values{"state": {state}, "name": {"victor"}}))
		isErrorPage(t, a, http.StatusNotFound, "the victim's browser, by a form")
		id, _, _ := strings.Cut(state, ".")
		if a := attacker.Get("/authorize?attempt=" + id); a.Param("code") != "" || !starts(s, a) {
			t.Errorf("the attacker polls: %d %s", a.Status, a.Header.Get("Location"))
		}
		a = attacker.Follow(attacker.Get(back))
		if !a.Has("allow") || !strings.Contains(a.Body, "Name of victor") {
			t.Errorf("the browser that left: %d %s", a.Status, firstLine(a.Body))
		}
	})
	t.Run("1.A 19 the answer to an earlier step is none", func(t *testing.T) {
		b := s.Browser(t)
		id := attemptIn(t, b.Get(c.Authorize()))
		first := b.Get("/login/elsewhere?attempt=" + id)
		second := b.Get("/login/elsewhere?attempt=" + id)
		if first.Param("state") == second.Param("state") {
			t.Error("the state stays the same")
		}
		for _, state := range []string{first.Param("state"), id, id + ".", second.Param("state") + "x", strings.ToLower(second.Param("state"))} {
			if a := b.Get("/callback/elsewhere?" + url.Values{"state": {state}, "name": {"ann"}}.Encode()); a.Status == http.StatusSeeOther || a.Status == http.StatusOK {
				t.Errorf("state %q: %d", state, a.Status)
			}
		}
		if a := b.Get("/callback/local?" + url.Values{"state": {second.Param("state")}, "name": {"ann"}}.Encode()); a.Status != http.StatusConflict {
			t.Errorf("at another connector: %d", a.Status)
		}
		a := b.Get("/callback/elsewhere?" + url.Values{"state": {second.Param("state")}, "name": {"ann"}}.Encode())
		if !starts(s, a) {
			t.Errorf("the last one: %d %s", a.Status, firstLine(a.Body))
		}
	})
	t.Run("1.A 19 what one attempt keeps is nothing in another", func(t *testing.T) {
		b := s.Browser(t)
		one, two := b.Get(c.Authorize()).Param("attempt"), b.Get(c.Authorize("prompt", "login")).Param("attempt")
		kept := b.Cookies("attempt_" + one)[0]
		for what, value := range map[string]string{
			"another attempt's": b.Cookies("attempt_" + two)[0].Value, "cut off": kept.Value[:len(kept.Value)-1], "longer": kept.Value + "A",
			"changed": flip(kept.Value, len(kept.Value)/2), "none": "", "doubled": kept.Value + kept.Value,
		} {
			swapped := *kept
			swapped.Value = value
			b.SetCookie(&swapped)
			isErrorPage(t, b.Get("/authorize?attempt="+one), http.StatusNotFound, what)
		}
		b.SetCookie(kept)
		if a := b.Get("/authorize?attempt=" + one); !starts(s, a) {
			t.Errorf("its own: %d", a.Status)
		}
	})
}

// flip changes one character of a text.
func flip(s string, i int) string {
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

func TestWhatWasAskedIsFrozen(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "asks")
	evil := url.Values{
		"response_type": {"token"}, "scope": {"openid groups"}, "redirect_uri": {"https://asks.example.com/other?x=1"}, "acr_values": {"aal2"}, "state": {"evil"}, "nonce": {"evil"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "response_mode": {"form_post"}, "prompt": {"none"}, "connector_id": {"elsewhere"}, "max_age": {"99999"},
	}
	check := func(t *testing.T, a *workertest.Answer) {
		t.Helper()
		code := handedBack(t, a, c)
		if a.Param("state") != "state-of-asks" {
			t.Errorf("the state is %q", a.Param("state"))
		}
		tokens := c.Redeem(code)
		if tokens.Status != http.StatusOK || tokens.Scope != "openid email" || workertest.Claims(t, tokens.IDToken)["nonce"] != "nonce-of-asks" {
			t.Errorf("%d %s: scope %q", tokens.Status, tokens.Error, tokens.Scope)
		}
	}
	for name, values := range evil {
		t.Run("1.A 12 "+name+" comes again at every step", func(t *testing.T) {
			more := "&" + url.Values{name: values}.Encode()
			b := s.Browser(t)
			a := b.Get(c.Authorize("scope", "openid email"))
			for _, p := range places {
				for a.Status == http.StatusSeeOther && starts(s, a) {
					a = b.Get(a.Location().String() + more)
				}
				f := a.Form(t, p.button)
				f.Values.Set(name, values[0])
				f.Action += "?" + more[1:]
				a = b.Submit(f, p.fill...)
			}
			for a.Status == http.StatusSeeOther && starts(s, a) {
				a = b.Get(a.Location().String() + more)
			}
			check(t, a)
		})
	}
}

func TestARequestWithAClientIsNoStepOfAnother(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	asks, app := s.Client(t, "asks"), s.Client(t, "app")
	b := s.Browser(t)
	id := attemptIn(t, places[1].reach(b, asks))
	isErrorPage(t, b.Get("/authorize?attempt="+id+"&client_id=app"), http.StatusBadRequest, "1.A 12 a client without an address")
	isErrorPage(t, b.Get("/authorize?again="+id+"&client_id="), http.StatusBadRequest, "1.A 12 an empty client")
	handedBack(t, b.Get(app.Authorize()+"&attempt="+id+"&again="+id), app)
	handedBack(t, goOn(t, b, b.Get("/authorize?attempt="+id)), asks)
}

func TestAnExpiredAttemptStartsAgain(t *testing.T) {
	const lifetime = 30 * time.Minute
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "asks")
	for _, p := range places {
		t.Run("at "+p.name, func(t *testing.T) {
			b := s.Browser(t)
			a := p.reach(b, c, "prompt", "login consent")
			form, id := a.Form(t, p.button), attemptIn(t, a)
			s.Advance(t, lifetime-time.Microsecond)
			if a := b.Get(a.URL.String()); a.Status != http.StatusOK {
				t.Errorf("an instant before: %d %s", a.Status, firstLine(a.Body))
			}
			s.Advance(t, time.Microsecond)
			for _, address := range []string{"/login?attempt=" + id, "/login/local?attempt=" + id, "/consent?attempt=" + id, "/authorize?attempt=" + id} {
				isErrorPage(t, b.Get(address), http.StatusNotFound, address)
			}
			a = b.Submit(form, p.fill...)
			isErrorPage(t, a, http.StatusNotFound, "the form")
			again, ok := linkOf(t, a, "start-again")
			if !ok {
				t.Fatalf("there is no way to start again: %s", a.Body)
			}
			isErrorPage(t, s.Browser(t).Get(again), http.StatusNotFound, "the link in another browser")
			a = b.Get(again)
			if attemptIn(t, a) == id {
				t.Error("the attempt is the old one")
			}
			isErrorPage(t, b.Get(again), http.StatusNotFound, "the link, once more")
			if next := b.Follow(a); !next.Has("password") {
				t.Fatalf("prompt=login is forgotten: %s", firstLine(next.Body))
			}
			a = goOn(t, b, a)
			code := handedBack(t, a, c)
			if a.Param("state") != "state-of-asks" {
				t.Errorf("the state is %q", a.Param("state"))
			}
			if tokens := c.Redeem(code); tokens.Status != http.StatusOK || workertest.Claims(t, tokens.IDToken)["nonce"] != "nonce-of-asks" {
				t.Errorf("%d %s", tokens.Status, tokens.Error)
			}
		})
	}
	t.Run("not if its address is the client's no more", func(t *testing.T) {
		b := s.Browser(t)
		id := attemptIn(t, b.Get(c.Authorize()))
		s.Advance(t, lifetime)
		if err := s.Tenant.DisableClient(t.Context(), "asks", audit.By{At: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		isErrorPage(t, b.Follow(b.Get("/authorize?again="+id)), http.StatusBadRequest, "a disabled client")
	})
}

// linkOf returns where the link with the id leads.
func linkOf(t *testing.T, a *workertest.Answer, id string) (string, bool) {
	t.Helper()
	_, rest, ok := strings.Cut(a.Body, `id="`+id+`" href="`)
	to, _, _ := strings.Cut(rest, `"`)
	return strings.ReplaceAll(to, "&amp;", "&"), ok
}

func TestTheWayBackAfterALogin(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "asks")
	b := s.Browser(t)
	login := places[0].reach(b, c)
	loginForm, id := login.Form(t, "password"), attemptIn(t, login)
	attempt := b.Cookies("attempt_" + id)
	consent := b.Follow(b.Submit(loginForm, "login", "ann", "password", workertest.Password))
	consentForm := consent.Form(t, "allow")
	answered := b.Submit(consentForm, "answer", "allow", "remember", "1")
	last := b.Cookies("attempt_" + id)
	done := b.Follow(answered)
	handedBack(t, done, c)

	t.Run("no page of it comes back", func(t *testing.T) {
		if left := b.Cookies("attempt_"); len(left) > 0 {
			t.Errorf("%d cookies are left", len(left))
		}
		for _, address := range []string{login.URL.String(), consent.URL.String(), answered.Location().String(), "/authorize?again=" + id} {
			isErrorPage(t, b.Get(address), http.StatusNotFound, address)
		}
		isErrorPage(t, b.Submit(loginForm, "login", "ben", "password", workertest.Password), http.StatusNotFound, "the login form")
		isErrorPage(t, b.Submit(consentForm, "answer", "allow"), http.StatusNotFound, "the consent form")
	})
	t.Run("the session is none the worse for it", func(t *testing.T) {
		tokens := c.Redeem(handedBack(t, b.Get(c.Authorize()), c))
		if sub := workertest.Claims(t, tokens.IDToken)["sub"]; sub != "usr_ann" {
			t.Errorf("it is %v", sub)
		}
	})
	t.Run("a cookie that was kept from the start asks for what is missing", func(t *testing.T) {
		b := s.Browser(t)
		b.SetCookie(attempt[0])
		if a := b.Follow(b.Get("/authorize?attempt=" + id)); !a.Has("password") {
			t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
		}
	})
	t.Run("a cookie that was kept from the end is worth nothing without the session", func(t *testing.T) {
		thief := s.Browser(t)
		thief.SetCookie(last[0])
		if a := thief.Follow(thief.Get("/authorize?attempt=" + id)); !a.Has("password") {
			t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
		}
		thief.SetCookie(last[0])
		if a := thief.SignIn(thief.Get("/authorize?attempt="+id), "ben", workertest.Password); !a.Has("allow") || !strings.Contains(a.Body, "Ben Beispiel") {
			t.Errorf("ann's consent counts for ben: %d %s", a.Status, a.Header.Get("Location"))
		}
		s.Advance(t, 30*time.Minute)
		thief.SetCookie(last[0])
		isErrorPage(t, thief.Get("/authorize?attempt="+id), http.StatusNotFound, "later")
	})
}

func TestABrowserKeepsEightAttempts(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	for way, send := range map[string]func(b *workertest.Browser, params url.Values) *workertest.Answer{
		"GET": func(b *workertest.Browser, params url.Values) *workertest.Answer {
			return b.Get("/authorize?" + params.Encode())
		},
		"POST": func(b *workertest.Browser, params url.Values) *workertest.Answer {
			return posts(b, params)
		},
	} {
		t.Run("the oldest goes, by "+way, func(t *testing.T) {
			b := s.Browser(t)
			var ids []string
			for i := range 12 {
				s.Clock.Advance(time.Second)
				a := b.Follow(send(b, c.AuthorizeParams("state", fmt.Sprint("state-", i))))
				if !a.Has("password") {
					t.Fatalf("%d %s", a.Status, firstLine(a.Body))
				}
				ids = append(ids, attemptIn(t, a))
			}
			if kept := len(b.Cookies("attempt_")); kept != 8 {
				t.Errorf("%d attempts are kept", kept)
			}
			for i, id := range ids {
				a := b.Get("/authorize?attempt=" + id)
				if i < 4 {
					isErrorPage(t, a, http.StatusNotFound, "one of the oldest")
				} else if a = goOn(t, b, a); a.Param("state") != fmt.Sprint("state-", i) {
					t.Errorf("number %d ends with the state %q", i, a.Param("state"))
				}
			}
			if left := b.Cookies("attempt_"); len(left) > 0 {
				t.Errorf("%d cookies are left", len(left))
			}
		})
	}
	t.Run("however large they are, a proxy lets them pass", func(t *testing.T) {
		b := s.Browser(t) // it counts
		for i := range 10 {
			s.Clock.Advance(time.Second)
			a := b.Follow(b.Get(c.Authorize("state", random(300*i%2048+1), "nonce", random(700*i%2048+1))))
			if !a.Has("password") {
				t.Fatalf("%d %s", a.Status, firstLine(a.Body))
			}
			if i == 9 {
				handedBack(t, goOn(t, b, a), c)
			}
		}
	})
}
