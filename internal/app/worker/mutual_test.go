package worker_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/protocol/certificate"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

const secureIssuer = "https://id.example.com"

// keySetOf is a certificate's key as a client registers it.
func keySetOf(t testing.TB, cert *tls.Certificate) string {
	t.Helper()
	set, err := jose.MarshalForeignJWKS([]jose.Key{{Public: cert.Leaf.PublicKey}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(set)
}

// mutual starts a worker that asks for certificates, with clients that prove themselves
// by one, and returns the certificates of these.
func mutual(t *testing.T) (s *workertest.Server, byAuthority, byItself *tls.Certificate) {
	t.Helper()
	ca := workertest.Certificate(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	byAuthority = workertest.Certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "pki"}, ExtKeyUsage: usage}, ca)
	byItself = workertest.Certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "self"}}, nil)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Leaf.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s = workertest.Start(t, workertest.Options{Issuer: secureIssuer, Mutual: true, Config: "mtls_ca_file: " + file + "\n", Clients: `
- {id: pki, auth_method: tls_client_auth, tls_client_auth_subject_dn: "CN=pki", certificate_bound_tokens: true, redirect_uris: ["https://pki.example.com/cb"], trusted: true, grant_types: [authorization_code, refresh_token, client_credentials]}
- {id: self, auth_method: self_signed_tls_client_auth, jwks: ` + keySetOf(t, byItself) + `, certificate_bound_tokens: true, redirect_uris: ["https://self.example.com/cb"], trusted: true, grant_types: [authorization_code, refresh_token, client_credentials]}
`})
	return s, byAuthority, byItself
}

// withCertificate is a client that shows a certificate.
func withCertificate(t testing.TB, s *workertest.Server, id string, cert *tls.Certificate) *workertest.Client {
	t.Helper()
	c := s.Client(t, id)
	c.Secret = ""
	c.Show(cert)
	return c
}

// Mirrors fapi2-security-profile-final-happy-flow with client authentication mtls and
// sender constraint mtls, and fapi1-advanced-final.
func TestAClientProvesItselfByACertificateAndItsTokensAreBoundToIt(t *testing.T) {
	s, byAuthority, byItself := mutual(t)
	for id, cert := range map[string]*tls.Certificate{"pki": byAuthority, "self": byItself} {
		t.Run(id, func(t *testing.T) {
			c := withCertificate(t, s, id, cert)
			tokens := c.Redeem(s.Client(t, id).Code(s.Browser(t), "code_challenge", string(oauth.ChallengeOf(c.Verifier))))
			cnf, _ := workertest.Claims(t, tokens.AccessToken)["cnf"].(map[string]any)
			if tokens.TokenType != "Bearer" || cnf["x5t#S256"] != certificate.Thumbprint(cert.Leaf) {
				t.Fatalf("token type %q, cnf %v", tokens.TokenType, cnf)
			}
			isOK(t, c.Userinfo(tokens.AccessToken))
			answer := c.Introspect(tokens.AccessToken)
			if cnf, _ := answer["cnf"].(map[string]any); answer["active"] != true || cnf["x5t#S256"] != certificate.Thumbprint(cert.Leaf) {
				t.Errorf("introspection: %v", answer)
			}
			if got := c.Refresh(tokens.RefreshToken); got.Status != http.StatusOK {
				t.Errorf("refresh: %d %s", got.Status, got.Error)
			}
			for name, other := range map[string]*tls.Certificate{"no certificate": nil, "another's": workertest.Certificate(t, &x509.Certificate{}, nil)} {
				thief := withCertificate(t, s, id, other)
				if a := thief.Userinfo(tokens.AccessToken); a.Status != 401 || !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
					t.Errorf("with %s: userinfo %d", name, a.Status)
				}
				if got := thief.Refresh(tokens.RefreshToken); got.Status != 401 || got.Error != "invalid_client" {
					t.Errorf("with %s: refresh %d %s", name, got.Status, got.Error)
				}
				if got := thief.Token("grant_type", "client_credentials"); got.Status != 401 || got.Error != "invalid_client" {
					t.Errorf("with %s: token %d %s", name, got.Status, got.Error)
				}
			}
			if a := s.Client(t, id).Userinfo(tokens.AccessToken); a.Status != 401 {
				t.Errorf("at the address that asks for no certificate: userinfo %d", a.Status)
			}
		})
	}
}

