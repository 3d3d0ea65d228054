package client

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"dex/internal/base/secret"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

const tokenURL = "https://id.example.com/token"

// Mirrors fapi2-security-profile-final-client-assertion-aud-…, fapi1-advanced-final-…-aud
// and oidcc-…-private-key-jwt: whom an assertion may be for.
func TestWhomAnAssertionIsForDependsOnTheProfile(t *testing.T) {
	const issuer, endpoint = "https://id.example.com", "https://id.example.com/par"
	const mtlsToken, mtlsEndpoint = "https://mtls.example.com/token", "https://mtls.example.com/par"
	for _, tt := range []struct {
		name string
		aud  any
		by   []Profile // whose assertion counts
	}{
		{"the issuer", issuer, Profiles},
		{"the issuer in a list", []string{issuer}, []Profile{OpenID, FAPI1}},
		{"the token endpoint", tokenURL, []Profile{OpenID, FAPI1}},
		{"the token endpoint by its other address", mtlsToken, []Profile{OpenID, FAPI1}},
		{"the endpoint that it is sent to", endpoint, []Profile{FAPI1}},
		{"that endpoint by its other address", mtlsEndpoint, []Profile{FAPI1}},
		{"all of these in a list", []string{issuer, tokenURL, endpoint, mtlsEndpoint}, []Profile{FAPI1}},
		{"another server beside us", []string{issuer, "https://evil.example.com"}, nil},
		{"another endpoint", "https://id.example.com/introspect", nil},
		{"nobody", nil, nil},
	} {
		for _, p := range Profiles {
			_, err := Authenticate(signing(p), oauth.Credentials{
				Method: oauth.AuthPrivateKeyJWT, ClientID: "app", Assertion: assertion(t, claim("aud", tt.aud)),
			}, here, now)
			want := false
			for _, other := range tt.by {
				want = want || other == p
			}
			if (err == nil) != want {
				t.Errorf("%s, with the profile %s: %v", tt.name, p, err)
			}
		}
	}
}

