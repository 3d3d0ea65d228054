package worker

import (
	"context"
	"net"
	"net/http"
	"time"

	"dex/internal/app/config"
	"dex/internal/app/metrics"
	"dex/internal/app/process"
	"dex/internal/base/measure"
)

// listenToMetrics opens the listener that metrics are asked for at; none if it is off.
func listenToMetrics(ctx context.Context, s *config.Settings) (net.Listener, error) {
	if s.MetricsListen == "" {
		return nil, nil
	}
	return process.Listen(ctx, s.MetricsListen, "metrics-listen", "", "")
}

// meter returns what counts for a tenant; nil if nobody wants to know.
func (w *Worker) meter(tenantID string) measure.Meter {
	if w.metrics == nil {
		return nil
	}
	return w.metrics.For(tenantID)
}

// MetricsHandler answers who reads the metrics, and profilers.
func (w *Worker) MetricsHandler() http.Handler { return w.metrics.Handler() }

// measured returns the database, as soon as there is one.
func (w *Worker) measured() metrics.Database {
	if !w.serving.Load() {
		return nil
	}
	return w.db
}

// standing says how things stand with the public server.
func (w *Worker) standing() metrics.Serving {
	running, waiting, most := w.hasher.Load()
	s := metrics.Serving{Tenants: len(w.sites.current.Load().sites), Hashing: running, Waiting: waiting, Hashes: most}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, p := range w.sites.all() {
		s.Open++
		if age, taken := p.ring.Age(); taken {
			s.PictureAge = max(s.PictureAge, age)
		}
		list, err := p.roster.List(ctx)
		if err != nil {
			continue // which connectors there are is not known at the moment
		}
		for _, c := range list {
			s.Connectors = append(s.Connectors, metrics.Connector{Tenant: p.id, ID: c.ID, Up: !c.Out()})
		}
	}
	return s
}
