package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/store"
)

// longLease is one that does not run out while a test runs.
const longLease = time.Hour

var leasePromises = []promise{
	{"configuration is answered from memory for as long as the lease runs", func(_ *testing.T, w *world) {
		db := w.another(WithLease(longLease))
		tn := Tenant(w, db)
		_, err := tn.Apply(w.ctx, basic("1"), w.now())
		w.ok(err)
		for range 2 {
			w.readConfiguration(tn)
		}
		before := db.Work()
		w.readConfiguration(tn)
		same(w, "statements", db.Work(), before)
	}},
	{"when a verb has returned, no other worker goes by the old", func(_ *testing.T, w *world) {
		first, second := w.pair()
		w.declareAt(first)
		ctx, stop := context.WithCancel(w.ctx)
		done := make(chan struct{})
		go func() { defer close(done); second.db.Watch(ctx) }()
		defer func() { stop(); <-done }()
		for i := range 3 {
			_, err := second.Client(w.ctx, app)
			w.ok(err)
			_, err = second.Connectors(w.ctx)
			w.ok(err)
			disabled := i%2 == 0
			if disabled {
				w.ok(first.DisableClient(w.ctx, app, w.by()))
				w.ok(first.DisableConnector(w.ctx, upstream, w.by()))
				w.ok(first.DisableTenant(w.ctx, w.by()))
			} else {
				w.ok(first.EnableClient(w.ctx, app, w.by()))
				w.ok(first.EnableConnector(w.ctx, upstream, w.by()))
				w.ok(first.EnableTenant(w.ctx, w.by()))
			}
			same(w, fmt.Sprintf("seen by another, change %d", i), w.standing(second.Tenant), fmt.Sprint(disabled, disabled, disabled))
		}
	}},
	{"what is changed here is seen here at once", func(_ *testing.T, w *world) {
		db := w.another(WithLease(longLease))
		tn := Tenant(w, db)
		_, err := tn.Apply(w.ctx, basic("1"), w.now())
		w.ok(err)
		w.readConfiguration(tn)
		// The verb would wait out the lease; what is asked meanwhile must know already.
		ctx, cancel := context.WithTimeout(w.ctx, time.Second)
		defer cancel()
		if err := tn.DisableClient(ctx, app, w.by()); err != nil {
			w.refuses(fault.Unavailable, err)
		}
		c, err := tn.Client(w.ctx, app)
		w.ok(err)
		same(w, "disabled", c.Disabled, true)
	}},
	{"a client that was not there is found as soon as it is", func(_ *testing.T, w *world) {
		_, err := w.Client(w.ctx, app)
		w.refuses(fault.NotFound, err)
		w.declare(basic("1"))
		_, err = w.Client(w.ctx, app)
		w.ok(err)
	}},
	{"watching keeps the clock and ends with its context", func(_ *testing.T, w *world) {
		db := w.another(func(o *store.Options) { o.Clock = nil })
		ctx, stop := context.WithCancel(w.ctx)
		done := make(chan struct{})
		go func() { defer close(done); db.Watch(ctx) }()
		stop()
		<-done
		if d := db.Clock().Now().Sub(clock.System{}.Now()).Abs(); d > time.Minute {
			w.Errorf("the database's clock is %v off", d)
		}
	}},
	{"a clock that is handed in is the database's", func(_ *testing.T, w *world) {
		w.clock.Advance(time.Hour)
		w.sameTime("now", w.db.Clock().Now(), w.now())
	}},
}

// view is a tenant as one of several workers sees it.
type view struct {
	db *store.DB
	*store.Tenant
}

// another opens a fresh database on the same engine.
func (w *world) another(options ...Option) *store.DB {
	w.Helper()
	return w.open(w, append([]Option{WithClock(w.clock)}, options...)...)
}

// pair opens one database twice, as two workers do. One in memory has but one, so
// a file stands in for it.
func (w *world) pair() (first, second view) {
	w.Helper()
	db := w.db
	if URL(w, db) == "sqlite::memory:" {
		db = OpenFile(w, WithClock(w.clock))
	}
	other := Again(w, db)
	return view{db, Tenant(w, db)}, view{other, Tenant(w, other)}
}

func (w *world) declareAt(v view) {
	w.Helper()
	_, err := v.Apply(w.ctx, basic("1"), w.now())
	w.ok(err)
}

// readConfiguration asks for everything that is leased.
func (w *world) readConfiguration(tn *store.Tenant) {
	w.Helper()
	_, err := tn.Client(w.ctx, app)
	w.ok(err)
	_, err = tn.Connectors(w.ctx)
	w.ok(err)
	_, err = tn.Self(w.ctx)
	w.ok(err)
	_, err = tn.AllowsOrigin(w.ctx, "https://app.example")
	w.ok(err)
}

// standing says of client, connector and tenant whether they are disabled.
func (w *world) standing(tn *store.Tenant) string {
	w.Helper()
	c, err := tn.Client(w.ctx, app)
	w.ok(err)
	all, err := tn.Connectors(w.ctx)
	w.ok(err)
	self, err := tn.Self(w.ctx)
	w.ok(err)
	return fmt.Sprint(c.Disabled, all[0].Disabled, self.Disabled)
}
