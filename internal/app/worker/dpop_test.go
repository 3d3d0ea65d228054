package worker_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/app/workertest"
	"dex/internal/protocol/oauth"
	"dex/internal/store/storetest"
)

// proving are the headers of proofs.
func proving(proofs []string) (headers [][2]string) {
	for _, p := range proofs {
		headers = append(headers, [2]string{"DPoP", p})
	}
	return headers
}

// Mirrors fapi2-security-profile-final-happy-flow with sender constraint dpop.
func TestTokensAreBoundToTheKeyOfAProof(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	for _, id := range []string{"app", "spa"} {
		t.Run(id, func(t *testing.T) {
			c := s.Client(t, id)
			key, thumbprint := workertest.NewKey(t)
			c.Key = key
			tokens := c.Obtain()
			cnf, _ := workertest.Claims(t, tokens.AccessToken)["cnf"].(map[string]any)
			if tokens.TokenType != "DPoP" || cnf["jkt"] != thumbprint {
				t.Fatalf("token type %q, cnf %v", tokens.TokenType, cnf)
			}
			if a := c.Userinfo(tokens.AccessToken); a.Status != http.StatusOK || !strings.Contains(a.Body, "usr_ann") {
				t.Errorf("userinfo: %d %s", a.Status, a.Body)
			}
			again := c.Refresh(tokens.RefreshToken)
			cnf, _ = workertest.Claims(t, again.AccessToken)["cnf"].(map[string]any)
			if again.TokenType != "DPoP" || cnf["jkt"] != thumbprint {
				t.Errorf("refreshed: token type %q, cnf %v", again.TokenType, cnf)
			}
		})
	}
	t.Run("and introspection says so", func(t *testing.T) {
		c := s.Client(t, "app")
		key, thumbprint := workertest.NewKey(t)
		c.Key = key
		answer := c.Introspect(c.Token("grant_type", "client_credentials").AccessToken)
		cnf, _ := answer["cnf"].(map[string]any)
		if answer["active"] != true || answer["token_type"] != "DPoP" || cnf["jkt"] != thumbprint {
			t.Errorf("%v", answer)
		}
	})
	t.Run("without a proof nothing is said of a key", func(t *testing.T) {
		c := s.Client(t, "app")
		tokens := c.Token("grant_type", "client_credentials")
		if _, ok := workertest.Claims(t, tokens.AccessToken)["cnf"]; ok || tokens.TokenType != "Bearer" {
			t.Errorf("token type %q", tokens.TokenType)
		}
		if _, ok := c.Introspect(tokens.AccessToken)["cnf"]; ok {
			t.Error("introspection has a cnf")
		}
	})
}

