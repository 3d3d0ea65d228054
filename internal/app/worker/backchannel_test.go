package worker_test

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/protocol/jose"
)

const ciba = "urn:openid:params:grant-type:ciba"

// callingClients are clients that ask for people by the back channel.
const callingClients = `- {id: caller, name: Call Centre, secret: caller-secret, trusted: true, grant_types: ["` + ciba + `", refresh_token], ciba_mode: poll, scopes: [openid, email, offline_access]}
- {id: pinged, name: Pinged, secret: pinged-secret, grant_types: ["` + ciba + `"], ciba_mode: ping, ciba_notification_endpoint: "https://pinged.example.com/notify", scopes: [openid]}
- {id: picky, name: Picky, secret: picky-secret, grant_types: ["` + ciba + `"], ciba_mode: poll, scopes: [openid], groups: [nobody]}
`

// call is a request by the back channel.
type called struct {
	t      *testing.T
	client *workertest.Client

	ID        string `json:"auth_req_id"`
	ExpiresIn int    `json:"expires_in"`
	Interval  int    `json:"interval"`
}

// callFor sends a request, with openid and what is given.
func callFor(t *testing.T, s *workertest.Server, client string, pairs ...string) *called {
	t.Helper()
	c := &called{t: t, client: s.Client(t, client)}
	a := c.client.Send("/backchannel_authentication", callForm(pairs...))
	if err := json.Unmarshal([]byte(a.Body), c); err != nil || a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return c
}

func callForm(pairs ...string) url.Values {
	form := url.Values{"scope": {"openid"}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

func (c *called) poll() workertest.Tokens {
	c.t.Helper()
	return c.client.Token("grant_type", ciba, "auth_req_id", c.ID)
}

// TestAClientAsksForSomebodyWhoAnswersOverTheAPI mirrors fapi-ciba-id1 and
// fapi-ciba-id1-user-rejects-authentication, by poll.
func TestAClientAsksForSomebodyWhoAnswersOverTheAPI(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: callingClients + workertest.OperatorClients})
	owner := s.Operator(t, "ben", "owner")
	c := callFor(t, s, "caller", "login_hint", "ann", "scope", "openid email offline_access", "binding_message", "4711")
	if len(c.ID) < 54 || c.ExpiresIn != 300 || c.Interval != 5 {
		t.Errorf("the client is told %+v", c)
	}
	if got := c.poll(); got.Status != http.StatusBadRequest || got.Error != "authorization_pending" {
		t.Errorf("before anybody has answered: %d %s", got.Status, got.Error)
	}
	if got := c.poll(); got.Error != "slow_down" {
		t.Errorf("too soon: %s", got.Error)
	}
	var waiting resource.List[resource.BackchannelRequest]
	owner.Call(http.MethodGet, "/users/usr_ann/backchannel-requests", nil).Into(t, &waiting)
	if len(waiting.Items) != 1 || waiting.Items[0].BindingMessage != "4711" || waiting.Items[0].ClientID != "caller" {
		t.Fatalf("waiting: %+v", waiting.Items)
	}
	path := "/backchannel-requests/" + waiting.Items[0].ID
	if got := owner.Call(http.MethodPost, path+"/approve", map[string]any{"methods": []string{"mfa"}}); got.Status != http.StatusNoContent {
		t.Fatalf("allow: %d %s", got.Status, got.Body)
	}
	tokens := c.poll()
	claims := workertest.Claims(t, tokens.IDToken)
	if tokens.Status != http.StatusOK || claims["email"] != "ann@example.com" || claims["acr"] != "aal2" || claims["sub"] != "usr_ann" {
		t.Fatalf("the client gets %d %s %v", tokens.Status, tokens.Error, claims)
	}
	for _, name := range []string{"sid", "nonce", "c_hash", "s_hash", "urn:openid:params:jwt:claim:auth_req_id"} {
		if _, ok := claims[name]; ok {
			t.Errorf("the ID token has %s", name)
		}
	}
	if got := c.client.Userinfo(tokens.AccessToken); got.Status != http.StatusOK {
		t.Errorf("userinfo: %d", got.Status)
	}
	if again := c.client.Refresh(tokens.RefreshToken); again.Status != http.StatusOK {
		t.Errorf("its refresh token: %d %s", again.Status, again.Error)
	}
	if got := owner.Call(http.MethodPost, path+"/deny", nil); got.Status != http.StatusNotFound {
		t.Errorf("to refuse what is answered: %d", got.Status)
	}
	if again := c.poll(); again.Error != "invalid_grant" {
		t.Errorf("a second time: %d %s", again.Status, again.Error)
	}
	if got := c.client.Userinfo(tokens.AccessToken); got.Status != http.StatusUnauthorized {
		t.Errorf("after a replay its tokens still count: %d", got.Status)
	}

	refused := callFor(t, s, "caller", "login_hint", "ann@example.com")
	owner.Call(http.MethodGet, "/users/usr_ann/backchannel-requests", nil).Into(t, &waiting)
	if got := owner.Call(http.MethodPost, "/backchannel-requests/"+waiting.Items[0].ID+"/deny", nil); got.Status != http.StatusNoContent {
		t.Fatalf("refuse: %d %s", got.Status, got.Body)
	}
	if got := refused.poll(); got.Status != http.StatusBadRequest || got.Error != "access_denied" {
		t.Errorf("refused: %d %s", got.Status, got.Error)
	}
}

