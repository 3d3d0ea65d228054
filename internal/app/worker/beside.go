package worker

import (
	"context"
	"sync"
	"time"

	"dex/internal/app/delivery"
	"dex/internal/app/duty"
	"dex/internal/base/fault"
	"dex/internal/domain/tenant"
)

// errNoKeys is what a worker without duties waits for.
var errNoKeys = fault.New(fault.Unavailable, "There are no signing keys yet: nobody with the duties has run.")

// clearEvery is how often what has expired is cleared away.
const clearEvery = 10 * time.Minute

// indexEvery is how often those who came by a login are looked at, so that operators
// find them.
const indexEvery = time.Minute

// countEvery is how often is counted who has used which client.
const countEvery = 5 * time.Minute

// runBeside does what has to be done beside the requests, until ctx is done.
func (w *Worker) runBeside(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { w.db.Watch(ctx) })
	all.Go(func() { w.watchKeys(ctx) })
	all.Go(func() { boundMemory(ctx) })
	if w.settings.Duties {
		r := duty.Roster{Turns: w.db, Duties: w.duties(), Clock: w.parts.clock, Log: w.log}
		all.Go(func() { r.Run(ctx) })
	}
	all.Wait()
}

// duties are what this process does when it is its turn.
func (w *Worker) duties() []duty.Duty {
	delivering, err := delivery.Duties(w.db, delivery.Settings{
		Mail: w.settings.Mail, Audit: w.settings.Audit, AllowPrivate: w.settings.OutboundAllowPrivate, Host: w.issuer.Hostname(),
	}, w.parts.clock)
	if err != nil { // the settings have been checked, so this is of the world
		w.log.Error("nothing can be delivered", "error", err)
	}
	return append(delivering, []duty.Duty{
		duty.RotateKeys(tenant.Default, w.parts.ring, w.parts.algorithms),
		duty.ClearAway(w.db, w.parts.clock, clearEvery),
		duty.IndexPeople(w.db, indexEvery),
		duty.CountUse(w.db, w.parts.clock, countEvery),
	}...)
}

// CatchUp does at once, and once, what is done now and then beside the requests. It
// is for a test that moves the clock.
func (w *Worker) CatchUp(ctx context.Context) error {
	if w.settings.Duties {
		r := duty.Roster{Duties: w.duties(), Log: w.log}
		if err := r.Once(ctx); err != nil {
			return err
		}
	}
	return w.LookAtKeys(ctx)
}

// LookAtKeys looks at the signing keys at once.
func (w *Worker) LookAtKeys(ctx context.Context) error { return w.parts.ring.Refresh(ctx) }

// watchKeys looks at the signing keys now and then. When it cannot, the last
// picture serves for as long as the timeline allows.
func (w *Worker) watchKeys(ctx context.Context) {
	tick := time.NewTicker(w.parts.ring.Timing.Refresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := w.LookAtKeys(ctx); err != nil && ctx.Err() == nil {
				w.log.Warn("the signing keys could not be read; the last picture of them serves on", "error", err)
			}
		}
	}
}
