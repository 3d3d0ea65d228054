package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"dex/internal/connector"
	"dex/internal/domain/grant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

const (
	// longestVouched is how long an assertion may be good for, and so how long it must be
	// remembered that it has come.
	longestVouched = time.Hour
	// maxID is the length of the longest jti.
	maxID = 256
)

// tokenTypes are the "typ" headers of each kind of token. Those that have a type of
// their own are taken for nothing else. RFC 8725, section 3.11.
var tokenTypes = map[connector.TokenKind][]string{
	connector.IDTokens:   {"", jose.TypeJWT},
	connector.Assertions: {"", jose.TypeJWT, "authorization-grant+jwt"},
	connector.IDJAGs:     {jose.TypeIDJAG},
}

// checkVouching says what is wrong with what is said of tokens without a login.
func (s *settings) checkVouching() error {
	var mistakes []error
	for _, kind := range s.Accepts {
		if tokenTypes[kind] == nil {
			mistakes = append(mistakes, mistake("accepts", "%.20q is not one of id_token, jwt_bearer and id_jag", string(kind)))
		}
	}
	for _, audience := range s.Audiences {
		if audience == "" || len(audience) > maxSubject {
			mistakes = append(mistakes, mistake("audiences", "%.40q is not an audience", audience))
		}
	}
	switch {
	case !s.Login && len(s.Accepts) == 0:
		mistakes = append(mistakes, mistake("accepts", "is not set, and with login: false the connector would be there for nothing"))
	case len(s.Audiences) > 0 && len(s.Accepts) == 0:
		mistakes = append(mistakes, mistake("audiences", "is of use only with accepts, which says what tokens are taken"))
	case slices.Contains(s.Accepts, connector.IDTokens) && s.EncryptedIDToken:
		mistakes = append(mistakes, mistake("accepts", "cannot name id_token with encrypted_id_token: nobody sees from outside whose such a token is"))
	case slices.Contains(s.Accepts, connector.IDTokens) && len(s.Audiences) == 0 && s.ClientID == "":
		mistakes = append(mistakes, mistake("audiences", "is not set, and there is no client_id: say for whom the ID tokens are"))
	}
	if s.JWKSURI != "" {
		if u, err := url.Parse(s.JWKSURI); err != nil || !webURL(u) || !visible(s.JWKSURI) {
			mistakes = append(mistakes, mistake("jwks_uri", "must be a URL"))
		}
	}
	if len(s.JWKS) > 0 && !bytes.Equal(s.JWKS, []byte("null")) {
		keys, err := jose.ParseJWKS(s.JWKS)
		switch {
		case err != nil || len(keys) == 0:
			mistakes = append(mistakes, mistake("jwks", "must be a JSON Web Key Set with a public key to verify with"))
		case s.JWKSURI != "":
			mistakes = append(mistakes, mistake("jwks_uri", "contradicts jwks: the keys stand in one place"))
		}
		s.fixed = keys
	}
	return errors.Join(mistakes...)
}

// Closed implements [connector.Closed].
func (p *provider) Closed() bool { return !p.Login }

// Takes implements [connector.Voucher].
func (p *provider) Takes(kind connector.TokenKind, issuer string) bool {
	return issuer == p.Issuer && slices.Contains(p.Accepts, kind)
}

// vouched is what a token says without a login.
type vouched struct {
	jose.Claims
	AuthorizedParty *string          `json:"azp"`
	AuthTime        jose.NumericDate `json:"auth_time"`
	Methods         json.RawMessage  `json:"amr"`
	Events          json.RawMessage  `json:"events"`
	ClientID        string           `json:"client_id"`
	Scope           string           `json:"scope"`
	Resource        jose.Audience    `json:"resource"` // written as an audience is
	Binding         oauth.Binding    `json:"cnf"`
	Actor           *grant.Actor     `json:"act"`
	MayAct          *grant.Actor     `json:"may_act"`
}

