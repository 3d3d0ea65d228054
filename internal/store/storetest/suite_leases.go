package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/domain/key"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
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
	{"who waits for other processes at the end of many changes is told if it was too short", func(_ *testing.T, w *world) {
		w.ok(w.db.Settle(w.ctx, time.Nanosecond))
		gone, leave := context.WithCancel(w.ctx)
		leave()
		err := w.db.Settle(gone, longLease)
		if URL(w, w.db) == "sqlite::memory:" { // nobody else can have it open
			w.ok(err)
			return
		}
		w.refuses(fault.Unavailable, err)
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
	{"a look around costs the same however many tenants there are, until one changes", func(_ *testing.T, w *world) {
		db := w.another(WithLease(longLease))
		Tenant(w, db)
		for i := range 50 {
			_, err := db.EnsureTenant(w.ctx, fmt.Sprint("t", i), fmt.Sprint("https://t", i, ".example.com"))
			w.ok(err)
		}
		list, newer := db.CurrentTenants()
		same(w, "tenants before the first look", len(list), 0)
		w.ok(db.LookAround(w.ctx))
		<-newer
		list, newer = db.CurrentTenants()
		same(w, "tenants", len(list), 51)
		before := db.Work().Statements
		w.ok(db.LookAround(w.ctx))
		idle := db.Work().Statements - before
		if idle > 2 {
			w.Errorf("%d statements for nothing", idle)
		}
		select {
		case <-newer:
			w.Error("something is said to have changed")
		default:
		}
		for what, change := range map[string]func() error{
			"one is disabled": func() error { return w.at(db, "t7").DisableTenant(w.ctx, w.by()) },
			"one moves": func() error {
				moved := tenant.Registered{Tenant: tenant.Tenant{ID: "t8", Issuer: "https://moved.example.com"}}
				_, err := db.ChangeTenant(w.ctx, moved, w.by())
				return err
			},
			"one is deleted": func() error { return db.DeleteTenant(w.ctx, "t6", 0, w.by()) },
			"one comes": func() error {
				_, err := db.EnsureTenant(w.ctx, "later", "https://later.example.com")
				return err
			},
			"one goes": func() error {
				_, err := store.Raw(db).ExecContext(w.ctx, `DELETE FROM tenants WHERE id = 't9'`)
				return err
			},
		} {
			ctx := w.ctx
			short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			w.ctx = short // the verb would wait out the lease
			err := change()
			cancel()
			if w.ctx = ctx; err != nil {
				w.refuses(fault.Unavailable, err)
			}
			_, newer := db.CurrentTenants()
			w.ok(db.LookAround(w.ctx))
			select {
			case <-newer:
			default:
				w.Errorf("%s, and nobody is told", what)
			}
		}
		list, _ = db.CurrentTenants()
		same(w, "tenants at last", len(list), 50)
	}},
	{"how the connections stand, and when was last looked around, can be asked", func(_ *testing.T, w *world) {
		db := w.another()
		same(w, "looked around before the first look", db.LookedAt().IsZero(), true)
		before := clock.System{}.Now()
		w.ok(db.LookAround(w.ctx))
		if at := db.LookedAt(); at.Before(before) || at.After(clock.System{}.Now()) {
			w.Errorf("the last look began at %v", at)
		}
		p := db.Pool()
		if p.Max < 1 || p.InUse > 1 || p.Idle < 1 || p.Idle > p.Max || p.Waited < 0 {
			w.Errorf("after a look, with nobody asking but who keeps a database in memory: %+v", p)
		}
	}},
	{"a tenant that comes while another goes is found", func(_ *testing.T, w *world) {
		db := w.another()
		Tenant(w, db)
		_, err := db.EnsureTenant(w.ctx, "goes", "https://goes.example.com")
		w.ok(err)
		w.ok(db.LookAround(w.ctx))
		w.clock.Advance(time.Second)
		_, err = store.Raw(db).ExecContext(w.ctx, `DELETE FROM tenants WHERE id = 'goes'`)
		w.ok(err)
		_, err = db.EnsureTenant(w.ctx, "comes", "https://comes.example.com")
		w.ok(err)
		w.ok(db.LookAround(w.ctx))
		list, _ := db.CurrentTenants()
		same(w, "the last tenant", list[len(list)-1].ID, "comes")
		_, err = db.Tenant(w.ctx, "goes")
		w.refuses(fault.NotFound, err)
	}},
	{"timelines tell when keys sign, and nothing of the keys", func(_ *testing.T, w *world) {
		ring := &key.Ring{Store: w.Tenant, Clock: w.clock, Timing: key.DefaultTiming}
		algs := []jose.Algorithm{jose.ES256, jose.EdDSA}
		_, err := ring.Turn(w.ctx, algs)
		w.ok(err)
		_, err = w.db.EnsureTenant(w.ctx, "keyless", "https://keyless.example.com")
		w.ok(err)
		for _, later := range []time.Duration{0, key.DefaultTiming.Rotation, key.DefaultTiming.Rotation, 2 * time.Hour} {
			w.clock.Advance(later)
			_, err := ring.Turn(w.ctx, algs)
			w.ok(err)
			keys, err := w.SigningKeys(w.ctx)
			w.ok(err)
			timelines, err := w.db.Timelines(w.ctx)
			w.ok(err)
			same(w, "keys", len(timelines[w.ID()]), len(keys))
			for _, ahead := range []time.Duration{0, time.Hour, 24 * time.Hour, key.DefaultTiming.Rotation, 2 * key.DefaultTiming.Rotation} {
				at := w.now().Add(ahead)
				got, want := key.Plan(timelines[w.ID()], algs, key.DefaultTiming, at), key.Plan(keys, algs, key.DefaultTiming, at)
				same(w, "what has to be done", counted(got), counted(want))
			}
			none, known := timelines["keyless"]
			same(w, "a tenant without keys", fmt.Sprint(len(none), known), "0 true")
		}
		for _, k := range w.timeline() {
			if k.Private != nil {
				if _, err := k.Private.Sign(nil, nil, nil); err == nil {
					w.Error("a key signs that nobody has opened")
				}
			}
		}
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

// at returns another tenant.
func (w *world) at(db *store.DB, id string) *store.Tenant {
	w.Helper()
	tn, err := db.Tenant(w.ctx, id)
	w.ok(err)
	return tn
}

func (w *world) timeline() []key.Key {
	w.Helper()
	timelines, err := w.db.Timelines(w.ctx)
	w.ok(err)
	return timelines[w.ID()]
}

// counted says how much of what a plan does.
func counted(c key.Changes) string {
	return fmt.Sprint(len(c.Create), len(c.Retire), len(c.Destroy), len(c.Remove))
}
