package worker_test

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/base/route"
	"dex/internal/domain/audit"
	"dex/internal/domain/mint"
	"dex/internal/domain/outbox"
	"dex/internal/protocol/jose"
)

// listener is an application that is told when sessions end.
type listener struct {
	*httptest.Server

	mu     sync.Mutex
	heard  []string // logout tokens
	status int      // that it answers with; zero is 200
	hold   chan struct{}
}

func newListener(t *testing.T) *listener {
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(l.hear))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) hear(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	status, hold := l.status, l.hold
	if r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" && r.URL.RawQuery == "" {
		l.heard = append(l.heard, r.PostFormValue("logout_token"))
	}
	l.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if status != 0 {
		w.WriteHeader(status)
	}
}

func (l *listener) answer(status int, hold chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status, l.hold = status, hold
}

// tokens returns what it has heard since it was last asked.
func (l *listener) tokens() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	heard := l.heard
	l.heard = nil
	return heard
}

// startWithListeners starts a server with two applications that are told by a request
// of ours, one of which the browser tells as well, and one that only the browser does.
func startWithListeners(t *testing.T, o workertest.Options) (s *workertest.Server, first, second *listener) {
	first, second = newListener(t), newListener(t)
	o.Config += "outbound_allow_private: [127.0.0.0/8]\n"
	o.Clients += fmt.Sprintf(`
- {id: told, name: Told, secret: told-secret, redirect_uris: ["https://told.example.com/cb"], post_logout_redirect_uris: ["https://told.example.com/bye"], trusted: true, backchannel_logout_uri: "%[1]s/backchannel_logout", backchannel_logout_session_required: true, grant_types: [authorization_code, refresh_token], scopes: [openid, offline_access]}
- {id: es, name: ES, secret: es-secret, redirect_uris: ["https://es.example.com/cb"], trusted: true, id_token_alg: ES256, backchannel_logout_uri: "%[2]s/backchannel_logout"}
- {id: framed, name: Framed, secret: framed-secret, redirect_uris: ["https://framed.example.com/cb"], post_logout_redirect_uris: ["https://framed.example.com/bye"], trusted: true, frontchannel_logout_uri: "https://framed.example.com/logged-out?from=dex", frontchannel_logout_session_required: true}
`, first.URL, second.URL)
	return workertest.Start(t, o), first, second
}