func TestSomebodyAnswersOnTheirOwnPage(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: callingClients + workertest.OperatorClients})
	b := s.Browser(t)
	if a := b.Get("/approvals"); a.Status != http.StatusOK || !a.Has("stranger") {
		t.Errorf("for nobody in particular: %d", a.Status)
	}
	signIn(t, s, b, "ann")
	if a := b.Get("/approvals"); !a.Has("none") {
		t.Errorf("nothing waits, and the page says otherwise: %d", a.Status)
	}
	c := callFor(t, s, "caller", "login_hint", "ann", "binding_message", "4711")
	ofBen := callFor(t, s, "caller", "login_hint", "ben")
	list := b.Get("/approvals")
	if !strings.Contains(list.Body, "Call Centre") || !strings.Contains(list.Body, "4711") {
		t.Fatalf("the page: %d %s", list.Status, list.Body)
	}
	ask := b.Follow(b.Post("/approvals", url.Values{"request": {between(list.Body, `name="request" value="`, `"`)}}))
	if !ask.Has("allow") || !ask.Has("deny") || !strings.Contains(ask.Body, "4711") || ask.Has("remember") {
		t.Fatalf("the question, although the client is trusted: %d %s", ask.Status, ask.Body)
	}
	done := b.Follow(b.Submit(ask.Form(t, "allow"), "answer", "allow"))
	if !strings.Contains(done.Body, "You have allowed it") {
		t.Errorf("%d %s", done.Status, done.Body)
	}
	tokens := c.poll()
	if claims := workertest.Claims(t, tokens.IDToken); tokens.Status != http.StatusOK || claims["sid"] == nil {
		t.Fatalf("the client gets %d %s", tokens.Status, tokens.Error)
	}

	// Ben's request is not Ann's to answer, even if she gets hold of it.
	waiting, err := s.Tenant.RequestsFor(t.Context(), "usr_ben", "", 1, s.Clock.Now())
	must(t, err)
	if a := b.Follow(b.Post("/approvals", url.Values{"request": {waiting[0].ID}})); !a.Has("password") {
		t.Errorf("somebody else's request: %d %s", a.Status, a.Body)
	}
	s.Advance(t, grant.DevicePause)
	if got := ofBen.poll(); got.Error != "authorization_pending" {
		t.Errorf("Ben's: %s", got.Error)
	}

	denied := callFor(t, s, "caller", "login_hint", "ann")
	list = b.Get("/approvals")
	ask = b.Follow(b.Post("/approvals", url.Values{"request": {between(list.Body, `name="request" value="`, `"`)}}))
	if done := b.Follow(b.Submit(ask.Form(t, "deny"), "answer", "deny")); !strings.Contains(done.Body, "You have refused") {
		t.Errorf("%d %s", done.Status, done.Body)
	}
	if got := denied.poll(); got.Error != "access_denied" {
		t.Errorf("refused: %s", got.Error)
	}
	if a := b.Post("/approvals", url.Values{"request": {"cib_none"}}); a.Status != http.StatusNotFound {
		t.Errorf("a request that is none: %d", a.Status)
	}
	if a := b.CrossPost(s.URL+"/approvals", url.Values{"request": {waiting[0].ID}}); a.Status != http.StatusForbidden {
		t.Errorf("from another site: %d", a.Status)
	}
}

