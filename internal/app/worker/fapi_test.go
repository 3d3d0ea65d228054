package worker_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/protocol/certificate"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// ofFAPI2 are what clients of FAPI 2.0 have in common. The last of each sign their
// messages, as the plan fapi2-message-signing-final wants it.
const ofFAPI2 = `- {id: %[1]s-%[2]s, %[4]s, profile: fapi2, trusted: true, %[2]s: true, grant_types: [authorization_code, refresh_token, client_credentials], ` +
	`id_token_alg: %[3]s, jwks: %[5]s, authorization_details_types: [payment], scopes: [openid, profile, email, address, phone, offline_access, api], redirect_uris: ["https://%[1]s-%[2]s.example.com/cb"]%[6]s}
`

func startFAPI2(t *testing.T) *advanced {
	return startFAPI(t, func(a *advanced, id string, alg jose.Algorithm, auth string) string {
		keys := workertest.KeySet(t, a.signers[id])
		certificates, proofs := "certificate_bound_tokens", "dpop_bound_tokens"
		text := fmt.Sprintf(ofFAPI2, id, certificates, alg, auth, keys, "") + fmt.Sprintf(ofFAPI2, id, proofs, alg, auth, keys, "")
		text += fmt.Sprintf(ofFAPI2, id+"-signs", certificates, alg, auth, keys, ", require_signed_request: true, response_alg: "+string(alg))
		return text + fmt.Sprintf(ofFAPI2, id+"-signs", proofs, alg, auth, keys, ", require_signed_request: true, response_alg: "+string(alg))
	})
}

// modern is a variant of the plans of FAPI 2.0: a client, and what its tokens are bound to.
type modern struct {
	t     *testing.T
	s     *advanced
	c     *workertest.Client
	b     *workertest.Browser
	auth  string // "assert" or "shows"
	bound string // the setting that says to what
	signs bool
}

// newModern is a variant with a client of its own, which has fresh keys for proofs.
func newModern(t *testing.T, s *advanced, b *workertest.Browser, auth, bound string, signs bool) *modern {
	m := &modern{t: t, s: s, b: b, auth: auth, bound: bound, signs: signs}
	m.c = m.client(auth)
	return m
}

func (m *modern) client(auth string) *workertest.Client {
	id := auth + "-"
	if m.signs {
		id += "signs-"
	}
	c := m.s.Client(m.t, id+m.bound)
	c.Secret, c.Signer, c.Signs = "", m.s.signers[auth], auth == "assert"
	if auth == "shows" || m.bound == "certificate_bound_tokens" {
		c.Show(m.s.certificates[auth])
	}
	if m.bound == "dpop_bound_tokens" {
		c.Key, _ = workertest.NewKey(m.t)
	}
	return c
}

// other is a client of the same kind that is somebody else.
func (m *modern) other() *workertest.Client {
	return m.client(otherOf(m.auth))
}

// push pushes a request, signed if the client signs them.
func (m *modern) push(pairs ...string) (*workertest.Answer, workertest.PushAnswer) {
	m.t.Helper()
	if !m.signs {
		return m.c.Pushed(m.c.AuthorizeParams(pairs...))
	}
	instead := map[string]any{"response_mode": "jwt"}
	for i := 0; i+1 < len(pairs); i += 2 {
		if instead[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
			instead[pairs[i]] = nil
		}
	}
	return m.pushObject(instead)
}

func (m *modern) pushObject(instead map[string]any) (*workertest.Answer, workertest.PushAnswer) {
	m.t.Helper()
	return m.c.Pushed(url.Values{"request": {m.c.Object(instead)}})
}

// ask pushes a request and brings the browser, and returns what it leads to.
func (m *modern) ask(pairs ...string) *workertest.Answer {
	m.t.Helper()
	a, answer := m.push(pairs...)
	if a.Status != http.StatusCreated || answer.ExpiresIn < 5 {
		m.t.Fatalf("the request is not taken: %d %s", a.Status, a.Body)
	}
	return m.b.Get(m.c.AuthorizePushed(answer.RequestURI))
}

