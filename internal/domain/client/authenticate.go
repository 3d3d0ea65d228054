package client

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"dex/internal/base/secret"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

const (
	// longestAssertion bounds how long an assertion may be good for, and so how long
	// its identifier must be remembered.
	longestAssertion = 5 * time.Minute
	assertionSkew    = time.Minute
	maxJTI           = 256
)

// Endpoint is where a client authenticates itself, which is what its assertion
// must be made for.
type Endpoint struct {
	Issuer string
	URL    string
}

// Used is what has to be marked used before an authentication counts. Its zero
// value is nothing.
type Used struct {
	JTI     secret.Hash
	Expires time.Time
}

// Authenticate checks that the credentials are the client's, and are of the one
// kind that is registered for it. Policy is asked about its result, never about
// the presence of a parameter. The error says why, for the log; the client is told
// nothing that tells one failure from another.
func Authenticate(c Client, cred oauth.Credentials, at Endpoint, now time.Time) (Used, error) {
	switch {
	case c.Disabled:
		return Used{}, errors.New("the client is disabled")
	case cred.ClientID != c.ID:
		return Used{}, errors.New("the credentials are another client's")
	case cred.Method != c.AuthMethod:
		return Used{}, fmt.Errorf("the client used %s, but is registered for %s", cred.Method, c.AuthMethod)
	}
	switch c.AuthMethod {
	case oauth.AuthSecretBasic, oauth.AuthSecretPost:
		return Used{}, checkSecret(c, cred.Secret)
	case oauth.AuthPrivateKeyJWT:
		return checkAssertion(c, cred.Assertion, at, now)
	case oauth.AuthNone:
		return Used{}, nil
	default:
		return Used{}, fmt.Errorf("there is no method %q", c.AuthMethod)
	}
}

func checkSecret(c Client, given secret.Value) error {
	hash, ok := given.Hash(), false
	for _, s := range c.Secrets {
		if s.Equal(hash) {
			ok = true // and go on, so that it takes as long whichever it was
		}
	}
	if !ok {
		return errors.New("the client secret is wrong")
	}
	return nil
}

// assertionTypes are the "typ" headers of a client assertion. The last two are of
// those who name it, as draft-ietf-oauth-rfc7523bis does.
var assertionTypes = []string{"", "JWT", "client-authentication+jwt"}

// assertionAlgs are what a client may sign its assertions with.
var assertionAlgs = []jose.Algorithm{jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA}

// AssertionAlgs returns what a client may sign its assertions with, for metadata.
func AssertionAlgs() []jose.Algorithm { return slices.Clone(assertionAlgs) }

// keysFor returns the client's keys that may have signed something.
func (c Client) keysFor(kid string, alg jose.Algorithm) []crypto.PublicKey {
	var found []crypto.PublicKey
	for _, k := range c.Keys {
		if (kid == "" || k.KID == kid) && (k.Alg == "" || k.Alg == alg) {
			found = append(found, k.Public)
		}
	}
	return found
}

// checkAssertion checks a client assertion, RFC 7523 section 3. Its audience must
// be our issuer and nobody else, so that no other server can play it to us. Clients
// of the profile openid may name the token endpoint too, which OpenID Connect Core
// section 9 has, and both of them in a list.
func checkAssertion(c Client, assertion string, at Endpoint, now time.Time) (Used, error) {
	payload, _, err := jose.Verify(assertion, assertionAlgs, assertionTypes, c.keysFor)
	if err != nil {
		return Used{}, err
	}
	var claims jose.Claims
	if err := jose.Unmarshal(payload, &claims); err != nil {
		return Used{}, err
	}
	_, single := jose.SingleAudience(payload)
	others := func(audience string) bool {
		return audience != at.Issuer && (c.Profile != OpenID || audience != at.URL)
	}
	switch {
	case !single && c.Profile != OpenID:
		return Used{}, errors.New("the assertion names its audience in a list")
	case len(claims.Audience) == 0, slices.ContainsFunc(claims.Audience, others):
		return Used{}, errors.New("the assertion is for somebody else")
	case claims.Subject != c.ID:
		return Used{}, errors.New("the assertion is not about the client that sent it")
	case claims.ID == "" || len(claims.ID) > maxJTI:
		return Used{}, errors.New("the assertion has no usable jti")
	}
	if err := claims.Validate(now, c.ID, claims.Audience[0], assertionSkew); err != nil {
		return Used{}, err
	}
	expires := claims.Expiry.Time()
	if expires.After(now.Add(longestAssertion + assertionSkew)) {
		return Used{}, errors.New("the assertion is good for too long")
	}
	return Used{JTI: secret.Value(claims.ID).Hash(), Expires: expires.Add(assertionSkew)}, nil
}
