package metrics

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"dex/internal/base/httpx"
)

// profileTime is how long a profile may take.
const profileTime = 2 * time.Minute

// Serve answers at a listener of its own until ctx is done.
func (m *Metrics) Serve(ctx context.Context, listener net.Listener, log *slog.Logger) error {
	log.Info("the metrics are listening", "address", listener.Addr().String())
	server := httpx.NewServer(m.Handler(), log)
	server.WriteTimeout = profileTime
	return httpx.Serve(ctx, listener, server, time.Second)
}

// Handler serves the metrics, and what a profiler asks for. It is for a listener of
// its own, which only those reach who run the service: a profile tells much.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4,
	}))
	// The command line is left out: secrets may stand in it.
	mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
