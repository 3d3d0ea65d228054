package overlord

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dex/internal/app/config"
	"dex/internal/base/seal"
	"dex/internal/base/secret"
)

func TestAnOverlordTellsHowItsDutiesStand(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s, err := config.LoadOverlord(config.Source{Environ: []string{
		"DEX_OVERLORD_DB=sqlite:" + filepath.Join(dir, "dex.db"), "DEX_OVERLORD_ADMIN_LISTEN=off", "DEX_OVERLORD_METRICS_LISTEN=" + at,
		"DEX_KEY_SECRETS=" + string(secret.Value(seal.NewSecret().Reveal())),
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, s, io.Discard, io.Discard) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	told := ""
	for range 3000 {
		if told = asked(at); strings.Contains(told, `dex_duty_runs_total{duty="clear away"} 1`) {
			break
		}
		<-tick.C
	}
	for _, want := range []string{`dex_duty_runs_total{duty="clear away"} 1`, "dex_database_up 1", "dex_outbox_waiting 0", `program="dex-overlord"`} {
		if !strings.Contains(told, want) {
			t.Errorf("it does not tell %s:\n%s", want, told)
		}
	}
	if strings.Contains(told, "dex_http_requests") || strings.Contains(told, "dex_logins") {
		t.Error("it tells of a public server, and has none")
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
	if c, err := net.Dial("tcp", at); err == nil {
		_ = c.Close()
		t.Error("something is left running")
	}
}

// asked returns what is told at an address; nothing if nobody is there yet.
func asked(at string) string {
	resp, err := http.Get("http://" + at + "/metrics")
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(body)
}
