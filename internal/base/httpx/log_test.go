package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
)

// logged is a log that a test can read.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// line returns the one line that was written.
func (l *logged) line(t *testing.T) map[string]any {
	t.Helper()
	var line map[string]any
	if err := json.Unmarshal([]byte(l.String()), &line); err != nil {
		t.Fatalf("not one line: %q", l.String())
	}
	return line
}

func TestARequestHasOneLine(t *testing.T) {
	log := &logged{}
	var id string
	h := Log(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id = RequestID(r.Context())
		Annotate(r.Context(), slog.String("client_id", "app"), slog.Any("code", secret.Value("dxc_hidden")))
		LogError(r.Context(), errors.New("first"))
		LogError(r.Context(), errors.New("why it failed"))
		LogError(r.Context(), nil)
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "12345")
	}), log.logger())
	r := httptest.NewRequest("POST", "/token?code=dxc_hidden", nil)
	r.RemoteAddr = "192.0.2.7:1234"
	got := do(h, r)

	line := log.line(t)
	want := map[string]any{
		"level": "INFO", "msg": "request", "method": "POST", "path": "/token", "status": 418.0, "bytes": 5.0,
		"remote": "192.0.2.7", "client_id": "app", "error": "why it failed", "request_id": id, "code": "[secret]",
	}
	for key, value := range want {
		if line[key] != value {
			t.Errorf("%s is %v, want %v", key, line[key], value)
		}
	}
	if _, ok := line["duration_ms"].(float64); !ok || len(id) != idLength || got.Header.Get("X-Request-Id") != id {
		t.Errorf("duration %v, id %q, header %q", line["duration_ms"], id, got.Header.Get("X-Request-Id"))
	}
	if strings.Contains(log.String(), "hidden") || strings.Contains(log.String(), "aborted") {
		t.Errorf("the line says too much: %s", log.String())
	}
}

func TestTheLineTellsHowItEnded(t *testing.T) {
	for _, test := range []struct {
		name  string
		h     http.Handler
		level string
		has   map[string]any
	}{
		{
			name:  "well, without a word about the status",
			h:     http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
			level: "INFO", has: map[string]any{"status": 200.0, "bytes": 0.0},
		},
		{
			name: "well, after an answer in advance",
			h: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusNoContent)
			}),
			level: "INFO", has: map[string]any{"status": 204.0},
		},
		{
			name:  "with a failure of ours",
			h:     http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }),
			level: "ERROR", has: map[string]any{"status": 502.0},
		},
		{
			name:  "with a panic that a handler is kept from",
			h:     Handle(func(http.ResponseWriter, *http.Request) error { panic("what happened") }, answer),
			level: "ERROR", has: map[string]any{"status": 500.0, "error": "Something went wrong on our side.: panic: what happened"},
		},
		{
			name:  "with a panic that nobody caught",
			h:     http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") }),
			level: "ERROR", has: map[string]any{"aborted": true},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := &logged{}
			func() {
				defer func() { _ = recover() }()
				do(Log(test.h, log.logger()), httptest.NewRequest("GET", "/", nil))
			}()
			line := log.line(t)
			if line["level"] != test.level {
				t.Errorf("level %v, want %s", line["level"], test.level)
			}
			for key, value := range test.has {
				if line[key] != value {
					t.Errorf("%s is %v, want %v", key, line[key], value)
				}
			}
			if stack, ok := line["stack"].(string); strings.Contains(test.name, "kept from") != (ok && strings.Contains(stack, "log_test.go")) {
				t.Errorf("stack: %v", line["stack"])
			}
		})
	}
}

func TestALineIsOneLineWhateverIsAskedFor(t *testing.T) {
	log := &logged{}
	h := Log(http.NotFoundHandler(), log.logger())
	r := httptest.NewRequest("GET", "/", nil)
	r.URL.Path = "/\r\n{\"level\":\"forged\"}\x00\xff" + strings.Repeat("x", 10000)
	do(h, r)
	if n := strings.Count(log.String(), "\n"); n != 1 || len(log.String()) > 1000 {
		t.Errorf("%d lines of %d bytes", n, len(log.String()))
	}
	log.line(t)
}

