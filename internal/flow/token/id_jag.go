package token

import (
	"context"
	"errors"

	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/protocol/oauth"
)

// assert serves a client that has somebody logged in by us, and would act for them at
// another authorization server, which knows them by us as well: section 4.3 of
// draft-ietf-oauth-identity-assertion-authz-grant. For which servers, and for what there,
// an operator has said, in the place of the person, who is not asked.
//
// Nothing is kept of it. What the other server makes of the assertion is not ours to end.
func (g TokenExchange) assert(ctx context.Context, c client.Client, req oauth.TokenRequest) (Entitlement, error) {
	e := req.Exchange
	switch {
	case e.SubjectType != oauth.TokenTypeIDToken && e.SubjectType != oauth.TokenTypeRefresh:
		return Entitlement{}, oauth.Errorf(oauth.InvalidRequest, "For an identity assertion the subject_token is an ID token or a refresh token.")
	case e.Actor != "":
		return Entitlement{}, oauth.Errorf(oauth.InvalidRequest, "An identity assertion names nobody who acts but the client.")
	case len(e.Audiences) != 1:
		return Entitlement{}, oauth.Errorf(oauth.InvalidRequest, "The parameter audience names the authorization server that the identity assertion is for: one.")
	}
	subject, err := g.read(ctx, c, "subject", e.Subject, e.SubjectType)
	if err != nil {
		return Entitlement{}, err
	}
	if subject.ClientID != c.ID { // being meant for it is not enough here
		return Entitlement{}, unacceptable("subject", errors.New("it was given to another client"))
	}
	known, err := g.Grants.Grant(ctx, subject.GrantID, subject.ID)
	if err != nil {
		return Entitlement{}, err
	}
	whole := known.Case(grant.AssertIdentity, c)
	a := &whole.Authorization
	if a.Offline() {
		a.SessionID = "" // in which it was made, and which it outlives
	}
	a.Audience, a.Until, a.Nonce, a.Terms = e.Audiences, subject.Expiry.Time(), "", grant.Terms{}
	there, _ := c.Asserts(e.Audiences[0]) // whether there is any the gate says
	if a.Scopes = there.Scopes; req.ScopesGiven {
		a.Scopes = req.Scopes
	}
	permit, err := g.Desk.Decide(ctx, whole)
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		return Entitlement{}, toldOfExchange(denial)
	}
	return Entitlement{Permit: permit, Issued: oauth.TokenTypeIDJAG}, err
}
