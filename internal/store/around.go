package store

import (
	"context"
	"slices"
	"sync"
	"time"

	"dex/internal/domain/tenant"
)

// wholeLook is how often all tenants are read although nothing seems to have
// changed. It bounds what a change could cost that the summary does not show, such
// as one that somebody made by hand.
const wholeLook = 30 * time.Second

// around is what the looks around have found: who the tenants are.
type around struct {
	looking sync.Mutex // one look at a time

	mu      sync.Mutex
	summary summary
	wholeAt time.Time // when the last whole look began
	looks   []look    // what it found
	list    []tenant.Tenant
	newer   chan struct{} // closed when the list is another
	lastAt  time.Time     // when the last look began that succeeded
}

// summary is what all tenants come to. Every change of a configuration makes the
// sum of the versions grow, a tenant that goes makes them fewer, and one that
// comes is the youngest.
type summary struct {
	count, versions int64
	youngest        time.Time
}

// CurrentTenants returns the tenants as the last look around found them, in the order in
// which they came, and a channel that is closed as soon as a look finds them
// changed. The list is for reading only.
func (db *DB) CurrentTenants() (list []tenant.Tenant, newer <-chan struct{}) {
	a := &db.around
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newer == nil {
		a.newer = make(chan struct{})
	}
	return a.list, a.newer
}

// LookAround looks at every tenant, and renews the lease on the configuration of
// those that are in use here. While nothing changes it reads three numbers,
// however many tenants there are.
func (db *DB) LookAround(ctx context.Context) error {
	db.around.looking.Lock()
	defer db.around.looking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, max(db.options.Lease, time.Second))
	defer cancel()
	if err := db.readClock(ctx); err != nil {
		return err
	}
	began := begin()
	var s summary
	err := db.reader().row(ctx, `
		SELECT COUNT(*), CAST(COALESCE(SUM(version), 0) AS BIGINT), MAX(created_at) FROM tenants`,
	).Scan(&s.count, &s.versions, (*instant)(&s.youngest))
	if err != nil {
		return err
	}
	if looks, same := db.around.unchanged(s, began.began); same {
		db.renew(looks, began.began)
		return nil
	}
	// What changes between the two statements shows in the next summary.
	began = begin()
	rows, err := db.reader().query(ctx, `SELECT `+lookColumns+`, `+alive+` FROM tenants ORDER BY created_at, id`)
	var list []tenant.Tenant
	looks, err := collect(rows, err, func(r scanner) (look, error) {
		k, there := began, false
		err := r.Scan(append(k.into(), &there)...)
		if there {
			list = append(list, k.tenant)
		}
		return k, err
	})
	if err != nil {
		return err
	}
	db.forgetTenants(db.around.keep(s, looks, list, began.began))
	db.renew(looks, began.began)
	return nil
}

// unchanged returns what the last whole look found, if the summary is the same and
// that look is recent.
func (a *around) unchanged(s summary, now time.Time) ([]look, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.looks, a.summary == s && !a.wholeAt.IsZero() && now.Sub(a.wholeAt) < wholeLook
}

// keep takes note of a whole look, and returns the ids of the tenants that are gone.
func (a *around) keep(s summary, looks []look, list []tenant.Tenant, now time.Time) (gone []string) {
	there := make(map[string]bool, len(list))
	for _, t := range list {
		there[t.ID] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.list {
		if !there[t.ID] {
			gone = append(gone, t.ID)
		}
	}
	a.summary, a.wholeAt, a.looks = s, now, looks
	if slices.EqualFunc(a.list, list, sameTenant) {
		return gone
	}
	a.list = list
	if a.newer != nil {
		close(a.newer)
		a.newer = nil
	}
	return gone
}

func sameTenant(a, b tenant.Tenant) bool {
	return a.ID == b.ID && a.Issuer == b.Issuer && a.Disabled == b.Disabled && a.NotBefore.Equal(b.NotBefore)
}

// renew lets the tenants that are in use here be answered from memory for another
// while. One whose change another process has made since is found by its version.
func (db *DB) renew(looks []look, began time.Time) {
	db.around.mu.Lock()
	db.around.lastAt = began
	db.around.mu.Unlock()
	for _, k := range looks {
		if t := db.known(k.tenant.ID); t != nil {
			k.began = began
			t.leased.keepTenant(k)
		}
	}
}

// forgetTenants lets go of the views of tenants that are no more.
func (db *DB) forgetTenants(gone []string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, id := range gone {
		delete(db.tenants, id)
	}
}

// LookedAt returns when the last look around began, by this machine's clock; the zero
// time if there was none.
func (db *DB) LookedAt() time.Time {
	db.around.mu.Lock()
	defer db.around.mu.Unlock()
	return db.around.lastAt
}
