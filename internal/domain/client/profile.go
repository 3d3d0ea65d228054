package client

import (
	"slices"
	"time"

	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// Demands are what a profile asks of its clients, and what it allows them. A client
// that contradicts them is not made; a request of a client that contradicts them is
// refused.
type Demands struct {
	ResponseTypes []oauth.ResponseType // that a client may have
	GrantTypes    []string             // that no client may have
	AuthMethods   []oauth.AuthMethod   // by which it proves itself
	Algorithms    []jose.Algorithm     // of every signature, the client's and ours for it; nil: all

	PKCE     bool // of everybody; else only of who proves themselves by nothing else
	PAR      bool // authorization requests come pushed, RFC 9126
	Signed   bool // authorization requests are signed, RFC 9101
	Unsigned bool // a request object may be unsigned, and does not replace what stands beside it: OpenID Connect Core section 6
	JARM     bool // a code alone is answered in a signed response
	Dated    bool // a request object says from when and until when it is good, for an hour at most

	Bound       bool          // access tokens are bound to a key of the client's, by DPoP or by its certificate
	Certificate bool          // and by nothing but its certificate
	CodeTTL     time.Duration // of codes, at most; zero: the tenant's

	Audiences Audiences // that a client may make its assertions for
	// ScopeClaims puts the claims of the granted scopes into the ID token as well, and
	// not only at userinfo.
	ScopeClaims bool
}

// Audiences says for whom a client may make the assertions by which it proves itself.
type Audiences int

// The audiences. Each includes those before.
const (
	AudienceIssuer   Audiences = iota // our issuer alone, and not in a list
	AudienceToken                     // or the token endpoint, and both of them in a list: OpenID Connect Core section 9
	AudienceEndpoint                  // or the endpoint that it is sent to: FAPI 1.0, CIBA section 7.1
)

// fapiAlgorithms are all that FAPI leaves of the algorithms, FAPI 2.0 Security Profile
// section 5.4.1.
var fapiAlgorithms = []jose.Algorithm{jose.PS256, jose.ES256, jose.EdDSA}

// fapiMethods are how a client of FAPI proves itself, FAPI 2.0 Security Profile section
// 5.3.2.1; FAPI 1.0 Advanced section 5.2.2.
var fapiMethods = []oauth.AuthMethod{oauth.AuthPrivateKeyJWT, oauth.AuthTLS, oauth.AuthSelfSignedTLS}

// profiles are what each profile demands.
var profiles = map[Profile]Demands{
	Standard: {
		ResponseTypes: []oauth.ResponseType{oauth.ResponseTypeCode},
		GrantTypes:    []string{grantImplicit, Password},
		AuthMethods: []oauth.AuthMethod{
			oauth.AuthSecretBasic, oauth.AuthSecretPost, oauth.AuthSecretJWT, oauth.AuthPrivateKeyJWT,
			oauth.AuthTLS, oauth.AuthSelfSignedTLS, oauth.AuthNone,
		},
		PKCE: true, ScopeClaims: true,
	},
	OpenID: {
		ResponseTypes: oauth.ResponseTypes(),
		AuthMethods: []oauth.AuthMethod{
			oauth.AuthSecretBasic, oauth.AuthSecretPost, oauth.AuthSecretJWT, oauth.AuthPrivateKeyJWT,
			oauth.AuthTLS, oauth.AuthSelfSignedTLS, oauth.AuthNone,
		},
		Unsigned: true, Audiences: AudienceToken,
	},
	FAPI1: {
		ResponseTypes: []oauth.ResponseType{oauth.ResponseTypeCode, oauth.ResponseTypeCodeIDToken},
		GrantTypes:    []string{Password},
		AuthMethods:   fapiMethods,
		Algorithms:    fapiAlgorithms,
		Signed:        true, Dated: true, JARM: true, Bound: true, Certificate: true,
		Audiences: AudienceEndpoint,
	},
	FAPI2: {
		ResponseTypes: []oauth.ResponseType{oauth.ResponseTypeCode},
		GrantTypes:    []string{grantImplicit, Password},
		AuthMethods:   fapiMethods,
		Algorithms:    fapiAlgorithms,
		PKCE:          true, PAR: true, Dated: true, Bound: true,
		CodeTTL: time.Minute,
	},
}

// Profiles are all profiles, the most usual first.
var Profiles = []Profile{Standard, OpenID, FAPI1, FAPI2}

// Demands returns what the profile demands. A profile that nobody knows demands what
// [FAPI2] does, so that a mistake opens nothing.
func (p Profile) Demands() Demands {
	if d, ok := profiles[p]; ok {
		return d
	}
	if p == "" {
		return profiles[Standard]
	}
	return profiles[FAPI2]
}

// Allows reports whether a signature with the algorithm counts.
func (d Demands) Allows(alg jose.Algorithm) bool {
	return d.Algorithms == nil || slices.Contains(d.Algorithms, alg)
}

// IDTokenAlg is the algorithm of ID tokens for a client that says nothing of it: the one
// that every application can verify, or the one of access tokens where that is too weak.
func (d Demands) IDTokenAlg() jose.Algorithm {
	if d.Allows(jose.RS256) {
		return jose.RS256
	}
	return jose.ES256
}

// CodeTTL returns how long a code of the client's is good, where one usually is good for
// the given time.
func (c Client) CodeTTL(usual time.Duration) time.Duration {
	if most := c.Profile.Demands().CodeTTL; most > 0 {
		return min(usual, most)
	}
	return usual
}
