package store

import (
	"context"
	"fmt"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/tenant"
)

const registeredTenantColumns = `tenants.id, tenants.issuer, tenants.disabled, tenants.not_before, tenants.name, tenants.version, tenants.created_at`

// alive leaves out the tenants that are being cleared away.
const alive = `NOT EXISTS (SELECT 1 FROM deleted_tenants WHERE deleted_tenants.id = tenants.id)`

func scanTenant(s scanner) (r tenant.Registered, err error) {
	return r, s.Scan(&r.ID, &r.Issuer, &r.Disabled, (*instant)(&r.NotBefore), &r.Name, &r.Version, (*instant)(&r.CreatedAt))
}

// Tenants implements [tenant.Registry].
func (db *DB) Tenants(ctx context.Context, f tenant.Filter, after string, limit int) ([]tenant.Registered, error) {
	rows, err := db.reader().query(ctx, `
		SELECT `+registeredTenantColumns+` FROM tenants
		WHERE id > $1 AND `+alive+`
			AND ($2 = '' OR LOWER(id) LIKE $2 ESCAPE '\' OR LOWER(issuer) LIKE $2 ESCAPE '\' OR LOWER(name) LIKE $2 ESCAPE '\')
			AND ($3 = '' OR disabled = ($3 = 'disabled'))
		ORDER BY id LIMIT $4`, after, containing(f.Text), stateName(f.Disabled), limit)
	return collect(rows, err, scanTenant)
}

// RegisteredTenant implements [tenant.Registry].
func (db *DB) RegisteredTenant(ctx context.Context, id string) (tenant.Registered, error) {
	return registeredTenant(ctx, db.reader(), id)
}

func registeredTenant(ctx context.Context, h hand, id string) (tenant.Registered, error) {
	r, err := scanTenant(h.row(ctx, `SELECT `+registeredTenantColumns+` FROM tenants WHERE id = $1 AND `+alive, id))
	return r, notFound(err, "There is no tenant %q.", id)
}

// home is where the record of what is done to tenants stands.
func (db *DB) home() *Tenant { return &Tenant{db: db, id: tenant.Default} }

// RegisterTenant implements [tenant.Registry].
func (db *DB) RegisterTenant(ctx context.Context, r tenant.Registered, by audit.By) (tenant.Registered, error) {
	if err := tenant.CheckID(r.ID); err != nil {
		return r, err
	}
	if err := checkIssuer(r.Issuer); err != nil {
		return r, err
	}
	r.Version, r.CreatedAt = 1, by.At
	err := db.inTx(ctx, func(tx hand) error {
		if err := db.insertTenant(ctx, tx, r); err != nil {
			return err
		}
		return db.home().witness(ctx, tx, by, aboutTenant(by, audit.TenantCreated, r.ID, map[string]string{"issuer": r.Issuer}))
	})
	return r, err
}

// checkIssuer says what is wrong with an issuer.
func checkIssuer(issuer string) error {
	if err := tenant.CheckIssuer(issuer); err != nil {
		f := fault.New(fault.Invalid, "The issuer %s.", err)
		f.Field = "issuer"
		return f
	}
	return nil
}

// insertTenant adds a tenant whose id is and was nobody's.
func (db *DB) insertTenant(ctx context.Context, tx hand, r tenant.Registered) error {
	if err := neverDeleted(ctx, tx, r.ID); err != nil {
		return err
	}
	t := &Tenant{db: db, id: r.ID}
	n, err := tx.exec(ctx, `
		INSERT INTO tenants (id, issuer, name, disabled, refresh_key, created_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO NOTHING`,
		r.ID, r.Issuer, r.Name, r.Disabled, t.seal(newRefreshKey(), "tenants", "refresh_key"), instant(r.CreatedAt))
	if db.engine.exists(err) {
		return issuerTaken(r.Issuer)
	}
	return mustChange(n, err, fault.New(fault.Conflict, "There is a tenant %q already.", r.ID))
}

func issuerTaken(issuer string) error {
	return fault.New(fault.Conflict, "The issuer %s belongs to another tenant.", issuer)
}

// neverDeleted returns a fault if a tenant of this id has been deleted.
func neverDeleted(ctx context.Context, h hand, id string) error {
	deleted := false
	err := h.row(ctx, `SELECT EXISTS (SELECT 1 FROM deleted_tenants WHERE id = $1)`, id).Scan(&deleted)
	if err == nil && deleted {
		return fault.New(fault.Conflict, "There was a tenant %q, which is deleted. Its id does not come back, because tokens and backups name it: choose another.", id)
	}
	return err
}

func aboutTenant(by audit.By, kind audit.Kind, id string, detail map[string]string) audit.Event {
	e := by.Event(kind)
	e.Detail = map[string]string{"tenant": id}
	for name, text := range detail {
		e.Detail[name] = text
	}
	return e
}