// answer reads an answer, and holds it to what holds for each.
func (m *modern) answer(a *workertest.Answer) url.Values {
	m.t.Helper()
	if a.Location() == nil || !strings.HasPrefix(a.Location().String(), m.c.RedirectURI+"?") {
		m.t.Fatalf("no answer to the client: %d, to %v: %s", a.Status, a.Location(), a.Body)
	}
	got := a.Location().Query()
	if !m.signs {
		if got.Get("iss") != m.s.URL {
			m.t.Errorf("the answer is of %q", got.Get("iss"))
		}
		return got
	}
	head, claims := headerOf(m.t, got.Get("response")), workertest.Claims(m.t, got.Get("response"))
	exp, _ := claims["exp"].(float64)
	left := time.Unix(int64(exp), 0).Sub(m.s.Clock.Now())
	if len(got) != 1 || head["alg"] != string(m.c.Signer.Alg) || head["kid"] == nil || claims["iss"] != m.s.URL || claims["aud"] != m.c.ID || left < 10*time.Second || left > 10*time.Minute {
		m.t.Errorf("%v: the answer is signed as %v for %v, and says %v", got, head, left, claims)
	}
	got = url.Values{}
	for name, value := range claims {
		if text, ok := value.(string); ok && name != "iss" && name != "aud" {
			got.Set(name, text)
		}
	}
	return got
}

func (m *modern) code(pairs ...string) string {
	m.t.Helper()
	got := m.answer(m.ask(pairs...))
	if got.Get("code") == "" {
		m.t.Fatalf("the answer is %v", got)
	}
	return got.Get("code")
}

// obtain goes the whole way, and holds the tokens to being bound.
func (m *modern) obtain(pairs ...string) workertest.Tokens {
	m.t.Helper()
	tokens := m.c.Redeem(m.code(pairs...))
	m.isBound(tokens)
	return tokens
}

func (m *modern) isBound(tokens workertest.Tokens) {
	m.t.Helper()
	if tokens.Status != http.StatusOK {
		m.t.Fatalf("%d %s %s", tokens.Status, tokens.Error, tokens.Description)
	}
	want, member, value := "Bearer", "x5t#S256", certificate.Thumbprint(m.s.certificates[m.auth].Leaf)
	if m.c.Key != nil {
		thumbprint, err := jose.Thumbprint(m.c.Key.Public())
		must(m.t, err)
		want, member, value = "DPoP", "jkt", thumbprint
	}
	cnf, _ := workertest.Claims(m.t, tokens.AccessToken)["cnf"].(map[string]any)
	if tokens.TokenType != want || cnf[member] != value {
		m.t.Errorf("the token is a %s, bound to %v", tokens.TokenType, cnf)
	}
}

// isRefused holds what was told to whoever pushed or redeemed to being one of some errors.
func (m *modern) isRefused(status int, got string, codes ...string) {
	m.t.Helper()
	if status != http.StatusBadRequest && status != http.StatusUnauthorized || !slices.Contains(codes, got) {
		m.t.Errorf("%d %q, want one of %q", status, got, codes)
	}
}

