package worker_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// hybridClients may be answered with everything, and need no PKCE.
const hybridClients = `
- {id: all, name: All answers, profile: openid, secret: all-secret, redirect_uris: ["https://all.example.com/cb"], trusted: true, grant_types: [authorization_code, implicit, refresh_token], response_types: [code, id_token, "id_token token", "code id_token", "code token", "code id_token token"]}
`

// answerOf reads an authorization response from wherever it stands, and says where.
func answerOf(t *testing.T, a *workertest.Answer) (url.Values, oauth.ResponseMode) {
	t.Helper()
	switch to := a.Location(); {
	case to == nil:
		_, fields := formPost(t, a)
		return fields, oauth.ModeFormPost
	case to.Fragment != "":
		values, err := url.ParseQuery(to.EscapedFragment())
		if err != nil {
			t.Fatal(err)
		}
		return values, oauth.ModeFragment
	default:
		return to.Query(), oauth.ModeQuery
	}
}

// OpenID Connect Core sections 3.2.2.5 and 3.3.2.5: each response type is answered with
// what it names and nothing else, and the tokens go by the same grant as the code.
func TestEachResponseTypeIsAnsweredWithWhatItNames(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: hybridClients})
	c := s.Client(t, "all")
	for _, of := range oauth.ResponseTypes() {
		for _, mode := range []oauth.ResponseMode{"", oauth.ModeFormPost} {
			a := c.Login(s.Browser(t), "response_type", string(of), "response_mode", string(mode), "code_challenge", "", "code_challenge_method", "")
			answer, way := answerOf(t, a)
			want := oauth.Authorization{ResponseType: of, ResponseMode: mode}.Mode()
			if way != want || answer.Get("error") != "" {
				t.Errorf("%s by %q: by %s, error %q %s", of, mode, way, answer.Get("error"), answer.Get("error_description"))
				continue
			}
			if answer.Has("code") != of.Code() || answer.Has("id_token") != of.IDToken() || answer.Has("access_token") != of.Token() {
				t.Errorf("%s: %v", of, answer)
			}
			for name := range answer {
				switch name {
				case "code", "id_token", "state", "iss":
				case "access_token", "token_type", "expires_in", "scope":
					if !of.Token() {
						t.Errorf("%s: there is a %s", of, name)
					}
				default:
					t.Errorf("%s: the answer has a member %s", of, name)
				}
			}
			if answer.Get("state") != "state-of-all" || answer.Get("iss") != s.URL {
				t.Errorf("%s: state %q, iss %q", of, answer.Get("state"), answer.Get("iss"))
			}
			front := map[string]any{}
			if of.IDToken() {
				front = workertest.Claims(t, answer.Get("id_token"))
				for name, value := range map[string]string{"at_hash": answer.Get("access_token"), "c_hash": answer.Get("code")} {
					if hash, _ := front[name].(string); value != "" && hash != jose.HalfHash(jose.RS256, value) {
						t.Errorf("%s: %s is %q", of, name, hash)
					}
				}
				if front["nonce"] != "nonce-of-all" {
					t.Errorf("%s: the nonce is %v", of, front["nonce"])
				}
				if has := front["email"] != nil; has != (of == oauth.ResponseTypeIDToken) {
					t.Errorf("%s: the ID token tells the mail address: %v", of, has)
				}
			}
			if of.Token() {
				if got := c.Userinfo(answer.Get("access_token")); got.Status != http.StatusOK || !strings.Contains(got.Body, "ann@example.com") {
					t.Errorf("%s: userinfo: %d %s", of, got.Status, got.Body)
				}
			}
			if !of.Code() {
				continue
			}
			tokens := c.Redeem(answer.Get("code"), "code_verifier", "")
			if tokens.Status != http.StatusOK {
				t.Errorf("%s: the code is worth %d %s", of, tokens.Status, tokens.Error)
				continue
			}
			back := workertest.Claims(t, tokens.IDToken)
			for _, name := range []string{"iss", "sub", "nonce", "auth_time", "acr"} {
				if of.IDToken() && front[name] != back[name] {
					t.Errorf("%s: %s is %v by the browser and %v at the token endpoint", of, name, front[name], back[name])
				}
			}
			// RFC 6749 section 4.1.2: what came of a code ends with it, by whatever way it came.
			if again := c.Redeem(answer.Get("code"), "code_verifier", ""); again.Error != "invalid_grant" {
				t.Errorf("%s: the code is worth something again: %d", of, again.Status)
			}
			if of.Token() {
				if got := c.Userinfo(answer.Get("access_token")); got.Status != http.StatusUnauthorized {
					t.Errorf("%s: the access token outlives the replay of its code: %d", of, got.Status)
				}
			}
		}
	}
}

