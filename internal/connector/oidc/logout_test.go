package oidc

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dex/internal/connector"
	"dex/internal/connector/connectortest"
	"dex/internal/domain/mint"
	"dex/internal/domain/session"
	"dex/internal/protocol/jose"
)

// told shows the connector a logout token.
func (h *house) told(token string) (session.Notice, error) {
	h.t.Helper()
	return h.Connector.(connector.Listener).Told(h.t.Context(), url.Values{"logout_token": {token}})
}

func TestWhatAProviderSaysOfItsSessionsIsHeard(t *testing.T) {
	h := newHouse(t, nil)
	person := ann()
	person["sid"] = "session-1"
	if step := h.in(person); step.Session != "session-1" {
		t.Errorf("its session is called %q", step.Session)
	}
	ann := h.provider.Issuer + "#1"
	now := h.clock.Now()
	for _, test := range []struct {
		name   string
		typ    string
		change connectortest.Claims
		want   session.Notice
		lives  time.Duration
	}{
		{"oidcc-client-test-rp-backchannel-rpinitlogout: whose and which", jose.TypeLogoutToken, connectortest.Claims{"sub": "1", "sid": "session-1"}, session.Notice{Subject: ann, UpstreamID: session.UpstreamID("session-1")}, 2 * time.Minute},
		{"which", jose.TypeLogoutToken, connectortest.Claims{"sid": "session-1"}, session.Notice{UpstreamID: session.UpstreamID("session-1")}, 2 * time.Minute},
		{"whose", jose.TypeJWT, connectortest.Claims{"sub": "1"}, session.Notice{Subject: ann}, 2 * time.Minute},
		{"whose, to several", jose.TypeJWT, connectortest.Claims{"sub": "1", "aud": []string{"dex", "other"}}, session.Notice{Subject: ann}, 2 * time.Minute},
		{"without an end, as in the drafts", jose.TypeJWT, connectortest.Claims{"sub": "1", "exp": nil}, session.Notice{Subject: ann}, logoutAge},
		{"with an end far away", jose.TypeJWT, connectortest.Claims{"sub": "1", "exp": now.Add(24 * time.Hour).Unix()}, session.Notice{Subject: ann}, logoutAge},
		{"together with another event", jose.TypeJWT, connectortest.Claims{"sub": "1", "events": connectortest.Claims{mint.LogoutEvent: connectortest.Claims{"more": 1}, "x": 1}}, session.Notice{Subject: ann}, 2 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, err := h.told(h.provider.LogoutToken(test.typ, test.change))
			if err != nil || n.ConnectorID != "up" || n.Subject != test.want.Subject || n.UpstreamID != test.want.UpstreamID {
				t.Errorf("%+v, %v", n, err)
			}
			if want := now.Add(test.lives + skew).Truncate(time.Second); !n.Expires.Equal(want) {
				t.Errorf("it is remembered until %s, want %s", n.Expires, want)
			}
		})
	}
	if n, err := h.told(h.provider.LogoutToken(jose.TypeLogoutToken, connectortest.Claims{"sub": "1", "jti": "a"})); err != nil || n.Token == (session.Notice{}).Token {
		t.Errorf("a token that can count again: %+v, %v", n, err)
	}
}

