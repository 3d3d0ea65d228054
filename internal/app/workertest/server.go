// Package workertest runs a whole worker within a test, on a real database and a
// clock that the test moves, and drives it as browsers and clients do.
package workertest

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dex/internal/admin/api"
	"dex/internal/app/config"
	"dex/internal/app/worker"
	"dex/internal/base/clock"
	"dex/internal/base/httpx"
	"dex/internal/connector"
	"dex/internal/domain/credential"
	"dex/internal/domain/tenant"
	"dex/internal/store"
	"dex/internal/store/storetest"
)

// Server is a worker under test.
type Server struct {
	URL    string // the issuer
	Admin  string // the address of the administrators' API
	Clock  *clock.Fake
	DB     *store.DB
	Tenant *store.Tenant
	Worker *worker.Worker

	transport *http.Transport
	operators *http.Client // for the administrators' API
	address   string       // of the listener
	mutual    string       // the address of the listener that asks for certificates
}

// Options change what [Start] starts.
type Options struct {
	// Config is YAML that stands behind the clients and users of [BaseConfig]. It may
	// hold any settings but the issuer.
	Config string
	// Clients are more items of the list of clients in [BaseConfig].
	Clients string
	// Bare leaves the clients and users of [BaseConfig] out.
	Bare bool
	// Clock and DB are shared with another server; nil is a fresh one of each.
	Clock *clock.Fake
	DB    *store.DB
	// Issuer is the issuer of the server that this one is a second worker of, or any
	// other that leads here; with https the server speaks TLS.
	Issuer string
	Kinds  []connector.Kind
	// Hasher is of passwords; nil is one that costs next to nothing.
	Hasher *credential.Argon2
	Log    *slog.Logger
	// Mutual adds a listener that asks clients for certificates, reached at [MutualURL].
	// The issuer must be one of https.
	Mutual bool
	// AdminRate is how much one operator may ask of the administrators' API; zero is
	// as much as a test likes.
	AdminRate api.Rate
	// Farewell is how long somebody who signs out waits for applications; zero is the
	// default.
	Farewell time.Duration
}

// Password is the password of every user in [BaseConfig].
const Password = "correct horse battery"

// PasswordHash is the argon2id hash of [Password], of a cost that suits tests.
const PasswordHash = "$argon2id$v=19$m=8,t=1,p=1$rReuIqn8aUnaBpJ5hSKWlg$JL8H5UXJjDLuvtD/E/FuuCncMcetafCOHthu7sCA6YA"

// BaseConfig is who and what there is in most tests: applications of each kind, and
// two people. The secret of every confidential client is its id and "-secret".
const BaseConfig = `
clients:
- {id: app, name: Application, secret: app-secret, redirect_uris: ["https://app.example.com/cb"], post_logout_redirect_uris: ["https://app.example.com/bye"], trusted: true, grant_types: [authorization_code, refresh_token, client_credentials], scopes: [openid, profile, email, address, phone, groups, offline_access, api]}
- {id: asks, name: Asking application, secret: asks-secret, redirect_uris: ["https://asks.example.com/cb", "https://asks.example.com/other?x=1"]}
- {id: other, name: Other application, secret: other-secret, redirect_uris: ["https://other.example.com/cb"], trusted: true, trusted_peers: [app]}
- {id: post, name: Post, secret: post-secret, auth_method: client_secret_post, redirect_uris: ["https://post.example.com/cb"], trusted: true}
- {id: spa, name: Browser application, public: true, redirect_uris: ["https://spa.example.com/cb"], allowed_origins: ["https://spa.example.com"], trusted: true}
- {id: native, name: Native application, public: true, native: true, redirect_uris: ["http://127.0.0.1/cb", "http://[::1]/cb", "com.example.native:/cb"], trusted: true}
- {id: es256, name: ES256, secret: es256-secret, redirect_uris: ["https://es256.example.com/cb"], trusted: true, id_token_alg: ES256}
- {id: eddsa, name: EdDSA, secret: eddsa-secret, redirect_uris: ["https://eddsa.example.com/cb"], trusted: true, id_token_alg: EdDSA}
- {id: certified, name: Certified, profile: openid, secret: certified-secret, redirect_uris: ["https://certified.example.com/cb"], trusted: true}
- {id: jwt, name: Signing application, jwks: {keys: [{kty: OKP, crv: Ed25519, alg: EdDSA, kid: jwt-1, x: JB2OOGUWFAx7fAMZ95IDEu8WRQYuKJ_DgB8XNR9FQRQ}]}, redirect_uris: ["https://jwt.example.com/cb"], trusted: true, allowed_origins: ["https://jwt.example.com"], grant_types: [authorization_code, refresh_token, client_credentials]}
- {id: admins, name: For admins, secret: admins-secret, redirect_uris: ["https://admins.example.com/cb"], trusted: true, groups: [admins]}
users:
- {id: ann, username: ann, email: ann@example.com, email_verified: true, name: Ann Example, given_name: Ann, family_name: Example, locale: en, groups: [admins, staff], password_hash: "` + PasswordHash + `"}
- {id: ben, username: ben, email: ben@example.com, email_verified: true, name: Ben Beispiel, groups: [staff], password_hash: "` + PasswordHash + `"}
`

