package store

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/oauth"
)

const registeredColumns = `clients.id, clients.name, clients.disabled, clients.disabled_by, clients.settings, clients.secrets,
	clients.secret_notes, clients.managed_by, clients.version, clients.created_at, clients.updated_at`

// registered reads a client with all that operators see of it.
func (t *Tenant) registered(s scanner) (client.Registered, error) {
	var r client.Registered
	var settings clientSettings
	var sealed []byte
	var id, name string
	var disabled bool
	if err := s.Scan(&id, &name, &disabled, &r.DisabledBy, document{&settings}, &sealed,
		document{&r.Notes}, &r.ManagedBy, &r.Version, (*instant)(&r.CreatedAt), (*instant)(&r.UpdatedAt)); err != nil {
		return r, err
	}
	c, err := settings.client()
	if err != nil {
		return r, err
	}
	c.ID, c.Name, c.Disabled = id, name, disabled
	if err := t.openSecrets(&c, sealed); err != nil {
		return r, err
	}
	c.SelfRegistered = r.ManagedBy == tenant.ManagedByItself
	r.Client = c
	r.Notes = notesOf(r.Notes, len(c.Secrets))
	return r, nil
}

// notesOf returns a note for each secret. Whoever declares secrets in a file notes
// nothing about them; then their place is their name.
func notesOf(kept []client.SecretNote, secrets int) []client.SecretNote {
	if len(kept) == secrets {
		return kept
	}
	notes := make([]client.SecretNote, secrets)
	for i := range notes {
		notes[i].ID = strconv.Itoa(i + 1)
	}
	return notes
}

// Clients implements [client.Registry].
func (t *Tenant) Clients(ctx context.Context, f client.Filter, after string, limit int) ([]client.Registered, error) {
	rows, err := t.db.reader().query(ctx, `
		SELECT `+registeredColumns+` FROM clients
		WHERE tenant_id = $1 AND id > $2
			AND ($3 = '' OR LOWER(id) LIKE $3 ESCAPE '\' OR LOWER(name) LIKE $3 ESCAPE '\')
			AND ($4 = '' OR managed_by = $4) AND ($5 = '' OR disabled = ($5 = 'disabled'))
		ORDER BY id LIMIT $6`,
		t.id, after, containing(f.Text), f.ManagedBy, stateName(f.Disabled), limit)
	return collect(rows, err, t.registered)
}

// RegisteredClient implements [client.Registry].
func (t *Tenant) RegisteredClient(ctx context.Context, id string) (client.Registered, error) {
	return t.registeredClient(ctx, t.db.reader(), id)
}

func (t *Tenant) registeredClient(ctx context.Context, h hand, id string) (client.Registered, error) {
	r, err := t.registered(h.row(ctx, `SELECT `+registeredColumns+` FROM clients WHERE tenant_id = $1 AND id = $2`, t.id, id))
	return r, notFound(err, "There is no client %q.", id)
}

// RegisterClient implements [client.Registry].
func (t *Tenant) RegisterClient(ctx context.Context, r client.Registered, by audit.By) (client.Registered, error) {
	err := t.addConfiguration(ctx, func(tx hand) (err error) {
		if err := t.insertClient(ctx, tx, &r, by); err != nil {
			return err
		}
		return t.keepReceipt(ctx, tx, by.Receipt)
	})
	return r, err
}

// insertClient adds a client, and completes what is known of it.
func (t *Tenant) insertClient(ctx context.Context, tx hand, r *client.Registered, by audit.By) error {
	if err := fit(*r); err != nil {
		return err
	}
	if r.ManagedBy == "" {
		r.ManagedBy = tenant.ManagedByHand
	}
	r.Version, r.CreatedAt, r.UpdatedAt = 1, by.At, by.At
	_, r.DisabledBy = standingOf(r.Disabled, false, "", disabler(r.ManagedBy))
	row, err := clientRow(r.Client)
	if err != nil {
		return err
	}
	n, err := tx.exec(ctx, `
		INSERT INTO clients (tenant_id, id, name, disabled, disabled_by, settings, secrets, secret_notes, managed_by, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
		ON CONFLICT (tenant_id, id) DO NOTHING`,
		t.id, r.ID, r.Name, r.Disabled, r.DisabledBy, row.settings, t.seal(row.secret, "clients", "secrets", r.ID),
		document{r.Notes}, r.ManagedBy, instant(by.At))
	if err := mustChange(n, err, fault.New(fault.Conflict, "There is a client %q already.", r.ID)); err != nil {
		return err
	}
	if err := t.replaceOrigins(ctx, tx, r.Client); err != nil {
		return err
	}
	return t.record(ctx, tx, clientEvent(by, audit.ClientCreated, r.ID))
}

