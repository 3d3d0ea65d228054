package worker_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/connector/connectortest"
)

// hoard is everything that must stay out of the log.
type hoard struct {
	mu     sync.Mutex
	what   map[string]string // by the secret itself
	server *workertest.Server
}

func (h *hoard) add(what string, secrets ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range secrets {
		if len(s) >= 8 {
			h.what[s] = what
		}
		// Of a token of three parts the last is what makes it worth something.
		if i := strings.LastIndex(s, "."); strings.Count(s, ".") == 2 {
			h.what[s[i+1:]] = what
		}
	}
}

// take takes what an answer holds: cookies, what is in its address, what is hidden
// in its forms.
func (h *hoard) take(t *testing.T, a *workertest.Answer) *workertest.Answer {
	t.Helper()
	for _, line := range a.Header.Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(line); err == nil {
			h.add("cookie "+c.Name, c.Value)
		}
	}
	if a.Location() != nil {
		h.add("code", a.Param("code"))
		h.add("state of a client", a.Param("state"))
	}
	for _, part := range strings.Split(a.Body, `name="csrf" value="`)[1:] {
		h.add("anti-forgery token", part[:strings.Index(part, `"`)])
	}
	return a
}

func (h *hoard) tokens(t workertest.Tokens) workertest.Tokens {
	h.add("access token", t.AccessToken)
	h.add("refresh token", t.RefreshToken)
	h.add("ID token", t.IDToken)
	return t
}

// walk follows redirects and takes what each answer holds.
func (h *hoard) walk(t *testing.T, b *workertest.Browser, a *workertest.Answer) *workertest.Answer {
	t.Helper()
	h.take(t, a)
	for a.Status == http.StatusSeeOther && strings.HasPrefix(a.Location().String(), h.server.URL+"/") {
		a = h.take(t, b.Get(a.Location().String()))
	}
	return a
}

// found returns the secrets that a text holds, in clear or in another writing.
func (h *hoard) found(text string) []string {
	var found []string
	for secret, what := range h.what {
		for how, written := range map[string]string{
			"in clear": secret, "escaped": url.QueryEscape(secret), "in hex": hex.EncodeToString([]byte(secret)),
			"in base64": base64.StdEncoding.EncodeToString([]byte(secret)), "in base64url": base64.RawURLEncoding.EncodeToString([]byte(secret)),
		} {
			if strings.Contains(text, written) {
				found = append(found, what+" "+how+": "+written)
				break
			}
		}
	}
	return found
}

// journal is a log that many write to.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func TestNoSecretGetsIntoTheLog(t *testing.T) {
	log := &journal{}
	s, provider := startWithProvider(t, slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	h := &hoard{what: map[string]string{}, server: s}
	h.add("a password", workertest.Password, "canary-wrong-password", "canary-in-the-wrong-field")
	h.add("a key secret", "ZGV4IHRlc3RzIGRleCB0ZXN0cyBkZXggdGVzdHMgMTI=", "dex tests dex tests dex tests 12")
	h.add("the upstream's client secret", provider.ClientSecret)
	for _, id := range []string{"app", "asks", "post", "canary-wrong"} {
		h.add("a client secret", id+"-secret")
	}
	h.byPassword(t, s)
	h.byProvider(t, s, provider)
	h.byMistake(t, s)
	text := log.String()
	for _, found := range h.found(text) {
		t.Errorf("1.N 173: in the log: %s", found)
	}
	if len(h.what) < 60 {
		t.Errorf("only %d secrets were looked for", len(h.what))
	}
	kinds := map[string]bool{}
	for _, what := range h.what {
		kinds[strings.SplitN(what, "_", 3)[0]] = true
	}
	for _, want := range []string{`"client":"app"`, `"support_code":"`, `"connector":"corp"`, `"status":422`, `"status":503`, `"error":"`, "invalid_grant"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not say %s, so it may be silent about everything", want)
		}
	}
	for line := range strings.Lines(text) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Errorf("a line is no JSON: %s", line)
		}
	}
}

// byPassword logs somebody in in the ordinary ways, and spends all there is to spend.
func (h *hoard) byPassword(t *testing.T, s *workertest.Server) {
	b := s.Browser(t)
	for _, id := range []string{"app", "asks", "post"} {
		c := s.Client(t, id)
		h.add("a code verifier", c.Verifier)
		pairs := []string{"connector_id", "local", "prompt", "login consent", "state", "canary-state-" + id, "nonce", "canary-nonce-" + id}
		h.add("a nonce", "canary-nonce-"+id)
		form := h.walk(t, b, b.Get(c.Authorize(pairs...)))
		wrong := h.walk(t, b, b.Submit(form.Form(t, "password"), "login", "canary-in-the-wrong-field", "password", "canary-wrong-password"))
		consent := h.walk(t, b, b.Submit(wrong.Form(t, "password"), "login", "ann", "password", workertest.Password))
		code := h.walk(t, b, b.Submit(consent.Form(t, "allow"), "answer", "allow", "remember", "1")).Param("code")
		c.Redeem(code, "code_verifier", strings.Repeat("canary-wrong-verifier", 3))
		h.add("a wrong verifier", strings.Repeat("canary-wrong-verifier", 3))
		first := h.tokens(c.Redeem(code))
		second := h.tokens(c.Refresh(first.RefreshToken))
		if first.Status != http.StatusOK || second.Status != http.StatusOK {
			t.Fatalf("%s: %+v, %+v", id, first, second)
		}
		for _, token := range []string{first.AccessToken, second.RefreshToken, second.IDToken} {
			c.Introspect(token)
			c.Userinfo(token)
		}
		s.Advance(t, 120e9)
		c.Refresh(first.RefreshToken) // reuse
		c.Redeem(code)                // replay
		c.Revoke(second.RefreshToken)
		c.Revoke(second.AccessToken)
		c.Send("/introspect?token="+second.RefreshToken, url.Values{"token": {second.RefreshToken}})
		h.walk(t, b, leave(b, "id_token_hint", second.IDToken, "post_logout_redirect_uri", bye, "state", "canary-state"))
		wrongly := s.Client(t, id)
		wrongly.Secret = "canary-wrong-secret"
		wrongly.Redeem(code)
	}
}

