package worker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
)

const exchange = "urn:ietf:params:oauth:grant-type:token-exchange"

// exchangers are services that act for people by the tokens that they are sent: the first
// is what applications ask tokens for, and asks the second, which asks the third, and so on.
const exchangers = `- {id: front, name: Front, secret: front-secret, redirect_uris: ["https://front.example.com/cb"], trusted: true, scopes: [openid, profile, offline_access, read, write]}
- {id: self, name: Self, secret: self-secret, redirect_uris: ["https://self.example.com/cb"], trusted: true, grant_types: [authorization_code, refresh_token, "` + exchange + `"], scopes: [openid, offline_access, read, write]}
- {id: orders, name: Orders, secret: orders-secret, trusted_peers: [front], grant_types: ["` + exchange + `", client_credentials], scopes: [read, write], resources: ["https://stock.example.com"]}
- {id: stock, name: Stock, secret: stock-secret, trusted_peers: [orders, front], grant_types: ["` + exchange + `"], scopes: [read]}
- {id: bills, name: Bills, secret: bills-secret, trusted_peers: [stock, orders], grant_types: ["` + exchange + `"], scopes: [read]}
- {id: alone, name: Alone, secret: alone-secret, trusted_peers: [front], grant_types: ["` + exchange + `"], scopes: [read]}
- {id: shut, name: Shut, secret: shut-secret, trusted_peers: [front], grant_types: ["` + exchange + `"], scopes: [read], groups: [nobody]}
`

// frontToken is a token that ann's application has for the services.
func frontToken(t *testing.T, s *workertest.Server, pairs ...string) workertest.Tokens {
	t.Helper()
	c := s.Client(t, "front")
	scope := "openid profile offline_access read write audience:server:client_id:orders audience:server:client_id:stock audience:server:client_id:alone audience:server:client_id:shut"
	tokens := c.Redeem(c.Code(s.Browser(t), append([]string{"scope", scope}, pairs...)...))
	if tokens.Status != http.StatusOK {
		t.Fatalf("no token: %d %s", tokens.Status, tokens.Error)
	}
	return tokens
}

// exchangeAs exchanges a token.
func exchangeAs(t *testing.T, s *workertest.Server, client, token string, pairs ...string) workertest.Tokens {
	t.Helper()
	return s.Client(t, client).Token(append([]string{
		"grant_type", exchange, "subject_token", token, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token",
	}, pairs...)...)
}

func TestAServiceActsForSomebodyByTheTokenItWasSent(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: exchangers})
	front := frontToken(t, s)
	got := exchangeAs(t, s, "orders", front.AccessToken, "audience", "stock", "scope", "read")
	if got.Status != http.StatusOK || got.TokenType != "Bearer" || got.IDToken != "" || got.RefreshToken != "" || got.Scope != "read" {
		t.Fatalf("%d %s %s: %+v", got.Status, got.Error, got.Description, got)
	}
	claims := workertest.Claims(t, got.AccessToken)
	if act, _ := claims["act"].(map[string]any); claims["sub"] != workertest.Claims(t, front.AccessToken)["sub"] || claims["client_id"] != "orders" || act["sub"] != "orders" {
		t.Errorf("the token says %v", claims)
	}
	next := exchangeAs(t, s, "stock", got.AccessToken, "audience", "bills")
	act, _ := workertest.Claims(t, next.AccessToken)["act"].(map[string]any)
	before, _ := act["act"].(map[string]any)
	if next.Status != http.StatusOK || act["sub"] != "stock" || before["sub"] != "orders" {
		t.Errorf("1.H 100: the chain is %v (%s)", act, next.Description)
	}
	if told := s.Client(t, "bills").Introspect(next.AccessToken); told["active"] != true || told["act"] == nil {
		t.Errorf("the last one is told %v", told)
	}
	// What it was given by ends it.
	if a := s.Client(t, "front").Revoke(front.RefreshToken); a.Status != http.StatusOK {
		t.Fatalf("revoke: %d", a.Status)
	}
	if s.Client(t, "bills").Active(next.AccessToken) || s.Client(t, "stock").Active(got.AccessToken) {
		t.Error("1.H 100: when the grant is revoked what was exchanged still counts")
	}
}

