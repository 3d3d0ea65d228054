package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/connector"
	"dex/internal/connector/local"
	"dex/internal/connector/mock"
	"dex/internal/store/storetest"
)

func TestWithoutADatabaseNothingIsGrantedAndNothingIsClaimed(t *testing.T) {
	// 1.N 168: an error is a no, and an honest one: nobody hears that something was
	// revoked, or that they are out, when it was not.
	log, c := &journal{}, &clock.Fake{}
	db := storetest.OpenFile(t, storetest.WithClock(c), storetest.WithLease(1)) // nothing is answered from memory
	s := workertest.Start(t, workertest.Options{DB: db, Clock: c, Log: slog.New(slog.NewTextHandler(log, nil))})
	app, asks, b := s.Client(t, "app"), s.Client(t, "asks"), s.Browser(t)
	code, other := app.Code(b), app.Code(b)
	tokens := app.Redeem(other)
	form := s.Browser(t)
	password := form.Follow(form.Get(app.Authorize())).Form(t, "password")
	consent := b.Follow(b.Get(asks.Authorize())).Form(t, "allow")
	logout := b.Get("/logout").Form(t, "confirm-logout")
	cookie := b.Cookies("dex_session")[0].Value
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	honest := func(name string, a *workertest.Answer) {
		t.Helper()
		if a.Status < 500 && a.Param("error") == "" {
			t.Errorf("%s: %d, to %q, %.200s", name, a.Status, a.Header.Get("Location"), a.Body)
		}
		if a.Param("code") != "" || strings.Contains(a.Body, "access_token") || strings.Contains(a.Body, `"active":true`) {
			t.Errorf("%s: granted: to %q, %.200s", name, a.Header.Get("Location"), a.Body)
		}
		for _, internal := range []string{"sql:", "database is closed", "goroutine ", ".go:", "SELECT"} {
			if strings.Contains(a.Body, internal) || strings.Contains(a.Header.Get("Location"), internal) {
				t.Errorf("1.N 174: %s tells of our inside: %.300s", name, a.Body)
			}
		}
	}
	honest("a login", form.Submit(password, "login", "ann", "password", workertest.Password))
	honest("a session", b.Get(app.Authorize("prompt", "none")))
	honest("consent", b.Submit(consent, "answer", "allow", "remember", "1"))
	honest("leaving", b.Submit(logout))
	honest("leaving by the application", leave(b, "id_token_hint", tokens.IDToken))
	honest("the home page of somebody who is signed in", b.Get("/"))
	for name, form := range map[string]url.Values{
		"/token":        {"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {app.RedirectURI}, "code_verifier": {app.Verifier}},
		"/token again":  {"grant_type": {"refresh_token"}, "refresh_token": {tokens.RefreshToken}},
		"/token itself": {"grant_type": {"client_credentials"}},
		"/introspect":   {"token": {tokens.AccessToken}},
		"/revoke":       {"token": {tokens.RefreshToken}},
	} {
		path, _, _ := strings.Cut(name, " ")
		honest(name, app.Send(path, form))
	}
	honest("userinfo", app.Userinfo(tokens.AccessToken))
	if cookies := b.Cookies("dex_session"); len(cookies) != 1 || cookies[0].Value != cookie {
		t.Error("the browser has lost its session, which has not ended")
	}
	for _, secret := range []string{workertest.Password, code, tokens.RefreshToken, cookie, "app-secret"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("1.N 173: the log holds %q", secret)
		}
	}
}

// panicky panics in each of its calls.
type panicky struct{}

func (panicky) Begin(context.Context, connector.Login) (connector.Step, error) {
	panic("the secret of panicky")
}

func (panicky) Continue(context.Context, connector.Login, connector.Answer) (connector.Step, error) {
	panic("the secret of panicky")
}

func TestAPanicIsAnErrorPageAndNoMore(t *testing.T) {
	log := &journal{}
	kinds := []connector.Kind{local.Kind, mock.Kind, {Name: "oidc", New: func(json.RawMessage, connector.Env) (connector.Connector, error) { return panicky{}, nil }}}
	s := workertest.Start(t, workertest.Options{Config: workertest.UpstreamConfig, Kinds: kinds, Log: slog.New(slog.NewTextHandler(log, nil))})
	b := s.Browser(t)
	a := b.Follow(b.Get(s.Client(t, "app").Authorize()))
	attempt := a.Form(t, "cancel").Values.Get("attempt")
	for range 70 { // as many as the connector has seats, and more
		a := b.Get("/login/elsewhere?attempt=" + attempt)
		if a.Status != http.StatusInternalServerError || !a.Has("support-code") || strings.Contains(a.Body, "secret") || strings.Contains(a.Body, "goroutine") {
			t.Fatalf("1.N 174: %d %.300s", a.Status, a.Body)
		}
	}
	support := b.Get("/login/elsewhere?attempt=" + attempt).Body
	_, support, _ = strings.Cut(support, `id="support-code">`)
	support, _, _ = strings.Cut(support, "<")
	if !strings.Contains(log.String(), support) || !strings.Contains(log.String(), "fallible_test.go") {
		t.Errorf("1.N 174: the log does not tell where %q comes from", support)
	}
	if a := b.SignIn(b.Get("/login/local?attempt="+attempt), "ann", workertest.Password); a.Param("code") == "" {
		t.Errorf("its neighbour: %d", a.Status)
	}
}

func TestNothingGrowsByWhatStrangersInvent(t *testing.T) {
	// 1.N 170: no memory is kept by a client, a language, a key, an origin, a name or
	// an attempt that a stranger thinks of.
	s := workertest.Start(t, workertest.Options{})
	agent := s.Browser(t)
	flood := func(n int) {
		for i := range n {
			invented := fmt.Sprint(i, strings.Repeat("x", 2000))
			agent.Forget()
			agent.Header = http.Header{"Accept-Language": {invented}, "Origin": {"https://" + invented}, "User-Agent": {invented}}
			agent.Get("/authorize?client_id=" + invented)
			agent.Get(s.Client(t, "app").Authorize("ui_locales", invented, "prompt", "none", "state", invented[:500]))
			agent.Get("/login?attempt=" + invented)
			agent.Get("/callback/" + invented)
			agent.Post("/token", url.Values{"client_id": {invented}, "client_secret": {invented}, "grant_type": {invented}})
			send(t, s, http.MethodOptions, "/token", func(r *http.Request) {
				r.Header.Set("Origin", "https://"+invented[:200]+".example.com")
				r.Header.Set("Access-Control-Request-Method", "POST")
			})
			req := "eyJhbGciOiJFUzI1NiIsImtpZCI6Ii" + invented
			send(t, s, http.MethodGet, "/userinfo", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+req+".e30.AAAA") })
		}
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	flood(50) // what is made once is made
	before := heap()
	const n = 800
	flood(n)
	// Kept just once, what was invented would be seven times this.
	if after := heap(); after > before+n*2000 {
		t.Errorf("the memory grew by %d KiB", (after-before)>>10)
	}
}
