package store

import (
	"context"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/user"
)

const (
	userColumns = `users.id, users.username, users.email, users.email_verified, users.name, users.disabled, users.not_before,
		users.role, users.member_of, users.version, users.created_at, users.updated_at`
	identityColumns = `identities.connector_id, identities.subject, identities.profile, identities.data, identities.checked_at`
)

func userInto(u *user.User) []any {
	return []any{
		&u.ID, &u.Username, &u.Email, &u.EmailVerified, &u.Name, &u.Disabled,
		(*instant)(&u.NotBefore), &u.Role, document{&u.MemberOf}, &u.Version, (*instant)(&u.CreatedAt), (*instant)(&u.UpdatedAt),
	}
}

// identityInto takes the sealed data apart: [Tenant.openIdentity] opens it.
func identityInto(i *user.Identity) []any {
	return []any{&i.ConnectorID, &i.Subject, document{&i.Profile}, &i.Data, (*instant)(&i.CheckedAt)}
}

// openIdentity replaces the identity's data, sealed as it was read, by what it
// holds.
func (t *Tenant) openIdentity(i *user.Identity) (err error) {
	i.Data, err = t.unseal(i.Data, "identities", "data", i.ConnectorID, i.Subject)
	return err
}

func (t *Tenant) sealIdentity(i user.Identity) []byte {
	return t.seal(i.Data, "identities", "data", i.ConnectorID, i.Subject)
}

// ByIdentity implements [user.Store].
func (t *Tenant) ByIdentity(ctx context.Context, connectorID, subject string) (user.User, user.Identity, error) {
	var u user.User
	var i user.Identity
	err := t.db.reader().row(ctx, `
		SELECT `+userColumns+`, `+identityColumns+`
		FROM identities
		JOIN users ON users.tenant_id = identities.tenant_id AND users.id = identities.user_id
		WHERE identities.tenant_id = $1 AND identities.connector_id = $2 AND identities.subject = $3`,
		t.id, connectorID, subject,
	).Scan(append(userInto(&u), identityInto(&i)...)...)
	if err == nil {
		err = t.openIdentity(&i)
	}
	if err != nil {
		return user.User{}, user.Identity{}, notFound(err, "Nobody is known by this identity.")
	}
	return u, i, nil
}

// ByVerifiedEmail implements [user.Store].
func (t *Tenant) ByVerifiedEmail(ctx context.Context, email string) (user.User, error) {
	rows, err := t.db.reader().query(ctx, `
		SELECT `+userColumns+` FROM users
		WHERE tenant_id = $1 AND email_key = $2 AND email_key <> '' AND email_verified
		ORDER BY id LIMIT 2`, t.id, emailKey(email))
	owners, err := collect(rows, err, func(s scanner) (u user.User, err error) { return u, s.Scan(userInto(&u)...) })
	switch {
	case err != nil && !absent(err):
		return user.User{}, err
	case len(owners) != 1:
		return user.User{}, fault.New(fault.NotFound, "No one account owns this mail address.")
	}
	return owners[0], nil
}

// ClaimRefresh implements [user.Store].
func (t *Tenant) ClaimRefresh(ctx context.Context, id user.Identity, until, now time.Time) (bool, error) {
	n, err := t.db.writer().exec(ctx, `
		UPDATE identities SET refreshing_until = $4
		WHERE tenant_id = $1 AND connector_id = $2 AND subject = $3
			AND checked_at <= $5 AND (refreshing_until IS NULL OR refreshing_until <= $6)`,
		t.id, id.ConnectorID, id.Subject, instant(until), instant(id.CheckedAt), instant(now))
	return n == 1, err
}

// SaveIdentity implements [user.Store].
func (t *Tenant) SaveIdentity(ctx context.Context, id user.Identity) error {
	n, err := t.db.writer().exec(ctx, `
		UPDATE identities SET profile = $4, data = $5, checked_at = $6, refreshing_until = NULL
		WHERE tenant_id = $1 AND connector_id = $2 AND subject = $3`,
		t.id, id.ConnectorID, id.Subject, document{id.Profile}, t.sealIdentity(id), instant(id.CheckedAt))
	return mustChange(n, err, fault.New(fault.NotFound, "The identity is not linked any more."))
}

// DisableUser implements [user.Store].
func (t *Tenant) DisableUser(ctx context.Context, id string, now time.Time) error {
	return t.db.inTx(ctx, func(tx hand) error { return t.disableUser(ctx, tx, id, byOperator, now) })
}

// disableUser disables an account in the name of somebody. Its epoch catches what
// is being issued at this very moment.
func (t *Tenant) disableUser(ctx context.Context, tx hand, id, by string, now time.Time) error {
	n, err := tx.exec(ctx, `
		UPDATE users SET disabled = TRUE, disabled_by = $3, not_before = $4, updated_at = $4
		WHERE tenant_id = $1 AND id = $2`, t.id, id, by, instant(now))
	if err := mustChange(n, err, fault.New(fault.NotFound, "There is no user %q.", id)); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2`, t.id, id); err != nil {
		return err
	}
	_, err = tx.exec(ctx, `
		UPDATE grants SET revoked_at = $3, revoked_reason = $4
		WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL`,
		t.id, id, instant(now), string(audit.UserDisabled))
	if err != nil {
		return err
	}
	return t.record(ctx, tx, audit.Event{At: now, Kind: audit.UserDisabled, Actor: by, UserID: id})
}

// EnableUser implements [user.Store].
func (t *Tenant) EnableUser(ctx context.Context, id string, now time.Time) error {
	return t.db.inTx(ctx, func(tx hand) error {
		n, err := tx.exec(ctx, `
			UPDATE users SET disabled = FALSE, disabled_by = '', updated_at = $3
			WHERE tenant_id = $1 AND id = $2`, t.id, id, instant(now))
		if err := mustChange(n, err, fault.New(fault.NotFound, "There is no user %q.", id)); err != nil {
			return err
		}
		return t.record(ctx, tx, audit.Event{At: now, Kind: audit.UserEnabled, Actor: byOperator, UserID: id})
	})
}
