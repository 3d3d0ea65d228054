package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

func noUser(id string) *fault.Error { return fault.New(fault.NotFound, "There is no user %q.", id) }

// held is an account that nobody else changes until the transaction ends.
type held struct {
	user.User
	kept keptRow
}

// hold locks an account and returns it as it stands.
func (t *Tenant) hold(ctx context.Context, tx hand, id string) (held, error) {
	h := held{kept: keptRow{noun: "user", id: id}}
	err := tx.change(ctx, `
		UPDATE users SET version = version WHERE tenant_id = $1 AND id = $2
		RETURNING `+userColumns+`, users.managed_by, users.disabled_by`, t.id, id,
	).Scan(append(userInto(&h.User), &h.kept.managedBy, &h.kept.disabledBy)...)
	if err != nil {
		if absent(err) {
			return held{}, noUser(id)
		}
		return held{}, err
	}
	h.kept.version = h.Version
	return h, nil
}

// holdOwn is hold for what the configuration file must not manage, and for somebody
// who has read it at a version.
func (t *Tenant) holdOwn(ctx context.Context, tx hand, id string, version int64) (held, error) {
	h, err := t.hold(ctx, tx, id)
	if err == nil {
		err = h.kept.mayChange(version)
	}
	return h, err
}

// amongOwners does something that may leave the service without an owner, and undoes
// it if it has. Two who each take away the other's turn come one after the other: they
// meet at the tenant's row.
func (t *Tenant) amongOwners(ctx context.Context, do func(tx hand) error) error {
	if t.id != tenant.Default {
		return t.db.inTx(ctx, do)
	}
	return t.db.inTx(ctx, func(tx hand) error {
		if _, err := tx.exec(ctx, `UPDATE tenants SET version = version WHERE id = $1`, t.id); err != nil {
			return err
		}
		return t.keepOwner(ctx, tx, do)
	})
}

// keepOwner does something in a transaction that holds the tenant's row, and refuses if
// it has left the service without an owner.
func (t *Tenant) keepOwner(ctx context.Context, tx hand, do func(tx hand) error) error {
	before, err := t.owners(ctx, tx)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return err
	}
	after, err := t.owners(ctx, tx)
	if err == nil && t.id == tenant.Default && before > 0 && after == 0 {
		return errLastOwner
	}
	return err
}

var errLastOwner = fault.New(fault.Conflict, "This is the last owner who can log in. Make somebody else an owner first.")

func (t *Tenant) owners(ctx context.Context, tx hand) (n int, err error) {
	err = tx.row(ctx, `
		SELECT COUNT(*) FROM users WHERE tenant_id = $1 AND role = $2 AND role <> '' AND NOT disabled`,
		t.id, string(role.Owner)).Scan(&n)
	return n, err
}

// CreateUser implements [user.Directory].
func (t *Tenant) CreateUser(ctx context.Context, n user.New, by audit.By) (user.User, error) {
	u := fresh(n, by.At)
	if !role.Role(u.Role).Known() {
		return user.User{}, noRole(u.Role)
	}
	err := t.db.inTx(ctx, func(tx hand) error { return t.insertUser(ctx, tx, u, n, by) })
	if err != nil {
		return user.User{}, err
	}
	return u, nil
}

// fresh is an account as it begins.
func fresh(n user.New, now time.Time) user.User {
	u := n.User
	if u.ID == "" {
		u.ID = user.NewID()
	}
	u.Version, u.CreatedAt, u.UpdatedAt = 1, now, now
	u.MemberOf = slices.Compact(slices.Sorted(slices.Values(u.MemberOf)))
	return u
}

func noRole(name string) *fault.Error {
	err := fault.New(fault.Invalid, "There is no role %q. There are owner, admin, support and auditor.", name)
	err.Field = "role"
	return err
}