func TestAnExchangedTokenEndsWithTheOneItCameOf(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: exchangers})
	front := frontToken(t, s)
	s.Advance(t, 9*time.Minute)
	got := exchangeAs(t, s, "orders", front.AccessToken)
	if got.Status != http.StatusOK || got.ExpiresIn > 60 {
		t.Errorf("it is good for %d seconds (%s)", got.ExpiresIn, got.Error)
	}
}

func TestAnActorIsWhoHasATokenOfTheirOwn(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: exchangers})
	front := frontToken(t, s)
	own := s.Client(t, "orders").Token("grant_type", "client_credentials", "scope", "read").AccessToken
	got := exchangeAs(t, s, "orders", front.AccessToken, "actor_token", own, "actor_token_type", "urn:ietf:params:oauth:token-type:access_token")
	if act, _ := workertest.Claims(t, got.AccessToken)["act"].(map[string]any); act["sub"] != "orders" {
		t.Errorf("acting: %v", act)
	}
	if got := exchangeAs(t, s, "stock", front.AccessToken, "actor_token", own, "actor_token_type", "urn:ietf:params:oauth:token-type:access_token"); got.Error != "invalid_request" {
		t.Errorf("by another's token: %d %s", got.Status, got.Error)
	}
}

func TestWhatCannotBeExchangedIsRefused(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: exchangers})
	front := frontToken(t, s)
	own := s.Client(t, "orders").Token("grant_type", "client_credentials", "scope", "read").AccessToken
	revoked := frontToken(t, s)
	s.Client(t, "front").Revoke(revoked.AccessToken)
	for _, tt := range []struct {
		name, client, token string
		pairs               []string
		code                string
	}{
		{"a token that is for others", "bills", front.AccessToken, nil, "invalid_request"},
		{"an ID token for an access token", "orders", front.IDToken, nil, "invalid_request"},
		{"a refresh token for an access token", "orders", front.RefreshToken, nil, "invalid_request"},
		{"what is no token", "orders", "nonsense", nil, "invalid_request"},
		{"one with another signature", "orders", front.AccessToken[:len(front.AccessToken)-6] + "AAAAAA", nil, "invalid_request"},
		{"a client's own, which is nobody's", "orders", own, nil, "invalid_request"},
		{"one that is revoked", "orders", revoked.AccessToken, nil, "invalid_request"},
		{"by a client that may not see the person", "shut", front.AccessToken, nil, "invalid_request"},
		{"for more than it had", "orders", front.AccessToken, []string{"scope", "read dex:users:read"}, "invalid_scope"},
		{"for a login", "orders", front.AccessToken, []string{"scope", "openid"}, "invalid_scope"},
		{"for what renews it", "orders", front.AccessToken, []string{"scope", "offline_access"}, "invalid_scope"},
		{"for more than the client may have", "stock", front.AccessToken, []string{"scope", "write"}, "invalid_scope"},
		{"for somebody who does not trust the client", "alone", front.AccessToken, []string{"audience", "stock"}, "invalid_target"},
		{"for nobody we know", "orders", front.AccessToken, []string{"audience", "nobody"}, "invalid_target"},
		{"for a resource that is not the client's", "orders", front.AccessToken, []string{"resource", "https://elsewhere.example.com"}, "invalid_target"},
		{"for a token of another kind", "orders", front.AccessToken, []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"},
		{"by a client without this grant type", "front", front.AccessToken, nil, "unauthorized_client"},
		{"as a token of another kind", "orders", front.AccessToken, []string{"subject_token_type", "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"},
	} {
		got := exchangeAs(t, s, tt.client, tt.token, tt.pairs...)
		if got.Status != http.StatusBadRequest || got.Error != tt.code {
			t.Errorf("1.H 100: %s: %d %s %s", tt.name, got.Status, got.Error, got.Description)
		}
	}
	if got := exchangeAs(t, s, "orders", front.AccessToken, "resource", "https://stock.example.com"); got.Status != http.StatusOK ||
		!strings.Contains(audienceOf(t, got), "https://stock.example.com") {
		t.Errorf("for a resource of its own: %d %s", got.Status, got.Error)
	}
	must(t, s.Tenant.DisableUser(t.Context(), workertest.Claims(t, front.AccessToken)["sub"].(string), audit.By{At: s.Clock.Now()}))
	if got := exchangeAs(t, s, "orders", front.AccessToken); got.Error != "invalid_request" {
		t.Errorf("1.H 100: of a disabled account: %d %s", got.Status, got.Error)
	}
}

func TestOurIDTokensAndRefreshTokensAreExchanged(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: exchangers})
	const refresh = "urn:ietf:params:oauth:token-type:refresh_token"
	front := frontToken(t, s)
	got := exchangeAs(t, s, "orders", front.IDToken, "subject_token_type", idToken, "scope", "read")
	claims := workertest.Claims(t, got.AccessToken)
	if act, _ := claims["act"].(map[string]any); got.Status != http.StatusOK || act["sub"] != "orders" || claims["sub"] != workertest.Claims(t, front.IDToken)["sub"] || got.ExpiresIn > 600 {
		t.Fatalf("an ID token: %d %s %s: %v", got.Status, got.Error, got.Description, claims)
	}
	self := s.Client(t, "self")
	own := self.Obtain("scope", "openid offline_access read write")
	exchanged := exchangeAs(t, s, "self", own.RefreshToken, "subject_token_type", refresh, "scope", "read")
	if claims := workertest.Claims(t, exchanged.AccessToken); exchanged.Status != http.StatusOK || claims["act"] != nil || exchanged.RefreshToken != "" || exchanged.Scope != "read" {
		t.Fatalf("a refresh token: %d %s: %v", exchanged.Status, exchanged.Error, claims)
	}
	if got := exchangeAs(t, s, "self", own.IDToken, "subject_token_type", idToken, "actor_token", own.IDToken, "actor_token_type", idToken); got.Status != http.StatusOK {
		t.Errorf("an ID token of its own: %d %s", got.Status, got.Error)
	}
	next := self.Refresh(own.RefreshToken) // which the exchange has not spent
	if next.Status != http.StatusOK {
		t.Fatalf("refresh: %d %s", next.Status, next.Error)
	}
	for _, tt := range []struct {
		name, client, token, of string
		pairs                   []string
	}{
		{"an ID token that is for others", "bills", front.IDToken, idToken, nil},
		{"another client's refresh token", "orders", front.RefreshToken, refresh, nil},
		{"a refresh token that is replaced", "self", own.RefreshToken, refresh, nil},
		{"an access token for an ID token", "orders", front.AccessToken, idToken, nil},
		{"an access token for a refresh token", "orders", front.AccessToken, refresh, nil},
		{"an ID token with another signature", "orders", front.IDToken[:len(front.IDToken)-6] + "AAAAAA", idToken, nil},
		{"a refresh token for an actor's", "self", own.IDToken, idToken, []string{"actor_token", next.RefreshToken, "actor_token_type", refresh}},
	} {
		if got := exchangeAs(t, s, tt.client, tt.token, append([]string{"subject_token_type", tt.of}, tt.pairs...)...); got.Status != http.StatusBadRequest || got.Error != "invalid_request" {
			t.Errorf("1.H 100: %s: %d %s", tt.name, got.Status, got.Error)
		}
	}
	// What they belong to ends what came of them.
	self.Revoke(next.RefreshToken)
	s.Client(t, "front").Revoke(front.RefreshToken)
	if self.Active(exchanged.AccessToken) || s.Client(t, "orders").Active(got.AccessToken) {
		t.Error("1.H 100: when the grant is revoked what was exchanged still counts")
	}
	if got := exchangeAs(t, s, "orders", front.IDToken, "subject_token_type", idToken); got.Error != "invalid_request" {
		t.Errorf("1.H 100: an ID token of a revoked grant: %d %s", got.Status, got.Error)
	}
	old := frontToken(t, s)
	s.Advance(t, 11*time.Minute)
	if got := exchangeAs(t, s, "orders", old.IDToken, "subject_token_type", idToken); got.Error != "invalid_request" {
		t.Errorf("1.H 100: an ID token that has expired: %d %s", got.Status, got.Error)
	}
}