// modernModules are those of fapi2-security-profile-final-test-plan and of
// fapi2-message-signing-final-test-plan, in our words.
var modernModules = []struct {
	name string
	of   func(m *modern) bool // nil: all
	try  func(m *modern)
}{
	{name: "happy-flow", try: func(m *modern) {
		tokens := m.obtain("scope", "openid offline_access")
		isOK(m.t, m.c.Userinfo(tokens.AccessToken))
		if head, claims := headerOf(m.t, tokens.IDToken), workertest.Claims(m.t, tokens.IDToken); head["alg"] != string(m.c.Signer.Alg) || claims["nonce"] != "nonce-of-"+m.c.ID {
			m.t.Errorf("%v: %v", head, claims)
		}
		first := m.c.Refresh(tokens.RefreshToken)
		m.isBound(first)
		m.s.Advance(m.t, 30*time.Second)
		if again := m.c.Refresh(tokens.RefreshToken); again.Status != http.StatusOK {
			m.t.Errorf("5.3.2.1-9: a refresh token that was used is good for a while: %d %s", again.Status, again.Description)
		}
	}},
	{name: "happy-flow with openid=plain_oauth", try: func(m *modern) {
		if tokens := m.obtain("scope", "api", "nonce", ""); tokens.IDToken != "" || tokens.Scope != "api" {
			m.t.Errorf("the scopes are %q, and there is an ID token: %v", tokens.Scope, tokens.IDToken != "")
		}
	}},
	{name: "happy-flow with authorization_request_type=rar", of: func(m *modern) bool { return !m.signs }, try: func(m *modern) {
		tokens := m.obtain("authorization_details", `[{"type":"payment","amount":"10"}]`)
		if len(tokens.Details) != 1 || tokens.Details[0]["amount"] != "10" {
			m.t.Errorf("the details are %v", tokens.Details)
		}
	}},
	{name: "happy-flow with fapi_profile=fapi_client_credentials_grant", try: func(m *modern) {
		m.isBound(m.c.Token("grant_type", "client_credentials", "scope", "api"))
	}},
	{name: "ensure-authorization-request-without-state-success", try: func(m *modern) {
		if got := m.answer(m.ask("state", "")); got.Has("state") || got.Get("code") == "" {
			m.t.Errorf("%v", got)
		}
	}},
	{name: "ensure-authorization-request-without-nonce-success", try: func(m *modern) { m.obtain("nonce", "") }},
	{name: "ensure-authorization-request-with-long-state", try: func(m *modern) {
		if got := m.answer(m.ask("state", strings.Repeat("s", 1000))); got.Get("state") != strings.Repeat("s", 1000) {
			m.t.Errorf("%v", got)
		}
	}},
	{name: "ensure-authorization-request-with-long-nonce", try: func(m *modern) {
		if claims := workertest.Claims(m.t, m.obtain("nonce", strings.Repeat("n", 384)).IDToken); claims["nonce"] != strings.Repeat("n", 384) {
			m.t.Errorf("%v", claims)
		}
	}},
	{name: "ensure-other-scope-order-succeeds", try: func(m *modern) {
		if m.obtain("scope", "email openid").IDToken == "" {
			m.t.Error("there is no ID token")
		}
	}},
	{name: "user-rejects-authentication", try: func(m *modern) {
		m.b = m.s.Browser(m.t)
		page := m.b.Follow(m.ask())
		got := m.answer(m.b.Follow(m.b.Submit(page.Form(m.t, "cancel"), "cancel", "1")))
		if got.Get("error") != "access_denied" || got.Get("state") != "state-of-"+m.c.ID {
			m.t.Errorf("%v", got)
		}
	}},
	{name: "test-claims-parameter-identity-claims", try: func(m *modern) {
		tokens := m.obtain("scope", "openid profile email", "claims", `{"userinfo":{"name":null,"given_name":{"essential":true}},"id_token":{"email":null}}`)
		claims, userinfo := workertest.Claims(m.t, tokens.IDToken), jsonOf(m.t, m.c.Userinfo(tokens.AccessToken))
		if claims["email"] != "ann@example.com" || claims["name"] != nil || userinfo["name"] != "Ann Example" {
			m.t.Errorf("%v, %v", claims, userinfo)
		}
	}},
	{name: "ensure-request-without-par-fails", try: func(m *modern) {
		a := m.b.Get(m.c.Authorize())
		isTold(m.t, m.s.Server, a, m.c.RedirectURI+"?", "invalid_request", "plain parameters")
	}},
	{name: "par-attempt-reuse-request_uri", try: func(m *modern) {
		_, answer := m.push()
		address := m.c.AuthorizePushed(answer.RequestURI)
		fresh := m.s.Browser(m.t)
		fresh.Follow(fresh.Get(address)) // before anybody has logged in it may be loaded again
		if got := m.answer(m.b.Get(address)); got.Get("code") == "" {
			m.t.Errorf("%v", got)
		}
		if got := m.answer(m.b.Get(address)); got.Get("error") != "invalid_request_uri" {
			m.t.Errorf("%v", got)
		}
	}},
	{name: "par-attempt-to-use-expired-request_uri", try: func(m *modern) {
		_, answer := m.push()
		m.s.Advance(m.t, time.Duration(answer.ExpiresIn)*time.Second)
		if got := m.answer(m.b.Get(m.c.AuthorizePushed(answer.RequestURI))); got.Get("error") != "invalid_request_uri" {
			m.t.Errorf("%v", got)
		}
	}},
	{name: "par-attempt-to-use-request_uri-for-different-client", try: func(m *modern) {
		_, answer := m.push()
		isErrorPage(m.t, m.b.Get(m.other().AuthorizePushed(answer.RequestURI)), http.StatusBadRequest, "another client's reference")
	}},
	{name: "par-attempt-to-use-parameters-outside", try: func(m *modern) {
		_, answer := m.push()
		got := m.answer(m.b.Get(m.c.AuthorizePushed(answer.RequestURI, "state", "outside", "nonce", "outside", "scope", "email", "response_type", "token", "redirect_uri", "https://evil.example.com")))
		if got.Get("state") != "state-of-"+m.c.ID || got.Get("code") == "" {
			m.t.Errorf("%v", got)
		}
	}},
	{name: "par-test-invalid-http-method", try: func(m *modern) {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			if a := m.s.Browser(m.t).Do(request(m.t, method, m.s.URL+"/par")); a.Status < 400 {
				m.t.Errorf("%s: %d", method, a.Status)
			}
		}
	}},
	{name: "par-without-client-authentication", try: func(m *modern) {
		nobody := m.s.Client(m.t, m.c.ID)
		nobody.Secret, nobody.Key = "", m.c.Key
		a, answer := nobody.Pushed(m.c.AuthorizeParams())
		m.isRefused(a.Status, answer.Error, "invalid_client")
	}},
	{name: "ensure-authorization-code-expires", try: func(m *modern) {
		code := m.code()
		m.s.Advance(m.t, 62*time.Second)
		got := m.c.Redeem(code)
		m.isRefused(got.Status, got.Error, "invalid_grant")
	}},
	{name: "ensure-authorization-code-is-bound-to-client", try: func(m *modern) {
		code := m.code()
		thief := m.other()
		thief.RedirectURI, thief.Verifier = m.c.RedirectURI, m.c.Verifier
		got := thief.Redeem(code)
		m.isRefused(got.Status, got.Error, "invalid_grant")
		if got := m.c.Redeem(code); got.Status != http.StatusOK {
			m.t.Errorf("afterwards, by its own: %d %s", got.Status, got.Error)
		}
	}},
	{name: "attempt-reuse-authorization-code-after-one-second", try: func(m *modern) {
		code := m.code()
		first := m.c.Redeem(code)
		m.s.Advance(m.t, time.Second)
		got := m.c.Redeem(code)
		m.isRefused(got.Status, got.Error, "invalid_grant")
		if a := m.c.Userinfo(first.AccessToken); a.Status != http.StatusUnauthorized {
			m.t.Errorf("the first token still counts: %d", a.Status)
		}
	}},
	{name: "par-pkce-code-verifier-missing-or-incorrect", try: func(m *modern) {
		for _, verifier := range []string{"", strings.Repeat("x", 43)} {
			got := m.c.Redeem(m.code(), "code_verifier", verifier)
			m.isRefused(got.Status, got.Error, "invalid_grant")
		}
	}},
	{name: "refresh-token by another client", try: func(m *modern) {
		tokens := m.obtain("scope", "openid offline_access")
		got := m.other().Refresh(tokens.RefreshToken)
		m.isRefused(got.Status, got.Error, "invalid_grant")
	}},
	{name: "ensure-client-authentication-is-required", try: func(m *modern) {
		code := m.code()
		nobody := m.s.Client(m.t, m.c.ID)
		nobody.Secret, nobody.Key, nobody.Verifier = "", m.c.Key, m.c.Verifier
		got := nobody.Redeem(code)
		m.isRefused(got.Status, got.Error, "invalid_client")
	}},
	{name: "ensure-holder-of-key-required", try: func(m *modern) {
		code, own := m.code(), m.c
		bare := m.client(m.auth)
		bare.Verifier, bare.Key = own.Verifier, nil
		if m.bound == "certificate_bound_tokens" {
			bare = m.s.Client(m.t, own.ID)
			bare.Secret, bare.Signer, bare.Signs, bare.Verifier = "", own.Signer, own.Signs, own.Verifier
		}
		got := bare.Redeem(code)
		m.isRefused(got.Status, got.Error, "invalid_request", "invalid_client", "invalid_dpop_proof")
		tokens := own.Redeem(code)
		m.isBound(tokens)
		thief := withCertificate(m.t, m.s.Server, own.ID, workertest.Certificate(m.t, &x509.Certificate{}, nil))
		if own.Key != nil {
			thief.Key, _ = workertest.NewKey(m.t)
		}
		if a := thief.Userinfo(tokens.AccessToken); a.Status != http.StatusUnauthorized {
			m.t.Errorf("another key opens userinfo: %d", a.Status)
		}
	}},
	{name: "access-token-type-header-case-sensitivity", try: func(m *modern) {
		token := m.obtain().AccessToken
		for _, scheme := range []string{"bearer", "BEARER", "dpop", "DPOP"} {
			headers := []string{"Authorization", scheme + " " + token}
			if bound := m.c.Key != nil; bound != strings.EqualFold(scheme, "dpop") {
				continue
			} else if bound {
				headers = append(headers, "DPoP", m.c.Proof("GET", m.at()+"/userinfo", token, nil))
			}
			if a := m.c.Ask("/userinfo", headers...); a.Status != http.StatusOK {
				m.t.Errorf("%s: %d", scheme, a.Status)
			}
		}
		if a := m.c.Ask("/userinfo?access_token=" + token); a.Status != http.StatusUnauthorized && a.Status != http.StatusBadRequest {
			m.t.Errorf("in the address: %d", a.Status)
		}
	}},
	{name: "ensure-unsigned-request-fails", of: func(m *modern) bool { return m.signs }, try: func(m *modern) {
		a, answer := m.c.Pushed(m.c.AuthorizeParams("response_mode", "jwt"))
		m.isRefused(a.Status, answer.Error, "invalid_request_object")
	}},
	{name: "ensure-request-object-with-multiple-aud-succeeds", of: func(m *modern) bool { return m.signs }, try: func(m *modern) {
		now := m.s.Clock.Now()
		for _, instead := range []map[string]any{
			{"aud": []string{"https://other.example.com", m.s.URL}}, {"nbf": now.Add(8 * time.Second).Unix()},
			{"exp": now.Add(59 * time.Minute).Unix()}, {"nbf": now.Add(-55 * time.Minute).Unix(), "exp": now.Add(time.Minute).Unix()},
		} {
			if a, _ := m.pushObject(instead); a.Status != http.StatusCreated {
				m.t.Errorf("%v: %d %s", instead, a.Status, a.Body)
			}
		}
		for _, typ := range []string{"JWT", "oauth-authz-req+jwt", ""} {
			if a, _ := m.c.Pushed(url.Values{"request": {m.c.Sign(typ, m.c.Members(nil))}}); a.Status != http.StatusCreated {
				m.t.Errorf("the type %q: %d %s", typ, a.Status, a.Body)
			}
		}
	}},
	{name: "parameters only outside the request object", of: func(m *modern) bool { return m.signs }, try: func(m *modern) {
		a, answer := m.c.Pushed(url.Values{"request": {m.c.Object(map[string]any{"state": nil, "response_mode": "jwt"})}, "state": {"outside"}})
		if a.Status != http.StatusCreated {
			m.t.Fatalf("%d %s", a.Status, a.Body)
		}
		if got := m.answer(m.b.Get(m.c.AuthorizePushed(answer.RequestURI))); got.Has("state") || got.Get("code") == "" {
			m.t.Errorf("%v", got)
		}
	}},
}

