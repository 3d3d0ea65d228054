package token

import (
	"context"

	"dex/internal/base/clock"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/protocol/oauth"
)

// ClientCredentials serves clients that act for themselves, RFC 6749 section 4.4.
// Nothing is stored: the token says all there is.
type ClientCredentials struct {
	Desk  grant.Desk
	Clock clock.Clock
}

// Type implements [Grant].
func (ClientCredentials) Type() string { return client.ClientCredentials }

// ofPerson are scopes that mean nothing without a person.
var ofPerson = oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail, oauth.ScopeAddress, oauth.ScopePhone, oauth.ScopeGroups, oauth.ScopeOffline, oauth.ScopeDevice}

// Redeem implements [Grant].
func (g ClientCredentials) Redeem(ctx context.Context, c client.Client, req oauth.TokenRequest) (Entitlement, error) {
	if c.Public {
		return Entitlement{}, oauth.Errorf(oauth.UnauthorizedClient, "A client that keeps no secret cannot act for itself.")
	}
	permit, err := g.Desk.Decide(ctx, grant.Case{
		Path: grant.ActForItself, Client: c,
		Authorization: grant.Authorization{
			ClientID: c.ID,
			Scopes:   req.Scopes.Intersect(c.Scopes).Without(ofPerson),
			IssuedAt: g.Clock.Now(),
			Terms:    grant.Terms{Details: req.Details}, // which nobody else has to allow
		},
	})
	return Entitlement{Permit: permit}, err
}
