package worker_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"dex/internal/app/config"
	"dex/internal/app/worker"
	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/base/seal"
	"dex/internal/domain/key"
	"dex/internal/store/storetest"
	"dex/test/postgres"
)

// settingsOf reads settings as the program does.
func settingsOf(t *testing.T, args ...string) *config.Settings {
	t.Helper()
	flags := pflag.NewFlagSet("dex-worker", pflag.ContinueOnError)
	config.BindFlags(flags)
	if err := flags.Parse(append([]string{"--admin-listen=127.0.0.1:0"}, args...)); err != nil {
		t.Fatal(err)
	}
	s, err := config.Load(config.Source{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// process is a worker that serves at a port of its own.
type process struct {
	t    *testing.T
	url  string
	log  *journal
	stop func() error
}

// serve starts a worker. It has not opened its database yet when serve returns.
func serve(t *testing.T, args ...string) *process {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, url: "http://" + listener.Addr().String(), log: &journal{}}
	s := settingsOf(t, append([]string{"--issuer=" + p.url}, args...)...)
	w, err := worker.New(s, worker.Options{Log: slog.New(slog.NewTextHandler(p.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	p.stop = background(t, func(ctx context.Context) error { return w.Serve(ctx, listener) })
	return p
}

// background runs f until it is stopped, or the test ends.
func background(t *testing.T, f func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

func (p *process) get(path string) (int, string) {
	p.t.Helper()
	resp, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// until asks for readiness until the answer is as wanted.
func (p *process) until(status int, holds string) string {
	p.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 6000 {
		got, body := p.get("/readyz")
		if got == status && strings.Contains(body, holds) {
			return body
		}
		<-tick.C
	}
	got, body := p.get("/readyz")
	p.t.Fatalf("/readyz never becomes %d with %q, but is %d %s\n%s", status, holds, got, body, p.log)
	return ""
}

func TestAWorkerWaitsForItsDatabaseAndBecomesReadyByItself(t *testing.T) {
	cluster, err := postgres.Start(postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cluster.Stop() }()
	address := strings.Replace(cluster.URL("postgres"), "@", ":canary-password@", 1)
	if err := cluster.Kill9(); err != nil {
		t.Fatal(err)
	}
	secret := "--key-secrets=" + seal.NewSecret().Reveal()
	p := serve(t, "--db="+address, secret, "--duties=false")
	body := p.until(http.StatusServiceUnavailable, "database")
	for path, want := range map[string]int{"/livez": 200, "/": 503, "/keys": 503, "/authorize?client_id=x": 503, "/token": 503} {
		if got, _ := p.get(path); got != want {
			t.Errorf("meanwhile %s: %d, want %d", path, got, want)
		}
	}
	if err := cluster.Restart(); err != nil {
		t.Fatal(err)
	}
	// It is there, and empty; to fill it is not this worker's duty.
	body += p.until(http.StatusServiceUnavailable, "migrated")
	other := serve(t, "--db="+address, secret, "--issuer="+p.url)
	other.until(http.StatusOK, "ready")
	p.until(http.StatusOK, "ready")
	if got, keys := p.get("/keys"); got != http.StatusOK || !strings.Contains(keys, `"kty"`) {
		t.Errorf("ready without keys: %d %s", got, keys)
	}
	if err := cluster.Kill9(); err != nil {
		t.Fatal(err)
	}
	body += p.until(http.StatusOK, `"degraded","because":"the database"`)
	for _, path := range []string{"/keys", "/.well-known/openid-configuration", "/livez"} {
		if got, _ := p.get(path); got != http.StatusOK {
			t.Errorf("1.E 77: without a database %s: %d", path, got)
		}
	}
	if err := cluster.Restart(); err != nil {
		t.Fatal(err)
	}
	p.until(http.StatusOK, "ready")
	if text := body + p.log.String() + other.log.String(); strings.Contains(text, "canary-password") || strings.Contains(text, secret[14:]) {
		t.Errorf("1.N 173: a password is told: %s", text)
	}
	if n := strings.Count(p.log.String(), "msg=waiting"); n < 2 || n > 4 {
		t.Errorf("what it waits for is told %d times; want once for each reason:\n%s", n, p.log)
	}
	if err := p.stop(); err != nil {
		t.Errorf("it stops with %v", err)
	}
}

func TestAWorkerWithoutItsDatabaseIsReadyForAsLongAsItsKeysAreGood(t *testing.T) {
	c := &clock.Fake{}
	db := storetest.OpenFile(t, storetest.WithClock(c))
	s := workertest.Start(t, workertest.Options{DB: db, Clock: c})
	at := func(name string, status int, body string) {
		t.Helper()
		a := s.Browser(t).Get("/readyz")
		if a.Status != status || !strings.HasPrefix(a.Body, body) {
			t.Errorf("%s: %d %s; want %d %s", name, a.Status, a.Body, status, body)
		}
		for _, path := range []string{"/keys", "/.well-known/openid-configuration"} {
			if a := s.Browser(t).Get(path); a.Status != http.StatusOK || !strings.Contains(a.Body, "{") {
				t.Errorf("%s: %s is %d", name, path, a.Status)
			}
		}
	}
	at("all is well", 200, `{"status":"ready","connectors":{"local":true}}`)
	s.Clock.Advance(key.DefaultTiming.Snapshot + time.Second)
	at("nobody has looked at the keys for too long to sign", 200, `{"status":"degraded","because":"the signing keys"}`)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	at("the database is away", 200, `{"status":"degraded","because":"the database"}`)
	s.Clock.Advance(key.DefaultTiming.Serving - key.DefaultTiming.Snapshot - time.Second)
	at("at the last moment", 200, `{"status":"degraded","because":"the database"}`)
	s.Clock.Advance(time.Second)
	at("the keys are too old to be told to all", 503, `{"status":"waiting","waiting_for":"the signing keys"}`)
}

func TestWhatWillNotComeByWaitingEndsTheStart(t *testing.T) {
	dir := t.TempDir()
	first, second := seal.NewSecret(), seal.NewSecret()
	db := "--db=sqlite:" + filepath.Join(dir, "dex.db")
	open := func(t *testing.T, args ...string) error {
		t.Helper()
		w, err := worker.New(settingsOf(t, append([]string{db, "--issuer=https://a.example.com"}, args...)...), worker.Options{})
		if err != nil {
			return err
		}
		defer func() { _ = w.Close() }()
		return w.Open(t.Context())
	}
	if err := open(t, "--key-secrets="+first.Reveal()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		says []string // nothing if it starts
	}{
		{name: "the key secret was replaced", args: []string{"--key-secrets=" + second.Reveal()}, says: []string{"key secret", first.ID()}},
		{name: "the key secrets are forgotten", says: []string{"key secret", first.ID()}},
		{name: "another issuer", args: []string{"--key-secrets=" + first.Reveal(), "--issuer=https://b.example.com"}, says: []string{"https://a.example.com", "https://b.example.com"}},
		{name: "a new key secret before the old one", args: []string{"--key-secrets=" + second.Reveal() + "," + first.Reveal()}},
		{name: "the old one again", args: []string{"--key-secrets=" + first.Reveal()}},
		{name: "a database that cannot be", args: []string{"--key-secrets=" + first.Reveal(), "--db=sqlite:" + filepath.Join(dir, "nowhere", "dex.db")}, says: []string{"nowhere"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := open(t, test.args...)
			if (err != nil) != (test.says != nil) {
				t.Fatalf("got %v", err)
			}
			for _, want := range test.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %q", err, want)
				}
			}
			if err != nil && (strings.Contains(err.Error(), first.Reveal()) || strings.Contains(err.Error(), second.Reveal())) {
				t.Errorf("1.N 173: %q tells a secret", err)
			}
		})
	}
}

func TestTheKeySecretIsMadeOnceAndKeptBesideTheDatabase(t *testing.T) {
	dir := t.TempDir()
	s := settingsOf(t, "--db=sqlite:"+filepath.Join(dir, "dex.db"), "--issuer=https://a.example.com")
	for range 2 {
		w, err := worker.New(s, worker.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{s.KeyFile(), filepath.Join(dir, "dex.db")} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	for name, text := range map[string]string{
		"it is empty": "", "it is half": "c2hvcnQ=\n", "it is none": "what?\n", "it is zero": base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n",
	} {
		if err := os.WriteFile(s.KeyFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := worker.New(s, worker.Options{}); err == nil || !strings.Contains(err.Error(), s.KeyFile()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATakenPortSaysWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	at := taken.Addr().String()
	for _, test := range []struct{ name, flag, other string }{
		{"the server's", "--listen", "--demo-listen"},
		{"the demo application's", "--demo-listen", "--listen"},
		{"that of the administrators' API", "--admin-listen", "--listen"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := settingsOf(t, "--no-db", "--demo-listen=127.0.0.1:0", test.other+"=127.0.0.1:0", test.flag+"="+at)
			err := worker.Run(t.Context(), s, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), at+" is taken") || !strings.Contains(err.Error(), "choose another with "+test.flag) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWhoTriesDexIsToldWhereToGoAndWhomToLogInAs(t *testing.T) {
	out, log := &journal{}, &journal{}
	s := settingsOf(t, "--no-db", "--listen=127.0.0.1:0", "--demo-listen=127.0.0.1:0")
	stop := background(t, func(ctx context.Context) error { return worker.Run(ctx, s, out, log) })
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 6000 {
		if strings.Contains(out.String(), "Ctrl-C") {
			break
		}
		<-tick.C
	}
	told := out.String()
	for _, want := range []string{"without a database", "ann@example.com", "ann-likes-dex", "ben@example.com", "ben-likes-dex", "Mail", "Stop"} {
		if !strings.Contains(told, want) {
			t.Errorf("it does not say %q:\n%s", want, told)
		}
	}
	addresses := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindAllString(told, -1)
	if len(addresses) != 2 || addresses[0] == addresses[1] {
		t.Fatalf("the addresses are %q", addresses)
	}
	demo, issuer := &process{t: t, url: addresses[0], log: log}, &process{t: t, url: addresses[1], log: log}
	issuer.until(http.StatusOK, "ready")
	_, body := issuer.get("/.well-known/openid-configuration")
	var metadata struct{ Issuer string }
	if err := json.Unmarshal([]byte(body), &metadata); err != nil || metadata.Issuer != issuer.url {
		t.Errorf("the issuer is %q, and %q was told", metadata.Issuer, issuer.url)
	}
	if status, home := issuer.get("/"); status != http.StatusOK || !strings.Contains(home, demo.url) {
		t.Errorf("the home page does not lead to the demo application: %d", status)
	}
	if status, page := demo.get("/"); status != http.StatusOK || !strings.Contains(page, "<html") {
		t.Errorf("the demo application: %d", status)
	}
	if strings.Contains(log.String(), "likes-dex") {
		t.Errorf("1.N 173: the log tells a password:\n%s", log)
	}
	if err := stop(); err != nil {
		t.Errorf("it stops with %v", err)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(demo.url, "http://")); err == nil {
		_ = c.Close()
		t.Error("something is left running")
	}
}

func TestNoProfilerAndNoMetricsOnThePublicPort(t *testing.T) {
	// 1.N 175
	p := serve(t, "--db=sqlite:"+filepath.Join(t.TempDir(), "dex.db"))
	p.until(http.StatusOK, "ready")
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/metrics", "/admin", "/api/v1", "/.env", "/.git/config", "/server-status"} {
		if status, _ := p.get(path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestAWorkerThatIsStoppedWhileItWaitsEndsQuietly(t *testing.T) {
	for _, duties := range []string{"true", "false"} {
		p := serve(t, "--issuer", "https://dex.example.com", "--db", "postgres://dex@127.0.0.1:1/dex",
			"--key-secrets", worker.NewKeySecret(), "--duties="+duties)
		p.until(http.StatusServiceUnavailable, "database")
		if err := p.stop(); err != nil {
			t.Errorf("duties %s: it ended with %v", duties, err)
		}
	}
}
