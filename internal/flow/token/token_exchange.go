package token

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// TokenExchange serves clients that have a token of somebody's and want another, for
// less, for somebody else, or to act on the person's behalf: RFC 8693.
//
// Of our own tokens nothing is kept. What it gives lives and dies with the grant that the
// subject's token came of, and no longer than that token. A token of another issuer has no
// grant here, and so begins one; and so does whoever takes part in the login of another
// application, by a device secret.
type TokenExchange struct {
	Issuer  string
	Clients client.Store
	Grants  grant.Store
	Desk    grant.Desk
	Access  mint.Reader
	Refresh mint.RefreshTokens
	Clock   clock.Clock
	// Subjects and Lifetimes are for logins that applications share.
	Subjects  mint.Subjects
	Lifetimes tenant.Lifetimes
	// Vouching takes the tokens of other issuers.
	Vouching Vouching
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
	if req.Exchange.ActorType == oauth.TokenTypeDeviceSecret {
		return g.join(ctx, c, req)
	}
	if c.Public {
		return Entitlement{}, oauth.Errorf(oauth.UnauthorizedClient, "A client that keeps no secret may not exchange tokens.")
	}
	switch req.Exchange.Requested {
	case "", oauth.TokenTypeAccessToken, oauth.TokenTypeJWT:
	case oauth.TokenTypeIDJAG:
		return g.assert(ctx, c, req)
	default:
		return Entitlement{}, oauth.Errorf(oauth.InvalidRequest, "A token of this requested_token_type is not given.")
	}
	if g.foreign(req.Exchange.Subject, req.Exchange.SubjectType) {
		return g.redeemForeign(ctx, c, req)
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
	if a.Terms.Actor, err = g.actor(ctx, c, subject, req); err != nil {
		return Entitlement{}, err
	}
	permit, err := g.Desk.Decide(ctx, whole)
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		return Entitlement{}, toldOfExchange(denial)
	}
	return Entitlement{Permit: permit, Profile: known.Profile(), Issued: oauth.TokenTypeAccessToken}, err
}

// foreign reports whether a token says that it is another issuer's.
func (g TokenExchange) foreign(token, of string) bool {
	return (of == oauth.TokenTypeIDToken || of == oauth.TokenTypeJWT) && mint.IssuerOf(token) != g.Issuer
}

// redeemForeign exchanges another issuer's token.
func (g TokenExchange) redeemForeign(ctx context.Context, c client.Client, req oauth.TokenRequest) (Entitlement, error) {
	if len(req.Scopes.Intersect(notExchanged)) > 0 {
		return Entitlement{}, oauth.Errorf(oauth.InvalidScope, "An exchange is no login, and nothing renews what comes of it.")
	}
	w, err := g.readForeign(ctx, c, "subject", req.Exchange.Subject, req.Binding)
	if err != nil {
		return Entitlement{}, err
	}
	want := wish{path: grant.ExchangeForeign, audiences: req.Exchange.Audiences, until: w.Expires, actor: w.Actor}
	if req.ScopesGiven {
		want.scopes = req.Scopes
	}
	acts := grant.Actor{Subject: c.ID, Issuer: g.Issuer}
	if req.Exchange.Actor != "" {
		if acts, err = g.readActor(ctx, c, req); err != nil {
			return Entitlement{}, err
		}
		want.actor = &grant.Actor{Subject: acts.Subject, Issuer: acts.Issuer, Actor: w.Actor}
	}
	switch may := w.MayAct; {
	case may != nil && (may.Subject != acts.Subject || may.Issuer != "" && may.Issuer != cmp.Or(acts.Issuer, g.Issuer)):
		return Entitlement{}, unacceptable("subject", errors.New("it names another who may act (may_act)"))
	case crowd(want.actor):
		return Entitlement{}, oauth.Wrap(oauth.InvalidRequest, errCrowd, "More than %d would act for one another.", maxActors)
	}
	e, err := g.Vouching.open(ctx, c, w, want)
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		return Entitlement{}, toldOfExchange(denial)
	}
	e.Issued = oauth.TokenTypeAccessToken
	return e, toldOfForeign("subject", err)
}

// readForeign returns what another issuer's token says.
func (g TokenExchange) readForeign(ctx context.Context, c client.Client, role, token string, shown oauth.Binding) (word, error) {
	w, err := g.Vouching.read(ctx, c, connector.IDTokens, token)
	if err == nil && !holds(w.Binding, shown) {
		err = unacceptable(role, errors.New("it is bound to a key that was not shown"))
	}
	return w, toldOfForeign(role, err)
}

