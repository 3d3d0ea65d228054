package worker_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/grant"
	"dex/internal/protocol/oauth"
)

// pushingKey is the key of the client "jwt".
const pushingKey = `jwks: {keys: [{kty: OKP, crv: Ed25519, alg: EdDSA, kid: jwt-1, x: JB2OOGUWFAx7fAMZ95IDEu8WRQYuKJ_DgB8XNR9FQRQ}]}`

// pushing is a client that has to push.
const pushing = `
- {id: pushes, secret: pushes-secret, require_par: true, redirect_uris: ["https://pushes.example.com/cb"], trusted: true}
`

func TestARequestIsPushedFirst(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: pushing})
	for _, id := range []string{"app", "jwt", "post", "spa", "pushes", "certified"} {
		t.Run("RFC 9126 2.2 by "+id, func(t *testing.T) {
			c := s.Client(t, id)
			a, answer := c.Pushed(c.AuthorizeParams())
			if a.Status != http.StatusCreated || answer.ExpiresIn != 60 || a.Header.Get("Cache-Control") != "no-store" {
				t.Fatalf("%d %s %v", a.Status, a.Body, a.Header)
			}
			handle, ok := strings.CutPrefix(answer.RequestURI, oauth.RequestURIPrefix)
			if !ok || len(handle) < 52 {
				t.Fatalf("the request_uri is %q", answer.RequestURI)
			}
			b := s.Browser(t)
			// What stands beside the reference does not count: fapi2-security-profile-final-par-attempt-to-use-parameters-outside.
			back := b.SignIn(b.Get(c.AuthorizePushed(answer.RequestURI, "state", "another", "scope", "email", "redirect_uri", "https://evil.example.com")), "ann", workertest.Password)
			if back.Param("code") == "" || back.Param("state") != "state-of-"+id || back.Param("iss") != s.URL || !strings.HasPrefix(back.Header.Get("Location"), c.RedirectURI) {
				t.Fatalf("%d %s", back.Status, back.Header.Get("Location"))
			}
			tokens := c.Redeem(back.Param("code"))
			if tokens.Status != http.StatusOK || workertest.Claims(t, tokens.IDToken)["nonce"] != "nonce-of-"+id {
				t.Errorf("%d %s", tokens.Status, tokens.Description)
			}
		})
	}
}