// at is where the client sends its requests.
func (m *modern) at() string {
	if m.auth == "shows" || m.bound == "certificate_bound_tokens" {
		return workertest.MutualURL
	}
	return m.s.URL
}

// Each module of the plans fapi2-security-profile-final-test-plan and, with clients that
// sign, fapi2-message-signing-final-test-plan, with each two of what the variants differ in:
// client authentication, sender constraint, and whether messages are signed. The first
// module goes through all eight.
func TestThePlanOfFAPI2(t *testing.T) {
	t.Parallel()
	s := startFAPI2(t)
	b := s.Browser(t)
	s.Client(t, "app").Code(b)
	for _, signs := range []bool{false, true} {
		for _, auth := range []string{"assert", "shows"} {
			for _, bound := range []string{"certificate_bound_tokens", "dpop_bound_tokens"} {
				of := newModern(t, s, b, auth, bound, signs)
				whole := (auth == "assert") == ((bound == "dpop_bound_tokens") != signs)
				for i, module := range modernModules {
					if i > 0 && !whole || module.of != nil && !module.of(of) {
						continue
					}
					t.Run(of.c.ID+"/"+module.name, func(t *testing.T) { module.try(newModern(t, s, b, auth, bound, signs)) })
				}
			}
		}
	}
	t.Run("what is pushed", func(t *testing.T) { wrongPushes(newModern(t, s, b, "assert", "dpop_bound_tokens", false)) })
	t.Run("what is signed", func(t *testing.T) { wrongSignedPushes(newModern(t, s, b, "assert", "dpop_bound_tokens", true)) })
}

