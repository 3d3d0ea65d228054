package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dex/internal/connector"
	"dex/internal/domain/credential"
	"dex/internal/protocol/jose"
)

const (
	// skew is how far the provider's clock may be off.
	skew = time.Minute
	// maxSubject is the length of the longest subject. OpenID Connect Core, section 2.
	maxSubject = 255
)

// idToken is what an ID token says. OpenID Connect Core, section 2.
type idToken struct {
	jose.Claims
	AuthorizedParty *string          `json:"azp"`
	Nonce           string           `json:"nonce"`
	AccessTokenHash *string          `json:"at_hash"`
	CodeHash        *string          `json:"c_hash"`
	AuthTime        jose.NumericDate `json:"auth_time"`
	Methods         json.RawMessage  `json:"amr"`
	all             map[string]any
	raw             string // signed, and no longer encrypted
	alg             jose.Algorithm
}

// readTokens reads the ID token that came with an access token. The nonce is for the
// caller to check.
func (p *provider) readTokens(ctx context.Context, t tokens) (idToken, error) {
	if t.IDToken == "" {
		return idToken{}, errors.New("oidc: the provider gave no ID token")
	}
	id, err := p.readIDToken(ctx, t.IDToken)
	if err != nil {
		return idToken{}, err
	}
	if id.AccessTokenHash != nil && *id.AccessTokenHash != jose.HalfHash(id.alg, t.AccessToken) {
		return idToken{}, errors.New("oidc: the ID token belongs to another access token (at_hash)")
	}
	return id, nil
}

// readIDToken opens and verifies an ID token and returns what it says.
func (p *provider) readIDToken(ctx context.Context, token string) (idToken, error) {
	inner, encrypted, err := p.opener.open(token)
	if err == nil && p.EncryptedIDToken && !encrypted {
		err = errors.New("it is not encrypted, and was to be")
	}
	if err != nil {
		return idToken{}, fmt.Errorf("oidc: ID token: %w", err)
	}
	payload, h, err := p.verify(ctx, inner, "", jose.TypeJWT)
	if err != nil {
		return idToken{}, fmt.Errorf("oidc: ID token: %w", err)
	}
	id := idToken{raw: inner, alg: h.Algorithm}
	if err := jose.Unmarshal(payload, &id); err != nil {
		return idToken{}, fmt.Errorf("oidc: ID token: %w", err)
	}
	if id.all, err = decode(payload); err != nil {
		return idToken{}, fmt.Errorf("oidc: ID token: %w", err)
	}
	if err := id.check(p.Issuer, p.ClientID, p.env.Clock.Now()); err != nil {
		return idToken{}, fmt.Errorf("oidc: ID token: %w", err)
	}
	return id, nil
}

// belongs says whether an ID token is that of a journey.
func (id idToken) belongs(j journey) error {
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(j.Nonce)) != 1 {
		return errors.New("oidc: the ID token belongs to another login (nonce)")
	}
	return nil
}

// check says what is wrong with an ID token. OpenID Connect Core, section 3.1.3.7.
func (id idToken) check(issuer, clientID string, now time.Time) error {
	if err := id.Validate(now, issuer, clientID, skew); err != nil {
		return err
	}
	switch {
	case id.IssuedAt == 0:
		return errors.New("it does not say when it was issued (iat)")
	case !goodSubject(id.Subject):
		return errors.New("it does not say who it is about (sub)")
	case id.AuthorizedParty != nil && *id.AuthorizedParty != clientID:
		return errors.New("it was issued to another client (azp)")
	case id.AuthorizedParty == nil && len(id.Audience) > 1:
		return errors.New("it is for several, and does not say that it was issued to us (azp)")
	default:
		return nil
	}
}

// forUs reports whether we are in the audience.
func forUs(audience jose.Audience, clientID string) bool { return slices.Contains(audience, clientID) }

// goodSubject reports whether a subject can name a person. One with a replacement
// character came out of text that was broken, as others may have that are not the
// same.
func goodSubject(s string) bool {
	return s != "" && len(s) <= maxSubject && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '\uFFFD'
	})
}

// checkAge says why the person has not proven who they are as recently as was
// asked. A provider that was told max_age must say when they did.
func (p *provider) checkAge(id idToken, l connector.Login, askedAt time.Time) error {
	age, asked := maxAgeOf(l)
	if !asked {
		return nil
	}
	if id.AuthTime == 0 {
		if p.NoAuthTime {
			return nil
		}
		return errors.New("oidc: the provider does not say when the person logged in (auth_time), although it was asked; see no_auth_time")
	}
	if id.AuthTime.Time().Before(askedAt.Add(-age - skew)) {
		return errors.New("oidc: the provider did not ask the person again (auth_time)")
	}
	return nil
}

// earlier returns when the person logged in, which is not in the future.
func earlier(authTime, now time.Time) time.Time {
	if authTime.IsZero() || authTime.After(now) {
		return now
	}
	return authTime
}

// methods are the authentication methods that we take a provider's word for. What
// is not in here is worth one factor.
var methods = map[string]credential.Method{
	"pwd": credential.Password,
	"mfa": credential.MultiStep,
}

// methodsOf returns how the person proved who they are, as far as we know what the
// provider says. RFC 8176.
func methodsOf(amr json.RawMessage) []credential.Method {
	var said []string
	if json.Unmarshal(amr, &said) != nil {
		said = nil // it is not a list, as some write it
	}
	var known []credential.Method
	for _, s := range said {
		if m, ok := methods[s]; ok && !slices.Contains(known, m) {
			known = append(known, m)
		}
	}
	if known == nil {
		return []credential.Method{credential.Federated}
	}
	return known
}
