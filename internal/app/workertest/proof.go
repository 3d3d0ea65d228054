package workertest

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/http"
	"testing"
	"time"

	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// NewKey returns a key to prove requests with, and its thumbprint.
func NewKey(t testing.TB) (crypto.Signer, string) {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	thumbprint, err := jose.Thumbprint(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key, thumbprint
}

// Proof returns a DPoP proof by the client's key for a request, with an access token if
// it is not empty, and with the given claims set instead; nil takes one out.
func (c *Client) Proof(method, address, token string, instead map[string]any) string {
	c.t.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": address, "iat": c.server.Clock.Now().Unix()}
	if token != "" {
		claims["ath"] = oauth.TokenHash(token)
	}
	if c.Nonce != "" {
		claims["nonce"] = c.Nonce
	}
	for name, value := range instead {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	proof, err := jose.SignEmbedded(c.Key, jose.ES256, oauth.TypeDPoP, claims)
	if err != nil {
		c.t.Fatal(err)
	}
	return proof
}

// prove adds a proof to a request, if the client has a key for it.
func (c *Client) prove(req *http.Request, token string) {
	c.t.Helper()
	if c.Key != nil {
		req.Header.Set("DPoP", c.Proof(req.Method, req.URL.Scheme+"://"+req.URL.Host+req.URL.Path, token, nil))
	}
}

// SharedSecret is what the client "shared" signs with, which stands in [SharedClient].
const SharedSecret = "a secret of at least thirty-two bytes"

// SharedClient is a client that signs with its secret, for [Options.Clients].
const SharedClient = `
- {id: shared, secret: "` + SharedSecret + `", auth_method: client_secret_jwt, redirect_uris: ["https://shared.example.com/cb"], trusted: true, grant_types: [authorization_code, refresh_token, client_credentials]}
`

// SharedAssertion returns a fresh assertion that is signed with a secret, with the given
// claims set instead.
func (c *Client) SharedAssertion(by string, instead map[string]any) string {
	c.t.Helper()
	claims := map[string]any{
		"iss": c.ID, "sub": c.ID, "aud": c.server.URL, "jti": rand.Text(), "exp": c.server.Clock.Now().Add(time.Minute).Unix(),
	}
	for name, value := range instead {
		claims[name] = value
	}
	assertion, err := jose.SignSecret([]byte(by), jose.TypeJWT, claims)
	if err != nil {
		c.t.Fatal(err)
	}
	return assertion
}

// MutualURL is where clients reach a server that was started with [Options.Mutual], to
// show it a certificate.
const MutualURL = "https://mtls.example.com"

// Certificate is the certificate of a client, which it has signed itself unless somebody
// else has.
func Certificate(t testing.TB, template *x509.Certificate, by *tls.Certificate) *tls.Certificate {
	t.Helper()
	key, _ := NewKey(t)
	template.SerialNumber = big.NewInt(1)
	template.NotBefore, template.NotAfter = time.Unix(0, 0), time.Unix(1<<32, 0)
	parent, signer := template, key
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey.(crypto.Signer)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// Show lets the client send its requests to where it is asked for a certificate, and
// shows it there; nil shows none.
func (c *Client) Show(cert *tls.Certificate) {
	transport := c.server.transport.Clone()
	transport.TLSClientConfig = transport.TLSClientConfig.Clone()
	if cert != nil {
		transport.TLSClientConfig.Certificates = []tls.Certificate{*cert}
	}
	c.t.Cleanup(transport.CloseIdleConnections)
	agent := *c.agent
	server := *c.server
	server.URL = MutualURL
	agent.server, agent.client = &server, &http.Client{Transport: transport}
	c.agent = &agent
}
