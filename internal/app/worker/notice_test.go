package worker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/connector/connectortest"
	"dex/internal/protocol/jose"
)

// startBelow starts a server whose people come by a provider, with an application that
// is told when a session ends.
func startBelow(t *testing.T) (s *workertest.Server, up *connectortest.Provider, told *listener) {
	t.Helper()
	fake := &clock.Fake{}
	up, told = connectortest.NewProvider(t, fake), newListener(t)
	config, err := json.Marshal(map[string]any{
		"issuer": up.Issuer, "client_id": up.ClientID, "client_secret": up.ClientSecret, "frontchannel_logout": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s = workertest.Start(t, workertest.Options{
		Clock:  fake,
		Config: "outbound_allow_private: [127.0.0.0/8]\nconnectors:\n- {id: local, kind: local, name: Password}\n- {id: up, kind: oidc, name: Up, config: " + string(config) + "}\n",
		Clients: fmt.Sprintf(`
- {id: told, name: Told, secret: told-secret, redirect_uris: ["https://told.example.com/cb"], trusted: true, backchannel_logout_uri: "%s/backchannel_logout", grant_types: [authorization_code, refresh_token], scopes: [openid, offline_access]}
`, told.URL),
	})
	return s, up, told
}

// arriveCalled logs somebody in by the provider, in a session that it calls by a name.
func arriveCalled(t *testing.T, b *workertest.Browser, up *connectortest.Provider, c *workertest.Client, s *workertest.Server, sub, sid string, pairs ...string) workertest.Tokens {
	t.Helper()
	away := b.Follow(b.Get(c.Authorize(append([]string{"connector_id", "up"}, pairs...)...)))
	back := up.Authorize(t, away.Header.Get("Location"), connectortest.Claims{"sub": sub, "sid": sid, "preferred_username": "p" + sub})
	return c.Redeem(b.Follow(b.Get(s.URL + "/callback/up?" + back.Encode())).Param("code"))
}

// oidcc-client-backchannel-logout: a provider tells us, and we tell our applications.
func TestAProviderSaysThatSomebodyHasSignedOutThere(t *testing.T) {
	s, up, heard := startBelow(t)
	told := s.Client(t, "told")
	notify := func(change connectortest.Claims) *workertest.Answer {
		return s.Browser(t).CrossPost(s.URL+"/logout/upstream/up", url.Values{"logout_token": {up.LogoutToken(jose.TypeLogoutToken, change)}})
	}
	here, there, other := s.Browser(t), s.Browser(t), s.Browser(t)
	offline := arriveCalled(t, here, up, told, s, "1", "session-1", "scope", "openid offline_access")
	arriveCalled(t, there, up, told, s, "1", "session-2")
	arriveCalled(t, other, up, told, s, "2", "session-3")
	in := func(b *workertest.Browser) bool {
		return b.Get(told.Authorize("prompt", "none")).Param("code") != ""
	}

	if a := notify(connectortest.Claims{"sub": "1", "sid": "session-1"}); a.Status != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" || a.Body != "" {
		t.Errorf("%d %q %q", a.Status, a.Header.Get("Cache-Control"), a.Body)
	}
	if in(here) || !in(there) || !in(other) {
		t.Error("another session has ended than was meant")
	}
	if tokens := heard.tokens(); len(tokens) != 1 {
		t.Errorf("the application is told %d times", len(tokens))
	}
	if a := told.Refresh(offline.RefreshToken); a.Status != http.StatusOK {
		t.Errorf("Back-Channel Logout 2.7: what outlives a session has ended: %d", a.Status)
	}
	if a := notify(connectortest.Claims{"sub": "1", "sid": "session-1"}); a.Status != http.StatusOK {
		t.Errorf("a session that has ended already is no mistake: %d", a.Status)
	}
	token := url.Values{"logout_token": {up.LogoutToken(jose.TypeLogoutToken, connectortest.Claims{"sub": "1"})}}
	if a := s.Browser(t).CrossPost(s.URL+"/logout/upstream/up", token); a.Status != http.StatusOK || in(there) || !in(other) {
		t.Errorf("all of somebody's: %d", a.Status)
	}
	for name, a := range map[string]*workertest.Answer{
		"a token that has counted":  s.Browser(t).CrossPost(s.URL+"/logout/upstream/up", token),
		"a token that does not fit": notify(connectortest.Claims{"sub": "2", "aud": "another"}),
		"no token":                  s.Browser(t).CrossPost(s.URL+"/logout/upstream/up", url.Values{}),
		"one that listens to none":  s.Browser(t).CrossPost(s.URL+"/logout/upstream/local", token),
		"one that is not there":     s.Browser(t).CrossPost(s.URL+"/logout/upstream/nobody", token),
	} {
		var said struct{ Error string }
		if a.Status != http.StatusBadRequest || json.Unmarshal([]byte(a.Body), &said) != nil || said.Error != "invalid_request" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if !in(other) {
		t.Error("a notice that is refused has ended a session")
	}
}

// The front channel of a provider, as its page has us in a frame: no cookie of ours is
// with it.
func TestAProvidersPageEndsASessionByItsName(t *testing.T) {
	s, up, heard := startBelow(t)
	told := s.Client(t, "told")
	b, other := s.Browser(t), s.Browser(t)
	arriveCalled(t, b, up, told, s, "1", "session-1")
	arriveCalled(t, other, up, told, s, "1", "session-2")
	in := func(b *workertest.Browser) bool {
		return b.Get(told.Authorize("prompt", "none")).Param("code") != ""
	}
	frame := func(query url.Values) *workertest.Answer {
		return s.Browser(t).Get(s.URL + "/logout/upstream/up?" + query.Encode())
	}
	for name, query := range map[string]url.Values{
		"no session": {"iss": {up.Issuer}}, "another issuer": {"iss": {s.URL}, "sid": {"session-1"}}, "nothing": {},
	} {
		if a := frame(query); a.Status != http.StatusBadRequest || !in(b) {
			t.Errorf("%s: %d", name, a.Status)
		}
	}
	heard.tokens()
	a := frame(url.Values{"iss": {up.Issuer}, "sid": {"session-1"}})
	if a.Status != http.StatusOK || in(b) || !in(other) || len(heard.tokens()) != 1 {
		t.Errorf("%d", a.Status)
	}
	if a.Header.Get("X-Frame-Options") != "" || strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors") ||
		!strings.HasPrefix(a.Header.Get("Content-Security-Policy"), "default-src 'none'") || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a page has it in a frame: %v", a.Header)
	}
	if a := frame(url.Values{"iss": {up.Issuer}, "sid": {"session-1"}}); a.Status != http.StatusOK {
		t.Errorf("once more: %d", a.Status)
	}
}