// byProvider logs somebody in by a provider that answers well, then badly, then by
// throwing everything back that it was sent.
func (h *hoard) byProvider(t *testing.T, s *workertest.Server, p *connectortest.Provider) {
	keep := func(answer connectortest.Claims) {
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			if token, ok := answer[name].(string); ok {
				h.add("the upstream's "+name, token)
			}
		}
	}
	response := func(answer url.Values) { h.add("the upstream's code", answer.Get("code")) }
	p.Set(connectortest.Knobs{Tokens: keep, Response: response})
	app, b := s.Client(t, "app"), s.Browser(t)
	a := comeBy(t, s, b, p, app)
	h.take(t, a)
	tokens := h.tokens(app.Redeem(a.Param("code")))
	s.Advance(t, 600e9)
	h.tokens(app.Refresh(tokens.RefreshToken))
	h.take(t, leave(b, "id_token_hint", tokens.IDToken))
	echo := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": "bad request: " + string(body) + r.Header.Get("Authorization")})
	}
	failing := []connectortest.Knobs{
		{Response: response, Replace: map[string]http.Handler{connectortest.TokenPath: http.HandlerFunc(echo)}},
		{Tokens: keep, Response: response, IDToken: func(c connectortest.Claims) { c["iss"] = "https://liar.example.com" }},
		{Tokens: keep, Response: response, IDToken: func(c connectortest.Claims) { c["nonce"] = "wrong" }},
		{Tokens: func(c connectortest.Claims) { keep(c); c["id_token"] = c["access_token"] }, Response: response},
		{Tokens: keep, Response: func(v url.Values) {
			response(v)
			v.Set("error", "server_error")
			v.Set("error_description", v.Get("code"))
		}},
		{Tokens: keep, Response: response, Userinfo: func(c connectortest.Claims) { c["sub"] = "somebody else" }},
	}
	for i, knobs := range failing {
		p.Set(knobs)
		b := s.Browser(t)
		away := h.walk(t, b, b.Get(app.Authorize("connector_id", "corp")))
		answer := p.Authorize(t, away.Location().String(), connectortest.Claims{"sub": "cora", "email": "cora@corp.example.com"})
		a := h.walk(t, b, b.Get("/callback/corp?"+answer.Encode()))
		if a.Param("code") != "" && i != 5 {
			t.Errorf("a provider that fails in the way %d lets somebody in", i)
		}
		h.walk(t, b, b.CrossPost("/callback/corp", answer))
	}
	s.Advance(t, 600e9)
	p.Set(failing[0])
	app.Refresh(tokens.RefreshToken)
}

// byMistake brings secrets to where none belongs.
func (h *hoard) byMistake(t *testing.T, s *workertest.Server) {
	app, b := s.Client(t, "app"), s.Browser(t)
	tokens := h.tokens(app.Obtain("connector_id", "local"))
	code := app.Code(b, "connector_id", "local")
	h.add("a code", code)
	for _, path := range []string{
		"/token?client_id=app&client_secret=app-secret&code=" + code, "/userinfo?access_token=" + tokens.AccessToken, "/authorize?code=" + code,
		"/authorize?client_id=" + tokens.RefreshToken[:60], "/callback/local?code=" + code + "&state=" + tokens.AccessToken, "/login?attempt=" + code,
		"/logout?state=" + code + "&id_token_hint=" + tokens.IDToken[1:], "/logout/done?state=" + tokens.RefreshToken, "/?session=" + b.Cookies("dex_session")[0].Value,
		"/introspect?token=" + tokens.RefreshToken, "/readyz?token=" + tokens.RefreshToken,
	} {
		h.take(t, b.Get(path))
		h.take(t, b.Post(path, url.Values{"token": {tokens.AccessToken}, "password": {workertest.Password}, "code": {code}}))
	}
	app.Token("grant_type", "password", "username", "ann", "password", workertest.Password)
	app.Token("grant_type", tokens.RefreshToken, "code", code)
	app.Token("grant_type", "refresh_token", "refresh_token", code)
	app.Token("grant_type", "authorization_code", "code", tokens.RefreshToken)
	send(t, s, "POST", "/token", func(r *http.Request) { r.Header.Set("Authorization", "Basic app-secret:app-secret") })
	send(t, s, "GET", "/userinfo", func(r *http.Request) { r.Header.Set("Authorization", "Basic "+tokens.AccessToken) })
	send(t, s, "GET", "/userinfo", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tokens.AccessToken+"x") })
	send(t, s, "GET", "/", func(r *http.Request) { r.Header.Set("User-Agent", tokens.AccessToken) })
}