// 1.H 96. Mirrors fapi2-security-profile-final-dpop-negative-tests at the token endpoint.
func TestAProofThatDoesNotHoldGetsNoToken(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	c.Key, _ = workertest.NewKey(t)
	at := s.URL + "/token"
	good := c.Proof("POST", at, "", nil)
	ask := func(proofs ...string) *workertest.Answer {
		return call{path: "/token", form: forItself(), headers: append(proving(proofs), basic("app", "app-secret"))}.send(t, s)
	}
	for name, proofs := range map[string][]string{
		"two":                {c.Proof("POST", at, "", nil), c.Proof("POST", at, "", nil)},
		"none but a header":  {""},
		"for another path":   {c.Proof("POST", s.URL+"/userinfo", "", nil)},
		"for another method": {c.Proof("GET", at, "", nil)},
		"an hour old":        {c.Proof("POST", at, "", map[string]any{"iat": s.Clock.Now().Add(-time.Hour).Unix()})},
		"an hour ahead":      {c.Proof("POST", at, "", map[string]any{"iat": s.Clock.Now().Add(time.Hour).Unix()})},
		"without identifier": {c.Proof("POST", at, "", map[string]any{"jti": nil})},
		"a changed one":      {good[:len(good)-4] + "AAAA"},
	} {
		if a := ask(proofs...); a.Status != http.StatusBadRequest || !strings.Contains(a.Body, `"invalid_dpop_proof"`) {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

// 1.H 96.
func TestAProofIsRememberedByEveryWorker(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	other := second(t, s)
	c := s.Client(t, "native")
	c.Key, _ = workertest.NewKey(t)
	tokens := c.Obtain()
	refresh := func(at *workertest.Server, proof string) *workertest.Answer {
		form := values("grant_type", "refresh_token", "refresh_token", tokens.RefreshToken, "client_id", "native")
		return call{path: "/token", form: form, headers: proving([]string{proof})}.send(t, at)
	}
	proof := c.Proof("POST", s.URL+"/token", "", nil)
	isOK(t, refresh(s, proof))
	isError(t, refresh(other, proof), 400, oauth.InvalidDPoPProof)
	t.Run("of many at once one counts", func(t *testing.T) {
		proof := c.Proof("POST", s.URL+"/token", "", nil)
		statuses := make([]int, 12)
		var all sync.WaitGroup
		for i := range statuses {
			all.Go(func() { statuses[i] = refresh([]*workertest.Server{s, other}[i%2], proof).Status })
		}
		all.Wait()
		counted := 0
		for _, status := range statuses {
			if status == http.StatusOK {
				counted++
			}
		}
		if counted != 1 {
			t.Errorf("%d count: %v", counted, statuses)
		}
	})
}

// Whoever has proven nothing has nothing kept: a public client shows a grant before its
// proof is remembered. With one it counts once.
func TestAPublicClientHasNoProofKeptWithoutAGrant(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "spa")
	c.Key, _ = workertest.NewKey(t)
	address, before := s.URL+"/token", storetest.Counts(t, s.DB)
	none := []string{"grant_type", "authorization_code", "code", "dxc_nothing", "redirect_uri", c.RedirectURI, "code_verifier", c.Verifier, "client_id", "spa"}
	proof := c.Proof(http.MethodPost, address, "", nil)
	for range 3 {
		isError(t, call{path: "/token", form: values(none...), headers: proving([]string{proof})}.send(t, s), 400, oauth.InvalidGrant)
	}
	isError(t, call{path: "/token", form: values(none...), headers: proving([]string{c.Proof(http.MethodPost, s.URL+"/userinfo", "", nil)})}.send(t, s), 400, oauth.InvalidDPoPProof)
	if after := storetest.Counts(t, s.DB); !maps.Equal(before, after) {
		t.Errorf("rows before %v, and after %v", before, after)
	}
	good := func() url.Values {
		return values("grant_type", "authorization_code", "code", c.Code(s.Browser(t)), "redirect_uri", c.RedirectURI, "code_verifier", c.Verifier, "client_id", "spa")
	}
	isOK(t, call{path: "/token", form: good(), headers: proving([]string{proof})}.send(t, s))
	isError(t, call{path: "/token", form: good(), headers: proving([]string{proof})}.send(t, s), 400, oauth.InvalidDPoPProof)
}

// 1.G 63.
func TestTheRefreshTokenOfAPublicClientIsBoundToItsKey(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "native")
	first, _ := workertest.NewKey(t)
	second, _ := workertest.NewKey(t)
	c.Key = first
	tokens := c.Obtain()
	c.Key = second
	if got := c.Refresh(tokens.RefreshToken); got.Status != 400 || got.Error != "invalid_grant" {
		t.Errorf("with another key: %d %s", got.Status, got.Error)
	}
	c.Key = nil
	if got := c.Refresh(tokens.RefreshToken); got.Status != 400 || got.Error != "invalid_grant" {
		t.Errorf("with no key: %d %s", got.Status, got.Error)
	}
	c.Key = first
	if got := c.Refresh(tokens.RefreshToken); got.Status != 200 {
		t.Errorf("with its own, afterwards: %d %s", got.Status, got.Error)
	}
	t.Run("that of a client which proves itself is not, and may have a new key", func(t *testing.T) {
		c := s.Client(t, "app")
		c.Key = first
		tokens := c.Obtain()
		c.Key = second
		if got := c.Refresh(tokens.RefreshToken); got.Status != 200 || got.TokenType != "DPoP" {
			t.Errorf("%d %s", got.Status, got.Error)
		}
	})
}

// Mirrors fapi2-security-profile-final-dpop-negative-tests at a resource.
func TestABoundTokenOpensNothingWithoutItsKey(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	c.Key, _ = workertest.NewKey(t)
	thief := s.Client(t, "app")
	thief.Key, _ = workertest.NewKey(t)
	token := c.Obtain().AccessToken
	at := s.URL + "/userinfo"
	used := c.Proof("GET", at, token, nil)
	ask := func(scheme string, proofs ...string) *workertest.Answer {
		return call{method: http.MethodGet, path: "/userinfo", headers: append(proving(proofs), [2]string{"Authorization", scheme + " " + token})}.send(t, s)
	}
	isOK(t, ask("DPoP", used))
	isOK(t, ask("dpop", c.Proof("GET", at, token, nil)))
	for _, tt := range []struct {
		name, scheme string
		proofs       []string
		challenge    string
		code         oauth.Code
	}{
		{"as a bearer token", "Bearer", nil, "Bearer ", oauth.InvalidToken},
		{"as a bearer token beside its proof", "Bearer", []string{c.Proof("GET", at, token, nil)}, "Bearer ", oauth.InvalidToken},
		{"without a proof", "DPoP", nil, "DPoP ", oauth.InvalidDPoPProof},
		{"with the proof of a thief", "DPoP", []string{thief.Proof("GET", at, token, nil)}, "DPoP ", oauth.InvalidToken},
		{"with a proof that was used", "DPoP", []string{used}, "DPoP ", oauth.InvalidDPoPProof},
		{"with a proof for another token", "DPoP", []string{c.Proof("GET", at, "other", nil)}, "DPoP ", oauth.InvalidDPoPProof},
		{"with a proof for no token", "DPoP", []string{c.Proof("GET", at, "", nil)}, "DPoP ", oauth.InvalidDPoPProof},
		{"with a proof for the token endpoint", "DPoP", []string{c.Proof("POST", s.URL+"/token", token, nil)}, "DPoP ", oauth.InvalidDPoPProof},
	} {
		a := ask(tt.scheme, tt.proofs...)
		challenge := a.Header.Get("WWW-Authenticate")
		if a.Status != 401 || !strings.HasPrefix(challenge, tt.challenge) || !strings.Contains(challenge, `error="`+string(tt.code)+`"`) {
			t.Errorf("%s: %d %q", tt.name, a.Status, challenge)
		}
	}
	t.Run("a token that is bound to nothing is not presented by DPoP", func(t *testing.T) {
		bearer := s.Client(t, "app").Obtain().AccessToken
		if a := c.Userinfo(bearer); a.Status != 401 || !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Errorf("%d %q", a.Status, a.Header.Get("WWW-Authenticate"))
		}
	})
}

