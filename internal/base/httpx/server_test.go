package httpx

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serving starts a server. It returns its address, how to stop it, and what
// Serve returned.
func serving(t *testing.T, h http.HandlerFunc, drain time.Duration) (url string, stop func(), ended <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, NewServer(h, slog.New(slog.DiscardHandler)), drain) }()
	return "http://" + l.Addr().String(), cancel, done
}

func TestWhatIsUnderWayIsFinishedBeforeTheServerEnds(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	url, stop, ended := serving(t, func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		if r.Context().Err() != nil {
			t.Error("the request's context was ended with the server's")
		}
		_, _ = io.WriteString(w, "finished")
	}, time.Minute)
	got := make(chan string, 1)
	go func() {
		r, err := http.Get(url)
		if err != nil {
			got <- err.Error()
			return
		}
		defer func() { _ = r.Body.Close() }()
		b, _ := io.ReadAll(r.Body)
		got <- string(b)
	}()
	<-entered
	stop()
	// No new connection is taken any more; the listener closes a moment after stop.
	for {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	select {
	case err := <-ended:
		t.Fatalf("the server has not waited: %v", err)
	default:
	}
	close(release)
	if body := <-got; body != "finished" {
		t.Errorf("the request under way got %q", body)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestWhatDoesNotEndIsCutOff(t *testing.T) {
	entered := make(chan struct{})
	url, stop, ended := serving(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done() // until the connection is cut
	}, 10*time.Millisecond)
	failed := make(chan error, 1)
	go func() {
		r, err := http.Get(url)
		if err == nil {
			_ = r.Body.Close()
		}
		failed <- err
	}()
	<-entered
	stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("Serve: %v", err)
	}
	if err := <-failed; err == nil {
		t.Error("the request was answered")
	}
}

func TestAListenerThatFailsEndsTheServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := Serve(t.Context(), l, NewServer(ok, slog.New(slog.DiscardHandler)), time.Second); err == nil {
		t.Error("no error")
	}
}

func TestNobodyHasForever(t *testing.T) {
	s := NewServer(ok, slog.New(slog.DiscardHandler))
	for name, d := range map[string]time.Duration{"header": s.ReadHeaderTimeout, "request": s.ReadTimeout, "answer": s.WriteTimeout, "idle": s.IdleTimeout} {
		if d <= 0 || d > 5*time.Minute {
			t.Errorf("%s: %v", name, d)
		}
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	url, stop, ended := serving(t, func(http.ResponseWriter, *http.Request) { t.Error("the request was let in") }, time.Second)
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Big", strings.Repeat("x", 128<<10))
	got, err := http.DefaultClient.Do(r)
	if err == nil {
		defer func() { _ = got.Body.Close() }()
		if got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", got.StatusCode)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
