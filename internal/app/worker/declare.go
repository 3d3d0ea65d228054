package worker

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"dex/internal/domain/tenant"
	"dex/internal/store"
)

// declare makes what the configuration declares stand in the database. If that is
// what it has declared before, nothing is read or written.
func (w *Worker) declare(ctx context.Context, t *store.Tenant, now time.Time) error {
	d := store.Declared{Digest: w.digest()}
	if applied, err := t.Applied(ctx, d.Digest); applied || err != nil {
		return err
	}
	if r := w.settings.Registration; r.Admission != string(tenant.AdmitNobody) {
		d.Registration = &tenant.Registration{
			Admission: tenant.Admission(r.Admission), Profile: r.Profile, Scopes: r.Scopes, GrantTypes: r.GrantTypes, Most: r.Most,
		}
	}
	for _, c := range w.settings.Clients {
		made, err := c.Make()
		if err != nil {
			return fmt.Errorf("client %s: %w", c.ID, err)
		}
		d.Clients = append(d.Clients, made)
	}
	for _, c := range w.settings.Connectors {
		d.Connectors = append(d.Connectors, c.Make())
	}
	var err error
	if d.Users, err = w.makeUsers(ctx); err != nil {
		return err
	}
	changed, err := t.Apply(ctx, d, now)
	if changed {
		w.log.Info("the configuration has been applied", "clients", len(d.Clients), "connectors", len(d.Connectors), "users", len(d.Users))
	}
	return err
}

// digest names what the configuration declares, without giving any of it away: it
// is made under the key secrets.
func (w *Worker) digest() string {
	parts := []string{"declared 1"}
	add := func(v any) {
		text, err := json.Marshal(v)
		if err != nil {
			text = []byte(err.Error()) // of a settings type that cannot be encoded: then nothing is ever the same
		}
		parts = append(parts, string(text))
	}
	// Secrets and free-form sections keep themselves out of what is encoded.
	for _, c := range w.settings.Clients {
		add(c)
		parts = append(parts, string(c.JWKS))
		for _, s := range c.Secrets {
			parts = append(parts, string(s))
		}
	}
	add(w.settings.Registration)
	for _, c := range w.settings.Connectors {
		add(c)
		parts = append(parts, string(c.Config))
	}
	for _, u := range w.settings.Users {
		add(u)
		parts = append(parts, string(u.PasswordHash), string(u.Password))
	}
	sum := w.keys.MACKey("declared").Sum(parts...)
	return hex.EncodeToString(sum[:])
}

// makeUsers makes the declared users. Passwords in clear are hashed, as many at
// once as the hasher allows.
func (w *Worker) makeUsers(ctx context.Context) ([]store.DeclaredUser, error) {
	connectorID := w.localConnector()
	users := make([]store.DeclaredUser, len(w.settings.Users))
	hashing, ctx := errgroup.WithContext(ctx)
	hashing.SetLimit(4)
	for i, u := range w.settings.Users {
		a, err := u.Make()
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", cmp.Or(u.Username, u.Email), err)
		}
		made := &users[i]
		*made = store.DeclaredUser{
			User: a.User, ConnectorID: connectorID, Profile: a.Profile, PasswordHash: a.PasswordHash, LoginNames: a.LoginNames,
		}
		if a.Password == "" {
			continue
		}
		hashing.Go(func() (err error) {
			made.PasswordHash, err = w.hasher.Hash(ctx, string(a.Password))
			return err
		})
	}
	return users, hashing.Wait()
}

// localConnector returns the connector that the declared users log in by.
func (w *Worker) localConnector() string {
	for _, c := range w.settings.Connectors {
		if c.Kind == "local" {
			return c.ID
		}
	}
	return "local"
}
