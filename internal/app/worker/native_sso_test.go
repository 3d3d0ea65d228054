package worker_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
	"dex/internal/domain/session"
)

const deviceSecret = "urn:openid:params:token-type:device-secret"

// sharers are applications of one maker on one device, and some that are not.
const sharers = `
- {id: mail, name: Mail, public: true, redirect_uris: ["https://mail.example.com/cb"], trusted: true, native_sso_group: maker, grant_types: [authorization_code, refresh_token], scopes: [openid, email, offline_access, device_sso]}
- {id: chat, name: Chat, public: true, redirect_uris: ["https://chat.example.com/cb"], trusted: true, native_sso_group: maker, grant_types: [authorization_code, refresh_token, "` + exchange + `"], scopes: [openid, profile, email, offline_access, device_sso, "dex:users:read"]}
- {id: notes, name: Notes, secret: notes-secret, native_sso_group: maker, redirect_uris: ["https://notes.example.com/cb"], subject_type: pairwise, grant_types: [authorization_code, "` + exchange + `"], scopes: [openid, email], resources: ["https://api.example.com"]}
- {id: plain, name: Plain, secret: plain-secret, trusted: true, native_sso_group: maker, grant_types: [client_credentials], scopes: [openid, device_sso]}
- {id: staffed, name: Staffed, public: true, trusted: true, native_sso_group: maker, groups: [nobody], grant_types: ["` + exchange + `"], scopes: [openid]}
- {id: alien, name: Alien, public: true, trusted: true, native_sso_group: another, redirect_uris: ["https://alien.example.com/cb"], grant_types: [authorization_code, "` + exchange + `"], scopes: [openid, device_sso]}
- {id: lone, name: Lone, public: true, trusted: true, redirect_uris: ["https://lone.example.com/cb"], grant_types: [authorization_code, "` + exchange + `"], scopes: [openid]}
`

// shareable is what a first application asks for.
var shareable = []string{"scope", "openid email device_sso"}

// onDevice is an application that may be on a device, where it keeps no secret.
func onDevice(t testing.TB, s *workertest.Server, id string) *workertest.Client {
	t.Helper()
	c := s.Client(t, id)
	if id != "plain" {
		c.Secret = ""
	}
	return c
}

// join asks for a part in the login of somebody who has got tokens.
func join(c *workertest.Client, had workertest.Tokens, pairs ...string) workertest.Tokens {
	return c.Token(append([]string{
		"grant_type", exchange, "subject_token", had.IDToken, "subject_token_type", idToken,
		"actor_token", had.DeviceSecret, "actor_token_type", deviceSecret,
	}, pairs...)...)
}

