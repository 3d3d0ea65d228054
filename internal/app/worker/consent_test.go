package worker_test

import (
	"net/http"
	"strings"
	"testing"

	"dex/internal/app/workertest"
)

// ask sends somebody who is signed in with an authorization request of a client
// that has to ask. It returns the consent page, or the answer.
func ask(s *workertest.Server, b *workertest.Browser, c *workertest.Client, pairs ...string) *workertest.Answer {
	return b.Follow(b.Get(c.Authorize(append([]string{"scope", "openid profile"}, pairs...)...)))
}

// signIn gives the browser a session, by a client that asks nothing.
func signIn(t *testing.T, s *workertest.Server, b *workertest.Browser, login string) {
	t.Helper()
	c := s.Client(t, "app")
	if a := b.SignIn(b.Get(c.Authorize("prompt", "login")), login, workertest.Password); a.Param("code") == "" {
		t.Fatalf("%s is not signed in: %d", login, a.Status)
	}
}

func TestConsentIsAskedForOnceForEachPersonClientAndScope(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	asks, b := s.Client(t, "asks"), s.Browser(t)
	signIn(t, s, b, "ann")
	if a := ask(s, b, asks, "prompt", "none"); a.Param("error") != "consent_required" {
		t.Errorf("1.M 160: before anything was allowed, prompt=none: %s", a.Header.Get("Location"))
	}
	page := ask(s, b, asks)
	if !page.Has("allow") || !page.Has("deny") || !page.Has("switch") || !page.Has("remember") {
		t.Fatalf("no question: %d", page.Status)
	}
	for _, want := range []string{"Asking application", "asks.example.com", "Ann Example", "ann@example.com"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if a := b.Follow(b.Submit(page.Form(t, "allow"), "answer", "allow", "remember", "1")); a.Param("code") == "" {
		t.Fatalf("%d, to %q", a.Status, a.Header.Get("Location"))
	}
	for _, test := range []struct {
		name  string
		again func() *workertest.Answer
		asked bool
	}{
		{"the same again", func() *workertest.Answer { return ask(s, b, asks) }, false},
		{"without a question", func() *workertest.Answer { return ask(s, b, asks, "prompt", "none") }, false},
		{"less than was allowed", func() *workertest.Answer { return ask(s, b, asks, "scope", "openid") }, false},
		{"the other address of the client", func() *workertest.Answer {
			return ask(s, b, asks, "redirect_uri", "https://asks.example.com/other?x=1")
		}, false},
		{"another browser of the same person", func() *workertest.Answer {
			other := s.Browser(t)
			signIn(t, s, other, "ann")
			return ask(s, other, asks)
		}, false},
		{"a scope more", func() *workertest.Answer { return ask(s, b, asks, "scope", "openid profile email") }, true},
		{"another scope", func() *workertest.Answer { return ask(s, b, asks, "scope", "openid offline_access") }, true},
		{"the client wants to have it asked", func() *workertest.Answer { return ask(s, b, asks, "prompt", "consent") }, true},
		{"another person", func() *workertest.Answer {
			other := s.Browser(t)
			signIn(t, s, other, "ben")
			return ask(s, other, asks)
		}, true},
		{"another person at the same browser", func() *workertest.Answer {
			defer signIn(t, s, b, "ann")
			signIn(t, s, b, "ben")
			return ask(s, b, asks)
		}, true},
	} {
		t.Run("1.M 160 "+test.name, func(t *testing.T) {
			a := test.again()
			if a.Has("allow") != test.asked || test.asked == (a.Param("code") != "") {
				t.Errorf("asked: %v, want %v; %d, to %q", a.Has("allow"), test.asked, a.Status, a.Header.Get("Location"))
			}
		})
	}
}

func TestWhatIsAllowedOnceIsNotRemembered(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	asks, b := s.Client(t, "asks"), s.Browser(t)
	signIn(t, s, b, "ann")
	for range 2 {
		page := ask(s, b, asks)
		if a := b.Follow(b.Submit(page.Form(t, "allow"), "answer", "allow")); a.Param("code") == "" {
			t.Fatalf("%d, to %q", a.Status, a.Header.Get("Location"))
		}
	}
	if a := ask(s, b, asks); !a.Has("allow") {
		t.Errorf("1.M 160: it is remembered: %d, to %q", a.Status, a.Header.Get("Location"))
	}
}

func TestSayingNo(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	asks, b := s.Client(t, "asks"), s.Browser(t)
	signIn(t, s, b, "ann")
	t.Run("1.M 160 no", func(t *testing.T) {
		a := b.Follow(b.Submit(ask(s, b, asks).Form(t, "deny"), "answer", "deny", "remember", "1"))
		if a.Param("error") != "access_denied" || a.Param("code") != "" || a.Param("state") == "" || a.Param("iss") != s.URL {
			t.Errorf("to %q", a.Header.Get("Location"))
		}
		if !ask(s, b, asks).Has("allow") {
			t.Error("the no is remembered, or worse, was a yes")
		}
	})
	t.Run("1.M 160 no answer at all", func(t *testing.T) {
		f := ask(s, b, asks).Form(t, "allow")
		for _, answer := range []string{"", "yes", "ALLOW", "allow "} {
			if a := b.Submit(f, "answer", answer, "remember", "1"); a.Status != http.StatusBadRequest {
				t.Errorf("%q: %d, to %q", answer, a.Status, a.Header.Get("Location"))
			}
		}
		if !ask(s, b, asks).Has("allow") {
			t.Error("one of these counted as consent")
		}
	})
	t.Run("1.M 160 a yes that was meant for less", func(t *testing.T) {
		a := b.Follow(b.Submit(ask(s, b, asks).Form(t, "allow"), "answer", "allow", "scope", "openid email groups offline_access", "scopes", "email"))
		if got := asks.Redeem(a.Param("code")); got.Scope != "openid profile" {
			t.Errorf("the scope is %q", got.Scope)
		}
	})
	t.Run("1.M 160 somebody else wants to answer", func(t *testing.T) {
		a := b.Follow(b.Submit(ask(s, b, asks).Form(t, "switch"), "answer", "switch"))
		if !a.Has("password") {
			t.Fatalf("nobody can log in: %d", a.Status)
		}
		page := b.SignIn(a, "ben", workertest.Password)
		if !page.Has("allow") || !strings.Contains(page.Body, "Ben Beispiel") {
			t.Fatalf("ben is not asked: %d", page.Status)
		}
		tokens := asks.Redeem(b.Follow(b.Submit(page.Form(t, "allow"), "answer", "allow")).Param("code"))
		if workertest.Claims(t, tokens.IDToken)["sub"] != "usr_ben" {
			t.Error("the answer is not about ben")
		}
	})
	t.Run("1.M 160 the page is still open when somebody else has signed in", func(t *testing.T) {
		signIn(t, s, b, "ann")
		f := ask(s, b, asks).Form(t, "allow")
		signIn(t, s, b, "ben")
		a := b.Follow(b.Submit(f, "answer", "allow", "remember", "1"))
		if a.Param("code") == "" {
			return // it has to be asked again, or logged in again
		}
		// Ben's browser answered, and ben is whom the answer is about.
		if sub := workertest.Claims(t, asks.Redeem(a.Param("code")).IDToken)["sub"]; sub != "usr_ben" {
			t.Errorf("ben's yes let the client have %v", sub)
		}
	})
}

func TestAnApplicationThatAnyOtherCouldBeIsAskedAboutEachTime(t *testing.T) {
	// 1.A 8 and 1.M 160: RFC 8252 section 8.6. The client is trusted, and what its
	// person allows is remembered for its other addresses; it does not matter.
	s := workertest.Start(t, workertest.Options{})
	native, b := s.Client(t, "native"), s.Browser(t)
	native.RedirectURI = "com.example.native:/cb"
	signIn(t, s, b, "ann")
	for range 2 {
		page := ask(s, b, native)
		if !page.Has("allow") || !strings.Contains(page.Body, "com.example.native:") {
			t.Fatalf("not asked, or not told where it leads: %d, to %q", page.Status, page.Header.Get("Location"))
		}
		if page.Has("remember") {
			t.Error("the page promises to remember what is asked each time")
		}
		if a := b.Follow(b.Submit(page.Form(t, "allow"), "answer", "allow", "remember", "1")); a.Param("code") == "" {
			t.Fatalf("%d, to %q", a.Status, a.Header.Get("Location"))
		}
	}
	if a := ask(s, b, native, "prompt", "none"); a.Param("error") != "consent_required" {
		t.Errorf("without a question: %q", a.Header.Get("Location"))
	}
}

func TestTrustedClientsAreNotAskedAboutUnlessTheyWantTo(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	b := s.Browser(t)
	signIn(t, s, b, "ann")
	if a := ask(s, b, s.Client(t, "es256")); a.Param("code") == "" {
		t.Errorf("1.M 160: asked: %d", a.Status)
	}
	if a := ask(s, b, s.Client(t, "es256"), "prompt", "consent"); !a.Has("allow") {
		t.Errorf("1.M 160: not asked, though the client wants it: %d, to %q", a.Status, a.Header.Get("Location"))
	}
	if a := ask(s, b, s.Client(t, "es256"), "prompt", "consent", "scope", "openid audience:server:client_id:other"); a.Has("allow") {
		t.Error("1.M 160: a client that is not trusted by the audience asks for it")
	}
	if a := ask(s, b, s.Client(t, "app"), "prompt", "consent", "scope", "openid audience:server:client_id:other"); !a.Has("allow") || !strings.Contains(a.Body, "Other application") {
		t.Errorf("1.M 160: the page does not say for whom else it is: %d", a.Status)
	}
}

func TestConsentThatIsTakenBackTakesItsTokensAlong(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	second := workertest.Start(t, workertest.Options{DB: s.DB, Clock: s.Clock, Issuer: s.URL})
	asks, app, b := s.Client(t, "asks"), s.Client(t, "app"), s.Browser(t)
	signIn(t, s, b, "ann")
	first := asks.Redeem(asks.Code(b)) // remembered
	unused := asks.Code(b)
	others := app.Redeem(app.Code(b))
	bens := s.Browser(t)
	signIn(t, s, bens, "ben")
	ofBen := asks.Redeem(asks.Code(bens))
	if err := s.Tenant.RevokeConsent(t.Context(), "usr_ann", "asks", s.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	for i, server := range []*workertest.Server{s, second} {
		c := server.Client(t, "asks")
		if c.Active(first.AccessToken) || c.Active(first.RefreshToken) || c.Userinfo(first.AccessToken).Status != http.StatusUnauthorized {
			t.Errorf("1.M 160: worker %d honours a token", i+1)
		}
	}
	if got := asks.Refresh(first.RefreshToken); got.Error != "invalid_grant" {
		t.Errorf("1.M 160: the refresh token: %d %s", got.Status, got.Error)
	}
	if got := asks.Redeem(unused); got.Error != "invalid_grant" {
		t.Errorf("1.M 160: a code: %d %s", got.Status, got.Error)
	}
	if !ask(s, b, asks).Has("allow") {
		t.Error("1.M 160: it is not asked again")
	}
	if !app.Active(others.AccessToken) {
		t.Error("1.M 160: another client's tokens are gone")
	}
	if !asks.Active(ofBen.AccessToken) {
		t.Error("1.M 160: another person's tokens are gone")
	}
}

// dexctl is such a client. Whoever shares the machine can listen where it would, so that
// a page which sends an owner's browser there would have everything without a word.
func TestAdministrativeRightsOnADeviceAreAskedForEachTime(t *testing.T) {
	const tool = `
- {id: tool, name: The tool, public: true, native: true, trusted: true, redirect_uris: ["http://127.0.0.1/cb"], scopes: [openid, "dex:users:read", "dex:users:write", "dex:audit:read"]}
`
	s := workertest.Start(t, workertest.Options{Clients: tool})
	s.SetRole(t, "ann", "owner")
	c, b := s.Client(t, "tool"), s.Browser(t)
	c.RedirectURI = "http://127.0.0.1:49152/cb"
	signIn(t, s, b, "ann")
	everything := []string{"scope", "openid dex:users:read dex:users:write dex:audit:read"}
	for _, round := range []string{"first", "again"} {
		page := ask(s, b, c, everything...)
		if !page.Has("allow") || page.Has("remember") {
			t.Fatalf("%s: %d, to %q: %s", round, page.Status, page.Header.Get("Location"), page.Body)
		}
		for _, want := range []string{"The tool", "127.0.0.1:49152", "Ann Example", "Create, change and delete people’s accounts", "See the record of what was done"} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("%s: the page does not say %q", round, want)
			}
		}
		if strings.Contains(page.Body, "dex:") {
			t.Errorf("%s: the page names a scope that is no word: %s", round, page.Body)
		}
		if a := b.Follow(b.Submit(page.Form(t, "allow"), "answer", "allow", "remember", "1")); a.Param("code") == "" {
			t.Errorf("%s: allowed, it is %d, to %q", round, a.Status, a.Header.Get("Location"))
		}
	}
	if a := ask(s, b, c, append(everything, "prompt", "none")...); a.Param("error") != "consent_required" {
		t.Errorf("prompt=none: %s", a.Header.Get("Location"))
	}
	if a := ask(s, b, c, "scope", "openid"); a.Param("code") == "" {
		t.Errorf("what is of no power is asked for too: %d", a.Status)
	}
}
