package metrics

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
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
// its own. Whoever gathers metrics reaches that from elsewhere, and often many others
// do; a profile tells much and costs much, and so it is for this machine alone.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4,
	}))
	// The command line is left out: secrets may stand in it.
	mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)
	mux.HandleFunc("GET /debug/pprof/", fromHere(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/profile", fromHere(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/symbol", fromHere(pprof.Symbol))
	mux.HandleFunc("GET /debug/pprof/trace", fromHere(pprof.Trace))
	return mux
}

// fromHere answers whoever asks from this machine. There is no proxy before this
// listener, so that the other end of the connection is who asks.
func fromHere(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !from.Addr().Unmap().IsLoopback() {
			http.NotFound(w, r)
			return
		}
		h(w, r)
	}
}
