package worker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dex/internal/app/worker"
	"dex/internal/app/workertest"
	"dex/internal/connector"
)

// counted returns what Prometheus would read.
func counted(t *testing.T, s *workertest.Server) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Worker.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func TestWhatPeopleAndApplicationsDoIsCounted(t *testing.T) {
	up := &workertest.Upstream{Arrive: func(_ context.Context, name string) (connector.Step, error) {
		switch name {
		case "nobody":
			return connector.Step{}, fmt.Errorf("%w: access_denied", connector.ErrRefused)
		default:
			return connector.Step{}, errors.New("it has fallen over")
		}
	}}
	s := workertest.Start(t, workertest.Options{Config: "metrics_listen: 127.0.0.1:5559\n" + workertest.UpstreamConfig, Kinds: up.Kinds()})
	app, admins := s.Client(t, "app"), s.Client(t, "admins")
	by := []string{"connector_id", "local"}
	tokens := app.Obtain(by...)
	app.Refresh(tokens.RefreshToken)
	app.Refresh("dxr_nonsense")
	app.Redeem("dxc_nonsense")
	app.Token("grant_type", "client_credentials", "scope", "api")
	app.Token("grant_type", "implicit")
	app.Userinfo(tokens.AccessToken)
	b := s.Browser(t)
	b.SignIn(b.Get(app.Authorize(by...)), "ann", "wrong")
	b.SignIn(b.Get(app.Authorize(by...)), "ann", "wrong again")
	b.SignIn(b.Get(admins.Authorize(by...)), "ben", workertest.Password)
	for _, name := range []string{"nobody", "somebody"} {
		app.LoginBy(s.Browser(t), name)
	}
	b.Submit(b.Follow(b.Get(app.Authorize("connector_id", "local", "prompt", "login"))).Form(t, "password"), "cancel", "1")
	for range 3 {
		b.Get("/keys")
	}
	for i := range 200 {
		stranger := s.Client(t, fmt.Sprint("stranger-", i))
		stranger.Token("grant_type", fmt.Sprint("grant-", i))
		s.Browser(t).Get(stranger.Authorize())
		s.Browser(t).Get(fmt.Sprint("/nowhere/", i))
	}
	text := counted(t, s)
	for _, want := range []string{
		`dex_logins_total{client="app",connector="local",result="success",tenant="default"} 1`,
		`dex_logins_total{client="app",connector="local",result="wrong",tenant="default"} 2`,
		`dex_logins_total{client="app",connector="local",result="cancelled",tenant="default"} 1`,
		`dex_logins_total{client="app",connector="elsewhere",result="cancelled",tenant="default"} 1`,
		`dex_logins_total{client="app",connector="elsewhere",result="failed",tenant="default"} 1`,
		`dex_token_requests_total{client="app",grant_type="authorization_code",result="ok",tenant="default"} 1`,
		`dex_token_requests_total{client="app",grant_type="authorization_code",result="invalid_grant",tenant="default"} 1`,
		`dex_token_requests_total{client="app",grant_type="refresh_token",result="ok",tenant="default"} 1`,
		`dex_token_requests_total{client="app",grant_type="refresh_token",result="invalid_grant",tenant="default"} 1`,
		`dex_token_requests_total{client="app",grant_type="client_credentials",result="ok",tenant="default"} 1`,
		`dex_token_requests_total{client="app",grant_type="unknown",result="unsupported_grant_type",tenant="default"} 1`,
		`dex_token_requests_total{client="unknown",grant_type="unknown",result="invalid_client",tenant="default"} 200`,
		`dex_http_requests_total{route="/keys",status="2xx"} 3`, `dex_http_request_duration_seconds_count{route="/keys"} 3`,
		`dex_http_requests_total{route="/userinfo",status="2xx"} 1`, `dex_http_requests_total{route="other",status="4xx"} 200`,
		`dex_http_requests_in_flight 0`, `dex_database_up 1`, `dex_tenants 1`, `dex_tenants_open 1`,
		`dex_connector_up{connector="local",tenant="default"} 1`, `dex_signing_keys_missing{alg="ES256"} 0`, `dex_outbox_waiting 0`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("there is no line %s", want)
		}
	}
	for _, invented := range []string{"stranger-", "grant-1", "nowhere", "nonsense"} {
		if strings.Contains(text, invented) {
			t.Errorf("what a sender invents is a label: %s", invented)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "dex_logins") || strings.HasPrefix(line, "dex_token") || strings.HasPrefix(line, "dex_http_requests_total") {
				t.Log(line)
			}
		}
	}
}