// The names of modules are those of the plan for relying parties,
// oidcc-client-backchannel-logout.
func TestALogoutTokenThatIsNotAsItMustBeEndsNothing(t *testing.T) {
	type claims = connectortest.Claims
	said := func(change claims) func(*house) string {
		return func(h *house) string {
			all := claims{"sub": "1", "sid": "session-1"}
			maps.Copy(all, change)
			return h.provider.LogoutToken(jose.TypeLogoutToken, all)
		}
	}
	whole := func(h *house) claims {
		return claims{
			"iss": h.provider.Issuer, "aud": "dex", "iat": h.clock.Now().Unix(), "exp": h.clock.Now().Add(time.Minute).Unix(), "jti": "j", "sub": "1",
			"events": claims{mint.LogoutEvent: claims{}},
		}
	}
	for name, token := range map[string]func(*house) string{
		"-logout-alg-none": func(h *house) string { return segment(claims{"alg": "none"}) + "." + segment(whole(h)) + "." },
		"signed with our secret, which the algorithm is not agreed for": func(h *house) string { return hs256(whole(h), h.provider.ClientSecret) },
		"signed by a stranger":            func(h *house) string { return by(whole(h), "stranger") },
		"-wrong-issuer":                   said(claims{"iss": "https://evil.example"}),
		"of no issuer":                    said(claims{"iss": nil}),
		"-wrong-aud":                      said(claims{"aud": "another"}),
		"for nobody":                      said(claims{"aud": nil}),
		"-wrong-event":                    said(claims{"events": claims{"http://schemas.openid.net/event/another": claims{}}}),
		"-no-event":                       said(claims{"events": nil}),
		"with an event that says nothing": said(claims{"events": claims{mint.LogoutEvent: nil}}),
		"with an event in words":          said(claims{"events": claims{mint.LogoutEvent: "yes"}}),
		"with a list of events":           said(claims{"events": []string{mint.LogoutEvent}}),
		"-with-nonce":                     said(claims{"nonce": "n"}),
		"with a nonce that is null": func(h *house) string {
			all := whole(h)
			all["nonce"] = nil
			return h.provider.SignAs(all)
		},
		"without a jti":                 said(claims{"jti": nil}),
		"with an endless jti":           said(claims{"jti": strings.Repeat("j", maxTokenID+1)}),
		"issued at no time":             said(claims{"iat": nil}),
		"of neither person nor session": said(claims{"sub": nil, "sid": nil}),
		"of an empty session":           said(claims{"sid": ""}),
		"of a session that is a number": said(claims{"sid": 1}),
		"of an endless session":         said(claims{"sid": strings.Repeat("s", maxSessionName+1)}),
		"of a broken subject":           said(claims{"sub": "a\x00b"}),
		"that has expired":              func(h *house) string { return said(claims{"exp": h.clock.Now().Add(-2 * time.Minute).Unix()})(h) },
		"of yesterday, that says it counts": func(h *house) string {
			return said(claims{"iat": h.clock.Now().Add(-24 * time.Hour).Unix(), "exp": h.clock.Now().Add(time.Hour).Unix()})(h)
		},
		"of tomorrow":    func(h *house) string { return said(claims{"iat": h.clock.Now().Add(time.Hour).Unix()})(h) },
		"an ID token":    func(h *house) string { return string(h.in(ann()).Upstream) },
		"of another use": func(h *house) string { return h.provider.LogoutToken("at+jwt", claims{"sub": "1"}) },
		"garbage":        func(*house) string { return "a.b.c" },
		"empty":          func(*house) string { return "" },
		"with a subject twice": func(h *house) string {
			parts := strings.Split(h.provider.SignAs(whole(h)), ".")
			return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"1","sub":"2"}`)) + "." + parts[2]
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			if n, err := h.told(token(h)); !errors.Is(err, connector.ErrRefused) || n != (session.Notice{}) {
				t.Errorf("%+v, %v", n, err)
			}
		})
	}
	h := newHouse(t, nil)
	token := h.provider.LogoutToken(jose.TypeLogoutToken, claims{"sub": "1"})
	if _, err := h.Connector.(connector.Listener).Told(t.Context(), url.Values{"logout_token": {token, token}}); !errors.Is(err, connector.ErrRefused) {
		t.Errorf("twice: %v", err)
	}
}

func TestALogoutTokenIsEncryptedIfThatIsAgreed(t *testing.T) {
	key := newKey(t, jose.RS256)
	to := jose.EncryptionKey{KID: published(t, key, "").KID, Alg: jose.RSAOAEP256, Public: key.Public()}
	h := strict(t, connectortest.Demands{EncryptTo: to}, map[string]any{"decryption_key": pemOf(t, key), "encrypted_id_token": true})
	said := connectortest.Claims{"sub": "1"}
	if n, err := h.told(h.provider.LogoutToken(jose.TypeLogoutToken, said)); err != nil || n.Subject == "" {
		t.Errorf("%+v, %v", n, err)
	}
	h.provider.Demand(connectortest.Demands{})
	if _, err := h.told(h.provider.LogoutToken(jose.TypeLogoutToken, said)); !errors.Is(err, connector.ErrRefused) {
		t.Errorf("in the clear: %v", err)
	}
}

// Nobody can say whether the notice is true: that is no refusal, so that it comes again.
func TestANoticeIsNotRefusedWhileTheProviderIsDown(t *testing.T) {
	h := newHouse(t, nil)
	token := h.provider.LogoutToken(jose.TypeLogoutToken, connectortest.Claims{"sub": "1"})
	h.provider.Set(connectortest.Knobs{Replace: map[string]http.Handler{connectortest.KeysPath: says(http.StatusInternalServerError, "")}})
	if _, err := h.told(token); err == nil || errors.Is(err, connector.ErrRefused) {
		t.Errorf("%v", err)
	}
}

func TestABrowserEndsASessionOnlyByItsNameAndWhereThatIsEnough(t *testing.T) {
	h := newHouse(t, map[string]any{"frontchannel_logout": true})
	for name, test := range map[string]struct {
		query url.Values
		taken bool
	}{
		"iss and sid":    {url.Values{"iss": {h.provider.Issuer}, "sid": {"session-1"}}, true},
		"nothing":        {url.Values{}, false},
		"another issuer": {url.Values{"iss": {"https://evil.example"}, "sid": {"session-1"}}, false},
		"no issuer":      {url.Values{"sid": {"session-1"}}, false},
		"no session":     {url.Values{"iss": {h.provider.Issuer}}, false},
		"two sessions":   {url.Values{"iss": {h.provider.Issuer}, "sid": {"session-1", "session-2"}}, false},
		"an endless one": {url.Values{"iss": {h.provider.Issuer}, "sid": {strings.Repeat("s", maxSessionName+1)}}, false},
	} {
		n, err := h.Connector.(connector.Listener).Shown(t.Context(), test.query)
		if taken := err == nil && n == (session.Notice{ConnectorID: "up", UpstreamID: session.UpstreamID("session-1")}); taken != test.taken {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
		if err != nil && !errors.Is(err, connector.ErrRefused) {
			t.Errorf("%s: a failure of ours: %v", name, err)
		}
	}
	h = newHouse(t, nil)
	if _, err := h.Connector.(connector.Listener).Shown(t.Context(), url.Values{"iss": {h.provider.Issuer}, "sid": {"session-1"}}); !errors.Is(err, connector.ErrRefused) {
		t.Errorf("unless it is set: %v", err)
	}
}

func FuzzLogoutToken(f *testing.F) {
	p := newHouse(f, nil).Connector.(*provider)
	now := p.env.Clock.Now()
	f.Add([]byte(`{"iss":"` + p.Issuer + `","aud":"dex","iat":1,"exp":9,"jti":"j","sub":"1","sid":"s","events":{"` + mint.LogoutEvent + `":{}}}`))
	f.Add([]byte(`{"events":[],"nonce":null}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		n, err := p.readLogout(payload, now)
		if err == nil && (n.Subject == "" && n.UpstreamID == (session.Notice{}).UpstreamID || n.Token == (session.Notice{}).Token || n.Expires.After(now.Add(logoutAge+2*skew))) {
			t.Fatalf("%s: %+v", payload, n)
		}
	})
}