// read verifies a logout token as an application does, Back-Channel Logout section 2.6.
func read(t *testing.T, s *workertest.Server, token string) (claims map[string]any, h jose.Header) {
	t.Helper()
	keys, err := jose.ParseJWKS([]byte(s.Browser(t).Get(route.Keys).Body))
	if err != nil {
		t.Fatal(err)
	}
	payload, h, err := jose.Verify(token, []jose.Algorithm{jose.RS256, jose.ES256}, []string{jose.TypeLogoutToken}, func(kid string, alg jose.Algorithm) (found []crypto.PublicKey) {
		for _, k := range keys {
			if k.KID == kid && k.Alg == alg {
				found = append(found, k.Public)
			}
		}
		return found
	})
	if err != nil {
		t.Fatalf("a logout token %q: %v", token, err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims, h
}

// oidcc-backchannel-rp-initiated-logout.
func TestApplicationsAreToldBeforeTheBrowserIsSentOn(t *testing.T) {
	s, first, second := startWithListeners(t, workertest.Options{})
	told, es, app, b := s.Client(t, "told"), s.Client(t, "es"), s.Client(t, "app"), s.Browser(t)
	tokens := told.Redeem(told.Code(b))
	other := es.Redeem(es.Code(b))
	app.Code(b)
	a := leave(b, "id_token_hint", tokens.IDToken, "post_logout_redirect_uri", "https://told.example.com/bye", "state", "x")
	if got := a.Header.Get("Location"); got != "https://told.example.com/bye?state=x" {
		t.Fatalf("%d, to %q", a.Status, got)
	}
	for _, test := range []struct {
		name    string
		party   *listener
		id      string
		alg     jose.Algorithm
		idToken map[string]any
	}{
		{"whoever asked", first, "told", jose.RS256, workertest.Claims(t, tokens.IDToken)},
		{"another", second, "es", jose.ES256, workertest.Claims(t, other.IDToken)},
	} {
		heard := test.party.tokens()
		if len(heard) != 1 {
			t.Fatalf("1.M 159: %s has heard %d times before the browser went on", test.name, len(heard))
		}
		claims, h := read(t, s, heard[0])
		now := float64(s.Clock.Now().Unix())
		if h.Algorithm != test.alg || claims["iss"] != s.URL || claims["aud"] != test.id || claims["sub"] != test.idToken["sub"] || claims["sid"] != test.idToken["sid"] ||
			claims["iat"] != now || claims["exp"] != now+120 || claims["jti"] == "" || claims["nonce"] != nil {
			t.Errorf("1.M 159: %s hears %v", test.name, claims)
		}
		if events, _ := json.Marshal(claims["events"]); string(events) != `{"`+mint.LogoutEvent+`":{}}` {
			t.Errorf("1.M 159: %s hears of %s", test.name, events)
		}
	}
	if tokens.IDToken == "" || workertest.Claims(t, tokens.IDToken)["sid"] == workertest.Claims(t, other.IDToken)["sid"] {
		t.Error("two applications know the session by the same name, and so that they have the same person")
	}
	if left := letters(t, s); len(left) != 0 {
		t.Errorf("still waiting: %+v", left)
	}
	leave(b, "id_token_hint", told.Redeem(told.Code(b)).IDToken)
	if again := first.tokens(); len(again) != 1 || app.Active(again[0]) || app.Userinfo(again[0]).Status != http.StatusUnauthorized {
		t.Error("1.C 49: a logout token is taken for an access token")
	}
}

// What tells of a session's end is for the client's eyes alone if its ID tokens are, and
// both know the person by the name of its sector.
func TestALogoutTokenIsEncryptedAsTheClientsIDTokensAre(t *testing.T) {
	key, err := jose.GenerateKey(jose.EncryptEC)
	must(t, err)
	set, err := jose.MarshalForeignJWKS(nil, []jose.EncryptionKey{{KID: "e1", Public: key.Public()}})
	must(t, err)
	opened := func(token string) string {
		t.Helper()
		plain, h, err := jose.Decrypt(token, jose.KeyManagements(), jose.ContentEncryptions(), func(string, jose.KeyManagement) []crypto.PrivateKey {
			return []crypto.PrivateKey{key}
		})
		if err != nil || h.ContentType != "JWT" {
			t.Fatalf("%q cannot be read: %v, %+v", token, err, h)
		}
		return string(plain)
	}
	keys, near, far := publish(t, "nothing yet"), newListener(t), newListener(t)
	s := workertest.Start(t, workertest.Options{Config: "outbound_allow_private: [127.0.0.0/8]\n", Clients: fmt.Sprintf(`
- {id: near, profile: openid, secret: near-secret, redirect_uris: ["https://near.example.com/cb"], trusted: true, subject_type: pairwise, jwks: %s, id_token_encryption_alg: ECDH-ES, backchannel_logout_uri: "%s/out"}
- {id: far, secret: far-secret, redirect_uris: ["https://far.example.com/cb"], trusted: true, jwks_uri: "%s/jwks", id_token_encryption_alg: ECDH-ES, id_token_alg: ES256, backchannel_logout_uri: "%s/out"}
`, set, near.URL, keys.URL, far.URL)})
	c, b := s.Client(t, "near"), s.Browser(t)
	idToken := opened(c.Redeem(c.Code(b)).IDToken)
	other := s.Client(t, "far")
	other.Code(b)
	leave(b, "id_token_hint", idToken)
	if signedIn(t, s, b) {
		t.Fatal("a hint with a pairwise subject ends nothing")
	}
	isSaid := func(l *listener, sub any) {
		t.Helper()
		heard := l.tokens()
		if len(heard) != 1 {
			t.Fatalf("told %d times", len(heard))
		}
		claims, _ := read(t, s, opened(heard[0]))
		if claims["sid"] == "" || sub != nil && claims["sub"] != sub {
			t.Errorf("it says %v", claims)
		}
	}
	isSaid(near, workertest.Claims(t, idToken)["sub"])
	// The other's keys could not be had: it is told as soon as they can, by the duty.
	if heard := far.tokens(); len(heard) != 0 || len(letters(t, s)) != 1 {
		t.Fatalf("without a key to encrypt to it hears %q, and %d letters wait", heard, len(letters(t, s)))
	}
	text := string(set)
	keys.text.Store(&text)
	s.Advance(t, 5*time.Minute)
	isSaid(far, nil)
	if left := letters(t, s); len(left) != 0 {
		t.Errorf("still waiting: %+v", left)
	}
}

func letters(t *testing.T, s *workertest.Server) []outbox.Letter {
	t.Helper()
	all, err := s.Tenant.Letters(t.Context(), false, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAnApplicationThatDoesNotListenHoldsNobodyUpAndIsToldLater(t *testing.T) {
	s, first, second := startWithListeners(t, workertest.Options{Farewell: 50 * time.Millisecond})
	told, es, b := s.Client(t, "told"), s.Client(t, "es"), s.Browser(t)
	hint := told.Redeem(told.Code(b)).IDToken
	es.Code(b)
	hold := make(chan struct{})
	first.answer(0, hold)
	second.answer(http.StatusServiceUnavailable, nil)
	a := leave(b, "id_token_hint", hint, "post_logout_redirect_uri", "https://told.example.com/bye")
	close(hold)
	if got := a.Header.Get("Location"); got != "https://told.example.com/bye" || signedIn(t, s, b) {
		t.Fatalf("%d, to %q", a.Status, got)
	}
	if len(second.tokens()) != 1 || len(letters(t, s)) != 2 {
		t.Fatalf("%d letters wait", len(letters(t, s)))
	}
	first.answer(0, nil)
	second.answer(0, nil)
	first.tokens()
	s.Advance(t, 5*time.Minute)
	heard := append(first.tokens(), second.tokens()...)
	if len(heard) != 2 || len(letters(t, s)) != 0 {
		t.Fatalf("1.M 159: %d have been told, %d letters wait", len(heard), len(letters(t, s)))
	}
	// It is a new token: the first would have expired by now.
	if claims, _ := read(t, s, heard[0]); claims["iat"] != float64(s.Clock.Now().Unix()) {
		t.Errorf("it says %v", claims)
	}
}

func TestAnAddressThatMayNotBeCalledIsNot(t *testing.T) {
	first := newListener(t)
	s := workertest.Start(t, workertest.Options{Clients: fmt.Sprintf(`
- {id: told, name: Told, secret: told-secret, redirect_uris: ["https://told.example.com/cb"], trusted: true, backchannel_logout_uri: "%s/backchannel_logout"}
`, first.URL)})
	told, b := s.Client(t, "told"), s.Browser(t)
	leave(b, "id_token_hint", told.Redeem(told.Code(b)).IDToken)
	if heard := first.tokens(); len(heard) != 0 || len(letters(t, s)) != 1 {
		t.Errorf("1.M 159: it was called %d times, %d letters wait", len(heard), len(letters(t, s)))
	}
	if signedIn(t, s, b) {
		t.Error("and nobody is signed out for it")
	}
}

// Whoever ends a session, and why: the applications hear of it.
func TestHoweverASessionEndsApplicationsAreTold(t *testing.T) {
	s, first, _ := startWithListeners(t, workertest.Options{})
	told := s.Client(t, "told")
	by := func() audit.By { return audit.By{Actor: "usr_operator", At: s.Clock.Now()} }
	user := func() string {
		b := s.Browser(t)
		return workertest.Claims(t, told.Redeem(told.Code(b)).IDToken)["sub"].(string)
	}()
	s.Advance(t, time.Minute)
	must(t, s.Tenant.TerminateSessions(t.Context(), user, by()))
	s.Advance(t, time.Minute)
	first.tokens()
	for _, test := range []struct {
		name string
		ends func(ctx context.Context, b *workertest.Browser, session string) error
	}{
		{"another person signs in", func(_ context.Context, b *workertest.Browser, _ string) error {
			b.SignIn(b.Follow(b.Get(told.Authorize("prompt", "login"))), "ben", workertest.Password)
			return nil
		}},
		{"an operator ends the session", func(ctx context.Context, _ *workertest.Browser, id string) error {
			return s.Tenant.TerminateSession(ctx, id, by())
		}},
		{"an operator ends all sessions", func(ctx context.Context, _ *workertest.Browser, _ string) error {
			return s.Tenant.TerminateSessions(ctx, user, by())
		}},
		{"an operator disables the account", func(ctx context.Context, _ *workertest.Browser, _ string) error {
			return s.Tenant.DisableUser(ctx, user, by())
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := s.Browser(t)
			sid := workertest.Claims(t, told.Redeem(told.Code(b)).IDToken)["sid"]
			all, err := s.Tenant.SessionsOf(t.Context(), user)
			if err != nil || len(all) != 1 {
				t.Fatalf("%d sessions, %v", len(all), err)
			}
			must(t, test.ends(t.Context(), b, all[0].ID))
			s.Advance(t, time.Minute)
			heard := first.tokens()
			if len(heard) != 1 {
				t.Fatalf("1.M 159: told %d times", len(heard))
			}
			if claims, _ := read(t, s, heard[0]); claims["sid"] != sid || claims["sub"] != user {
				t.Errorf("1.M 159: it says %v", claims)
			}
		})
	}
}

// oidcc-frontchannel-rp-initiated-logout.
func TestTheBrowserTellsApplicationsOnItsWay(t *testing.T) {
	s, first, _ := startWithListeners(t, workertest.Options{})
	told, framed, b := s.Client(t, "told"), s.Client(t, "framed"), s.Browser(t)
	sid := workertest.Claims(t, framed.Redeem(framed.Code(b)).IDToken)["sid"].(string)
	hint := told.Redeem(told.Code(b)).IDToken
	a := leave(b, "id_token_hint", hint, "post_logout_redirect_uri", "https://told.example.com/bye", "state", "x&y")
	frame := "https://framed.example.com/logged-out?from=dex&iss=" + url.QueryEscape(s.URL) + "&sid=" + sid
	if a.Status != http.StatusOK || strings.Count(a.Body, "<iframe") != 1 || !strings.Contains(a.Body, `<iframe src="`+strings.ReplaceAll(frame, "&", "&amp;")+`"`) {
		t.Errorf("1.M 161: %d\n%s", a.Status, a.Body)
	}
	if !strings.Contains(a.Body, `id="return" href="https://told.example.com/bye?state=x%26y"`) || !strings.Contains(a.Body, "leave.") {
		t.Errorf("it does not go on:\n%s", a.Body)
	}
	if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-src https:") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("the policy is %s", policy)
	}
	if signedIn(t, s, b) || len(first.tokens()) != 1 {
		t.Error("the session has not ended, or whoever is told by us was not")
	}
	t.Run("and where they do not go on", func(t *testing.T) {
		framed.Code(b)
		a := b.Submit(b.Get("/logout").Form(t, "confirm-logout"))
		if strings.Count(a.Body, "<iframe") != 1 || a.Has("return") || !strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-src") {
			t.Errorf("%d\n%s", a.Status, a.Body)
		}
	})
	t.Run("1.M 161 and nothing of it where no application asks for it", func(t *testing.T) {
		told.Code(b)
		a := b.Submit(b.Get("/logout").Form(t, "confirm-logout"))
		if strings.Contains(a.Body, "<iframe") || strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-src") {
			t.Errorf("%d\n%s", a.Status, a.Body)
		}
	})
}

func TestSomebodySignsOutOnAllDevices(t *testing.T) {
	s, first, _ := startWithListeners(t, workertest.Options{})
	told, app := s.Client(t, "told"), s.Client(t, "app")
	here, there, ben := s.Browser(t), s.Browser(t), s.Browser(t)
	offline := app.Redeem(app.Code(there, "scope", "openid offline_access"))
	told.Redeem(told.Code(there))
	app.Code(here)
	ben.SignIn(ben.Get(app.Authorize()), "ben", workertest.Password)
	form := here.Get("/logout").Form(t, "everywhere")
	if a := here.Submit(form, "everywhere", "true"); a.Status != http.StatusOK {
		t.Fatalf("%d", a.Status)
	}
	if signedIn(t, s, here) || signedIn(t, s, there) || !signedIn(t, s, ben) {
		t.Error("1.M 158: somebody is still signed in, or somebody else is not")
	}
	if app.Active(offline.AccessToken) || app.Refresh(offline.RefreshToken).Status == http.StatusOK {
		t.Error("1.M 158: what was granted on the other device counts still")
	}
	if len(first.tokens()) != 1 {
		t.Error("the application of the other device is not told")
	}
}
