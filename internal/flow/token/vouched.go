package token

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/connector/roster"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/role"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// Vouching takes the word of other issuers for people who are not there: of those that a
// connector of ours believes, for the clients that accept it. Who somebody is follows as
// it does when they log in by that connector, and the gate sees no less.
type Vouching struct {
	Issuer string
	Bases  []string // under each of which our routes can be reached
	Roster *roster.Roster
	Users  user.Store
	Grants grant.Store
	Desk   grant.Desk
	Clock  clock.Clock
}

// errUnknownIssuer says that nobody here believes the issuer of a token, as far as the
// client is concerned.
var errUnknownIssuer = errors.New("no connector that the client accepts believes such tokens of its issuer")

// word is what another issuer says, by one of our connectors.
type word struct {
	connector.Vouched
	by *roster.Connector
}

// read returns what a token of another issuer says. The error of one that does not hold
// wraps [connector.ErrRefused].
func (v Vouching) read(ctx context.Context, c client.Client, kind connector.TokenKind, token string) (word, error) {
	// Who has signed it is not known yet: this only says whom to ask.
	all, err := v.Roster.Vouchers(ctx, kind, mint.IssuerOf(token))
	if err != nil {
		return word{}, err
	}
	i := slices.IndexFunc(all, func(k *roster.Connector) bool { return c.Accepts(k.ID) })
	if i < 0 {
		return word{}, errors.Join(connector.ErrRefused, errUnknownIssuer)
	}
	httpx.Annotate(ctx, slog.String("connector", all[i].ID))
	said, err := all[i].ReadToken(ctx, kind, token, v.ours(c))
	if err != nil {
		return word{}, err
	}
	said.Identity.ConnectorID, said.Identity.CheckedAt = all[i].ID, v.Clock.Now()
	return word{said, all[i]}, nil
}

// ours is whom an assertion may be for, the issuer first. Whether the token endpoint will
// do depends on the profile, as for the assertions of clients.
func (v Vouching) ours(c client.Client) []string {
	all := []string{v.Issuer}
	if c.Profile.Demands().Audiences == client.AudienceIssuer {
		return all
	}
	for _, base := range v.Bases {
		all = append(all, base+route.Token)
	}
	return all
}

// wish is what a client wants of somebody whom another issuer vouches for.
type wish struct {
	path      grant.Path
	scopes    oauth.Scopes // nil for what is usual
	audiences []string     // clients that the token is for, beside those that the scopes name
	resources []string
	until     time.Time // when what comes of it ends at the latest; zero if nothing but its own time ends it
	actor     *grant.Actor
	consent   oauth.Scopes // that the issuer has the say in
}

// open gives a client what it wants of somebody, if the gate lets it, and keeps it. Two
// tokens that bring the same new person at once make one account.
func (v Vouching) open(ctx context.Context, c client.Client, w word, want wish) (Entitlement, error) {
	for range 2 {
		e, err := v.tryToOpen(ctx, c, w, want)
		if !fault.Is(err, fault.Conflict) || errors.Is(err, grant.ErrTokenUsed) {
			return e, err
		}
	}
	return v.tryToOpen(ctx, c, w, want)
}

func (v Vouching) tryToOpen(ctx context.Context, c client.Client, w word, want wish) (Entitlement, error) {
	now := v.Clock.Now()
	o, err := v.resolve(ctx, w)
	if err != nil {
		return Entitlement{}, err
	}
	consent := want.consent
	if !c.Trusted && !o.NewUser {
		allowed, err := v.Grants.Consent(ctx, o.User.ID, c.ID)
		if err != nil {
			return Entitlement{}, err
		}
		consent = consent.Union(allowed)
	}
	scopes := want.scopes
	if scopes == nil {
		if scopes = usual(c); !c.Trusted {
			scopes = scopes.Intersect(consent)
		}
	}
	o.Event = audit.Event{
		ID: audit.NewEventID(now), At: now, Kind: audit.TokenVouched, Actor: c.ID, ClientID: c.ID,
		SupportCode: audit.NewSupportCode(), Detail: map[string]string{"issuer": w.Issuer},
	}
	httpx.Annotate(ctx, slog.String("support_code", o.Event.SupportCode))
	whole := grant.Case{
		Path: want.path, Client: c, User: &o.User, Identity: &o.Identity, Consent: consent,
		Authorization: grant.Authorization{
			ID: grant.NewID(), ClientID: c.ID, UserID: o.User.ID, ConnectorID: w.by.ID, Subject: o.Identity.Subject,
			Scopes: scopes, AuthTime: w.AuthTime, Methods: w.Methods,
			// What has ended since it was said does not begin anew by saying it.
			IssuedAt: w.IssuedAt, SupportCode: o.Event.SupportCode,
			Audience: slices.Clone(want.audiences), Until: want.until,
			Terms: grant.Terms{Resources: want.resources, Actor: want.actor},
		},
	}
	for _, s := range scopes {
		if id, ok := oauth.CrossClientAudience(s); ok && id != c.ID {
			whole.Authorization.Audience = append(whole.Authorization.Audience, id)
		}
	}
	permit, err := v.Desk.Decide(ctx, whole)
	if err != nil {
		return Entitlement{}, err
	}
	used := grant.Token{}
	if w.ID != "" {
		used = grant.Token{ID: secret.Value(w.Issuer + "\x00" + w.ID).Hash(), Expires: w.Expires.Add(clockSkew)}
	}
	steps := []audit.Step{{What: "token", Said: w.Issuer + " vouched for the person, and the gate let it pass"}}
	if err := v.Grants.KeepGrant(ctx, permit, o, used, steps); err != nil {
		return Entitlement{}, err
	}
	profile := o.Identity.Profile.With(o.User)
	return Entitlement{Permit: permit, Profile: &profile}, nil
}

// resolve finds out whose identity it is. Of somebody who logs in by the connector as
// well, the token says no more than that it is they.
func (v Vouching) resolve(ctx context.Context, w word) (grant.Opening, error) {
	if !w.Whole {
		known, kept, err := v.Users.ByIdentity(ctx, w.by.ID, w.Identity.Subject)
		if err == nil {
			return grant.Opening{User: known, Identity: kept}, nil
		}
		if !fault.Is(err, fault.NotFound) {
			return grant.Opening{}, err
		}
	}
	return grant.Resolve(ctx, v.Users, w.by.Policy, w.Identity, v.Clock.Now())
}

// usual are the scopes that a client gets which asks for none: what it may have, as far as
// it makes sense for somebody who is not there, and leaves the administrators' API alone.
func usual(c client.Client) oauth.Scopes {
	return slices.DeleteFunc(c.Scopes.Without(notExchanged), role.IsAdministrative)
}

// clockSkew is how far another issuer's clock may be off, so that its tokens are
// remembered for that much longer.
const clockSkew = 2 * time.Minute
