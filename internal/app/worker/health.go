package worker

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
)

// dispatch answers for health itself, and leaves the rest to what has been put
// together, as soon as it has.
func (w *Worker) dispatch(rw http.ResponseWriter, r *http.Request) {
	if w.leaving.Load() {
		rw.Header().Set("Connection", "close") // so that nobody keeps one for later
	}
	switch r.URL.Path {
	case route.Live:
		httpx.Quiet(r.Context())
		_ = httpx.WriteJSON(rw, http.StatusOK, health{Status: "alive"})
		return
	case route.Ready:
		httpx.Quiet(r.Context())
		w.ready(rw, r)
		return
	}
	w.serve(rw, r)
}

// serve answers for the tenant that a request is for.
func (w *Worker) serve(rw http.ResponseWriter, r *http.Request) {
	s, below, known := w.sites.find(r)
	if w.metrics != nil {
		end := w.metrics.Begin()
		defer end(rw, below)
	}
	switch {
	case !known:
		httpx.Misdirected(rw, w.settings.Issuer)
		return
	case s == nil:
		http.NotFound(rw, r)
		return
	case !w.serving.Load():
		comeBack(rw, "This service is starting. Please try again in a moment.")
		return
	}
	if w.tracing != nil {
		followed, done := w.tracing.Request(r, below, s.id)
		defer done(rw)
		r = followed
	}
	if s != w.home {
		httpx.Annotate(r.Context(), slog.String("tenant", s.id))
		if s.secure() != w.home.secure() {
			httpx.Strict(rw, s.secure())
		}
	}
	p, err := w.sites.enter(r.Context(), s)
	switch {
	case err == nil:
		at(below, p.handler, rw, r)
	case fault.Is(err, fault.NotFound): // it has just gone
		http.NotFound(rw, r)
	default:
		httpx.LogError(r.Context(), err)
		comeBack(rw, "This service is not ready yet. Please try again in a moment.")
	}
}

// comeBack asks whoever it is to try again.
func comeBack(rw http.ResponseWriter, sentence string) {
	rw.Header().Set("Retry-After", "1")
	http.Error(rw, sentence, http.StatusServiceUnavailable)
}

// health is what a probe is told. Why something is not ready may name a host, so
// it is for those who run the service: it goes to probes, and into no page.
type health struct {
	Status     string          `json:"status"`
	Waiting    string          `json:"waiting_for,omitempty"`
	Because    string          `json:"because,omitempty"`
	Connectors map[string]bool `json:"connectors,omitempty"` // whether each is known to work
}

// ready says whether the worker can do its work, and if not what it waits for. A
// connector that is out of order does not make it unready: the others work.
func (w *Worker) ready(rw http.ResponseWriter, r *http.Request) {
	if w.leaving.Load() {
		_ = httpx.WriteJSON(rw, http.StatusServiceUnavailable, health{Status: "leaving"})
		return
	}
	if why := w.unready(); why != "" {
		rw.Header().Set("Retry-After", "1")
		_ = httpx.WriteJSON(rw, http.StatusServiceUnavailable, health{Status: "waiting", Waiting: why})
		return
	}
	h := health{Status: "ready"}
	if h.Because = w.degraded(r.Context()); h.Because != "" {
		h.Status = "degraded"
		_ = httpx.WriteJSON(rw, http.StatusOK, h)
		return
	}
	if list, err := w.home.parts.Load().roster.List(r.Context()); err == nil {
		h.Connectors = make(map[string]bool, len(list))
		for _, c := range list {
			h.Connectors[c.ID] = !c.Out()
		}
	}
	_ = httpx.WriteJSON(rw, http.StatusOK, h)
}

// unready says what the worker waits for; nothing if others may be sent here. The
// keys that it publishes are good for as long as the timeline says, with or without
// a database: were every worker unready then, nobody could verify a token any more.
func (w *Worker) unready() string {
	if !w.serving.Load() {
		return w.waiting.For()
	}
	ring := w.home.parts.Load().ring
	age, taken := ring.Age()
	switch {
	case !taken || age > ring.Timing.Serving:
		return "the signing keys"
	case age <= ring.Timing.Snapshot && !ring.Ready(algorithms(w.settings)):
		return "the signing keys" // it knows them, and one is missing
	default:
		return ""
	}
}

// degraded says what keeps the worker from all but publishing its keys; nothing if
// all is well.
func (w *Worker) degraded(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := w.db.Ping(ctx); err != nil {
		return "the database"
	}
	if !w.home.parts.Load().ring.Ready(algorithms(w.settings)) {
		return "the signing keys"
	}
	return ""
}
