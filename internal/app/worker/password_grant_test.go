package worker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
)

// oldClients are applications that ask people for their passwords themselves.
const oldClients = `
- {id: old, profile: openid, secret: old-secret, trusted: true, grant_types: [password, refresh_token], scopes: [openid, email, offline_access, api], resources: ["https://api.example.com"]}
- {id: older, profile: openid, secret: older-secret, grant_types: [password], scopes: [openid]}
- {id: staffed, profile: openid, secret: staffed-secret, trusted: true, grant_types: [password], scopes: [openid], groups: [nobody]}
`

func byPassword(t *testing.T, s *workertest.Server, client, login, password string, pairs ...string) workertest.Tokens {
	t.Helper()
	return s.Client(t, client).Token(append([]string{"grant_type", "password", "username", login, "password", password, "scope", "openid email"}, pairs...)...)
}

// RFC 6749 section 4.3.
func TestAnOldApplicationSignsSomebodyInByTheirPassword(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: "password_grant: true", Clients: oldClients})
	c := s.Client(t, "old")
	got := byPassword(t, s, "old", "ann", workertest.Password, "scope", "openid email offline_access dex:users:read")
	if got.Status != http.StatusOK || got.Scope != "openid email offline_access" || got.TokenType != "Bearer" {
		t.Fatalf("%d %s %s: the scope %q", got.Status, got.Error, got.Description, got.Scope)
	}
	claims := workertest.Claims(t, got.IDToken)
	if claims["sub"] != "usr_ann" || claims["aud"] != "old" || claims["sid"] != nil || claims["acr"] != "aal1" {
		t.Errorf("the ID token says %v", claims)
	}
	if a := c.Userinfo(got.AccessToken); a.Status != http.StatusOK || !strings.Contains(a.Body, "ann@example.com") {
		t.Errorf("userinfo: %d %s", a.Status, a.Body)
	}
	again := c.Refresh(got.RefreshToken)
	if again.Status != http.StatusOK || workertest.Claims(t, again.IDToken)["auth_time"] != claims["auth_time"] {
		t.Fatalf("refresh: %d %s", again.Status, again.Error)
	}
	if !strings.Contains(audienceOf(t, byPassword(t, s, "old", "ann", workertest.Password, "resource", "https://api.example.com")), "https://api.example.com") {
		t.Error("it is not for the resource that was asked for")
	}
	if once := byPassword(t, s, "old", "ann", workertest.Password); once.RefreshToken != "" || once.Status != http.StatusOK {
		t.Errorf("without offline_access: %d, to refresh %q", once.Status, once.RefreshToken)
	}
	must(t, s.Tenant.DisableUser(t.Context(), "usr_ann", audit.By{At: s.Clock.Now()}))
	if c.Refresh(again.RefreshToken).Error != "invalid_grant" || c.Active(again.AccessToken) {
		t.Error("of a disabled account it still counts")
	}
}

func TestAPasswordThatDoesNotHoldGivesNothing(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: "password_grant: true", Clients: oldClients})
	for _, tt := range []struct {
		name, client, login, password string
		pairs                         []string
		code                          string
	}{
		{"a wrong password", "old", "ann", "wrong", nil, "invalid_grant"},
		{"nobody of that name", "old", "nobody", workertest.Password, nil, "invalid_grant"},
		{"without a name", "old", "", workertest.Password, nil, "invalid_request"},
		{"without a password", "old", "ann", "", nil, "invalid_request"},
		{"without a scope", "old", "ann", workertest.Password, []string{"scope", ""}, "invalid_scope"},
		{"for a resource of others", "old", "ann", workertest.Password, []string{"resource", "https://elsewhere.example.com"}, "invalid_target"},
		{"a client that would have to ask", "older", "ann", workertest.Password, nil, "invalid_grant"},
		{"a client that is not for them", "staffed", "ann", workertest.Password, nil, "invalid_grant"},
		{"a client without this grant type", "app", "ann", workertest.Password, nil, "unauthorized_client"},
	} {
		got := byPassword(t, s, tt.client, tt.login, tt.password, tt.pairs...)
		if got.Status != http.StatusBadRequest || got.Error != tt.code || got.AccessToken != "" {
			t.Errorf("%s: %d %s %s", tt.name, got.Status, got.Error, got.Description)
		}
	}
	t.Run("guessing is slowed down as on our page", func(t *testing.T) {
		var got workertest.Tokens
		for range 20 {
			if got = byPassword(t, s, "old", "ann", "wrong"); got.Error != "invalid_grant" {
				break
			}
		}
		if got.Status != http.StatusServiceUnavailable || got.Error != "temporarily_unavailable" || got.Header.Get("Retry-After") == "" {
			t.Errorf("after many wrong passwords: %d %s", got.Status, got.Error)
		}
		if right := byPassword(t, s, "old", "ann", workertest.Password); right.Status == http.StatusOK {
			t.Error("the right one is not made to wait")
		}
		s.Advance(t, 24*time.Hour)
		if right := byPassword(t, s, "old", "ann", workertest.Password); right.Status != http.StatusOK {
			t.Errorf("a day later: %d %s", right.Status, right.Error)
		}
	})
}

func TestPasswordsAreTakenOnlyWhereTheOperatorWantsIt(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: oldClients})
	if got := byPassword(t, s, "old", "ann", workertest.Password); got.Error != "unsupported_grant_type" {
		t.Errorf("%d %s", got.Status, got.Error)
	}
	if a := s.Browser(t).Get("/.well-known/openid-configuration"); strings.Contains(a.Body, `"password"`) {
		t.Error("it is announced")
	}
	on := workertest.Start(t, workertest.Options{Config: "password_grant: true\nregistration: {admission: open, profile: openid}"})
	body := `{"grant_types":["password"],"response_types":[]}`
	if a := (call{path: "/register", body: body, headers: [][2]string{{"Content-Type", "application/json"}}}).send(t, on); a.Status != http.StatusBadRequest {
		t.Errorf("a client registers itself for it: %d %s", a.Status, a.Body)
	}
	if a := on.Browser(t).Get("/.well-known/openid-configuration"); !strings.Contains(a.Body, `"password"`) {
		t.Error("where it is served it is not announced")
	}
}
