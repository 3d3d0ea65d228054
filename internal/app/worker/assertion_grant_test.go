package worker_test

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
	"dex/internal/protocol/jose"
)

const (
	jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	idToken   = "urn:ietf:params:oauth:token-type:id_token"
	ciIssuer  = "https://ci.example.com"
)

// vouchers are two issuers whose word counts, and by which nobody logs in: of the first all
// kinds of tokens, of the second assertions alone. Both sign with the same key.
const vouchers = `
connectors:
- {id: local, kind: local, name: Password}
- {id: ci, kind: oidc, name: CI, config: {issuer: "` + ciIssuer + `", login: false, accepts: [jwt_bearer, id_token, id_jag], audiences: [ci-audience], claims: {groups: "claims.teams"}, jwks: {keys: [{kty: OKP, crv: Ed25519, alg: EdDSA, kid: jwt-1, x: JB2OOGUWFAx7fAMZ95IDEu8WRQYuKJ_DgB8XNR9FQRQ}]}}}
- {id: strict, kind: oidc, name: Strict, config: {issuer: "https://strict.example.com", login: false, accepts: [jwt_bearer], jwks: {keys: [{kty: OKP, crv: Ed25519, alg: EdDSA, kid: jwt-1, x: JB2OOGUWFAx7fAMZ95IDEu8WRQYuKJ_DgB8XNR9FQRQ}]}}}
`

const bringers = `- {id: brings, name: Brings, secret: brings-secret, redirect_uris: ["https://brings.example.com/cb"], trusted: true, grant_types: ["` + jwtBearer + `", "` + exchange + `"], scopes: [openid, profile, groups, read, write, offline_access], resources: ["https://api.example.com"]}
- {id: begs, name: Begs, secret: begs-secret, grant_types: ["` + jwtBearer + `", "` + exchange + `"], scopes: [profile, read]}
- {id: lax, name: Lax, profile: openid, secret: lax-secret, trusted: true, grant_types: ["` + jwtBearer + `"], scopes: [read]}
- {id: team, name: Team, secret: team-secret, trusted: true, grant_types: ["` + jwtBearer + `"], scopes: [read], groups: [builders]}
- {id: local-only, name: Local only, secret: local-only-secret, trusted: true, grant_types: ["` + jwtBearer + `"], scopes: [read], connectors: [local]}
- {id: peer, name: Peer, secret: peer-secret, trusted_peers: [brings], grant_types: [client_credentials]}
`

func vouchersServer(t *testing.T) *workertest.Server {
	t.Helper()
	return workertest.Start(t, workertest.Options{Clients: bringers, Config: vouchers})
}

