package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/protocol/oauth"
)

// fake is an API and its issuer, in one server, and the person with the browser.
type fake struct {
	*httptest.Server
	t  *testing.T
	mu sync.Mutex

	metadata  map[string]any       // instead of what the issuer says
	answer    func(url.Values)     // changes what the browser is sent back with
	token     func(url.Values) any // instead of what the token endpoint answers
	device    map[string]any       // instead of what the device endpoint answers
	challenge string               // of the last authorization request
	asked     []url.Values         // of the token endpoint
	revoked   []url.Values
	browsing  sync.WaitGroup
	page      string // what the browser saw at the end
	pageHead  http.Header
	handed    int // tokens
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t}
	mux := http.NewServeMux()
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	mux.HandleFunc("GET /.well-known/oauth-protected-resource", func(w http.ResponseWriter, _ *http.Request) {
		f.json(w, http.StatusOK, map[string]any{"resource": f.URL, "authorization_servers": []string{f.URL}, "scopes_supported": []string{"dex:users:read", "dex:users:write"}})
	})
	mux.HandleFunc("GET /.well-known/openid-configuration", f.describe)
	mux.HandleFunc("GET /authorize", f.authorize)
	mux.HandleFunc("POST /token", f.exchange)
	mux.HandleFunc("POST /device", func(w http.ResponseWriter, r *http.Request) {
		f.json(w, http.StatusOK, over(map[string]any{
			"device_code": "the-device", "user_code": "WDJB-MJHT", "verification_uri": f.URL + "/device", "expires_in": 600, "interval": 5,
		}, f.device))
	})
	mux.HandleFunc("POST /revoke", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.revoked = append(f.revoked, form(r))
	})
	return f
}

func form(r *http.Request) url.Values {
	_ = r.ParseForm()
	v := r.PostForm
	if id, secret, ok := r.BasicAuth(); ok {
		v.Set("basic", id+":"+secret)
	}
	return v
}

func over(m, with map[string]any) map[string]any {
	for k, v := range with {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	return m
}

func (f *fake) json(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (f *fake) describe(w http.ResponseWriter, _ *http.Request) {
	f.json(w, http.StatusOK, over(map[string]any{
		"issuer": f.URL, "authorization_endpoint": f.URL + "/authorize", "token_endpoint": f.URL + "/token", "revocation_endpoint": f.URL + "/revoke",
		"code_challenge_methods_supported": []string{"S256"}, "authorization_response_iss_parameter_supported": true,
	}, f.metadata))
}

func (f *fake) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f.mu.Lock()
	f.challenge = q.Get("code_challenge")
	f.mu.Unlock()
	for name, want := range map[string]string{"response_type": "code", "client_id": DefaultClient, "code_challenge_method": "S256", "scope": "openid profile email offline_access dex:users:read dex:users:write"} {
		if got := q.Get(name); got != want {
			f.t.Errorf("the request asks for %s=%q, want %q", name, got, want)
		}
	}
	back := url.Values{"code": {"the-code"}, "state": {q.Get("state")}, "iss": {f.URL}}
	if f.answer != nil {
		f.answer(back)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusSeeOther)
}

func (f *fake) exchange(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := form(r)
	f.asked = append(f.asked, v)
	f.handed++
	var answer any = map[string]any{"access_token": "access-" + string(rune('0'+f.handed)), "token_type": "Bearer", "expires_in": 600, "refresh_token": "refresh-" + string(rune('0'+f.handed)), "scope": "openid dex:users:read"}
	if f.token != nil {
		answer = f.token(v)
	}
	if v.Get("grant_type") == oauth.GrantAuthorizationCode && string(oauth.ChallengeOf(v.Get("code_verifier"))) != f.challenge {
		answer = map[string]any{"error": "invalid_grant", "error_description": "The code_verifier does not fit."}
	}
	status := http.StatusOK
	if m, ok := answer.(map[string]any); ok && m["error"] != nil {
		status = http.StatusBadRequest
	}
	f.json(w, status, answer)
}

// world is a world with a browser that goes where it is sent.
func (f *fake) world() (World, *clock.Fake, *bytes.Buffer) {
	moving := &clock.Fake{}
	var said bytes.Buffer
	folder := f.t.TempDir()
	return World{
		Getenv: func(name string) string {
			if name == EnvConfig {
				return filepath.Join(folder, "dexctl", "config.yaml")
			}
			return ""
		},
		Clock: moving,
		Wait: func(ctx context.Context, d time.Duration) error {
			if d >= time.Second { // the patience of a person; that of a lock is real
				moving.Advance(d)
				return ctx.Err()
			}
			return wait(ctx, d)
		},
		Browse: func(_ context.Context, address string) error {
			f.browsing.Go(func() { f.browse(address) })
			return nil
		},
		Err: &said,
	}, moving, &said
}

func (f *fake) browse(address string) {
	answer, err := f.Client().Get(address)
	if err != nil {
		f.t.Errorf("the browser: %v", err)
		return
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(answer.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.page, f.pageHead = string(text), answer.Header
}

// seen is the page that the browser ended at.
func (f *fake) seen() string {
	f.browsing.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.page
}

func (f *fake) target() Target {
	return Target{Context: Context{Name: "here", API: f.URL, ClientID: DefaultClient}}
}

func mustSay(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}
