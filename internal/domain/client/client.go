// Package client is the applications that may ask: what each one is, what it may
// have, and how it proves itself.
package client

import (
	"context"
	"slices"
	"time"

	"dex/internal/base/secret"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// Profile is a named bundle of demands that single settings refine.
type Profile string

// The profiles.
const (
	Standard Profile = "standard" // OAuth 2.1: PKCE for everybody, the claims of granted scopes in the ID token
	OpenID   Profile = "openid"   // what OpenID certification demands
	FAPI1    Profile = "fapi1"    // what FAPI 1.0 Advanced and FAPI-CIBA demand
	FAPI2    Profile = "fapi2"    // what the FAPI 2.0 Security Profile demands
)

// Client is an application that may ask for tokens. A Client is never changed
// once it is made: it is shared by every request that concerns it. Its JSON is how
// its settings are kept; what is searched by, or is a secret, is kept beside it.
type Client struct {
	ID      string  `json:"-"`
	Name    string  `json:"-"`
	Profile Profile `json:"profile,omitempty"`

	Public  bool `json:"public,omitempty"`  // it keeps no secret: an application on a device or in a browser
	Native  bool `json:"native,omitempty"`  // it runs on a device: loopback ports are free, RFC 8252 section 7.3
	Trusted bool `json:"trusted,omitempty"` // its operator is ours: consent is not asked

	AuthMethod     oauth.AuthMethod     `json:"auth_method,omitempty"`
	AuthAlg        jose.Algorithm       `json:"auth_alg,omitempty"` // of its assertions; empty: any that we take
	TLSAuth        TLSAuth              `json:"tls_auth,omitzero"`
	Secrets        []secret.Hash        `json:"-"` // any of these counts, so that one can be replaced by another
	Shared         []secret.Value       `json:"-"` // the secrets themselves, in their order, for client_secret_jwt alone
	Keys           []jose.Key           `json:"-"` // that verify what it signs
	EncryptionKeys []jose.EncryptionKey `json:"-"` // to encrypt for it
	JWKSURI        string               `json:"jwks_uri,omitempty"`

	RedirectURIs           []string             `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string             `json:"post_logout_redirect_uris,omitempty"`
	RequestURIs            []string             `json:"request_uris,omitempty"`    // where its request objects are
	AllowedOrigins         []string             `json:"allowed_origins,omitempty"` // browsers on these may call the token endpoint, CORS
	GrantTypes             []string             `json:"grant_types,omitempty"`
	ResponseTypes          []oauth.ResponseType `json:"response_types,omitempty"` // empty: code, if it has that grant
	Scopes                 oauth.Scopes         `json:"scopes,omitempty"`         // all it may ever be granted
	Resources              []string             `json:"resources,omitempty"`      // that it may ask access tokens for, RFC 8707
	DetailsTypes           []string             `json:"details_types,omitempty"`  // of authorization details, RFC 9396
	TrustedPeers           []string             `json:"trusted_peers,omitempty"`  // clients that may ask for tokens whose audience this one is
	IDJAGAudiences         []IDJAGAudience      `json:"id_jag_audiences,omitempty"`
	Connectors             []string             `json:"connectors,omitempty"` // by which its users may log in; empty: by any
	Groups                 []string             `json:"groups,omitempty"`     // of which its users must be in one; empty: anybody
	// NativeSSOGroup are the applications on one device that share a login with it; empty: none.
	NativeSSOGroup string `json:"native_sso_group,omitempty"`

	RequirePKCE          bool `json:"require_pkce,omitempty"`
	RequirePAR           bool `json:"require_par,omitempty"`            // RFC 9126 section 6
	RequireSignedRequest bool `json:"require_signed_request,omitempty"` // RFC 9101 section 10.5
	CertificateBound     bool `json:"certificate_bound,omitempty"`      // its access tokens are, RFC 8705 section 3.4
	DPoPBound            bool `json:"dpop_bound,omitempty"`             // its access tokens are, RFC 9449 section 5.2

	ScopeClaims             bool           `json:"scope_claims,omitempty"` // the claims of granted scopes stand in the ID token too, not only at userinfo
	SubjectType             SubjectType    `json:"subject_type,omitempty"` // empty: public
	SectorURI               string         `json:"sector_uri,omitempty"`
	IDTokenAlg              jose.Algorithm `json:"id_token_alg,omitempty"`
	IDTokenEncryption       Encryption     `json:"id_token_encryption,omitzero"`
	UserinfoAlg             jose.Algorithm `json:"userinfo_alg,omitempty"` // empty: plain JSON
	UserinfoEncryption      Encryption     `json:"userinfo_encryption,omitzero"`
	RequestObjectAlg        jose.Algorithm `json:"request_object_alg,omitempty"` // empty: any that we take
	RequestObjectEncryption Encryption     `json:"request_object_encryption,omitzero"`
	ResponseAlg             jose.Algorithm `json:"response_alg,omitempty"` // of JARM; empty: the default
	ResponseEncryption      Encryption     `json:"response_encryption,omitzero"`
	IntrospectionAlg        jose.Algorithm `json:"introspection_alg,omitempty"` // empty: plain JSON
	IntrospectionEncryption Encryption     `json:"introspection_encryption,omitzero"`
	AccessTokenFormat       TokenFormat    `json:"access_token_format,omitempty"` // empty: JWT
	AccessTTL               time.Duration  `json:"access_ttl,omitempty"`          // zero: the tenant's
	IDTTL                   time.Duration  `json:"id_ttl,omitempty"`              // zero: the tenant's
	RefreshGrace            time.Duration  `json:"refresh_grace,omitempty"`       // zero: the tenant's; negative: none

	DefaultMaxAge    *oauth.Seconds `json:"default_max_age,omitempty"`
	RequireAuthTime  bool           `json:"require_auth_time,omitempty"` // which ID tokens always have
	DefaultACR       []string       `json:"default_acr,omitempty"`
	InitiateLoginURI string         `json:"initiate_login_uri,omitempty"`

	FrontchannelLogoutURI     string `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelLogoutSession bool   `json:"frontchannel_logout_session,omitempty"` // it needs iss and sid
	BackchannelLogoutURI      string `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSession  bool   `json:"backchannel_logout_session,omitempty"` // it needs sid

	Backchannel Backchannel `json:"backchannel,omitzero"`

	PolicyURL       string   `json:"policy_url,omitempty"`
	TermsURL        string   `json:"terms_url,omitempty"`
	LogoURL         string   `json:"logo_url,omitempty"`
	HomeURL         string   `json:"home_url,omitempty"`
	Contacts        []string `json:"contacts,omitempty"`
	SoftwareID      string   `json:"software_id,omitempty"`
	SoftwareVersion string   `json:"software_version,omitempty"`

	Disabled bool `json:"-"`
	// SelfRegistered says that the client has said of itself what it is, and no operator:
	// what it names is fetched only where an operator has allowed that.
	SelfRegistered bool `json:"-"`
	// NotBefore is when the client came to be, to the second: nothing that was issued
	// earlier is its own, but that of another of the same id, which is gone.
	NotBefore time.Time `json:"-"`
}

// Encryption is how something is encrypted for a client or by it, as JWE. Its zero
// value is not at all.
type Encryption struct {
	Alg jose.KeyManagement     `json:"alg,omitempty"`
	Enc jose.ContentEncryption `json:"enc,omitempty"` // empty: A128CBC-HS256
}

// IDJAGAudience is another authorization server to which we say who somebody is, so that
// the client gets access there in their name: draft-ietf-oauth-identity-assertion-authz-grant.
type IDJAGAudience struct {
	Issuer   string       `json:"issuer"`
	ClientID string       `json:"client_id"`        // as which the client is known there
	Scopes   oauth.Scopes `json:"scopes,omitempty"` // all it may ask for there
}

// TokenFormat is what access tokens look like.
type TokenFormat string

// The formats.
const (
	JWT    TokenFormat = "jwt"    // RFC 9068: resource servers read them by themselves
	Opaque TokenFormat = "opaque" // nobody can read them but us, and resource servers ask, RFC 7662
)

// SubjectType says whether all clients know a person by one name, OpenID Connect Core
// section 8.
type SubjectType string

// The subject types.
const (
	SubjectPublic   SubjectType = "public"
	SubjectPairwise SubjectType = "pairwise" // each sector by another
)

// TLSAuth is what the certificate of a client says that authenticates itself by
// tls_client_auth, RFC 8705 section 2.1.2. One of them is set.
type TLSAuth struct {
	SubjectDN string `json:"subject_dn,omitempty"` // RFC 4514
	SANDNS    string `json:"san_dns,omitempty"`
	SANURI    string `json:"san_uri,omitempty"`
	SANIP     string `json:"san_ip,omitempty"`
	SANEmail  string `json:"san_email,omitempty"`
}

// Backchannel is how a client asks for somebody who is elsewhere, OpenID Connect
// Client-Initiated Backchannel Authentication (CIBA) section 4.
type Backchannel struct {
	Mode       string         `json:"mode,omitempty"`     // poll, ping or push
	Endpoint   string         `json:"endpoint,omitempty"` // where it is notified
	RequestAlg jose.Algorithm `json:"request_alg,omitempty"`
}

// The grant types that a client may have.
const (
	AuthorizationCode = oauth.GrantAuthorizationCode
	RefreshToken      = oauth.GrantRefreshToken
	ClientCredentials = oauth.GrantClientCredentials
	DeviceCode        = oauth.GrantDeviceCode
	CIBA              = oauth.GrantCIBA
	TokenExchange     = oauth.GrantTokenExchange
	JWTBearer         = oauth.GrantJWTBearer
	Password          = oauth.GrantPassword
)

// AddSecret gives the client one more secret. It is kept as a hash, unless the client
// signs with it.
func (c *Client) AddSecret(v secret.Value) {
	c.Secrets = append(slices.Clone(c.Secrets), v.Hash())
	if c.AuthMethod == oauth.AuthSecretJWT {
		c.Shared = append(slices.Clone(c.Shared), v)
	}
}

// May reports whether the client has a grant type.
func (c Client) May(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// Returns reports whether a redirect URI is one of the client's. Only an
// application on a device gets its port from the operating system, RFC 8252
// section 7.3; for all others each byte counts.
func (c Client) Returns(redirectURI string) bool {
	if c.Native {
		return oauth.MatchRedirectURI(c.RedirectURIs, redirectURI)
	}
	return redirectURI != "" && slices.Contains(c.RedirectURIs, redirectURI)
}

// Accepts reports whether the client's users may log in by a connector.
func (c Client) Accepts(connectorID string) bool {
	return len(c.Connectors) == 0 || slices.Contains(c.Connectors, connectorID)
}

// Admits reports whether the client is open to somebody in the given groups.
func (c Client) Admits(groups []string) bool {
	return len(c.Groups) == 0 || slices.ContainsFunc(c.Groups, func(g string) bool { return slices.Contains(groups, g) })
}

// Trusts reports whether another client may ask for tokens whose audience this
// one is.
func (c Client) Trusts(peer string) bool {
	return c.ID == peer || slices.Contains(c.TrustedPeers, peer)
}

// MayReach reports whether the client may ask for access tokens for a resource. The
// issuer, which serves userinfo, is one that everybody may ask for.
func (c Client) MayReach(resource, issuer string) bool {
	return resource == issuer || slices.Contains(c.Resources, resource)
}

// Asserts returns the other authorization server of an issuer, if the client may ask for
// assertions for it.
func (c Client) Asserts(issuer string) (IDJAGAudience, bool) {
	i := slices.IndexFunc(c.IDJAGAudiences, func(a IDJAGAudience) bool { return a.Issuer == issuer })
	if i < 0 {
		return IDJAGAudience{}, false
	}
	return c.IDJAGAudiences[i], true
}

// MayDetail reports whether the client may ask for authorization details: those whose
// types are all among its own, RFC 9396.
func (c Client) MayDetail(d oauth.Details) bool {
	return !slices.ContainsFunc(oauth.DetailsOf(d), func(one oauth.Detail) bool { return !slices.Contains(c.DetailsTypes, one.Type) })
}

// CheckDetails says what is wrong with the authorization details that the client asks for:
// that there are no such types here, or that they are not the client's. RFC 9396 section 5.
func (c Client) CheckDetails(d oauth.Details, served []string) error {
	known := func(one oauth.Detail) bool { return slices.Contains(served, one.Type) }
	if !c.MayDetail(d) || slices.ContainsFunc(oauth.DetailsOf(d), func(one oauth.Detail) bool { return !known(one) }) {
		return oauth.Errorf(oauth.InvalidAuthorizationDetails, "This client may not ask for authorization details of this type.")
	}
	return nil
}

// Store keeps the clients.
type Store interface {
	// Client returns a client. It returns a fault of kind NotFound if there is none.
	// The answer may be as old as the store's lease on configuration allows, and no
	// older: whoever changes a client waits for that long before saying it is done.
	Client(ctx context.Context, id string) (Client, error)
	// AllowsOrigin reports whether some client has registered the origin of a browser's
	// page, for the question that a browser asks before it sends a request there.
	AllowsOrigin(ctx context.Context, origin string) (bool, error)
	// ConsumeAssertion marks an assertion's identifier used until it expires. It
	// returns a fault of kind Conflict if it was used before. RFC 7523 section 3.
	ConsumeAssertion(ctx context.Context, clientID string, jti secret.Hash, expires, now time.Time) error
}