func TestAPushedRequestServesOneLogin(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: pushing})
	c := s.Client(t, "pushes")
	isOver := func(t *testing.T, a *workertest.Answer) {
		t.Helper()
		isTold(t, s, a, c.RedirectURI+"?", "invalid_request_uri", "what is over")
		if a.Param("state") != "state-of-pushes" {
			t.Errorf("the state is %q", a.Param("state"))
		}
	}
	t.Run("fapi2-security-profile-final-par-attempt-reuse-request_uri", func(t *testing.T) {
		address := c.AuthorizePushed(c.Push())
		b := s.Browser(t)
		b.Follow(b.Get(address))
		page := b.Follow(b.Get(address)) // loaded again before the person has logged in
		back := b.SignIn(page, "ann", workertest.Password)
		if back.Param("code") == "" {
			t.Fatalf("%d %s", back.Status, back.Body)
		}
		isOver(t, b.Follow(b.Get(address)))
		isOver(t, s.Browser(t).Get(address))
	})
	t.Run("and so does one that was refused", func(t *testing.T) {
		address := c.AuthorizePushed(c.Push("prompt", "none"))
		b := s.Browser(t)
		isTold(t, s, b.Get(address), c.RedirectURI+"?", "login_required", "nobody is there")
		isOver(t, b.Get(address))
	})
	t.Run("fapi2-security-profile-final-par-attempt-to-use-expired-request_uri", func(t *testing.T) {
		address := c.AuthorizePushed(c.Push())
		s.Clock.Advance(grant.PushedLife)
		isOver(t, s.Browser(t).Get(address))
	})
	t.Run("who has come in time may take longer", func(t *testing.T) {
		b := s.Browser(t)
		page := b.Follow(b.Get(c.AuthorizePushed(c.Push())))
		s.Clock.Advance(2 * grant.PushedLife)
		if back := b.SignIn(page, "ann", workertest.Password); back.Param("code") == "" {
			t.Errorf("%d %s", back.Status, back.Body)
		}
	})
	t.Run("fapi2-security-profile-final-par-attempt-to-use-request_uri-for-different-client", func(t *testing.T) {
		a := s.Browser(t).Get(s.Client(t, "app").AuthorizePushed(c.Push()))
		isErrorPage(t, a, http.StatusBadRequest, "another client's reference")
	})
	t.Run("an invented reference is an error page, or an error for the client where it says where it is", func(t *testing.T) {
		for _, handle := range []string{"", "x", "dxp_" + strings.Repeat("A", 52), strings.Repeat("A", 3000)} {
			isErrorPage(t, s.Browser(t).Get(c.AuthorizePushed(oauth.RequestURIPrefix+handle)), http.StatusBadRequest, "the reference")
			isTold(t, s, s.Browser(t).Get(c.AuthorizePushed(oauth.RequestURIPrefix+handle, "redirect_uri", c.RedirectURI)), c.RedirectURI+"?", "invalid_request_uri", "the reference")
		}
	})
	t.Run("of two browsers that race with it one gets a code", func(t *testing.T) {
		address := c.AuthorizePushed(c.Push())
		var browsers []*workertest.Browser
		for range 4 {
			b := s.Browser(t)
			s.Client(t, "app").Code(b) // so that nobody has to log in any more
			browsers = append(browsers, b)
		}
		codes := make(chan string, len(browsers))
		var wg sync.WaitGroup
		for _, b := range browsers {
			wg.Go(func() { codes <- b.Get(address).Param("code") })
		}
		wg.Wait()
		close(codes)
		n := 0
		for code := range codes {
			if code != "" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d codes", n)
		}
	})
	t.Run("a reference of a public client serves one code as well", func(t *testing.T) {
		c := s.Client(t, "spa")
		address := c.AuthorizePushed(c.Push())
		b := s.Browser(t)
		if back := b.SignIn(b.Follow(b.Get(address)), "ann", workertest.Password); back.Param("code") == "" {
			t.Fatalf("%d %s", back.Status, back.Body)
		}
		if again := b.Follow(b.Get(address)); again.Param("code") != "" {
			t.Errorf("another code: %s", again.Header.Get("Location"))
		}
		s.Clock.Advance(grant.PushedLife)
		isTold(t, s, b.Get(address), c.RedirectURI+"?", "invalid_request_uri", "too old")
	})
}

func TestAPublicClientLeavesNoRowByPushing(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "spa")
	before := s.DB.Work()
	c.Push()
	if after := s.DB.Work(); after.Commits != before.Commits {
		t.Errorf("%d commits", after.Commits-before.Commits)
	}
}