// accountPrefix begins the id of every account.
const accountPrefix = "usr_"

// fit finds what no client may be.
func fit(r client.Registered) error {
	switch {
	case r.ID == "" || len(r.ID) > 255:
		return fault.New(fault.Invalid, "A client has an id of 255 characters at most.")
	case strings.HasPrefix(r.ID, accountPrefix):
		return fault.New(fault.Invalid, "The id of a client does not begin with %s, as those of people do: a token that the client has for itself names it where others name a person.", accountPrefix)
	case audit.IsProgram(r.ID):
		return fault.New(fault.Invalid, "The id of a client is not %q: the record of what was done calls a program of ours so.", r.ID)
	case len(r.Secrets) != len(r.Notes):
		return fault.New(fault.Internal, "A secret without a note, or a note without a secret.")
	case r.AuthMethod.BySecret() && len(r.Secrets) == 0:
		return fault.New(fault.Invalid, "The client proves itself by a secret, and has none. Give it one with the same request.")
	case r.AuthMethod == oauth.AuthSecretJWT && len(r.Shared) != len(r.Secrets):
		return fault.New(fault.Invalid, "The client is to sign with its secret, of which only a hash is kept. Give it a new one with the same request.")
	}
	return nil
}

// disabler is in whose name a row is disabled by whoever manages it.
func disabler(managedBy string) string {
	if managedBy == tenant.ManagedByHand {
		return byOperator
	}
	return managedBy
}

func clientEvent(by audit.By, kind audit.Kind, id string) audit.Event {
	e := by.Event(kind)
	e.ClientID = id
	return e
}

// ChangeClient implements [client.Registry].
func (t *Tenant) ChangeClient(ctx context.Context, r client.Registered, by audit.By) (after client.Registered, err error) {
	err = t.editConfiguration(ctx, by.Receipt, func(tx hand) (changed bool, err error) {
		before, err := t.registeredClient(ctx, tx, r.ID)
		if err != nil {
			return false, err
		}
		if err := clientKept(before).mayChange(r.Version); err != nil {
			return false, err
		}
		after = r
		after.ManagedBy = before.ManagedBy
		return t.updateClient(ctx, tx, before, &after, by)
	})
	return after, err
}

func clientKept(r client.Registered) keptRow {
	return keptRow{noun: "client", id: r.ID, managedBy: r.ManagedBy, disabledBy: r.DisabledBy, version: r.Version}
}

// updateClient makes of a client what it is said to be, completes that, and reports
// whether anything is different now.
func (t *Tenant) updateClient(ctx context.Context, tx hand, before client.Registered, r *client.Registered, by audit.By) (bool, error) {
	switch {
	case !r.AuthMethod.BySecret():
		r.Secrets, r.Notes, r.Shared = nil, nil, nil
	case len(r.Secrets) == 0:
		r.Secrets, r.Notes, r.Shared = before.Secrets, before.Notes, before.Shared
	case slices.Equal(r.Secrets, before.Secrets):
		r.Notes = before.Notes
	}
	if r.AuthMethod != oauth.AuthSecretJWT {
		r.Shared = nil // of which the hashes are enough
	}
	if err := fit(*r); err != nil {
		return false, err
	}
	r.CreatedAt = before.CreatedAt
	_, r.DisabledBy = standingOf(r.Disabled, before.Disabled, before.DisabledBy, disabler(r.ManagedBy))
	names, err := clientDifference(before, *r)
	if err != nil {
		return false, err
	}
	if len(names) == 0 {
		*r = before
		return false, nil
	}
	r.Version, r.UpdatedAt = before.Version+1, by.At
	if err := t.writeClient(ctx, tx, *r); err != nil {
		return false, err
	}
	if err := t.replaceOrigins(ctx, tx, r.Client); err != nil {
		return false, err
	}
	e := clientEvent(by, audit.ClientChanged, r.ID)
	e.Detail = changedDetail(names)
	return true, t.record(ctx, tx, e)
}