// ReadToken implements [connector.Voucher].
func (p *provider) ReadToken(ctx context.Context, kind connector.TokenKind, token string, ours []string) (connector.Vouched, error) {
	if !slices.Contains(p.Accepts, kind) {
		return connector.Vouched{}, refuse("tokens of the kind %s are not taken", kind)
	}
	if _, err := p.keys.get(ctx); err != nil {
		return connector.Vouched{}, err // which is the provider's failure
	}
	payload, _, err := p.verify(ctx, token, tokenTypes[kind]...)
	if err != nil {
		return connector.Vouched{}, refuse("%w", err)
	}
	var v vouched
	if err := jose.Unmarshal(payload, &v); err != nil {
		return connector.Vouched{}, refuse("%w", err)
	}
	now := p.env.Clock.Now()
	if err := v.check(kind, p.Issuer, p.audiences(kind, ours), now); err != nil {
		return connector.Vouched{}, refuse("%w", err)
	}
	claims, err := decode(payload)
	if err != nil {
		return connector.Vouched{}, refuse("%w", err)
	}
	who, err := p.identity(ctx, v.Subject, claims)
	if err != nil {
		return connector.Vouched{}, err
	}
	said := connector.Vouched{
		Identity: who, Methods: methodsOf(v.Methods), AuthTime: v.IssuedAt.Time(), Whole: !p.Login,
		Issuer: p.Issuer, Subject: v.Subject, IssuedAt: earlier(v.IssuedAt.Time(), now), Expires: v.Expiry.Time(),
		Binding: v.Binding, Actor: v.Actor, MayAct: v.MayAct,
	}
	if v.AuthTime != 0 {
		said.AuthTime = v.AuthTime.Time()
	}
	said.AuthTime = earlier(said.AuthTime, now)
	if kind != connector.IDTokens {
		said.ID = v.ID
	}
	if kind == connector.IDJAGs {
		said.ClientID, said.Scope, said.Resources = v.ClientID, v.Scope, v.Resource
	}
	return said, nil
}

// refuse says why a token does not hold.
func refuse(format string, args ...any) error {
	return fmt.Errorf("oidc: %w: %w", connector.ErrRefused, fmt.Errorf(format, args...))
}

// audiences are those for one of which a token of the kind has to be. An ID token is for
// us as its client unless the operator has named others; an identity assertion grant is
// for the issuer and nobody else.
func (p *provider) audiences(kind connector.TokenKind, ours []string) []string {
	switch {
	case kind == connector.IDJAGs:
		return ours[:1]
	case kind == connector.Assertions:
		return append(ours[:len(ours):len(ours)], p.Audiences...)
	case len(p.Audiences) > 0:
		return p.Audiences
	default:
		return []string{p.ClientID}
	}
}

// check says what is wrong with a token. RFC 7523, section 3; OpenID Connect Core,
// section 3.1.3.7. What is for others too could be played to us by them, so that nobody
// else may be in its audience.
func (v vouched) check(kind connector.TokenKind, issuer string, audiences []string, now time.Time) error {
	if len(v.Audience) == 0 {
		return jose.ErrAudience
	}
	if err := v.Validate(now, issuer, v.Audience[0], skew); err != nil {
		return err
	}
	among := func(name string) bool { return slices.Contains(audiences, name) }
	switch {
	case slices.ContainsFunc(v.Audience, func(a string) bool { return !among(a) }):
		return jose.ErrAudience
	case kind == connector.IDJAGs && len(v.Audience) != 1:
		return errors.New("it is for several (aud)")
	case v.IssuedAt == 0:
		return errors.New("it does not say when it was issued (iat)")
	case !goodSubject(v.Subject):
		return errors.New("it does not say who it is about (sub)")
	case len(v.Events) > 0:
		return errors.New("it tells of an event, and vouches for nobody (events)")
	}
	if kind == connector.IDTokens {
		if v.AuthorizedParty != nil && !among(*v.AuthorizedParty) {
			return errors.New("it was issued to another client (azp)")
		}
		return nil
	}
	switch {
	case v.ID == "" || len(v.ID) > maxID:
		return errors.New("it has no usable jti, by which it would be known again")
	case v.Expiry.Time().After(now.Add(longestVouched + skew)):
		return errors.New("it is good for too long (exp)")
	case kind == connector.IDJAGs && v.ClientID == "":
		return errors.New("it does not say for which client it is (client_id)")
	}
	return nil
}
