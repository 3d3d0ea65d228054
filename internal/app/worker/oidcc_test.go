package worker_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/connector"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// certified is what the certification plans of OpenID Connect work with: a client of
// the profile openid that may have every answer, and one that may have no say in how it
// proves itself.
const certified = `
connectors:
- {id: elsewhere, kind: oidc, name: Elsewhere}
clients:
- {id: suite, name: Suite, profile: openid, secret: suite-secret, redirect_uris: ["https://suite.example.com/cb", "https://suite.example.com/cb?foo=bar"], grant_types: [authorization_code, implicit, refresh_token], response_types: [code, id_token, "id_token token", "code id_token", "code token", "code id_token token"], logo_url: "https://suite.example.com/logo.png", policy_url: "https://suite.example.com/policy", terms_url: "https://suite.example.com/terms"}
- {id: post, name: Other suite, profile: openid, secret: post-secret, auth_method: client_secret_post, redirect_uris: ["https://post.example.com/cb"], grant_types: [authorization_code, implicit, refresh_token], response_types: [code, id_token, "id_token token", "code id_token", "code token", "code id_token token"]}
- {id: aged, name: Aged suite, profile: openid, secret: aged-secret, redirect_uris: ["https://aged.example.com/cb"], default_max_age: 1m, default_acr_values: [aal1]}
`

// suitePlan is a variant of the plans: a response type, and how the answer comes.
type suitePlan struct {
	t    *testing.T
	s    *workertest.Server
	c    *workertest.Client
	of   oauth.ResponseType
	mode oauth.ResponseMode
	asks int // how often somebody was asked who they are
}

// startCertified starts a provider that speaks TLS, whose people come by another one:
// no password has to be hashed for each of many logins.
func startCertified(t *testing.T) *workertest.Server {
	up := &workertest.Upstream{}
	up.Arrive = func(_ context.Context, name string) (connector.Step, error) {
		step := up.Vouch(name)
		p := &step.Identity.Profile
		p.GivenName, p.FamilyName, p.MiddleName, p.Nickname, p.PreferredUsername = "Zoë", "Example", "Q.", "Z", name
		p.ProfileURL, p.Picture, p.Website = "https://example.com/zoe", "https://example.com/zoe.png", "https://zoe.example.com"
		p.Gender, p.Birthdate, p.ZoneInfo, p.Locale, p.EmailVerified = "female", "2000-01-31", "Europe/Vienna", "de-AT", true
		return step, nil
	}
	return workertest.Start(t, workertest.Options{Bare: true, Config: certified, Kinds: up.Kinds(), Issuer: "https://example.com"})
}

// authorize sends a request as the suite does: of openid alone, and without PKCE.
func (p *suitePlan) authorize(b *workertest.Browser, pairs ...string) *workertest.Answer {
	p.t.Helper()
	return b.Follow(b.Get(p.c.Authorize(p.asked(pairs)...)))
}

func (p *suitePlan) asked(pairs []string) []string {
	return append([]string{
		"scope", "openid", "response_type", string(p.of), "response_mode", string(p.mode),
		"code_challenge", "", "code_challenge_method", "",
	}, pairs...)
}

// goOn is what the person does until the client has its answer.
func (p *suitePlan) goOn(b *workertest.Browser, a *workertest.Answer) *workertest.Answer {
	p.t.Helper()
	if to := a.Location(); to != nil && to.Host == "elsewhere.example.com" {
		p.asks++
		a = b.Arrive(p.t, a, "zoe")
	}
	if a.Has("allow") {
		a = b.Follow(b.Submit(a.Form(p.t, "allow"), "answer", "allow", "remember", "1"))
	}
	return a
}

// login goes the whole way, and returns the answer that the client gets.
func (p *suitePlan) login(b *workertest.Browser, pairs ...string) url.Values {
	p.t.Helper()
	return p.answer(p.goOn(b, p.authorize(b, pairs...)))
}