func TestTheAnswerCanStillBeFlushedThroughTheLog(t *testing.T) {
	h := Log(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	}), slog.New(slog.DiscardHandler))
	do(h, httptest.NewRequest("GET", "/", nil))
}

func TestWithoutALogNothingIsLost(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	Annotate(r.Context(), slog.String("a", "b"))
	LogError(r.Context(), errors.New("x"))
	if id := RequestID(r.Context()); id != "" {
		t.Errorf("an id without a log: %q", id)
	}
}

func TestHandlersMayAnnotateFromManyGoroutines(t *testing.T) {
	log := &logged{}
	do(Log(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { Annotate(r.Context(), slog.Duration("d", time.Second)) })
		}
		all.Wait()
	}), log.logger()), httptest.NewRequest("GET", "/", nil))
	if n := strings.Count(log.String(), `"d":`); n != 8 {
		t.Errorf("%d of 8 attributes", n)
	}
}

func BenchmarkAround(b *testing.B) {
	h := RealAddr(Log(Headers(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}), true), slog.New(slog.NewJSONHandler(io.Discard, nil))), nil) //nolint:sloglint // Writing the line is part of what is measured.
	r := httptest.NewRequest("GET", "/keys", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&sink{header: http.Header{}}, r)
	}
}

// sink is an answer that nobody reads.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

func TestAProbeIsSeenOnlyByWhoLooksForIt(t *testing.T) {
	probe := func(status int, fails bool) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			Quiet(r.Context())
			if fails {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
		})
	}
	for _, c := range []struct {
		name   string
		status int
		fails  bool
		level  slog.Level // of the log
		want   string     // level of the line
	}{
		{"one that went well", 200, false, slog.LevelInfo, ""},
		{"one that has to wait", 503, false, slog.LevelInfo, ""},
		{"for who looks", 503, false, slog.LevelDebug, "DEBUG"},
		{"one that failed of itself", 0, true, slog.LevelInfo, "ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := &logged{}
			func() {
				defer func() { _ = recover() }()
				do(Log(probe(c.status, c.fails), slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: c.level}))), httptest.NewRequest("GET", "/readyz", nil))
			}()
			switch {
			case c.want == "" && log.String() != "":
				t.Errorf("the log says %s", log.String())
			case c.want != "" && log.line(t)["level"] != c.want:
				t.Errorf("the log says %s, want level %s", log.String(), c.want)
			}
		})
	}
}

func TestWhoeverHangsUpIsNoFailureOfOurs(t *testing.T) {
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for _, test := range []struct {
		name   string
		ctx    context.Context
		err    error
		status int
		level  string
	}{
		{"nobody waited for the database", gone, fmt.Errorf("look: %w", context.Canceled), StatusHungUp, "INFO"},
		{"nobody waited for a provider", gone, fault.Wrap(fault.Unavailable, &url.Error{Op: "Get", Err: context.Canceled}, "It did not answer."), StatusHungUp, "INFO"},
		{"nobody waited, and something else failed", gone, errors.New("the disk is full"), 500, "ERROR"},
		{"nobody waited, and something else failed too", gone, errors.Join(context.Canceled, errors.New("the disk is full")), 500, "ERROR"},
		{"nobody waited, and something panicked", gone, fault.Wrap(fault.Internal, &Panic{Value: context.Canceled}, "Something went wrong."), 500, "ERROR"},
		{"we have cancelled it ourselves", t.Context(), context.Canceled, 500, "ERROR"},
		{"it took too long", late, context.DeadlineExceeded, 500, "ERROR"},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := &logged{}
			counted := 0
			h := Log(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				Handle(func(http.ResponseWriter, *http.Request) error { return test.err }, func(w http.ResponseWriter, _ *http.Request, _ error) {
					w.WriteHeader(http.StatusInternalServerError)
				}).ServeHTTP(w, r)
				counted = Answered(w)
			}), log.logger())
			got := do(h, httptest.NewRequest("GET", "/", nil).WithContext(test.ctx))
			line := log.line(t)
			if line["status"] != float64(test.status) || line["level"] != test.level || counted != test.status || line["error"] != test.err.Error() {
				t.Errorf("it stands in the log as %v, and is counted as %d", line, counted)
			}
			if got.StatusCode != http.StatusInternalServerError {
				t.Errorf("the status is sent: %d", got.StatusCode)
			}
		})
	}
}
