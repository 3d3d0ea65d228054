package mint

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// AccessTokenAlg signs access tokens: they are made often, and read by resource
// servers that look at the header.
const AccessTokenAlg = jose.ES256

// Signer signs claims with the key that is active now.
type Signer interface {
	Sign(alg jose.Algorithm, typ string, claims any) (string, error)
}

// Mint makes tokens for one issuer.
type Mint struct {
	Issuer    string
	Signer    Signer
	Lifetimes tenant.Lifetimes
}

// Tokens makes the access token, and the ID token if openid was granted, that a
// permit entitles to. The profile is nil when a client acts for itself.
func (m *Mint) Tokens(p grant.Permit, c client.Client, profile *user.Profile, now time.Time) (oauth.TokenResponse, error) {
	a, err := p.For(grant.RedeemCode, grant.RedeemDevice, grant.Refresh, grant.ActForItself)
	if err != nil {
		return oauth.TokenResponse{}, err
	}
	ttl := m.Lifetimes.AccessToken
	if c.AccessTTL > 0 {
		ttl = c.AccessTTL
	}
	access, err := m.Signer.Sign(AccessTokenAlg, jose.TypeAccessToken, m.accessClaims(a, now, ttl))
	if err != nil {
		return oauth.TokenResponse{}, fmt.Errorf("sign an access token: %w", err)
	}
	answer := oauth.TokenResponse{
		AccessToken: access,
		TokenType:   a.Terms.Binding.TokenType(),
		ExpiresIn:   oauth.Seconds(ttl / time.Second),
		Scope:       a.Scopes.String(),
	}
	if !a.Scopes.Contains(oauth.ScopeOpenID) {
		return answer, nil
	}
	if profile == nil {
		return oauth.TokenResponse{}, errors.New("an ID token without a person")
	}
	answer.IDToken, err = m.Signer.Sign(c.IDTokenAlg, jose.TypeJWT, m.idClaims(a, c, *profile, access, now))
	if err != nil {
		return oauth.TokenResponse{}, fmt.Errorf("sign an ID token: %w", err)
	}
	return answer, nil
}

func (m *Mint) accessClaims(a grant.Authorization, now time.Time, ttl time.Duration) AccessClaims {
	claims := AccessClaims{
		Claims: jose.Claims{
			Issuer: m.Issuer,
			// A client that acts for itself is its own subject; accounts have a prefix
			// that no client may have.
			Subject:  cmp.Or(a.UserID, a.ClientID),
			Audience: append(jose.Audience{m.Issuer}, a.Audience...),
			Expiry:   jose.DateOf(now.Add(ttl)),
			IssuedAt: jose.DateOf(now),
			ID:       strings.ToLower(rand.Text()),
		},
		ClientID: a.ClientID,
		Scope:    a.Scopes.String(),
		GrantID:  a.ID,

		Confirmation: a.Terms.Binding,
	}
	if a.UserID != "" {
		claims.AuthTime, claims.ACR, claims.AMR = jose.DateOf(a.AuthTime), credential.Class(a.Methods), references(a.Methods)
	}
	return claims
}

// idClaims are the claims of an ID token, OpenID Connect Core section 2. Whom it is
// for stands in "azp" as soon as others are in the audience too.
func (m *Mint) idClaims(a grant.Authorization, c client.Client, p user.Profile, access string, now time.Time) Claims {
	ttl := m.Lifetimes.IDToken
	if c.IDTTL > 0 {
		ttl = c.IDTTL
	}
	claims := Claims{}
	if c.ScopeClaims {
		claims = OfPerson(p, a.Scopes)
	}
	maps.Copy(claims, Claims{ // which win over what a connector said
		"iss":       m.Issuer,
		"sub":       a.UserID,
		"aud":       c.ID,
		"exp":       now.Add(ttl).Unix(),
		"iat":       now.Unix(),
		"auth_time": a.AuthTime.Unix(),
		"acr":       credential.Class(a.Methods),
		"amr":       references(a.Methods),
		"sid":       a.SessionID,
		"at_hash":   jose.HalfHash(c.IDTokenAlg, access),
	})
	claims.text("nonce", a.Nonce)
	if len(a.Audience) > 0 {
		claims["aud"] = slices.Compact(append([]string{c.ID}, a.Audience...))
		claims["azp"] = c.ID
	}
	return claims
}

func references(methods []credential.Method) []string {
	amr := make([]string, len(methods))
	for i, m := range methods {
		amr[i] = string(m)
	}
	return amr
}
