package token

import (
	"context"
	"errors"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/proof"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/oauth"
)

// AuthorizationCode exchanges codes, RFC 6749 section 4.1.3.
type AuthorizationCode struct {
	Grants    grant.Store
	Desk      grant.Desk
	Lifetimes tenant.Lifetimes
	Clock     clock.Clock
}

// Type implements [Grant].
func (AuthorizationCode) Type() string { return client.AuthorizationCode }

// Redeem implements [Grant].
func (g AuthorizationCode) Redeem(ctx context.Context, c client.Client, req oauth.TokenRequest) (Entitlement, error) {
	if req.RedirectURI == "" {
		return Entitlement{}, oauth.Errorf(oauth.InvalidRequest, "The redirect_uri is missing.")
	}
	if !req.Code.Is(secret.CodePrefix) {
		return Entitlement{}, invalidGrant(errors.New("this is no code of ours"))
	}
	now := g.Clock.Now()
	known, outcome, err := g.Grants.Redeem(ctx, grant.Proof{
		Hash: req.Code.Hash(), ClientID: c.ID, RedirectURI: req.RedirectURI, Verifier: req.Verifier,
		BoundTo: req.Binding.JKT, Holder: proof.Holder(c, req.Binding),
	}, newFamily(g.Lifetimes, now), now)
	if err != nil {
		return Entitlement{}, err
	}
	if outcome != grant.Redeemed {
		return Entitlement{}, invalidGrant(failures[outcome])
	}
	whole := known.Case(grant.RedeemCode, c)
	whole.RedirectURI = req.RedirectURI
	permit, err := g.Desk.Decide(ctx, whole)
	e, err := begin(ctx, g.Grants, known, permit, err, now)
	if err != nil || !sharesLogin(c, known) {
		return e, err
	}
	return e.shared(ctx, g.Grants, c, known, req.DeviceSecret)
}

// begin is what the client of a code gets that has just been redeemed, if the gate
// has let it pass.
func begin(ctx context.Context, grants grant.Store, known grant.Known, permit grant.Permit, err error, now time.Time) (Entitlement, error) {
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		// The code is spent, and nothing may come of it.
		if err := grants.Revoke(ctx, known.Authorization.ID, audit.GrantDenied, now); err != nil {
			return Entitlement{}, err
		}
		return Entitlement{}, denial
	}
	if err != nil {
		return Entitlement{}, err
	}
	e := Entitlement{Permit: permit, Profile: known.Profile()}
	if known.Family.Generation > 0 {
		e.Refresh = mint.RefreshToken{GrantID: known.Authorization.ID, Generation: known.Family.Generation}
	}
	return e, nil
}

// newFamily is the family that begins if the authorization is offline.
func newFamily(l tenant.Lifetimes, now time.Time) grant.Family {
	return grant.Family{Generation: 1, RotatedAt: now, IdleUntil: now.Add(min(l.RefreshIdle, l.Refresh)), ExpiresAt: now.Add(l.Refresh)}
}

var failures = map[grant.Outcome]error{
	grant.NoSuchCode: errors.New("there is no such code, or it is not good any more"),
	grant.WrongProof: errors.New("client, redirect URI or code verifier do not agree with the code"),
	grant.Replayed:   errors.New("the code was used before; what came of it is revoked"),
}
