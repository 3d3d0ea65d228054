package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"dex/examples/app"
)

const (
	clientID     = "the app"
	clientSecret = "a secret: with/odd characters?"
)

// fakeProvider is the other side, which answers at once and can be made to lie.
type fakeProvider struct {
	*httptest.Server
	keys oidctest.Server
	key  *ecdsa.PrivateKey

	metadata func(map[string]any)                    // changes the discovery document
	answer   func(url.Values)                        // changes what the browser brings back
	claims   func(map[string]any)                    // changes each ID token
	info     func(map[string]any)                    // changes the userinfo
	tokens   func(grant string, body map[string]any) // changes the token response
	refuse   bool                                    // refuses refresh tokens

	mu     sync.Mutex
	asked  url.Values // the last authorization request
	minted int
	tried  int        // how often tokens were asked for
	ended  url.Values // the last logout request
}

func newFakeProvider(t *testing.T) *fakeProvider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &fakeProvider{key: key}
	p.keys.PublicKeys = []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "k", Algorithm: oidc.ES256}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", p.serveDiscovery)
	mux.HandleFunc("/authorize", p.serveAuthorize)
	mux.HandleFunc("/token", p.serveToken)
	mux.HandleFunc("/userinfo", p.serveUserinfo)
	mux.HandleFunc("/logout", p.serveLogout)
	mux.Handle("/keys", &p.keys)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func writeJSON(w http.ResponseWriter, status int, body map[string]any, change func(map[string]any)) {
	if change != nil {
		change(body)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (p *fakeProvider) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                p.URL,
		"authorization_endpoint":                p.URL + "/authorize",
		"token_endpoint":                        p.URL + "/token",
		"userinfo_endpoint":                     p.URL + "/userinfo",
		"end_session_endpoint":                  p.URL + "/logout?kept=1",
		"jwks_uri":                              p.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"ES256"},
		"authorization_response_iss_parameter_supported": true,
	}, p.metadata)
}

func (p *fakeProvider) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = r.URL.Query()
	p.mu.Unlock()
	answer := url.Values{"code": {"a code"}, "state": {r.FormValue("state")}, "iss": {p.URL}}
	if p.answer != nil {
		p.answer(answer)
	}
	http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+answer.Encode(), http.StatusSeeOther)
}

func (p *fakeProvider) serveToken(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried++
	id, secret, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	secret, _ = url.QueryUnescape(secret)
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	grant := r.FormValue("grant_type")
	good := false
	switch grant {
	case "authorization_code":
		good = r.FormValue("code") == "a code" && p.asked.Get("code_challenge") == challenge &&
			p.asked.Get("code_challenge_method") == "S256" && r.FormValue("redirect_uri") == p.asked.Get("redirect_uri")
	case "refresh_token":
		good = r.FormValue("refresh_token") == p.refreshToken() && !p.refuse
	}
	if id != clientID || secret != clientSecret || !good {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"}, nil)
		return
	}
	p.minted++
	now := time.Now()
	claims := map[string]any{
		"iss": p.URL, "sub": "u1", "aud": clientID, "name": "Ann <b>Example</b>", "groups": []string{"staff", "admins"},
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "nonce": p.asked.Get("nonce"), "email_verified": true,
	}
	if p.claims != nil {
		p.claims(claims)
	}
	raw, _ := json.Marshal(claims)
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": p.accessToken(), "token_type": "Bearer", "expires_in": 600, "refresh_token": p.refreshToken(),
		"id_token": oidctest.SignIDToken(p.key, "k", oidc.ES256, string(raw)),
	}, func(body map[string]any) {
		if p.tokens != nil {
			p.tokens(grant, body)
		}
	})
}

func (p *fakeProvider) accessToken() string { return "access-secret-" + strings.Repeat("i", p.minted) }
func (p *fakeProvider) refreshToken() string {
	return "refresh-secret-" + strings.Repeat("i", p.minted)
}

func (p *fakeProvider) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+p.accessToken() {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"sub": "u1", "email": "ann@example.com"}, p.info)
}

func (p *fakeProvider) serveLogout(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.ended = r.URL.Query()
	p.mu.Unlock()
	http.Redirect(w, r, r.FormValue("post_logout_redirect_uri")+"?state="+r.FormValue("state"), http.StatusSeeOther)
}

// startApp returns the address of the application, and a client of the provider.
func startApp(t *testing.T, issuer string) string {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	base := "http://" + s.Listener.Addr().String()
	handler, err := app.New(app.Config{
		Issuer: issuer, ClientID: clientID, ClientSecret: clientSecret, BaseURL: base,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Config.Handler = handler
	s.Start()
	t.Cleanup(s.Close)
	return base
}

// browser is a browser with its cookies. It follows redirects.
type browser struct {
	t *testing.T
	*http.Client
}

func newBrowser(t *testing.T) browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return browser{t, &http.Client{Jar: jar}}
}

// still returns the same browser, which stays where it is sent from.
func (b browser) still() browser {
	return browser{b.t, &http.Client{Jar: b.Jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (b browser) do(r *http.Request) (*http.Response, string) {
	b.t.Helper()
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(body)
}

func (b browser) open(address string) (*http.Response, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

func (b browser) send(address string, form url.Values) (*http.Response, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

var everything = url.Values{"scope": {"profile", "email", "groups", "offline_access", "root"}}

func contains(t *testing.T, body string, wanted ...string) {
	t.Helper()
	for _, text := range wanted {
		if !strings.Contains(body, text) {
			t.Errorf("the page lacks %q:\n%s", text, body)
		}
	}
}

func lacks(t *testing.T, body string, unwanted ...string) {
	t.Helper()
	for _, text := range unwanted {
		if strings.Contains(body, text) {
			t.Errorf("the page has %q:\n%s", text, body)
		}
	}
}