// answer reads an answer and holds it to what holds for each: where it stands, its
// state, who gives it, and that nothing is in it that it should not have.
func (p *suitePlan) answer(a *workertest.Answer) url.Values {
	p.t.Helper()
	values, way := answerOf(p.t, a)
	if want := (oauth.Authorization{ResponseType: p.of, ResponseMode: p.mode}).Mode(); way != want {
		p.t.Errorf("the answer comes by %s, want %s", way, want)
	}
	if values.Get("state") != "state-of-"+p.c.ID || values.Get("iss") != p.s.URL {
		p.t.Errorf("the answer has the state %q and the issuer %q", values.Get("state"), values.Get("iss"))
	}
	allowed := []string{"code", "id_token", "access_token", "token_type", "expires_in", "scope", "state", "iss", "session_state", "foo"}
	if values.Has("error") {
		allowed = []string{"error", "error_description", "error_uri", "state", "iss", "session_state", "foo"}
		for _, r := range values.Get("error_description") {
			if r < 0x20 || r == '"' || r == '\\' || r > 0x7e {
				p.t.Errorf("the description has a character %q", r)
			}
		}
	} else if values.Has("code") != p.of.Code() || values.Has("id_token") != p.of.IDToken() || values.Has("access_token") != p.of.Token() {
		p.t.Errorf("the answer to %q is %v", p.of, values)
	}
	for name := range values {
		if !slices.Contains(allowed, name) {
			p.t.Errorf("the answer has a member %q", name)
		}
	}
	return values
}

// got is all that a client has in the end.
type got struct {
	front, back map[string]any // ID tokens, by the browser and of the token endpoint
	idToken     string
	access      string
	userinfo    map[string]any // nil if there is no access token
	tokens      workertest.Tokens
}

// id is the ID token that there is.
func (g got) id() map[string]any {
	if g.front != nil {
		return g.front
	}
	return g.back
}

// claim returns a claim from where it has to be.
func (g got) claim(name string) any {
	if g.access == "" {
		return g.id()[name]
	}
	return g.userinfo[name]
}

// obtain logs in, redeems a code, asks userinfo, and holds it all to what the suite's
// conditions on ID tokens say.
func (p *suitePlan) obtain(b *workertest.Browser, pairs ...string) got {
	p.t.Helper()
	return p.take(p.login(b, pairs...), pairs...)
}

func (p *suitePlan) take(answer url.Values, pairs ...string) got {
	p.t.Helper()
	g := got{access: answer.Get("access_token"), idToken: answer.Get("id_token")}
	if answer.Has("error") {
		p.t.Fatalf("no answer but %s: %s", answer.Get("error"), answer.Get("error_description"))
	}
	nonce := p.c.AuthorizeParams(pairs...).Get("nonce")
	if g.idToken != "" {
		g.front = p.idToken(g.idToken, nonce)
		for hash, value := range map[string]string{"at_hash": answer.Get("access_token"), "c_hash": answer.Get("code")} {
			if have, _ := g.front[hash].(string); value != "" && have != jose.HalfHash(jose.RS256, value) || value == "" && have != "" {
				p.t.Errorf("%s is %q", hash, have)
			}
		}
	}
	if p.of.Code() {
		g.tokens = p.c.Redeem(answer.Get("code"), "code_verifier", "")
		if g.tokens.Status != http.StatusOK || !strings.EqualFold(g.tokens.TokenType, "bearer") || g.tokens.ExpiresIn <= 0 {
			p.t.Fatalf("the token endpoint: %d %s %q", g.tokens.Status, g.tokens.Error, g.tokens.TokenType)
		}
		h := g.tokens.Header
		if h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" || !strings.HasPrefix(h.Get("Content-Type"), "application/json") {
			p.t.Errorf("the token endpoint answers with %v", h)
		}
		g.access, g.idToken = g.tokens.AccessToken, g.tokens.IDToken
		g.back = p.idToken(g.idToken, nonce)
		for _, name := range []string{"iss", "sub", "nonce", "auth_time", "acr"} {
			if g.front != nil && g.front[name] != g.back[name] {
				p.t.Errorf("%s is %v by the browser, and %v from the token endpoint", name, g.front[name], g.back[name])
			}
		}
	}
	if g.access != "" {
		g.userinfo = p.userinfo(p.c.Userinfo(g.access))
		if id := g.id(); id != nil && g.userinfo["sub"] != id["sub"] {
			p.t.Errorf("userinfo is about %v, and the ID token about %v", g.userinfo["sub"], id["sub"])
		}
	}
	return g
}

func (p *suitePlan) userinfo(a *workertest.Answer) map[string]any {
	p.t.Helper()
	var claims map[string]any
	if err := json.Unmarshal([]byte(a.Body), &claims); err != nil || a.Status != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		p.t.Fatalf("userinfo: %d %s", a.Status, a.Body)
	}
	return claims
}

