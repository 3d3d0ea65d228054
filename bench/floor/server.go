package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"dex/bench/load"
)

// The lifetimes, in seconds.
const (
	codeLife    = 60
	tokenLife   = 600
	sessionLife = 24 * 3600
	familyLife  = 30 * 24 * 3600
)

// server is the floor with all that it keeps in memory.
type server struct {
	issuer    string
	store     *store
	keys      keys
	discovery []byte
	jwks      []byte
	mac       []byte
	clients   map[string]client
	users     map[string]user
	hashing   chan struct{} // nil if passwords are not hashed
	salt      []byte
	hash      []byte
}

type client struct {
	id, redirectURI, header string
	secret                  [32]byte
}

type user struct{ id, email, name string }

const password = "password"

// newServer returns a server with the clients and users of bench/dex.yaml.
func newServer(issuer, hash string, store *store) (*server, error) {
	s := &server{issuer: issuer, store: store, clients: map[string]client{}, users: map[string]user{}}
	for id, header := range map[string]string{"bench": headerRS256, "bench-es256": headerES256} {
		s.clients[id] = client{
			id: id, redirectURI: "http://127.0.0.1:5599/callback", header: header,
			secret: sha256.Sum256([]byte("bench-secret")),
		}
	}
	s.clients[load.KeyClient] = client{id: load.KeyClient}
	for i := range 100 {
		u := user{id: fmt.Sprintf("u%d", i+1), email: fmt.Sprintf("user%d@example.com", i+1), name: fmt.Sprintf("User %d", i+1)}
		s.users[u.email], s.users[u.id] = u, u
	}
	s.mac, s.salt = []byte(rand.Text()), []byte(rand.Text())[:16]
	switch hash {
	case "none":
	case "argon2id":
		// As many at once as there are processors: more would only take memory.
		s.hashing = make(chan struct{}, runtime.GOMAXPROCS(0))
		s.hash = s.derive(password)
	default:
		return nil, fmt.Errorf("no way to hash: %q", hash)
	}
	var err error
	if s.keys, err = newKeys(); err != nil {
		return nil, err
	}
	if s.jwks, err = s.keys.document(); err != nil {
		return nil, err
	}
	s.discovery, err = json.Marshal(s.metadata())
	return s, err
}

func (s *server) metadata() map[string]any {
	return map[string]any{
		"issuer":                                s.issuer,
		"authorization_endpoint":                s.issuer + "/authorize",
		"token_endpoint":                        s.issuer + "/token",
		"jwks_uri":                              s.issuer + "/keys",
		"userinfo_endpoint":                     s.issuer + "/userinfo",
		"introspection_endpoint":                s.issuer + "/introspect",
		"pushed_authorization_request_endpoint": s.issuer + "/par",
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
	}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { send(w, s.discovery) })
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { send(w, s.jwks) })
	mux.HandleFunc("GET /authorize", answer(s.authorize))
	mux.HandleFunc("POST /login", answer(s.login))
	mux.HandleFunc("POST /token", answer(s.token))
	mux.HandleFunc("GET /userinfo", answer(s.userinfo))
	mux.HandleFunc("POST /introspect", answer(s.introspect))
	mux.HandleFunc("POST /par", answer(s.push))
	return mux
}

func answer(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}
}

func send(w http.ResponseWriter, document []byte) {
	w.Header()["Content-Type"] = []string{"application/json"}
	_, _ = w.Write(document) // whoever has gone needs no answer
}

func sendJSON(w http.ResponseWriter, v any) error {
	document, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header()["Cache-Control"] = []string{"no-store"}
	send(w, document)
	return nil
}

// newGrant reads an authorization request.
func (s *server) newGrant(q url.Values) (g grant, code string, err error) {
	c, ok := s.clients[q.Get("client_id")]
	if !ok || q.Get("redirect_uri") != c.redirectURI || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		return grant{}, "", errors.New("a wrong authorization request")
	}
	code = rand.Text()
	return grant{
		code: digest(code), clientID: c.id, redirectURI: c.redirectURI, challenge: q.Get("code_challenge"),
		scope: q.Get("scope"), nonce: q.Get("nonce"), expiresAt: time.Now().Unix() + codeLife,
	}, code, nil
}

const form = `<!doctype html><title>Log in</title><form method="post" action="/login"><input type="hidden" name="attempt" value="%s">` +
	`<input name="login"><input name="password" type="password"><button>Log in</button></form>`

