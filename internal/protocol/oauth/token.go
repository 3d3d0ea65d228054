package oauth

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"

	"dex/internal/base/secret"
	"dex/internal/protocol/jose"
)

// The grant types that we know: what a client may exchange for tokens.
const (
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantPassword          = "password"                                     // RFC 6749, section 4.3
	GrantImplicit          = "implicit"                                     // at the authorization endpoint: RFC 6749, section 4.2
	GrantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code" // RFC 8628, section 3.4
	GrantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"  // RFC 7523, section 2.1
)

// TokenRequest is what a client asks of the token endpoint. A grant looks at the
// fields that are its own.
type TokenRequest struct {
	GrantType    string
	Code         secret.Value
	RedirectURI  string
	Verifier     string // of PKCE
	RefreshToken secret.Value
	DeviceCode   secret.Value
	AuthReqID    secret.Value
	Assertion    secret.Value // another issuer's word for somebody
	Exchange     Exchange
	DeviceSecret secret.Value // that the device has already (OpenID Connect Native SSO, section 3.3)
	Username     string
	Password     secret.Value
	Scopes       Scopes
	Resources    []string // that the access token shall be for, RFC 8707
	Details      Details  // that the access token shall have, RFC 9396
	ScopesGiven  bool     // if not, the client leaves it to what it was granted
	// Binding is the keys that the sender has proven to hold. It is not read from the
	// parameters: the endpoint sets it.
	Binding Binding
	// From is where the request came from. The endpoint sets it.
	From netip.Addr
}

// ParseTokenRequest reads a token request (RFC 6749, sections 4.1.3, 4.4.2 and 6).
// The form is that of the body alone. Who asks is read by [ParseCredentials].
func ParseTokenRequest(body url.Values) (TokenRequest, error) {
	f := &form{values: body}
	r := TokenRequest{
		GrantType:    f.one("grant_type", MaxValue),
		Code:         secret.Value(f.one("code", MaxValue)),
		RedirectURI:  f.one("redirect_uri", MaxRedirectURI),
		Verifier:     f.one("code_verifier", MaxValue),
		RefreshToken: secret.Value(f.one("refresh_token", MaxSecret)),
		DeviceCode:   deviceCode(f),
		AuthReqID:    authReqID(f),
		DeviceSecret: secret.Value(f.one("device_secret", MaxSecret)),
		Username:     f.one("username", MaxValue),
		Password:     secret.Value(f.one("password", MaxSecret)),
		Scopes:       f.scopes(),
		Resources:    f.resources(),
		Details:      f.details(),
	}
	r.ScopesGiven = len(r.Scopes) > 0
	switch {
	case r.GrantType == "":
		f.missing("grant_type")
	case r.GrantType == GrantAuthorizationCode && r.Code == "":
		f.missing("code")
	case r.GrantType == GrantRefreshToken && r.RefreshToken == "":
		f.missing("refresh_token")
	case r.GrantType == GrantDeviceCode && r.DeviceCode == "":
		f.missing("device_code")
	case r.GrantType == GrantCIBA && r.AuthReqID == "":
		f.missing("auth_req_id")
	case r.GrantType == GrantJWTBearer:
		if r.Assertion = secret.Value(f.one("assertion", MaxToken)); r.Assertion == "" {
			f.missing("assertion")
		}
	case r.GrantType == GrantPassword && r.Username == "":
		f.missing("username")
	case r.GrantType == GrantPassword && r.Password == "":
		f.missing("password")
	case r.GrantType == GrantTokenExchange:
		e, err := ParseExchange(body)
		r.Exchange = take(f, e, err)
	}
	return r, f.done()
}

// TokenQuery is what a client asks of introspection and revocation: about which
// token. The hint says of what kind it may be; it may be wrong.
type TokenQuery struct {
	Token secret.Value
	Hint  string
}

// ParseTokenQuery reads an introspection or revocation request (RFC 7662, section
// 2.1; RFC 7009, section 2.1). The form is that of the body alone.
func ParseTokenQuery(body url.Values) (TokenQuery, error) {
	f := &form{values: body}
	q := TokenQuery{
		Token: secret.Value(f.one("token", MaxToken)),
		Hint:  f.one("token_type_hint", MaxValue),
	}
	if q.Token == "" {
		f.missing("token")
	}
	return q, f.done()
}

// TokenTypeBearer is the token_type of tokens that whoever bears them may use
// (RFC 6750).
const TokenTypeBearer = "Bearer"

// TokenTypeNone is the token_type of what is no access token (RFC 8693, section 2.2.1).
const TokenTypeNone = "N_A"

// TokenResponse is a successful answer of the token endpoint (RFC 6749, section
// 5.1; OpenID Connect Core, section 3.1.3.3). It can be encoded, but not printed.
type TokenResponse struct {
	AccessToken  string  `json:"access_token"`
	TokenType    string  `json:"token_type"`
	ExpiresIn    Seconds `json:"expires_in"`
	RefreshToken string  `json:"refresh_token,omitempty"`
	Scope        string  `json:"scope,omitempty"`
	IDToken      string  `json:"id_token,omitempty"`
	Details      Details `json:"authorization_details,omitempty"` // RFC 9396, section 7
	IssuedType   string  `json:"issued_token_type,omitempty"`     // RFC 8693, section 2.2.1
	DeviceSecret string  `json:"device_secret,omitempty"`         // OpenID Connect Native SSO, section 3.4
}

// Format keeps the tokens out of everything that is printed.
func (TokenResponse) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[tokens]") }

// LogValue keeps the tokens out of the log.
func (TokenResponse) LogValue() slog.Value { return slog.StringValue("[tokens]") }

// IntrospectionResponse is what a token is worth (RFC 7662, section 2.2). Of one
// that is worth nothing, the zero value says so and nothing else.
type IntrospectionResponse struct {
	Active    bool             `json:"active"`
	Scope     string           `json:"scope,omitempty"`
	ClientID  string           `json:"client_id,omitempty"`
	Username  string           `json:"username,omitempty"`
	TokenType string           `json:"token_type,omitempty"`
	Expiry    jose.NumericDate `json:"exp,omitempty"`
	IssuedAt  jose.NumericDate `json:"iat,omitempty"`
	NotBefore jose.NumericDate `json:"nbf,omitempty"`
	Subject   string           `json:"sub,omitempty"`
	Audience  jose.Audience    `json:"aud,omitempty"`
	Issuer    string           `json:"iss,omitempty"`
	ID        string           `json:"jti,omitempty"`
	SessionID string           `json:"sid,omitempty"`
	AuthTime  jose.NumericDate `json:"auth_time,omitempty"`
	ACR       string           `json:"acr,omitempty"`
	Actor     any              `json:"act,omitempty"` // RFC 8693, section 4.1
	// Confirmation is the key that its presenter has to prove (RFC 9449, section 6.2;
	// RFC 8705, section 3.2).
	Confirmation Binding `json:"cnf,omitzero"`
	Details      Details `json:"authorization_details,omitempty"` // RFC 9396, section 9.2
}
