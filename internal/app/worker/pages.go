package worker

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/web"
)

// errorPage tells a person that they cannot go on, why, and what to do.
type errorPage struct {
	Title, Message, Detail, SupportCode, StartAgainURL string
	RetryAfter                                         int
}

func (errorPage) Template() string { return "error.html" }

// errorPage is the one place where the errors of pages are answered. What a person
// is told is chosen by kind; the details are in the log, under the support code.
func (w *Worker) errorPage(pages *web.Renderer) httpx.ErrorFunc {
	return func(rw http.ResponseWriter, r *http.Request, err error) {
		page := errorPage{}
		var locales []string
		if s, ok := errors.AsType[*grant.Stalled](err); ok {
			page.SupportCode, page.StartAgainURL, locales = s.Request.SupportCode, s.StartAgain, s.Request.Asked.UILocales
		} else {
			// Nothing is kept of it: the log line is found by this code.
			page.SupportCode = audit.NewSupportCode()
			httpx.Annotate(r.Context(), slog.String("support_code", page.SupportCode))
		}
		status, kind := httpx.Status(err), kindOf(err)
		switch {
		case errors.Is(err, errNothingHere):
			status, kind = http.StatusNotFound, "notfound"
		case kind == "refused": // by a connector's fault or the gate's denial
			status = http.StatusForbidden
		}
		page.Title, page.Message = "error."+kind+".title", "error."+kind+".message"
		comeBack := defaultComeBack
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Internal {
			page.Detail = f.Message
			comeBack = max(f.RetryAfter, comeBack)
		}
		if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
			page.RetryAfter = int(comeBack.Round(time.Second) / time.Second)
			rw.Header().Set("Retry-After", strconv.Itoa(page.RetryAfter))
		}
		if err := pages.Render(rw, r, web.View{Status: status, Page: page, Locales: locales}); err != nil {
			httpx.LogError(r.Context(), err)
			http.Error(rw, "Something went wrong on our side. Please try again in a moment.", http.StatusInternalServerError)
		}
	}
}

// defaultComeBack is when it is worth trying again, where nothing says better.
const defaultComeBack = 5 * time.Second

// kindOf names the sentence that fits an error.
func kindOf(err error) string {
	_, stalled := errors.AsType[*grant.Stalled](err)
	if _, denied := errors.AsType[*grant.Denial](err); denied {
		return "refused"
	}
	switch fault.Of(err) {
	case fault.Invalid:
		return "request"
	case fault.NotFound:
		if stalled {
			return "expired"
		}
		return "browser"
	case fault.Conflict:
		return "expired"
	case fault.Denied:
		if stalled {
			return "refused"
		}
		return "browser"
	case fault.Throttled:
		return "throttled"
	case fault.Unavailable:
		if stalled {
			return "upstream"
		}
		return "internal"
	default:
		return "internal"
	}
}

// errNothingHere is the error of a path that leads nowhere.
var errNothingHere = errors.New("there is nothing at this path")

// orNotFound answers paths that lead nowhere with a page.
func orNotFound(mux *http.ServeMux, onError httpx.ErrorFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		// The mux knows whether it is the path or only the method that is wrong.
		found := &statusOnly{header: http.Header{}}
		h.ServeHTTP(found, r)
		if found.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", found.header.Get("Allow"))
			http.Error(w, "This address does not take that method.", http.StatusMethodNotAllowed)
			return
		}
		onError(w, r, errNothingHere)
	})
}

// at lets h see the path as it is below the issuer.
func at(path string, h http.Handler, w http.ResponseWriter, r *http.Request) {
	if path != r.URL.Path {
		inner, u := *r, *r.URL
		u.Path, u.RawPath, inner.URL = path, "", &u
		r = &inner
	}
	h.ServeHTTP(w, r)
}

// statusOnly is told an answer and keeps its status and header.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }
