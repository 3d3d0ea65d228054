// Package duty is what has to be done now and then, once for all: rotating the
// signing keys, clearing away what has expired. Any number of processes may have
// the duties; they take turns by a lease in the database, and nobody notices when
// none does them for days but the operator.
package duty

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"dex/internal/base/clock"
)

// Duty is one thing to do.
type Duty struct {
	Name  string
	Every time.Duration
	// Do does it, and says what was done; nothing if there was nothing to do. It
	// must be safe to run anywhere, at any time, and twice at once.
	Do func(ctx context.Context) (did string, err error)
}

// Turns says whose turn it is.
type Turns interface {
	// TakeTurn gives a duty to the holder until then, unless another has it. Whoever
	// has it may take it again.
	TakeTurn(ctx context.Context, name, holder string, until, now time.Time) (bool, error)
}

// Roster does duties for as long as it runs.
type Roster struct {
	Turns  Turns
	Duties []Duty
	Clock  clock.Clock
	Log    *slog.Logger
	// Wait waits for a duty's next turn; nil is by this machine's time. It reports
	// false when there is none.
	Wait func(ctx context.Context, d time.Duration) bool

	holder string
}

// Run does the duties until ctx is done. Each begins at once.
func (r *Roster) Run(ctx context.Context) {
	r.holder = rand.Text()
	wait := r.Wait
	if wait == nil {
		wait = sleep
	}
	var all sync.WaitGroup
	for _, d := range r.Duties {
		all.Go(func() {
			for {
				r.once(ctx, d)
				if !wait(ctx, d.Every) {
					return
				}
			}
		})
	}
	all.Wait()
}

// once does a duty if it is our turn. The turn lasts for longer than the pause, so
// that a healthy holder keeps it.
func (r *Roster) once(ctx context.Context, d Duty) {
	now := r.Clock.Now()
	mine, err := r.Turns.TakeTurn(ctx, d.Name, r.holder, now.Add(2*d.Every+time.Second), now)
	did := ""
	if err == nil && mine {
		did, err = d.safely(ctx)
	}
	switch {
	case errors.Is(err, context.Canceled):
	case err != nil:
		r.Log.Error("a duty failed; it will be tried again", "duty", d.Name, "error", err)
	case did != "":
		r.Log.Info("duty done", "duty", d.Name, "did", did)
	}
}

// safely does the duty. A panic in it is an error like any other: the process that
// does the duties may be the one that logs people in.
func (d Duty) safely(ctx context.Context) (did string, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return d.Do(ctx)
}

// Once does every duty once, one after the other, for a program that needs them
// done before it goes on. It does not wait for anybody's turn.
func (r *Roster) Once(ctx context.Context) error {
	var errs []error
	for _, d := range r.Duties {
		did, err := d.safely(ctx)
		if did != "" {
			r.Log.Info("duty done", "duty", d.Name, "did", did)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