func (t *Tenant) writeClient(ctx context.Context, tx hand, r client.Registered) error {
	row, err := clientRow(r.Client)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `
		UPDATE clients SET name = $3, disabled = $4, disabled_by = $5, settings = $6, secrets = $7, secret_notes = $8,
			managed_by = $9, version = $10, updated_at = $11
		WHERE tenant_id = $1 AND id = $2`,
		t.id, r.ID, r.Name, r.Disabled, r.DisabledBy, row.settings, t.seal(row.secret, "clients", "secrets", r.ID),
		document{r.Notes}, r.ManagedBy, r.Version, instant(r.UpdatedAt))
	return err
}

// clientDifference returns the names of what differs between two states of a client.
func clientDifference(before, after client.Registered) ([]string, error) {
	type all struct {
		clientSettings
		Name      string        `json:"name"`
		Disabled  bool          `json:"disabled"`
		Secrets   []secret.Hash `json:"secrets"`
		ManagedBy string        `json:"managed_by"`
	}
	of := func(r client.Registered) (all, error) {
		settings, err := settingsOf(r.Client)
		return all{settings, r.Name, r.Disabled, r.Secrets, r.ManagedBy}, err
	}
	b, err := of(before)
	if err != nil {
		return nil, err
	}
	a, err := of(after)
	if err != nil {
		return nil, err
	}
	return changedNames(b, a)
}

// DeleteClient implements [client.Registry].
func (t *Tenant) DeleteClient(ctx context.Context, id string, version int64, by audit.By) error {
	may := func(h hand) error {
		before, err := t.registeredClient(ctx, h, id)
		if err != nil {
			return err
		}
		return clientKept(before).mayDelete(version)
	}
	if err := may(t.db.reader()); err != nil {
		return err
	}
	// What people have allowed goes first, in batches: by itself it only means that
	// they are asked once more.
	if err := t.forgetClient(ctx, id); err != nil {
		return err
	}
	err := t.changeConfiguration(ctx, func(tx hand) error {
		if err := may(tx); err != nil {
			return err
		}
		if err := t.removeClient(ctx, tx, id, by); err != nil {
			return err
		}
		return t.keepReceipt(ctx, tx, by.Receipt)
	})
	if err != nil {
		return err
	}
	return t.forgetClient(ctx, id) // what was allowed while somebody still knew of it
}

// removeClient deletes a client, and what is left of what people have allowed it.
func (t *Tenant) removeClient(ctx context.Context, tx hand, id string, by audit.By) error {
	for _, table := range ofAClient {
		if _, err := tx.exec(ctx, `DELETE FROM `+table+` WHERE tenant_id = $1 AND client_id = $2`, t.id, id); err != nil {
			return err
		}
	}
	if _, err := tx.exec(ctx, `DELETE FROM clients WHERE tenant_id = $1 AND id = $2`, t.id, id); err != nil {
		return err
	}
	return t.record(ctx, tx, clientEvent(by, audit.ClientDeleted, id))
}

// ofAClient are the tables in which people have something to do with a client.
var ofAClient = []string{"consents", "client_use"}

// forgetClient deletes what people have to do with a client, batch by batch.
func (t *Tenant) forgetClient(ctx context.Context, id string) error {
	for _, table := range ofAClient {
		if err := t.clearInBatches(ctx, `
			DELETE FROM `+table+` WHERE tenant_id = $1 AND client_id = $2 AND user_id IN
				(SELECT user_id FROM `+table+` WHERE tenant_id = $1 AND client_id = $2 ORDER BY user_id LIMIT $3)`, t.id, id); err != nil {
			return err
		}
	}
	return nil
}

// replaceOrigins keeps the origins of a client's pages where they are found.
func (t *Tenant) replaceOrigins(ctx context.Context, tx hand, c client.Client) error {
	if _, err := tx.exec(ctx, `DELETE FROM client_origins WHERE tenant_id = $1 AND client_id = $2`, t.id, c.ID); err != nil {
		return err
	}
	for _, origin := range c.AllowedOrigins {
		if _, err := tx.exec(ctx, `
			INSERT INTO client_origins (tenant_id, origin, client_id) VALUES ($1, $2, $3)
			ON CONFLICT (tenant_id, origin, client_id) DO NOTHING`, t.id, origin, c.ID); err != nil {
			return err
		}
	}
	return nil
}
