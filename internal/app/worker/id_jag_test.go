package worker_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
	"dex/internal/protocol/jose"
)

const (
	idJAG        = "urn:ietf:params:oauth:token-type:id-jag"
	refreshToken = "urn:ietf:params:oauth:token-type:refresh_token"
)

// asserters are clients of a company's identity provider. The first may act for people at
// the authorization server chat, which knows it as helper, and at another.
func asserters(chat string) string {
	return fmt.Sprintf(`- {id: desk, name: Desk, secret: desk-secret, redirect_uris: ["https://desk.example.com/cb"], trusted: true, grant_types: [authorization_code, refresh_token, "`+exchange+`"], scopes: [openid, email, offline_access], resources: ["https://api.example.com"], id_jag_audiences: [{issuer: %q, client_id: helper, scopes: [read, write]}, {issuer: "https://mail.example.com", client_id: desk-at-mail}]}
- {id: plain, name: Plain, secret: plain-secret, redirect_uris: ["https://plain.example.com/cb"], trusted: true, grant_types: [authorization_code, refresh_token, "`+exchange+`"], scopes: [openid, offline_access, "audience:server:client_id:desk"]}
- {id: friend, name: Friend, secret: friend-secret, redirect_uris: ["https://friend.example.com/cb"], trusted: true, trusted_peers: [desk], grant_types: [authorization_code, "`+exchange+`"], scopes: [openid], id_jag_audiences: [{issuer: %q, client_id: friend}]}
`, chat, chat)
}

// assertAs asks for an identity assertion.
func assertAs(t *testing.T, s *workertest.Server, client, token, of, audience string, pairs ...string) workertest.Tokens {
	t.Helper()
	return s.Client(t, client).Token(append([]string{
		"grant_type", exchange, "requested_token_type", idJAG, "subject_token", token, "subject_token_type", of, "audience", audience,
	}, pairs...)...)
}

// draft-ietf-oauth-identity-assertion-authz-grant, from end to end: one worker is the
// identity provider, the other the authorization server of an API, which believes it.
func TestWhatOneWorkerAssertsTheOtherTakes(t *testing.T) {
	const chatIssuer = "https://chat.example.com"
	idp := workertest.Start(t, workertest.Options{Clients: asserters(chatIssuer)})
	chat := workertest.Start(t, workertest.Options{
		Issuer: chatIssuer, Clock: idp.Clock,
		Config: fmt.Sprintf(`
outbound_allow_private: [127.0.0.0/8]
connectors:
- {id: local, kind: local, name: Password}
- {id: company, kind: oidc, name: Company, config: {issuer: %q, login: false, accepts: [id_jag]}}
`, idp.URL),
		Clients: `- {id: helper, name: Helper, secret: helper-secret, grant_types: ["` + jwtBearer + `"], scopes: [read, write, admin], resources: ["https://api.example.com"]}
- {id: other-helper, name: Other helper, secret: other-helper-secret, grant_types: ["` + jwtBearer + `"], scopes: [read]}
`,
	})
	own := idp.Client(t, "desk").Obtain("scope", "openid offline_access")
	jag := assertAs(t, idp, "desk", own.IDToken, idToken, chatIssuer, "scope", "read", "resource", "https://api.example.com")
	if jag.Status != http.StatusOK || jag.TokenType != "N_A" || jag.IssuedType != idJAG || jag.RefreshToken != "" || jag.IDToken != "" || jag.Scope != "read" || jag.ExpiresIn != 300 {
		t.Fatalf("%d %s %s: %+v", jag.Status, jag.Error, jag.Description, jag)
	}
	if got := bring(t, chat, "other-helper", jag.AccessToken); got.Error != "invalid_grant" {
		t.Errorf("1.H 101: another client brings it: %d %s", got.Status, got.Error)
	}
	got := bring(t, chat, "helper", jag.AccessToken)
	if got.Status != http.StatusOK || got.Scope != "read" || !strings.Contains(audienceOf(t, got), "https://api.example.com") {
		t.Fatalf("the other takes it so: %d %s %s: %+v", got.Status, got.Error, got.Description, got)
	}
	if _, id, err := chat.Tenant.ByIdentity(t.Context(), "company", idp.URL+"#"+workertest.Claims(t, own.IDToken)["sub"].(string)); err != nil {
		t.Errorf("whom it is about is known as %+v, %v", id, err)
	}
	if got := bring(t, chat, "helper", jag.AccessToken); got.Error != "invalid_grant" {
		t.Errorf("1.H 101: once more: %d %s", got.Status, got.Error)
	}
	// A refresh token serves as well, even after the session, and is not spent by it.
	for range 2 {
		again := assertAs(t, idp, "desk", own.RefreshToken, refreshToken, chatIssuer)
		if got := bring(t, chat, "helper", again.AccessToken); again.Scope != "read write" || got.Status != http.StatusOK || got.Scope != "read write" {
			t.Errorf("by a refresh token: %d %s %s, then %d %s", again.Status, again.Error, again.Description, got.Status, got.Error)
		}
	}
	late := assertAs(t, idp, "desk", own.RefreshToken, refreshToken, chatIssuer)
	idp.Clock.Advance(10 * time.Minute)
	if got := bring(t, chat, "helper", late.AccessToken); got.Error != "invalid_grant" {
		t.Errorf("1.H 101: one that has expired: %d %s", got.Status, got.Error)
	}
}

