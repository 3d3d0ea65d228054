package store

import (
	"context"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/outbox"
	"dex/internal/domain/user"
)

// CreateLink implements [user.Links].
func (t *Tenant) CreateLink(ctx context.Context, l user.Link, m *outbox.Message, by audit.By) error {
	if l.Purpose.Lifetime() == 0 {
		return fault.New(fault.Invalid, "There are no links for %q.", l.Purpose)
	}
	return t.db.inTx(ctx, func(tx hand) error {
		h, err := t.holdOwn(ctx, tx, l.UserID, 0) // of two at once the second ends the first
		if err != nil {
			return err
		}
		if h.Disabled {
			return fault.New(fault.Conflict, "The user %q is disabled, and could not use a link. Enable them first.", l.UserID)
		}
		if err := t.logsInHere(ctx, tx, l.UserID); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `
			UPDATE links SET expires_at = $4
			WHERE tenant_id = $1 AND user_id = $2 AND purpose = $3 AND used_at IS NULL AND expires_at > $4`,
			t.id, l.UserID, string(l.Purpose), instant(l.CreatedAt)); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `
			INSERT INTO links (tenant_id, hash, purpose, user_id, created_at, created_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			t.id, l.Hash, string(l.Purpose), l.UserID, instant(l.CreatedAt), remark(by.Actor, maxDetail), instant(l.ExpiresAt)); err != nil {
			return err
		}
		e := by.Event(audit.LinkCreated)
		e.UserID, e.Detail = l.UserID, map[string]string{"purpose": string(l.Purpose)}
		if m != nil {
			e.Detail["sent"] = string(m.Kind)
			if err := t.enqueue(ctx, tx, *m, by.At); err != nil {
				return err
			}
		}
		return t.witness(ctx, tx, by, e)
	})
}

// endLinks ends the links of an account that have not been used.
func (t *Tenant) endLinks(ctx context.Context, tx hand, userID string, now time.Time) error {
	_, err := tx.exec(ctx, `
		UPDATE links SET expires_at = $3
		WHERE tenant_id = $1 AND user_id = $2 AND used_at IS NULL AND expires_at > $3`, t.id, userID, instant(now))
	return err
}

// Link implements [user.Links].
func (t *Tenant) Link(ctx context.Context, hash secret.Hash) (user.LinkState, error) {
	return t.link(ctx, t.db.reader(), hash)
}

func (t *Tenant) link(ctx context.Context, tx hand, hash secret.Hash) (user.LinkState, error) {
	s := user.LinkState{Link: user.Link{Hash: hash}}
	var tenantShut bool
	err := tx.row(ctx, `
		SELECT links.purpose, links.user_id, links.created_at, links.expires_at, links.used_at, `+userColumns+`, users.managed_by,
			tenants.disabled
		FROM links
		JOIN users ON users.tenant_id = links.tenant_id AND users.id = links.user_id
		JOIN tenants ON tenants.id = links.tenant_id
		WHERE links.tenant_id = $1 AND links.hash = $2`, t.id, hash,
	).Scan(append(append([]any{
		&s.Purpose, &s.UserID, (*instant)(&s.CreatedAt), (*instant)(&s.ExpiresAt), (*instant)(&s.UsedAt),
	}, userInto(&s.User)...), &s.ManagedBy, &tenantShut)...)
	if err != nil {
		return user.LinkState{}, notFound(err, "There is no such link.")
	}
	s.TenantOpen = !tenantShut
	rows, err := tx.query(ctx, `
		SELECT n.name, n.connector_id, connectors.disabled IS NOT NULL AND NOT connectors.disabled
		FROM login_names n LEFT JOIN connectors ON connectors.tenant_id = n.tenant_id AND connectors.id = n.connector_id
		WHERE n.tenant_id = $1 AND n.user_id = $2 ORDER BY n.name`, t.id, s.UserID)
	s.LoginNames, err = collect(rows, err, func(r scanner) (name string, err error) {
		return name, r.Scan(&name, &s.ConnectorID, &s.ConnectorOpen)
	})
	return s, err
}

// RedeemLink implements [user.Links]. That it counts still is part of the statement
// that uses it; why it does not is looked at after.
func (t *Tenant) RedeemLink(ctx context.Context, r user.Redemption) (user.LinkState, error) {
	var used user.LinkState
	err := t.db.inTx(ctx, func(tx hand) error {
		n, err := tx.exec(ctx, `
			UPDATE links SET used_at = $3
			WHERE tenant_id = $1 AND hash = $2 AND used_at IS NULL AND expires_at > $3
				AND EXISTS (SELECT 1 FROM tenants WHERE tenants.id = $1 AND NOT tenants.disabled)
				AND EXISTS (
					SELECT 1 FROM users
					JOIN login_names ON login_names.tenant_id = users.tenant_id AND login_names.user_id = users.id
					JOIN connectors ON connectors.tenant_id = users.tenant_id AND connectors.id = login_names.connector_id
					WHERE users.tenant_id = $1 AND users.id = links.user_id AND NOT users.disabled AND users.managed_by <> $4
						AND NOT connectors.disabled)`,
			t.id, r.Hash, instant(r.At), byFile)
		if err != nil {
			return err
		}
		if used, err = t.link(ctx, tx, r.Hash); err != nil {
			return err
		}
		if n == 0 {
			if err := used.Check(r.At); err != nil {
				return err
			}
			return fault.New(fault.Conflict, "This link could not be used just now. Please try again.")
		}
		return t.redeem(ctx, tx, used, r)
	})
	if err != nil {
		return user.LinkState{}, err
	}
	return used, nil
}

// redeem does what a link is for.
func (t *Tenant) redeem(ctx context.Context, tx hand, s user.LinkState, r user.Redemption) error {
	// Who disables the account at this moment comes before, and is heard, or after.
	h, err := t.hold(ctx, tx, s.UserID)
	if err != nil {
		return err
	}
	if h.Disabled {
		s.User, s.UsedAt = h.User, time.Time{}
		return s.Check(r.At)
	}
	change := user.PasswordChange{UserID: s.UserID, Hash: r.PasswordHash, Forgive: r.Forgive}
	if err := t.changePassword(ctx, tx, change, r.At); err != nil {
		return err
	}
	return t.record(ctx, tx, audit.Event{
		At: r.At, Kind: audit.LinkUsed, Actor: s.UserID, UserID: s.UserID, ConnectorID: s.ConnectorID, RemoteAddr: r.RemoteAddr,
		Detail: map[string]string{"purpose": string(s.Purpose)},
	})
}
