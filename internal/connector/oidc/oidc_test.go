package oidc

import (
	"errors"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dex/internal/connector"
	"dex/internal/connector/connectortest"
	"dex/internal/domain/credential"
	"dex/internal/domain/user"
)

func TestWhatTheProviderIsAsked(t *testing.T) {
	tests := []struct {
		name   string
		change map[string]any
		login  connector.Login
		want   map[string]string // empty: the parameter is not sent
	}{
		{"as usual", nil, connector.Login{}, map[string]string{
			"response_type": "code", "client_id": "dex", "scope": "openid profile email", "code_challenge_method": "S256",
			"response_mode": "", "prompt": "", "max_age": "", "login_hint": "", "ui_locales": "", "acr_values": "", "tenant": "it",
		}},
		{"who it may be", nil, connector.Login{Hint: "ann@example.com"}, map[string]string{"login_hint": "ann@example.com"}},
		{"in which language", nil, connector.Login{Locales: []string{"de", "en"}}, map[string]string{"ui_locales": "de en"}},
		{"again", nil, connector.Login{Force: true}, map[string]string{"prompt": "login", "max_age": "0"}},
		{"again, beside what is configured", map[string]any{"prompt": "consent login"}, connector.Login{Force: true}, map[string]string{"prompt": "login consent"}},
		{"what is configured", map[string]any{"prompt": "select_account"}, connector.Login{}, map[string]string{"prompt": "select_account"}},
		{"not at all", map[string]any{"prompt": "consent"}, connector.Login{Silent: true, Force: true}, map[string]string{"prompt": "none", "max_age": "0"}},
		{"if it was long ago", nil, connector.Login{MaxAge: seconds(300)}, map[string]string{"max_age": "300", "prompt": ""}},
		{"for an answer by POST", map[string]any{"response_mode": "form_post"}, connector.Login{}, map[string]string{"response_mode": "form_post"}},
		{"without PKCE", map[string]any{"pkce": "off"}, connector.Login{}, map[string]string{"code_challenge": "", "code_challenge_method": ""}},
		{"for other scopes, and each once", map[string]any{"scopes": []string{"groups", "openid", "groups"}}, connector.Login{}, map[string]string{"scope": "openid groups"}},
		{"for a refresh token", map[string]any{"refresh": true}, connector.Login{}, map[string]string{"scope": "openid profile email offline_access"}},
		{"for a strength", map[string]any{"acr_values": []string{"a", "b"}}, connector.Login{}, map[string]string{"acr_values": "a b"}},
		{"what only it understands", map[string]any{"extra_params": map[string]string{"hd": "example.com"}}, connector.Login{}, map[string]string{"hd": "example.com"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, tt.change)
			tt.login.ID, tt.login.CallbackURL = "the-attempt", "https://dex.example.com/callback/up"
			step, err := h.Begin(t.Context(), tt.login)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(step.Prompt.Redirect)
			if err != nil {
				t.Fatal(err)
			}
			q := u.Query()
			tt.want["state"], tt.want["redirect_uri"] = "the-attempt", "https://dex.example.com/callback/up"
			for name, want := range tt.want {
				if got := q.Get(name); got != want || len(q[name]) > 1 {
					t.Errorf("%s is %q, want %q", name, q[name], want)
				}
			}
			if len(q.Get("nonce")) < 43 || tt.change["pkce"] != "off" && len(q.Get("code_challenge")) != 43 {
				t.Errorf("nonce %q, challenge %q", q.Get("nonce"), q.Get("code_challenge"))
			}
			if strings.Contains(step.Prompt.Redirect, string(step.Prompt.State)) {
				t.Error("the state is on its way to the provider")
			}
		})
	}
}

func TestEachLoginHasItsOwnNonceAndVerifier(t *testing.T) {
	h := newHouse(t, nil)
	seen := map[string]bool{}
	for range 20 {
		step, err := h.Begin(t.Context(), login)
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(step.Prompt.Redirect)
		for _, v := range []string{u.Query().Get("nonce"), u.Query().Get("code_challenge")} {
			if seen[v] {
				t.Fatalf("%s comes twice", v)
			}
			seen[v] = true
		}
	}
}

func TestSomebodyLogsIn(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"as usual":               nil,
		"with the secret posted": {"auth_method": "client_secret_post"},
		"without PKCE":           {"pkce": "off"},
		"by POST":                {"response_mode": "form_post"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, change)
			step := h.in(ann())
			want := &user.Identity{
				ConnectorID: "up", Subject: h.provider.Issuer + "#1", CheckedAt: h.clock.Now(),
				Profile: user.Profile{
					Username: "ann", PreferredUsername: "ann", Name: "Ann Smith", Email: "ann@example.com", EmailVerified: true,
					Groups: []string{"dev", "ops"},
				},
			}
			if diff := cmp.Diff(want, step.Identity); diff != "" {
				t.Error(diff)
			}
			if len(step.Upstream) == 0 || !step.AuthTime.Equal(h.clock.Now()) {
				t.Errorf("%+v", step)
			}
			if h.provider.Calls(connectortest.UserinfoPath) != 1 {
				t.Error("the userinfo endpoint was not asked")
			}
		})
	}
}

