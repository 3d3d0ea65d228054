package overlord

import (
	"context"
	"net/http"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
)

// health is what a probe is told.
type health struct {
	Status  string `json:"status"`
	Waiting string `json:"waiting_for,omitempty"`
}

// Handler answers probes from the first moment on, and operators as soon as
// everything is there.
func (o *Overlord) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case route.Live:
			_ = httpx.WriteJSON(w, http.StatusOK, health{Status: "alive"})
			return
		case route.Ready:
			o.ready(w, r)
			return
		}
		if h := o.api.Load(); h != nil {
			(*h).ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", "1")
		problem := resource.NewProblem(http.StatusServiceUnavailable, resource.Unavailable, "The overlord waits: %s", o.waiting.For())
		_ = httpx.WriteProblem(w, problem.Status, problem)
	})
}

// ready says whether the overlord can do its duties, and if not what it waits for.
func (o *Overlord) ready(w http.ResponseWriter, r *http.Request) {
	if why := o.unready(r.Context()); why != "" {
		w.Header().Set("Retry-After", "1")
		_ = httpx.WriteJSON(w, http.StatusServiceUnavailable, health{Status: "waiting", Waiting: why})
		return
	}
	_ = httpx.WriteJSON(w, http.StatusOK, health{Status: "ready"})
}

func (o *Overlord) unready(ctx context.Context) string {
	if o.api.Load() == nil {
		return o.waiting.For()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := o.db.Load().Ping(ctx); err != nil {
		return "the database"
	}
	return ""
}
