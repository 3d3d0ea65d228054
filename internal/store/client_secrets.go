package store

import (
	"context"
	"slices"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
)

// AddClientSecret implements [client.Secrets].
func (t *Tenant) AddClientSecret(ctx context.Context, id string, v secret.Value, n client.SecretNote, by audit.By) (client.Registered, error) {
	return t.changeSecrets(ctx, id, by, func(r *client.Registered) (audit.Event, error) {
		switch {
		case !r.AuthMethod.BySecret():
			return audit.Event{}, fault.New(fault.Invalid, "The client %q proves itself without a secret: its auth_method is %s.", id, r.AuthMethod)
		case len(r.Secrets) >= client.MaxLiveSecrets:
			return audit.Event{}, fault.New(fault.Conflict, "The client %q has %d secrets already. Remove the one that is not in use any more, then add another.", id, len(r.Secrets))
		}
		r.AddSecret(v)
		r.Notes = append(slices.Clone(r.Notes), n)
		e := clientEvent(by, audit.ClientSecretAdded, id)
		e.Detail = map[string]string{"secret": n.ID}
		return e, nil
	})
}

// RemoveClientSecret implements [client.Secrets].
func (t *Tenant) RemoveClientSecret(ctx context.Context, id, secretID string, by audit.By) (client.Registered, error) {
	return t.changeSecrets(ctx, id, by, func(r *client.Registered) (audit.Event, error) {
		i := slices.IndexFunc(r.Notes, func(n client.SecretNote) bool { return n.ID == secretID })
		switch {
		case i < 0:
			return audit.Event{}, fault.New(fault.NotFound, "The client %q has no secret %q.", id, secretID)
		case len(r.Secrets) == 1:
			return audit.Event{}, fault.New(fault.Conflict, "It is the only secret of the client %q. Add another first, or disable the client.", id)
		}
		r.Secrets, r.Notes = slices.Delete(slices.Clone(r.Secrets), i, i+1), slices.Delete(slices.Clone(r.Notes), i, i+1)
		if len(r.Shared) > 0 {
			r.Shared = slices.Delete(slices.Clone(r.Shared), i, i+1)
		}
		e := clientEvent(by, audit.ClientSecretRemoved, id)
		e.Detail = map[string]string{"secret": secretID}
		return e, nil
	})
}

// changeSecrets changes the secrets of a client as one step.
func (t *Tenant) changeSecrets(ctx context.Context, id string, by audit.By, do func(r *client.Registered) (audit.Event, error)) (after client.Registered, err error) {
	err = t.changeConfiguration(ctx, func(tx hand) error {
		r, err := t.registeredClient(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := clientKept(r).mayChange(0); err != nil {
			return err
		}
		e, err := do(&r)
		if err != nil {
			return err
		}
		r.Version, r.UpdatedAt = r.Version+1, by.At
		if err := t.writeClient(ctx, tx, r); err != nil {
			return err
		}
		after = r
		return t.witness(ctx, tx, by, e)
	})
	return after, err
}
