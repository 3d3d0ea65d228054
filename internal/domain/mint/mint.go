package mint

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
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
	Subjects  Subjects
	Opaque    Opaque // the access tokens of clients that want them so
}

// Tokens makes the access token, and the ID token if openid was granted, that a
// permit entitles to. The profile is nil when a client acts for itself.
func (m *Mint) Tokens(p grant.Permit, c client.Client, profile *user.Profile, now time.Time) (oauth.TokenResponse, error) {
	a, err := p.For(grant.RedeemCode, grant.RedeemDevice, grant.RedeemBackchannel, grant.ExchangeToken,
		grant.TakeAssertion, grant.ExchangeForeign, grant.TakePassword, grant.ShareLogin, grant.Refresh, grant.ActForItself)
	if err != nil {
		return oauth.TokenResponse{}, err
	}
	answer, err := m.access(a, c, now)
	if err != nil {
		return oauth.TokenResponse{}, err
	}
	if !a.Scopes.Contains(oauth.ScopeOpenID) {
		return answer, nil
	}
	if profile == nil {
		return oauth.TokenResponse{}, errors.New("an ID token without a person")
	}
	answer.IDToken, err = m.idToken(a, c, *profile, beside{access: answer.AccessToken}, now)
	if err != nil {
		return oauth.TokenResponse{}, err
	}
	return answer, nil
}

// access makes an access token, and says what a client is told beside it.
func (m *Mint) access(a grant.Authorization, c client.Client, now time.Time) (oauth.TokenResponse, error) {
	ttl := m.Lifetimes.AccessToken
	if c.AccessTTL > 0 {
		ttl = c.AccessTTL
	}
	if !a.Until.IsZero() {
		ttl = min(ttl, a.Until.Sub(now))
	}
	access, err := m.accessToken(c, m.accessClaims(a, c, now, ttl))
	if err != nil {
		return oauth.TokenResponse{}, fmt.Errorf("make an access token: %w", err)
	}
	return oauth.TokenResponse{
		AccessToken: access,
		TokenType:   a.Terms.Binding.TokenType(),
		ExpiresIn:   oauth.Seconds(ttl / time.Second),
		Scope:       a.Scopes.String(),
		Details:     a.Terms.Details,
	}, nil
}

// accessToken writes an access token in the form that the client wants.
func (m *Mint) accessToken(c client.Client, claims AccessClaims) (string, error) {
	if c.AccessTokenFormat == client.Opaque {
		return m.Opaque.token(claims)
	}
	return m.Signer.Sign(AccessTokenAlg, jose.TypeAccessToken, claims)
}

func (m *Mint) idToken(a grant.Authorization, c client.Client, p user.Profile, b beside, now time.Time) (string, error) {
	token, err := m.protect(c, c.IDTokenAlg, c.IDTokenEncryption, jose.TypeJWT, m.idClaims(a, c, p, b, now))
	if err != nil {
		return "", fmt.Errorf("sign an ID token: %w", err)
	}
	return token, nil
}

// beside is what goes to the client together with an ID token. What is empty does not.
type beside struct {
	access, code, state string
	refresh, request    string // which are sent with it by the back channel, CIBA section 10.3.1
	alone               bool   // no access token ever comes of it, to ask userinfo with
}

func (m *Mint) accessClaims(a grant.Authorization, c client.Client, now time.Time, ttl time.Duration) AccessClaims {
	claims := AccessClaims{
		Claims: jose.Claims{
			Issuer: m.Issuer,
			// A client that acts for itself is its own subject; accounts have a prefix
			// that no client may have.
			Subject:  cmp.Or(m.Subject(c, a.UserID), a.ClientID),
			Audience: m.audience(a),
			Expiry:   jose.DateOf(now.Add(ttl)),
			IssuedAt: jose.DateOf(now),
			ID:       strings.ToLower(rand.Text()),
		},
		ClientID: a.ClientID,
		Scope:    a.Scopes.String(),
		GrantID:  a.ID,

		Confirmation: a.Terms.Binding,
		Details:      a.Terms.Details,
		Actor:        a.Terms.Actor,
	}
	if a.UserID != "" {
		claims.AuthTime, claims.ACR, claims.AMR = jose.DateOf(a.AuthTime), credential.Class(a.Methods), references(a.Methods)
	}
	return claims
}

// audience is whom an access token is for: us, unless the client has said which
// resources it means, RFC 8707 section 2.
func (m *Mint) audience(a grant.Authorization) jose.Audience {
	if len(a.Terms.Resources) > 0 {
		return append(jose.Audience(a.Terms.Resources[:len(a.Terms.Resources):len(a.Terms.Resources)]), a.Audience...)
	}
	return append(jose.Audience{m.Issuer}, a.Audience...)
}

// idClaims are the claims of an ID token, OpenID Connect Core section 2. Whom it is
// for stands in "azp" as soon as others are in the audience too.
func (m *Mint) idClaims(a grant.Authorization, c client.Client, p user.Profile, b beside, now time.Time) Claims {
	ttl := m.Lifetimes.IDToken
	if c.IDTTL > 0 {
		ttl = c.IDTTL
	}
	claims := Claims{}
	if c.ScopeClaims || b.alone { // OpenID Connect Core section 5.4
		claims = OfPerson(p, a.Scopes)
	}
	if asked := a.Terms.Claims; asked != nil {
		claims.ask(p, asked.IDToken, c.Scopes)
	}
	maps.Copy(claims, Claims{ // which win over what a connector said
		"iss":       m.Issuer,
		"sub":       m.Subject(c, a.UserID),
		"aud":       c.ID,
		"exp":       now.Add(ttl).Unix(),
		"iat":       now.Unix(),
		"auth_time": a.AuthTime.Unix(),
		"acr":       cmp.Or(credential.Met(a.Methods, a.Terms.ACR), credential.Class(a.Methods)),
		"amr":       references(a.Methods),
	})
	for name, value := range map[string]string{"at_hash": b.access, "c_hash": b.code, "s_hash": b.state, claimRefreshHash: b.refresh} {
		if value != "" {
			claims[name] = jose.HalfHash(c.IDTokenAlg, value)
		}
	}
	claims.text("nonce", a.Nonce)
	claims.text(claimRequest, b.request)
	if a.SessionID != "" { // else nobody's browser took part
		claims["sid"] = session.SID(a.SessionID, c.ID)
	}
	if a.DeviceSecret != (secret.Hash{}) {
		claims["ds_hash"] = DeviceHash(a.DeviceSecret)
	}
	if c.May(client.TokenExchange) || len(a.Audience) > 0 {
		claims.text("gid", a.ID) // so that whoever exchanges it gets what lives as long
	}
	if len(a.Audience) > 0 {
		claims["aud"] = slices.Compact(append([]string{c.ID}, a.Audience...))
		claims["azp"] = c.ID
	}
	return claims
}

// DeviceHash is what an ID token says of the device secret beside it, OpenID Connect
// Native SSO section 3.4.1: how is our own affair, so that it is of what is kept.
func DeviceHash(h secret.Hash) string { return base64.RawURLEncoding.EncodeToString(h[:len(h)/2]) }

func references(methods []credential.Method) []string {
	amr := make([]string, len(methods))
	for i, m := range methods {
		amr[i] = string(m)
	}
	return amr
}
