package attack

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/base/secret"
	"dex/internal/connector/connectortest"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
)

// world is the worker that is attacked, and those whom it trusts.
type world struct {
	t testing.TB
	s *workertest.Server

	ed, ec, rs, shared key // of clients
	issuer             key // of software statements, and of another issuer's word
	mine               key // of the worker
	strangers          map[string]key
	ours               jose.EncryptionKey // that others encrypt to

	byAuthority, byItself, stranger *tls.Certificate
	ca                              *tls.Certificate

	up      *connectortest.Provider
	initial string // initial access token
	tokens  map[string]workertest.Tokens
	ann     *workertest.Browser // who is signed in
	canary  string              // an address that nobody may ask
	sang    atomic.Int64
	log     *logged
}

// logged is the worker's log.
type logged struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

// took returns what was logged, and forgets it.
func (l *logged) took() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.Reset()
	return l.String()
}

const (
	issuer       = "https://id.example.com"
	ciba         = "urn:openid:params:grant-type:ciba"
	exchange     = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessToken  = "urn:ietf:params:oauth:token-type:access_token"
	proxySecret  = "dex tests dex tests dex tests dex tests"
	statedIssuer = "https://software.example.com"
	jwtBearer    = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	idToken      = "urn:ietf:params:oauth:token-type:id_token"

	vouchingIssuer = "https://ci.example.com"
	leavingIssuer  = "https://login.example.com"
)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, log: &logged{}, tokens: map[string]workertest.Tokens{}}
	w.ed = newKey(t, jose.EdDSA, "ed")
	w.ec, w.rs, w.issuer = newKey(t, jose.ES256, "ec"), newKey(t, jose.RS256, "rs"), newKey(t, jose.ES256, "issuer")
	w.shared = key{alg: hs256, secret: []byte(workertest.SharedSecret)}
	w.strangers = map[string]key{
		"OKP": newKey(t, jose.EdDSA, "ed"), "EC": newKey(t, jose.ES256, "ec"), "RSA": newKey(t, jose.RS256, "rs"),
		"oct": {alg: hs256, secret: []byte("another secret of at least thirty-two bytes")},
	}
	w.ca = workertest.Certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	w.byAuthority = workertest.Certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "pki"}, ExtKeyUsage: usage}, w.ca)
	w.byItself = workertest.Certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "self"}}, nil)
	w.stranger = workertest.Certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "pki"}, ExtKeyUsage: usage}, nil)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.ca.Leaf.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	bird := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { w.sang.Add(1) }))
	t.Cleanup(bird.Close)
	w.canary = bird.URL + "/keys"

	clock := newClock()
	w.up = connectortest.NewProvider(t, clock)
	upstream := text(object{"issuer": w.up.Issuer, "client_id": w.up.ClientID, "client_secret": w.up.ClientSecret})
	builds := text(object{
		"issuer": vouchingIssuer, "login": false, "accepts": []string{"jwt_bearer", "id_token", "id_jag"}, "audiences": []string{"builds"}, "jwks": set(w.issuer.public()),
	})
	leaving := text(object{"issuer": leavingIssuer, "client_id": "us", "client_secret": "us-secret", "jwks": set(w.issuer.public())})
	jwks := func(keys ...object) string { return text(set(keys...)) }
	self := publicJWK(w.byItself.Leaf.PublicKey, "")
	w.s = workertest.Start(t, workertest.Options{
		Clock: clock, Issuer: issuer, Mutual: true, Log: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Config: "mtls_ca_file: " + ca + "\noutbound_allow_private: [127.0.0.0/8]\n" +
			"keys: {encryption: [ECDH-ES, RSA-OAEP]}\n" +
			"connectors:\n- {id: local, kind: local, name: Password}\n- {id: far, kind: oidc, name: Far, config: " + upstream + "}\n" +
			"- {id: builds, kind: oidc, name: Builds, config: " + builds + "}\n" +
			"- {id: leaving, kind: oidc, name: Leaving, config: " + leaving + "}\n",
		Clients: workertest.OperatorClients + workertest.SharedClient + `
- {id: ed, auth_method: private_key_jwt, jwks: ` + jwks(w.ed.public()) + `, grant_types: [client_credentials]}
- {id: ec, auth_method: private_key_jwt, jwks: ` + jwks(w.ec.public()) + `, trusted: true, redirect_uris: ["https://ec.example.com/cb"], grant_types: [authorization_code, client_credentials]}
- {id: rs, auth_method: private_key_jwt, jwks: ` + jwks(w.rs.public()) + `, grant_types: [client_credentials]}
- {id: open, profile: openid, secret: open-secret, jwks: ` + jwks(w.ec.public()) + `, request_object_alg: ES256, trusted: true, redirect_uris: ["https://open.example.com/cb"]}
- {id: caller, secret: caller-secret, jwks: ` + jwks(w.ec.public()) + `, grant_types: ["` + ciba + `"], ciba_mode: poll, ciba_request_alg: ES256, scopes: [openid]}
- {id: hinter, secret: hinter-secret, trusted: true, redirect_uris: ["https://hinter.example.com/cb"], grant_types: [authorization_code, "` + ciba + `"], ciba_mode: poll, scopes: [openid]}
- {id: orders, secret: orders-secret, trusted: true, redirect_uris: ["https://orders.example.com/cb"], grant_types: [authorization_code, "` + exchange + `"], scopes: [openid, read]}
- {id: builder, secret: builder-secret, trusted: true, connectors: [builds], grant_types: ["` + jwtBearer + `", "` + exchange + `"], scopes: [read]}
- {id: pki, auth_method: tls_client_auth, tls_client_auth_subject_dn: "CN=pki", grant_types: [client_credentials]}
- {id: self, auth_method: self_signed_tls_client_auth, jwks: ` + jwks(self) + `, grant_types: [client_credentials]}
`,
	})
	w.register()
	w.findOurs()
	return w
}