// OpenID Connect Native SSO.
func TestAnApplicationTakesPartInTheLoginOfItsNeighbour(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: sharers})
	mail, chat := onDevice(t, s, "mail"), onDevice(t, s, "chat")
	had := mail.Obtain(shareable...)
	if !strings.HasPrefix(had.DeviceSecret, "dxn_") || had.Scope != "openid email device_sso" || had.IssuedType != "" {
		t.Fatalf("the first has the device secret %q for %q, %q", had.DeviceSecret, had.Scope, had.IssuedType)
	}
	first, sum := workertest.Claims(t, had.IDToken), sha256.Sum256([]byte(had.DeviceSecret))
	if first["ds_hash"] != base64.RawURLEncoding.EncodeToString(sum[:16]) || !strings.HasPrefix(first["sid"].(string), "sid_") {
		t.Errorf("its ID token says %v", first)
	}
	s.Clock.Advance(time.Minute)
	got := join(chat, had, "audience", s.URL, "scope", "openid profile offline_access")
	if got.Status != http.StatusOK || got.TokenType != "Bearer" || got.IssuedType != "urn:ietf:params:oauth:token-type:access_token" ||
		got.Scope != "openid profile offline_access" || got.DeviceSecret != "" {
		t.Fatalf("%d %s %s: %s, %q for %q", got.Status, got.Error, got.Description, got.TokenType, got.IssuedType, got.Scope)
	}
	claims := workertest.Claims(t, got.IDToken)
	if claims["sub"] != "usr_ann" || claims["aud"] != "chat" || claims["ds_hash"] != first["ds_hash"] || claims["auth_time"] != first["auth_time"] ||
		claims["sid"] == first["sid"] || claims["nonce"] != nil {
		t.Errorf("the ID token of the second says %v", claims)
	}
	if a := chat.Userinfo(got.AccessToken); a.Status != http.StatusOK || !strings.Contains(a.Body, "Ann Example") {
		t.Errorf("userinfo: %d %s", a.Status, a.Body)
	}
	if again := chat.Refresh(got.RefreshToken); again.Status != http.StatusOK || mail.Refresh(again.RefreshToken).Error != "invalid_grant" {
		t.Errorf("refresh: %d %s", again.Status, again.Error)
	}
	t.Run("a third by what the second has", func(t *testing.T) {
		got := join(chat, workertest.Tokens{IDToken: got.IDToken, DeviceSecret: had.DeviceSecret}, "audience", s.URL)
		if got.Status != http.StatusOK || got.Scope != "openid profile email device_sso" || got.RefreshToken != "" {
			t.Errorf("%d %s: %q, to refresh %q", got.Status, got.Error, got.Scope, got.RefreshToken)
		}
	})
	t.Run("one that has been allowed it, by its own name for the person", func(t *testing.T) {
		notes := s.Client(t, "notes")
		if got := join(notes, had, "audience", s.URL, "scope", "openid email"); got.Error != "invalid_scope" {
			t.Fatalf("before anybody has allowed it: %d %s", got.Status, got.Error)
		}
		must(t, s.Tenant.KeepConsent(t.Context(), "usr_ann", "notes", []string{"openid"}, s.Clock.Now()))
		if got := join(notes, had, "audience", s.URL, "scope", "openid email"); got.Error != "invalid_scope" {
			t.Errorf("for more than is allowed: %d %s", got.Status, got.Error)
		}
		got := join(notes, had, "audience", s.URL, "resource", "https://api.example.com")
		if sub, _ := workertest.Claims(t, got.IDToken)["sub"].(string); got.Status != http.StatusOK || got.Scope != "openid" || !strings.HasPrefix(sub, "pws_") {
			t.Errorf("%d %s: %q about %s", got.Status, got.Error, got.Scope, sub)
		}
		if !strings.Contains(audienceOf(t, got), "https://api.example.com") {
			t.Error("it is not for the resource that was asked for")
		}
	})
	t.Run("although the ID token has expired, as long as the session lasts", func(t *testing.T) {
		s.Advance(t, 2*time.Hour)
		if s.Clock.Now().Unix() < int64(first["exp"].(float64)) {
			t.Fatal("it has not")
		}
		if got := join(chat, had, "audience", s.URL); got.Status != http.StatusOK {
			t.Errorf("%d %s", got.Status, got.Error)
		}
	})
	if n := timesRecorded(t, s, audit.LoginShared); n != 4 {
		t.Errorf("it stands in the record %d times", n)
	}
	t.Run("until the session ends", func(t *testing.T) {
		bound := join(chat, had, "audience", s.URL, "scope", "openid profile")
		if chat.Userinfo(bound.AccessToken).Status != http.StatusOK {
			t.Fatal("it is worth nothing to begin with")
		}
		sessions, err := s.Tenant.SessionsOf(t.Context(), "usr_ann")
		must(t, err)
		for _, one := range sessions {
			if session.SID(one.ID, "chat") == claims["sid"] {
				_, err := s.Tenant.EndSession(t.Context(), one.ID, time.Time{}, s.Clock.Now())
				must(t, err)
			}
		}
		if got := chat.Userinfo(bound.AccessToken).Status; got != http.StatusUnauthorized {
			t.Errorf("what came of it: %d", got)
		}
		if got := join(chat, had, "audience", s.URL); got.Error != "invalid_grant" {
			t.Errorf("once more: %d %s", got.Status, got.Error)
		}
	})
}

