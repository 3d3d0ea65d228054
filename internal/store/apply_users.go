package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/user"
)

// keptUser is an account that the file has declared, as it is kept.
type keptUser struct {
	user     user.User
	by       string            // who disabled it
	password string            // as it was declared
	profiles map[string]string // of its identities with its own id as the subject, by connector
	names    map[string]string // its login names, and the connector of each
}

// users makes the accounts so. Thousands of new ones go in by a few statements.
func (a *application) users(ctx context.Context, declared []DeclaredUser) error {
	kept, err := a.keptUsers(ctx)
	if err != nil {
		return err
	}
	if err := a.releaseNames(ctx, declared, kept); err != nil {
		return err
	}
	b := a.batches()
	for _, d := range declared {
		if err := a.user(ctx, b, d, kept[d.User.ID]); err != nil {
			return err
		}
		delete(kept, d.User.ID)
	}
	for _, one := range b.inOrder() {
		if err := one.flush(ctx, a); err != nil {
			return err
		}
	}
	for id, k := range kept {
		if k.user.Disabled {
			continue
		}
		a.tally.disabled++
		if err := a.t.disableUser(ctx, a.tx, byFile, a.disabled(id)); err != nil {
			return err
		}
	}
	return nil
}

// user compares one account, and writes what differs or puts it into the batches.
func (a *application) user(ctx context.Context, b *batches, d DeclaredUser, k *keptUser) error {
	u := d.User
	if k == nil {
		a.tally.created++
		by := ""
		if u.Disabled {
			by = byFile
		}
		b.users.add(a.t.id, u.ID, u.Username, u.Email, emailKey(u.Email), u.EmailVerified, u.Name, u.Disabled, by, byFile, u.Role, instant(a.now), instant(a.now))
		k = &keptUser{user: u}
	}
	changed, err := a.account(ctx, u, k)
	if err != nil {
		return err
	}
	profile, err := json.Marshal(d.Profile)
	if err != nil {
		return err
	}
	if k.profiles[d.ConnectorID] != string(profile) {
		changed = true
		b.identities.add(a.t.id, d.ConnectorID, u.ID, u.ID, string(profile), instant(a.now), instant(a.now))
	}
	if k.password != d.PasswordHash {
		changed = true
		if err := a.password(ctx, b, u.ID, d.PasswordHash); err != nil {
			return err
		}
	}
	for _, name := range d.LoginNames {
		if k.names[name] != d.ConnectorID {
			changed = true
			b.names.add(a.t.id, name, u.ID, d.ConnectorID)
		}
	}
	if changed && k.names != nil {
		a.tally.changed++
	}
	return nil
}

// account brings the row of a kept account up to date, and reports whether it had
// to.
func (a *application) account(ctx context.Context, u user.User, k *keptUser) (bool, error) {
	before := k.user
	changed := false
	if u.Username != before.Username || u.Email != before.Email || u.EmailVerified != before.EmailVerified || u.Name != before.Name || u.Role != before.Role {
		changed = true
		if _, err := a.tx.exec(ctx, `
			UPDATE users SET username = $3, email = $4, email_key = $5, email_verified = $6, name = $7, role = $8, updated_at = $9,
				version = version + 1, indexed = FALSE
			WHERE tenant_id = $1 AND id = $2`,
			a.t.id, u.ID, u.Username, u.Email, emailKey(u.Email), u.EmailVerified, u.Name, u.Role, instant(a.now)); err != nil {
			return false, err
		}
	}
	disabled, _ := standing(u.Disabled, before.Disabled, k.by)
	switch {
	case disabled && !before.Disabled:
		return true, a.t.disableUser(ctx, a.tx, byFile, a.disabled(u.ID))
	case !disabled && before.Disabled:
		if _, err := a.tx.exec(ctx, `
			UPDATE users SET disabled = FALSE, disabled_by = '', version = version + 1, updated_at = $3 WHERE tenant_id = $1 AND id = $2`,
			a.t.id, u.ID, instant(a.now)); err != nil {
			return false, err
		}
		return true, a.t.record(ctx, a.tx, audit.Event{At: a.now, Kind: audit.UserEnabled, Actor: byFile, UserID: u.ID})
	}
	return changed, nil
}

// disabled is the event of an account that the file disables.
func (a *application) disabled(id string) audit.Event {
	return audit.Event{At: a.now, Kind: audit.UserDisabled, Actor: byFile, UserID: id}
}

// password sets a password as declared. A hash that was made anew since, from the
// same declared one, is left alone.
func (a *application) password(ctx context.Context, b *batches, userID, hash string) error {
	if hash != "" {
		b.passwords.add(a.t.id, userID, hash, hash, instant(a.now))
		return nil
	}
	_, err := a.tx.exec(ctx, `DELETE FROM passwords WHERE tenant_id = $1 AND user_id = $2`, a.t.id, userID)
	return err
}

// releaseNames gives up the login names that are not declared any more for their
// account, so that another can have them.
func (a *application) releaseNames(ctx context.Context, declared []DeclaredUser, kept map[string]*keptUser) error {
	wanted := map[string]string{}
	for _, d := range declared {
		for _, name := range d.LoginNames {
			wanted[name] = d.User.ID
		}
	}
	for id, k := range kept {
		for name := range k.names {
			if wanted[name] == id {
				continue
			}
			if _, err := a.tx.exec(ctx, `DELETE FROM login_names WHERE tenant_id = $1 AND name = $2`, a.t.id, name); err != nil {
				return err
			}
			a.tally.changed++
		}
	}
	return nil
}

