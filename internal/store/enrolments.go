package store

import (
	"context"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
)

var (
	_ client.Enrolments  = (*Tenant)(nil)
	_ client.Invitations = (*Tenant)(nil)
)

// Enrol implements [client.Enrolments].
func (t *Tenant) Enrol(ctx context.Context, r client.Registered, token secret.Hash, initial *secret.Hash, most int, by audit.By) (client.Registered, error) {
	r.ManagedBy = tenant.ManagedByItself
	err := t.addConfiguration(ctx, func(tx hand) error {
		if initial != nil {
			n, err := tx.exec(ctx, `
				UPDATE initial_tokens SET uses_left = uses_left - 1
				WHERE tenant_id = $1 AND token = $2 AND uses_left > 0 AND expires_at > $3`, t.id, *initial, instant(by.At))
			if err := mustChange(n, err, fault.New(fault.Denied, "The initial access token is not good any more.")); err != nil {
				return err
			}
		}
		var there int
		if err := tx.row(ctx, `
			SELECT COUNT(*) FROM (SELECT 1 FROM client_registrations WHERE tenant_id = $1 LIMIT $2) AS there`, t.id, most).Scan(&there); err != nil {
			return err
		}
		if there >= most {
			return fault.New(fault.Conflict, "As many clients have registered themselves as may: %d.", most)
		}
		if err := t.insertClient(ctx, tx, &r, by); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `INSERT INTO client_registrations (tenant_id, client_id, token) VALUES ($1, $2, $3)`, t.id, r.ID, token)
		return err
	})
	return r, err
}

// Enrolment implements [client.Enrolments].
func (t *Tenant) Enrolment(ctx context.Context, id string, token, next secret.Hash) (r client.Registered, err error) {
	err = t.db.inTx(ctx, func(tx hand) error {
		n, err := tx.exec(ctx, `
			UPDATE client_registrations SET token = $4, previous = $3
			WHERE tenant_id = $1 AND client_id = $2 AND (token = $3 OR previous = $3) AND EXISTS (
				SELECT 1 FROM clients WHERE tenant_id = $1 AND id = $2 AND NOT disabled AND managed_by = $5)`,
			t.id, id, token, next, tenant.ManagedByItself)
		if err := mustChange(n, err, fault.New(fault.NotFound, "No client has this registration access token.")); err != nil {
			return err
		}
		r, err = t.registeredClient(ctx, tx, id)
		return err
	})
	return r, err
}

const initialTokenColumns = `id, note, profile, uses_left, created_at, created_by, expires_at`

func scanInitialToken(s scanner) (i client.InitialToken, err error) {
	return i, s.Scan(&i.ID, &i.Note, &i.Profile, &i.UsesLeft, (*instant)(&i.CreatedAt), &i.CreatedBy, (*instant)(&i.ExpiresAt))
}

// InitialToken implements [client.Enrolments].
func (t *Tenant) InitialToken(ctx context.Context, token secret.Hash, now time.Time) (client.InitialToken, error) {
	i, err := scanInitialToken(t.db.reader().row(ctx, `
		SELECT `+initialTokenColumns+` FROM initial_tokens
		WHERE tenant_id = $1 AND token = $2 AND uses_left > 0 AND expires_at > $3`, t.id, token, instant(now)))
	return i, notFound(err, "There is no such initial access token.")
}

// InitialTokens implements [client.Invitations].
func (t *Tenant) InitialTokens(ctx context.Context, after string, limit int) ([]client.InitialToken, error) {
	rows, err := t.db.reader().query(ctx, `
		SELECT `+initialTokenColumns+` FROM initial_tokens WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3`, t.id, after, limit)
	return collect(rows, err, scanInitialToken)
}

// AddInitialToken implements [client.Invitations].
func (t *Tenant) AddInitialToken(ctx context.Context, i client.InitialToken, token secret.Hash, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		_, err := tx.exec(ctx, `
			INSERT INTO initial_tokens (tenant_id, id, token, note, profile, uses_left, created_at, created_by, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			t.id, i.ID, token, i.Note, i.Profile, i.UsesLeft, instant(by.At), remark(by.Actor, maxDetail), instant(i.ExpiresAt))
		if t.db.engine.exists(err) {
			return fault.New(fault.Conflict, "There is this initial access token already.")
		}
		if err != nil {
			return err
		}
		return t.witness(ctx, tx, by, initialTokenEvent(by, audit.InitialTokenCreated, i.ID))
	})
}

// RemoveInitialToken implements [client.Invitations].
func (t *Tenant) RemoveInitialToken(ctx context.Context, id string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		n, err := tx.exec(ctx, `DELETE FROM initial_tokens WHERE tenant_id = $1 AND id = $2`, t.id, id)
		if err := mustChange(n, err, fault.New(fault.NotFound, "There is no initial access token %q.", id)); err != nil {
			return err
		}
		return t.witness(ctx, tx, by, initialTokenEvent(by, audit.InitialTokenRemoved, id))
	})
}

func initialTokenEvent(by audit.By, kind audit.Kind, id string) audit.Event {
	e := by.Event(kind)
	e.Detail = map[string]string{"initial_token": id}
	return e
}

// SetRegistration says who may register clients, and for what. It returns a fault of kind
// Conflict if that is not of the given version any more, zero being any, or stands in
// the configuration file of the servers.
func (t *Tenant) SetRegistration(ctx context.Context, r tenant.Registration, version int64, by audit.By) (tenant.Registration, error) {
	err := t.changeConfiguration(ctx, func(tx hand) error {
		before, err := t.registration(ctx, tx)
		if err != nil {
			return err
		}
		row := keptRow{noun: "registration of", id: t.id, managedBy: before.ManagedBy, version: max(before.Version, 1)}
		if err := row.mayChange(version); err != nil {
			return err
		}
		r.ManagedBy, r.Version = "", max(before.Version, 1)+1
		if err := t.writeRegistration(ctx, tx, r); err != nil {
			return err
		}
		e := by.Event(audit.RegistrationChanged)
		e.Detail = map[string]string{"admission": string(r.Admission)}
		return t.witness(ctx, tx, by, e)
	})
	return r, err
}

// Registration returns who may register clients, as it stands now.
func (t *Tenant) Registration(ctx context.Context) (tenant.Registration, error) {
	return t.registration(ctx, t.db.reader())
}

func (t *Tenant) registration(ctx context.Context, h hand) (r tenant.Registration, err error) {
	err = h.row(ctx, `SELECT registration FROM tenants WHERE id = $1`, t.id).Scan(document{&r})
	return r, notFound(err, "There is no tenant %q.", t.id)
}

func (t *Tenant) writeRegistration(ctx context.Context, tx hand, r tenant.Registration) error {
	_, err := tx.exec(ctx, `UPDATE tenants SET registration = $2 WHERE id = $1`, t.id, document{r})
	return err
}
