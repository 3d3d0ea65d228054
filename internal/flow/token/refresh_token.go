package token

import (
	"context"
	"errors"
	"slices"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/connector/roster"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/proof"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// RefreshToken takes refresh tokens, RFC 6749 section 6.
type RefreshToken struct {
	Grants    grant.Store
	Users     user.Store
	Desk      grant.Desk
	Roster    *roster.Roster
	Tokens    mint.RefreshTokens
	Lifetimes tenant.Lifetimes
	Clock     clock.Clock
}

const (
	// recheckAfter is how long what a connector said of somebody is taken for true.
	recheckAfter = time.Minute
	// recheckTurn is how long one worker may take to ask again before another tries.
	recheckTurn = 15 * time.Second
	// trustFor is how long what a connector said counts while it cannot be asked.
	trustFor = 24 * time.Hour
)

// Type implements [Grant].
func (RefreshToken) Type() string { return client.RefreshToken }

// Redeem implements [Grant]. Whatever could refuse comes before the token is spent.
func (g RefreshToken) Redeem(ctx context.Context, c client.Client, req oauth.TokenRequest) (Entitlement, error) {
	t, ok := g.Tokens.Read(req.RefreshToken)
	if !ok {
		return Entitlement{}, invalidGrant(errors.New("this is no refresh token of ours"))
	}
	known, verdict, err := g.present(ctx, c, t)
	if err != nil {
		return Entitlement{}, err
	}
	if c.Public && known.BoundTo != "" && known.BoundTo != proof.Holder(c, req.Binding) {
		return Entitlement{}, invalidGrant(errors.New("the refresh token is bound to another key"))
	}
	scopes, err := narrow(known.Authorization.Scopes, req)
	if err != nil {
		return Entitlement{}, err
	}
	if err := g.recheck(ctx, &known); err != nil {
		return Entitlement{}, err
	}
	scopes = withinRole(scopes, known.User)
	known.Authorization.Scopes, known.Authorization.Audience = scopes, addressed(known.Authorization.Audience, scopes)
	permit, err := g.Desk.Decide(ctx, known.Case(grant.Refresh, c))
	if err != nil {
		return Entitlement{}, err
	}
	if verdict == grant.Rotate {
		if err := g.rotate(ctx, c, t, permit, known.Family); err != nil {
			return Entitlement{}, err
		}
	}
	return Entitlement{
		Permit: permit, Profile: known.Profile(),
		// Whether the token was the newest or the one before, its successor is the same.
		Refresh: mint.RefreshToken{GrantID: t.GrantID, Generation: t.Generation + 1},
	}, nil
}

// present looks up what the token belongs to, and what presenting it leads to. A
// token of another client changes nothing, and looks like one that never was.
func (g RefreshToken) present(ctx context.Context, c client.Client, t mint.RefreshToken) (grant.Known, grant.Verdict, error) {
	known, err := g.Grants.Grant(ctx, t.GrantID, "")
	if fault.Is(err, fault.NotFound) {
		return known, grant.Dead, invalidGrant(err)
	}
	if err != nil {
		return known, grant.Dead, err
	}
	if known.Authorization.ClientID != c.ID {
		return known, grant.Dead, invalidGrant(errors.New("the refresh token is another client's"))
	}
	now := g.Clock.Now()
	switch verdict := known.Family.Present(t.Generation, g.grace(c), now); verdict {
	case grant.Rotate, grant.Repeat:
		return known, verdict, nil
	case grant.Reuse:
		if err := g.Grants.Revoke(ctx, t.GrantID, audit.RefreshReused, now); err != nil {
			return known, verdict, err
		}
		return known, verdict, invalidGrant(errors.New("an old refresh token was used again; its family is revoked"))
	default:
		return known, verdict, invalidGrant(errors.New("the refresh token has expired"))
	}
}

func (g RefreshToken) grace(c client.Client) time.Duration {
	if c.RefreshGrace != 0 { // negative is none
		return c.RefreshGrace
	}
	return g.Lifetimes.RefreshGrace
}

// rotate spends the token. If somebody did so at the same time, the token is now
// the one before, and gets the same successor.
func (g RefreshToken) rotate(ctx context.Context, c client.Client, t mint.RefreshToken, permit grant.Permit, f grant.Family) error {
	now := g.Clock.Now()
	idleUntil := now.Add(g.Lifetimes.RefreshIdle)
	if idleUntil.After(f.ExpiresAt) {
		idleUntil = f.ExpiresAt
	}
	done, err := g.Grants.Rotate(ctx, permit, t.Generation, idleUntil, now)
	if done || err != nil {
		return err
	}
	known, verdict, err := g.present(ctx, c, t)
	switch {
	case err != nil:
		return err
	case !known.RevokedAt.IsZero(), verdict != grant.Repeat:
		return invalidGrant(errors.New("the grant was revoked at the same moment"))
	}
	return nil
}

// narrow returns the scopes of the new access token: those of the grant, or fewer.
// The grant itself keeps what it has.
func narrow(granted oauth.Scopes, req oauth.TokenRequest) (oauth.Scopes, error) {
	if !req.ScopesGiven {
		return granted, nil
	}
	if len(req.Scopes.Without(granted)) > 0 {
		return nil, oauth.Errorf(oauth.InvalidScope, "A refresh may ask for no more than was granted.")
	}
	// That the grant outlives its session is not for the access token to say.
	return req.Scopes.Union(granted.Intersect(oauth.Scopes{oauth.ScopeOffline})), nil
}

// withinRole returns the scopes without the administrative ones that the person's role
// has not, or no longer: who was given a lesser role goes on with less, instead of
// being sent to log in again. If nothing is left, it is for the gate to say so.
func withinRole(scopes oauth.Scopes, u *user.User) oauth.Scopes {
	if u == nil {
		return scopes
	}
	if left := role.Role(u.Role).Within(scopes); len(left) > 0 {
		return left
	}
	return scopes
}

// addressed returns those of a grant's audience that the scopes still name: who
// asks for less than was granted gets a token for fewer.
func addressed(audience []string, scopes oauth.Scopes) []string {
	var left []string
	for _, s := range scopes {
		if id, ok := oauth.CrossClientAudience(s); ok && slices.Contains(audience, id) {
			left = append(left, id)
		}
	}
	return left
}

// recheck asks the connector whether it still vouches for the person, before the
// token is spent and outside of any transaction. Of many workers one asks.
func (g RefreshToken) recheck(ctx context.Context, known *grant.Known) error {
	id := known.Identity
	now := g.Clock.Now()
	if id == nil || len(id.Data) == 0 || now.Sub(id.CheckedAt) < recheckAfter {
		return nil
	}
	c, err := g.Roster.Connector(ctx, id.ConnectorID)
	if fault.Is(err, fault.NotFound) {
		return nil // the gate says what that means
	}
	if err != nil || !c.Refreshes() {
		return err
	}
	mine, err := g.Users.ClaimRefresh(ctx, *id, now.Add(recheckTurn), now)
	if err != nil {
		return err
	}
	trusted := now.Sub(id.CheckedAt) < trustFor
	switch {
	case !mine && trusted:
		return nil
	case !mine:
		// Whoever is at it may just have found that nobody answers.
		return fault.New(fault.Unavailable, "Another request is finding out whether the provider still knows the person.")
	}
	fresh, err := c.Refresh(ctx, *id)
	switch {
	case errors.Is(err, connector.ErrRefused):
		if err := g.Grants.Revoke(ctx, known.Authorization.ID, audit.UpstreamRefused, now); err != nil {
			return err
		}
		return invalidGrant(err)
	case err != nil && trusted:
		return nil
	case err != nil:
		return fault.Wrap(fault.Unavailable, err, "The provider that knows the person does not answer.")
	}
	fresh.ConnectorID, fresh.Subject, fresh.CheckedAt = id.ConnectorID, id.Subject, now
	known.Identity = &fresh
	err = g.Users.SaveIdentity(ctx, fresh)
	if fault.Is(err, fault.NotFound) {
		return invalidGrant(err) // it was unlinked in the meantime
	}
	return err
}
