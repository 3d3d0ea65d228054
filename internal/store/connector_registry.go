package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"

	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

const registeredConnectorColumns = `connectors.id, connectors.kind, connectors.name, connectors.position, connectors.disabled,
	connectors.disabled_by, connectors.policy, connectors.config, connectors.managed_by, connectors.version,
	connectors.created_at, connectors.updated_at`

// scanConnector reads a connector with all that operators see of it.
func (t *Tenant) scanConnector(s scanner) (connector.Registered, error) {
	var r connector.Registered
	var policy connectorPolicy
	var sealed []byte
	if err := s.Scan(&r.ID, &r.Kind, &r.Name, &r.Position, &r.Disabled, &r.DisabledBy, document{&policy}, &sealed,
		&r.ManagedBy, &r.Version, (*instant)(&r.CreatedAt), (*instant)(&r.UpdatedAt)); err != nil {
		return r, err
	}
	config, err := t.unseal(sealed, "connectors", "config", r.ID)
	r.Policy, r.Config = user.Policy(policy), json.RawMessage(config)
	return r, err
}

// RegisteredConnectors implements [connector.Registry].
func (t *Tenant) RegisteredConnectors(ctx context.Context, f connector.Filter, after string, limit int) ([]connector.Registered, error) {
	rows, err := t.db.reader().query(ctx, `
		SELECT `+registeredConnectorColumns+` FROM connectors
		WHERE tenant_id = $1 AND id > $2
			AND ($3 = '' OR LOWER(id) LIKE $3 ESCAPE '\' OR LOWER(name) LIKE $3 ESCAPE '\') AND ($4 = '' OR kind = $4)
			AND ($5 = '' OR managed_by = $5) AND ($6 = '' OR disabled = ($6 = 'disabled'))
		ORDER BY id LIMIT $7`,
		t.id, after, containing(f.Text), f.Kind, f.ManagedBy, stateName(f.Disabled), limit)
	return collect(rows, err, t.scanConnector)
}

// RegisteredConnector implements [connector.Registry].
func (t *Tenant) RegisteredConnector(ctx context.Context, id string) (connector.Registered, error) {
	return t.registeredConnector(ctx, t.db.reader(), id)
}

func (t *Tenant) registeredConnector(ctx context.Context, h hand, id string) (connector.Registered, error) {
	r, err := t.scanConnector(h.row(ctx, `
		SELECT `+registeredConnectorColumns+` FROM connectors WHERE tenant_id = $1 AND id = $2`, t.id, id))
	return r, notFound(err, "There is no connector %q.", id)
}

// RegisterConnector implements [connector.Registry]. Workers may have the others in
// memory, so it waits for them too: who is told of a connector finds it.
func (t *Tenant) RegisterConnector(ctx context.Context, r connector.Registered, by audit.By) (connector.Registered, error) {
	err := t.changeConfiguration(ctx, func(tx hand) error {
		if err := t.insertConnector(ctx, tx, &r, by); err != nil {
			return err
		}
		return t.keepReceipt(ctx, tx, by.Receipt)
	})
	return r, err
}

// insertConnector adds a connector behind the others, and completes what is known
// of it.
func (t *Tenant) insertConnector(ctx context.Context, tx hand, r *connector.Registered, by audit.By) error {
	if r.ID == "" || len(r.ID) > 255 || r.Kind == "" {
		return fault.New(fault.Invalid, "A connector has an id of 255 characters at most, and a kind.")
	}
	if r.ManagedBy == "" {
		r.ManagedBy = tenant.ManagedByHand
	}
	if err := tx.row(ctx, `SELECT COALESCE(MAX(position) + 1, 0) FROM connectors WHERE tenant_id = $1`, t.id).Scan(&r.Position); err != nil {
		return err
	}
	r.Version, r.CreatedAt, r.UpdatedAt = 1, by.At, by.At
	_, r.DisabledBy = standingOf(r.Disabled, false, "", disabler(r.ManagedBy))
	n, err := tx.exec(ctx, `
		INSERT INTO connectors (tenant_id, id, kind, name, position, disabled, disabled_by, policy, config, managed_by, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
		ON CONFLICT (tenant_id, id) DO NOTHING`,
		t.id, r.ID, r.Kind, r.Name, r.Position, r.Disabled, r.DisabledBy, document{connectorPolicy(r.Policy)},
		t.seal(r.Config, "connectors", "config", r.ID), r.ManagedBy, instant(by.At))
	if err := mustChange(n, err, fault.New(fault.Conflict, "There is a connector %q already.", r.ID)); err != nil {
		return err
	}
	return t.record(ctx, tx, connectorEvent(by, audit.ConnectorCreated, r.ID))
}

func connectorEvent(by audit.By, kind audit.Kind, id string) audit.Event {
	e := by.Event(kind)
	e.ConnectorID = id
	return e
}

func connectorKept(r connector.Registered) keptRow {
	return keptRow{noun: "connector", id: r.ID, managedBy: r.ManagedBy, disabledBy: r.DisabledBy, version: r.Version}
}

// ChangeConnector implements [connector.Registry].
func (t *Tenant) ChangeConnector(ctx context.Context, r connector.Registered, by audit.By) (after connector.Registered, err error) {
	err = t.editConfiguration(ctx, by.Receipt, func(tx hand) (changed bool, err error) {
		before, err := t.registeredConnector(ctx, tx, r.ID)
		if err != nil {
			return false, err
		}
		if err := connectorKept(before).mayChange(r.Version); err != nil {
			return false, err
		}
		after = r
		after.ManagedBy = before.ManagedBy
		return t.updateConnector(ctx, tx, before, &after, by)
	})
	return after, err
}

