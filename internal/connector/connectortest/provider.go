package connectortest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/protocol/jose"
)

// Claims are what a token or an endpoint says of somebody.
type Claims map[string]any

// Provider is an OpenID provider that keeps to the standard until it is told not
// to. What it misses in a request is an error of the test that made it.
type Provider struct {
	Issuer       string
	ClientID     string
	ClientSecret string // empty for a public client

	t      testing.TB
	clock  clock.Clock
	server *httptest.Server

	mu       sync.Mutex
	knobs    Knobs
	demands  Demands
	keys     []*jose.Signer
	codes    map[string]grant
	families map[string]grant // by refresh token
	access   map[string]grant
	pushed   map[string]url.Values
	shown    map[string]bool // what is good once: by its jti
	calls    map[string]int
}

// Knobs are the ways to misbehave. Each may be nil or empty.
type Knobs struct {
	Discovery func(Claims)            // changes the metadata
	IDToken   func(Claims)            // changes the ID token's claims
	Front     func(Claims)            // changes what only the ID token in the front channel says
	Signed    func(Claims)            // changes the claims of a signed response
	Userinfo  func(Claims)            // changes what the userinfo endpoint says
	Tokens    func(Claims)            // changes the token endpoint's answer
	Sign      func(Claims) string     // makes the ID token in another way
	Response  func(url.Values)        // changes what the browser brings back
	NoIDToken bool                    // when it refreshes
	Replace   map[string]http.Handler // answers in the place of an endpoint, by path
}

// grant is what a code or a refresh token stands for.
type grant struct {
	person    Claims
	nonce     string
	challenge string
	redirect  string
	offline   bool
	jkt       string // what it is bound to
}

// The endpoints.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	AuthorizePath = "/authorize?tenant=it"
	TokenPath     = "/token"
	KeysPath      = "/keys"
	UserinfoPath  = "/userinfo"
	PushPath      = "/par"
	EndPath       = "/end"
)

// NewProvider starts a provider, which stops with the test.
func NewProvider(t testing.TB, c clock.Clock) *Provider {
	t.Helper()
	p := &Provider{
		ClientID: "dex", ClientSecret: "s3cr€t:with/odd+characters %",
		t: t, clock: c,
		codes: map[string]grant{}, families: map[string]grant{}, access: map[string]grant{},
		pushed: map[string]url.Values{}, shown: map[string]bool{}, calls: map[string]int{},
	}
	p.RotateKeys()
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	p.Issuer = p.server.URL
	return p
}

// Set turns the knobs.
func (p *Provider) Set(k Knobs) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.knobs = k
}

// Stop takes the provider down for good.
func (p *Provider) Stop() { p.server.Close() }

// Calls returns how often an endpoint was asked.
func (p *Provider) Calls(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[path]
}

// RotateKeys takes a new key, and publishes no other.
func (p *Provider) RotateKeys() {
	p.t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		p.t.Fatal(err)
	}
	s, err := jose.NewSigner(key, jose.ES256, "key-"+rand.Text())
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = []*jose.Signer{s}
}

// Authorize logs a person in: it returns what their browser brings back to the
// callback after it was sent to redirect.
func (p *Provider) Authorize(t testing.TB, redirect string, person Claims) url.Values {
	t.Helper()
	u, err := url.Parse(redirect)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	q, err := p.asked(u.Query())
	if err != nil || !strings.HasPrefix(redirect, p.Issuer+AuthorizePath[:len("/authorize?")]) || u.Query().Get("tenant") != "it" ||
		!slices.Contains([]string{"code", "code id_token", "id_token"}, q.Get("response_type")) || q.Get("client_id") != p.ClientID ||
		q.Get("nonce") == "" || !slices.Contains(strings.Fields(q.Get("scope")), "openid") {
		t.Fatalf("a bad authorization request: %s (%v)", redirect, err)
	}
	g := grant{
		person: person, nonce: q.Get("nonce"), challenge: q.Get("code_challenge"), redirect: q.Get("redirect_uri"),
		offline: slices.Contains(strings.Fields(q.Get("scope")), "offline_access"), jkt: q.Get("dpop_jkt"),
	}
	response := url.Values{"state": {q.Get("state")}, "iss": {p.Issuer}}
	front := Claims{}
	if strings.Contains(q.Get("response_type"), "code") {
		code := "code-" + rand.Text()
		p.codes[code] = g
		response.Set("code", code)
		front["c_hash"] = jose.HalfHash(jose.ES256, code)
	}
	if strings.Contains(q.Get("response_type"), "id_token") {
		turn(p.knobs.Front, front)
		response.Set("id_token", p.idToken(g, front))
	}
	if p.knobs.Response != nil {
		p.knobs.Response(response)
	}
	if strings.HasSuffix(q.Get("response_mode"), "jwt") {
		return p.signedResponse(response)
	}
	return response
}

