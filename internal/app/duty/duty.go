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
	"sync/atomic"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/measure"
)

// Duty is one thing to do.
type Duty struct {
	Name  string
	Every time.Duration
	// Do does it, and says what was done; nothing if there was nothing to do. It
	// must be safe to run anywhere, at any time, and twice at once.
	Do func(ctx context.Context) (did string, err error)
	// Rests reports whether it is left alone for now, after a failure. It is not begun
	// then, so that the record goes on telling of the failure; nil is never.
	Rests func(now time.Time) bool
}

// Turns says whose turn it is.
type Turns interface {
	// TakeTurn gives a duty to the holder until then, unless another has it. Whoever
	// has it may take it again, or give it up by taking it until now.
	TakeTurn(ctx context.Context, name, holder string, until, now time.Time) (bool, error)
}

// Record keeps how each duty stands.
type Record interface {
	DutyBegan(ctx context.Context, name, holder string, now time.Time) error
	DutyEnded(ctx context.Context, name, said, problem string, now time.Time) error
}

// Outcome is what came of one run of a duty.
type Outcome struct {
	Duty string
	Took time.Duration
	Did  string
	Err  error
}

// Roster does duties for as long as it runs.
type Roster struct {
	Turns  Turns
	Record Record // nil to keep none
	Duties []Duty
	Clock  clock.Clock
	Log    *slog.Logger
	// Told is called with what came of each run, for metrics; nil for nobody.
	Told func(Outcome)
	// Tracer follows each run; nil if nobody wants to know.
	Tracer measure.Tracer
	// Wait waits for a duty's next turn; nil is by this machine's time. It reports
	// false when there is none.
	Wait func(ctx context.Context, d time.Duration) bool
	// Name is what this process is called in the record; nothing for a random one.
	Name string

	naming sync.Once
	holder string      // use called
	away   atomic.Bool // whether whose turn it is could not be found out last time
	mu     sync.Mutex
	due    map[string]time.Time // when a duty whose turn is ours has to be done again
}

// beat is how often whoever has a turn says that they are still there. Whoever says
// nothing for three of them has lost it.
const beat = 10 * time.Second

func (d Duty) beat() time.Duration { return min(d.Every, beat) }

// turn is how long a turn lasts that nobody keeps.
func (d Duty) turn() time.Duration { return 3*d.beat() + time.Second }

// Run does the duties until ctx is done. Each begins at once.
func (r *Roster) Run(ctx context.Context) {
	wait := r.Wait
	if wait == nil {
		wait = sleep
	}
	var all sync.WaitGroup
	for _, d := range r.Duties {
		all.Go(func() {
			defer r.giveUp(ctx, d)
			for {
				r.once(ctx, d)
				if !wait(ctx, d.beat()) {
					return
				}
			}
		})
	}
	all.Wait()
}

// called is what this process is called among those that take turns: its name for
// people, and something that no other has.
func (r *Roster) called() string {
	r.naming.Do(func() {
		switch {
		case r.holder != "":
		case r.Name == "":
			r.holder = rand.Text()
		default:
			r.holder = r.Name + " " + rand.Text()[:6]
		}
	})
	return r.holder
}

// giveUp lets another have the turn at once.
func (r *Roster) giveUp(ctx context.Context, d Duty) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if r.ours(d) {
		now := r.Clock.Now()
		_, _ = r.Turns.TakeTurn(ctx, d.Name, r.called(), now, now) // else it runs out
	}
}

// ours reports whether the last look said that it is our turn.
func (r *Roster) ours(d Duty) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ours := r.due[d.Name]
	return ours
}

// once takes or keeps the turn, and does the duty if it is due.
func (r *Roster) once(ctx context.Context, d Duty) {
	now := r.Clock.Now()
	mine, err := r.Turns.TakeTurn(ctx, d.Name, r.called(), now.Add(d.turn()), now)
	if err != nil {
		if !r.away.Swap(true) && ctx.Err() == nil {
			r.Log.Error("whose turn it is cannot be found out; it will be tried again", "duty", d.Name, "error", err)
		}
		return
	}
	r.away.Store(false)
	if r.isDue(d, mine, now) && (d.Rests == nil || !d.Rests(now)) {
		_, _ = r.do(ctx, d)
	}
}

// isDue reports whether a duty has to be done, and notes when it has to be again.
// Whoever gets a turn does not know when it was done last, and does it.
func (r *Roster) isDue(d Duty, mine bool, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !mine {
		delete(r.due, d.Name)
		return false
	}
	if now.Before(r.due[d.Name]) {
		return false
	}
	if r.due == nil {
		r.due = map[string]time.Time{}
	}
	r.due[d.Name] = now.Add(d.Every)
	return true
}

// do does a duty, keeps the turn while it lasts, and tells everybody what came of it.
func (r *Roster) do(ctx context.Context, d Duty) (string, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go r.keepTurn(ctx, stop, d)
	ctx, end := measure.Begin(ctx, r.Tracer, "duty", d.Name)
	began := r.Clock.Now()
	r.note(ctx, d, func(ctx context.Context) error { return r.Record.DutyBegan(ctx, d.Name, r.called(), began) })
	did, err := d.safely(ctx)
	end(err)
	now := r.Clock.Now()
	if errors.Is(err, context.Canceled) {
		return did, err // we were told to stop, or another has the turn
	}
	problem := ""
	if err != nil {
		problem = err.Error()
		r.Log.Error("a duty failed; it will be tried again", "duty", d.Name, "error", err)
	} else if did != "" {
		r.Log.Info("duty done", "duty", d.Name, "did", did, "took", now.Sub(began))
	}
	r.note(ctx, d, func(ctx context.Context) error { return r.Record.DutyEnded(ctx, d.Name, did, problem, now) })
	if r.Told != nil {
		r.Told(Outcome{Duty: d.Name, Took: now.Sub(began), Did: did, Err: err})
	}
	return did, err
}

// keepTurn keeps the turn until ctx is done. If another has it all the same, it stops
// what is done.
func (r *Roster) keepTurn(ctx context.Context, stop context.CancelFunc, d Duty) {
	if r.Turns == nil {
		return
	}
	for sleep(ctx, d.beat()) {
		now := r.Clock.Now()
		if mine, err := r.Turns.TakeTurn(ctx, d.Name, r.called(), now.Add(d.turn()), now); err == nil && !mine {
			r.Log.Warn("another process has the turn; what was begun is stopped", "duty", d.Name)
			stop()
		}
	}
}

// noteTime is how long it may take to write down what has been done already, whatever
// has been told to stop.
const noteTime = 5 * time.Second

// note writes into the record, if one is kept. A duty that is done and not recorded
// is done all the same.
func (r *Roster) note(ctx context.Context, d Duty, write func(ctx context.Context) error) {
	if r.Record == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	if err := write(ctx); err != nil {
		r.Log.Warn("how a duty stands could not be recorded", "duty", d.Name, "error", err)
	}
}

// ErrNoSuchDuty says that nobody here has a duty of this name.
var ErrNoSuchDuty = fault.New(fault.NotFound, "There is no such duty here.")

// Now does a duty at once, whosever turn it is and even if it rests: each is safe to be
// done twice.
func (r *Roster) Now(ctx context.Context, name string) (did string, err error) {
	for _, d := range r.Duties {
		if d.Name == name {
			return (&Roster{Record: r.Record, Clock: r.Clock, Log: r.Log, Told: r.Told, Tracer: r.Tracer, holder: r.called()}).do(ctx, d)
		}
	}
	return "", ErrNoSuchDuty
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