// idToken reads an ID token as the suite does.
func (p *suitePlan) idToken(token, nonce string) map[string]any {
	p.t.Helper()
	claims := workertest.Claims(p.t, token)
	now := p.s.Clock.Now().Unix()
	num := func(name string) int64 {
		f, ok := claims[name].(float64)
		if !ok || f != float64(int64(f)) {
			p.t.Errorf("%s is %v", name, claims[name])
		}
		return int64(f)
	}
	sub, _ := claims["sub"].(string)
	acr, _ := claims["acr"].(string)
	switch {
	case claims["iss"] != p.s.URL, claims["aud"] != p.c.ID, sub == "", len(sub) > 255, acr == "":
		p.t.Errorf("the ID token says %v", claims)
	case num("exp") <= now, num("iat") > now+300, num("iat") < now-300, num("auth_time") > now:
		p.t.Errorf("at %d the ID token says %v", now, claims)
	}
	if have, _ := claims["nonce"].(string); have != nonce {
		p.t.Errorf("the nonce is %q, want %q", have, nonce)
	}
	for name := range claims {
		known := []string{"iss", "sub", "aud", "exp", "iat", "nonce", "auth_time", "acr", "amr", "azp", "at_hash", "c_hash", "s_hash", "sid", "jti", "nbf"}
		// Where there is an access token, the person's claims are userinfo's alone:
		// OpenID Connect Core section 5.4.
		if !slices.Contains(known, name) && p.of != oauth.ResponseTypeIDToken {
			p.t.Errorf("the ID token has a claim %q", name)
		}
	}
	return claims
}

// refused holds an answer to being an error of one of the codes.
func (p *suitePlan) refused(a *workertest.Answer, codes ...string) {
	p.t.Helper()
	if got := p.answer(a).Get("error"); !slices.Contains(codes, got) {
		p.t.Errorf("the error is %q, want one of %q", got, codes)
	}
}

// standard are the claims of the scope profile, OpenID Connect Core section 5.4.
var standard = []string{
	"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website",
	"gender", "birthdate", "zoneinfo", "locale",
}

// module is one of the suite's, in our words. What it says of itself is for which plans
// it is.
type module struct {
	name string
	of   func(t oauth.ResponseType) bool // nil: all
	try  func(p *suitePlan)
}

func withCode(t oauth.ResponseType) bool       { return t.Code() }
func withAccess(t oauth.ResponseType) bool     { return t.Code() || t.Token() }
func withIDToken(t oauth.ResponseType) bool    { return t.IDToken() }
func withoutIDToken(t oauth.ResponseType) bool { return !t.IDToken() }

// accepted is a module that sends something which must do no harm.
func accepted(name string, pairs ...string) module {
	return module{name: name, try: func(p *suitePlan) { p.obtain(p.s.Browser(p.t), pairs...) }}
}

