package mint

import (
	"crypto"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"dex/internal/domain/grant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// AccessClaims are the claims of one of our access tokens, RFC 9068 section 2.2. It
// says who and what for, and nothing about the person: whoever may know asks
// userinfo.
type AccessClaims struct {
	jose.Claims
	ClientID string           `json:"client_id"`
	Scope    string           `json:"scope,omitempty"`
	GrantID  string           `json:"gid,omitempty"` // of the grant that it lives and dies with
	AuthTime jose.NumericDate `json:"auth_time,omitempty"`
	ACR      string           `json:"acr,omitempty"`
	AMR      []string         `json:"amr,omitempty"`
	Actor    *grant.Actor     `json:"act,omitempty"` // who acts on the subject's behalf
	// Confirmation is the key whose holder alone may use it, RFC 7800 section 3.1.
	Confirmation oauth.Binding `json:"cnf,omitzero"`
	Details      oauth.Details `json:"authorization_details,omitempty"` // RFC 9396, section 9.1
}

// KeyFinder returns the keys that a signature may have been made with.
type KeyFinder func(kid string, alg jose.Algorithm) []crypto.PublicKey

// Reader reads the access tokens of one issuer, whichever form they have.
type Reader struct {
	Issuer string
	Find   KeyFinder // of those that are signed
	Opaque Opaque    // … and sealed
}

// Read returns what an access token says, if it is one that we have issued for ourselves
// and it has not expired. Whether it has been revoked is for the store.
func (r Reader) Read(token string, now time.Time) (AccessClaims, error) {
	claims, err := r.Issued(token, now)
	if err != nil {
		return claims, err
	}
	return claims, claims.Validate(now, r.Issuer, r.Issuer, 0)
}

// Issued is [Reader.Read] for a token that may be for any resource, RFC 8707: it may be
// asked about here, and opens nothing.
func (r Reader) Issued(token string, now time.Time) (AccessClaims, error) {
	var claims AccessClaims
	payload, err := r.payload(token)
	if err != nil {
		return claims, err
	}
	if err := jose.Unmarshal(payload, &claims); err != nil {
		return claims, err
	}
	if len(claims.Audience) == 0 {
		return claims, jose.ErrAudience
	}
	return claims, claims.Validate(now, r.Issuer, claims.Audience[0], 0)
}

// payload returns the claims of an access token that nobody but us has made.
func (r Reader) payload(token string) ([]byte, error) {
	if isOpaque(token) {
		return r.Opaque.open(token)
	}
	payload, _, err := jose.Verify(token, []jose.Algorithm{AccessTokenAlg}, []string{jose.TypeAccessToken}, r.Find)
	return payload, err
}

// IssuerOf returns which issuer a token says it is of, without a look at whether that
// is true: so that whoever knows several issuers can ask the right one. It returns
// nothing for what is no token.
func IssuerOf(token string) string {
	if isOpaque(token) {
		return issuerOfOpaque(token)
	}
	_, rest, ok := strings.Cut(token, ".")
	payload, _, more := strings.Cut(rest, ".")
	if !ok || !more {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var claims jose.Claims
	if jose.Unmarshal(text, &claims) != nil {
		return ""
	}
	return claims.Issuer
}

// ReadIDTokenHint returns the subject of an ID token that we have issued, and the
// clients it was for, whether it has expired or not: OpenID Connect Core section
// 3.1.2.1. It is what somebody says of themselves, not a proof.
func ReadIDTokenHint(token, issuer string, find KeyFinder) (subject string, claims IDHint, ok bool) {
	if token == "" {
		return "", claims, false
	}
	payload, _, err := jose.Verify(token, idTokenAlgs, []string{jose.TypeJWT}, find)
	if err != nil || jose.Unmarshal(payload, &claims) != nil || claims.Issuer != issuer || claims.Subject == "" {
		return "", claims, false
	}
	return claims.Subject, claims, true
}

// IDHint is what an ID token tells when it comes back as a hint.
type IDHint struct {
	jose.Claims
	AuthorizedParty string `json:"azp,omitempty"`
	SessionID       string `json:"sid,omitempty"`
	GrantID         string `json:"gid,omitempty"`
	DeviceHash      string `json:"ds_hash,omitempty"`
}

// IDToken returns what an ID token of ours says that has not expired and can be exchanged,
// as far as it says what an access token does. What was granted it does not say.
func (r Reader) IDToken(token string, now time.Time) (AccessClaims, error) {
	_, hint, ok := ReadIDTokenHint(token, r.Issuer, r.Find)
	if !ok || hint.GrantID == "" || len(hint.Audience) == 0 {
		return AccessClaims{}, errors.New("it is no ID token of ours that could be exchanged")
	}
	claims := AccessClaims{Claims: hint.Claims, ClientID: hint.Client(), GrantID: hint.GrantID}
	claims.ID = ""
	return claims, claims.Validate(now, r.Issuer, hint.Audience[0], 0)
}

// Client returns the client that the ID token was issued to.
func (h IDHint) Client() string {
	if h.AuthorizedParty != "" {
		return h.AuthorizedParty
	}
	if len(h.Audience) == 1 {
		return h.Audience[0]
	}
	return ""
}

var idTokenAlgs = []jose.Algorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}
