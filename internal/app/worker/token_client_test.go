package worker_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
	"dex/internal/protocol/oauth"
)

func TestAClientAuthenticatesItselfInItsOneWay(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	jwt := s.Client(t, "jwt")
	for _, tt := range []struct {
		name   string
		call   call
		status int
		code   oauth.Code
	}{
		{"the header, as registered", call{headers: [][2]string{basic("app", "app-secret")}}, 200, ""},
		{"the header, and the same id in the body", call{headers: [][2]string{basic("app", "app-secret")}, form: values("client_id", "app")}, 200, ""},
		{"an assertion, as registered", call{form: values(asserting(jwt.Assertion(nil))...)}, 200, ""},
		{"an assertion, and the same id in the body", call{form: values(append(asserting(jwt.Assertion(nil)), "client_id", "jwt")...)}, 200, ""},
		{"the header, registered for the body", call{headers: [][2]string{basic("post", "post-secret")}}, 401, oauth.InvalidClient},
		{"the body, registered for the header", call{form: values("client_id", "app", "client_secret", "app-secret")}, 401, oauth.InvalidClient},
		{"nothing, registered for the header", call{form: values("client_id", "app")}, 401, oauth.InvalidClient},
		{"nothing, registered for assertions", call{form: values("client_id", "jwt")}, 401, oauth.InvalidClient},
		{"a secret, registered for assertions", call{headers: [][2]string{basic("jwt", "jwt-secret")}}, 401, oauth.InvalidClient},
		{"a secret, of a client that keeps none", call{form: values("client_id", "spa", "client_secret", "spa-secret")}, 401, oauth.InvalidClient},
		{"nobody at all", call{}, 401, oauth.InvalidClient},
		{"an empty id", call{form: values("client_id", "")}, 401, oauth.InvalidClient},

		// 1.C 36: two ways at once.
		{"header and body", call{headers: [][2]string{basic("app", "app-secret")}, form: values("client_id", "app", "client_secret", "app-secret")}, 400, oauth.InvalidRequest},
		{"header and assertion", call{headers: [][2]string{basic("app", "app-secret")}, form: values(asserting(jwt.Assertion(nil))...)}, 400, oauth.InvalidRequest},
		{"body and assertion", call{form: values(append(asserting(jwt.Assertion(nil)), "client_id", "post", "client_secret", "post-secret")...)}, 400, oauth.InvalidRequest},
		{"two headers", call{headers: [][2]string{basic("app", "app-secret"), basic("app", "app-secret")}}, 400, oauth.InvalidRequest},
		{"two ids in the body", call{form: values("client_id", "post", "client_id", "post", "client_secret", "post-secret")}, 400, oauth.InvalidRequest},
		{"the header, and another id in the body", call{headers: [][2]string{basic("app", "app-secret")}, form: values("client_id", "other")}, 400, oauth.InvalidRequest},
		{"an assertion, and another id in the body", call{form: values(append(asserting(jwt.Assertion(nil)), "client_id", "app")...)}, 401, oauth.InvalidClient},

		// 1.C 37: what is there satisfies nothing, only what is proven.
		{"a good secret and a bogus assertion", call{headers: [][2]string{basic("app", "app-secret")}, form: values(asserting("bogus")...)}, 400, oauth.InvalidRequest},
		{"a good secret and the type of an assertion", call{headers: [][2]string{basic("app", "app-secret")}, form: values("client_assertion_type", oauth.AssertionTypeJWT)}, 400, oauth.InvalidRequest},
		{"an assertion without its type", call{form: values("client_assertion", jwt.Assertion(nil))}, 400, oauth.InvalidRequest},
		{"the type of an assertion alone", call{form: values("client_id", "jwt", "client_assertion_type", oauth.AssertionTypeJWT)}, 400, oauth.InvalidRequest},
		{"an assertion of another type", call{form: values("client_assertion", jwt.Assertion(nil), "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")}, 401, oauth.InvalidClient},
		{"a bogus assertion", call{form: values(asserting("bogus")...)}, 401, oauth.InvalidClient},
		{"an assertion for somebody else's endpoint", call{form: values(asserting(jwt.Assertion(map[string]any{"aud": s.URL + "/token"}))...)}, 401, oauth.InvalidClient},

		{"another scheme", call{headers: [][2]string{{"Authorization", "Digest username=app"}}}, 401, oauth.InvalidClient},
		{"a bearer token", call{headers: [][2]string{bearer("app")}}, 401, oauth.InvalidClient},
		{"a header that is no base64", call{headers: [][2]string{{"Authorization", "Basic app:app-secret"}}}, 401, oauth.InvalidClient},
		{"a header without a colon", call{headers: [][2]string{{"Authorization", "Basic YXBw"}}}, 401, oauth.InvalidClient},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.call.path = "/token"
			if tt.call.form == nil {
				tt.call.form = url.Values{}
			}
			tt.call.form.Set("grant_type", "client_credentials")
			a := tt.call.send(t, s)
			if tt.status == http.StatusOK {
				isOK(t, a)
				return
			}
			isError(t, a, tt.status, tt.code)
			if tt.status == 401 && !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("401 without a challenge: %q", a.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

// 1.C 43.
func TestEveryFailedAuthenticationLooksTheSame(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	if err := s.Tenant.DisableClient(t.Context(), "es256", audit.By{At: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/token", "/introspect", "/revoke"} {
		var want string
		for _, tt := range []struct{ name, id, secret string }{
			{"a wrong secret", "app", "wrong"},
			{"an unknown client", "nobody", "app-secret"},
			{"a client that is disabled", "es256", "es256-secret"},
			{"a client that uses another way", "post", "post-secret"},
			{"a client that keeps no secret", "spa", "spa-secret"},
			{"a client that signs", "jwt", "jwt-secret"},
			{"an id that no database takes", "app\u2028", "x"},
		} {
			form := forItself("token", "x")
			a := call{path: path, headers: [][2]string{basic(tt.id, tt.secret)}, form: form}.send(t, s)
			a.Header.Del("Date")
			a.Header.Del("X-Request-Id")
			got := fmt.Sprint(a.Status, a.Header, a.Body)
			if want == "" {
				want = got
			}
			if got != want || a.Status != http.StatusUnauthorized {
				t.Errorf("%s: %s gets\n%s\nand not\n%s", path, tt.name, got, want)
			}
		}
	}
}

// 1.C 42.
func TestIDAndSecretAreFormEncodedInTheHeader(t *testing.T) {
	secrets := []string{
		"plain", "with:colon", ":first", "last:", "100%", "%41", "%zz", "a+b", "a b", " edges ", "a&b=c;d", `"quoted"\`, "ümlaut"[2:] + "/?#",
		strings.Repeat("s", 1024),
	}
	text := "clients:\n"
	for i, secret := range secrets {
		text += fmt.Sprintf("- {id: 'odd:%d%%+', secret: %q, redirect_uris: [https://c.example.com/cb], grant_types: [authorization_code, client_credentials]}\n", i, secret)
	}
	s := workertest.Start(t, workertest.Options{Bare: true, Config: text})
	for i, secret := range secrets {
		id := fmt.Sprintf("odd:%d%%+", i)
		t.Run(secret[:min(len(secret), 20)], func(t *testing.T) {
			ask := func(h [2]string) *workertest.Answer {
				return call{path: "/token", headers: [][2]string{h}, form: forItself()}.send(t, s)
			}
			isOK(t, ask(basic(id, secret)))
			isOK(t, ask(plainBasic(strings.ReplaceAll(url.QueryEscape(id), "+", "%20"), strings.ReplaceAll(url.QueryEscape(secret), "+", "%20"))))
			isError(t, ask(basic(id, secret+"x")), 401, oauth.InvalidClient)
			isError(t, ask(basic(id, strings.ToUpper(secret)+"x")), 401, oauth.InvalidClient)
			// Sent as it is it means something else.
			if plain, err := url.QueryUnescape(secret); err != nil || plain != secret {
				isError(t, ask(plainBasic(url.QueryEscape(id), secret)), 401, oauth.InvalidClient)
			}
		})
	}
	for name, secret := range map[string]string{"letters beyond ASCII": "пароль", "a control character": "a\x01b", "no UTF-8": "a\xffb"} {
		a := call{path: "/token", headers: [][2]string{basic("odd:0%+", secret)}, form: forItself()}.send(t, s)
		if a.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

func TestAClientGetsWhatItIsRegisteredFor(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	t.Run("1.C 44 a public client has nothing for itself", func(t *testing.T) {
		for _, id := range []string{"spa", "native"} {
			isError(t, call{path: "/token", form: forItself("client_id", id)}.send(t, s), 400, oauth.UnauthorizedClient)
		}
	})
	t.Run("1.C 45 a grant type that is not assigned", func(t *testing.T) {
		a := call{path: "/token", headers: [][2]string{basic("asks", "asks-secret")}, form: forItself()}.send(t, s)
		isError(t, a, 400, oauth.UnauthorizedClient)
	})
	t.Run("1.C 45 a grant type that does not exist here", func(t *testing.T) {
		for _, grantType := range []string{
			"password", "implicit",
			"urn:ietf:params:oauth:grant-type:saml2-bearer",
			"CLIENT_CREDENTIALS", "client_credentials ", "client_credentials,password", "nonsense",
		} {
			form := values("grant_type", grantType, "username", "ann", "password", workertest.Password, "scope", "openid",
				"assertion", "x", "device_code", "x", "subject_token", "x")
			a := call{path: "/token", headers: [][2]string{basic("app", "app-secret")}, form: form}.send(t, s)
			isError(t, a, 400, oauth.UnsupportedGrantType)
		}
		a := call{path: "/token", headers: [][2]string{basic("app", "app-secret")}, form: values("scope", "openid")}.send(t, s)
		isError(t, a, 400, oauth.InvalidRequest)
	})
	t.Run("1.C 45 a grant type that was taken away", func(t *testing.T) {
		c := s.Client(t, "other")
		code := c.Code(s.Browser(t))
		got := c.Token("grant_type", "client_credentials", "code", code, "redirect_uri", c.RedirectURI, "code_verifier", c.Verifier)
		if got.Error != string(oauth.UnauthorizedClient) {
			t.Errorf("got %d %s", got.Status, got.Error)
		}
		if got := c.Redeem(code); got.Status != http.StatusOK {
			t.Errorf("after it the code is worth nothing: %s", got.Error)
		}
	})
}

// 1.C 46.
func TestNoCacheKeepsWhatClientsAreTold(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	tokens := c.Obtain()
	auth := [][2]string{basic("app", "app-secret")}
	for _, tt := range []struct {
		name   string
		status int
		call   call
	}{
		{"tokens", 200, call{path: "/token", headers: auth, form: forItself()}},
		{"an error of the token endpoint", 400, call{path: "/token", headers: auth, form: values("grant_type", "password")}},
		{"a failed authentication", 401, call{path: "/token", form: forItself()}},
		{"a body that is too large", 413, call{path: "/token", headers: auth, body: strings.Repeat("x", 70<<10)}},
		{"a body of another type", 415, call{path: "/token", headers: append([][2]string{{"Content-Type", "application/json"}}, auth...), body: "{}", bare: true}},
		{"parameters in the address", 400, call{path: "/token", query: "grant_type=client_credentials", headers: auth}},
		{"introspection", 200, call{path: "/introspect", headers: auth, form: values("token", tokens.AccessToken)}},
		{"introspection of nothing", 400, call{path: "/introspect", headers: auth}},
		{"introspection by nobody", 401, call{path: "/introspect", form: values("token", "x")}},
		{"revocation", 200, call{path: "/revoke", headers: auth, form: values("token", "x")}},
		{"revocation of nothing", 400, call{path: "/revoke", headers: auth}},
		{"userinfo", 200, call{method: "GET", path: "/userinfo", headers: [][2]string{bearer(tokens.AccessToken)}}},
		{"userinfo by POST", 200, call{path: "/userinfo", form: values("access_token", tokens.AccessToken)}},
		{"userinfo without a token", 401, call{method: "GET", path: "/userinfo"}},
		{"userinfo with a wrong one", 401, call{method: "GET", path: "/userinfo", headers: [][2]string{bearer("x")}}},
		{"userinfo with half a one", 400, call{method: "GET", path: "/userinfo", headers: [][2]string{bearer("")}}},
	} {
		a := tt.call.send(t, s)
		if a.Status != tt.status {
			t.Errorf("%s: %d %s", tt.name, a.Status, a.Body)
		}
		if got := a.Header["Cache-Control"]; len(got) != 1 || got[0] != "no-store" {
			t.Errorf("%s: Cache-Control is %q", tt.name, got)
		}
		if got := a.Header["Pragma"]; len(got) != 1 || got[0] != "no-cache" {
			t.Errorf("%s: Pragma is %q", tt.name, got)
		}
	}
}

// 1.C 47.
func TestTheEndpointsOfClientsTakeFormsByPOST(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	auth := basic("app", "app-secret")
	form := forItself("token", "x")
	for _, path := range []string{"/token", "/introspect", "/revoke"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} {
			a := call{method: method, path: path, query: form.Encode(), headers: [][2]string{auth}}.send(t, s)
			if a.Status != http.StatusMethodNotAllowed || !strings.Contains(a.Header.Get("Allow"), "POST") || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s: %d, Allow is %q", method, path, a.Status, a.Header.Get("Allow"))
			}
		}
		for _, tt := range []struct {
			contentType string
			status      int
		}{
			{"application/x-www-form-urlencoded", 200},
			{"application/x-www-form-urlencoded; charset=utf-8", 200},
			{"application/x-www-form-urlencoded;charset=ISO-8859-1", 200},
			{"APPLICATION/X-WWW-Form-Urlencoded", 200},
			{"application/json", 415},
			{"multipart/form-data; boundary=x", 415},
			{"text/plain", 415},
			{"application/x-www-form-urlencoded, application/json", 415},
			{"application/x-www-form-urlencodedx", 415},
			{"*/*", 415},
			{"", 415},
		} {
			a := call{path: path, bare: true, headers: [][2]string{auth, {"Content-Type", tt.contentType}}, form: form}.send(t, s)
			if a.Status != tt.status {
				t.Errorf("%s with %q: %d %s", path, tt.contentType, a.Status, a.Body)
			}
		}
		a := call{path: path, headers: [][2]string{auth, {"Content-Type", "application/json"}}, form: form}.send(t, s)
		isError(t, a, 415, oauth.InvalidRequest)
		a = call{path: path, headers: [][2]string{auth, {"Content-Encoding", "gzip"}}, form: form}.send(t, s)
		isError(t, a, 415, oauth.InvalidRequest)
		for _, query := range []string{form.Encode(), "client_id=app&client_secret=app-secret", "x=1", "client_id=app"} {
			a = call{path: path, query: query, headers: [][2]string{auth}, form: form}.send(t, s)
			isError(t, a, 400, oauth.InvalidRequest)
		}
		for _, body := range []string{"grant_type=%zz&token=x", "grant_type=client_credentials;token=x", "grant_type=client_credentials&token=%00", "grant_type=client_credentials&token=%ff"} {
			a = call{path: path, headers: [][2]string{auth}, body: body}.send(t, s)
			isError(t, a, 400, oauth.InvalidRequest)
		}
	}
	for _, name := range []string{"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "client_id"} {
		double := forItself("client_id", "app")
		double[name] = []string{"x", "x"}
		isError(t, call{path: "/token", headers: [][2]string{auth}, form: double}.send(t, s), 400, oauth.InvalidRequest)
	}
	for _, name := range []string{"token", "token_type_hint"} {
		isError(t, call{path: "/revoke", headers: [][2]string{auth}, form: values("token", "x", name, "y", name, "y")}.send(t, s), 400, oauth.InvalidRequest)
	}
}

// 1.C 52: nothing that a request brings is ever fetched.
func TestNoParameterMakesUsCallAnybody(t *testing.T) {
	var heard atomic.Int64
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
	t.Cleanup(sink.Close)
	canary := sink.URL
	s := workertest.Start(t, workertest.Options{Config: "outbound_allow_private: [127.0.0.0/8]\n"})
	c, jwt := s.Client(t, "app"), s.Client(t, "jwt")
	everything := url.Values{}
	for _, name := range []string{
		"redirect_uri", "post_logout_redirect_uri", "request_uri", "request", "jwks_uri", "logo_uri", "sector_identifier_uri", "client_uri", "policy_uri",
		"tos_uri", "initiate_login_uri", "backchannel_logout_uri", "resource", "audience", "iss", "login_hint", "id_token_hint", "claims", "registration",
		"target_link_uri", "connector_id", "state", "nonce", "acr_values", "ui_locales", "scope", "code", "refresh_token", "token", "assertion",
		"subject_token", "client_assertion_type", "error_uri", "return_to", "next", "url", "callback", "dpop_jkt",
	} {
		everything.Set(name, canary+"/"+name)
	}
	for _, id := range []string{"app", "nobody", canary} {
		everything.Set("client_id", id)
		b := s.Browser(t)
		b.Header.Set("Referer", canary)
		b.Header.Set("Origin", canary)
		b.Header.Set("X-Forwarded-Host", strings.TrimPrefix(canary, "http://"))
		for _, path := range []string{"/authorize", "/login", "/login/local", "/callback/local", "/consent", "/logout", "/logout/done", "/userinfo", "/"} {
			b.Get(path + "?" + everything.Encode())
			b.Post(path, everything)
		}
		for _, path := range []string{"/token", "/introspect", "/revoke", "/userinfo"} {
			for _, grantType := range []string{"authorization_code", "refresh_token", "client_credentials"} {
				form := url.Values{"grant_type": {grantType}}
				for name, v := range everything {
					form[name] = v
				}
				form.Del("client_id")
				form.Del("client_assertion_type")
				call{path: path, headers: [][2]string{basic(id, "app-secret")}, form: form}.send(t, s)
			}
		}
	}
	for _, path := range []string{"/token", "/introspect", "/revoke"} {
		assertion := jwt.Assertion(map[string]any{"jku": canary, "x5u": canary, "iss": canary, "jwks_uri": canary})
		call{path: path, form: forItself(append(asserting(assertion), "token", canary)...)}.send(t, s)
	}
	c.Login(s.Browser(t), "login_hint", canary, "state", canary, "nonce", canary)
	if n := heard.Load(); n != 0 {
		t.Errorf("%d requests have come of a parameter", n)
	}
}