func (t *Tenant) insertUser(ctx context.Context, tx hand, u user.User, n user.New, by audit.By) error {
	inName := ""
	if u.Disabled {
		inName = disabler(n.ManagedBy)
	}
	// A subject that applications have known for somebody is never another's.
	added, err := tx.exec(ctx, `
		INSERT INTO users (tenant_id, id, username, email, email_key, email_verified, name, disabled, disabled_by, role, member_of,
			managed_by, indexed, created_at, updated_at)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, TRUE, $13, $13
		FROM tenants WHERE id = $1 AND NOT EXISTS (
			SELECT 1 FROM audit_events WHERE tenant_id = $1 AND user_id = $2 AND user_id <> '' AND kind = $14)
		ON CONFLICT (tenant_id, id) DO NOTHING`,
		t.id, u.ID, u.Username, u.Email, emailKey(u.Email), u.EmailVerified, u.Name, u.Disabled, inName, u.Role,
		document{listed(u.MemberOf)}, n.ManagedBy, instant(by.At), string(audit.UserDeleted))
	if err := mustChange(added, err, fault.New(fault.Conflict, "There is a user %q already, or there was one, whose id is never given out again.", u.ID)); err != nil {
		return err
	}
	if err := t.writeWords(ctx, tx, u); err != nil {
		return err
	}
	if err := t.saveLocal(ctx, tx, u, n.Local, by); err != nil {
		return err
	}
	if n.PasswordHash != "" {
		if err := t.savePassword(ctx, tx, u.ID, n.PasswordHash, by.At); err != nil {
			return err
		}
	}
	for _, group := range u.MemberOf {
		if err := t.join(ctx, tx, group, u.ID); err != nil {
			return err
		}
	}
	e := by.Event(audit.UserCreated)
	e.UserID, e.ConnectorID = u.ID, n.Local.ConnectorID
	if u.Role != "" {
		e.Detail = map[string]string{"role": u.Role}
	}
	return t.witness(ctx, tx, by, e)
}