func TestWhatCannotBeAssertedIsRefused(t *testing.T) {
	const chat, mail = "https://chat.example.com", "https://mail.example.com"
	s := workertest.Start(t, workertest.Options{Clients: asserters(chat)})
	desk, friend := s.Client(t, "desk"), s.Client(t, "friend")
	own := desk.Obtain("scope", "openid offline_access")
	shared := desk.Obtain("scope", "openid audience:server:client_id:friend")
	ended := desk.Obtain("scope", "openid offline_access")
	replaced := desk.Obtain("scope", "openid offline_access")
	desk.Refresh(replaced.RefreshToken)
	desk.Revoke(ended.RefreshToken)
	plain := s.Client(t, "plain").Obtain("scope", "openid")
	if got := assertAs(t, s, "desk", own.IDToken, idToken, mail); got.Status != http.StatusOK || got.Scope != "" || workertest.Claims(t, got.AccessToken)["client_id"] != "desk-at-mail" {
		t.Fatalf("for a server without scopes: %d %s %q", got.Status, got.Error, got.Scope)
	}
	jag := assertAs(t, s, "desk", own.IDToken, idToken, chat)
	for _, tt := range []struct {
		name, client, token, of, audience string
		pairs                             []string
		code                              string
	}{
		{"for a server that nobody has allowed", "desk", own.IDToken, idToken, "https://evil.example.com", nil, "invalid_target"},
		{"for ourselves", "desk", own.IDToken, idToken, s.URL, nil, "invalid_target"},
		{"for a client instead of a server", "desk", own.IDToken, idToken, "friend", nil, "invalid_target"},
		{"for a server with a slash more", "desk", own.IDToken, idToken, chat + "/", nil, "invalid_target"},
		{"for no server", "desk", own.IDToken, idToken, "", nil, "invalid_request"},
		{"by a client without any", "plain", plain.IDToken, idToken, chat, nil, "invalid_target"},
		{"for more than the client may have there", "desk", own.IDToken, idToken, chat, []string{"scope", "read admin"}, "invalid_scope"},
		{"for a scope at a server that has none", "desk", own.IDToken, idToken, mail, []string{"scope", "read"}, "invalid_scope"},
		{"for a scope that was granted here", "desk", own.IDToken, idToken, chat, []string{"scope", "openid"}, "invalid_scope"},
		{"for a resource that is not the client's", "desk", own.IDToken, idToken, chat, []string{"resource", "https://elsewhere.example.com"}, "invalid_target"},
		{"for somebody else who acts", "desk", own.IDToken, idToken, chat, []string{"actor_token", own.IDToken, "actor_token_type", idToken}, "invalid_request"},
		{"by an ID token of another client, which is for it as well", "friend", shared.IDToken, idToken, chat, nil, "invalid_request"},
		{"by an ID token of another client", "desk", plain.IDToken, idToken, chat, nil, "invalid_request"},
		{"by an access token", "desk", own.AccessToken, "urn:ietf:params:oauth:token-type:access_token", chat, nil, "invalid_request"},
		{"by an access token for an ID token", "desk", own.AccessToken, idToken, chat, nil, "invalid_request"},
		{"by an ID token of a grant that is revoked", "desk", ended.IDToken, idToken, chat, nil, "invalid_request"},
		{"by a refresh token that is revoked", "desk", ended.RefreshToken, refreshToken, chat, nil, "invalid_request"},
		{"by a refresh token that is replaced", "desk", replaced.RefreshToken, refreshToken, chat, nil, "invalid_request"},
		{"by an ID token with another signature", "desk", own.IDToken[:len(own.IDToken)-6] + "AAAAAA", idToken, chat, nil, "invalid_request"},
		{"by another issuer's token", "desk", workertest.Word(t, "zoe", s.Clock.Now(), nil), idToken, chat, nil, "invalid_request"},
		{"by an assertion", "desk", jag.AccessToken, idToken, chat, nil, "invalid_request"},
	} {
		got := assertAs(t, s, tt.client, tt.token, tt.of, tt.audience, tt.pairs...)
		if got.Status != http.StatusBadRequest || got.Error != tt.code || got.AccessToken != "" {
			t.Errorf("1.H 101: %s: %d %s %s", tt.name, got.Status, got.Error, got.Description)
		}
	}
	two := url.Values{
		"grant_type": {exchange}, "requested_token_type": {idJAG}, "subject_token": {own.IDToken}, "subject_token_type": {idToken}, "audience": {chat, mail},
	}
	if got := jsonOf(t, desk.Send("/token", two)); got["error"] != "invalid_request" {
		t.Errorf("1.H 101: for two servers: %v", got["error"])
	}
	// An assertion opens nothing here.
	if !jose.OfType(jag.AccessToken, jose.TypeIDJAG) || desk.Active(jag.AccessToken) || desk.Userinfo(jag.AccessToken).Status != http.StatusUnauthorized || friend.Active(jag.AccessToken) {
		t.Error("1.H 101: an assertion is worth something here")
	}
	must(t, s.Tenant.DisableUser(t.Context(), workertest.Claims(t, own.IDToken)["sub"].(string), audit.By{At: s.Clock.Now()}))
	if got := assertAs(t, s, "desk", own.IDToken, idToken, chat); got.Error != "invalid_request" {
		t.Errorf("1.H 101: of a disabled account: %d %s", got.Status, got.Error)
	}
}