// ciWord is the word of the issuer of programs, with the given claims set instead; nil
// takes a claim out.
func ciWord(t testing.TB, s *workertest.Server, typ string, instead map[string]any) string {
	t.Helper()
	now := s.Clock.Now()
	claims := map[string]any{
		"iss": ciIssuer, "sub": "repo:main", "aud": s.URL, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"name": "The pipeline", "teams": []string{"builders"},
	}
	for name, value := range instead {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	token, err := jose.Sign(workertest.AssertionKey, jose.EdDSA, "jwt-1", typ, claims)
	must(t, err)
	return token
}

func bring(t testing.TB, s *workertest.Server, client, assertion string, pairs ...string) workertest.Tokens {
	t.Helper()
	return s.Client(t, client).Token(append([]string{"grant_type", jwtBearer, "assertion", assertion}, pairs...)...)
}

func TestAnAssertionOfATrustedIssuerIsGoodForAToken(t *testing.T) {
	s := vouchersServer(t)
	got := bring(t, s, "brings", ciWord(t, s, "JWT", nil), "scope", "profile groups read audience:server:client_id:peer", "resource", "https://api.example.com")
	if got.Status != http.StatusOK || got.TokenType != "Bearer" || got.RefreshToken != "" || got.IDToken != "" {
		t.Fatalf("%d %s %s: %+v", got.Status, got.Error, got.Description, got)
	}
	claims := workertest.Claims(t, got.AccessToken)
	if claims["client_id"] != "brings" || !strings.HasPrefix(claims["sub"].(string), "usr_") || !strings.Contains(audienceOf(t, got), "https://api.example.com") {
		t.Errorf("the token says %v", claims)
	}
	if told := s.Client(t, "peer").Introspect(got.AccessToken); told["active"] != true || told["sub"] != claims["sub"] {
		t.Errorf("whoever it is for is told %v", told)
	}
	again := bring(t, s, "brings", ciWord(t, s, "JWT", map[string]any{"name": "The new pipeline"}))
	if sub := workertest.Claims(t, again.AccessToken)["sub"]; sub != claims["sub"] || again.Scope != "profile groups read write" {
		t.Errorf("the next time it is %v, with %q", sub, again.Scope)
	}
	if u, id, err := s.Tenant.ByIdentity(t.Context(), "ci", ciIssuer+"#repo:main"); err != nil || u.Name != "The new pipeline" || !slices.Equal(id.Profile.Groups, []string{"builders"}) {
		t.Errorf("it is known as %+v, %+v, %v", u, id.Profile, err)
	}
	if n := timesRecorded(t, s, audit.TokenVouched); n != 2 {
		t.Errorf("it stands in the record %d times", n)
	}
	if other := bring(t, s, "team", ciWord(t, s, "JWT", nil)); other.Status != http.StatusOK {
		t.Errorf("a client for the builders: %d %s", other.Status, other.Error)
	}
	// What it led to ends with the account.
	must(t, s.Tenant.DisableUser(t.Context(), claims["sub"].(string), audit.By{At: s.Clock.Now()}))
	if s.Client(t, "peer").Active(got.AccessToken) || s.Client(t, "brings").Active(again.AccessToken) {
		t.Error("1.H 101: the tokens of a disabled account still count")
	}
}

// RFC 7521 section 4.1.1: whatever is wrong with an assertion is an invalid_grant.
func TestWhatIsNoGoodAssertionIsRefused(t *testing.T) {
	s := vouchersServer(t)
	word := func(instead map[string]any) string { return ciWord(t, s, "JWT", instead) }
	once := word(nil)
	if got := bring(t, s, "brings", once); got.Status != http.StatusOK {
		t.Fatalf("%d %s %s", got.Status, got.Error, got.Description)
	}
	chain := map[string]any{"sub": "a", "act": map[string]any{"sub": "b", "act": map[string]any{"sub": "c", "act": map[string]any{"sub": "d", "act": map[string]any{"sub": "e"}}}}}
	for _, tt := range []struct {
		name, client, assertion string
		pairs                   []string
		code                    string
	}{
		{"one that has come before", "brings", once, nil, "invalid_grant"},
		{"by another client", "begs", once, nil, "invalid_grant"},
		{"one of an issuer that nobody knows", "brings", word(map[string]any{"iss": "https://evil.example.com"}), nil, "invalid_grant"},
		{"one of our own", "brings", word(map[string]any{"iss": s.URL}), nil, "invalid_grant"},
		{"one for somebody else", "brings", word(map[string]any{"aud": "https://other.example.com"}), nil, "invalid_grant"},
		{"one for us and somebody else", "brings", word(map[string]any{"aud": []string{s.URL, "https://other.example.com"}}), nil, "invalid_grant"},
		{"one for the token endpoint, of a profile that does not take that", "brings", word(map[string]any{"aud": s.URL + "/token"}), nil, "invalid_grant"},
		{"one that has expired", "brings", word(map[string]any{"exp": s.Clock.Now().Add(-time.Hour).Unix()}), nil, "invalid_grant"},
		{"one without an id", "brings", word(map[string]any{"jti": nil}), nil, "invalid_grant"},
		{"one that is bound to a key", "brings", word(map[string]any{"cnf": map[string]any{"jkt": "abc"}}), nil, "invalid_grant"},
		{"one with a crowd of actors", "brings", word(map[string]any{"act": chain}), nil, "invalid_grant"},
		{"one of another type", "brings", ciWord(t, s, jose.TypeAccessToken, nil), nil, "invalid_grant"},
		{"of a connector that the client does not accept", "local-only", word(nil), nil, "invalid_grant"},
		{"about somebody in no group of the client's", "team", word(map[string]any{"teams": []string{"others"}, "sub": "repo:other"}), nil, "invalid_grant"},
		{"for a client to which the person has allowed nothing", "begs", word(nil), nil, "invalid_grant"},
		{"for more than the client may have", "brings", word(nil), []string{"scope", "admin"}, "invalid_scope"},
		{"for a login", "brings", word(nil), []string{"scope", "openid"}, "invalid_scope"},
		{"for what renews it", "brings", word(nil), []string{"scope", "read offline_access"}, "invalid_scope"},
		{"for a resource that is not the client's", "brings", word(nil), []string{"resource", "https://elsewhere.example.com"}, "invalid_target"},
		{"by a client without this grant type", "app", word(nil), nil, "unauthorized_client"},
		{"nothing", "brings", "", nil, "invalid_request"},
		{"what is no token", "brings", "nonsense", nil, "invalid_grant"},
	} {
		got := bring(t, s, tt.client, tt.assertion, tt.pairs...)
		if got.Status != http.StatusBadRequest || got.Error != tt.code || got.AccessToken != "" {
			t.Errorf("1.H 101: %s: %d %s %s", tt.name, got.Status, got.Error, got.Description)
		}
	}
	if got := bring(t, s, "lax", word(map[string]any{"aud": s.URL + "/token"})); got.Status != http.StatusOK {
		t.Errorf("one for the token endpoint, of the profile openid: %d %s", got.Status, got.Error)
	}
	must(t, s.Tenant.DisableConnector(t.Context(), "ci", audit.By{At: s.Clock.Now()}))
	if got := bring(t, s, "brings", word(nil)); got.Error != "invalid_grant" {
		t.Errorf("1.H 101: of a connector that is disabled: %d %s", got.Status, got.Error)
	}
}

func TestOfManyWhoBringAnAssertionOneGetsAToken(t *testing.T) {
	s := vouchersServer(t)
	word := ciWord(t, s, "JWT", nil)
	var got atomic.Int32
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			switch answer := bring(t, s, "brings", word); {
			case answer.Status == http.StatusOK:
				got.Add(1)
			case answer.Error != "invalid_grant":
				t.Errorf("%d %s", answer.Status, answer.Error)
			}
		})
	}
	all.Wait()
	if got.Load() != 1 {
		t.Errorf("1.H 101: %d got a token", got.Load())
	}
}

