package worker_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/store/storetest"
	"dex/test/fault/calls"
)

// operation is one request that asks something of the database.
type operation struct {
	name string
	// prepare gets everything ready, and returns the request, which may be sent again,
	// and what shows that it has done what it is for.
	prepare func(t *testing.T, s *workertest.Server) (send func() *workertest.Answer, done func(*workertest.Answer) bool)
	// once says that the request spends a proof, which a failure later in the same
	// request does not give back: the second time may be refused, as a replay is.
	once bool
}

func has(text string) func(*workertest.Answer) bool {
	return func(a *workertest.Answer) bool { return a.Status == http.StatusOK && strings.Contains(a.Body, text) }
}

func hasCode(a *workertest.Answer) bool { return a.Param("code") != "" }

var operations = []operation{
	{name: "a login by password", prepare: func(t *testing.T, s *workertest.Server) (func() *workertest.Answer, func(*workertest.Answer) bool) {
		app, b := s.Client(t, "app"), s.Browser(t)
		form := b.Follow(b.Get(app.Authorize())).Form(t, "password")
		return func() *workertest.Answer {
				return b.Submit(form, "login", "ann", "password", workertest.Password)
			}, func(a *workertest.Answer) bool {
				return a.Status == http.StatusSeeOther && len(b.Cookies("dex_session")) == 1
			}
	}},
	{name: "a code for somebody with a session", prepare: func(t *testing.T, s *workertest.Server) (func() *workertest.Answer, func(*workertest.Answer) bool) {
		app, b := s.Client(t, "app"), s.Browser(t)
		app.Code(b)
		return func() *workertest.Answer { return b.Get(app.Authorize()) }, hasCode
	}},
	{name: "consent", once: true, prepare: func(t *testing.T, s *workertest.Server) (func() *workertest.Answer, func(*workertest.Answer) bool) {
		asks, b := s.Client(t, "asks"), s.Browser(t)
		form := b.SignIn(b.Get(asks.Authorize("prompt", "consent")), "ann", workertest.Password).Form(t, "allow")
		return func() *workertest.Answer { return b.Follow(b.Submit(form, "answer", "allow")) }, hasCode
	}},
	{name: "a code for tokens", once: true, prepare: func(t *testing.T, s *workertest.Server) (func() *workertest.Answer, func(*workertest.Answer) bool) {
		app := s.Client(t, "app")
		code := app.Code(s.Browser(t))
		return func() *workertest.Answer {
			return app.Send("/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {app.RedirectURI}, "code_verifier": {app.Verifier}})
		}, has("access_token")
	}},
	{name: "a refresh", prepare: func(t *testing.T, s *workertest.Server) (func() *workertest.Answer, func(*workertest.Answer) bool) {
		app := s.Client(t, "app")
		token := app.Obtain().RefreshToken
		return func() *workertest.Answer {
			return app.Send("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
		}, has("access_token")
	}},
	{name: "a token for the client itself, by an assertion", once: true, prepare: func(t *testing.T, s *workertest.Server) (func() *workertest.Answer, func(*workertest.Answer) bool) {
		b, assertion := s.Browser(t), s.Client(t, "jwt").Assertion(nil)
		return func() *workertest.Answer {
			return b.CrossPost("/token", url.Values{
				"grant_type": {"client_credentials"}, "client_assertion": {assertion},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			})
		}, has("access_token")
	}},
	{name: "a revocation", prepare: func(t *testing.T, s *workertest.Server) (func() *workertest.Answer, func(*workertest.Answer) bool) {
		app := s.Client(t, "app")
		token := app.Obtain().RefreshToken
		return func() *workertest.Answer { return app.Revoke(token) }, func(a *workertest.Answer) bool {
			return a.Status == http.StatusOK && !app.Active(token)
		}
	}},
	{name: "a revocation of an access token", prepare: func(t *testing.T, s *workertest.Server) (func() *workertest.Answer, func(*workertest.Answer) bool) {
		app := s.Client(t, "app")
		token := app.Obtain().AccessToken
		return func() *workertest.Answer { return app.Revoke(token) }, func(a *workertest.Answer) bool {
			return a.Status == http.StatusOK && !app.Active(token)
		}
	}},
	{name: "introspection", prepare: func(t *testing.T, s *workertest.Server) (func() *workertest.Answer, func(*workertest.Answer) bool) {
		app := s.Client(t, "app")
		token := app.Obtain().AccessToken
		return func() *workertest.Answer { return app.Send("/introspect", url.Values{"token": {token}}) }, has(`"active":true`)
	}},
	{name: "userinfo", prepare: func(t *testing.T, s *workertest.Server) (func() *workertest.Answer, func(*workertest.Answer) bool) {
		app := s.Client(t, "app")
		token := app.Obtain().AccessToken
		return func() *workertest.Answer { return app.Userinfo(token) }, has(`"sub"`)
	}},
	{name: "a logout", prepare: func(t *testing.T, s *workertest.Server) (func() *workertest.Answer, func(*workertest.Answer) bool) {
		app, b := s.Client(t, "app"), s.Browser(t)
		hint := app.Redeem(app.Code(b)).IDToken
		cookie := b.Cookies("dex_session")[0]
		return func() *workertest.Answer { return leave(b, "id_token_hint", hint) }, func(a *workertest.Answer) bool {
			thief := s.Browser(t)
			thief.SetCookie(cookie)
			return a.Status == http.StatusOK && thief.Get(app.Authorize("prompt", "none")).Param("error") == "login_required"
		}
	}},
}

// TestOfEachRequestEachCallFails lets each call of the database fail that a request
// leads to. Whoever asked is told to come again, never that something was done which
// was not; and who does come again gets there.
func TestOfEachRequestEachCallFails(t *testing.T) {
	for _, o := range operations {
		for _, how := range []struct {
			name string
			fate calls.Fate
		}{{"it does not get there", calls.Before}, {"its answer is lost", calls.After}} {
			t.Run(o.name+", "+how.name, func(t *testing.T) {
				line := &calls.Line{}
				c := &clock.Fake{}
				// Nothing is answered from memory, so that each request asks for all it needs.
				db := storetest.Open(t, storetest.WithClock(c), storetest.WithLine(line), storetest.WithLease(1))
				line.Lost = storetest.Lost(t, db)
				s := workertest.Start(t, workertest.Options{DB: db, Clock: c})
				for n := 1; failsAt(t, s, line, o, &calls.Nth{N: n, Fate: how.fate}); n++ {
					if n == 100 || t.Failed() {
						t.Fatal("it goes on without an end")
					}
				}
			})
		}
	}
}

// failsAt sends the request with a call that fails, and once more without. It reports
// false if there is no such call.
func failsAt(t *testing.T, s *workertest.Server, line *calls.Line, o operation, nth *calls.Nth) bool {
	t.Helper()
	send, done := o.prepare(t, s)
	line.SetJudge(nth.Judge)
	a := send()
	line.SetJudge(nil)
	call, hit := nth.Hit()
	where := fmt.Sprintf("call %d (%s)", nth.N, call)
	switch {
	case done(a):
	case !hit:
		t.Errorf("without a failure: %d %.300s", a.Status, a.Body)
	case a.Status != http.StatusServiceUnavailable && a.Param("error") != "temporarily_unavailable":
		t.Errorf("%s: %d, to %q, %.600s", where, a.Status, a.Header.Get("Location"), a.Body)
	case a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "":
		t.Errorf("%s: 503 without Retry-After", where)
	default:
		if a := send(); !done(a) && (!o.once || a.Status >= 500) {
			t.Errorf("%s: tried again: %d, to %q, %.300s", where, a.Status, a.Header.Get("Location"), a.Body)
		}
	}
	return hit
}
