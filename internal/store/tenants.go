package store

import (
	"context"
	"crypto/rand"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/tenant"
)

// refreshKeySize is that of the key to an HMAC with SHA-256.
const refreshKeySize = 32

// Tenant returns a tenant's view of the database. It returns a fault of kind
// NotFound if there is no such tenant.
func (db *DB) Tenant(ctx context.Context, id string) (*Tenant, error) {
	if t := db.known(id); t != nil {
		return t, nil
	}
	t := &Tenant{db: db, id: id}
	k, sealed := begin(), []byte(nil)
	err := db.reader().row(ctx, `SELECT `+lookColumns+`, tenants.refresh_key FROM tenants WHERE id = $1`, id).Scan(append(k.into(), &sealed)...)
	if err != nil {
		return nil, notFound(err, "There is no tenant %q.", id)
	}
	if t.refreshKey, err = t.unseal(sealed, "tenants", "refresh_key"); err != nil {
		return nil, err
	}
	t.leased.keepTenant(k)
	db.mu.Lock()
	defer db.mu.Unlock()
	// Everybody shares one view, and so what it has in memory.
	if other := db.tenants[id]; other != nil {
		return other, nil
	}
	db.tenants[id] = t
	return t, nil
}

// TenantOf returns the view of the tenant that has an issuer. It returns a fault of
// kind NotFound if there is none.
func (db *DB) TenantOf(ctx context.Context, issuer string) (*Tenant, error) {
	var id string
	err := db.reader().row(ctx, `SELECT id FROM tenants WHERE issuer = $1`, issuer).Scan(&id)
	if err != nil {
		return nil, notFound(err, "No tenant has this issuer.")
	}
	return db.Tenant(ctx, id)
}

// EnsureTenant returns the tenant, which it creates if there is none. It returns a
// fault of kind Conflict if the tenant exists under another issuer, or the issuer
// under another tenant: tokens in the field name the old one, so that is not
// changed in passing.
func (db *DB) EnsureTenant(ctx context.Context, id, issuer string) (*Tenant, error) {
	t, err := db.Tenant(ctx, id)
	if fault.Is(err, fault.NotFound) {
		if err = db.createTenant(ctx, id, issuer); err == nil {
			t, err = db.Tenant(ctx, id)
		}
	}
	if err != nil {
		return nil, err
	}
	self, err := t.Self(ctx)
	if err != nil {
		return nil, err
	}
	if self.Issuer != issuer {
		return nil, fault.New(fault.Conflict, "The database belongs to the issuer %s, and the configuration names %s. Tokens and applications out there name the old one. Set the issuer back, use another database, or change it for good with dexctl tenants before you change the configuration.", self.Issuer, issuer)
	}
	return t, nil
}

func (db *DB) createTenant(ctx context.Context, id, issuer string) error {
	if id == "" || issuer == "" {
		return fault.New(fault.Invalid, "A tenant has an id and an issuer.")
	}
	err := db.inTx(ctx, func(tx hand) error {
		return db.insertTenant(ctx, tx, tenant.Registered{Tenant: tenant.Tenant{ID: id, Issuer: issuer}, CreatedAt: db.clock.Now()})
	})
	if fault.Is(err, fault.Conflict) {
		if _, found := db.Tenant(ctx, id); found == nil {
			return nil // another was quicker
		}
	}
	return err
}

// newRefreshKey returns a key that no other tenant has.
func newRefreshKey() []byte {
	key := make([]byte, refreshKeySize)
	_, _ = rand.Read(key) // it never fails: the program would be ended instead
	return key
}

// DisableTenant stops everything that the tenant does, for everybody. When it
// returns, no worker honours any of it.
func (t *Tenant) DisableTenant(ctx context.Context, by audit.By) error {
	return t.setTenantDisabled(ctx, true, "disabled", by)
}

// EnableTenant lets the tenant work again.
func (t *Tenant) EnableTenant(ctx context.Context, by audit.By) error {
	return t.setTenantDisabled(ctx, false, "enabled", by)
}

func (t *Tenant) setTenantDisabled(ctx context.Context, disabled bool, word string, by audit.By) error {
	return t.changeConfiguration(ctx, func(tx hand) error {
		if _, err := tx.exec(ctx, `UPDATE tenants SET disabled = $2 WHERE id = $1`, t.id, disabled); err != nil {
			return err
		}
		return t.witness(ctx, tx, by, tenantEvent(by, map[string]string{"tenant": word}))
	})
}

// SetTenantNotBefore sets the tenant's epoch: when it returns, no worker honours
// anything that was issued earlier. It never goes back.
func (t *Tenant) SetTenantNotBefore(ctx context.Context, notBefore time.Time, by audit.By) error {
	return t.changeConfiguration(ctx, func(tx hand) error {
		_, err := tx.exec(ctx, `
			UPDATE tenants SET not_before = $2
			WHERE id = $1 AND (not_before IS NULL OR not_before < $2)`, t.id, instant(notBefore))
		if err != nil {
			return err
		}
		return t.witness(ctx, tx, by, tenantEvent(by, map[string]string{
			"tenant": "epoch", "not_before": notBefore.UTC().Format(time.RFC3339),
		}))
	})
}

// tenantEvent is the event of something that was done to the tenant itself.
func tenantEvent(by audit.By, detail map[string]string) audit.Event {
	e := by.Event(audit.ConfigApplied)
	e.Detail = detail
	return e
}
