package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/base/outbound"
	"dex/internal/connector"
	"dex/internal/connector/connectortest"
	"dex/internal/protocol/jose"
)

// says answers with a body.
func says(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// pours answers with ten megabytes.
func pours() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		megabyte := `"` + strings.Repeat("x", 1<<20-3) + `",`
		_, _ = io.WriteString(w, `{"x":[`)
		for range 10 {
			if _, err := io.WriteString(w, megabyte); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, `1]}`)
	})
}

// What is too long is refused, even if nothing but blanks makes it so.
func TestAnAnswerThatIsTooLongIsRefused(t *testing.T) {
	h := newHouse(t, nil)
	h.in(ann())
	blank := strings.Repeat(" ", 600<<10)
	for path, body := range map[string]string{
		connectortest.UserinfoPath: `{"sub":"1"}` + blank, connectortest.TokenPath: `{"error":"invalid_grant"}` + blank,
	} {
		h.provider.Set(connectortest.Knobs{Replace: map[string]http.Handler{path: says(http.StatusOK, body)}})
		if _, err := h.finish(login, ann()); !errors.Is(err, errTooLong) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Every endpoint fails in every way, and each time a login fails and says so.
func TestAProviderThatMisbehavesLetsNobodyIn(t *testing.T) {
	var canary sync.Map
	trap := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { canary.Store(r.URL.Path, true) }))
	t.Cleanup(trap.Close)
	ways := map[string]http.Handler{
		"is out of order":         says(http.StatusInternalServerError, `{"sub":"1"}`),
		"says nothing":            says(http.StatusOK, ``),
		"says garbage":            says(http.StatusOK, `<html>`),
		"says null":               says(http.StatusOK, `null`),
		"says a list":             says(http.StatusOK, `[]`),
		"says an empty object":    says(http.StatusOK, `{}`),
		"says two objects":        says(http.StatusOK, `{"sub":"1"}{"sub":"1"}`),
		"nests without an end":    says(http.StatusOK, strings.Repeat(`{"a":[`, 20_000)),
		"says it with 201":        says(http.StatusCreated, `{"sub":"1","keys":[]}`),
		"pours ten megabytes out": pours(),
		"sends us elsewhere":      http.RedirectHandler(trap.URL+"/trap", http.StatusTemporaryRedirect),
		"hangs up":                http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	}
	for _, path := range []string{connectortest.DiscoveryPath, connectortest.TokenPath, connectortest.KeysPath, connectortest.UserinfoPath} {
		for way, handler := range ways {
			t.Run(path+" "+way, func(t *testing.T) {
				h := newHouse(t, nil)
				h.provider.Set(connectortest.Knobs{Replace: map[string]http.Handler{path: handler}})
				step, err := h.Begin(t.Context(), login)
				if path != connectortest.DiscoveryPath {
					step, err = h.finish(login, ann())
				}
				h.failed(step, err)
				if errors.Is(err, connector.ErrRefused) {
					t.Errorf("a failure is taken for a refusal: %v", err)
				}
				if strings.Contains(fmt.Sprint(err), h.provider.ClientSecret) {
					t.Errorf("the error gives the secret away: %v", err)
				}
			})
		}
	}
	canary.Range(func(path, _ any) bool { t.Errorf("a redirect was followed to %v", path); return true })
}

// hangs makes an endpoint of the provider answer nothing until the test ends.
func (h *house) hangs(path string) {
	h.t.Helper()
	release := make(chan struct{})
	h.t.Cleanup(func() { close(release) }) // before the provider stops, which waits for it
	h.provider.Set(connectortest.Knobs{Replace: map[string]http.Handler{
		path: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }),
	}})
}

