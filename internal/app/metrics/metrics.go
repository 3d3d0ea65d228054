// Package metrics counts what happens and tells it to Prometheus, each metric for a
// question that an operator has.
//
// What flows tell is counted as it happens, and costs them a map look-up. How
// things stand, in the database or in this process, is looked at when somebody
// asks. No label has a value that a sender can invent, and of those that operators
// make, such as clients, only so many are told apart.
package metrics

import (
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"dex/internal/base/httpx"
	"dex/internal/base/measure"
	"dex/internal/base/route"
)

// How many names are told apart in labels; the rest are "other".
const (
	maxTenants    = 100
	maxClients    = 500
	maxConnectors = 200
)

// buckets are chosen for what a login server does: a document from memory, a page, a
// code (below 10 ms), a password (25 ms and a queue), a provider elsewhere
// (up to 10 s).
var buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Metrics is what is counted.
type Metrics struct {
	registry *prometheus.Registry
	logins   *prometheus.CounterVec
	tokens   *prometheus.CounterVec
	inFlight prometheus.Gauge
	routes   map[string]routeMetrics

	tenants, clients, connectors names
}

// routeMetrics is what is counted of one route. They are found once, since finding
// them would cost more than counting.
type routeMetrics struct {
	latency  prometheus.Observer
	statuses [6]prometheus.Counter // by the first digit; at 0 those whose sender did not wait
}

// New returns metrics of a program, with what the sources tell when they are asked.
func New(program string, s Sources) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		logins:   logins.counters(), tokens: tokens.counters(),
		routes:  map[string]routeMetrics{},
		tenants: names{most: maxTenants}, clients: names{most: maxClients}, connectors: names{most: maxConnectors},
	}
	m.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{Name: inFlight.name, Help: inFlight.help})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: latency.name, Help: latency.help, Buckets: buckets}, latency.labels)
	statuses := requests.counters()
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&collector{sources: s, connectors: &m.connectors, tenants: &m.tenants}, build(program),
	)
	if s.Serving == nil {
		return m // there is no public server
	}
	m.registry.MustRegister(m.logins, m.tokens, m.inFlight, durations, statuses)
	for _, pattern := range append(route.Patterns(), route.Other) {
		one := routeMetrics{latency: durations.WithLabelValues(pattern)}
		for i := range one.statuses {
			class := string(rune('0'+i)) + "xx"
			if i == 0 {
				class = "hung_up"
			}
			one.statuses[i] = statuses.WithLabelValues(pattern, class)
		}
		m.routes[pattern] = one
	}
	return m
}

func build(program string) prometheus.Collector {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: buildInfo.name, Help: buildInfo.help}, buildInfo.labels)
	g.WithLabelValues(program, version, runtime.Version()).Set(1)
	return g
}

// Gatherer returns where the metrics are read.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Begin notes that a request begins. The caller calls what it returns when the
// request has ended, with the path below the issuer.
func (m *Metrics) Begin() (end func(w http.ResponseWriter, path string)) {
	began := time.Now()
	m.inFlight.Inc()
	return func(w http.ResponseWriter, path string) {
		m.inFlight.Dec()
		of := m.routes[route.Pattern(path)]
		of.latency.Observe(time.Since(began).Seconds())
		switch status := httpx.Answered(w); {
		case status == httpx.StatusHungUp:
			of.statuses[0].Inc()
		case status > 0 && status/100 < len(of.statuses):
			of.statuses[status/100].Inc()
		}
	}
}

// For returns the meter of a tenant.
func (m *Metrics) For(tenantID string) measure.Meter {
	return meter{m: m, tenant: m.tenants.of(tenantID)}
}

type meter struct {
	m      *Metrics
	tenant string
}

// Login implements [measure.Meter].
func (t meter) Login(connector, client string, result measure.Result) {
	t.m.logins.WithLabelValues(t.tenant, t.m.connectors.of(connector), t.m.clients.of(client), string(result)).Inc()
}

// Token implements [measure.Meter].
func (t meter) Token(grantType, client, code string) {
	if grantType == "" {
		grantType = "unknown"
	}
	if code == "" {
		code = "ok"
	}
	t.m.tokens.WithLabelValues(t.tenant, grantType, t.m.clients.of(client), code).Inc()
}

// other stands for all whose names are not told apart.
const other = "other"

// names are the values of a label. Only so many are told apart: whoever makes a
// client for each customer shall not fill the memory of whoever counts.
type names struct {
	most int

	mu   sync.Mutex
	seen map[string]bool
}

// of returns the value for a name.
func (n *names) of(name string) string {
	if name == "" {
		return "unknown"
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen[name] {
		return name
	}
	if len(n.seen) >= n.most {
		return other
	}
	if n.seen == nil {
		n.seen = map[string]bool{}
	}
	n.seen[name] = true
	return name
}
