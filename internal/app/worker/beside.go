package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dex/internal/app/delivery"
	"dex/internal/app/duty"
	"dex/internal/app/office"
	"dex/internal/base/fault"
	"dex/internal/base/outbound"
	"dex/internal/domain/client"
	"dex/internal/store"
)

// errNoKeys is what a worker without duties waits for.
var errNoKeys = fault.New(fault.Unavailable, "There are no signing keys yet: nobody with the duties has run.")

// clearEvery is how often what has expired is cleared away.
const clearEvery = 10 * time.Minute

// runBeside does what has to be done beside the requests, until ctx is done.
func (w *Worker) runBeside(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { w.db.Watch(ctx) })
	all.Go(func() { w.watchTenants(ctx) })
	all.Go(func() { w.watchKeys(ctx) })
	all.Go(func() { boundMemory(ctx) })
	if w.settings.Duties {
		all.Go(func() { w.office.Roster().Run(ctx) })
		all.Go(func() { w.greet(ctx) })
	}
	all.Wait()
}

// newOffice puts together what this process does for the whole installation.
func (w *Worker) newOffice() *office.Office {
	return &office.Office{
		DB: w.db, Log: w.log, Hasher: w.hasher, Algorithms: algorithms(w.settings), Timing: timing(w.settings), Lifetimes: lifetimes(w.settings), ClearEvery: clearEvery,
		Visited: !w.settings.Duties, Tracer: w.tracer(),
		Delivery: delivery.Settings{
			Mail: w.settings.Mail, Audit: w.settings.Audit, AllowPrivate: w.settings.OutboundAllowPrivate, Roots: w.roots, Host: w.home.url.Hostname(),
			Client:    w.client,
			Documents: &client.Documents{Fetch: outbound.Fetch(w.client), Hosts: w.settings.ClientDocumentsAllow, Clock: w.db.Clock()},
		},
	}
}

// greet offers whoever runs this process the secret that makes the first
// administrator. Without a database there is nothing to administer.
func (w *Worker) greet(ctx context.Context) {
	if w.settings.NoDB || w.options.AdminAddress == "" {
		return
	}
	err := office.Greeting{
		DB: w.db, Log: w.log, Terminal: w.options.Terminal, File: w.settings.BootstrapSecretFile, API: w.options.AdminAddress,
		Command: "dex-overlord bootstrap-secret",
	}.Greet(ctx)
	if err != nil && ctx.Err() == nil {
		w.log.Warn("the one-time secret for the first administrator could not be offered", "error", err)
	}
}

// CatchUp does at once, and once, what is done now and then beside the requests. It
// is for a test that moves the clock.
func (w *Worker) CatchUp(ctx context.Context) error {
	if w.settings.Duties {
		r := duty.Roster{Duties: w.office.Duties(), Log: w.log}
		if err := r.Once(ctx); err != nil {
			return err
		}
	}
	if err := w.lookAround(ctx); err != nil {
		return err
	}
	return w.LookAtKeys(ctx)
}

// DeclareFor makes what the settings declare stand in a tenant. It is for tests of
// several: the settings themselves belong to the default one.
func (w *Worker) DeclareFor(ctx context.Context, t *store.Tenant) error {
	return w.declare(ctx, t, w.db.Clock().Now())
}

// lookAround finds out which tenants there are.
func (w *Worker) lookAround(ctx context.Context) error {
	if err := w.db.LookAround(ctx); err != nil {
		return err
	}
	list, _ := w.db.CurrentTenants()
	w.sites.update(list)
	return nil
}

// watchTenants serves the tenants that there are, as the looks around find them.
func (w *Worker) watchTenants(ctx context.Context) {
	for {
		list, newer := w.db.CurrentTenants()
		w.sites.update(list)
		select {
		case <-ctx.Done():
			return
		case <-newer:
		}
	}
}

// LookAtKeys looks at once at the signing keys of the tenants that are put together.
func (w *Worker) LookAtKeys(ctx context.Context) error {
	var errs []error
	for _, p := range w.sites.all() {
		if err := p.ring.Refresh(ctx); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", p.id, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// watchKeys looks at the signing keys now and then. When it cannot, the last
// picture serves for as long as the timeline allows.
func (w *Worker) watchKeys(ctx context.Context) {
	tick := time.NewTicker(timing(w.settings).Refresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.sites.nextRound()
			if err := w.LookAtKeys(ctx); err != nil && ctx.Err() == nil {
				w.log.Warn("the signing keys could not be read; the last picture of them serves on", "error", err)
			}
		}
	}
}