// Start starts a worker. It is stopped when the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		URL: "http://" + listener.Addr().String(), Clock: o.Clock, DB: o.DB,
		transport: &http.Transport{MaxIdleConnsPerHost: 64}, address: listener.Addr().String(),
	}
	t.Cleanup(s.transport.CloseIdleConnections)
	if o.Issuer != "" {
		s.URL = o.Issuer
	}
	// The address of the issuer leads to this server for whoever uses its transport.
	s.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		if s.mutual != "" && strings.HasPrefix("https://"+address, MutualURL) {
			return d.DialContext(ctx, network, s.mutual)
		}
		return d.DialContext(ctx, network, s.address)
	}
	if o.AdminRate == (api.Rate{}) {
		o.AdminRate = api.Rate{PerSecond: 1e6, Burst: 1e6}
	}
	if o.Hasher == nil {
		o.Hasher = credential.NewSparing()
	}
	if s.Clock == nil {
		s.Clock = &clock.Fake{}
	}
	if s.DB == nil {
		s.DB = storetest.Open(t, storetest.WithClock(s.Clock))
	}
	beside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Admin = "http://" + beside.Addr().String()
	s.Worker, err = worker.New(Settings(t, s.URL, o), worker.Options{
		Clock: s.Clock, DB: s.DB, Kinds: o.Kinds, Log: o.Log, AdminAddress: s.Admin, AdminRate: o.AdminRate,
		Farewell: o.Farewell, Hasher: o.Hasher,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Worker.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Tenant, err = s.DB.Tenant(t.Context(), tenant.Default); err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: s.Worker.Handler()}}
	if strings.HasPrefix(s.URL, "https:") {
		server.StartTLS()
		trusted := server.Client().Transport.(*http.Transport).TLSClientConfig
		s.transport.TLSClientConfig = &tls.Config{RootCAs: trusted.RootCAs, ServerName: "example.com"}
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	if o.Mutual {
		s.mutual = s.askForCertificates(t)
	}
	operators := &httptest.Server{Listener: beside, Config: &http.Server{Handler: s.Worker.AdminHandler()}}
	operators.Start()
	t.Cleanup(operators.Close)
	s.operators = operators.Client()
	return s
}

// mutualConfig are the settings of a server that asks clients for certificates.
const mutualConfig = `
mtls_url: ` + MutualURL + `
forwarded_certificates_secret: dex tests dex tests dex tests dex tests
trusted_proxies: [192.0.2.0/24]
`

// askForCertificates opens a listener that asks clients for certificates.
func (s *Server) askForCertificates(t testing.TB) string {
	t.Helper()
	mutual := httptest.NewUnstartedServer(s.Worker.Handler())
	mutual.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	mutual.StartTLS()
	t.Cleanup(mutual.Close)
	return mutual.Listener.Addr().String()
}

// Address is where the server listens, whatever its issuer is called.
func (s *Server) Address() string { return s.address }

// Neighbour makes another tenant of the same worker, with clients and people that
// are called the same and have the same secrets, and returns the server as those
// know it who come by the other issuer.
func (s *Server) Neighbour(t testing.TB, id, issuer string) *Server {
	t.Helper()
	tn, err := s.DB.EnsureTenant(t.Context(), id, issuer)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Worker.DeclareFor(t.Context(), tn); err != nil {
		t.Fatal(err)
	}
	if err := s.Worker.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := *s
	other.URL, other.Tenant = issuer, tn
	return &other
}

// origin is that of the issuer.
func (s *Server) origin() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return s.URL
	}
	return httpx.Origin(u)
}

// Advance moves the clock, and lets the worker do what it would have done meanwhile
// beside the requests.
func (s *Server) Advance(t testing.TB, d time.Duration) {
	t.Helper()
	s.Clock.Advance(d)
	if err := s.Worker.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Settings returns the settings of a worker under test.
func Settings(t testing.TB, issuer string, o Options) *config.Settings {
	t.Helper()
	text := fmt.Sprintf("issuer: %s\nkey_secrets: [\"ZGV4IHRlc3RzIGRleCB0ZXN0cyBkZXggdGVzdHMgMTI=\"]\ndb: sqlite:unused\n", issuer)
	if !o.Bare {
		text += strings.Replace(BaseConfig, "users:\n", strings.TrimLeft(o.Clients, "\n")+"users:\n", 1)
	}
	if o.Mutual {
		text += mutualConfig
	}
	file := filepath.Join(t.TempDir(), "dex.yaml")
	if err := os.WriteFile(file, []byte(text+o.Config), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, err := config.Load(config.Source{Environ: []string{config.EnvPrefix + "CONFIG=" + file}})
	if err != nil {
		t.Fatal(err)
	}
	return settings
}