// authorize answers with a code if there is a session, else with the form, which
// carries the request.
func (s *server) authorize(w http.ResponseWriter, r *http.Request) error {
	g, code, err := s.newGrant(r.URL.Query())
	if err != nil {
		return err
	}
	if c, err := r.Cookie("session"); err == nil {
		ok, err := s.store.keepCodeOfSession(r.Context(), g, digest(c.Value), time.Now().Unix())
		if err != nil {
			return err
		}
		if ok {
			s.respond(w, g, code, r.URL.Query().Get("state"))
			return nil
		}
	}
	w.Header()["Content-Type"] = []string{"text/html; charset=utf-8"}
	_, err = fmt.Fprintf(w, form, html.EscapeString(r.URL.RawQuery))
	return err
}

func (s *server) login(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Origin") != s.issuer {
		return errors.New("a form from elsewhere")
	}
	q, err := url.ParseQuery(r.PostFormValue("attempt"))
	if err != nil {
		return err
	}
	g, code, err := s.newGrant(q)
	if err != nil {
		return err
	}
	u, ok := s.users[r.PostFormValue("login")]
	if !ok || !s.proves(r.PostFormValue("password")) {
		return errors.New("a wrong password")
	}
	cookie, now := rand.Text(), time.Now().Unix()
	if err := s.store.openSession(r.Context(), digest(cookie), u.id, now, now+sessionLife); err != nil {
		return err
	}
	g.userID, g.authTime = u.id, now
	if err := s.store.keepCode(r.Context(), g); err != nil {
		return err
	}
	w.Header()["Set-Cookie"] = []string{"session=" + cookie + "; Path=/; HttpOnly; SameSite=Lax"}
	s.respond(w, g, code, q.Get("state"))
	return nil
}

func (s *server) respond(w http.ResponseWriter, g grant, code, state string) {
	w.Header()["Location"] = []string{g.redirectURI + "?code=" + code + "&state=" + url.QueryEscape(state) + "&iss=" + url.QueryEscape(s.issuer)}
	w.WriteHeader(http.StatusSeeOther)
}

func (s *server) proves(attempt string) bool {
	if s.hashing == nil {
		return attempt == password
	}
	s.hashing <- struct{}{}
	defer func() { <-s.hashing }()
	return subtle.ConstantTimeCompare(s.derive(attempt), s.hash) == 1
}

// derive is argon2id with the parameters of bench/dex.yaml.
func (s *server) derive(attempt string) []byte {
	return argon2.IDKey([]byte(attempt), s.salt, 2, 19456, 1, 32)
}

func (s *server) authenticate(r *http.Request) (client, error) {
	if err := r.ParseForm(); err != nil {
		return client{}, err
	}
	if assertion := r.PostForm.Get("client_assertion"); assertion != "" {
		return s.asserted(r, assertion)
	}
	id, secret, _ := r.BasicAuth()
	c := s.clients[id]
	sum := sha256.Sum256([]byte(secret))
	if id == load.KeyClient || subtle.ConstantTimeCompare(sum[:], c.secret[:]) != 1 {
		return client{}, errors.New("invalid_client")
	}
	return c, nil
}

// token answers the three grant types.
func (s *server) token(w http.ResponseWriter, r *http.Request) error {
	c, err := s.authenticate(r)
	if err != nil {
		return err
	}
	switch r.PostFormValue("grant_type") {
	case "client_credentials":
		g := grant{clientID: c.id}
		if proof := r.Header.Get("DPoP"); proof != "" {
			if g.boundTo, err = s.proven(r, proof); err != nil {
				return err
			}
		}
		return s.issue(w, c, g, 0)
	case "authorization_code":
		g, generation, err := s.redeem(r.Context(), r, c)
		if err != nil {
			return err
		}
		return s.issue(w, c, g, generation)
	case "refresh_token":
		g, generation, err := s.readRefresh(r.PostFormValue("refresh_token"))
		if err != nil {
			return err
		}
		g.clientID = c.id
		if err := s.store.rotate(r.Context(), &g, generation, time.Now().Unix()); err != nil {
			return fmt.Errorf("invalid_grant: %w", err)
		}
		return s.issue(w, c, g, generation+1)
	}
	return errors.New("unsupported_grant_type")
}

// redeem takes the code and opens the family, if offline access was granted.
func (s *server) redeem(ctx context.Context, r *http.Request, c client) (grant, int64, error) {
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	g := grant{
		code: digest(r.PostFormValue("code")), clientID: c.id, redirectURI: r.PostFormValue("redirect_uri"),
		challenge: b64.EncodeToString(challenge[:]),
	}
	now := time.Now().Unix()
	if err := s.store.redeem(ctx, &g, now); err != nil {
		return grant{}, 0, fmt.Errorf("invalid_grant: %w", err)
	}
	if !strings.Contains(g.scope, "offline_access") {
		return g, 0, nil
	}
	return g, 1, s.store.openFamily(ctx, g, now+familyLife)
}