// listed is a list as it is kept: an empty one is one.
func listed(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// UpdateUser implements [user.Directory].
func (t *Tenant) UpdateUser(ctx context.Context, e user.Edit, by audit.By) (user.User, error) {
	var u user.User
	err := t.db.inTx(ctx, func(tx hand) (err error) {
		u, err = t.updateUser(ctx, tx, e, by)
		return err
	})
	if err != nil {
		return user.User{}, err
	}
	return u, nil
}

func (t *Tenant) updateUser(ctx context.Context, tx hand, e user.Edit, by audit.By) (user.User, error) {
	h, err := t.holdOwn(ctx, tx, e.ID, e.Version)
	if err != nil {
		return user.User{}, err
	}
	u := h.User
	u.Username, u.Email, u.EmailVerified, u.Name = e.Username, e.Email, e.EmailVerified, e.Name
	if changed := differences(h.User, u); len(changed) > 0 {
		if err := t.ownsNames(ctx, tx, e.ID, changed); err != nil {
			return user.User{}, err
		}
	}
	u.Version, u.UpdatedAt = h.Version+1, by.At
	if _, err := tx.exec(ctx, `
		UPDATE users SET username = $3, email = $4, email_key = $5, email_verified = $6, name = $7, indexed = TRUE,
			version = version + 1, updated_at = $8
		WHERE tenant_id = $1 AND id = $2`,
		t.id, u.ID, u.Username, u.Email, emailKey(u.Email), u.EmailVerified, u.Name, instant(by.At)); err != nil {
		return user.User{}, err
	}
	if err := t.writeWords(ctx, tx, u); err != nil {
		return user.User{}, err
	}
	if err := t.saveLocal(ctx, tx, u, e.Local, by); err != nil {
		return user.User{}, err
	}
	event := by.Event(audit.UserUpdated)
	event.UserID, event.Detail = u.ID, map[string]string{"changed": strings.Join(differences(h.User, u), " ")}
	return u, t.witness(ctx, tx, by, event)
}

// differences names what differs of what is known of somebody.
func differences(a, b user.User) []string {
	var names []string
	for _, d := range []struct {
		name string
		is   bool
	}{
		{"username", a.Username != b.Username},
		{"email", a.Email != b.Email},
		{"email_verified", a.EmailVerified != b.EmailVerified},
		{"name", a.Name != b.Name},
	} {
		if d.is {
			names = append(names, d.name)
		}
	}
	return names
}

// ownsNames refuses to change what a connector says of somebody at each login: it
// would not last.
func (t *Tenant) ownsNames(ctx context.Context, tx hand, id string, changed []string) error {
	var connector string
	err := tx.row(ctx, `
		SELECT connector_id FROM identities WHERE tenant_id = $1 AND user_id = $2 AND subject <> $2
		ORDER BY connector_id LIMIT 1`, t.id, id).Scan(&connector)
	if isNone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	refused := fault.New(fault.Conflict, "The connector %q says who this is each time they log in, so a change here would not last. Change it there, or unlink the identity.", connector)
	refused.Field = changed[0]
	return refused
}

// saveLocal makes it so that somebody logs in here by these names, and no others.
func (t *Tenant) saveLocal(ctx context.Context, tx hand, u user.User, l user.Local, by audit.By) error {
	if l.ConnectorID == "" {
		return nil
	}
	if err := t.hasConnector(ctx, tx, l.ConnectorID); err != nil {
		return err
	}
	n, err := tx.exec(ctx, `
		INSERT INTO identities (tenant_id, connector_id, subject, user_id, profile, checked_at, created_at)
		VALUES ($1, $2, $3, $3, $4, $5, $5)
		ON CONFLICT (tenant_id, connector_id, subject) DO UPDATE SET profile = excluded.profile, checked_at = excluded.checked_at
		WHERE identities.user_id = excluded.user_id`,
		t.id, l.ConnectorID, u.ID, document{l.Profile}, instant(by.At))
	if err := mustChange(n, err, fault.New(fault.Conflict, "The identity %q at the connector %q belongs to another account.", u.ID, l.ConnectorID)); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `DELETE FROM login_names WHERE tenant_id = $1 AND user_id = $2`, t.id, u.ID); err != nil {
		return err
	}
	for _, name := range l.LoginNames {
		n, err := tx.exec(ctx, `
			INSERT INTO login_names (tenant_id, name, user_id, connector_id) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tenant_id, name) DO NOTHING`, t.id, name, u.ID, l.ConnectorID)
		taken := fault.New(fault.Conflict, "Somebody else logs in as %q.", name)
		taken.Field = "login_names"
		if err := mustChange(n, err, taken); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tenant) hasConnector(ctx context.Context, tx hand, id string) error {
	var one int
	err := tx.row(ctx, `SELECT 1 FROM connectors WHERE tenant_id = $1 AND id = $2`, t.id, id).Scan(&one)
	if absent(err) {
		return fault.New(fault.Invalid, "There is no connector %q.", id)
	}
	return err
}

func (t *Tenant) savePassword(ctx context.Context, tx hand, id, hash string, now time.Time) error {
	_, err := tx.exec(ctx, `
		INSERT INTO passwords (tenant_id, user_id, hash, updated_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, user_id) DO UPDATE SET hash = excluded.hash, declared = '', updated_at = excluded.updated_at`,
		t.id, id, hash, instant(now))
	return err
}

// SetRole implements [user.Directory].
func (t *Tenant) SetRole(ctx context.Context, id, name string, version int64, by audit.By) (user.User, error) {
	if !role.Role(name).Known() {
		return user.User{}, noRole(name)
	}
	var u user.User
	err := t.amongOwners(ctx, func(tx hand) (err error) {
		u, err = t.setRole(ctx, tx, user.User{ID: id, Role: name, Version: version}, by)
		return err
	})
	if err != nil {
		return user.User{}, err
	}
	return u, nil
}

// setRole gives an account its role, if it is at its version still.
func (t *Tenant) setRole(ctx context.Context, tx hand, want user.User, by audit.By) (user.User, error) {
	h, err := t.holdOwn(ctx, tx, want.ID, want.Version)
	if err != nil {
		return user.User{}, err
	}
	u := h.User
	u.Role, u.Version, u.UpdatedAt = want.Role, h.Version+1, by.At
	if _, err := tx.exec(ctx, `
		UPDATE users SET role = $3, version = version + 1, updated_at = $4 WHERE tenant_id = $1 AND id = $2`,
		t.id, u.ID, u.Role, instant(by.At)); err != nil {
		return user.User{}, err
	}
	// Whoever has a link was trusted with who it was for before.
	if err := t.endLinks(ctx, tx, u.ID, by.At); err != nil {
		return user.User{}, err
	}
	e := by.Event(audit.UserRoleChanged)
	e.UserID, e.Detail = u.ID, map[string]string{"role": u.Role, "before": h.Role}
	return u, t.witness(ctx, tx, by, e)
}

// SetPassword implements [user.Directory].
func (t *Tenant) SetPassword(ctx context.Context, c user.PasswordChange, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error { return t.setPassword(ctx, tx, c, by) })
}

