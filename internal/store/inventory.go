package store

import (
	"context"
	"strconv"
	"time"

	"dex/internal/connector/inventory"
	"dex/internal/domain/audit"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
)

// Inventory implements [inventory.Keeper]. All is read in one transaction,
// which waits for nobody but who is changing the configuration.
func (t *Tenant) Inventory(ctx context.Context, named inventory.Named) (i inventory.Inventory, err error) {
	err = t.db.inTx(ctx, func(tx hand) error {
		// Whoever changes the configuration begins with this row.
		if _, err := tx.exec(ctx, `UPDATE tenants SET version = version WHERE id = $1`, t.id); err != nil {
			return err
		}
		i, err = t.inventory(ctx, tx, named)
		return err
	})
	return i, err
}

func (t *Tenant) inventory(ctx context.Context, h hand, named inventory.Named) (i inventory.Inventory, err error) {
	rows, err := h.query(ctx, `SELECT `+registeredColumns+` FROM clients WHERE tenant_id = $1 ORDER BY id`, t.id)
	if i.Clients, err = collect(rows, err, t.registered); err != nil {
		return i, err
	}
	rows, err = h.query(ctx, `SELECT `+registeredConnectorColumns+` FROM connectors WHERE tenant_id = $1 ORDER BY position, id`, t.id)
	if i.Connectors, err = collect(rows, err, t.scanConnector); err != nil {
		return i, err
	}
	if i.Groups, err = t.groupsOfFiles(ctx, h, named.Groups); err != nil {
		return i, err
	}
	if i.People, err = t.peopleOfFiles(ctx, h, named); err != nil || t.id != tenant.Default {
		return i, err
	}
	rows, err = h.query(ctx, `
		SELECT id FROM users WHERE tenant_id = $1 AND role = $2 AND role <> '' AND NOT disabled ORDER BY id`, t.id, string(role.Owner))
	i.Owners, err = collect(rows, err, scanID)
	return i, err
}

// Reconcile implements [inventory.Keeper].
func (t *Tenant) Reconcile(ctx context.Context, named inventory.Named, decide func(inventory.Inventory) (inventory.Deeds, error), by audit.By) error {
	return t.editConfiguration(ctx, by.Receipt, func(tx hand) (changed bool, err error) {
		// The tenant's row is ours by now, so that nothing changes until the end.
		now, err := t.inventory(ctx, tx, named)
		if err != nil {
			return false, err
		}
		deeds, err := decide(now)
		if err != nil {
			return false, err
		}
		if deeds.Empty() && by.Receipt == nil {
			return false, nil
		}
		r := reconciliation{Tenant: t, tx: tx, by: by, before: now}
		if err := r.connectors(ctx, deeds); err != nil {
			return false, err
		}
		if err := r.clients(ctx, deeds); err != nil {
			return false, err
		}
		if err := r.people(ctx, deeds); err != nil {
			return false, err
		}
		e := by.Event(audit.ConfigApplied)
		e.Detail = map[string]string{
			"created":  strconv.Itoa(len(deeds.NewClients) + len(deeds.NewConnectors) + len(deeds.NewPeople) + len(deeds.NewGroups)),
			"changed":  strconv.Itoa(len(deeds.ChangedClients) + len(deeds.ChangedConnectors) + len(deeds.ChangedPeople) + len(deeds.ChangedGroups)),
			"disabled": strconv.Itoa(len(deeds.DisableConnectors) + len(deeds.DisablePeople)),
			"deleted":  strconv.Itoa(len(deeds.DeleteClients) + len(deeds.DeleteGroups)),
		}
		return true, t.record(ctx, tx, e)
	})
}

// reconciliation is one run of [Tenant.Reconcile] in its transaction.
type reconciliation struct {
	*Tenant
	tx     hand
	by     audit.By
	before inventory.Inventory
}

func (r *reconciliation) connectors(ctx context.Context, d inventory.Deeds) error {
	for _, c := range d.NewConnectors {
		if err := r.insertConnector(ctx, r.tx, &c, r.by); err != nil {
			return err
		}
	}
	for _, c := range d.ChangedConnectors {
		before, err := r.registeredConnector(ctx, r.tx, c.ID)
		if err != nil {
			return err
		}
		if err := connectorKept(before).mayChange(c.Version); err != nil {
			return err
		}
		if _, err := r.updateConnector(ctx, r.tx, before, &c, r.by); err != nil {
			return err
		}
	}
	for _, id := range d.DisableConnectors {
		if _, err := r.tx.exec(ctx, `
			UPDATE connectors SET disabled = TRUE, disabled_by = $3, version = version + 1, updated_at = $4
			WHERE tenant_id = $1 AND id = $2`, r.id, id, tenant.ManagedByApply, instant(r.by.At)); err != nil {
			return err
		}
		if err := r.record(ctx, r.tx, connectorEvent(r.by, audit.ConnectorDisabled, id)); err != nil {
			return err
		}
	}
	return r.orderConnectors(ctx, r.tx, d.Order, r.by)
}

func (r *reconciliation) clients(ctx context.Context, d inventory.Deeds) error {
	for _, c := range d.NewClients {
		if err := r.insertClient(ctx, r.tx, &c, r.by); err != nil {
			return err
		}
	}
	for _, c := range d.ChangedClients {
		before, err := r.registeredClient(ctx, r.tx, c.ID)
		if err != nil {
			return err
		}
		if err := clientKept(before).mayChange(c.Version); err != nil {
			return err
		}
		if _, err := r.updateClient(ctx, r.tx, before, &c, r.by); err != nil {
			return err
		}
	}
	for _, id := range d.DeleteClients {
		before, err := r.registeredClient(ctx, r.tx, id)
		if err != nil {
			return err
		}
		if err := clientKept(before).mayDelete(0); err != nil {
			return err
		}
		if err := r.removeClient(ctx, r.tx, id, r.by); err != nil {
			return err
		}
	}
	return nil
}

// PeopleOf implements [inventory.Keeper].
func (t *Tenant) PeopleOf(ctx context.Context, clientID string, since time.Time) (n int, err error) {
	err = t.db.reader().row(ctx, `
		SELECT COUNT(DISTINCT user_id) FROM client_use WHERE tenant_id = $1 AND client_id = $2 AND last_at > $3`,
		t.id, clientID, instant(since)).Scan(&n)
	return n, err
}

// PeopleBy implements [inventory.Keeper].
func (t *Tenant) PeopleBy(ctx context.Context, connectorID string, since time.Time) (n int, err error) {
	err = t.db.reader().row(ctx, `
		SELECT COUNT(DISTINCT user_id) FROM client_use WHERE tenant_id = $1 AND connector_id = $2 AND last_at > $3`,
		t.id, connectorID, instant(since)).Scan(&n)
	return n, err
}