// What is kept of an answer without a code is no code that somebody could redeem, and
// the attempt is over.
func TestAnAnswerWithoutACodeIsGivenOnce(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: hybridClients})
	c := s.Client(t, "all")
	b := s.Browser(t)
	form := b.Follow(b.Get(c.Authorize("response_type", "id_token token"))).Form(t, "password")
	attempt := b.Cookies("dex_attempt")
	first, _ := answerOf(t, b.Follow(b.Submit(form, "login", "ann", "password", workertest.Password)))
	if first.Get("access_token") == "" {
		t.Fatalf("no token: %v", first)
	}
	for _, cookie := range attempt {
		b.SetCookie(cookie)
	}
	again := b.Follow(b.Submit(form, "login", "ann", "password", workertest.Password))
	if to := again.Location(); to != nil {
		t.Errorf("the attempt is answered again: %s", to)
	}
	if got := c.Send("/revoke", url.Values{"token": {first.Get("access_token")}}); got.Status != http.StatusOK {
		t.Fatalf("revoke: %d", got.Status)
	}
	if got := c.Userinfo(first.Get("access_token")); got.Status != http.StatusUnauthorized {
		t.Errorf("a revoked token is worth something: %d", got.Status)
	}
}

// JARM section 2: all of the answer stands in one signed parameter, errors too.
func TestASignedAnswerIsOneParameter(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: hybridClients})
	c := s.Client(t, "all")
	b := s.Browser(t)
	for _, tt := range []struct {
		of   oauth.ResponseType
		mode oauth.ResponseMode
		way  oauth.ResponseMode
	}{
		{oauth.ResponseTypeCode, oauth.ModeJWT, oauth.ModeQuery},
		{oauth.ResponseTypeCode, oauth.ModeQueryJWT, oauth.ModeQuery},
		{oauth.ResponseTypeCode, oauth.ModeFragmentJWT, oauth.ModeFragment},
		{oauth.ResponseTypeCode, oauth.ModeFormPostJWT, oauth.ModeFormPost},
		{oauth.ResponseTypeCodeIDToken, oauth.ModeJWT, oauth.ModeFragment},
		{oauth.ResponseTypeIDTokenToken, oauth.ModeFormPostJWT, oauth.ModeFormPost},
	} {
		for _, prompt := range []string{"", "none"} {
			who := b
			if prompt == "none" {
				who = s.Browser(t) // where nobody is logged in
			}
			outer, way := answerOf(t, c.Login(who, "response_type", string(tt.of), "response_mode", string(tt.mode), "prompt", prompt))
			if way != tt.way || len(outer) != 1 || outer.Get("response") == "" {
				t.Errorf("%s by %s: by %s: %v", tt.of, tt.mode, way, outer)
				continue
			}
			claims := workertest.Claims(t, outer.Get("response"))
			if claims["iss"] != s.URL || claims["aud"] != "all" || claims["state"] != "state-of-all" || claims["exp"] == nil {
				t.Errorf("%s by %s: %v", tt.of, tt.mode, claims)
			}
			switch {
			case prompt == "none" && claims["error"] != "login_required":
				t.Errorf("%s by %s: the error is %v", tt.of, tt.mode, claims["error"])
			case prompt == "" && ((claims["code"] != nil) != tt.of.Code() || (claims["id_token"] != nil) != tt.of.IDToken()):
				t.Errorf("%s by %s: %v", tt.of, tt.mode, claims)
			}
		}
	}
}