func TestWhoeverHangsUpIsCountedApart(t *testing.T) {
	var hangUp context.CancelFunc
	up := &workertest.Upstream{Arrive: func(ctx context.Context, _ string) (connector.Step, error) {
		hangUp()
		<-ctx.Done()
		return connector.Step{}, ctx.Err()
	}}
	log := &journal{}
	s := workertest.Start(t, workertest.Options{
		Config: "metrics_listen: 127.0.0.1:5559\n" + workertest.UpstreamConfig, Kinds: up.Kinds(), Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	b, app := s.Browser(t), s.Client(t, "app")
	away := b.Follow(b.Get(app.Authorize("connector_id", "elsewhere")))
	code := app.Code(b, "connector_id", "local")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hangUp = cancel
	back := away.Param("redirect_uri") + "?" + url.Values{"state": {away.Param("state")}, "name": {"somebody"}}.Encode()
	arriving := httptest.NewRequestWithContext(ctx, http.MethodGet, back, nil)
	for _, c := range b.Cookies("dex_") {
		arriving.AddCookie(c)
	}
	s.Worker.Handler().ServeHTTP(httptest.NewRecorder(), arriving)
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {app.RedirectURI}, "code_verifier": {app.Verifier}}
	redeeming := httptest.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/token", strings.NewReader(form.Encode()))
	redeeming.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	redeeming.SetBasicAuth("app", "app-secret")
	s.Worker.Handler().ServeHTTP(httptest.NewRecorder(), redeeming)
	text := counted(t, s)
	// Whose request it was is known if the client could still be answered from memory.
	if !regexp.MustCompile(`\ndex_token_requests_total\{client="(app|unknown)?",grant_type="authorization_code",result="hung_up",tenant="default"\} 1\n`).MatchString(text) {
		t.Errorf("no request for tokens is counted that was hung up on:\n%s", text)
	}
	for _, want := range []string{
		`dex_logins_total{client="app",connector="elsewhere",result="hung_up",tenant="default"} 1`,
		`dex_http_requests_total{route="/token",status="hung_up"} 1`, `dex_http_requests_total{route="/token",status="5xx"} 0`,
		`dex_http_requests_total{route="/callback/{connector}",status="hung_up"} 1`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("there is no line %s", want)
		}
	}
	if said := log.String(); strings.Contains(said, "level=ERROR") || !strings.Contains(said, "status=499") {
		t.Errorf("the log says\n%s", said)
	}
}

func TestMetricsAreTheirOwnListenersAndNoOthers(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	s := settingsOf(t, "--db=sqlite:"+filepath.Join(t.TempDir(), "dex.db"), "--issuer=http://127.0.0.1:5556", "--listen=127.0.0.1:0", "--admin-listen=off", "--metrics-listen="+at)
	log := &journal{}
	stop := background(t, func(ctx context.Context) error { return worker.Run(ctx, s, io.Discard, log) })
	until(t, func() (bool, string) {
		resp, err := http.Get((&url.URL{Scheme: "http", Host: at, Path: "/metrics"}).String())
		if err != nil {
			return false, err.Error()
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(body), "\ndex_database_up 1\n"), string(body)
	})
	if err := stop(); err != nil {
		t.Errorf("it stops with %v", err)
	}
	if c, err := net.Dial("tcp", at); err == nil {
		_ = c.Close()
		t.Error("something is left running")
	}
}
