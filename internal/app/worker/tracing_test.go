package worker_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"dex/internal/app/worker"
)

func TestWhatARequestDoesIsSentToTheCollectorPartByPart(t *testing.T) {
	var mu sync.Mutex
	var sent strings.Builder
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		sent.Write(body)
	}))
	defer collector.Close()
	s := settingsOf(t, "--db=sqlite:"+filepath.Join(t.TempDir(), "dex.db"), "--issuer=http://127.0.0.1:5556", "--otlp-endpoint="+collector.URL)
	w, err := worker.New(s, worker.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:5556/token", strings.NewReader("grant_type=refresh_token&refresh_token=canary&client_id=canary-client"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w.Handler().ServeHTTP(httptest.NewRecorder(), req)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text := sent.String() // names of spans stand in it as they are
	for _, want := range []string{"POST /token", "store Client", "dex-worker", "http.route"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q was not sent", want)
		}
	}
	if strings.Contains(text, "canary") || strings.Contains(text, "SELECT") {
		t.Error("what a sender chose, or a statement, was sent")
	}
}
