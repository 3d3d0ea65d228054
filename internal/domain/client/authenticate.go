package client

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"dex/internal/base/route"
	"dex/internal/base/secret"
	"dex/internal/protocol/certificate"
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

// Endpoint is where a client authenticates itself, which is what its assertion must be
// made for, and by which connection it has come.
type Endpoint struct {
	Issuer string
	Bases  []string // under each of which our routes can be reached
	Path   string   // of the endpoint, below each of them

	Certificates []*x509.Certificate // that the client has shown, its own first
	Authorities  *x509.CertPool      // who vouch for certificates; nil for nobody
}

// reached returns the addresses at which a route can be reached.
func (e Endpoint) reached(path string) []string {
	all := make([]string, len(e.Bases))
	for i, base := range e.Bases {
		all[i] = base + path
	}
	return all
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
	case cred.Method != c.AuthMethod.Presented():
		return Used{}, fmt.Errorf("the client used %s, but is registered for %s", cred.Method, c.AuthMethod)
	}
	switch c.AuthMethod {
	case oauth.AuthSecretBasic, oauth.AuthSecretPost:
		return Used{}, checkSecret(c, cred.Secret)
	case oauth.AuthPrivateKeyJWT, oauth.AuthSecretJWT:
		return checkAssertion(c, cred.Assertion, at, now)
	case oauth.AuthTLS, oauth.AuthSelfSignedTLS:
		return Used{}, checkCertificate(c, at, now)
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

// AssertionAlgs returns what clients may sign their assertions with, for metadata.
func AssertionAlgs() []jose.Algorithm { return append(slices.Clone(assertionAlgs), jose.HS256) }

// assertionAlgs returns what the client may sign its assertions with: what it has
// registered, or whatever its profile allows.
func (c Client) assertionAlgs() []jose.Algorithm {
	if c.AuthAlg != "" {
		return []jose.Algorithm{c.AuthAlg}
	}
	return slices.DeleteFunc(slices.Clone(assertionAlgs), func(a jose.Algorithm) bool { return !c.Profile.Demands().Allows(a) })
}

// checkAssertion checks a client assertion, RFC 7523 section 3.
func checkAssertion(c Client, assertion string, at Endpoint, now time.Time) (Used, error) {
	payload, err := signedBy(c, assertion)
	if err != nil {
		return Used{}, err
	}
	var claims jose.Claims
	if err := jose.Unmarshal(payload, &claims); err != nil {
		return Used{}, err
	}
	switch {
	case !isFor(c.Profile.Demands().Audiences, payload, claims.Audience, at):
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

// signedBy returns what an assertion says, if the client has signed it: with one of its
// keys, or with a secret that both of us know. Which of these is registered; the
// assertion has no say in it.
func signedBy(c Client, assertion string) ([]byte, error) {
	if c.AuthMethod == oauth.AuthSecretJWT {
		shared := make([][]byte, len(c.Shared))
		for i, v := range c.Shared {
			shared[i] = []byte(v)
		}
		payload, _, err := jose.VerifySecret(assertion, assertionTypes, shared...)
		return payload, err
	}
	payload, _, err := jose.Verify(assertion, c.assertionAlgs(), assertionTypes, c.keysFor)
	return payload, err
}

// isFor reports whether an assertion is made for us and nobody else, so that no other
// server can play it to us. How we may be called depends on the profile.
func isFor(by Audiences, payload []byte, audience jose.Audience, at Endpoint) bool {
	ours := []string{at.Issuer}
	switch by {
	case AudienceIssuer:
		if _, single := jose.SingleAudience(payload); !single {
			return false
		}
	case AudienceToken:
		ours = append(ours, at.reached(route.Token)...)
	case AudienceEndpoint:
		ours = append(append(ours, at.reached(route.Token)...), at.reached(at.Path)...)
	}
	return len(audience) > 0 && !slices.ContainsFunc(audience, func(a string) bool { return !slices.Contains(ours, a) })
}

// checkCertificate checks the certificate of the connection, RFC 8705 section 2. That the
// client holds its key is proven already.
func checkCertificate(c Client, at Endpoint, now time.Time) error {
	if len(at.Certificates) == 0 {
		return errors.New("the client has shown no certificate")
	}
	own := at.Certificates[0]
	if c.AuthMethod == oauth.AuthSelfSignedTLS {
		// Nobody vouches for it: that its key is registered is all that counts.
		public, ok := own.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !slices.ContainsFunc(c.Keys, func(k jose.Key) bool { return public.Equal(k.Public) }) {
			return errors.New("the certificate is of none of the client's keys")
		}
		return nil
	}
	if at.Authorities == nil {
		return errors.New("there is no authority that could vouch for a certificate")
	}
	between := x509.NewCertPool()
	for _, cert := range at.Certificates[1:] {
		between.AddCert(cert)
	}
	_, err := own.Verify(x509.VerifyOptions{
		Roots: at.Authorities, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return err
	}
	if !certificate.Names(c.TLSAuth).Match(own) {
		return errors.New("the certificate is another's")
	}
	return nil
}

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
