package httpx

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// maxLoggedPath bounds what one request can write into the log.
const maxLoggedPath = 256

// Log writes one line for each request, when it has ended. The query is never
// in it, because codes and states travel there. What a handler knows besides, it
// adds with [Annotate]; why it failed, [Handle] adds by [LogError].
func Log(next http.Handler, logger *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		e := &entry{id: rand.Text()[:idLength]}
		rec := &recorder{ResponseWriter: w, entry: e}
		w.Header()["X-Request-Id"] = []string{e.id}
		r = r.WithContext(context.WithValue(r.Context(), entryKey{}, e))
		finished := false
		// Deferred, because a request that a panic ended shall have its line too.
		defer func() {
			e.write(logger, r, rec, time.Since(began), finished)
		}()
		next.ServeHTTP(rec, r)
		finished = true
	})
}

// idLength is the length of a request's id: 65 random bits.
const idLength = 13

type entryKey struct{}

// entry collects what is to be said about one request.
type entry struct {
	id string

	mu    sync.Mutex // a handler may have started goroutines
	attrs []slog.Attr
	err   error
	gone  bool // whoever asked did not wait, and that is why it failed
	quiet bool
}

// Annotate adds attributes to the request's line in the log. Secrets do not
// belong there; a secret.Value would print as [secret].
func Annotate(ctx context.Context, attrs ...slog.Attr) {
	if e, ok := ctx.Value(entryKey{}).(*entry); ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.attrs = append(e.attrs, attrs...)
	}
}

// LogError adds the error that ended the request to its line in the log. A
// later error takes the place of an earlier one, nil does not.
func LogError(ctx context.Context, err error) {
	if e, ok := ctx.Value(entryKey{}).(*entry); ok && err != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.err, e.gone = err, HungUp(ctx, err)
	}
}

// StatusHungUp stands in the log, and for who counts, in the place of the status of
// an answer that nobody waited for. It is never sent.
const StatusHungUp = 499

// HungUp reports whether a request failed because whoever asked did not wait, and for
// no other reason. The context is the request's, or made from it. Where several
// things failed at once, every one of them must be that one: whatever else went wrong
// is a failure of ours, whether somebody waited for the answer or not.
func HungUp(ctx context.Context, err error) bool {
	return errors.Is(ctx.Err(), context.Canceled) && onlyCanceled(err)
}

func onlyCanceled(err error) bool {
	switch e := err.(type) { //nolint:errorlint // It walks the chain itself.
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if !onlyCanceled(one) {
				return false
			}
		}
		return len(e.Unwrap()) > 0
	case interface{ Unwrap() error }:
		return onlyCanceled(e.Unwrap())
	default:
		return errors.Is(err, context.Canceled)
	}
}

// Quiet lets the request's line in the log be seen only by who looks for such, at
// level debug: a probe comes every few seconds, and says the same each time.
func Quiet(ctx context.Context) {
	if e, ok := ctx.Value(entryKey{}).(*entry); ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.quiet = true
	}
}

// RequestID returns the id under which the request stands in the log, or "".
func RequestID(ctx context.Context) string {
	if e, ok := ctx.Value(entryKey{}).(*entry); ok {
		return e.id
	}
	return ""
}

func (e *entry) write(logger *slog.Logger, r *http.Request, rec *recorder, took time.Duration, finished bool) {
	status := rec.ended()
	e.mu.Lock()
	defer e.mu.Unlock()
	level := slog.LevelInfo
	switch {
	case e.quiet && finished:
		level = slog.LevelDebug
	case status >= 500 || !finished:
		level = slog.LevelError
	}
	if !logger.Enabled(r.Context(), level) {
		return
	}
	path := r.URL.Path
	if len(path) > maxLoggedPath {
		path = path[:maxLoggedPath] + "…"
	}
	attrs := make([]slog.Attr, 0, 10+len(e.attrs))
	attrs = append(attrs,
		slog.String("method", r.Method),
		slog.String("path", path),
		slog.Int("status", status),
		slog.Int64("bytes", rec.bytes),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("remote", Addr(r).String()),
		slog.String("request_id", e.id),
	)
	attrs = append(attrs, e.attrs...)
	if !finished {
		attrs = append(attrs, slog.Bool("aborted", true))
	}
	if e.err != nil {
		attrs = append(attrs, slog.String("error", e.err.Error()))
		if p, ok := errors.AsType[*Panic](e.err); ok {
			attrs = append(attrs, slog.String("stack", string(p.Stack)))
		}
	}
	logger.LogAttrs(r.Context(), level, "request", attrs...)
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	entry  *entry
	status int
	bytes  int64
}

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	// Answers of the hundreds announce the answer and are not it.
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets [http.ResponseController] reach what the recorder wraps.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// started reports whether an answer has begun, as far as [Log] has seen it.
func started(w http.ResponseWriter) bool {
	for {
		if rec, ok := w.(*recorder); ok {
			return rec.status != 0
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = inner.Unwrap()
	}
}

// Answered returns the status of the answer, as far as [Log] has seen it, or
// [StatusHungUp] if it failed because nobody waited for it; 0 if Log is not around the
// handler.
func Answered(w http.ResponseWriter) int {
	for {
		if rec, ok := w.(*recorder); ok {
			return rec.ended()
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return 0
		}
		w = inner.Unwrap()
	}
}

// ended is the status by which the request stands in the log.
func (r *recorder) ended() int {
	status := cmp.Or(r.status, http.StatusOK) // as net/http will send it
	r.entry.mu.Lock()
	defer r.entry.mu.Unlock()
	if r.entry.gone && status >= http.StatusInternalServerError {
		return StatusHungUp
	}
	return status
}