// toldOfForeign says what the client hears of another issuer's token that does not hold.
func toldOfForeign(role string, err error) error {
	if errors.Is(err, connector.ErrRefused) || fault.Is(err, fault.Denied) || fault.Is(err, fault.Conflict) {
		return unacceptable(role, err)
	}
	return err
}

// read returns what a token says that a client exchanges: one of ours that counts now,
// and that was given to the client, or is meant for it.
func (g TokenExchange) read(ctx context.Context, c client.Client, role, token, of string) (mint.AccessClaims, error) {
	claims, err := g.open(ctx, token, of)
	switch {
	case errors.Is(err, errKind):
		return claims, oauth.Errorf(oauth.InvalidRequest, "A token of this %s_token_type is not taken.", role)
	case fault.Is(err, fault.Unavailable):
		return claims, err
	case err != nil:
		return claims, unacceptable(role, err)
	}
	// A refresh token is for its client and no other, which has not been told of it.
	if claims.ClientID != c.ID && !slices.Contains(claims.Audience, c.ID) {
		return claims, unacceptable(role, errors.New("it is for others"))
	}
	stands, err := (&Handler{Issuer: g.Issuer, Clients: g.Clients, Grants: g.Grants, Desk: g.Desk}).stands(ctx, claims)
	if err == nil && !stands {
		err = unacceptable(role, errors.New("it counts no more"))
	}
	return claims, err
}

var errKind = errors.New("tokens of this kind are not exchanged")

// open returns what a token of ours says. ID tokens and refresh tokens stand for all that
// their grant has.
func (g TokenExchange) open(ctx context.Context, token, of string) (claims mint.AccessClaims, err error) {
	now := g.Clock.Now()
	switch of {
	case oauth.TokenTypeAccessToken, oauth.TokenTypeJWT:
		return g.Access.Read(token, now)
	case oauth.TokenTypeIDToken:
		if claims, err = g.Access.IDToken(token, now); err != nil {
			return claims, err
		}
		known, err := g.Grants.Grant(ctx, claims.GrantID, "")
		claims.Scope = known.Authorization.Scopes.String()
		return claims, err
	case oauth.TokenTypeRefresh:
		t, ok := g.Refresh.Read(secret.Value(token))
		if !ok {
			return claims, errors.New("this is no refresh token of ours")
		}
		known, err := g.Grants.Grant(ctx, t.GrantID, "")
		if err == nil && known.Family.Present(t.Generation, 0, now) != grant.Rotate {
			err = errors.New("it is not the newest of its family")
		}
		claims.ClientID, claims.GrantID, claims.Scope = known.Authorization.ClientID, t.GrantID, known.Authorization.Scopes.String()
		claims.Expiry = jose.DateOf(known.Family.IdleUntil)
		return claims, err
	default:
		return claims, errKind
	}
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
func (g TokenExchange) actor(ctx context.Context, c client.Client, subject mint.AccessClaims, req oauth.TokenRequest) (*grant.Actor, error) {
	chain := &grant.Actor{Subject: c.ID, Actor: subject.Actor}
	switch {
	case req.Exchange.Actor != "":
		acts, err := g.readActor(ctx, c, req)
		if err != nil {
			return nil, err
		}
		chain.Subject, chain.Issuer = acts.Subject, acts.Issuer
	case subject.ClientID == c.ID:
		return subject.Actor, nil
	}
	if crowd(chain) {
		return nil, oauth.Wrap(oauth.InvalidRequest, errCrowd, "More than %d would act for one another.", maxActors)
	}
	return chain, nil
}

// readActor returns whom the actor's token is about, by our name for them or by that of
// their issuer.
func (g TokenExchange) readActor(ctx context.Context, c client.Client, req oauth.TokenRequest) (grant.Actor, error) {
	e := req.Exchange
	if g.foreign(e.Actor, e.ActorType) {
		w, err := g.readForeign(ctx, c, "actor", e.Actor, req.Binding)
		return grant.Actor{Subject: w.Subject, Issuer: w.Issuer}, err
	}
	if e.ActorType == oauth.TokenTypeRefresh {
		return grant.Actor{}, oauth.Errorf(oauth.InvalidRequest, "A token of this actor_token_type is not taken.")
	}
	claims, err := g.read(ctx, c, "actor", e.Actor, e.ActorType)
	return grant.Actor{Subject: claims.Subject}, err
}

var errCrowd = errors.New("too many act for one another")

// crowd reports whether too many act for one another.
func crowd(a *grant.Actor) bool {
	n := 0
	for ; a != nil; a = a.Actor {
		n++
	}
	return n > maxActors
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