func TestNobodyLogsInByAConnectorThatIsThereForTokens(t *testing.T) {
	s := vouchersServer(t)
	b := s.Browser(t)
	a := b.Follow(b.Get(s.Client(t, "app").Authorize()))
	if !a.Has("password") {
		t.Errorf("there is something to choose: %d %.300s", a.Status, a.Body)
	}
	if a := b.Follow(b.Get(s.Client(t, "app").Authorize("connector_id", "ci"))); a.Status < 400 {
		t.Errorf("who asks for it gets %d", a.Status)
	}
}

func TestATokenOfAnotherIssuerIsExchanged(t *testing.T) {
	s := vouchersServer(t)
	word := func(instead map[string]any) string {
		all := map[string]any{"aud": "ci-audience", "jti": nil}
		for name, value := range instead {
			all[name] = value
		}
		return ciWord(t, s, "JWT", all)
	}
	exchanged := func(client, subject string, pairs ...string) workertest.Tokens {
		return s.Client(t, client).Token(append([]string{"grant_type", exchange, "subject_token", subject, "subject_token_type", idToken}, pairs...)...)
	}
	one := word(map[string]any{"act": map[string]any{"sub": "robot"}, "exp": s.Clock.Now().Add(90 * time.Second).Unix()})
	for range 2 { // an ID token may come as often as it is good
		got := exchanged("brings", one, "audience", "peer", "scope", "read")
		claims := workertest.Claims(t, got.AccessToken)
		act, _ := claims["act"].(map[string]any)
		if got.Status != http.StatusOK || got.ExpiresIn > 90 || got.Scope != "read" || act["sub"] != "robot" || !s.Client(t, "peer").Active(got.AccessToken) {
			t.Fatalf("%d %s %s: %v", got.Status, got.Error, got.Description, claims)
		}
	}
	acts := word(map[string]any{"sub": "agent"})
	got := exchanged("brings", word(nil), "actor_token", acts, "actor_token_type", idToken)
	if act, _ := workertest.Claims(t, got.AccessToken)["act"].(map[string]any); act["sub"] != "agent" || act["iss"] != ciIssuer {
		t.Errorf("who acts is %v", act)
	}
	if got := exchanged("brings", word(map[string]any{"may_act": map[string]any{"sub": "agent", "iss": ciIssuer}}), "actor_token", acts, "actor_token_type", idToken); got.Status != http.StatusOK {
		t.Errorf("by whom may act: %d %s", got.Status, got.Error)
	}
	if got := exchanged("brings", word(map[string]any{"may_act": map[string]any{"sub": "brings", "iss": s.URL}})); got.Status != http.StatusOK {
		t.Errorf("by the client that may act: %d %s", got.Status, got.Error)
	}
	for _, tt := range []struct {
		name, client, subject string
		pairs                 []string
		code                  string
	}{
		{"one for another audience", "brings", word(map[string]any{"aud": s.URL}), nil, "invalid_request"},
		{"one of an issuer that nobody knows", "brings", word(map[string]any{"iss": "https://evil.example.com"}), nil, "invalid_request"},
		{"one of an issuer whose ID tokens are not taken", "brings", word(map[string]any{"iss": "https://strict.example.com"}), nil, "invalid_request"},
		{"one that has expired", "brings", word(map[string]any{"exp": s.Clock.Now().Add(-time.Hour).Unix()}), nil, "invalid_request"},
		{"one that names another who may act", "brings", word(map[string]any{"may_act": map[string]any{"sub": "agent"}}), nil, "invalid_request"},
		{"one that names an actor of another issuer", "brings", word(map[string]any{"may_act": map[string]any{"sub": "agent", "iss": "https://other.example.com"}}), []string{"actor_token", acts, "actor_token_type", idToken}, "invalid_request"},
		{"with an actor's token that does not hold", "brings", word(nil), []string{"actor_token", word(map[string]any{"aud": "x"}), "actor_token_type", idToken}, "invalid_request"},
		{"to a client to which the person has allowed nothing", "begs", word(nil), nil, "invalid_request"},
		{"for a login", "brings", word(nil), []string{"scope", "openid"}, "invalid_scope"},
		{"for more than the client may have", "brings", word(nil), []string{"scope", "admin"}, "invalid_scope"},
		{"for somebody who does not trust the client", "brings", word(nil), []string{"audience", "app"}, "invalid_target"},
		{"as an access token", "brings", word(nil), []string{"subject_token_type", "urn:ietf:params:oauth:token-type:access_token"}, "invalid_request"},
	} {
		got := exchanged(tt.client, tt.subject, tt.pairs...)
		if got.Status != http.StatusBadRequest || got.Error != tt.code {
			t.Errorf("1.H 100: %s: %d %s %s", tt.name, got.Status, got.Error, got.Description)
		}
	}
}