// ChangeTenant implements [tenant.Registry].
func (db *DB) ChangeTenant(ctx context.Context, r tenant.Registered, by audit.By) (after tenant.Registered, err error) {
	if err := checkIssuer(r.Issuer); err != nil {
		return after, err
	}
	t, err := db.Tenant(ctx, r.ID)
	if err != nil {
		return after, err
	}
	// The receipt is kept where the record is: at home.
	err = t.editConfiguration(ctx, nil, func(tx hand) (changed bool, err error) {
		before, err := registeredTenant(ctx, tx, r.ID)
		if err != nil {
			return false, err
		}
		before.Version-- // this very step has raised it
		if err := (keptRow{noun: "tenant", id: r.ID, version: before.Version}).mustBe(r.Version); err != nil {
			return false, err
		}
		after = before
		if r.Issuer == before.Issuer && r.Name == before.Name {
			return false, nil
		}
		after.Issuer, after.Name, after.Version = r.Issuer, r.Name, before.Version+1
		if _, err := tx.exec(ctx, `UPDATE tenants SET issuer = $2, name = $3 WHERE id = $1`, r.ID, r.Issuer, r.Name); err != nil {
			return false, err
		}
		detail := map[string]string{}
		if r.Issuer != before.Issuer {
			detail["issuer"], detail["issuer_before"] = r.Issuer, before.Issuer
		}
		if r.Name != before.Name {
			detail["name"] = r.Name
		}
		return true, db.home().witness(ctx, tx, by, aboutTenant(by, audit.TenantChanged, r.ID, detail))
	})
	if db.engine.exists(err) {
		return after, issuerTaken(r.Issuer)
	}
	return after, err
}

// SwitchTenant implements [tenant.Registry].
func (db *DB) SwitchTenant(ctx context.Context, id string, disabled bool, by audit.By) error {
	kind := audit.TenantEnabled
	if disabled {
		kind = audit.TenantDisabled
	}
	if disabled && id == tenant.Default {
		return fault.New(fault.Conflict, "The tenant %q cannot be disabled here: nobody could enable it again, since its operators log in by it.", id)
	}
	t, err := db.Tenant(ctx, id)
	if err != nil {
		return err
	}
	return t.changeConfiguration(ctx, func(tx hand) error {
		switch err := neverDeleted(ctx, tx, id); {
		case fault.Is(err, fault.Conflict):
			return fault.New(fault.NotFound, "There is no tenant %q.", id)
		case err != nil:
			return err
		}
		if _, err := tx.exec(ctx, `UPDATE tenants SET disabled = $2 WHERE id = $1`, id, disabled); err != nil {
			return err
		}
		return db.home().witness(ctx, tx, by, aboutTenant(by, kind, id, nil))
	})
}

// DeleteTenant implements [tenant.Registry].
func (db *DB) DeleteTenant(ctx context.Context, id string, version int64, by audit.By) error {
	if id == tenant.Default {
		return fault.New(fault.Conflict, "The tenant %q stays: the operators of all tenants are in it.", id)
	}
	t, err := db.Tenant(ctx, id)
	if err != nil {
		return err
	}
	return t.changeConfiguration(ctx, func(tx hand) error {
		r, err := registeredTenant(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := (keptRow{noun: "tenant", id: id, version: r.Version - 1}).mustBe(version); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `UPDATE tenants SET disabled = TRUE WHERE id = $1`, id); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `INSERT INTO deleted_tenants (id, issuer, deleted_at) VALUES ($1, $2, $3)`,
			id, r.Issuer, instant(by.At)); err != nil {
			return err
		}
		return db.home().witness(ctx, tx, by, aboutTenant(by, audit.TenantDeleted, id, map[string]string{"issuer": r.Issuer}))
	})
}

// ofATenant are the tables that hold what a tenant has, and the columns that tell
// their rows apart, in the order in which they are emptied. What people have goes
// with the people. The record is not among them.
var ofATenant = []struct{ table, key string }{
	{"users", "tenant_id, id"},
	{"user_groups", "tenant_id, id"},
	{"clients", "tenant_id, id"},
	{"connectors", "tenant_id, id"},
	{"throttles", "tenant_id, bucket"},
	{"revoked_tokens", "tenant_id, token"},
	{"used_assertions", "tenant_id, client_id, jti"},
	{"traces", "tenant_id, support_code"},
	{"receipts", "tenant_id, actor, key"},
	{"outbox", "tenant_id, id"},
	{"signing_keys", "tenant_id, id"},
}

// clearTenants deletes a batch of each table of what deleted tenants have kept, and
// at the end the tenants themselves.
func (db *DB) clearTenants(ctx context.Context, batch int, deleted map[string]int) error {
	rows, err := db.reader().query(ctx, `SELECT deleted_tenants.id FROM deleted_tenants JOIN tenants ON tenants.id = deleted_tenants.id`)
	gone, err := collect(rows, err, func(s scanner) (id string, err error) { return id, s.Scan(&id) })
	if err != nil {
		return fmt.Errorf("clear away tenants: %w", err)
	}
	for _, id := range gone {
		more := false
		for _, of := range ofATenant {
			n, err := db.writer().exec(ctx, fmt.Sprintf(`
				DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE tenant_id = $1 LIMIT %[3]d)`,
				of.table, of.key, batch), id)
			if err != nil {
				return fmt.Errorf("clear away %s of the tenant %s: %w", of.table, id, err)
			}
			more = more || n > 0
			if n > 0 {
				deleted[of.table] += int(n)
			}
		}
		if more {
			continue
		}
		if _, err := db.writer().exec(ctx, `DELETE FROM tenants WHERE id = $1`, id); err != nil {
			return fmt.Errorf("clear away the tenant %s: %w", id, err)
		}
		deleted["tenants"]++
		db.drop(id)
	}
	return nil
}

// drop forgets the view of a tenant that is gone.
func (db *DB) drop(id string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	delete(db.tenants, id)
}