// wrongPushes are the modules that push a request which is wrong.
func wrongPushes(m *modern) {
	for name, test := range map[string]struct {
		pairs []string
		error string
	}{
		"fapi2-security-profile-final-ensure-unsigned-response-type-code-idtoken-fails": {[]string{"response_type", "code id_token"}, "unauthorized_client"},
		"fapi2-security-profile-final-ensure-response-type-token-fails":                 {[]string{"response_type", "token"}, "unsupported_response_type"},
		"fapi2-security-profile-final-par-plain-pkce":                                   {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"fapi2-security-profile-final-par-without-pkce":                                 {[]string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		"fapi2-security-profile-final-par-without-scope":                                {[]string{"scope", ""}, "invalid_request"},
		"fapi2-security-profile-final-par-without-redirect_uri":                         {[]string{"redirect_uri", ""}, "invalid_request"},
		"fapi2-security-profile-final-par-authorization-request-containing-request_uri": {[]string{"request_uri", "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"},
		"fapi2-security-profile-final-ensure-dpop-proof-with-mismatched-dpop-jkt-fails": {[]string{"dpop_jkt", strings.Repeat("A", 43)}, "invalid_dpop_proof"},
		"fapi2-security-profile-final-ensure-client-id-in-par-endpoint":                 {[]string{"client_id", "app"}, "invalid_client"},
		"authorization_details of a type that there is not":                             {[]string{"authorization_details", `[{"type":"else"}]`}, "invalid_authorization_details"},
		"a redirect URI that is not registered, which FAPI 2.0 would let pass":          {[]string{"redirect_uri", "https://evil.example.com"}, "invalid_request"},
	} {
		m.t.Run(name, func(t *testing.T) {
			m := *m
			m.t = t
			a, answer := m.c.Pushed(m.c.AuthorizeParams(test.pairs...))
			m.isRefused(a.Status, answer.Error, test.error)
		})
	}
}

// wrongSignedPushes are the modules that push an object which is wrong.
func wrongSignedPushes(m *modern) {
	now := m.s.Clock.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	c := *m.c
	c.Signer = m.s.weak
	another := *m.c
	another.Signer = m.s.signers["shows"]
	good := m.c.Object(nil)
	for name, object := range map[string]string{
		"ensure-request-object-without-exp-fails":          m.c.Object(map[string]any{"exp": nil}),
		"ensure-request-object-without-nbf-fails":          m.c.Object(map[string]any{"nbf": nil}),
		"ensure-expired-request-object-fails":              m.c.Object(map[string]any{"exp": at(-5 * time.Minute), "nbf": at(-9 * time.Minute)}),
		"ensure-request-object-with-exp-over-60-fails":     m.c.Object(map[string]any{"exp": at(70 * time.Minute)}),
		"ensure-request-object-with-nbf-over-60-fails":     m.c.Object(map[string]any{"nbf": at(-70 * time.Minute)}),
		"ensure-request-object-with-nbf-in-future-fails":   m.c.Object(map[string]any{"nbf": at(9 * time.Minute), "exp": at(12 * time.Minute)}),
		"ensure-request-object-with-bad-aud-fails":         m.c.Object(map[string]any{"aud": "https://other.example.com"}),
		"ensure-request-object-without-aud-fails":          m.c.Object(map[string]any{"aud": nil}),
		"ensure-request-object-without-iss-fails":          m.c.Object(map[string]any{"iss": nil}),
		"par-request_uri within the object":                m.c.Object(map[string]any{"request_uri": "urn:ietf:params:oauth:request_uri:x"}),
		"ensure-signed-request-object-with-RS256-fails":    c.Object(nil),
		"ensure-matching-key-in-authorization-request":     another.Object(nil),
		"ensure-request-object-with-invalid-signature":     good[:len(good)-12] + strings.Repeat("A", 12),
		"ensure-request-object-signature-algorithm-none":   "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".",
		"ensure-request-object-without-client_id-fails":    m.c.Object(map[string]any{"client_id": nil}),
		"ensure-request-object-of-another-type-fails":      m.c.Sign("at+jwt", m.c.Members(nil)),
		"ensure-request-object-that-is-an-assertion-fails": m.c.Object(map[string]any{"sub": m.c.ID}),
	} {
		m.t.Run("fapi2-message-signing-final-"+name, func(t *testing.T) {
			if a, answer := m.c.Pushed(url.Values{"request": {object}}); a.Status != http.StatusBadRequest || answer.Error != "invalid_request_object" {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
}

// The modules of fapi2-security-profile-final about the assertions by which a client
// proves itself, at the token endpoint and where it pushes.
func TestThePlanOfFAPI2AboutAssertions(t *testing.T) {
	s := startFAPI2(t)
	b := s.Browser(t)
	s.Client(t, "app").Code(b)
	at := func(d time.Duration) int64 { return s.Clock.Now().Add(d).Unix() }
	for _, test := range []struct {
		name    string
		instead map[string]any
		weak    bool
		good    bool
	}{
		{name: "happy-flow", good: true},
		{name: "ensure-client-assertion-with-iat-and-nbf-8-seconds-in-the-future-succeeds", instead: map[string]any{"iat": at(8 * time.Second), "nbf": at(8 * time.Second)}, good: true},
		{name: "ensure-client-assertion-with-iat-over-60-seconds-in-the-future-fails", instead: map[string]any{"iat": at(62 * time.Second), "nbf": at(62 * time.Second)}},
		{name: "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails", instead: map[string]any{"exp": at(-5 * time.Minute)}},
		{name: "ensure-client-assertion-with-no-sub-fails", instead: map[string]any{"sub": nil}},
		{name: "ensure-client-assertion-with-wrong-aud-fails", instead: map[string]any{"aud": "https://other.example.com"}},
		{name: "ensure-client-assertion-with-token-endpoint-aud-fails", instead: map[string]any{"aud": s.URL + "/token"}},
		{name: "par-endpoint-as-audience-fails", instead: map[string]any{"aud": s.URL + "/par"}},
		{name: "ensure-client-assertion-with-aud-array-fails", instead: map[string]any{"aud": []string{s.URL}}},
		{name: "ensure-signed-client-assertion-with-RS256-fails", weak: true},
	} {
		t.Run("fapi2-security-profile-final-"+test.name, func(t *testing.T) {
			m := newModern(t, s, b, "assert", "dpop_bound_tokens", false)
			code := m.code()
			if test.weak {
				m.c.Signer = s.weak
			}
			m.c.Signs = false
			proof := func() (string, string) { return m.c.Assertion(test.instead), oauth.AssertionTypeJWT }
			assertion, typ := proof()
			params := m.c.AuthorizeParams("client_assertion", assertion, "client_assertion_type", typ)
			if a, answer := m.c.Pushed(params); (a.Status == http.StatusCreated) != test.good || !test.good && answer.Error != "invalid_client" {
				t.Errorf("pushed: %d %s", a.Status, a.Body)
			}
			assertion, typ = proof()
			got := m.c.Redeem(code, "client_assertion", assertion, "client_assertion_type", typ)
			if (got.Status == http.StatusOK) != test.good || !test.good && got.Error != "invalid_client" {
				t.Errorf("at the token endpoint: %d %s", got.Status, got.Error)
			}
		})
	}
	t.Run("fapi2-security-profile-final-ensure-client-id-in-token-endpoint", func(t *testing.T) {
		m := newModern(t, s, b, "assert", "dpop_bound_tokens", false)
		got := m.c.Redeem(m.code(), "client_id", "app")
		m.isRefused(got.Status, got.Error, "invalid_client", "invalid_request")
	})
}

// fapi2-security-profile-final-discovery-end-point-verification, at both addresses.
func TestDiscoveryHasWhatFAPI2Wants(t *testing.T) {
	s := startFAPI2(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		var doc map[string]any
		must(t, json.Unmarshal([]byte(get(t, s.Server, path).Body), &doc))
		for name, want := range map[string][]string{
			"code_challenge_methods_supported":                                {"S256"},
			"token_endpoint_auth_methods_supported":                           {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"},
			"token_endpoint_auth_signing_alg_values_supported":                {"PS256", "ES256", "EdDSA"},
			"dpop_signing_alg_values_supported":                               {"PS256", "ES256", "EdDSA"},
			"request_object_signing_alg_values_supported":                     {"PS256", "ES256", "EdDSA"},
			"authorization_signing_alg_values_supported":                      {"PS256", "ES256"},
			"id_token_signing_alg_values_supported":                           {"PS256", "ES256"},
			"response_modes_supported":                                        {"jwt", "query.jwt"},
			"response_types_supported":                                        {"code", "code id_token"},
			"grant_types_supported":                                           {"authorization_code", "refresh_token", "client_credentials", "urn:openid:params:grant-type:ciba"},
			"authorization_details_types_supported":                           {"payment"},
			"backchannel_token_delivery_modes_supported":                      {"poll", "ping"},
			"backchannel_authentication_request_signing_alg_values_supported": {"PS256", "ES256"},
		} {
			listed := list(t, doc, name)
			for _, value := range want {
				if !slices.Contains(listed, value) {
					t.Errorf("%s: %s lists %q without %s", path, name, listed, value)
				}
			}
		}
		for name, want := range map[string]any{
			"pushed_authorization_request_endpoint": s.URL + "/par", "authorization_response_iss_parameter_supported": true,
			"tls_client_certificate_bound_access_tokens": true, "claims_parameter_supported": true, "request_parameter_supported": true,
			"require_pushed_authorization_requests": nil, "backchannel_user_code_parameter_supported": false,
			"backchannel_authentication_endpoint": s.URL + "/backchannel_authentication",
		} {
			if doc[name] != want {
				t.Errorf("%s: %s is %v", path, name, doc[name])
			}
		}
		aliases, _ := doc["mtls_endpoint_aliases"].(map[string]any)
		for name := range aliases {
			if !strings.HasSuffix(name, "_endpoint") || doc[name] == nil || name == "authorization_endpoint" {
				t.Errorf("%s: there is an alias %s", path, name)
			}
		}
		for _, name := range []string{"token_endpoint", "userinfo_endpoint", "pushed_authorization_request_endpoint", "backchannel_authentication_endpoint"} {
			if aliases[name] == nil {
				t.Errorf("%s: there is no alias of %s", path, name)
			}
		}
	}
}
