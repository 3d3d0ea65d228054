package token

import (
	"context"
	"errors"
	"slices"

	"dex/internal/base/clock"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/protocol/oauth"
)

// TokenExchange serves clients that have a token of somebody's and want another, for
// less, for somebody else, or to act on the person's behalf: RFC 8693.
//
// Nothing is kept of it. What it gives lives and dies with the grant that the subject's
// token came of, and no longer than that token.
type TokenExchange struct {
	Issuer  string
	Clients client.Store
	Grants  grant.Store
	Desk    grant.Desk
	Access  mint.Reader
	Clock   clock.Clock
}

// maxActors is how long the chain of those may be who act for one another.
const maxActors = 4

// notExchanged are scopes that an exchanged token never has: it is no login, and nothing
// renews it.
var notExchanged = oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeOffline}

// Type implements [Grant].
func (TokenExchange) Type() string { return client.TokenExchange }

// Redeem implements [Grant].
func (g TokenExchange) Redeem(ctx context.Context, c client.Client, req oauth.TokenRequest) (Entitlement, error) {
	if c.Public {
		return Entitlement{}, oauth.Errorf(oauth.UnauthorizedClient, "A client that keeps no secret may not exchange tokens.")
	}
	switch req.Exchange.Requested {
	case "", oauth.TokenTypeAccessToken, oauth.TokenTypeJWT:
	default:
		return Entitlement{}, oauth.Errorf(oauth.InvalidRequest, "A token of this requested_token_type is not given.")
	}
	subject, err := g.read(ctx, c, "subject", req.Exchange.Subject, req.Exchange.SubjectType)
	if err != nil {
		return Entitlement{}, err
	}
	if subject.GrantID == "" {
		return Entitlement{}, unacceptable("subject", errors.New("it is nobody's but a client's own"))
	}
	known, err := g.Grants.Grant(ctx, subject.GrantID, subject.ID)
	if err != nil {
		return Entitlement{}, err
	}
	whole := known.Case(grant.ExchangeToken, c)
	a := &whole.Authorization
	a.ClientID, a.Audience, a.Until, a.Nonce = c.ID, req.Exchange.Audiences, subject.Expiry.Time(), ""
	a.Terms = grant.Terms{} // the endpoint sees to the resources, as for every grant
	if a.Scopes, err = exchanged(subject.Scope, c, req); err != nil {
		return Entitlement{}, err
	}
	if a.Terms.Actor, err = g.actor(ctx, c, subject, req.Exchange); err != nil {
		return Entitlement{}, err
	}
	permit, err := g.Desk.Decide(ctx, whole)
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		return Entitlement{}, toldOfExchange(denial)
	}
	return Entitlement{Permit: permit, Profile: known.Profile(), Issued: oauth.TokenTypeAccessToken}, err
}

// read returns what a token says that a client exchanges: one of ours that counts now,
// and that was given to the client, or is meant for it.
func (g TokenExchange) read(ctx context.Context, c client.Client, role, token, of string) (mint.AccessClaims, error) {
	if of != oauth.TokenTypeAccessToken && of != oauth.TokenTypeJWT {
		return mint.AccessClaims{}, oauth.Errorf(oauth.InvalidRequest, "A token of this %s_token_type is not taken.", role)
	}
	claims, err := g.Access.Read(token, g.Clock.Now())
	if err != nil {
		return claims, unacceptable(role, err)
	}
	if claims.ClientID != c.ID && !slices.Contains(claims.Audience, c.ID) {
		return claims, unacceptable(role, errors.New("it is for others"))
	}
	stands, err := (&Handler{Issuer: g.Issuer, Clients: g.Clients, Grants: g.Grants, Desk: g.Desk}).stands(ctx, claims)
	if err == nil && !stands {
		err = unacceptable(role, errors.New("it counts no more"))
	}
	return claims, err
}

// unacceptable is what a client hears of a token that does not hold, whatever the reason:
// RFC 8693 section 2.2.2.
func unacceptable(role string, cause error) error {
	return oauth.Wrap(oauth.InvalidRequest, cause, "The %s_token is not valid here.", role)
}

// exchanged returns the scopes of the new token: those of the subject's that the client
// may have too, or as few of them as it asks for.
func exchanged(scope string, c client.Client, req oauth.TokenRequest) (oauth.Scopes, error) {
	had, err := oauth.ParseScopes(scope)
	if err != nil {
		return nil, unacceptable("subject", err)
	}
	had = slices.DeleteFunc(had.Without(notExchanged), func(s string) bool {
		_, ok := oauth.CrossClientAudience(s) // which the parameter audience says here
		return ok
	})
	if !req.ScopesGiven {
		return had.Intersect(c.Scopes), nil
	}
	if len(req.Scopes.Without(had)) > 0 {
		return nil, oauth.Errorf(oauth.InvalidScope, "An exchange may ask for no more than the subject's token has.")
	}
	return req.Scopes, nil
}

// actor returns who acts on the person's behalf: whoever the actor's token is of, or the
// client itself if the subject's token was another's. Nobody who has acted before is
// forgotten, RFC 8693 section 4.1.
func (g TokenExchange) actor(ctx context.Context, c client.Client, subject mint.AccessClaims, e oauth.Exchange) (*grant.Actor, error) {
	var who string
	switch {
	case e.Actor != "":
		claims, err := g.read(ctx, c, "actor", e.Actor, e.ActorType)
		if err != nil {
			return nil, err
		}
		who = claims.Subject
	case subject.ClientID != c.ID:
		who = c.ID
	default:
		return subject.Actor, nil
	}
	chain := &grant.Actor{Subject: who, Actor: subject.Actor}
	n := 0
	for a := chain; a != nil; a = a.Actor {
		if n++; n > maxActors {
			return nil, oauth.Errorf(oauth.InvalidRequest, "More than %d would act for one another.", maxActors)
		}
	}
	return chain, nil
}

// toldOfExchange says what the client hears of a closed gate.
func toldOfExchange(d *grant.Denial) error {
	switch d.Reason {
	case grant.AudienceNotAllowed:
		return oauth.Wrap(oauth.InvalidTarget, d, "This client may not have tokens for this audience.")
	case grant.ClientDisabled, grant.GrantTypeMissing, grant.ScopeNotAllowed:
		return d
	default:
		return unacceptable("subject", d)
	}
}