// between is what stands between two texts.
func between(s, before, after string) string {
	_, rest, _ := strings.Cut(s, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}

func TestACallIsAnsweredInTheWordsOfCIBA(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: callingClients + workertest.OperatorClients})
	b := s.Browser(t)
	app := s.Client(t, "app")
	idToken := app.Redeem(app.Code(b)).IDToken
	for _, tt := range []struct {
		name, client string
		form         url.Values
		status       int
		code         string
	}{
		{"nobody of that name", "caller", callForm("login_hint", "nobody"), 400, "unknown_user_id"},
		{"a hint token, which nobody makes", "caller", callForm("login_hint_token", "x.y.z"), 400, "unknown_user_id"},
		{"an ID token that is none", "caller", callForm("id_token_hint", "x.y.z"), 400, "invalid_request"},
		{"another client's ID token", "caller", callForm("id_token_hint", idToken), 400, "invalid_request"},
		{"no hint", "caller", callForm(), 400, "invalid_request"},
		{"two hints", "caller", callForm("login_hint", "ann", "id_token_hint", idToken), 400, "invalid_request"},
		{"without openid", "caller", callForm("login_hint", "ann", "scope", "email"), 400, "invalid_scope"},
		{"a scope that is not the client's", "caller", callForm("login_hint", "ann", "scope", "openid groups"), 400, "invalid_scope"},
		{"a message that nobody can compare", "caller", callForm("login_hint", "ann", "binding_message", "👍"), 400, "invalid_binding_message"},
		{"a time that is none", "caller", callForm("login_hint", "ann", "requested_expiry", "-5"), 400, "invalid_request"},
		{"a client without this grant type", "app", callForm("login_hint", "ann"), 400, "unauthorized_client"},
		{"a public client", "spa", callForm("login_hint", "ann"), 400, "unauthorized_client"},
		{"no token to be notified by", "pinged", callForm("login_hint", "ann"), 400, "invalid_request"},
		{"a person whom the client does not take", "picky", callForm("login_hint", "ann"), 403, "access_denied"},
		{"a request that is none", "caller", callForm("request", "x.y.z"), 400, "invalid_request"},
	} {
		a := s.Client(t, tt.client).Send("/backchannel_authentication", tt.form)
		if a.Status != tt.status || !strings.Contains(a.Body, `"error":"`+tt.code+`"`) {
			t.Errorf("%s: %d %s", tt.name, a.Status, a.Body)
		}
	}
	c := callFor(t, s, "caller", "login_hint", "ann", "requested_expiry", "30")
	if c.ExpiresIn != 30 {
		t.Errorf("it waits for %d seconds", c.ExpiresIn)
	}
	if long := callFor(t, s, "caller", "login_hint", "ann", "requested_expiry", "999999"); long.ExpiresIn != 900 {
		t.Errorf("it waits for %d seconds", long.ExpiresIn)
	}
	if foreign := s.Client(t, "pinged").Token("grant_type", ciba, "auth_req_id", c.ID); foreign.Error != "invalid_grant" {
		t.Errorf("another client gets %s", foreign.Error)
	}
	for _, id := range []string{"", "nothing", "dxd_" + c.ID[4:]} {
		if got := s.Client(t, "caller").Token("grant_type", ciba, "auth_req_id", id); got.Error != map[bool]string{true: "invalid_request", false: "invalid_grant"}[id == ""] {
			t.Errorf("the id %q: %s", id, got.Error)
		}
	}
	s.Advance(t, 30*time.Second)
	if got := c.poll(); got.Error != "expired_token" {
		t.Errorf("too late: %s", got.Error)
	}
}

func TestOfManyWhoRedeemACallOneGetsTheTokens(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: callingClients + workertest.OperatorClients})
	c := callFor(t, s, "caller", "login_hint", "ann")
	allow(t, s, "usr_ann")
	var mu sync.Mutex
	statuses := map[int]int{}
	var all sync.WaitGroup
	for range 16 {
		other := s.Client(t, "caller")
		all.Go(func() {
			got := other.Token("grant_type", ciba, "auth_req_id", c.ID)
			mu.Lock()
			defer mu.Unlock()
			statuses[got.Status]++
		})
	}
	all.Wait()
	if !maps.Equal(statuses, map[int]int{http.StatusOK: 1, http.StatusBadRequest: 15}) {
		t.Errorf("of 16 at once: %v", statuses)
	}
}

// allow lets in what waits for somebody.
func allow(t *testing.T, s *workertest.Server, userID string) {
	t.Helper()
	waiting, err := s.Tenant.RequestsFor(t.Context(), userID, "", 10, s.Clock.Now())
	must(t, err)
	owner := s.Operator(t, "ben", "owner")
	for _, d := range waiting {
		if got := owner.Call(http.MethodPost, "/backchannel-requests/"+d.ID+"/approve", nil); got.Status != http.StatusNoContent {
			t.Fatalf("allow: %d %s", got.Status, got.Body)
		}
	}
}

func TestWhoIsStoppedAfterTheyAllowedACallGivesNothing(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: callingClients + workertest.OperatorClients})
	c := callFor(t, s, "caller", "login_hint", "ann")
	allow(t, s, "usr_ann")
	must(t, s.Tenant.DisableUser(t.Context(), "usr_ann", audit.By{At: s.Clock.Now()}))
	if got := c.poll(); got.Error != "invalid_grant" {
		t.Errorf("the client gets %d %s", got.Status, got.Error)
	}
}

