package mint

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// assertionTTL is how long an identity assertion is good for: the client brings it to the
// other server at once.
const assertionTTL = 5 * time.Minute

// assertionClaims are the claims of an identity assertion, section 3 of
// draft-ietf-oauth-identity-assertion-authz-grant.
type assertionClaims struct {
	jose.Claims
	ClientID     string           `json:"client_id"` // as which the other server knows the client
	Scope        string           `json:"scope,omitempty"`
	Resource     jose.Audience    `json:"resource,omitempty"`
	AuthTime     jose.NumericDate `json:"auth_time,omitempty"`
	ACR          string           `json:"acr,omitempty"`
	AMR          []string         `json:"amr,omitempty"`
	Confirmation oauth.Binding    `json:"cnf,omitzero"`
}

// Assertion makes the identity assertion that a permit entitles to, signed as the
// client's ID tokens are. It is no access token, and opens nothing here.
func (m *Mint) Assertion(p grant.Permit, c client.Client, now time.Time) (oauth.TokenResponse, error) {
	a, err := p.For(grant.AssertIdentity)
	if err != nil {
		return oauth.TokenResponse{}, err
	}
	there, ok := c.Asserts(strings.Join(a.Audience, " "))
	if !ok {
		return oauth.TokenResponse{}, errors.New("an identity assertion for a server that is none of the client's")
	}
	ttl := min(assertionTTL, a.Until.Sub(now))
	signed, err := m.Signer.Sign(c.IDTokenAlg, jose.TypeIDJAG, assertionClaims{
		Claims: jose.Claims{
			Issuer: m.Issuer, Subject: m.Subject(c, a.UserID), Audience: jose.Audience{there.Issuer},
			IssuedAt: jose.DateOf(now), Expiry: jose.DateOf(now.Add(ttl)), ID: strings.ToLower(rand.Text()),
		},
		ClientID: there.ClientID, Scope: a.Scopes.String(), Resource: a.Terms.Resources,
		AuthTime: jose.DateOf(a.AuthTime), ACR: credential.Class(a.Methods), AMR: references(a.Methods),
		// A certificate is between the client and each of its servers; the key of a proof
		// it shows to whom it will.
		Confirmation: oauth.Binding{JKT: a.Terms.Binding.JKT},
	})
	if err != nil {
		return oauth.TokenResponse{}, fmt.Errorf("sign an identity assertion: %w", err)
	}
	return oauth.TokenResponse{
		AccessToken: signed, // as RFC 8693 calls whatever is given
		TokenType:   oauth.TokenTypeNone,
		ExpiresIn:   oauth.Seconds(ttl / time.Second),
		Scope:       a.Scopes.String(),
	}, nil
}
