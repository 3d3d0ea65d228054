package worker_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"dex/internal/app/workertest"
)

// form returns the fields of a page that sends itself to the client, and where to.
func formPost(t *testing.T, a *workertest.Answer) (to string, fields url.Values) {
	t.Helper()
	f := a.Form(t, "continue")
	return f.Action, f.Values
}

func TestEveryAnswerSaysWhoGivesIt(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	asks := s.Client(t, "asks")
	uri := asks.RedirectURI + "?"
	start := func(b *workertest.Browser, pairs ...string) *workertest.Answer {
		return b.Get(asks.Authorize(pairs...))
	}

	t.Run("1.A 10 the metadata promises it", func(t *testing.T) {
		a := s.Browser(t).Get("/.well-known/oauth-authorization-server")
		if !strings.Contains(a.Body, `"authorization_response_iss_parameter_supported":true`) {
			t.Errorf("the metadata does not: %s", a.Body)
		}
	})
	t.Run("1.A 10 success", func(t *testing.T) {
		a := asks.Login(s.Browser(t))
		q := a.Location().Query()
		if q.Get("iss") != s.URL || q.Get("code") == "" || len(q) != 3 {
			t.Errorf("the answer is %v", q)
		}
	})
	t.Run("1.A 10 the person says no", func(t *testing.T) {
		b := s.Browser(t)
		a := b.SignIn(start(b, "prompt", "consent"), "ann", workertest.Password)
		isTold(t, s, b.Follow(b.Submit(a.Form(t, "deny"), "answer", "deny")), uri, "access_denied", "deny")
	})
	t.Run("1.A 10 nobody is to be asked, and nobody is logged in", func(t *testing.T) {
		isTold(t, s, start(s.Browser(t), "prompt", "none"), uri, "login_required", "prompt=none")
	})
	t.Run("1.A 10 nobody is to be asked, and consent is missing", func(t *testing.T) {
		b := s.Browser(t)
		s.Client(t, "app").Code(b)
		isTold(t, s, start(b, "prompt", "none", "scope", "openid groups"), uri, "consent_required", "prompt=none")
	})
	for what, test := range map[string]struct {
		pairs []string
		code  string
	}{
		"a scope":         {[]string{"scope", "unicorns"}, "invalid_scope"},
		"a response type": {[]string{"response_type", "token"}, "unsupported_response_type"},
		"a prompt":        {[]string{"prompt", "dance"}, "invalid_request"},
		"a request":       {[]string{"request", "e30.e30."}, "invalid_request_object"},
		"a request_uri":   {[]string{"request_uri", "https://a.example/r"}, "invalid_request_uri"},
		"a resource":      {[]string{"resource", "https://api.example"}, "invalid_target"},
		"a registration":  {[]string{"registration", "{}"}, "registration_not_supported"},
		"a cross client":  {[]string{"scope", "openid audience:server:client_id:app"}, "invalid_scope"},
	} {
		t.Run("1.A 10 what is wrong is "+what, func(t *testing.T) {
			isTold(t, s, start(s.Browser(t), test.pairs...), uri, test.code, what)
		})
	}
	t.Run("1.A 10 by a form, success and error", func(t *testing.T) {
		b := s.Browser(t)
		c := s.Client(t, "app")
		_, fields := formPost(t, c.Login(b, "response_mode", "form_post"))
		if fields.Get("iss") != s.URL || fields.Get("code") == "" || fields.Get("state") != "state-of-app" || len(fields) != 3 {
			t.Errorf("success: %v", fields)
		}
		_, fields = formPost(t, s.Browser(t).Get(c.Authorize("response_mode", "form_post", "prompt", "none")))
		if fields.Get("iss") != s.URL || fields.Get("error") != "login_required" || fields.Get("state") != "state-of-app" {
			t.Errorf("error: %v", fields)
		}
	})
	t.Run("1.A 10 in a fragment", func(t *testing.T) {
		c := s.Client(t, "certified")
		a := c.Login(s.Browser(t), "response_mode", "fragment")
		q, err := url.ParseQuery(a.Location().Fragment)
		if err != nil || q.Get("iss") != s.URL || q.Get("code") == "" || a.Location().RawQuery != "" {
			t.Errorf("the answer is %s", a.Header.Get("Location"))
		}
	})
	t.Run("2.3.1 the state comes back as it was", func(t *testing.T) {
		var all strings.Builder
		for c := rune(' '); c <= '~'; c++ {
			all.WriteRune(c)
		}
		for _, state := range []string{all.String(), strings.Repeat(all.String(), 10), "ümläut ☃ \u2028", "a&error=x#y?z", "%25%0a", "+ +"} {
			if got := start(s.Browser(t), "prompt", "none", "state", state).Param("state"); got != state {
				t.Errorf("%q comes back as %q", state, got)
			}
		}
	})
}