func (t *Tenant) setPassword(ctx context.Context, tx hand, c user.PasswordChange, by audit.By) error {
	if _, err := t.holdOwn(ctx, tx, c.UserID, 0); err != nil {
		return err
	}
	if err := t.logsInHere(ctx, tx, c.UserID); err != nil {
		return err
	}
	if err := t.changePassword(ctx, tx, c, by.At); err != nil {
		return err
	}
	e := by.Event(audit.PasswordChanged)
	e.UserID = c.UserID
	if c.Keep {
		e.Detail = map[string]string{"sessions": "kept"}
	}
	return t.witness(ctx, tx, by, e)
}

// logsInHere refuses if somebody has no name to log in with here.
func (t *Tenant) logsInHere(ctx context.Context, tx hand, id string) error {
	var n int
	if err := tx.row(ctx, `SELECT COUNT(*) FROM login_names WHERE tenant_id = $1 AND user_id = $2`, t.id, id).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.Conflict, "The user %q has no name to log in with here. Give them a login name first.", id)
	}
	return nil
}

// changePassword sets a password, and ends what came of the one before unless it is to
// be kept. Links by which it could be changed once more end in any case.
func (t *Tenant) changePassword(ctx context.Context, tx hand, c user.PasswordChange, now time.Time) error {
	if err := t.savePassword(ctx, tx, c.UserID, c.Hash, now); err != nil {
		return err
	}
	if err := t.endLinks(ctx, tx, c.UserID, now); err != nil {
		return err
	}
	if err := t.forgive(ctx, tx, c.Forgive); err != nil || c.Keep {
		return err
	}
	// The epoch catches what is being issued at this very moment.
	if _, err := tx.exec(ctx, `UPDATE users SET not_before = $3 WHERE tenant_id = $1 AND id = $2`, t.id, c.UserID, instant(now)); err != nil {
		return err
	}
	return t.endAll(ctx, tx, c.UserID, audit.PasswordChanged, now)
}

// forgive forgets what failed in buckets.
func (t *Tenant) forgive(ctx context.Context, tx hand, buckets []secret.Hash) error {
	if len(buckets) == 0 {
		return nil
	}
	args := []any{t.id}
	var places []string
	for _, b := range buckets {
		args = append(args, b)
		places = append(places, fmt.Sprintf("$%d", len(args)))
	}
	_, err := tx.exec(ctx, `DELETE FROM throttles WHERE tenant_id = $1 AND bucket IN (`+strings.Join(places, ", ")+`)`, args...)
	return err
}

// endAll ends the sessions of an account and revokes its grants.
func (t *Tenant) endAll(ctx context.Context, tx hand, id string, why audit.Kind, now time.Time) error {
	if err := t.endSessions(ctx, tx, id, now); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `
		UPDATE grants SET revoked_at = $3, revoked_reason = $4
		WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL`, t.id, id, instant(now), string(why))
	return err
}

// endSessions ends the sessions of an account, and queues what clients are told of it.
func (t *Tenant) endSessions(ctx context.Context, tx hand, id string, now time.Time) error {
	rows, err := tx.query(ctx, `DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2 RETURNING id`, t.id, id)
	ended, err := collect(rows, err, func(r scanner) (id string, err error) { return id, r.Scan(&id) })
	if err != nil {
		return err
	}
	return t.sayFarewells(ctx, tx, id, ended, now)
}

// DeleteUser implements [user.Directory]. With the account's row goes all that hangs
// on it, sessions and grants too; a token that is still out there finds no grant.
func (t *Tenant) DeleteUser(ctx context.Context, id string, version int64, by audit.By) error {
	return t.amongOwners(ctx, func(tx hand) error {
		h, err := t.hold(ctx, tx, id)
		if err == nil {
			err = h.kept.mayDelete(version)
		}
		if err != nil {
			return err
		}
		if err := t.endSessions(ctx, tx, id, by.At); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `DELETE FROM users WHERE tenant_id = $1 AND id = $2`, t.id, id); err != nil {
			return err
		}
		e := by.Event(audit.UserDeleted)
		e.UserID = id
		return t.witness(ctx, tx, by, e)
	})
}
