package worker_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
)

// veiled are clients with access tokens that nobody can read but us.
const veiled = `
- {id: veiled, name: Veiled, secret: veiled-secret, redirect_uris: ["https://veiled.example.com/cb"], trusted: true, access_token_format: opaque, grant_types: [authorization_code, refresh_token, client_credentials], scopes: [openid, email, offline_access, api, "dex:clients:read"], resources: ["https://api.example.com"]}
- {id: asked, name: Asked, secret: asked-secret, trusted_peers: [veiled], grant_types: ["` + exchange + `"], access_token_format: opaque, scopes: [email, api]}
`

func TestAnOpaqueAccessTokenServesLikeAnyOther(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: veiled + workertest.OperatorClients})
	c, asked := s.Client(t, "veiled"), s.Client(t, "asked")
	tokens := c.Obtain("scope", "openid email offline_access audience:server:client_id:asked")
	token := tokens.AccessToken
	if !strings.HasPrefix(token, "dxa_") || strings.Contains(token, "eyJ") || tokens.TokenType != "Bearer" || tokens.ExpiresIn != 600 {
		t.Fatalf("it is %s, of type %s, for %d seconds", token, tokens.TokenType, tokens.ExpiresIn)
	}
	t.Run("userinfo", func(t *testing.T) {
		if a := c.Userinfo(token); a.Status != http.StatusOK || !strings.Contains(a.Body, `"email":"ann@example.com"`) {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("introspection says what it would say itself", func(t *testing.T) {
		got, now := c.Introspect(token), float64(s.Clock.Now().Unix())
		jti, _ := got["jti"].(string)
		want := map[string]any{
			"active": true, "token_type": "Bearer", "client_id": "veiled", "acr": "aal1", "iss": s.URL, "sub": "usr_ann", "jti": jti,
			"aud": []any{s.URL, "asked"}, "scope": tokens.Scope, "iat": now, "exp": now + 600, "auth_time": now,
		}
		if diff := cmp.Diff(want, got); diff != "" || len(jti) < 26 {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if !asked.Active(token) || s.Client(t, "app").Active(token) {
			t.Error("others are told than its audience")
		}
	})
	t.Run("an exchange", func(t *testing.T) {
		got := exchangeAs(t, s, "asked", token, "scope", "email")
		if got.Status != http.StatusOK || !strings.HasPrefix(got.AccessToken, "dxa_") || !asked.Active(got.AccessToken) {
			t.Errorf("%d %s %s", got.Status, got.Error, got.Description)
		}
	})
	t.Run("the administrators' API", func(t *testing.T) {
		own := c.Token("grant_type", "client_credentials", "scope", "dex:clients:read").AccessToken
		if r := s.Bearer(t, own).Call(http.MethodGet, "/clients", nil); !strings.HasPrefix(own, "dxa_") || r.Status != http.StatusOK {
			t.Errorf("a token of a client's own: %d %s", r.Status, r.Body)
		}
		for name, bad := range map[string]string{
			"bent": own[:len(own)-2] + "AA", "of another issuer": "dxa_aHR0cHM6Ly9vdGhlci5leGFtcGxlLmNvbQ" + own[strings.Index(own, "."):], "of nobody": "dxa_.AA",
		} {
			if r := s.Bearer(t, bad).Call(http.MethodGet, "/clients", nil); r.Status != http.StatusUnauthorized {
				t.Errorf("one that is %s: %d %s", name, r.Status, r.Body)
			}
		}
	})
	t.Run("a resource", func(t *testing.T) {
		own := c.Token("grant_type", "client_credentials", "scope", "api", "resource", "https://api.example.com").AccessToken
		if got := c.Introspect(own); got["active"] != true || got["aud"] != "https://api.example.com" {
			t.Errorf("introspection says %v", got)
		}
	})
	t.Run("it ends as others do", func(t *testing.T) {
		alone := c.Refresh(tokens.RefreshToken)
		if a := c.Revoke(alone.AccessToken); a.Status != http.StatusOK || c.Active(alone.AccessToken) || c.Userinfo(alone.AccessToken).Status != http.StatusUnauthorized {
			t.Error("revoked by itself it still counts")
		}
		if !c.Active(token) {
			t.Error("another of the grant went with it")
		}
		must(t, s.Tenant.DisableUser(t.Context(), "usr_ann", audit.By{At: s.Clock.Now()}))
		if c.Active(token) || c.Userinfo(token).Status != http.StatusUnauthorized {
			t.Error("of a disabled account it still counts")
		}
	})
}