func TestNoTokenPassesThroughTheBrowserUnlessTheClientIsRegisteredForIt(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	for _, id := range []string{"app", "certified", "spa"} {
		c := s.Client(t, id)
		for _, responseType := range []string{
			"token", "none", "Code", "CODE", "code ", " code", "code code", "code,token", "code+token", "device_code",
		} {
			t.Run("1.A 11 "+id+" asks for "+responseType, func(t *testing.T) {
				for way, send := range ways(s.Browser(t)) {
					isTold(t, s, send(c.AuthorizeParams("response_type", responseType)), c.RedirectURI+"?", "unsupported_response_type", way)
				}
			})
		}
		for _, responseType := range []string{
			"id_token", "id_token token", "token id_token", "code token", "code id_token", "id_token code", "code id_token token",
		} {
			t.Run("1.A 11 "+id+" asks for "+responseType, func(t *testing.T) {
				for way, send := range ways(s.Browser(t)) {
					a := send(c.AuthorizeParams("response_type", responseType))
					if a.Status != http.StatusSeeOther || a.Fragment("error") != "unauthorized_client" || a.Location().RawQuery != "" {
						t.Errorf("%s: %d, %q", way, a.Status, a.Header.Get("Location"))
					}
				}
			})
		}
		t.Run("2.3.1 "+id+" leaves the response type out", func(t *testing.T) {
			isTold(t, s, s.Browser(t).Get(c.Authorize("response_type", "")), c.RedirectURI+"?", "invalid_request", "no response_type")
		})
	}
}

func TestAnAnswerComesInAModeThatTheClientMayHave(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	for _, test := range []struct{ id, mode, told string }{
		{"app", "query", ""}, {"app", "form_post", ""}, {"spa", "query", ""}, {"certified", "query", ""}, {"certified", "form_post", ""}, {"certified", "fragment", ""},
		{"app", "fragment", "invalid_request"}, {"spa", "fragment", "invalid_request"},
		{"app", "fragment.jwt", "invalid_request"}, {"app", "jwt.query", "invalid_request"}, {"app", "web_message", "invalid_request"}, {"app", "Query", "invalid_request"}, {"app", "form_post ", "invalid_request"},
	} {
		t.Run(fmt.Sprintf("1.A 13 %s asks for %q", test.id, test.mode), func(t *testing.T) {
			c := s.Client(t, test.id)
			if test.told != "" {
				a := s.Browser(t).Get(c.Authorize("response_mode", test.mode, "prompt", "none"))
				isTold(t, s, a, c.RedirectURI+"?", test.told, "not its mode")
				if a.Location().Fragment != "" {
					t.Error("it is told in a fragment")
				}
				return
			}
			a := c.Login(s.Browser(t), "response_mode", test.mode)
			var answer url.Values
			switch test.mode {
			case "form_post":
				to, fields := formPost(t, a)
				if to != c.RedirectURI {
					t.Errorf("the form leads to %s", to)
				}
				answer = fields
			case "fragment":
				answer, _ = url.ParseQuery(a.Location().Fragment)
			default:
				answer = a.Location().Query()
			}
			if got := c.Redeem(answer.Get("code")); got.Status != http.StatusOK {
				t.Errorf("%d %s", got.Status, got.Error)
			}
		})
	}
	t.Run("1.A 13 nothing runs in the page that hands over, and what it hands over is text", func(t *testing.T) {
		c := s.Client(t, "app")
		const nasty = `"><script>alert(1)</script><img src=x onerror=alert(1)>'`
		a := c.Login(s.Browser(t), "response_mode", "form_post", "state", nasty)
		if _, fields := formPost(t, a); fields.Get("state") != nasty {
			t.Errorf("the state is %q", fields.Get("state"))
		}
		policy := a.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("the policy lacks %q: %s", want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("the policy is %s", policy)
		}
		nothingInline(t, a)
		if a.Header.Get("Cache-Control") != "no-store" {
			t.Error("a page with a code may be kept")
		}
	})
}