// updateConnector makes of a connector what it is said to be, completes that, and
// reports whether anything is different now.
func (t *Tenant) updateConnector(ctx context.Context, tx hand, before connector.Registered, r *connector.Registered, by audit.By) (bool, error) {
	if r.Kind != before.Kind {
		return false, fault.New(fault.Invalid, "The connector %q is of the kind %s. Whoever is known by it would be somebody else by another kind: make another connector, and disable this one.", r.ID, before.Kind)
	}
	r.Position, r.CreatedAt = before.Position, before.CreatedAt
	_, r.DisabledBy = standingOf(r.Disabled, before.Disabled, before.DisabledBy, disabler(r.ManagedBy))
	names, err := connectorDifference(before, *r)
	if err != nil {
		return false, err
	}
	if len(names) == 0 {
		*r = before
		return false, nil
	}
	r.Version, r.UpdatedAt = before.Version+1, by.At
	_, err = tx.exec(ctx, `
		UPDATE connectors SET name = $3, disabled = $4, disabled_by = $5, policy = $6, config = $7, managed_by = $8, version = $9, updated_at = $10
		WHERE tenant_id = $1 AND id = $2`,
		t.id, r.ID, r.Name, r.Disabled, r.DisabledBy, document{connectorPolicy(r.Policy)}, t.seal(r.Config, "connectors", "config", r.ID),
		r.ManagedBy, r.Version, instant(r.UpdatedAt))
	if err != nil {
		return false, err
	}
	e := connectorEvent(by, audit.ConnectorChanged, r.ID)
	e.Detail = changedDetail(names)
	return true, t.record(ctx, tx, e)
}

// connectorDifference returns the names of what differs between two states of a
// connector.
func connectorDifference(before, after connector.Registered) ([]string, error) {
	type all struct {
		connectorPolicy
		Name      string `json:"name"`
		Disabled  bool   `json:"disabled"`
		Config    []byte `json:"config"`
		ManagedBy string `json:"managed_by"`
	}
	of := func(r connector.Registered) all {
		sum := sha256.Sum256(bytes.TrimSpace(r.Config))
		return all{connectorPolicy(r.Policy), r.Name, r.Disabled, sum[:], r.ManagedBy}
	}
	return changedNames(of(before), of(after))
}

// DeleteConnector implements [connector.Registry].
func (t *Tenant) DeleteConnector(ctx context.Context, d connector.Deletion, by audit.By) error {
	r, err := t.RegisteredConnector(ctx, d.ID)
	if err != nil {
		return err
	}
	if err := connectorKept(r).mayDelete(d.Version); err != nil {
		return err
	}
	if d.People && r.Kind == "local" {
		return fault.New(fault.Conflict, "The people of the connector %q have their passwords here. Delete the people, or disable the connector.", d.ID)
	}
	if !d.People {
		if err := t.mustBeUnknown(ctx, t.db.reader(), d.ID); err != nil {
			return err
		}
	}
	// First nobody new can come by it, then what is known by it goes.
	if !r.Disabled {
		first := by
		first.Receipt = nil
		if err := t.DisableConnector(ctx, d.ID, first); err != nil {
			return err
		}
		d.Version = 0
	}
	if d.People {
		if err := t.forgetPeople(ctx, d.ID); err != nil {
			return err
		}
	}
	return t.changeConfiguration(ctx, func(tx hand) error {
		r, err := t.registeredConnector(ctx, tx, d.ID)
		if err != nil {
			return err
		}
		if err := connectorKept(r).mayDelete(d.Version); err != nil {
			return err
		}
		if err := t.removeConnector(ctx, tx, d.ID, by); err != nil {
			return err
		}
		return t.keepReceipt(ctx, tx, by.Receipt)
	})
}

// removeConnector deletes a connector that nobody is known by.
func (t *Tenant) removeConnector(ctx context.Context, tx hand, id string, by audit.By) error {
	if err := t.mustBeUnknown(ctx, tx, id); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `DELETE FROM connectors WHERE tenant_id = $1 AND id = $2`, t.id, id); err != nil {
		return err
	}
	return t.record(ctx, tx, connectorEvent(by, audit.ConnectorDeleted, id))
}

// mustBeUnknown returns a fault if anybody is known by a connector.
func (t *Tenant) mustBeUnknown(ctx context.Context, h hand, id string) error {
	known := false
	err := h.row(ctx, `SELECT EXISTS (SELECT 1 FROM identities WHERE tenant_id = $1 AND connector_id = $2)`, t.id, id).Scan(&known)
	if err == nil && known {
		return fault.New(fault.Conflict, "People are known by the connector %q. Disable it, or delete it together with what is known of them.", id)
	}
	return err
}

// forgetPeople deletes the identities of those who came by a connector, batch by
// batch.
func (t *Tenant) forgetPeople(ctx context.Context, id string) error {
	return t.clearInBatches(ctx, `
		DELETE FROM identities WHERE tenant_id = $1 AND connector_id = $2 AND subject IN
			(SELECT subject FROM identities WHERE tenant_id = $1 AND connector_id = $2 ORDER BY subject LIMIT $3)`, t.id, id)
}

// orderConnectors gives the connectors their places. What is not named stays where
// it is.
func (t *Tenant) orderConnectors(ctx context.Context, tx hand, ids []string, by audit.By) error {
	for i, id := range ids {
		if _, err := tx.exec(ctx, `
			UPDATE connectors SET position = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2 AND position <> $3`,
			t.id, id, i, instant(by.At)); err != nil {
			return err
		}
	}
	return nil
}