// register lets clients register themselves, and believes one issuer of statements.
func (w *world) register() {
	w.t.Helper()
	token, now := secret.New(secret.InitialPrefix), w.s.Clock.Now()
	by := audit.By{Actor: "test", At: now}
	err := w.s.Tenant.AddInitialToken(w.t.Context(), client.InitialToken{ID: client.NewInitialTokenID(), UsesLeft: 1000, ExpiresAt: now.Add(time.Hour)}, token.Hash(), by)
	if err != nil {
		w.t.Fatal(err)
	}
	policy, err := w.s.Tenant.Registration(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	policy.Admission = tenant.AdmitInvited
	policy.Statements = []tenant.StatementIssuer{{Issuer: statedIssuer, JWKS: json.RawMessage(text(set(w.issuer.public())))}}
	if _, err := w.s.Tenant.SetRegistration(w.t.Context(), policy, policy.Version, by); err != nil {
		w.t.Fatal(err)
	}
	w.initial = string(token)
}

// findOurs takes the keys of the worker itself, so that what is played to it is wrong in
// nothing but what the table says.
func (w *world) findOurs() {
	w.t.Helper()
	keys, err := w.s.Tenant.SigningKeys(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	now := w.s.Clock.Now()
	for _, k := range keys {
		one := key{kid: k.ID, alg: k.Alg, private: k.Private}
		switch {
		case k.SignFrom.After(now):
		case k.Alg == jose.ES256:
			w.mine = one
		case k.Alg == jose.EncryptEC:
			w.ours = jose.EncryptionKey{KID: k.ID, Alg: jose.ECDHES, Public: k.Public}
		}
	}
	if w.mine.private == nil || w.ours.Public == nil {
		w.t.Fatalf("the worker has too few keys: %d", len(keys))
	}
}

// of returns the tokens that ann has by a client.
func (w *world) of(id string) workertest.Tokens {
	w.t.Helper()
	if _, ok := w.tokens[id]; !ok {
		c := w.s.Client(w.t, id)
		if w.ann == nil {
			w.ann = w.s.Browser(w.t)
		}
		scope := map[string]string{"ops": workertest.AllScopes, "orders": "openid read"}[id]
		if scope == "" {
			scope = "openid"
		}
		w.tokens[id] = c.Redeem(c.Code(w.ann, "scope", scope, "connector_id", "local"))
		if w.tokens[id].AccessToken == "" {
			w.t.Fatalf("no token by %s: %+v", id, w.tokens[id])
		}
	}
	return w.tokens[id]
}

// answer is what the worker has answered.
type answer struct {
	*httptest.ResponseRecorder
}

// said returns the status and the error code of an answer in JSON.
func (a answer) said() string {
	var told struct{ Error string }
	_ = json.Unmarshal(a.Body.Bytes(), &told) // a page tells no code
	return strings.TrimSpace(http.StatusText(a.Code) + " " + told.Error)
}

// ask sends a request past the network, which does not let all of them pass. The headers
// are pairs.
func (w *world) ask(method, target string, form url.Values, headers ...string) answer {
	w.t.Helper()
	return w.serve(w.s.Worker.Handler(), method, w.s.URL+target, form.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

func (w *world) serve(h http.Handler, method, address, body string, headers ...string) answer {
	w.t.Helper()
	var r *http.Request
	if method == http.MethodGet {
		r = httptest.NewRequest(method, address, http.NoBody)
	} else {
		r = httptest.NewRequest(method, address, strings.NewReader(body))
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	a := answer{httptest.NewRecorder()}
	h.ServeHTTP(a, r)
	return a
}

// basic is the header of a client that proves itself by its secret.
func basic(id string) []string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(id, id+"-secret")
	return []string{"Authorization", r.Header.Get("Authorization")}
}

// soon are the claims of something that is good for a minute.
func (w *world) soon(issuer string, aud any) object {
	now := w.s.Clock.Now().Unix()
	return object{"iss": issuer, "aud": aud, "iat": now, "nbf": now, "exp": now + 60, "jti": rand.Text()}
}

// by returns a token of somebody to be changed.
func (w *world) by(k key, typ string, body object) token {
	head := object{"alg": k.alg}
	if typ != "" {
		head["typ"] = typ
	}
	if k.kid != "" {
		head["kid"] = k.kid
	}
	stranger := w.strangers[k.kind()]
	stranger.alg = k.alg
	return token{head: head, body: body, key: k, stranger: stranger}
}

// again returns what a token of ours says, to be signed by a key of ours: one of the
// elliptic kind, which costs less than RSA.
func (w *world) again(k key, issued string) token {
	w.t.Helper()
	parts := strings.Split(issued, ".")
	t := w.by(k, "", nil)
	for i, into := range []*object{&t.head, &t.body} {
		raw, err := b64decode(parts[i])
		if err != nil {
			w.t.Fatal(err)
		}
		*into = object{}
		if err := json.Unmarshal(raw, into); err != nil {
			w.t.Fatal(err)
		}
	}
	t.head["alg"], t.head["kid"] = k.alg, k.kid
	return t
}