// draft-ietf-oauth-identity-assertion-authz-grant, section 4.4: dex as the resource's
// authorization server.
func TestAnIdentityAssertionIsForOneClientAndWhatItSays(t *testing.T) {
	s := vouchersServer(t)
	jag := func(instead map[string]any) string {
		all := map[string]any{"client_id": "brings", "scope": "read"}
		for name, value := range instead {
			all[name] = value
		}
		return ciWord(t, s, jose.TypeIDJAG, all)
	}
	got := bring(t, s, "brings", jag(map[string]any{"scope": "openid read profile unknown", "resource": "https://api.example.com"}))
	if got.Status != http.StatusOK || got.Scope != "read profile" || got.RefreshToken != "" || got.IDToken != "" || audienceOf(t, got) != "[https://api.example.com]" && audienceOf(t, got) != "https://api.example.com" {
		t.Fatalf("%d %s %s: %+v", got.Status, got.Error, got.Description, got)
	}
	if got := bring(t, s, "begs", jag(map[string]any{"client_id": "begs"})); got.Status != http.StatusOK || got.Scope != "read" {
		t.Errorf("of an issuer that allows it in the place of the person: %d %s", got.Status, got.Error)
	}
	once := jag(nil)
	if got := bring(t, s, "brings", once, "scope", "read"); got.Status != http.StatusOK {
		t.Errorf("%d %s", got.Status, got.Error)
	}
	for _, tt := range []struct {
		name, client, assertion string
		pairs                   []string
		code                    string
	}{
		{"one that has come before", "brings", once, nil, "invalid_grant"},
		{"one for another client", "begs", jag(nil), nil, "invalid_grant"},
		{"one for no client", "brings", jag(map[string]any{"client_id": nil}), nil, "invalid_grant"},
		{"one for the token endpoint", "lax", jag(map[string]any{"client_id": "lax", "aud": s.URL + "/token"}), nil, "invalid_grant"},
		{"one for several", "brings", jag(map[string]any{"aud": []string{s.URL, s.URL}}), nil, "invalid_grant"},
		{"one of an issuer whose identity assertions are not taken", "brings", jag(map[string]any{"iss": "https://strict.example.com"}), nil, "invalid_grant"},
		{"without scopes, to a client to which nobody has allowed anything", "begs", jag(map[string]any{"client_id": "begs", "scope": nil}), nil, "invalid_grant"},
		{"for more than it says", "brings", jag(nil), []string{"scope", "read write"}, "invalid_scope"},
		{"for a resource that it does not name", "brings", jag(map[string]any{"resource": s.URL}), []string{"resource", "https://api.example.com"}, "invalid_target"},
		{"for a resource that is not the client's", "brings", jag(map[string]any{"resource": "https://elsewhere.example.com"}), nil, "invalid_target"},
	} {
		got := bring(t, s, tt.client, tt.assertion, tt.pairs...)
		if got.Status != http.StatusBadRequest || got.Error != tt.code {
			t.Errorf("1.H 101: %s: %d %s %s", tt.name, got.Status, got.Error, got.Description)
		}
	}
}