func TestAProviderThatIsSlowHoldsNobodyForLong(t *testing.T) {
	for _, path := range []string{connectortest.DiscoveryPath, connectortest.TokenPath, connectortest.KeysPath, connectortest.UserinfoPath} {
		t.Run(path, func(t *testing.T) {
			h := newHouse(t, nil)
			h.open(nil, outbound.New(outbound.Options{AllowPrivate: loopback, Timeout: 200 * time.Millisecond}))
			h.hangs(path)
			step, err := h.Begin(t.Context(), login)
			if path != connectortest.DiscoveryPath {
				step, err = h.finish(login, ann())
			}
			h.failed(step, err)
		})
	}
	t.Run("who leaves is not held at all", func(t *testing.T) {
		h := newHouse(t, nil)
		h.hangs(connectortest.DiscoveryPath)
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { _, err := h.Begin(ctx, login); left <- err }()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestMetadataThatLiesIsNotBelieved(t *testing.T) {
	type claims = connectortest.Claims
	for name, change := range map[string]func(claims){
		"another issuer":                     func(c claims) { c["issuer"] = "https://evil.example" },
		"an issuer that looks like it":       func(c claims) { c["issuer"] = c["issuer"].(string) + "/" },
		"no issuer":                          func(c claims) { delete(c, "issuer") },
		"no authorization endpoint":          func(c claims) { delete(c, "authorization_endpoint") },
		"no token endpoint":                  func(c claims) { delete(c, "token_endpoint") },
		"no keys":                            func(c claims) { c["jwks_uri"] = "" },
		"an endpoint of another scheme":      func(c claims) { c["token_endpoint"] = "file:///etc/passwd" },
		"an endpoint that is a script":       func(c claims) { c["authorization_endpoint"] = "javascript:alert(1)" },
		"an endpoint with a name in it":      func(c claims) { c["token_endpoint"] = "https://a:b@example.com/" },
		"an endpoint with a fragment":        func(c claims) { c["authorization_endpoint"] = "https://example.com/#x" },
		"an endpoint with a line break":      func(c claims) { c["end_session_endpoint"] = "https://example.com/\n" },
		"an endpoint that is no text":        func(c claims) { c["userinfo_endpoint"] = []int{1} },
		"an endpoint without a host":         func(c claims) { c["userinfo_endpoint"] = "https:///x" },
		"userinfo within the house":          func(c claims) { c["userinfo_endpoint"] = "http://169.254.169.254/latest" },
		"keys at an address not to be asked": func(c claims) { c["jwks_uri"] = "http://10.0.0.1/keys" },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.provider.Set(connectortest.Knobs{Discovery: change})
			step, err := h.Begin(t.Context(), login)
			if err == nil { // what it says of the two last only shows when they are asked
				step, err = h.finish(login, ann())
			}
			h.failed(step, err)
		})
	}
	m := metadata{Issuer: "https://a.example", AuthorizationEndpoint: "https://a.example/a", TokenEndpoint: "https://a.example/t", KeysURI: "http://a.example/k"}
	if err := m.check("https://a.example", true); err == nil {
		t.Error("keys are fetched in clear")
	}
}

func TestUserinfoIsAboutTheSamePerson(t *testing.T) {
	type claims = connectortest.Claims
	for name, sub := range map[string]any{"somebody else": "2", "nobody": nil, "a number": 1, "an empty subject": "", "in other letters": "1 "} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.provider.Set(connectortest.Knobs{Userinfo: func(c claims) { c["sub"] = sub }})
			step, err := h.finish(login, ann())
			h.failed(step, err)
		})
	}
	t.Run("twice", func(t *testing.T) {
		h := newHouse(t, nil)
		h.provider.Set(connectortest.Knobs{Replace: map[string]http.Handler{connectortest.UserinfoPath: says(http.StatusOK, `{"sub":"2","sub":"1"}`)}})
		step, err := h.finish(login, ann())
		h.failed(step, err)
	})
}

func TestSignedUserinfo(t *testing.T) {
	type claims = connectortest.Claims
	for name, tt := range map[string]struct {
		sign func(h *house, c claims) string
		in   bool
	}{
		"by the provider for us":     {func(h *house, c claims) string { return h.provider.SignAs(c) }, true},
		"by the provider for others": {func(h *house, c claims) string { c["aud"] = "other"; return h.provider.SignAs(c) }, false},
		"of another provider":        {func(h *house, c claims) string { c["iss"] = "https://evil.example"; return h.provider.SignAs(c) }, false},
		"by a stranger":              {func(_ *house, c claims) string { return by(c, "") }, false},
		"with our secret":            {func(h *house, c claims) string { return hs256(c, h.provider.ClientSecret) }, false},
		"not at all":                 {func(_ *house, c claims) string { return segment(c) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.provider.Set(connectortest.Knobs{Replace: map[string]http.Handler{connectortest.UserinfoPath: http.HandlerFunc(
				func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/jwt; charset=utf-8")
					_, _ = io.WriteString(w, tt.sign(h, claims{"iss": h.provider.Issuer, "aud": "dex", "sub": "1", "nickname": "annie"}))
				})}})
			step, err := h.finish(login, ann())
			if !tt.in {
				h.failed(step, err)
			} else if err != nil || step.Identity.Profile.Nickname != "annie" {
				t.Errorf("%+v, %v", step, err)
			}
		})
	}
}

func TestTheTokenEndpointsErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		answer  http.Handler
		refused bool
	}{
		"the code is not good":     {says(http.StatusBadRequest, `{"error":"invalid_grant"}`), true},
		"we are not known":         {says(http.StatusUnauthorized, `{"error":"invalid_client"}`), false},
		"out of order, it says so": {says(http.StatusServiceUnavailable, `{"error":"invalid_grant"}`), false},
		"markup":                   {says(http.StatusBadRequest, `{"error":"<script>`+strings.Repeat("x", 5000)+`"}`), false},
		"no bearer token":          {says(http.StatusOK, `{"access_token":"x","token_type":"mac","id_token":"x"}`), false},
		"no access token":          {says(http.StatusOK, `{"token_type":"Bearer","id_token":"x"}`), false},
		"an odd access token":      {says(http.StatusOK, `{"access_token":"a\r\nX: y","token_type":"Bearer","id_token":"x"}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.provider.Set(connectortest.Knobs{Replace: map[string]http.Handler{connectortest.TokenPath: tt.answer}})
			step, err := h.finish(login, ann())
			h.failed(step, err)
			if errors.Is(err, connector.ErrRefused) != tt.refused || len(fmt.Sprint(err)) > 200 {
				t.Error(err)
			}
		})
	}
}

func TestAStoppedProviderIsNoReasonNotToStart(t *testing.T) {
	h := newHouse(t, nil)
	h.provider.Stop()
	h.open(nil, h.Connector.(*provider).env.Client)
	step, err := h.Begin(t.Context(), login)
	h.failed(step, err)
	if err := h.Connector.(connector.Health).Check(t.Context()); err == nil {
		t.Error("it says that it is well")
	}
}

func TestNothingIsAskedBeforeSomebodyLogsInAndThenOnce(t *testing.T) {
	h := newHouse(t, nil)
	if calls := h.provider.Calls(connectortest.DiscoveryPath); calls != 0 {
		t.Errorf("asked %d times at the start", calls)
	}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := h.Begin(t.Context(), login); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	h.in(ann())
	h.in(ann())
	for _, path := range []string{connectortest.DiscoveryPath, connectortest.KeysPath} {
		if calls := h.provider.Calls(path); calls != 1 {
			t.Errorf("%s was asked %d times", path, calls)
		}
	}
	h.clock.Advance(time.Hour)
	h.in(ann())
	for _, path := range []string{connectortest.DiscoveryPath, connectortest.KeysPath} {
		if calls := h.provider.Calls(path); calls != 2 {
			t.Errorf("%s was asked %d times in an hour", path, calls)
		}
	}
}

func TestANewKeyIsFoundAtOnceAndNotSoughtTooOften(t *testing.T) {
	h := newHouse(t, nil)
	h.in(ann())
	h.provider.RotateKeys()
	h.in(ann())
	if calls := h.provider.Calls(connectortest.KeysPath); calls != 2 {
		t.Errorf("the keys were fetched %d times", calls)
	}
	// Tokens that nobody knows a key for make us ask no more than once in 30 seconds.
	h.provider.Set(connectortest.Knobs{Sign: func(c connectortest.Claims) string { return by(c, "unknown") }})
	for range 20 {
		h.failed(h.finish(login, ann()))
	}
	if calls := h.provider.Calls(connectortest.KeysPath); calls != 2 {
		t.Errorf("the keys were fetched %d times", calls)
	}
	h.provider.Set(connectortest.Knobs{})
	h.provider.RotateKeys()
	h.failed(h.finish(login, ann()))
	h.clock.Advance(30 * time.Second)
	h.in(ann())
	if calls := h.provider.Calls(connectortest.KeysPath); calls != 3 {
		t.Errorf("the keys were fetched %d times", calls)
	}
}

func TestAKeyThatIsTakenBackIsForgotten(t *testing.T) {
	h := newHouse(t, nil)
	var stolen string
	h.provider.Set(connectortest.Knobs{Sign: func(c connectortest.Claims) string {
		stolen = h.provider.SignAs(connectortest.Claims{"iss": c["iss"], "aud": c["aud"], "sub": "2"})
		return h.provider.SignAs(c)
	}})
	h.in(ann())
	h.provider.RotateKeys()
	h.clock.Advance(keysMaxAge)
	if _, _, err := h.Connector.(*provider).verify(t.Context(), stolen, jose.TypeJWT); err == nil {
		t.Error("the old key is still trusted")
	}
}

func TestWhatIsOldServesWhileTheProviderIsDown(t *testing.T) {
	h := newHouse(t, nil)
	h.in(ann())
	broken := says(http.StatusInternalServerError, "")
	h.provider.Set(connectortest.Knobs{Replace: map[string]http.Handler{connectortest.DiscoveryPath: broken, connectortest.KeysPath: broken}})
	h.clock.Advance(2 * time.Hour)
	h.in(ann())
	if err := h.Connector.(connector.Health).Check(t.Context()); err == nil {
		t.Error("it says that it is well")
	}
	h.clock.Advance(24 * time.Hour)
	h.failed(h.Begin(t.Context(), login))
}

func TestAProviderThatIsDownIsLeftAloneForAMoment(t *testing.T) {
	h := newHouse(t, nil)
	h.provider.Set(connectortest.Knobs{Replace: map[string]http.Handler{connectortest.DiscoveryPath: says(http.StatusBadGateway, "")}})
	for range 10 {
		h.failed(h.Begin(t.Context(), login))
	}
	if calls := h.provider.Calls(connectortest.DiscoveryPath); calls != 1 {
		t.Errorf("asked %d times", calls)
	}
	h.provider.Set(connectortest.Knobs{})
	h.clock.Advance(holdOff)
	h.in(ann())
	h.clock.Advance(holdOff)
	if err := h.Connector.(connector.Health).Check(t.Context()); err != nil {
		t.Error(err)
	}
}
