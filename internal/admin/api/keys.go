package api

import (
	"context"
	"net/http"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/domain/key"
	"dex/internal/domain/role"
	"dex/internal/protocol/jose"
)

// Keys are the signing keys of a tenant.
type Keys struct {
	Keys       Of[key.Desk]
	Algorithms []jose.Algorithm
	Timing     key.Timing
	// Longest is the longest life of a token that a client of a tenant has of its own.
	Longest func(ctx context.Context, tenant string) (time.Duration, error)
}

// Noun returns what can be done.
func (k Keys) Noun() Noun {
	read, write := role.Read(role.Keys), role.Write(role.Keys)
	return Noun{
		Handle(Route{
			ID: "list-keys", Method: http.MethodGet, Path: "/keys", Scope: read,
			Summary: "List the signing keys and their timeline",
		}, k.list),
		Handle(Route{
			ID: "rotate-keys", Method: http.MethodPost, Path: "/keys/rotate", Scope: write,
			Summary:     "Announce successors of the signing keys now",
			Description: "They sign once every application can have fetched them, a day and an hour later unless keys.lead says otherwise.",
		}, k.rotate),
		Handle(Route{
			ID: "compromise-key", Method: http.MethodPost, Path: "/keys/{key}/compromise", Scope: write,
			Summary:     "Say that others know a signing key",
			Description: "The key is gone at once, with all that it has signed. Its successor signs at once, before every application has fetched it.",
		}, k.compromise),
	}
}

func (k Keys) list(ctx context.Context, c *Call, _ *struct{}) (*Answer[resource.List[resource.Key]], error) {
	desk, err := k.Keys(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	all, err := desk.SigningKeys(ctx)
	return listed(c, all, "", func(one key.Key) resource.Key { return wireKey(one, c.At) }), err
}

func (k Keys) rotate(ctx context.Context, c *Call, in *struct{}) (*Answer[resource.List[resource.Key]], error) {
	desk, err := k.Keys(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	all, err := desk.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	longest, err := k.Longest(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	changes, err := key.Rotate(all, k.Algorithms, k.Timing.Covering(longest), c.At)
	if err != nil {
		return nil, err
	}
	if err := key.Generate(changes.Create); err != nil {
		return nil, err
	}
	if err := desk.RotateKeys(ctx, changes, c.By()); err != nil {
		return nil, err
	}
	return k.list(ctx, c, in)
}

func (k Keys) compromise(ctx context.Context, c *Call, in *struct {
	Key string `path:"key" maxLength:"200"`
}) (*Answer[resource.List[resource.Key]], error) {
	desk, err := k.Keys(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	all, err := desk.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := key.Compromise(all, in.Key, c.At)
	if err != nil {
		return nil, err
	}
	if err := key.Generate(plan.Create); err != nil {
		return nil, err
	}
	if err := desk.CompromiseKey(ctx, plan, c.By()); err != nil {
		return nil, err
	}
	return k.list(ctx, c, &struct{}{})
}

func wireKey(k key.Key, now time.Time) resource.Key {
	w := resource.Key{
		ID: k.ID, Algorithm: string(k.Alg), State: "gone", PublishAt: k.PublishAt, SignFrom: k.SignFrom,
		SignUntil: k.SignUntil, UnpublishAt: k.UnpublishAt,
	}
	switch {
	case !k.Counts(now):
	case now.Before(k.SignFrom):
		w.State = "announced"
	case k.SignUntil.IsZero() || now.Before(k.SignUntil):
		w.State = "signing"
	default:
		w.State = "retired"
	}
	return w
}
