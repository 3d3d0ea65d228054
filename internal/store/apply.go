package store

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"time"

	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// Declared is what a configuration file says that there is.
type Declared struct {
	// Digest names the configuration. Two that differ have different ones.
	Digest     string
	Clients    []client.Client
	Connectors []connector.Configured // in their order
	Users      []DeclaredUser
	// Registration is who may register clients; nil leaves that to the operators' API.
	Registration *tenant.Registration
}

// DeclaredUser is an account that a configuration declares, with its password.
type DeclaredUser struct {
	User user.User
	// ConnectorID is the connector that checks the password. The account's identity
	// there has the account's ID as its subject.
	ConnectorID  string
	Profile      user.Profile
	PasswordHash string   // in PHC string format; empty if there is none
	LoginNames   []string // canonical
}

// Apply makes what is declared so, all of it or nothing, and reports whether there
// was anything to do. The configuration that was applied last is known again at
// once. What was declared and is not any more is disabled, not deleted: it may
// come back. What somebody manages by other means is a fault of kind Conflict, and
// what an operator has disabled stays so.
func (t *Tenant) Apply(ctx context.Context, d Declared, now time.Time) (bool, error) {
	if err := d.check(); err != nil {
		return false, err
	}
	if applied, err := t.Applied(ctx, d.Digest); err != nil || applied {
		return false, err
	}
	var a *application
	err := t.db.inTx(ctx, func(tx hand) error {
		a = &application{t: t, tx: tx, now: now}
		return a.apply(ctx, d)
	})
	t.leased.forget()
	if err != nil || a.tally == (tally{}) {
		return false, err
	}
	if !a.unsettling {
		return true, nil
	}
	return true, t.db.settle(ctx)
}

// check finds what no database could make so.
func (d Declared) check() error {
	if d.Digest == "" {
		return fault.New(fault.Invalid, "A configuration has a digest.")
	}
	ids, names := map[string]bool{}, map[string]bool{}
	for _, u := range d.Users {
		if u.User.ID == "" || u.ConnectorID == "" || ids[u.User.ID] {
			return fault.New(fault.Invalid, "The user %q is declared twice, or without an id or a connector.", u.User.ID)
		}
		ids[u.User.ID] = true
		for _, name := range u.LoginNames {
			if name == "" || names[name] {
				return fault.New(fault.Invalid, "The login name %q is empty or declared twice.", name)
			}
			names[name] = true
		}
	}
	return nil
}

// tally counts what an application has done.
type tally struct{ created, changed, disabled int }

// application is one run of [Tenant.Apply] in its transaction.
type application struct {
	t          *Tenant
	tx         hand
	now        time.Time
	tally      tally
	unsettling bool // something that workers may have in memory is different now
}

func (a *application) apply(ctx context.Context, d Declared) error {
	// Of several workers that begin at once the first does it; the others wait
	// here, and find it done.
	n, err := a.tx.exec(ctx, `
		UPDATE tenants SET applied = $2, version = version + 1 WHERE id = $1 AND applied <> $2`, a.t.id, d.Digest)
	if err != nil || n == 0 {
		return err
	}
	if err := a.clients(ctx, d.Clients); err != nil {
		return err
	}
	if err := a.connectors(ctx, d.Connectors); err != nil {
		return err
	}
	if err := a.registration(ctx, d.Registration); err != nil {
		return err
	}
	err = a.t.keepOwner(ctx, a.tx, func(hand) error { return a.users(ctx, d.Users) })
	if errors.Is(err, errLastOwner) {
		return fault.New(fault.Conflict, "The configuration file would leave nobody who can log in as an owner: whom it has declared as the last one it disables, gives another role, or does not name any more. Make somebody else an owner first, in the file or with dexctl users.")
	}
	if err != nil {
		return err
	}
	if a.tally == (tally{}) {
		return nil
	}
	return a.t.record(ctx, a.tx, audit.Event{At: a.now, Kind: audit.ConfigApplied, Actor: byFile, Detail: map[string]string{
		"digest": d.Digest, "created": strconv.Itoa(a.tally.created), "changed": strconv.Itoa(a.tally.changed),
		"disabled": strconv.Itoa(a.tally.disabled),
	}})
}

// registration writes who may register clients. What the file has said once and says no
// more is nobody.
func (a *application) registration(ctx context.Context, declared *tenant.Registration) error {
	before, err := a.t.registration(ctx, a.tx)
	if err != nil || declared == nil && before.ManagedBy != byFile {
		return err
	}
	var after tenant.Registration
	if declared != nil {
		after = *declared
		after.ManagedBy = byFile
	}
	after.Version = before.Version
	if reflect.DeepEqual(before, after) {
		return nil
	}
	after.Version++
	a.tally.changed, a.unsettling = a.tally.changed+1, true
	return a.t.writeRegistration(ctx, a.tx, after)
}

// standing says whether a row is disabled, and by whom, if the configuration
// declares it so or not. An operator's word outlasts the file's.
func standing(declared, disabled bool, by string) (bool, string) {
	switch {
	case disabled && by == byOperator:
		return true, byOperator
	case declared:
		return true, byFile
	default:
		return false, ""
	}
}

// declaredRow is a row of the configuration as it is kept.
type declaredRow struct {
	id, name, settings string
	secret             []byte // not sealed
	kind               string
	position           int
	disabled           bool
	by                 string
}