// Mirrors fapi2-security-profile-final-ensure-client-assertion-signed-with-RS256-fails.
func TestWhatAnAssertionIsSignedWithDependsOnProfileAndClient(t *testing.T) {
	for _, tt := range []struct {
		name    string
		alg     string
		key     string
		profile Profile
		only    jose.Algorithm
		want    bool
	}{
		{"RS256", "RS256", "rsa", Standard, "", true},
		{"RS256 in FAPI 1", "RS256", "rsa", FAPI1, "", false},
		{"RS256 in FAPI 2", "RS256", "rsa", FAPI2, "", false},
		{"PS256 in FAPI 2", "PS256", "rsa", FAPI2, "", true},
		{"EdDSA in FAPI 2", "EdDSA", "ed", FAPI2, "", true},
		{"ES384 in FAPI 2", "ES384", "ec384", FAPI2, "", false},
		{"what is registered", "PS256", "rsa", Standard, jose.PS256, true},
		{"another than is registered", "RS256", "rsa", Standard, jose.PS256, false},
	} {
		c := signing(tt.profile)
		c.AuthAlg = tt.only
		_, err := Authenticate(c, oauth.Credentials{
			Method: oauth.AuthPrivateKeyJWT, ClientID: "app", Assertion: assertion(t, with(tt.alg, tt.key, tt.key)),
		}, here, now)
		if (err == nil) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Mirrors the client_secret_jwt variant of the OpenID plans.
func TestAClientCanSignWithItsSecret(t *testing.T) {
	const old, young = "a secret of at least thirty-two bytes", "another secret of thirty-two bytes."
	c := Client{ID: "app", AuthMethod: oauth.AuthSecretJWT}
	c.AddSecret(old)
	c.AddSecret(young)
	kept := Client{ID: "app", AuthMethod: oauth.AuthSecretBasic}
	kept.AddSecret(old)
	if len(kept.Shared) > 0 {
		t.Error("a secret is kept that nobody signs with")
	}
	byHash := c
	byHash.Shared = []secret.Value{secret.Value(string(c.Secrets[0][:]))}
	signed := func(by string) string {
		text, err := jose.SignSecret([]byte(by), jose.TypeJWT, map[string]any{
			"iss": "app", "sub": "app", "aud": here.Issuer, "jti": "one", "exp": now.Add(time.Minute).Unix(),
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	keyed := signing(Standard)
	both := keyed
	both.AuthMethod, both.Shared = oauth.AuthSecretJWT, []secret.Value{old}
	for _, tt := range []struct {
		name      string
		client    Client
		assertion string
		want      bool
	}{
		{"its secret", c, signed(old), true},
		{"its next secret", c, signed(young), true},
		{"another secret", c, signed("a secret of at least thirty-two bites"), false},
		{"its secret, of which only the hash is kept", byHash, signed(old), false},
		{"its secret, registered for a key", keyed, signed(old), false},
		{"its key, registered for a secret", both, assertion(t), false},
		{"its secret, registered for the header", kept, signed(old), false},
		{"a MAC by its public key", both, confused(t, "HS256"), false},
	} {
		used, err := Authenticate(tt.client, oauth.Credentials{Method: oauth.AuthPrivateKeyJWT, ClientID: "app", Assertion: tt.assertion}, here, now)
		if (err == nil) != tt.want || (used != Used{}) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// issued is a certificate for a key, by an authority or by itself.
func issued(t testing.TB, key crypto.Signer, name string, usage x509.ExtKeyUsage, parent *x509.Certificate, by crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		BasicConstraintsValid: true, IsCA: parent == nil, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	if parent == nil {
		parent, by, template.ExtKeyUsage = template, key, nil
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Mirrors the variants mtls (tls_client_auth and self_signed_tls_client_auth).
func TestAClientCanProveItselfByItsCertificate(t *testing.T) {
	ca, other := issued(t, signers()["ec384"], "CA", 0, nil, nil), issued(t, signers()["ec521"], "CA", 0, nil, nil)
	client, server := x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth
	good := issued(t, signers()["ec"], "app", client, ca, signers()["ec384"])
	self := issued(t, signers()["ec"], "whatever", client, nil, nil)
	authorities := x509.NewCertPool()
	authorities.AddCert(ca)
	byName := Client{ID: "app", AuthMethod: oauth.AuthTLS, TLSAuth: TLSAuth{SubjectDN: "CN=app"}}
	byKey := signing(FAPI2)
	byKey.AuthMethod = oauth.AuthSelfSignedTLS
	keyed := signing(Standard)
	nothing := oauth.Credentials{Method: oauth.AuthNone, ClientID: "app"}
	for _, tt := range []struct {
		name   string
		client Client
		certs  []*x509.Certificate
		want   bool
	}{
		{"by an authority", byName, []*x509.Certificate{good}, true},
		{"with more in the chain", byName, []*x509.Certificate{good, other}, true},
		{"none", byName, nil, false},
		{"by another authority", byName, []*x509.Certificate{issued(t, signers()["ec"], "app", client, other, signers()["ec521"])}, false},
		{"by itself, in the name of one", byName, []*x509.Certificate{self}, false},
		{"behind another's", byName, []*x509.Certificate{self, good}, false},
		{"in another name", byName, []*x509.Certificate{issued(t, signers()["ec"], "other", client, ca, signers()["ec384"])}, false},
		{"of a server", byName, []*x509.Certificate{issued(t, signers()["ec"], "app", server, ca, signers()["ec384"])}, false},
		{"by itself, of a registered key", byKey, []*x509.Certificate{self}, true},
		{"by an authority, of a registered key", byKey, []*x509.Certificate{good}, true},
		{"by itself, of another key", byKey, []*x509.Certificate{issued(t, signers()["stranger"], "app", client, nil, nil)}, false},
		{"none, of a client with keys", byKey, nil, false},
		{"registered for an assertion", keyed, []*x509.Certificate{self}, false},
	} {
		at := here
		at.Certificates, at.Authorities = tt.certs, authorities
		if _, err := Authenticate(tt.client, nothing, at, now); (err == nil) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	at := here
	at.Certificates, at.Authorities = []*x509.Certificate{good}, authorities
	if _, err := Authenticate(byName, nothing, at, now.Add(2*time.Hour)); err == nil {
		t.Error("a certificate counts that has expired")
	}
	if _, err := Authenticate(byName, oauth.Credentials{Method: oauth.AuthSecretPost, ClientID: "app", Secret: "x"}, at, now); err == nil {
		t.Error("a client proves itself in two ways")
	}
	at.Authorities = nil
	if _, err := Authenticate(byName, nothing, at, now); err == nil {
		t.Error("a certificate counts that nobody vouches for")
	}
}