func TestWhatIsPushedIsHeldToAllThatTheAuthorizationEndpointAsks(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: pushing})
	c := s.Client(t, "app")
	for _, test := range []struct {
		name  string
		pairs []string
		error string
	}{
		{"fapi2-security-profile-final-par-authorization-request-containing-request_uri", []string{"request_uri", "https://app.example.com/object"}, "invalid_request"},
		{"a reference to one that was pushed", []string{"request_uri", oauth.RequestURIPrefix + "x"}, "invalid_request"},
		{"fapi2-security-profile-final-ensure-unsupported-response-type", []string{"response_type", "token"}, "unsupported_response_type"},
		{"no response type", []string{"response_type", ""}, "invalid_request"},
		{"fapi2-security-profile-final-par-without-redirect_uri", []string{"redirect_uri", ""}, "invalid_request"},
		{"an address that is not registered", []string{"redirect_uri", "https://evil.example.com/cb"}, "invalid_request"},
		{"fapi2-security-profile-final-par-without-pkce", []string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		{"fapi2-security-profile-final-par-plain-pkce", []string{"code_challenge_method", "plain"}, "invalid_request"},
		{"scopes that nobody has", []string{"scope", "unicorns"}, "invalid_scope"},
		{"another client's id", []string{"client_id", "other"}, "invalid_request"},
		{"a thumbprint that is none", []string{"dpop_jkt", "x"}, "invalid_request"},
		{"a request object of a client that has no keys", []string{"request", "a.b.c"}, "invalid_request_object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, answer := c.Pushed(c.AuthorizeParams(test.pairs...))
			if a.Status != http.StatusBadRequest || answer.Error != test.error || answer.RequestURI != "" {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	t.Run("fapi2-security-profile-final-par-without-client-authentication", func(t *testing.T) {
		liar := s.Client(t, "app")
		liar.Secret = "wrong"
		if a, answer := liar.Pushed(liar.AuthorizeParams()); a.Status != http.StatusUnauthorized || answer.Error != "invalid_client" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
	t.Run("it is pushed by POST", func(t *testing.T) {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			if a := s.Browser(t).Do(request(t, method, s.URL+"/par")); a.Status < 400 {
				t.Errorf("%s: %d", method, a.Status)
			}
		}
	})
	t.Run("fapi2-security-profile-final-ensure-request-without-par-fails", func(t *testing.T) {
		c := s.Client(t, "pushes")
		isTold(t, s, s.Browser(t).Get(c.Authorize()), c.RedirectURI+"?", "invalid_request", "a request that was not pushed")
	})
	t.Run("a page of the client's may push", func(t *testing.T) {
		req := request(t, http.MethodOptions, s.URL+"/par")
		req.Header.Set("Origin", "https://spa.example.com")
		req.Header.Set("Access-Control-Request-Method", "POST")
		if a := s.Browser(t).Do(req); a.Header.Get("Access-Control-Allow-Origin") != "https://spa.example.com" {
			t.Errorf("%d %v", a.Status, a.Header)
		}
	})
}

func request(t *testing.T, method, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARequestMayStandInASignedObject(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "jwt")
	address := func(object string, pairs ...string) string {
		v := url.Values{"client_id": {"jwt"}, "request": {object}}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return "/authorize?" + v.Encode()
	}
	t.Run("RFC 9101 5.1 by value", func(t *testing.T) {
		b := s.Browser(t)
		back := b.SignIn(b.Get(address(c.Object(map[string]any{"max_age": 300, "prompt": "login"}), "state", "outside")), "ann", workertest.Password)
		if back.Param("code") == "" || back.Param("state") != "state-of-jwt" {
			t.Fatalf("%d %s", back.Status, back.Header.Get("Location"))
		}
		if tokens := c.Redeem(back.Param("code")); tokens.Status != http.StatusOK {
			t.Errorf("%d %s", tokens.Status, tokens.Description)
		}
	})
	t.Run("RFC 9126 3 pushed", func(t *testing.T) {
		a, answer := c.Pushed(url.Values{"request": {c.Object(nil)}})
		if a.Status != http.StatusCreated {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		b := s.Browser(t)
		if back := b.SignIn(b.Get(c.AuthorizePushed(answer.RequestURI)), "ann", workertest.Password); back.Param("code") == "" {
			t.Errorf("%d %s", back.Status, back.Header.Get("Location"))
		}
	})
	t.Run("RFC 9101 6.3 what stands beside it does not count", func(t *testing.T) {
		isTold(t, s, s.Browser(t).Get(address(c.Object(map[string]any{"code_challenge": nil, "code_challenge_method": nil}),
			"code_challenge", c.AuthorizeParams().Get("code_challenge"), "code_challenge_method", "S256")), c.RedirectURI+"?", "invalid_request", "the challenge is outside")
		isTold(t, s, s.Browser(t).Get(address(c.Object(map[string]any{"redirect_uri": nil}), "redirect_uri", c.RedirectURI)), c.RedirectURI+"?", "invalid_request_object", "the redirect_uri is outside")
		isErrorPage(t, s.Browser(t).Get(address(c.Object(map[string]any{"redirect_uri": nil}), "redirect_uri", "https://evil.example.com/cb")), http.StatusBadRequest, "one that is not registered is outside")
	})
	t.Run("RFC 9101 6.2 what the client has not signed is refused", func(t *testing.T) {
		object := c.Object(nil)
		for name, wrong := range map[string]string{
			"changed": object[:len(object)-4] + "AAAA", "none": "e30.e30.", "no token": "x", "of another": c.Object(map[string]any{"client_id": "app"}),
		} {
			isTold(t, s, s.Browser(t).Get(address(wrong, "redirect_uri", c.RedirectURI)), c.RedirectURI+"?", "invalid_request_object", name)
		}
		expired := c.Object(map[string]any{"exp": s.Clock.Now().Add(-5 * time.Minute).Unix()})
		isTold(t, s, s.Browser(t).Get(address(expired)), c.RedirectURI+"?", "invalid_request_object", "expired")
	})
	t.Run("it does not authenticate the client, and an assertion is no request", func(t *testing.T) {
		params := c.AuthorizeParams("client_assertion_type", oauth.AssertionTypeJWT, "client_assertion", c.Object(nil))
		if a := s.Browser(t).Post("/par", params); a.Status != http.StatusUnauthorized {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		isTold(t, s, s.Browser(t).Get(address(c.Assertion(nil), "redirect_uri", c.RedirectURI)), c.RedirectURI+"?", "invalid_request_object", "an assertion")
	})
	t.Run("a request and a reference exclude each other", func(t *testing.T) {
		isTold(t, s, s.Browser(t).Get(address(c.Object(nil), "redirect_uri", c.RedirectURI, "request_uri", oauth.RequestURIPrefix+"x")), c.RedirectURI+"?", "invalid_request", "both")
	})
}

// fapi2-security-profile-final-ensure-dpop-auth-code-binding-success, and
// fapi2-security-profile-final-ensure-dpop-proof-with-mismatched-dpop-jkt-fails.
func TestACodeIsBoundToTheKeyThatItsRequestNames(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	b := s.Browser(t)
	c := s.Client(t, "app")
	c.Code(b)
	key, thumbprint := workertest.NewKey(t)
	other, another := workertest.NewKey(t)
	redeemed := func(address string) {
		t.Helper()
		code := b.Get(address).Param("code")
		c.Key = other
		if got := c.Redeem(code); got.Error != "invalid_grant" {
			t.Errorf("another key: %d %s", got.Status, got.Error)
		}
		c.Key = nil
		if got := c.Redeem(code); got.Error != "invalid_grant" {
			t.Errorf("no key: %d %s", got.Status, got.Error)
		}
		c.Key = key
		if got := c.Redeem(code); got.Status != http.StatusOK || got.TokenType != "DPoP" {
			t.Errorf("its own: %d %s", got.Status, got.Description)
		}
		c.Key = nil
	}
	t.Run("RFC 9449 10 by dpop_jkt", func(*testing.T) { redeemed(c.Authorize("dpop_jkt", thumbprint)) })
	t.Run("RFC 9449 10.1 by dpop_jkt that was pushed", func(*testing.T) {
		redeemed(c.AuthorizePushed(c.Push("dpop_jkt", thumbprint)))
	})
	t.Run("RFC 9449 10.1 by the proof of who pushed it", func(*testing.T) {
		c.Key = key
		address := c.AuthorizePushed(c.Push())
		redeemed(address)
	})
	t.Run("a proof by another key than is named", func(t *testing.T) {
		c.Key = key
		if a, answer := c.Pushed(c.AuthorizeParams("dpop_jkt", another)); answer.Error != "invalid_dpop_proof" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		c.Key = nil
	})
}