// ServeHTTP implements [http.Handler].
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		// A test that broke its provider must not pass because nobody got in.
		if broken := recover(); broken != nil {
			if broken != http.ErrAbortHandler { //nolint:errorlint // the very value is what net/http looks for
				p.t.Errorf("the provider is broken: %v", broken)
			}
			panic(http.ErrAbortHandler)
		}
	}()
	p.mu.Lock()
	p.calls[r.URL.Path]++
	replaced := p.knobs.Replace[r.URL.Path]
	p.mu.Unlock()
	if replaced != nil {
		replaced.ServeHTTP(w, r) // without the lock: it may be slow
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r.URL.Path {
	case DiscoveryPath:
		p.serveDiscovery(w)
	case KeysPath:
		p.serveKeys(w)
	case PushPath:
		p.servePush(w, r)
	case TokenPath:
		p.serveToken(w, r)
	case UserinfoPath:
		p.serveUserinfo(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (p *Provider) serveDiscovery(w http.ResponseWriter) {
	m := Claims{
		"issuer":                 p.Issuer,
		"authorization_endpoint": p.Issuer + AuthorizePath,
		"token_endpoint":         p.Issuer + TokenPath,
		"jwks_uri":               p.Issuer + KeysPath,
		"userinfo_endpoint":      p.Issuer + UserinfoPath,
		"end_session_endpoint":   p.Issuer + EndPath,
		"authorization_response_iss_parameter_supported": true,
	}
	p.demands.announce(p.Issuer, m)
	turn(p.knobs.Discovery, m)
	answerJSON(w, http.StatusOK, m)
}

func turn(knob func(Claims), c Claims) {
	if knob != nil {
		knob(c)
	}
}

func (p *Provider) serveKeys(w http.ResponseWriter) {
	var keys []jose.Key
	for _, k := range p.keys {
		keys = append(keys, k.Public())
	}
	set, err := jose.MarshalJWKS(keys)
	if err != nil {
		p.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(set)
}

func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || !p.knows(r) {
		answerJSON(w, http.StatusUnauthorized, Claims{"error": "invalid_client"})
		return
	}
	jkt, ok := p.proven(w, r, "")
	if !ok {
		return
	}
	var g grant
	var known bool
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		code := r.PostForm.Get("code")
		g, known = p.codes[code]
		delete(p.codes, code)
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		known = known && g.redirect == r.PostForm.Get("redirect_uri") &&
			(g.challenge == "" || g.challenge == base64.RawURLEncoding.EncodeToString(sum[:]))
	case "refresh_token":
		token := r.PostForm.Get("refresh_token")
		g, known = p.families[token]
		delete(p.families, token) // each is good once
		g.nonce = ""
	}
	if !known || g.jkt != "" && g.jkt != jkt {
		answerJSON(w, http.StatusBadRequest, Claims{"error": "invalid_grant"})
		return
	}
	g.jkt = jkt
	answerJSON(w, http.StatusOK, p.issue(g, r.PostForm.Get("grant_type") == "refresh_token"))
}

// knows reports whether the client has proven who it is.
func (p *Provider) knows(r *http.Request) bool {
	if p.demands.Auth != "" {
		return p.knowsAssertion(r)
	}
	id, secret, basic := r.BasicAuth() //nolint:forbidigo // It is decoded below; and what we send shall not be read by our own reader.
	if basic {
		var err, err2 error
		id, err = url.QueryUnescape(id)
		secret, err2 = url.QueryUnescape(secret)
		if err != nil || err2 != nil || r.PostForm.Has("client_secret") {
			return false
		}
	} else {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	return id == p.ClientID && secret == p.ClientSecret
}

// issue makes the token endpoint's answer.
func (p *Provider) issue(g grant, again bool) Claims {
	access := "at-" + rand.Text()
	p.access[access] = g
	a := Claims{"access_token": access, "token_type": p.demands.tokenType(), "expires_in": 300}
	if !again || !p.knobs.NoIDToken {
		a["id_token"] = p.idToken(g, Claims{"at_hash": jose.HalfHash(jose.ES256, access)})
	}
	if g.offline {
		refresh := "rt-" + rand.Text()
		p.families[refresh] = g
		a["refresh_token"] = refresh
	}
	turn(p.knobs.Tokens, a)
	return a
}

// idToken makes an ID token that says some more.
func (p *Provider) idToken(g grant, more Claims) string {
	now := p.clock.Now()
	id := Claims{
		"iss": p.Issuer, "aud": p.ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "auth_time": now.Unix(),
	}
	if g.nonce != "" {
		id["nonce"] = g.nonce
	}
	maps.Copy(id, g.person)
	maps.Copy(id, more)
	turn(p.knobs.IDToken, id)
	return p.encrypted(p.sign(id))
}

func (p *Provider) sign(c Claims) string {
	if p.knobs.Sign != nil {
		return p.knobs.Sign(c)
	}
	token, err := p.keys[0].Sign(jose.TypeJWT, c)
	if err != nil {
		p.t.Error(err)
	}
	return token
}

// SignAs signs claims as the provider does, whatever the knobs say.
func (p *Provider) SignAs(c Claims) string {
	token, err := p.keys[0].Sign(jose.TypeJWT, c)
	if err != nil {
		p.t.Error(err)
	}
	return token
}

// LogoutToken says by a token of the provider's that somebody has signed out there, with
// some claims changed; those that are nil are left out. It is encrypted as ID tokens are.
func (p *Provider) LogoutToken(typ string, change Claims) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	said := Claims{
		"iss": p.Issuer, "aud": p.ClientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"events": Claims{"http://schemas.openid.net/event/backchannel-logout": Claims{}},
	}
	maps.Copy(said, change)
	maps.DeleteFunc(said, func(_ string, value any) bool { return value == nil })
	token, err := p.keys[0].Sign(typ, said)
	if err != nil {
		p.t.Error(err)
	}
	return p.encrypted(token)
}

func (p *Provider) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	token, known := p.shownToken(r)
	g, good := p.access[token]
	if !known || !good {
		answerJSON(w, http.StatusUnauthorized, Claims{"error": "invalid_token"})
		return
	}
	if jkt, ok := p.proven(w, r, token); !ok {
		return
	} else if jkt != g.jkt {
		answerJSON(w, http.StatusUnauthorized, Claims{"error": "invalid_token"})
		return
	}
	person := maps.Clone(g.person)
	turn(p.knobs.Userinfo, person)
	answerJSON(w, http.StatusOK, person)
}

func answerJSON(w http.ResponseWriter, status int, c Claims) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(c)
}
