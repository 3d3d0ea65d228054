package token

import (
	"context"
	"errors"

	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// JWTBearer serves clients that bring another issuer's word for somebody, RFC 7523
// section 2.1. There is no refresh token: who needs another access token brings another
// assertion, RFC 7521 section 4.1.
type JWTBearer struct{ Vouching Vouching }

// Type implements [Grant].
func (JWTBearer) Type() string { return client.JWTBearer }

// Redeem implements [Grant]. Each assertion counts once.
func (g JWTBearer) Redeem(ctx context.Context, c client.Client, req oauth.TokenRequest) (Entitlement, error) {
	if c.Public {
		return Entitlement{}, oauth.Errorf(oauth.UnauthorizedClient, "A client that keeps no secret may not bring assertions.")
	}
	if len(req.Scopes.Intersect(notExchanged)) > 0 {
		return Entitlement{}, oauth.Errorf(oauth.InvalidScope, "An assertion is no login, and nothing renews what comes of it.")
	}
	kind := connector.Assertions
	if jose.OfType(string(req.Assertion), jose.TypeIDJAG) {
		kind = connector.IDJAGs
	}
	w, err := g.Vouching.read(ctx, c, kind, string(req.Assertion))
	if err != nil {
		return Entitlement{}, toldOfAssertion(err)
	}
	if !holds(w.Binding, req.Binding) {
		return Entitlement{}, invalidGrant(errors.New("the assertion is bound to a key that was not shown"))
	}
	want := wish{path: grant.TakeAssertion, actor: w.Actor}
	if req.ScopesGiven {
		want.scopes = req.Scopes
	}
	if kind == connector.IDJAGs {
		if err := g.within(c, w, &want); err != nil {
			return Entitlement{}, err
		}
	}
	if crowd(w.Actor) {
		return Entitlement{}, invalidGrant(errCrowd)
	}
	e, err := g.Vouching.open(ctx, c, w, want)
	return e, toldOfAssertion(err)
}

// within holds a wish to what an identity assertion grant is for: one client, some scopes
// and some resources. The issuer has the say in it, in the place of the person: nobody is
// asked. Section 4.4 of draft-ietf-oauth-identity-assertion-authz-grant.
func (g JWTBearer) within(c client.Client, w word, want *wish) error {
	if w.ClientID != c.ID {
		return invalidGrant(errors.New("the assertion is for another client"))
	}
	granted, err := oauth.ParseScopes(w.Scope)
	if err != nil {
		return invalidGrant(err)
	}
	if granted = granted.Without(notExchanged); len(want.scopes.Without(granted)) > 0 && w.Scope != "" {
		return oauth.Errorf(oauth.InvalidScope, "The assertion is for fewer scopes.")
	}
	if want.scopes == nil && w.Scope != "" {
		want.scopes = append(oauth.Scopes{}, granted.Intersect(c.Scopes)...)
	}
	for _, resource := range w.Resources {
		if !c.MayReach(resource, g.Vouching.Issuer) {
			return oauth.Errorf(oauth.InvalidTarget, "The client may not ask for tokens for the resource of the assertion.")
		}
	}
	want.consent, want.resources = granted, w.Resources
	return nil
}

// holds reports whether whoever brings a token holds the key that it is bound to.
func holds(bound, shown oauth.Binding) bool {
	return (bound.JKT == "" || bound.JKT == shown.JKT) && (bound.X5T == "" || bound.X5T == shown.X5T)
}

// toldOfAssertion says what the client hears of an assertion that does not hold, whatever
// the reason: RFC 7521 section 4.1.1.
func toldOfAssertion(err error) error {
	if errors.Is(err, connector.ErrRefused) || fault.Is(err, fault.Denied) || fault.Is(err, fault.Conflict) {
		return invalidGrant(err)
	}
	return err
}