// accessClaims are those of an access token, RFC 9068 section 2.2.
type accessClaims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  string `json:"aud"`
	ExpiresAt int64  `json:"exp"`
	IssuedAt  int64  `json:"iat"`
	ID        string `json:"jti"`
	ClientID  string `json:"client_id"`
	Scope     string `json:"scope,omitempty"`
	GrantID   string `json:"gid,omitempty"`
	BoundTo   *bound `json:"cnf,omitempty"`
}

// bound names the key that a token is bound to, RFC 9449 section 6.1.
type bound struct {
	Thumbprint string `json:"jkt"`
}

type idClaims struct {
	Issuer        string `json:"iss"`
	Subject       string `json:"sub"`
	Audience      string `json:"aud"`
	ExpiresAt     int64  `json:"exp"`
	IssuedAt      int64  `json:"iat"`
	AuthTime      int64  `json:"auth_time"`
	Nonce         string `json:"nonce,omitempty"`
	Name          string `json:"name"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
}

type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// issue signs the tokens of a grant, with a refresh token if it has a generation.
func (s *server) issue(w http.ResponseWriter, c client, g grant, generation int64) error {
	now := time.Now().Unix()
	t := tokens{TokenType: "Bearer", ExpiresIn: tokenLife, Scope: g.scope}
	access := accessClaims{
		Issuer: s.issuer, Subject: c.id, Audience: s.issuer, ExpiresAt: now + tokenLife, IssuedAt: now,
		ID: rand.Text(), ClientID: c.id, Scope: g.scope,
	}
	if g.boundTo != "" {
		t.TokenType, access.BoundTo = "DPoP", &bound{g.boundTo}
	}
	var err error
	if g.userID != "" {
		access.Subject, access.GrantID = g.userID, b64.EncodeToString(g.code)
		u := s.users[g.userID]
		t.IDToken, err = s.keys.sign(c.header, idClaims{
			Issuer: s.issuer, Subject: u.id, Audience: c.id, ExpiresAt: now + tokenLife, IssuedAt: now,
			AuthTime: g.authTime, Nonce: g.nonce, Name: u.name, Email: u.email, EmailVerified: true,
		})
		if err != nil {
			return err
		}
	}
	if t.AccessToken, err = s.keys.sign(headerAccess, access); err != nil {
		return err
	}
	if generation > 0 {
		t.RefreshToken = s.refreshToken(g.code, generation)
	}
	return sendJSON(w, t)
}

// refreshToken is the family, the generation and a MAC over both, so that nothing
// of it need be stored.
func (s *server) refreshToken(code []byte, generation int64) string {
	head := b64.EncodeToString(code) + "." + strconv.FormatInt(generation, 10)
	mac := hmac.New(sha256.New, s.mac)
	mac.Write([]byte(head))
	return head + "." + b64.EncodeToString(mac.Sum(nil))
}

func (s *server) readRefresh(token string) (grant, int64, error) {
	head, rest, _ := strings.Cut(token, ".")
	number, _, _ := strings.Cut(rest, ".")
	code, err := b64.DecodeString(head)
	generation, errNumber := strconv.ParseInt(number, 10, 64)
	if err := errors.Join(err, errNumber); err != nil {
		return grant{}, 0, err
	}
	if !hmac.Equal([]byte(s.refreshToken(code, generation)), []byte(token)) {
		return grant{}, 0, errors.New("invalid_grant")
	}
	return grant{code: code}, generation, nil
}

// read returns the grant of an access token that is still good.
func (s *server) read(ctx context.Context, token string) (grant, accessClaims, error) {
	c, err := s.keys.readAccess(token)
	if err != nil {
		return grant{}, c, err
	}
	if c.ExpiresAt <= time.Now().Unix() {
		return grant{}, c, errors.New("expired")
	}
	var g grant
	if g.code, err = b64.DecodeString(c.GrantID); err != nil {
		return grant{}, c, err
	}
	return g, c, s.store.alive(ctx, &g)
}

func (s *server) userinfo(w http.ResponseWriter, r *http.Request) error {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	g, _, err := s.read(r.Context(), token)
	if err != nil {
		return err
	}
	u := s.users[g.userID]
	return sendJSON(w, struct {
		Subject       string `json:"sub"`
		Name          string `json:"name"`
		Email         string `json:"email"`
		EmailVerified bool   `json:"email_verified"`
	}{u.id, u.name, u.email, true})
}

func (s *server) introspect(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.authenticate(r); err != nil {
		return err
	}
	_, c, err := s.read(r.Context(), r.PostFormValue("token"))
	if err != nil {
		return err
	}
	return sendJSON(w, struct {
		Active bool `json:"active"`
		accessClaims
	}{true, c})
}

// digest is the hash under which a random secret is kept.
func digest(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