func TestAPublicClientLogsSomebodyIn(t *testing.T) {
	h := newHouse(t, nil)
	h.provider.ClientSecret = ""
	h.open(map[string]any{"client_secret": "", "auth_method": "none"}, h.Connector.(*provider).env.Client)
	h.in(ann())
}

func TestTheBrowsersAnswerIsChecked(t *testing.T) {
	tests := []struct {
		name    string
		change  func(url.Values)
		refused bool
	}{
		{name: "another state", change: func(v url.Values) { v.Set("state", "attempt2") }},
		{name: "no state", change: func(v url.Values) { v.Del("state") }},
		{name: "the state twice", change: func(v url.Values) { v.Add("state", v.Get("state")) }},
		{name: "another issuer", change: func(v url.Values) { v.Set("iss", "https://evil.example") }},
		{name: "an empty issuer", change: func(v url.Values) { v.Set("iss", "") }},
		{name: "no issuer although the provider sends it", change: func(v url.Values) { v.Del("iss") }},
		{name: "two issuers", change: func(v url.Values) { v.Add("iss", v.Get("iss")) }},
		{name: "no code", change: func(v url.Values) { v.Del("code") }},
		{name: "two codes", change: func(v url.Values) { v.Add("code", "another") }},
		{name: "a very long code", change: func(v url.Values) { v.Set("code", strings.Repeat("x", maxCode+1)) }},
		{name: "a code with a line break", change: func(v url.Values) { v.Set("code", "a\nb") }},
		{name: "another code", change: func(v url.Values) { v.Set("code", "another") }, refused: true},
		{name: "the person said no", change: func(v url.Values) { v.Set("error", "access_denied") }, refused: true},
		{name: "the person would have to log in", change: func(v url.Values) { v.Set("error", "login_required") }, refused: true},
		{name: "… to do something", change: func(v url.Values) { v.Set("error", "interaction_required") }, refused: true},
		{name: "… to consent", change: func(v url.Values) { v.Set("error", "consent_required") }, refused: true},
		{name: "the provider failed", change: func(v url.Values) { v.Set("error", "server_error") }},
		{name: "the provider does not know us", change: func(v url.Values) { v.Set("error", "unauthorized_client") }},
		{name: "an error and another issuer", change: func(v url.Values) { v.Set("error", "access_denied"); v.Set("iss", "https://evil.example") }},
		{name: "markup for an error", change: func(v url.Values) { v.Set("error", "<script>"+strings.Repeat("x", 1000)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.provider.Set(connectortest.Knobs{Response: tt.change})
			step, err := h.finish(login, ann())
			h.failed(step, err)
			if errors.Is(err, connector.ErrRefused) != tt.refused {
				t.Errorf("refused: %v", err)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("the error is %d bytes long", len(err.Error()))
			}
			if calls := h.provider.Calls(connectortest.TokenPath); tt.name != "another code" && calls != 0 {
				t.Errorf("the token endpoint was asked %d times", calls)
			}
		})
	}
}

func TestTheStateOfAnotherLoginIsNotEvenTakenToTheProvider(t *testing.T) {
	h := newHouse(t, nil)
	a := h.begin(login, ann())
	other, err := h.Begin(t.Context(), connectortest.Login(2))
	if err != nil {
		t.Fatal(err)
	}
	for name, state := range map[string][]byte{"another login's": other.Prompt.State, "none": nil, "garbage": []byte("{"), "an empty one": []byte("{}")} {
		step, err := h.Continue(t.Context(), login, connector.Answer{Form: a.Form, State: state})
		h.failed(step, err)
		if calls := h.provider.Calls(connectortest.TokenPath); calls != 0 {
			t.Errorf("%s: the code was taken to the provider", name)
		}
	}
	if _, err := h.Continue(t.Context(), login, a); err != nil {
		t.Errorf("after that the right one is not good any more: %v", err)
	}
}

func TestAnIssuerThatIsNotAnnouncedMayBeMissing(t *testing.T) {
	h := newHouse(t, nil)
	h.provider.Set(connectortest.Knobs{
		Discovery: func(c connectortest.Claims) { delete(c, "authorization_response_iss_parameter_supported") },
		Response:  func(v url.Values) { v.Del("iss") },
	})
	h.in(ann())
}

func TestAnAnswerIsGoodOnce(t *testing.T) {
	h := newHouse(t, nil)
	a := h.begin(login, ann())
	if _, err := h.Continue(t.Context(), login, a); err != nil {
		t.Fatal(err)
	}
	step, err := h.Continue(t.Context(), login, a)
	h.failed(step, err)
}

func TestWhoIsAskedAgainHasToLogInAgain(t *testing.T) {
	ago := func(d time.Duration) func(*house) connectortest.Claims {
		return func(h *house) connectortest.Claims {
			return connectortest.Claims{"auth_time": h.clock.Now().Add(-d).Unix()}
		}
	}
	never := func(*house) connectortest.Claims { return nil }
	force, recent := connector.Login{Force: true}, connector.Login{MaxAge: seconds(600)}
	tests := []struct {
		name   string
		login  connector.Login
		said   func(*house) connectortest.Claims
		change map[string]any
		in     bool
	}{
		{"nobody asked, long ago", connector.Login{}, ago(24 * time.Hour), nil, true},
		{"nobody asked, never said", connector.Login{}, never, nil, true},
		{"asked again, just now", force, ago(0), nil, true},
		{"asked again, by a clock that is a little off", force, ago(30 * time.Second), nil, true},
		{"asked again, and the provider remembered", force, ago(time.Hour), nil, false},
		{"asked again, never said", force, never, nil, false},
		{"asked again, never said, as is known", force, never, map[string]any{"no_auth_time": true}, true},
		{"asked again, and the provider remembered, although it never says", force, ago(time.Hour), map[string]any{"no_auth_time": true}, false},
		{"recently, recently", recent, ago(5 * time.Minute), nil, true},
		{"recently, long ago", recent, ago(12 * time.Minute), nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, tt.change)
			said := tt.said(h)
			h.provider.Set(connectortest.Knobs{IDToken: func(c connectortest.Claims) {
				delete(c, "auth_time")
				maps.Copy(c, said)
			}})
			tt.login.ID, tt.login.CallbackURL = login.ID, login.CallbackURL
			step, err := h.finish(tt.login, ann())
			if tt.in != (err == nil) {
				t.Errorf("%+v, %v", step, err)
			}
		})
	}
}