// modules are those of the plans basic, implicit and hybrid with clients that are known
// beforehand. Those about request objects, signed userinfo and registration stand
// beside what they are about.
var modules = []module{
	{name: "oidcc-server", try: func(p *suitePlan) { p.obtain(p.s.Browser(p.t)) }},
	{name: "oidcc-response-type-missing", try: func(p *suitePlan) {
		p.mode = "" // and it is told in the query
		of := p.of
		p.of = ""
		a := p.authorize(p.s.Browser(p.t))
		p.refused(a, "invalid_request", "unsupported_response_type")
		p.of = of
	}},
	{name: "oidcc-userinfo-get", of: withAccess, try: func(p *suitePlan) { p.obtain(p.s.Browser(p.t)) }},
	{name: "oidcc-userinfo-post-header", of: withAccess, try: func(p *suitePlan) {
		g := p.obtain(p.s.Browser(p.t))
		b := p.s.Browser(p.t)
		b.Header.Set("Authorization", "Bearer "+g.access)
		if got := p.userinfo(b.Post("/userinfo", nil)); got["sub"] != g.userinfo["sub"] {
			p.t.Errorf("got %v", got)
		}
	}},
	{name: "oidcc-userinfo-post-body", of: withAccess, try: func(p *suitePlan) {
		g := p.obtain(p.s.Browser(p.t))
		if got := p.userinfo(p.s.Browser(p.t).Post("/userinfo", url.Values{"access_token": {g.access}})); got["sub"] != g.userinfo["sub"] {
			p.t.Errorf("got %v", got)
		}
	}},
	{name: "oidcc-ensure-request-without-nonce-succeeds-for-code-flow", of: withoutIDToken, try: func(p *suitePlan) {
		p.obtain(p.s.Browser(p.t), "nonce", "")
	}},
	{name: "oidcc-ensure-request-without-nonce-fails", of: withIDToken, try: func(p *suitePlan) {
		p.refused(p.authorize(p.s.Browser(p.t), "nonce", ""), "invalid_request")
	}},
	{name: "oidcc-scope-profile", try: func(p *suitePlan) {
		g := p.obtain(p.s.Browser(p.t), "scope", "openid profile")
		for _, name := range standard {
			if g.claim(name) == nil {
				p.t.Errorf("there is no %s", name)
			}
		}
		if g.claim("email") != nil {
			p.t.Error("there is a mail address")
		}
	}},
	{name: "oidcc-scope-email", try: func(p *suitePlan) {
		g := p.obtain(p.s.Browser(p.t), "scope", "openid email")
		if g.claim("email") != "zoe@elsewhere.example.com" || g.claim("email_verified") != true || g.claim("name") != nil {
			p.t.Errorf("%v of %v", g.claim("email_verified"), g.claim("email"))
		}
	}},
	{name: "oidcc-scope-all", try: func(p *suitePlan) {
		g := p.obtain(p.s.Browser(p.t), "scope", "openid profile email address phone")
		for _, name := range append([]string{"email", "email_verified"}, standard...) {
			if g.claim(name) == nil {
				p.t.Errorf("there is no %s", name)
			}
		}
	}},
	{name: "oidcc-ensure-other-scope-order-succeeds", try: func(p *suitePlan) {
		if g := p.obtain(p.s.Browser(p.t), "scope", "email openid"); g.claim("email") == nil {
			p.t.Error("there is no mail address")
		}
	}},
	accepted("oidcc-display-page", "display", "page"),
	accepted("oidcc-display-popup", "display", "popup"),
	accepted("oidcc-ui-locales", "ui_locales", "se"),
	accepted("oidcc-claims-locales", "claims_locales", "se"),
	accepted("oidcc-login-hint", "login_hint", "zoe"),
	accepted("oidcc-ensure-request-with-unknown-parameter-succeeds", "extra", "foobar"),
	{name: "oidcc-prompt-login", try: func(p *suitePlan) {
		b := p.s.Browser(p.t)
		first := p.obtain(b)
		p.s.Clock.Advance(2 * time.Second)
		second := p.obtain(b, "prompt", "login")
		if p.asks != 2 || second.id()["auth_time"].(float64) <= first.id()["auth_time"].(float64) || first.id()["sub"] != second.id()["sub"] {
			p.t.Errorf("asked %d times: %v, %v", p.asks, first.id(), second.id())
		}
	}},
	{name: "oidcc-prompt-none-not-logged-in", try: func(p *suitePlan) {
		p.refused(p.authorize(p.s.Browser(p.t), "prompt", "none"), "login_required", "interaction_required")
	}},
	{name: "oidcc-prompt-none-logged-in", try: func(p *suitePlan) {
		b := p.s.Browser(p.t)
		first := p.obtain(b)
		second := p.take(p.answer(p.authorize(b, "prompt", "none")))
		if first.id()["sub"] != second.id()["sub"] || first.id()["auth_time"] != second.id()["auth_time"] {
			p.t.Errorf("%v, %v", first.id(), second.id())
		}
	}},
	{name: "oidcc-max-age-1", try: func(p *suitePlan) {
		b := p.s.Browser(p.t)
		first := p.obtain(b)
		p.s.Clock.Advance(2 * time.Second)
		second := p.obtain(b, "max_age", "1")
		if p.asks != 2 || second.id()["auth_time"].(float64) <= first.id()["auth_time"].(float64) {
			p.t.Errorf("asked %d times: %v, %v", p.asks, first.id(), second.id())
		}
	}},
	{name: "oidcc-max-age-10000", try: func(p *suitePlan) {
		b := p.s.Browser(p.t)
		first := p.obtain(b, "max_age", "15000")
		p.s.Clock.Advance(time.Second)
		second := p.obtain(b, "max_age", "10000")
		if p.asks != 1 || second.id()["auth_time"] != first.id()["auth_time"] {
			p.t.Errorf("asked %d times: %v, %v", p.asks, first.id(), second.id())
		}
	}},
	{name: "oidcc-id-token-hint", try: func(p *suitePlan) {
		b := p.s.Browser(p.t)
		first := p.obtain(b)
		second := p.take(p.answer(p.authorize(b, "prompt", "none", "id_token_hint", first.idToken)))
		if first.id()["sub"] != second.id()["sub"] {
			p.t.Errorf("%v, %v", first.id(), second.id())
		}
	}},
	{name: "oidcc-ensure-request-with-acr-values-succeeds", try: func(p *suitePlan) {
		for _, asked := range []string{"aal1", "aal2 aal1", "1 2"} {
			g := p.obtain(p.s.Browser(p.t), "acr_values", asked)
			if acr := g.id()["acr"]; acr != "aal1" {
				p.t.Errorf("of %q it is %v", asked, acr)
			}
		}
	}},
	{name: "oidcc-codereuse", of: withCode, try: func(p *suitePlan) {
		answer := p.login(p.s.Browser(p.t))
		p.take(answer)
		if again := p.c.Redeem(answer.Get("code"), "code_verifier", ""); again.Status != http.StatusBadRequest || again.Error != "invalid_grant" {
			p.t.Errorf("again: %d %s", again.Status, again.Error)
		}
	}},
	{name: "oidcc-codereuse-30seconds", of: withCode, try: func(p *suitePlan) {
		answer := p.login(p.s.Browser(p.t))
		g := p.take(answer)
		p.s.Clock.Advance(30 * time.Second)
		if again := p.c.Redeem(answer.Get("code"), "code_verifier", ""); again.Status != http.StatusBadRequest || again.Error != "invalid_grant" {
			p.t.Errorf("again: %d %s", again.Status, again.Error)
		}
		for _, token := range []string{g.access, answer.Get("access_token")} {
			if token != "" && p.c.Userinfo(token).Status != http.StatusUnauthorized {
				p.t.Error("a token outlives the replay of its code")
			}
		}
	}},
	{name: "oidcc-ensure-registered-redirect-uri", try: func(p *suitePlan) {
		p.errorPage("redirect_uri is not registered", "redirect_uri", p.c.RedirectURI+"/unregistered")
	}},
	{name: "oidcc-redirect-uri-query-mismatch", try: func(p *suitePlan) {
		p.errorPage("redirect_uri is not registered", "redirect_uri", p.c.RedirectURI+"?foo=baz")
	}},
	{name: "oidcc-redirect-uri-query-added", try: func(p *suitePlan) {
		p.errorPage("redirect_uri is not registered", "redirect_uri", p.c.RedirectURI+"?bar=foo")
	}},
	{name: "oidcc-ensure-redirect-uri-in-authorization-request", try: func(p *suitePlan) {
		p.errorPage("redirect_uri is missing", "redirect_uri", "")
	}},
	{name: "oidcc-redirect-uri-query-OK", try: func(p *suitePlan) {
		uri := p.c.RedirectURI + "?foo=bar"
		a := p.goOn(p.s.Browser(p.t), p.authorize(p.s.Browser(p.t), "redirect_uri", uri, "prompt", "none"))
		to := ""
		if a.Location() != nil {
			to = a.Location().String()
		} else {
			to, _ = formPost(p.t, a)
		}
		if !strings.HasPrefix(to, uri) {
			p.t.Errorf("the answer goes to %s", to)
		}
		p.refused(a, "login_required")
	}},
	{name: "oidcc-ensure-post-request-succeeds", try: func(p *suitePlan) {
		b := p.s.Browser(p.t)
		p.take(p.answer(p.goOn(b, b.Follow(b.CrossPost("/authorize", p.c.AuthorizeParams(p.asked(nil)...))))))
	}},
	{name: "oidcc-server-client-secret-post", of: withCode, try: func(p *suitePlan) {
		p.c = p.s.Client(p.t, "post")
		p.obtain(p.s.Browser(p.t))
	}},
	{name: "oidcc-claims-essential", try: func(p *suitePlan) {
		// That userinfo tells the claim is shown where claims are made.
		p.login(p.s.Browser(p.t), "claims", `{"userinfo":{"name":{"essential":true}}}`)
	}},
	{name: "oidcc-refresh-token", of: withCode, try: func(p *suitePlan) {
		b := p.s.Browser(p.t)
		first := p.obtain(b, "scope", "openid offline_access", "prompt", "consent")
		p.s.Clock.Advance(time.Second)
		again := p.c.Refresh(first.tokens.RefreshToken)
		if again.Status != http.StatusOK || again.AccessToken == "" || again.Header.Get("Cache-Control") != "no-store" {
			p.t.Fatalf("refresh: %d %s", again.Status, again.Error)
		}
		claims := workertest.Claims(p.t, again.IDToken)
		for _, name := range []string{"iss", "sub", "aud", "auth_time"} {
			if claims[name] != first.back[name] {
				p.t.Errorf("%s was %v and is %v", name, first.back[name], claims[name])
			}
		}
		if stolen := p.s.Client(p.t, "post").Refresh(again.RefreshToken); stolen.Status != http.StatusBadRequest || stolen.Error != "invalid_grant" {
			p.t.Errorf("by another client: %d %s", stolen.Status, stolen.Error)
		}
	}},
	{name: "oidcc-ensure-request-with-valid-pkce-succeeds", of: withCode, try: func(p *suitePlan) {
		answer := p.login(p.s.Browser(p.t), "code_challenge", string(oauth.ChallengeOf(p.c.Verifier)), "code_challenge_method", "S256")
		if tokens := p.c.Redeem(answer.Get("code")); tokens.Status != http.StatusOK {
			p.t.Errorf("%d %s", tokens.Status, tokens.Error)
		}
	}},
	{name: "oidcc-idtoken-rs256", try: func(p *suitePlan) {
		g := p.obtain(p.s.Browser(p.t))
		head := jwtHeader(p.t, g.idToken)
		if head["alg"] != "RS256" || head["kid"] == "" || head["kid"] == nil {
			p.t.Errorf("the header is %v", head)
		}
	}},
	{name: "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", try: func(p *suitePlan) {
		p.obtain(p.s.Browser(p.t), "state", "outside", "request", p.unsigned())
	}},
	{name: "oidcc-ensure-request-object-with-redirect-uri", try: func(p *suitePlan) {
		p.obtain(p.s.Browser(p.t), "redirect_uri", p.c.RedirectURI+"/unregistered", "request", p.unsigned())
	}},
	{name: "the person says no", try: func(p *suitePlan) {
		b := p.s.Browser(p.t)
		a := p.authorize(b)
		a = b.Arrive(p.t, a, "somebody else entirely")
		p.refused(b.Follow(b.Submit(a.Form(p.t, "deny"), "answer", "deny")), "access_denied")
	}},
}