// TestASignedCallSaysEverything mirrors fapi-ciba-id1-ensure-request-object-* and
// fapi-ciba-id1-ensure-authorization-request-without-request-fails.
func TestASignedCallSaysEverything(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Bare: true, Config: `
clients:
- {id: jwt, name: Signs, jwks: {keys: [{kty: OKP, crv: Ed25519, alg: EdDSA, kid: jwt-1, x: JB2OOGUWFAx7fAMZ95IDEu8WRQYuKJ_DgB8XNR9FQRQ}]}, grant_types: ["` + ciba + `"], ciba_mode: poll, ciba_request_alg: EdDSA, scopes: [openid]}
users:
- {id: ann, username: ann, password_hash: "` + workertest.PasswordHash + `"}
`})
	sign := func(claims map[string]any) string {
		object, err := jose.Sign(workertest.AssertionKey, jose.EdDSA, "jwt-1", jose.TypeJWT, claims)
		must(t, err)
		return object
	}
	now := s.Clock.Now()
	claims := func(change func(c map[string]any)) map[string]any {
		c := map[string]any{
			"iss": "jwt", "aud": s.URL, "exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(), "nbf": now.Unix(), "jti": rand.Text(),
			"scope": "openid", "login_hint": "ann", "binding_message": "1234",
		}
		if change != nil {
			change(c)
		}
		return c
	}
	without := func(name string) map[string]any { return claims(func(c map[string]any) { delete(c, name) }) }
	with := func(name string, value any) map[string]any { return claims(func(c map[string]any) { c[name] = value }) }
	for _, tt := range []struct {
		name   string
		claims map[string]any
		code   string // empty: it is taken
	}{
		{"as it has to be", claims(nil), ""},
		{"for several, of whom we are one", with("aud", []string{s.URL, "https://other.example"}), ""},
		{"a time in digits", with("requested_expiry", "120"), ""},
		{"a time as a number", with("requested_expiry", 120), ""},
		{"without iss", without("iss"), "invalid_request"},
		{"without aud", without("aud"), "invalid_request"},
		{"without exp", without("exp"), "invalid_request"},
		{"without iat", without("iat"), "invalid_request"},
		{"without nbf", without("nbf"), "invalid_request"},
		{"without jti", without("jti"), "invalid_request"},
		{"by another", with("iss", "caller"), "invalid_request"},
		{"for another", with("aud", "https://other.example"), "invalid_request"},
		{"expired", claims(func(c map[string]any) {
			c["nbf"], c["exp"] = now.Add(-10*time.Minute).Unix(), now.Add(-5*time.Minute).Unix()
		}), "invalid_request"},
		{"of the future", with("nbf", now.Add(8*time.Minute).Unix()), "invalid_request"},
		{"good for more than an hour", with("exp", now.Add(70*time.Minute).Unix()), "invalid_request"},
		{"begun more than an hour ago", with("nbf", now.Add(-70*time.Minute).Unix()), "invalid_request"},
		{"that could pass for an assertion", with("sub", "jwt"), "invalid_request"},
		{"without a hint", without("login_hint"), "invalid_request"},
		{"two hints", with("id_token_hint", "x.y.z"), "invalid_request"},
	} {
		form := url.Values{"request": {sign(tt.claims)}}
		a := s.Client(t, "jwt").Send("/backchannel_authentication", form)
		if tt.code == "" && a.Status != http.StatusOK || tt.code != "" && (a.Status != http.StatusBadRequest || !strings.Contains(a.Body, `"`+tt.code+`"`)) {
			t.Errorf("%s: %d %s", tt.name, a.Status, a.Body)
		}
		if tt.code == "" {
			if a := s.Client(t, "jwt").Send("/backchannel_authentication", form); !strings.Contains(a.Body, "invalid_request") {
				t.Errorf("%s, a second time: %d %s", tt.name, a.Status, a.Body)
			}
		}
	}
	good := sign(claims(nil))
	for name, form := range map[string]url.Values{
		"nothing signed":            callForm("login_hint", "ann"),
		"something beside it":       {"request": {good}, "binding_message": {"5678"}},
		"another's signature":       {"request": {good[:len(good)-4] + "AAAA"}},
		"signed by nobody":          {"request": {"eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + "."}},
		"one request and one again": {"request": {good, good}},
	} {
		if a := s.Client(t, "jwt").Send("/backchannel_authentication", form); a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "invalid_request") {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}