// nothingInline fails if a page runs something of its own or loads from elsewhere.
func nothingInline(t *testing.T, a *workertest.Answer) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(a.Body))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		src := false
		for _, at := range n.Attr {
			switch {
			case strings.HasPrefix(at.Key, "on"), at.Key == "style", at.Key == "srcdoc":
				t.Errorf("%s: <%s> has %s", a.URL.Path, n.Data, at.Key)
			case at.Key == "src", at.Key == "href" && n.Data != "a", at.Key == "srcset", at.Key == "data", at.Key == "poster":
				src = src || at.Key == "src"
				if u, err := a.URL.Parse(at.Val); err != nil || u.Host != a.URL.Host && u.Scheme != "data" {
					t.Errorf("%s: <%s> loads %s", a.URL.Path, n.Data, at.Val)
				}
			}
		}
		if n.Data == "script" && !src || n.Data == "style" || n.Data == "iframe" || n.Data == "object" || n.Data == "embed" || n.Data == "base" {
			t.Errorf("%s: there is a <%s> in the page", a.URL.Path, n.Data)
		}
	}
}

func TestWhatTheClientWishesOfThePerson(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	app := s.Client(t, "app")
	authTime := func(t *testing.T, a *workertest.Answer) float64 {
		t.Helper()
		tokens := app.Redeem(a.Param("code"))
		if tokens.Status != http.StatusOK {
			t.Fatalf("%d %s; location %q", tokens.Status, tokens.Error, a.Header.Get("Location"))
		}
		at, _ := workertest.Claims(t, tokens.IDToken)["auth_time"].(float64)
		if at == 0 {
			t.Fatal("there is no auth_time")
		}
		return at
	}
	t.Run("1.A 17 prompt=none answers with a session and shows nothing", func(t *testing.T) {
		b := s.Browser(t)
		isTold(t, s, b.Get(app.Authorize("prompt", "none")), app.RedirectURI+"?", "login_required", "nobody is logged in")
		app.Code(b)
		if a := b.Get(app.Authorize("prompt", "none")); a.Param("code") == "" {
			t.Errorf("with a session: %d %s", a.Status, a.Header.Get("Location"))
		}
		isTold(t, s, b.Get(app.Authorize("prompt", "none login")), app.RedirectURI+"?", "invalid_request", "none with another")
	})
	t.Run("1.A 17 prompt=login and a stale max_age ask again, and the time of the login is new", func(t *testing.T) {
		b := s.Browser(t)
		first := authTime(t, app.Login(b))
		for _, wish := range [][]string{{"prompt", "login"}, {"prompt", "select_account"}, {"max_age", "1"}, {"max_age", "0"}} {
			s.Advance(t, 2*time.Second)
			a := b.Get(app.Authorize(wish...))
			if !b.Follow(a).Has("password") {
				t.Fatalf("%v does not ask: %d %s", wish, a.Status, a.Header.Get("Location"))
			}
			again := authTime(t, b.SignIn(a, "ann", workertest.Password))
			if again < first+2 {
				t.Errorf("%v: auth_time was %v and is %v", wish, first, again)
			}
			first = again
		}
	})
	t.Run("1.A 17 a session that is fresh enough is not asked, and keeps its time", func(t *testing.T) {
		b := s.Browser(t)
		first := authTime(t, app.Login(b))
		s.Advance(t, time.Hour)
		for _, wish := range [][]string{nil, {"max_age", "3600"}, {"max_age", "99999999999999"}} {
			if again := authTime(t, b.Get(app.Authorize(wish...))); again != first {
				t.Errorf("%v: auth_time was %v and is %v", wish, first, again)
			}
		}
		isTold(t, s, b.Get(app.Authorize("max_age", "3599", "prompt", "none")), app.RedirectURI+"?", "login_required", "a second too old")
		for _, wrong := range []string{"-1", "1.5", "soon", "0x10", "1e3", "99999999999999999999"} {
			isTold(t, s, b.Get(app.Authorize("max_age", wrong)), app.RedirectURI+"?", "invalid_request", "max_age="+wrong)
		}
	})
	t.Run("1.A 17 a login that was asked for cannot be skipped by going on without it", func(t *testing.T) {
		b := s.Browser(t)
		app.Code(b)
		for _, wish := range [][]string{{"prompt", "login"}, {"max_age", "0"}} {
			s.Advance(t, time.Second)
			attempt := b.Get(app.Authorize(wish...)).Param("attempt")
			if a := b.Get("/authorize?attempt=" + attempt); a.Param("code") != "" || !starts(s, a) {
				t.Errorf("%v: %d %s", wish, a.Status, a.Header.Get("Location"))
			}
		}
	})
	t.Run("1.A 17 hints say who is meant, and never who it is", func(t *testing.T) {
		b := s.Browser(t)
		ann := app.Obtain().IDToken
		a := b.Follow(b.Get(app.Authorize("login_hint", "ben")))
		if login := a.Form(t, "password").Values.Get("login"); login != "ben" {
			t.Errorf("the form has %q", login)
		}
		tokens := app.Redeem(b.SignIn(a, "ann", workertest.Password).Param("code"))
		if sub := workertest.Claims(t, tokens.IDToken)["sub"]; sub != "usr_ann" {
			t.Errorf("ann has logged in, and it is %v", sub)
		}
		if a := b.Get(app.Authorize("login_hint", "ben", "prompt", "none")); a.Param("code") == "" {
			t.Errorf("a hint turns a session away: %s", a.Header.Get("Location"))
		}
		if a := b.Get(app.Authorize("id_token_hint", ann, "prompt", "none")); a.Param("code") == "" {
			t.Errorf("the right id_token_hint: %s", a.Header.Get("Location"))
		}
		s.Advance(t, time.Hour) // the token expires, and is a hint all the same
		if a := b.Get(app.Authorize("id_token_hint", ann, "prompt", "none")); a.Param("code") == "" {
			t.Errorf("an expired id_token_hint: %s", a.Header.Get("Location"))
		}
		other := s.Browser(t)
		other.SignIn(other.Get(app.Authorize()), "ben", workertest.Password)
		isTold(t, s, other.Get(app.Authorize("id_token_hint", ann, "prompt", "none")), app.RedirectURI+"?", "login_required", "a hint at somebody else")
		a = other.Get(app.Authorize("id_token_hint", ann))
		if !other.Follow(a).Has("password") {
			t.Fatalf("somebody else is not asked to log in: %d %s", a.Status, a.Header.Get("Location"))
		}
		isTold(t, s, other.SignIn(a, "ben", workertest.Password), app.RedirectURI+"?", "login_required", "somebody else has logged in again")
	})
	t.Run("1.A 17 no hint breaks out of its place", func(t *testing.T) {
		for _, nasty := range []string{`"><script>alert(1)</script>`, `' onfocus='alert(1)`, "</title><script>alert(1)</script>", "javascript:alert(1)", "{{.}}", "${7*7}"} {
			for _, name := range []string{"login_hint", "ui_locales", "id_token_hint", "acr_values", "display", "claims_locales", "state", "nonce"} {
				b := s.Browser(t)
				a := b.Follow(b.Get(app.Authorize(name, nasty)))
				if !a.Has("password") {
					t.Errorf("%s=%q: %d", name, nasty, a.Status)
					continue
				}
				nothingInline(t, a)
				if name == "login_hint" && a.Form(t, "password").Values.Get("login") != nasty {
					t.Errorf("the hint %q is not shown as it is", nasty)
				}
			}
		}
	})
	t.Run("2.3.1 wishes that cannot be met are no errors", func(t *testing.T) {
		for name, value := range map[string]string{
			"ui_locales": "xx-YY tlh de", "claims_locales": "se", "login_hint": "nobody@example.com", "display": "popup", "acr_values": "urn:mace:incommon:iap:silver 1 2",
			"id_token_hint": "not.a.token", "unicorn": "1", "claims": `{"userinfo":{"name":{"essential":true}}}`,
		} {
			b := s.Browser(t)
			a := b.SignIn(b.Get(app.Authorize(name, value)), "ann", workertest.Password)
			if a.Param("code") == "" {
				t.Errorf("%s=%q: %d %s", name, value, a.Status, a.Header.Get("Location"))
			}
		}
	})
	t.Run("2.3.1 ui_locales choose the language", func(t *testing.T) {
		b := s.Browser(t)
		if a := b.Follow(b.Get(app.Authorize("ui_locales", "tlh de-AT en"))); !strings.Contains(a.Body, `<html lang="de"`) {
			t.Errorf("the page is not German: %.200s", a.Body)
		}
	})
}