// 1.H 98.
func TestProofsHoldANonceWhereOneIsAskedFor(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: "dpop_nonces: true\n"})
	other := workertest.Start(t, workertest.Options{DB: s.DB, Clock: s.Clock, Issuer: s.URL, Config: "dpop_nonces: true\n"})
	c, elsewhere := s.Client(t, "app"), other.Client(t, "app")
	c.Key, _ = workertest.NewKey(t)
	elsewhere.Key = c.Key
	got := c.Token("grant_type", "client_credentials")
	nonce := got.Header.Get("DPoP-Nonce")
	if got.Status != 400 || got.Error != "use_dpop_nonce" || nonce == "" {
		t.Fatalf("%d %s, nonce %q", got.Status, got.Error, nonce)
	}
	c.Nonce, elsewhere.Nonce = nonce, nonce
	for name, at := range map[string]*workertest.Client{"here": c, "at another worker": elsewhere} {
		if got := at.Token("grant_type", "client_credentials"); got.Status != 200 || got.TokenType != "DPoP" || got.Header.Get("DPoP-Nonce") == "" {
			t.Errorf("%s: %d %s", name, got.Status, got.Error)
		}
	}
	token := c.Obtain().AccessToken
	isOK(t, c.Userinfo(token))
	c.Nonce = ""
	a := c.Userinfo(token)
	if challenge := a.Header.Get("WWW-Authenticate"); a.Status != 401 || !strings.HasPrefix(challenge, "DPoP ") || !strings.Contains(challenge, "use_dpop_nonce") || a.Header.Get("DPoP-Nonce") == "" {
		t.Errorf("userinfo: %d %q", a.Status, challenge)
	}
	c.Nonce = nonce
	s.Advance(t, 11*time.Minute)
	if got := c.Token("grant_type", "client_credentials"); got.Error != "use_dpop_nonce" {
		t.Errorf("an old nonce: %d %s", got.Status, got.Error)
	}
	if got := s.Client(t, "app").Token("grant_type", "client_credentials"); got.Status != 200 || got.Header.Get("DPoP-Nonce") != "" {
		t.Errorf("who sends no proof: %d, nonce %q", got.Status, got.Header.Get("DPoP-Nonce"))
	}
}

