package operate

import (
	"context"
	"crypto"
	"sync"
	"time"

	"dex/internal/admin/api"
	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/connector/roster"
	"dex/internal/domain/grant"
	"dex/internal/domain/key"
	"dex/internal/domain/mint"
	"dex/internal/domain/proof"
	"dex/internal/protocol/jose"
	"dex/internal/store"
)

// authority knows the tenants by their issuers. What it has learnt of one it keeps;
// whether that is still so, the tenant's lease on its configuration tells.
type authority struct {
	db    *store.DB
	clock clock.Clock
	home  string // the issuer of the installation

	address string // of the API, which proofs of possession are made for

	mu     sync.Mutex
	realms map[string]*realm // by issuer
}

// realm is a tenant with its picture of the keys.
type realm struct {
	api.Realm
	tenant *store.Tenant
	ring   *key.Ring

	mu     sync.Mutex // whoever has it takes a new picture
	failed time.Time  // when that failed last
}

// Knows implements [api.Authority]. That of the installation is known before anybody has
// asked for it, so that strangers do not keep its operators out of a server that has just
// started.
func (a *authority) Knows(issuer string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return issuer == a.home || a.realms[issuer] != nil
}

// Realm implements [api.Authority].
func (a *authority) Realm(ctx context.Context, issuer string) (*api.Realm, error) {
	r, err := a.realm(ctx, issuer)
	if err != nil {
		return nil, err
	}
	self, err := r.tenant.Self(ctx)
	if err != nil {
		return nil, err
	}
	if self.Issuer != issuer {
		return nil, errNoIssuer
	}
	if err := r.keep(ctx, r.ring.Timing.Refresh); err != nil {
		return nil, err
	}
	return &r.Realm, nil
}

var errNoIssuer = fault.New(fault.NotFound, "No tenant here has this issuer.")

func (a *authority) realm(ctx context.Context, issuer string) (*realm, error) {
	a.mu.Lock()
	known := a.realms[issuer]
	a.mu.Unlock()
	if known != nil {
		return known, nil
	}
	t, err := a.db.TenantOf(ctx, issuer)
	if err != nil {
		return nil, err
	}
	r := &realm{tenant: t, ring: &key.Ring{Store: t, Clock: a.clock, Timing: key.DefaultTiming, Version: t.Version}}
	r.Realm = api.Realm{
		Tenant: t.ID(), Issuer: issuer, Access: mint.Reader{Issuer: issuer, Find: r.find, Opaque: mint.NewOpaque(t.RefreshKey(), issuer)}, Clients: t, Grants: t,
		Desk:   grant.Desk{Tenants: t, Clients: t, Connectors: &roster.Roster{Store: t, Clock: a.clock}, Clock: a.clock},
		Proofs: &proof.Desk{Bases: []string{a.address}, Store: t, Clock: a.clock},
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if other := a.realms[issuer]; other != nil {
		return other, nil
	}
	if a.realms == nil {
		a.realms = map[string]*realm{}
	}
	a.realms[issuer] = r
	return r, nil
}

// keep takes a new picture of the keys if the last one is old. While the database is
// away the last one serves on.
func (r *realm) keep(ctx context.Context, old time.Duration) error {
	if age, ok := r.ring.Age(); ok && age < old {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	age, ok := r.ring.Age()
	if ok && age < old {
		return nil // another has done it
	}
	now := r.ring.Clock.Now()
	if ok && now.Sub(r.failed) < soon {
		return nil // another has tried just now, and those who wait would wait in a row
	}
	err := r.ring.Refresh(ctx)
	if err != nil {
		r.failed = now
	}
	if err != nil && !ok {
		return err
	}
	return nil
}

const (
	// soon is how old a picture may be that lacks a key which a token names.
	soon = 5 * time.Second
	// patience is how long a look at the keys may take.
	patience = 2 * time.Second
)

// find returns the keys of a token. A key that is not in the picture may be newer: the
// first of an installation signs at once.
func (r *realm) find(kid string, alg jose.Algorithm) []crypto.PublicKey {
	if found := r.ring.Find(kid, alg); len(found) > 0 {
		return found
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if r.keep(ctx, soon) != nil {
		return nil
	}
	return r.ring.Find(kid, alg)
}
