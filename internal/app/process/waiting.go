package process

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"dex/internal/base/fault"
)

// Pause is how long to wait before what is missing is looked for again.
const Pause = time.Second

// Waiting is what a program that has been started has yet to wait for. Its zero value
// has just been started.
type Waiting struct{ reason atomic.Pointer[string] }

// For says what is waited for, to whoever asks. Probes ask from anywhere, so that names
// of hosts and users stay in the log.
func (w *Waiting) For() string {
	if reason := w.reason.Load(); reason != nil {
		return *reason
	}
	return "it has just been started"
}

// Until assembles until it succeeds. What may yet come, such as a database that is not
// up, is waited for; what will not come by waiting is an error, and so is the end of ctx.
func (w *Waiting) Until(ctx context.Context, log *slog.Logger, assemble func(context.Context) error) error {
	said := ""
	for {
		err := assemble(ctx)
		if err == nil || ctx.Err() != nil || !fault.Is(err, fault.Unavailable) {
			return err
		}
		reason := publicly(err)
		w.reason.Store(&reason)
		if said != err.Error() {
			said = err.Error()
			log.Warn("waiting", "for", said)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(Pause):
		}
	}
}

func publicly(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	return "something that the log names"
}