// keptUsers reads every account that the file has declared.
func (a *application) keptUsers(ctx context.Context) (map[string]*keptUser, error) {
	kept := map[string]*keptUser{}
	rows, err := a.tx.query(ctx, `
		SELECT `+userColumns+`, users.disabled_by, passwords.declared
		FROM users LEFT JOIN passwords ON passwords.tenant_id = users.tenant_id AND passwords.user_id = users.id
		WHERE users.tenant_id = $1 AND users.managed_by = $2`, a.t.id, byFile)
	users, err := collect(rows, err, func(s scanner) (*keptUser, error) {
		k := &keptUser{profiles: map[string]string{}, names: map[string]string{}}
		var password sql.Null[string]
		err := s.Scan(append(userInto(&k.user), &k.by, &password)...)
		k.password = password.V
		return k, err
	})
	if err != nil {
		return nil, err
	}
	for _, k := range users {
		kept[k.user.ID] = k
	}
	for _, more := range []struct {
		query string
		put   func(k *keptUser, key, value string)
	}{
		{
			`SELECT o.user_id, o.connector_id, o.profile FROM identities o
				JOIN users ON users.tenant_id = o.tenant_id AND users.id = o.user_id
				WHERE users.tenant_id = $1 AND users.managed_by = $2 AND o.subject = o.user_id`,
			func(k *keptUser, key, value string) { k.profiles[key] = value },
		},
		{
			`SELECT o.user_id, o.name, o.connector_id FROM login_names o
				JOIN users ON users.tenant_id = o.tenant_id AND users.id = o.user_id
				WHERE users.tenant_id = $1 AND users.managed_by = $2`,
			func(k *keptUser, key, value string) { k.names[key] = value },
		},
	} {
		rows, err := a.tx.query(ctx, more.query, a.t.id, byFile)
		if _, err := collect(rows, err, func(s scanner) (none struct{}, err error) {
			var id, key, value string
			if err := s.Scan(&id, &key, &value); err != nil {
				return none, err
			}
			more.put(kept[id], key, value)
			return none, nil
		}); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// batches are the rows to be written of each table.
type batches struct{ users, identities, passwords, names *batch }

func (b *batches) inOrder() []*batch { return []*batch{b.users, b.identities, b.passwords, b.names} }

func (a *application) batches() *batches {
	return &batches{
		users: &batch{
			insert: `INSERT INTO users (tenant_id, id, username, email, email_key, email_verified, name, disabled, disabled_by, managed_by, role, created_at, updated_at) VALUES `,
			tail:   ` ON CONFLICT (tenant_id, id) DO NOTHING`,
			rival:  `SELECT 1 FROM users WHERE tenant_id = $1 AND id = $2 AND managed_by <> 'file'`, rivalArgs: []int{0, 1},
			called: "users",
		},
		identities: &batch{
			insert: `INSERT INTO identities (tenant_id, connector_id, subject, user_id, profile, checked_at, created_at) VALUES `,
			tail: ` ON CONFLICT (tenant_id, connector_id, subject) DO UPDATE SET profile = excluded.profile, checked_at = excluded.checked_at
				WHERE identities.user_id = excluded.user_id`,
			rival:     `SELECT 1 FROM identities WHERE tenant_id = $1 AND connector_id = $3 AND subject = $2 AND user_id <> $2`,
			rivalArgs: []int{0, 2, 1}, called: "identities",
		},
		passwords: &batch{
			insert: `INSERT INTO passwords (tenant_id, user_id, hash, declared, updated_at) VALUES `,
			tail: ` ON CONFLICT (tenant_id, user_id) DO UPDATE SET hash = excluded.hash, declared = excluded.declared,
				updated_at = excluded.updated_at`,
		},
		names: &batch{
			insert: `INSERT INTO login_names (tenant_id, name, user_id, connector_id) VALUES `,
			tail: ` ON CONFLICT (tenant_id, name) DO UPDATE SET connector_id = excluded.connector_id
				WHERE login_names.user_id = excluded.user_id`,
			rival: `SELECT 1 FROM login_names WHERE tenant_id = $1 AND name = $2 AND user_id <> $3`, rivalArgs: []int{0, 1, 2},
			called: "login names",
		},
	}
}

// batch is the rows of one table that are written together.
type batch struct {
	insert, tail string
	rows         [][]any
	// rival finds the row of somebody else that is in the way of one of ours, by
	// these of its values.
	rival     string
	rivalArgs []int
	called    string
}

// batchRows is how many rows one statement writes.
const batchRows = 250

func (b *batch) add(row ...any) { b.rows = append(b.rows, row) }

func (b *batch) flush(ctx context.Context, a *application) error {
	for rows := range slices.Chunk(b.rows, batchRows) {
		var places []string
		var args []any
		for _, row := range rows {
			var own []string
			for range row {
				own = append(own, fmt.Sprintf("$%d", len(args)+len(own)+1))
			}
			places = append(places, "("+strings.Join(own, ", ")+")")
			args = append(args, row...)
		}
		n, err := a.tx.exec(ctx, b.insert+strings.Join(places, ", ")+b.tail, args...)
		if err != nil {
			return err
		}
		if int(n) != len(rows) {
			return b.findRival(ctx, a, rows)
		}
	}
	return nil
}

// findRival says which row was not written.
func (b *batch) findRival(ctx context.Context, a *application, rows [][]any) error {
	for _, row := range rows {
		var args []any
		for _, i := range b.rivalArgs {
			args = append(args, row[i])
		}
		var one int
		switch err := a.tx.row(ctx, b.rival, args...).Scan(&one); {
		case err == nil:
			return clash(b.called, fmt.Sprint(row[b.rivalArgs[1]]))
		case !isNone(err):
			return err
		}
	}
	return fault.New(fault.Conflict, "The %s changed while the configuration was applied. Please try again.", b.called)
}