func TestAClientCanBeHeldToProofs(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: `
- {id: bound, secret: bound-secret, dpop_bound_tokens: true, redirect_uris: ["https://bound.example.com/cb"], trusted: true, grant_types: [authorization_code, refresh_token, client_credentials]}
`})
	c := s.Client(t, "bound")
	if got := c.Token("grant_type", "client_credentials"); got.Status != 400 || got.Error != "invalid_dpop_proof" {
		t.Errorf("without a proof: %d %s", got.Status, got.Error)
	}
	code := c.Code(s.Browser(t))
	if got := c.Redeem(code); got.Error != "invalid_dpop_proof" {
		t.Errorf("a code without a proof: %d %s", got.Status, got.Error)
	}
	c.Key, _ = workertest.NewKey(t)
	if got := c.Redeem(code); got.Status != 200 || got.TokenType != "DPoP" {
		t.Errorf("the code is spent by that: %d %s", got.Status, got.Error)
	}
}

func TestABoundTokenOfAnOperatorIsOfNoUseToAnybodyElse(t *testing.T) {
	s := operated(t)
	s.SetRole(t, "ann", "owner")
	ops := s.Client(t, "ops")
	ops.Key, _ = workertest.NewKey(t)
	b := s.Browser(t)
	a := b.SignIn(b.Get(ops.Authorize("scope", workertest.AllScopes, "connector_id", "local")), "ann", workertest.Password)
	token := ops.Redeem(a.Param("code")).AccessToken
	thief := s.Client(t, "ops")
	thief.Key, _ = workertest.NewKey(t)
	at := s.Admin + resource.Prefix + "/users"
	used := ops.Proof("GET", at, token, nil)
	for _, tt := range []struct {
		name, scheme, proof string
		status              int
		challenge           string
	}{
		{"with its proof", "DPoP", used, 200, ""},
		{"with its proof again", "DPoP", used, 401, `error="invalid_dpop_proof"`},
		{"with a proof for another route", "DPoP", ops.Proof("GET", at+"/x", token, nil), 401, `error="invalid_dpop_proof"`},
		{"with the proof of a thief", "DPoP", thief.Proof("GET", at, token, nil), 401, `error="invalid_token"`},
		{"as a bearer token", "Bearer", "", 401, `error="invalid_token"`},
	} {
		headers := []string{"Authorization", tt.scheme + " " + token}
		if tt.proof != "" {
			headers = append(headers, "DPoP", tt.proof)
		}
		got := s.Bearer(t, "").Call(http.MethodGet, "/users", nil, headers...)
		if got.Status != tt.status || !strings.Contains(got.Header.Get("WWW-Authenticate"), tt.challenge) {
			t.Errorf("%s: %d %q", tt.name, got.Status, got.Header.Get("WWW-Authenticate"))
		}
	}
}
