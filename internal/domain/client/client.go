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
)

// Client is an application that may ask for tokens. A Client is never changed
// once it is made: it is shared by every request that concerns it.
type Client struct {
	ID      string
	Name    string
	Profile Profile

	Public  bool // it keeps no secret: an application on a device or in a browser
	Native  bool // it runs on a device: loopback ports are free, RFC 8252 section 7.3
	Trusted bool // its operator is ours: consent is not asked

	AuthMethod oauth.AuthMethod
	Secrets    []secret.Hash // any of these counts, so that one can be replaced by another
	Keys       []jose.Key    // for private_key_jwt

	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	AllowedOrigins         []string // browsers on these may call the token endpoint, CORS
	GrantTypes             []string
	Scopes                 oauth.Scopes // all it may ever be granted
	TrustedPeers           []string     // clients that may ask for tokens whose audience this one is
	Connectors             []string     // by which its users may log in; empty: by any
	Groups                 []string     // of which its users must be in one; empty: anybody

	RequirePKCE  bool
	ScopeClaims  bool // the claims of granted scopes stand in the ID token too, not only at userinfo
	IDTokenAlg   jose.Algorithm
	AccessTTL    time.Duration // zero: the tenant's
	IDTTL        time.Duration // zero: the tenant's
	RefreshGrace time.Duration // zero: the tenant's; negative: none
	PolicyURL    string
	TermsURL     string
	Disabled     bool
	// NotBefore is when the client came to be, to the second: nothing that was issued
	// earlier is its own, but that of another of the same id, which is gone.
	NotBefore time.Time
}

// The grant types that a client may have.
const (
	AuthorizationCode = oauth.GrantAuthorizationCode
	RefreshToken      = oauth.GrantRefreshToken
	ClientCredentials = oauth.GrantClientCredentials
	DeviceCode        = oauth.GrantDeviceCode
)

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