func TestHowThePersonProvedWhoTheyAre(t *testing.T) {
	tests := []struct {
		name string
		amr  any
		want []credential.Method
	}{
		{"not said", nil, []credential.Method{credential.Federated}},
		{"password", []string{"pwd"}, []credential.Method{credential.Password}},
		{"two factors", []string{"pwd", "otp", "mfa", "pwd"}, []credential.Method{credential.Password, credential.MultiStep}},
		{"something unknown", []string{"magic"}, []credential.Method{credential.Federated}},
		{"not a list", "mfa", []credential.Method{credential.Federated}},
		{"a list of something else", []any{"mfa", 7}, []credential.Method{credential.Federated}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.provider.Set(connectortest.Knobs{IDToken: func(c connectortest.Claims) { c["amr"] = tt.amr }})
			if diff := cmp.Diff(tt.want, h.in(ann()).Methods); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALoginInTheFutureWasNow(t *testing.T) {
	h := newHouse(t, nil)
	h.provider.Set(connectortest.Knobs{IDToken: func(c connectortest.Claims) { c["auth_time"] = h.clock.Now().Add(time.Hour).Unix() }})
	if at := h.in(ann()).AuthTime; !at.Equal(h.clock.Now()) {
		t.Errorf("%v", at)
	}
}

func FuzzContinue(f *testing.F) {
	h := newHouse(f, nil)
	f.Add("state=attempt1&code=x&iss=y", []byte(`{"l":"x","n":"y"}`))
	f.Add("error=access_denied&state=", []byte(`{}`))
	f.Add("%zz;a=b", []byte("\x00"))
	f.Fuzz(func(t *testing.T, query string, state []byte) {
		form, _ := url.ParseQuery(query)
		step, err := h.Continue(t.Context(), login, connector.Answer{Form: form, State: state})
		if err == nil || step.Identity != nil || step.Prompt != nil {
			t.Fatalf("%+v, %v", step, err)
		}
		// The same with the state of a real login.
		begun, err := h.Begin(t.Context(), login)
		if err != nil {
			t.Fatal(err)
		}
		form.Set("state", login.ID)
		form.Set("iss", h.provider.Issuer)
		step, err = h.Continue(t.Context(), login, connector.Answer{Form: form, State: begun.Prompt.State})
		if err == nil || step.Identity != nil || step.Prompt != nil {
			t.Fatalf("%+v, %v", step, err)
		}
	})
}