// unsigned is a request object that nobody has signed.
func (p *suitePlan) unsigned() string {
	p.t.Helper()
	claims, err := json.Marshal(map[string]string{
		"client_id": p.c.ID, "response_type": string(p.of), "redirect_uri": p.c.RedirectURI, "scope": "openid",
		"state": "state-of-" + p.c.ID, "nonce": "nonce-of-" + p.c.ID,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString(claims) + "."
}

// errorPage holds an answer to being a page at the address that was asked for, with a
// sentence that a program can look for.
func (p *suitePlan) errorPage(sentence string, pairs ...string) {
	p.t.Helper()
	a := p.s.Browser(p.t).Get(p.c.Authorize(p.asked(pairs)...))
	if a.Status != http.StatusBadRequest || a.Location() != nil || a.URL.Path != "/authorize" || !strings.Contains(a.Body, sentence) {
		p.t.Errorf("%d, to %v, at %s: %s", a.Status, a.Location(), a.URL, a.Body)
	}
}

func jwtHeader(t *testing.T, token string) map[string]any {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	return workertest.Claims(t, "."+head+".")
}

// try takes the modules through variants of the plans, each by its usual way and by
// form_post. They follow one another: some move the clock.
func try(t *testing.T, types ...oauth.ResponseType) {
	t.Parallel()
	s := startCertified(t)
	for _, of := range types {
		for _, mode := range []oauth.ResponseMode{"", oauth.ModeFormPost} {
			for _, m := range modules {
				if m.of != nil && !m.of(of) {
					continue
				}
				t.Run(strings.TrimSpace(string(of)+" "+string(mode))+"/"+m.name, func(t *testing.T) {
					m.try(&suitePlan{t: t, s: s, c: s.Client(t, "suite"), of: of, mode: mode})
				})
			}
		}
	}
}

// The plans oidcc-basic-certification-test-plan and
// oidcc-formpost-basic-certification-test-plan.
func TestThePlanBasic(t *testing.T) { try(t, oauth.ResponseTypeCode) }

// The plans oidcc-implicit-certification-test-plan and
// oidcc-formpost-implicit-certification-test-plan.
func TestThePlanImplicit(t *testing.T) {
	try(t, oauth.ResponseTypeIDToken, oauth.ResponseTypeIDTokenToken)
}

// The plans oidcc-hybrid-certification-test-plan and
// oidcc-formpost-hybrid-certification-test-plan.
func TestThePlanHybrid(t *testing.T) {
	try(t, oauth.ResponseTypeCodeIDToken, oauth.ResponseTypeCodeToken, oauth.ResponseTypeCodeIDTokenToken)
}

// The modules oidcc-registration-logo-uri, -policy-uri and -tos-uri, with a client that
// is known beforehand: the login page shows all three, and may load the logo.
func TestTheLoginPageShowsWhoseItIs(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: `
- {id: shown, name: Shown, secret: shown-secret, redirect_uris: ["https://shown.example.com/cb"], logo_url: "https://shown.example.com/logo.png", policy_url: "https://shown.example.com/policy", terms_url: "https://shown.example.com/terms"}
`})
	for _, test := range []struct {
		id    string
		shown bool
	}{{"shown", true}, {"asks", false}} {
		b := s.Browser(t)
		login := b.Follow(b.Get(s.Client(t, test.id).Authorize()))
		consent := b.SignIn(login, "ann", workertest.Password)
		for where, page := range map[string]*workertest.Answer{"login": login, "consent": consent} {
			for _, want := range []string{`src="https://shown.example.com/logo.png"`, `href="https://shown.example.com/policy"`, `href="https://shown.example.com/terms"`} {
				if strings.Contains(page.Body, want) != test.shown {
					t.Errorf("%s of %s: %s: %v", where, test.id, want, !test.shown)
				}
			}
			if policy := page.Header.Get("Content-Security-Policy"); strings.Contains(policy, "img-src 'self' data: https:;") != test.shown {
				t.Errorf("%s of %s: the policy is %s", where, test.id, policy)
			}
		}
	}
}