// OpenID Connect Native SSO section 4.3; nothing is said of why.
func TestALoginThatIsNotSharedIsRefused(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: sharers})
	mail := onDevice(t, s, "mail")
	had := mail.Obtain(shareable...)
	others := func() workertest.Tokens {
		b := s.Browser(t)
		a := b.SignIn(b.Get(mail.Authorize(shareable...)), "ben", workertest.Password)
		return mail.Redeem(a.Param("code"))
	}()
	again := mail.Obtain(shareable...) // of another session
	without := onDevice(t, s, "lone").Obtain("scope", "openid device_sso")
	if without.Scope != "openid" || without.DeviceSecret != "" || others.DeviceSecret == "" {
		t.Fatalf("who shares nothing has %q and %q; another person %q", without.Scope, without.DeviceSecret, others.DeviceSecret)
	}
	if got := mail.Obtain("scope", "openid email"); got.DeviceSecret != "" || workertest.Claims(t, got.IDToken)["ds_hash"] != nil {
		t.Error("who does not ask has got a device secret")
	}
	bent := had.IDToken[:len(had.IDToken)-6] + "AAAAAA"
	for _, tt := range []struct {
		name, client string
		pairs        []string
		code         string
	}{
		{"a client of another group", "alien", nil, "unauthorized_client"},
		{"a public client of no group", "lone", nil, "unauthorized_client"},
		{"a client without the grant type", "plain", nil, "unauthorized_client"},
		{"a client that is not for the person", "staffed", nil, "invalid_grant"},
		{"the device secret of another person", "chat", []string{"actor_token", others.DeviceSecret}, "invalid_grant"},
		{"the ID token of another person", "chat", []string{"subject_token", others.IDToken}, "invalid_grant"},
		{"the ID token of another session", "chat", []string{"subject_token", again.IDToken}, "invalid_grant"},
		{"an ID token that came alone", "chat", []string{"subject_token", without.IDToken}, "invalid_grant"},
		{"an ID token that was changed", "chat", []string{"subject_token", bent}, "invalid_grant"},
		{"what is no token", "chat", []string{"subject_token", "nothing"}, "invalid_grant"},
		{"an access token called an ID token", "chat", []string{"subject_token", had.AccessToken}, "invalid_grant"},
		{"an access token", "chat", []string{"subject_token", had.AccessToken, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token"}, "invalid_request"},
		{"a device secret that nobody has given", "chat", []string{"actor_token", "dxn_" + strings.Repeat("A", 52)}, "invalid_grant"},
		{"a secret of another kind", "chat", []string{"actor_token", "dxc_" + had.DeviceSecret[4:]}, "invalid_grant"},
		{"no device secret", "chat", []string{"actor_token", ""}, "invalid_request"},
		{"no ID token", "chat", []string{"subject_token", ""}, "invalid_request"},
		{"no audience", "chat", []string{"audience", ""}, "invalid_request"},
		{"another audience", "chat", []string{"audience", "mail"}, "invalid_target"},
		{"a resource of others", "chat", []string{"resource", "https://elsewhere.example.com"}, "invalid_target"},
		{"a token of another type", "chat", []string{"requested_token_type", idToken}, "invalid_request"},
		{"a scope that it may not have", "chat", []string{"scope", "openid groups"}, "invalid_scope"},
		{"the administrators' API", "chat", []string{"scope", "openid dex:users:read"}, "invalid_scope"},
	} {
		got := join(onDevice(t, s, tt.client), had, append([]string{"audience", s.URL}, tt.pairs...)...)
		if got.Status != http.StatusBadRequest || got.Error != tt.code || got.AccessToken != "" || got.IDToken != "" {
			t.Errorf("%s: %d %s %s", tt.name, got.Status, got.Error, got.Description)
		}
	}
	chat := onDevice(t, s, "chat")
	if got := chat.Token("grant_type", exchange, "subject_token", had.AccessToken, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token"); got.Error != "unauthorized_client" {
		t.Errorf("a public client exchanges a token: %d %s", got.Status, got.Error)
	}
	if got := join(chat, had, "audience", s.URL); got.Status != http.StatusOK {
		t.Fatalf("as it should be: %d %s", got.Status, got.Error)
	}
	for _, end := range []struct {
		name string
		do   func(had workertest.Tokens)
	}{
		{"the first has revoked what it got", func(had workertest.Tokens) {
			must(t, s.Tenant.Revoke(t.Context(), grantOf(t, had), audit.TokenRevoked, s.Clock.Now()))
		}},
		{"the account was disabled for a moment", func(workertest.Tokens) {
			s.Clock.Advance(time.Second)
			must(t, s.Tenant.DisableUser(t.Context(), "usr_ann", audit.By{At: s.Clock.Now()}))
			must(t, s.Tenant.EnableUser(t.Context(), "usr_ann", audit.By{At: s.Clock.Now()}))
		}},
		{"the session has been idle for too long", func(workertest.Tokens) { s.Advance(t, 31*24*time.Hour) }},
	} {
		had := mail.Obtain(shareable...)
		end.do(had)
		if got := join(chat, had, "audience", s.URL); got.Error != "invalid_grant" {
			t.Errorf("%s: %d %s", end.name, got.Status, got.Error)
		}
	}
	late := mail.Obtain(shareable...)
	must(t, s.Tenant.DisableClient(t.Context(), "mail", audit.By{At: s.Clock.Now()}))
	if got := join(chat, late, "audience", s.URL); got.Error != "unauthorized_client" {
		t.Errorf("the first is disabled: %d %s", got.Status, got.Error)
	}
	must(t, s.Tenant.DisableClient(t.Context(), "chat", audit.By{At: s.Clock.Now()}))
	if got := join(chat, late, "audience", s.URL); got.Error != "invalid_client" || got.Status != http.StatusUnauthorized {
		t.Errorf("it is disabled itself: %d %s", got.Status, got.Error)
	}
}

// grantOf is the grant that tokens came of.
func grantOf(t *testing.T, had workertest.Tokens) string {
	t.Helper()
	return workertest.Claims(t, had.AccessToken)["gid"].(string)
}

// OpenID Connect Native SSO section 3.3: a device that has a secret says so, and gets
// another in its place.
func TestADeviceSecretIsReplacedByTheNext(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: sharers})
	mail, chat, b := onDevice(t, s, "mail"), onDevice(t, s, "chat"), s.Browser(t)
	works := func(had workertest.Tokens) bool { return join(chat, had, "audience", s.URL).Status == http.StatusOK }
	first := mail.Redeem(mail.Code(b, shareable...))
	beside := chat.Redeem(chat.Code(b, "scope", "openid device_sso"))
	next := mail.Redeem(mail.Code(b, shareable...), "device_secret", first.DeviceSecret)
	if next.DeviceSecret == first.DeviceSecret || works(first) || !works(next) || !works(beside) {
		t.Errorf("the first works: %t, the next: %t, another: %t", works(first), works(next), works(beside))
	}
	elsewhere := mail.Redeem(mail.Code(s.Browser(t), shareable...), "device_secret", next.DeviceSecret)
	if !works(next) || !works(elsewhere) {
		t.Error("a secret of another session was replaced")
	}
	if got := mail.Redeem(mail.Code(b, shareable...), "device_secret", "of somebody else"); !works(got) {
		t.Error("one that is none is not passed over")
	}
}
