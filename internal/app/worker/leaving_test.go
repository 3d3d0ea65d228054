package worker_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dex/internal/app/worker"
)

// A balancer hears that a worker leaves before the worker takes nobody any more.
func TestAWorkerThatIsToldToStopSaysSoAndServesOnUntilNobodyIsSent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &process{t: t, url: "http://" + listener.Addr().String(), log: &journal{}}
	s := settingsOf(t, "--issuer="+p.url, "--db=sqlite:"+filepath.Join(t.TempDir(), "dex.db"), "--drain=7s")
	over := make(chan time.Time)
	w, err := worker.New(s, worker.Options{Log: slog.New(slog.NewTextHandler(p.log, nil)), After: func(d time.Duration) <-chan time.Time {
		if d != 7*time.Second {
			t.Errorf("it leaves for %s", d)
		}
		return over
	}})
	must(t, err)
	ctx, tell := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Serve(ctx, listener) }()
	p.until(http.StatusOK, "ready")
	tell()
	p.until(http.StatusServiceUnavailable, `{"status":"leaving"}`)
	for range 3 {
		resp, err := http.Get(p.url + "/keys")
		must(t, err)
		must(t, resp.Body.Close())
		if resp.StatusCode != http.StatusOK || !resp.Close {
			t.Errorf("while it leaves: %d, and the connection is kept: %t", resp.StatusCode, !resp.Close)
		}
	}
	if got, body := p.get("/authorize?client_id=nobody"); got != http.StatusBadRequest {
		t.Errorf("while it leaves, what needs the database: %d %s", got, body)
	}
	select {
	case err := <-ended:
		t.Fatalf("it has not waited: %v", err)
	default:
	}
	close(over)
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://")); err == nil {
		t.Error("it takes connections still")
	}
}