// OpenID Connect Dynamic Client Registration, section 2: default_max_age and
// default_acr_values stand in for what a request does not say.
func TestAClientsDefaultsStandInForWhatARequestDoesNotSay(t *testing.T) {
	s := startCertified(t)
	p := &suitePlan{t: t, s: s, c: s.Client(t, "aged"), of: oauth.ResponseTypeCode}
	b := s.Browser(t)
	p.obtain(b)
	s.Clock.Advance(61 * time.Second)
	p.obtain(b, "max_age", "100")
	if p.asks != 1 {
		t.Errorf("with a max_age of its own somebody was asked %d times", p.asks)
	}
	p.obtain(b)
	if p.asks != 2 {
		t.Errorf("by default_max_age somebody was asked %d times", p.asks)
	}
}

// OpenID Connect Core sections 5.5.1 and 5.5.1.1: what the claims parameter demands of
// the login itself.
func TestTheClaimsParameterDemandsALogin(t *testing.T) {
	s := startCertified(t)
	p := &suitePlan{t: t, s: s, c: s.Client(t, "suite"), of: oauth.ResponseTypeCodeIDToken}
	sub, _ := p.obtain(s.Browser(t)).id()["sub"].(string)
	acr := func(value string) string { return `{"id_token":{"acr":{"essential":true,"value":"` + value + `"}}}` }
	for _, test := range []struct {
		name, claims, want string
		asks               int
	}{
		{"a class that the login has", acr("aal1"), "", 1},
		{"a class that the login does not have", acr("aal2"), "unmet_authentication_requirements", 1},
		{"a class that there is not", acr("urn:mace:incommon:iap:gold"), "unmet_authentication_requirements", 0},
		{"a wish for it", `{"id_token":{"acr":{"values":["urn:mace:incommon:iap:gold"]}}}`, "", 1},
		{"the person", `{"id_token":{"sub":{"value":"` + sub + `"}}}`, "", 1},
		{"another person", `{"id_token":{"sub":{"value":"usr_somebody"}}}`, "login_required", 1},
		{"no JSON", `{`, "invalid_request", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.t, p.asks = t, 0
			answer := p.login(s.Browser(t), "claims", test.claims)
			if answer.Get("error") != test.want || p.asks != test.asks {
				t.Errorf("the error is %q (%s), and somebody was asked %d times", answer.Get("error"), answer.Get("error_description"), p.asks)
			}
		})
	}
}