// rows reads the rows of a table that the file has declared.
func (a *application) rows(ctx context.Context, table, column, columns string) (map[string]declaredRow, error) {
	rows, err := a.tx.query(ctx, `
		SELECT id, name, disabled, disabled_by, `+column+`, `+columns+` FROM `+table+`
		WHERE tenant_id = $1 AND managed_by = $2`, a.t.id, byFile)
	all, err := collect(rows, err, func(s scanner) (r declaredRow, err error) {
		var sealed []byte
		if err := s.Scan(&r.id, &r.name, &r.disabled, &r.by, &sealed, &r.settings, &r.kind, &r.position); err != nil {
			return r, err
		}
		r.secret, err = a.t.unseal(sealed, table, column, r.id)
		return r, err
	})
	if err != nil {
		return nil, err
	}
	byID := make(map[string]declaredRow, len(all))
	for _, r := range all {
		byID[r.id] = r
	}
	return byID, nil
}

// same reports whether a row says already what another says.
func (r declaredRow) same(other declaredRow) bool {
	return r.name == other.name && r.settings == other.settings && slices.Equal(r.secret, other.secret) &&
		r.kind == other.kind && r.position == other.position && r.disabled == other.disabled && r.by == other.by
}

func (a *application) clients(ctx context.Context, declared []client.Client) error {
	kept, err := a.rows(ctx, "clients", "secrets", "settings, '', 0")
	if err != nil {
		return err
	}
	for _, c := range declared {
		want, err := clientRow(c)
		if err != nil {
			return err
		}
		before, known := kept[c.ID]
		delete(kept, c.ID)
		want.disabled, want.by = standing(c.Disabled, before.disabled, before.by)
		if known && want.same(before) {
			continue
		}
		if err := a.write(ctx, known, "clients", want, `settings = $8, secrets = $9`, `settings, secrets`, "$8, $9",
			want.settings, a.t.seal(want.secret, "clients", "secrets", c.ID)); err != nil {
			return err
		}
		if err := a.t.replaceOrigins(ctx, a.tx, c); err != nil {
			return err
		}
	}
	return a.retire(ctx, "clients", kept)
}

func clientRow(c client.Client) (declaredRow, error) {
	settings, err := settingsOf(c)
	if err != nil {
		return declaredRow{}, err
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return declaredRow{}, err
	}
	row := declaredRow{id: c.ID, name: c.Name, settings: string(text)}
	row.secret, err = secretsText(c)
	return row, err
}

// secretsText is how a client's secrets are kept, before they are sealed: their hashes,
// or the secrets themselves of a client that signs with them.
func secretsText(c client.Client) ([]byte, error) {
	if c.AuthMethod == oauth.AuthSecretJWT {
		shared := sharedSecrets{Shared: make([]string, len(c.Shared))}
		for i, v := range c.Shared {
			shared.Shared[i] = string(v)
		}
		return json.Marshal(shared)
	}
	if len(c.Secrets) == 0 {
		return nil, nil
	}
	all := make([][]byte, len(c.Secrets))
	for i := range c.Secrets {
		all[i] = c.Secrets[i][:]
	}
	return json.Marshal(all)
}

// sharedSecrets are the secrets of a client that signs with them.
type sharedSecrets struct {
	Shared []string `json:"shared"`
}

func (a *application) connectors(ctx context.Context, declared []connector.Configured) error {
	kept, err := a.rows(ctx, "connectors", "config", "policy, kind, position")
	if err != nil {
		return err
	}
	for position, c := range declared {
		policy, err := json.Marshal(connectorPolicy(c.Policy))
		if err != nil {
			return err
		}
		want := declaredRow{id: c.ID, name: c.Name, settings: string(policy), secret: c.Config, kind: c.Kind, position: position}
		before, known := kept[c.ID]
		delete(kept, c.ID)
		want.disabled, want.by = standing(c.Disabled, before.disabled, before.by)
		if known && want.same(before) {
			continue
		}
		if err := a.write(ctx, known, "connectors", want, `policy = $8, config = $9, kind = $10, position = $11`,
			`policy, config, kind, position`, "$8, $9, $10, $11",
			want.settings, a.t.seal(c.Config, "connectors", "config", c.ID), c.Kind, position); err != nil {
			return err
		}
	}
	return a.retire(ctx, "connectors", kept)
}

// write creates a declared row, or brings it up to date.
func (a *application) write(ctx context.Context, known bool, table string, r declaredRow, set, columns, places string, more ...any) error {
	args := append([]any{a.t.id, r.id, byFile, r.name, r.disabled, r.by, instant(a.now)}, more...)
	if known {
		a.tally.changed++
		a.unsettling = true
		n, err := a.tx.exec(ctx, `
			UPDATE `+table+` SET name = $4, disabled = $5, disabled_by = $6, updated_at = $7, version = version + 1, `+set+`
			WHERE tenant_id = $1 AND id = $2 AND managed_by = $3`, args...)
		return mustChange(n, err, clash(table, r.id))
	}
	a.tally.created++
	n, err := a.tx.exec(ctx, `
		INSERT INTO `+table+` (tenant_id, id, managed_by, name, disabled, disabled_by, created_at, updated_at, `+columns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7, `+places+`)
		ON CONFLICT (tenant_id, id) DO NOTHING`, args...)
	return mustChange(n, err, clash(table, r.id))
}

// clash says that a row belongs to somebody else than the configuration file.
func clash(table, id string) *fault.Error {
	return fault.New(fault.Conflict, "The configuration declares %q among the %s, and there is one already that is not managed by a file. Take it out of the configuration, or delete the other.", id, table)
}

// retire disables what is not declared any more.
func (a *application) retire(ctx context.Context, table string, rest map[string]declaredRow) error {
	for id, r := range rest {
		if r.disabled {
			continue
		}
		a.tally.disabled++
		a.unsettling = true
		if _, err := a.tx.exec(ctx, `
			UPDATE `+table+` SET disabled = TRUE, disabled_by = $3, updated_at = $4, version = version + 1
			WHERE tenant_id = $1 AND id = $2`, a.t.id, id, byFile, instant(a.now)); err != nil {
			return err
		}
	}
	return nil
}
