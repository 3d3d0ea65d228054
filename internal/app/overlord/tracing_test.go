package overlord

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"dex/internal/app/config"
	"dex/internal/app/duty"
	"dex/internal/base/seal"
	"dex/internal/base/secret"
)

func TestWhatADutyDoesIsSentToTheCollectorPartByPart(t *testing.T) {
	var mu sync.Mutex
	var sent strings.Builder
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		sent.Write(body)
	}))
	defer collector.Close()
	s, err := config.LoadOverlord(config.Source{Environ: []string{
		"DEX_OVERLORD_DB=sqlite:" + filepath.Join(t.TempDir(), "dex.db"), "DEX_OVERLORD_ADMIN_LISTEN=off", "DEX_OVERLORD_OTLP_ENDPOINT=" + collector.URL,
		"DEX_KEY_SECRETS=" + string(secret.Value(seal.NewSecret().Reveal())),
	}})
	if err != nil {
		t.Fatal(err)
	}
	o, err := New(s, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan duty.Outcome, 100)
	o.Told = func(outcome duty.Outcome) { done <- outcome }
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Serve(ctx, nil) }()
	for outcome := range done {
		if outcome.Duty == "clear away" {
			break
		}
	}
	until(t, "the overlord answers operators", func() bool { return o.api.Load() != nil })
	o.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://127.0.0.1/api/v1/state", nil))
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	text := sent.String() // names of spans stand in it as they are
	for _, want := range []string{"dex-overlord", "duty clear away", "store ClearAway", "operation get-state"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q was not sent", want)
		}
	}
	if strings.Contains(text, "store TakeTurn") {
		t.Error("what belongs to no duty was sent")
	}
}
