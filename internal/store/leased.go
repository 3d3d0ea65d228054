package store

import (
	"container/list"
	"context"
	"log/slog"
	"sync"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
)

// How many clients of a tenant, and origins of their pages, are kept in memory.
const (
	maxClients = 4096
	maxOrigins = 4096
)

// leased is a tenant's configuration in memory. It may be answered from for as
// long as the last look at the database began less than a lease ago. A look reads
// the tenant's version; if that has grown, everything is forgotten.
//
// Whoever changes the configuration commits, and then waits for the lease: every
// look that did not see the change began before the commit, so nothing is
// answered by it any more.
type leased struct {
	mu         sync.Mutex
	lookedAt   time.Time // when the last look began, by our own monotonic clock
	version    int64
	tenant     tenant.Tenant
	clients    map[string]*list.Element
	recent     *list.List // of client.Client, the most recently used first
	origins    map[string]bool
	connectors []connector.Configured
}

// look is what one statement sees of a tenant, beside what it was asked for.
type look struct {
	began   time.Time
	version int64
	tenant  tenant.Tenant
}

// begin notes when a look begins.
func begin() look { return look{began: clock.System{}.Now()} }

// lookColumns are what every look reads.
const lookColumns = `tenants.id, tenants.issuer, tenants.disabled, tenants.not_before, tenants.version, tenants.registration`

func (k *look) into() []any {
	return []any{&k.tenant.ID, &k.tenant.Issuer, &k.tenant.Disabled, (*instant)(&k.tenant.NotBefore), &k.version, document{&k.tenant.Registration}}
}

// see takes note of a look. It reports whether what the same statement has read
// may be kept: not if a later look has seen a later version.
func (l *leased) see(k look) bool {
	if k.version < l.version {
		return false
	}
	if k.version > l.version || l.clients == nil {
		l.version = k.version
		l.clients, l.recent = map[string]*list.Element{}, list.New()
		l.origins, l.connectors = map[string]bool{}, nil
	}
	l.tenant = k.tenant
	if k.began.After(l.lookedAt) {
		l.lookedAt = k.began
	}
	return true
}

// fresh reports whether the lease still runs.
func (l *leased) fresh(lease time.Duration) bool {
	return !l.lookedAt.IsZero() && clock.System{}.Now().Sub(l.lookedAt) < lease
}

// forget makes the next question go to the database.
func (l *leased) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lookedAt = time.Time{}
}

func (l *leased) client(id string, lease time.Duration) (client.Client, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.fresh(lease) {
		return client.Client{}, false
	}
	e, ok := l.clients[id]
	if !ok {
		return client.Client{}, false
	}
	l.recent.MoveToFront(e)
	return e.Value.(client.Client), true
}

func (l *leased) keepClient(k look, c client.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.see(k) {
		return
	}
	if e, ok := l.clients[c.ID]; ok {
		e.Value = c
		l.recent.MoveToFront(e)
		return
	}
	l.clients[c.ID] = l.recent.PushFront(c)
	if l.recent.Len() > maxClients {
		last := l.recent.Back()
		delete(l.clients, l.recent.Remove(last).(client.Client).ID)
	}
}

func (l *leased) allows(origin string, lease time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fresh(lease) && l.origins[origin]
}

func (l *leased) keepOrigin(k look, origin string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.see(k) && len(l.origins) < maxOrigins {
		l.origins[origin] = true
	}
}

func (l *leased) allConnectors(lease time.Duration) ([]connector.Configured, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connectors, l.fresh(lease) && l.connectors != nil
}

func (l *leased) keepConnectors(k look, all []connector.Configured) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.see(k) {
		l.connectors = all
	}
}

func (l *leased) keepTenant(k look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.see(k)
}

// Version returns the version of the tenant's configuration that was seen last. It
// never goes back.
func (t *Tenant) Version() int64 {
	t.leased.mu.Lock()
	defer t.leased.mu.Unlock()
	return t.leased.version
}

// Known returns the tenant as it was seen last. It asks nobody, however long ago that
// is.
func (t *Tenant) Known() tenant.Tenant {
	t.leased.mu.Lock()
	defer t.leased.mu.Unlock()
	return t.leased.tenant
}

// Self returns the tenant as it stands. The answer may be as old as the lease on
// configuration allows.
func (t *Tenant) Self(ctx context.Context) (tenant.Tenant, error) {
	t.leased.mu.Lock()
	known, fresh := t.leased.tenant, t.leased.fresh(t.db.options.Lease)
	t.leased.mu.Unlock()
	if fresh {
		return known, nil
	}
	k := begin()
	if err := t.db.reader().row(ctx, `SELECT `+lookColumns+` FROM tenants WHERE id = $1`, t.id).Scan(k.into()...); err != nil {
		return tenant.Tenant{}, notFound(err, "There is no tenant %q.", t.id)
	}
	t.leased.keepTenant(k)
	return k.tenant, nil
}

// Watch keeps the leases on configuration and the picture of the database's clock
// fresh until the context ends. Without it everything is still right, only asked
// for more often.
func (db *DB) Watch(ctx context.Context) {
	away := false
	for {
		err := db.LookAround(ctx)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != away {
			away = err != nil
			db.logReach(ctx, err)
		}
		if sleep(ctx, db.options.Lease/3) != nil {
			return
		}
	}
}

func (db *DB) logReach(ctx context.Context, err error) {
	if err != nil {
		db.options.Log.WarnContext(ctx, "the database does not answer", slog.Any("error", err))
		return
	}
	db.options.Log.InfoContext(ctx, "the database answers again")
}

func (db *DB) known(id string) *Tenant {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.tenants[id]
}

// changeConfiguration does something to the configuration as one step, and
// returns when nobody goes by the old one any more.
func (t *Tenant) changeConfiguration(ctx context.Context, do func(tx hand) error) error {
	err := t.db.inTx(ctx, func(tx hand) error {
		if err := t.nextVersion(ctx, tx); err != nil {
			return err
		}
		return do(tx)
	})
	// Even if the commit's outcome is not known, the next question is a fresh one.
	t.leased.forget()
	if err != nil {
		return err
	}
	return t.db.settle(ctx)
}

// nextVersion makes every other worker forget what it knows of the configuration,
// once the transaction is committed.
func (t *Tenant) nextVersion(ctx context.Context, tx hand) error {
	n, err := tx.exec(ctx, `UPDATE tenants SET version = version + 1 WHERE id = $1`, t.id)
	return mustChange(n, err, fault.New(fault.NotFound, "There is no tenant %q.", t.id))
}

// settle waits until no other process can still go by what was so before.
func (db *DB) settle(ctx context.Context) error { return db.Settle(ctx, db.options.Lease) }

// Settle is what each change of the configuration ends with: it waits for a lease, so that
// nobody goes by what was so before. Who makes many changes and has nothing to tell
// anybody in between opens the database with a lease that is next to none, and does this
// once, at the end, with the lease that the others have.
func (db *DB) Settle(ctx context.Context, lease time.Duration) error {
	if !db.engine.shared {
		return nil
	}
	if err := sleep(ctx, lease); err != nil {
		return fault.Wrap(fault.Unavailable, err, "It is done, but not every server may know of it yet.")
	}
	return nil
}