// 1.H 99.
func TestNobodyCanClaimACertificateInAHeader(t *testing.T) {
	s, byAuthority, _ := mutual(t)
	forged := ":" + base64.StdEncoding.EncodeToString(byAuthority.Leaf.Raw) + ":"
	for _, headers := range [][][2]string{
		{{"Client-Cert", forged}},
		{{"Client-Cert", forged}, {"Dex-Proxy-Secret", "dex tests dex tests dex tests dex tests"}}, // but from no proxy of ours
		{{"X-Forwarded-For", "192.0.2.1"}, {"Client-Cert", forged}, {"Dex-Proxy-Secret", "dex tests dex tests dex tests dex tests"}},
	} {
		isError(t, call{path: "/token", form: forItself("client_id", "pki"), headers: headers}.send(t, s), 401, oauth.InvalidClient)
	}
}

func TestWhereCertificatesAreShownThereIsNothingForBrowsers(t *testing.T) {
	s, _, _ := mutual(t)
	c := withCertificate(t, s, "app", nil)
	for _, path := range []string{"/", "/authorize", "/login", "/consent", "/logout", "/keys", "/.well-known/openid-configuration", "/device", "/static/style.css"} {
		if a := c.Send(path, url.Values{}); a.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	c.Secret = "app-secret"
	if got := c.Token("grant_type", "client_credentials"); got.Status != http.StatusOK {
		t.Errorf("a client with a secret: %d %s", got.Status, got.Error)
	}
}

// Mirrors fapi2-security-profile-final-discovery-end-point-verification: what there is for
// certificates and DPoP.
func TestMetadataSaysWhereCertificatesAreShown(t *testing.T) {
	s, _, _ := mutual(t)
	var document map[string]any
	if err := json.Unmarshal([]byte(s.Browser(t).Get("/.well-known/openid-configuration").Body), &document); err != nil {
		t.Fatal(err)
	}
	aliases, _ := document["mtls_endpoint_aliases"].(map[string]any)
	for name, alias := range aliases {
		own, _ := document[name].(string)
		if !strings.HasSuffix(name, "_endpoint") || name == "authorization_endpoint" || alias != strings.Replace(own, secureIssuer, workertest.MutualURL, 1) {
			t.Errorf("%s is at %v, and its alias at %v", name, own, alias)
		}
	}
	for _, name := range []string{"token_endpoint", "userinfo_endpoint", "introspection_endpoint", "revocation_endpoint"} {
		if aliases[name] == nil {
			t.Errorf("%s has no alias", name)
		}
	}
	methods, _ := document["token_endpoint_auth_methods_supported"].([]any)
	for _, want := range []string{"tls_client_auth", "self_signed_tls_client_auth", "client_secret_jwt", "private_key_jwt"} {
		if !containsAny(methods, want) {
			t.Errorf("%s is not among the methods %v", want, methods)
		}
	}
	algs, _ := document["dpop_signing_alg_values_supported"].([]any)
	if document["tls_client_certificate_bound_access_tokens"] != true || !containsAny(algs, "ES256") || !containsAny(algs, "PS256") {
		t.Errorf("bound tokens %v, algorithms of proofs %v", document["tls_client_certificate_bound_access_tokens"], algs)
	}
}

func containsAny(list []any, want string) bool {
	for _, v := range list {
		if v == want {
			return true
		}
	}
	return false
}

// Mirrors the OpenID plans with client_secret_jwt.
func TestAClientSignsWithItsSecret(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: workertest.SharedClient})
	c := s.Client(t, "shared")
	if tokens := c.Obtain(); !c.Active(tokens.AccessToken) {
		t.Error("its token is not active")
	}
	good := asserting(c.SharedAssertion(workertest.SharedSecret, nil))
	isOK(t, call{path: "/token", form: forItself(good...)}.send(t, s))
	for name, form := range map[string][]string{
		"the same again":     good,
		"by another secret":  asserting(c.SharedAssertion("a secret of at least thirty-two bites", nil)),
		"for another server": asserting(c.SharedAssertion(workertest.SharedSecret, map[string]any{"aud": "https://evil.example.com"})),
		"the secret itself":  {"client_id", "shared", "client_secret", workertest.SharedSecret},
		"nothing but its id": {"client_id", "shared"},
	} {
		if a := (call{path: "/token", form: forItself(form...)}).send(t, s); a.Status != 401 || !strings.Contains(a.Body, "invalid_client") {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}
