package store

import (
	"context"
	"fmt"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
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

// maxIdentities is how many identities of one account are looked at.
const maxIdentities = 20

// ByHint implements [user.Store].
func (t *Tenant) ByHint(ctx context.Context, hint string) (user.User, []user.Identity, error) {
	nobody := fault.New(fault.NotFound, "No one account is meant by this.")
	name, err := credential.Canonical(hint)
	if err != nil {
		name = "" // nobody has it
	}
	type found struct {
		user.User
		user.Identity
	}
	rows, err := t.db.reader().query(ctx, fmt.Sprintf(`
		SELECT %s, %s
		FROM users
		JOIN identities ON identities.tenant_id = users.tenant_id AND identities.user_id = users.id
		WHERE users.tenant_id = $1 AND users.id IN (
			SELECT id FROM users WHERE tenant_id = $1 AND id = $2
			UNION SELECT user_id FROM login_names WHERE tenant_id = $1 AND name = $3
			UNION SELECT id FROM users WHERE tenant_id = $1 AND email_key = $4 AND email_key <> '' AND email_verified)
		ORDER BY identities.checked_at DESC, identities.connector_id, identities.subject LIMIT %d`, userColumns, identityColumns, maxIdentities),
		t.id, hint, name, emailKey(hint))
	all, err := collect(rows, err, func(s scanner) (f found, err error) {
		return f, s.Scan(append(userInto(&f.User), identityInto(&f.Identity)...)...)
	})
	if err != nil && !absent(err) {
		return user.User{}, nil, err
	}
	if len(all) == 0 {
		return user.User{}, nil, nobody
	}
	var identities []user.Identity
	for _, f := range all {
		if f.User.ID != all[0].User.ID {
			return user.User{}, nil, nobody
		}
		if err := t.openIdentity(&f.Identity); err != nil {
			return user.User{}, nil, err
		}
		identities = append(identities, f.Identity)
	}
	return all[0].User, identities, nil
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

// DisableUser implements [user.Standing].
func (t *Tenant) DisableUser(ctx context.Context, id string, by audit.By) error {
	return t.amongOwners(ctx, func(tx hand) error {
		e := by.Event(audit.UserDisabled)
		e.UserID = id
		if err := t.disableUser(ctx, tx, byOperator, e); err != nil {
			return err
		}
		return t.keepReceipt(ctx, tx, by.Receipt)
	})
}

// disableUser disables an account in the name of somebody, and records the event that
// says whom. Its epoch catches what is being issued at this very moment.
func (t *Tenant) disableUser(ctx context.Context, tx hand, inName string, e audit.Event) error {
	n, err := tx.exec(ctx, `
		UPDATE users SET disabled = TRUE, disabled_by = $3, not_before = $4, version = version + 1, updated_at = $4
		WHERE tenant_id = $1 AND id = $2`, t.id, e.UserID, inName, instant(e.At))
	if err := mustChange(n, err, noUser(e.UserID)); err != nil {
		return err
	}
	if err := t.endAll(ctx, tx, e.UserID, audit.UserDisabled, e.At); err != nil {
		return err
	}
	return t.record(ctx, tx, e)
}

// EnableUser implements [user.Standing].
func (t *Tenant) EnableUser(ctx context.Context, id string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error { return t.enableUser(ctx, tx, id, by) })
}

func (t *Tenant) enableUser(ctx context.Context, tx hand, id string, by audit.By) error {
	n, err := tx.exec(ctx, `
		UPDATE users SET disabled = FALSE, disabled_by = '', version = version + 1, updated_at = $3
		WHERE tenant_id = $1 AND id = $2`, t.id, id, instant(by.At))
	if err := mustChange(n, err, noUser(id)); err != nil {
		return err
	}
	e := by.Event(audit.UserEnabled)
	e.UserID = id
	return t.witness(ctx, tx, by, e)
}

// LinkIdentity implements [user.Standing].
func (t *Tenant) LinkIdentity(ctx context.Context, userID string, i user.Identity, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		if _, err := t.holdOwn(ctx, tx, userID, 0); err != nil {
			return err
		}
		if err := t.hasConnector(ctx, tx, i.ConnectorID); err != nil {
			return err
		}
		n, err := tx.exec(ctx, `
			INSERT INTO identities (tenant_id, connector_id, subject, user_id, profile, checked_at, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $6)
			ON CONFLICT (tenant_id, connector_id, subject) DO NOTHING`,
			t.id, i.ConnectorID, i.Subject, userID, document{i.Profile}, instant(by.At))
		if err := mustChange(n, err, fault.New(fault.Conflict, "This identity leads to an account already.")); err != nil {
			return err
		}
		return t.identityChanged(ctx, tx, audit.IdentityLinked, userID, i.ConnectorID, by)
	})
}

// identityChanged notes that the identities of an account are others now.
func (t *Tenant) identityChanged(ctx context.Context, tx hand, kind audit.Kind, userID, connectorID string, by audit.By) error {
	if _, err := tx.exec(ctx, `
		UPDATE users SET version = version + 1, updated_at = $3 WHERE tenant_id = $1 AND id = $2`, t.id, userID, instant(by.At)); err != nil {
		return err
	}
	e := by.Event(kind)
	e.UserID, e.ConnectorID = userID, connectorID
	return t.witness(ctx, tx, by, e)
}

// UnlinkIdentity implements [user.Standing].
func (t *Tenant) UnlinkIdentity(ctx context.Context, userID, connectorID, subject string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		h, err := t.hold(ctx, tx, userID)
		local := subject == userID
		if err == nil && local {
			err = h.kept.mayChange(0)
		}
		if err != nil {
			return err
		}
		n, err := tx.exec(ctx, `
			DELETE FROM identities WHERE tenant_id = $1 AND connector_id = $2 AND subject = $3 AND user_id = $4`,
			t.id, connectorID, subject, userID)
		if err := mustChange(n, err, fault.New(fault.NotFound, "The user %q has no such identity.", userID)); err != nil {
			return err
		}
		if err := t.endWhatCameBy(ctx, tx, userID, connectorID, subject, by.At); err != nil {
			return err
		}
		if local {
			for _, table := range []string{"login_names", "passwords"} {
				if _, err := tx.exec(ctx, `DELETE FROM `+table+` WHERE tenant_id = $1 AND user_id = $2`, t.id, userID); err != nil {
					return err
				}
			}
		}
		return t.identityChanged(ctx, tx, audit.IdentityUnlinked, userID, connectorID, by)
	})
}

// endWhatCameBy ends the sessions of an account that an identity has opened, and
// revokes its grants.
func (t *Tenant) endWhatCameBy(ctx context.Context, tx hand, userID, connectorID, subject string, now time.Time) error {
	rows, err := tx.query(ctx, `
		DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND connector_id = $3 AND subject = $4
		RETURNING id`, t.id, userID, connectorID, subject)
	ended, err := collect(rows, err, func(r scanner) (id string, err error) { return id, r.Scan(&id) })
	if err != nil {
		return err
	}
	if err := t.sayFarewells(ctx, tx, userID, ended, now); err != nil {
		return err
	}
	_, err = tx.exec(ctx, `
		UPDATE grants SET revoked_at = $5, revoked_reason = $6
		WHERE tenant_id = $1 AND user_id = $2 AND connector_id = $3 AND subject = $4 AND revoked_at IS NULL`,
		t.id, userID, connectorID, subject, instant(now), string(audit.IdentityUnlinked))
	return err
}
