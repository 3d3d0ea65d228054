package token

import (
	"context"
	"errors"
	"slices"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/connector/roster"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// Password serves clients that ask people for their passwords themselves, RFC 6749
// section 4.3: old ones, which know nothing of a browser. It is served only where the
// operator has turned it on, for the clients that have it.
//
// The password is proven as it is on our own page, by the connector and with its
// throttles, and the login passes the same gate.
type Password struct {
	Grants    grant.Store
	Users     user.Store
	Record    audit.Store
	Desk      grant.Desk
	Roster    *roster.Roster
	Lifetimes tenant.Lifetimes
	Clock     clock.Clock
}

// Type implements [Grant].
func (Password) Type() string { return client.Password }

// Redeem implements [Grant].
func (g Password) Redeem(ctx context.Context, c client.Client, req oauth.TokenRequest) (Entitlement, error) {
	if c.Public {
		return Entitlement{}, oauth.Errorf(oauth.UnauthorizedClient, "A client that keeps no secret may not ask for passwords.")
	}
	if !req.ScopesGiven {
		return Entitlement{}, oauth.Errorf(oauth.InvalidScope, "The parameter scope is missing.")
	}
	asked, err := g.connector(ctx, c)
	if err != nil {
		return Entitlement{}, err
	}
	step, err := asked.Password(ctx, connector.Login{RemoteAddr: req.From}, req.Username, string(req.Password))
	if errors.Is(err, connector.ErrRefused) {
		return Entitlement{}, invalidGrant(err)
	}
	if err != nil {
		return Entitlement{}, err
	}
	who, identity, err := g.known(ctx, asked, step)
	if err != nil {
		return Entitlement{}, err
	}
	return g.begin(ctx, c, req, step, who, identity)
}

// connector returns who is asked about the password: the first that the client accepts
// and that can be asked so.
func (g Password) connector(ctx context.Context, c client.Client) (*roster.Connector, error) {
	all, err := g.Roster.List(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(one *roster.Connector) bool { return c.Accepts(one.ID) && one.TakesPasswords() })
	if i < 0 {
		return nil, invalidGrant(errors.New("no connector that the client accepts can be asked about passwords"))
	}
	return all[i], nil
}

// known returns whose password it was. An account that is not there yet is made on our
// own page alone, where its owner sees what happens.
func (g Password) known(ctx context.Context, c *roster.Connector, step connector.Step) (user.User, user.Identity, error) {
	switch {
	case step.Identity == nil && step.Prompt != nil && step.Prompt.Form != nil && step.Prompt.Form.Wait > 0:
		return user.User{}, user.Identity{}, &fault.Error{
			Kind: fault.Throttled, Message: "There were too many wrong passwords. Please try again later.", RetryAfter: step.Prompt.Form.Wait,
		}
	case step.Identity == nil: // wrong, or not all that is asked: there is no way past a second step
		return user.User{}, user.Identity{}, invalidGrant(errors.New(step.Said))
	case step.Account != nil:
		return *step.Account, *step.Identity, nil
	}
	u, identity, err := g.Users.ByIdentity(ctx, c.ID, step.Identity.Subject)
	if fault.Is(err, fault.NotFound) {
		err = invalidGrant(errors.New("the person has never logged in by a browser"))
	}
	return u, identity, err
}

// begin keeps what comes of it, if the gate lets it pass.
func (g Password) begin(ctx context.Context, c client.Client, req oauth.TokenRequest, step connector.Step, who user.User, identity user.Identity) (Entitlement, error) {
	now := g.Clock.Now()
	consent, err := g.Grants.Consent(ctx, who.ID, c.ID)
	if err != nil {
		return Entitlement{}, err
	}
	a := grant.Authorization{
		ID: grant.NewID(), ClientID: c.ID, UserID: who.ID, ConnectorID: identity.ConnectorID, Subject: identity.Subject,
		Scopes: req.Scopes.Intersect(c.Scopes), AuthTime: now, Methods: step.Methods, IssuedAt: now, SupportCode: audit.NewSupportCode(),
		Terms: grant.Terms{Resources: req.Resources},
	}
	o := grant.Opening{User: who, Identity: identity, Event: audit.Event{
		ID: audit.NewEventID(now), At: now, Kind: audit.LoginSucceeded, Actor: who.ID, ClientID: c.ID,
		SupportCode: a.SupportCode, RemoteAddr: req.From.String(),
	}}
	permit, err := g.Desk.Decide(ctx, grant.Case{
		Path: grant.TakePassword, Client: c, User: &who, Identity: &identity, Consent: consent, Authorization: a,
	})
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		e := o.Event
		e.Kind, e.UserID, e.ConnectorID = audit.LoginRefused, who.ID, identity.ConnectorID
		e.Detail = map[string]string{"subject": identity.Subject, "reason": denial.Error()}
		return Entitlement{}, errors.Join(denial, g.Record.Record(ctx, e))
	}
	if err != nil {
		return Entitlement{}, err
	}
	entitled := Entitlement{Permit: permit, Profile: grant.Known{User: &who, Identity: &identity}.Profile()}
	if a.Offline() {
		o.Family = newFamily(g.Lifetimes, now)
		entitled.Refresh = mint.RefreshToken{GrantID: a.ID, Generation: o.Family.Generation}
	}
	return entitled, g.Grants.KeepGrant(ctx, permit, o, grant.Token{}, nil)
}
