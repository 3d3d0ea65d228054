package app_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"dex/examples/app"
)

func TestALoginFromBeginningToEnd(t *testing.T) {
	p := newFakeProvider(t)
	base, ann := startApp(t, p.URL), newBrowser(t)

	_, body := ann.open(base)
	contains(t, body, `id="log-in"`, p.URL)

	_, body = ann.send(base+"/login", everything)
	contains(t, body, `id="claims"`, "Hello, Ann &lt;b&gt;Example&lt;/b&gt;", `data-claim="sub">u1<`,
		`[&#34;staff&#34;,&#34;admins&#34;]`, `id="refresh"`, `id="log-out"`)
	if got := p.asked.Get("scope"); got != "openid profile email groups offline_access" {
		t.Errorf("asked for the scopes %q", got)
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(p.asked.Get(name)) < 26 {
			t.Errorf("%s is only %q", name, p.asked.Get(name))
		}
	}

	_, body = ann.send(base+"/userinfo", nil)
	contains(t, body, "ann@example.com")

	_, body = ann.send(base+"/refresh", nil)
	contains(t, body, `id="access-token-before"`)
	if p.minted != 2 {
		t.Errorf("the provider was asked for tokens %d times, not twice", p.minted)
	}
	_, body = ann.send(base+"/userinfo", nil)
	contains(t, body, "ann@example.com")
	lacks(t, body, "access-secret", "refresh-secret")

	_, body = ann.send(base+"/logout", nil)
	contains(t, body, `id="logged-out-everywhere"`)
	if p.ended.Get("id_token_hint") == "" || p.ended.Get("client_id") != clientID || p.ended.Get("kept") != "1" {
		t.Errorf("the logout said %v", p.ended)
	}
	_, body = ann.open(base)
	contains(t, body, `id="log-in"`)
}

func TestAnAnswerIsBelievedOnlyIfEverythingFits(t *testing.T) {
	set := func(name string, value any) func(map[string]any) {
		return func(m map[string]any) { m[name] = value }
	}
	tests := []struct {
		name   string
		lie    func(*fakeProvider)
		status int
		says   string
	}{
		{"no state", func(p *fakeProvider) { p.answer = func(v url.Values) { v.Del("state") } }, 400, "not begun in this browser"},
		{"a state that we never made", func(p *fakeProvider) { p.answer = func(v url.Values) { v.Set("state", "guess") } }, 400, "not begun in this browser"},
		{"another issuer (mix-up)", func(p *fakeProvider) { p.answer = func(v url.Values) { v.Set("iss", "https://evil.example") } }, 400, "does not come from the login service"},
		{"no issuer although promised", func(p *fakeProvider) { p.answer = func(v url.Values) { v.Del("iss") } }, 400, "does not come from the login service"},
		{"two issuers", func(p *fakeProvider) { p.answer = func(v url.Values) { v.Add("iss", "https://evil.example") } }, 400, "does not come from the login service"},
		{"an error, with the issuer wrong too", func(p *fakeProvider) {
			p.answer = func(v url.Values) { v.Set("error", "access_denied"); v.Set("iss", "https://evil.example") }
		}, 400, "does not come from the login service"},
		{"the person said no", func(p *fakeProvider) { p.answer = func(v url.Values) { v.Set("error", "access_denied") } }, 403, "did not let"},
		{"an error with markup in it", func(p *fakeProvider) {
			p.answer = func(v url.Values) {
				v.Set("error", "server_error")
				v.Set("error_description", "<script>alert(1)</script>")
			}
		}, 400, "&lt;script&gt;"},
		{"a code that is not the provider's", func(p *fakeProvider) { p.answer = func(v url.Values) { v.Set("code", "another") } }, 502, "did not accept the code"},
		{"an ID token of another login", func(p *fakeProvider) { p.claims = set("nonce", "another") }, 502, "cannot be trusted"},
		{"an ID token without a nonce", func(p *fakeProvider) { p.claims = func(m map[string]any) { delete(m, "nonce") } }, 502, "cannot be trusted"},
		{"an ID token of another issuer", func(p *fakeProvider) { p.claims = set("iss", "https://evil.example") }, 502, "cannot be trusted"},
		{"an ID token for another application", func(p *fakeProvider) { p.claims = set("aud", "other") }, 502, "cannot be trusted"},
		{"an ID token for us that another application asked for", func(p *fakeProvider) {
			p.claims = func(m map[string]any) { m["aud"], m["azp"] = []string{clientID, "other"}, "other" }
		}, 502, "cannot be trusted"},
		{"an ID token that has expired", func(p *fakeProvider) { p.claims = set("exp", 1_000_000_000) }, 502, "cannot be trusted"},
		{"an ID token beside another access token", func(p *fakeProvider) { p.claims = set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA") }, 502, "cannot be trusted"},
		{"an ID token that nobody signed", func(p *fakeProvider) {
			p.tokens = func(_ string, m map[string]any) {
				m["id_token"] = m["id_token"].(string)[:strings.LastIndex(m["id_token"].(string), ".")+1]
			}
		}, 502, "cannot be trusted"},
		{"no ID token", func(p *fakeProvider) { p.tokens = func(_ string, m map[string]any) { delete(m, "id_token") } }, 502, "cannot be trusted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newFakeProvider(t)
			tt.lie(p)
			base, ann := startApp(t, p.URL), newBrowser(t)
			resp, body := ann.send(base+"/login", everything)
			if resp.StatusCode != tt.status {
				t.Errorf("status %d, not %d", resp.StatusCode, tt.status)
			}
			contains(t, body, `id="error"`, tt.says)
			lacks(t, body, "<script>")
			_, body = ann.open(base)
			contains(t, body, `id="log-in"`) // and nobody is logged in
		})
	}
}

func TestAProviderThatDoesNotPromiseItsNameNeedNotGiveIt(t *testing.T) {
	p := newFakeProvider(t)
	p.metadata = func(m map[string]any) { delete(m, "authorization_response_iss_parameter_supported") }
	p.answer = func(v url.Values) { v.Del("iss") }
	_, body := newBrowser(t).send(startApp(t, p.URL)+"/login", everything)
	contains(t, body, `id="claims"`)
}

// begin starts a login and returns the address that the provider would send the
// browser back to.
func begin(b browser, base string) string {
	b.t.Helper()
	still := b.still()
	resp, _ := still.send(base+"/login", everything)
	resp, _ = still.open(resp.Header.Get("Location"))
	return resp.Header.Get("Location")
}

func TestALoginEndsInTheBrowserThatBeganAndOnce(t *testing.T) {
	p := newFakeProvider(t)
	base := startApp(t, p.URL)
	mallory, ann := newBrowser(t), newBrowser(t)
	back := begin(mallory, base)

	// Mallory wants Ann to be logged in as Mallory.
	ann.open(base)
	resp, body := ann.open(back)
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("another browser's answer: status %d", resp.StatusCode)
	}
	contains(t, body, "not begun in this browser")

	_, body = mallory.open(back)
	contains(t, body, `id="claims"`) // Ann's visit has not spent it
	resp, _ = mallory.open(back)
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("the same answer again: status %d", resp.StatusCode)
	}
}

func TestTwoTabsLogInSideBySide(t *testing.T) {
	p := newFakeProvider(t)
	base, ann := startApp(t, p.URL), newBrowser(t)
	first := begin(ann, base)
	asked := p.asked
	second := begin(ann, base)
	_, body := ann.open(second)
	contains(t, body, `id="claims"`)
	p.asked = asked
	_, body = ann.open(first)
	contains(t, body, `id="claims"`)
}

func TestEachLoginHasItsOwnSecretsAndCookie(t *testing.T) {
	p := newFakeProvider(t)
	base, ann := startApp(t, p.URL), newBrowser(t)
	seen := map[string]bool{}
	for range 2 {
		ann.send(base+"/login", everything)
		u, _ := url.Parse(base)
		for _, c := range ann.Jar.Cookies(u) {
			if c.Name == "app_session" {
				seen[c.Value] = true
			}
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			seen[p.asked.Get(name)] = true
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d different values in two logins, not 8: %v", len(seen), seen)
	}
}

func TestALoginEndsTheSessionThatWasThereBefore(t *testing.T) {
	p := newFakeProvider(t)
	base, ann := startApp(t, p.URL), newBrowser(t)
	ann.send(base+"/login", everything)
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	before := ann.Jar.Cookies(u)
	ann.send(base+"/login", everything)

	thief := newBrowser(t)
	thief.Jar.SetCookies(u, before)
	_, body := thief.open(base)
	contains(t, body, `id="log-in"`)
	_, body = ann.open(base)
	contains(t, body, `id="log-out"`)
}

// The library's way of finding out how to show the secret is to try twice, and
// the second time with a spent code.
func TestACodeIsPresentedOnce(t *testing.T) {
	p := newFakeProvider(t)
	p.answer = func(v url.Values) { v.Set("code", "another") }
	newBrowser(t).send(startApp(t, p.URL)+"/login", everything)
	if p.tried != 1 {
		t.Errorf("the code was presented %d times", p.tried)
	}
}

func TestCookiesAreKeptFromScriptsAndPlainConnections(t *testing.T) {
	for base, want := range map[string]string{
		"https://app.example.com": "__Host-app_browser=",
		"http://app.example.com":  "app_browser=",
	} {
		t.Run(base, func(t *testing.T) {
			p := newFakeProvider(t)
			handler, err := app.New(app.Config{Issuer: p.URL, ClientID: clientID, BaseURL: base})
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, base+"/login", nil))
			cookie := w.Header().Get("Set-Cookie")
			if !strings.HasPrefix(cookie, want) || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") ||
				strings.Contains(cookie, "Secure") != strings.HasPrefix(base, "https") {
				t.Errorf("the cookie is %q", cookie)
			}
		})
	}
}

func TestAnotherSitesFormIsRefused(t *testing.T) {
	p := newFakeProvider(t)
	base, ann := startApp(t, p.URL), newBrowser(t)
	ann.send(base+"/login", everything)
	for _, path := range []string{"/login", "/userinfo", "/refresh", "/logout"} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if resp, _ := ann.do(r); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: status %d", path, resp.StatusCode)
		}
	}
	_, body := ann.open(base)
	contains(t, body, `id="log-out"`)
}

func TestWhoComesByAnotherNameIsSentToOurs(t *testing.T) {
	p := newFakeProvider(t)
	base := startApp(t, p.URL)
	resp, _ := newBrowser(t).still().open(strings.Replace(base, "127.0.0.1", "localhost", 1) + "/callback?code=c")
	if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != base+"/" {
		t.Errorf("status %d, to %q", resp.StatusCode, got)
	}
}

func TestTheProviderMayComeLater(t *testing.T) {
	p := newFakeProvider(t)
	down := true
	inner := p.Config.Handler
	p.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down {
			http.Error(w, "starting", http.StatusServiceUnavailable)
			return
		}
		inner.ServeHTTP(w, r)
	})
	base, ann := startApp(t, p.URL), newBrowser(t)
	if resp, _ := ann.open(base); resp.StatusCode != http.StatusOK {
		t.Errorf("the front page without a provider: status %d", resp.StatusCode)
	}
	resp, body := ann.send(base+"/login", everything)
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("a login without a provider: status %d", resp.StatusCode)
	}
	contains(t, body, "cannot be reached")
	down = false
	_, body = ann.send(base+"/login", everything)
	contains(t, body, `id="claims"`)
}

func TestRefreshing(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*fakeProvider)
		status  int
		says    string
		loggedI bool // still logged in afterwards
	}{
		{"the ID token need not come again", func(p *fakeProvider) {
			p.tokens = func(_ string, m map[string]any) { delete(m, "id_token") }
		}, 200, `id="access-token-before"`, true},
		{"the ID token is somebody else's", func(p *fakeProvider) { p.claims = func(m map[string]any) { m["sub"] = "u2" } }, 502, "no fresh tokens", true},
		{"the ID token is another application's", func(p *fakeProvider) { p.claims = func(m map[string]any) { m["aud"] = "other" } }, 502, "no fresh tokens", true},
		{"the provider has ended it", func(p *fakeProvider) { p.refuse = true }, 401, "log in again", false},
		{"no new refresh token: the old one is kept", func(p *fakeProvider) {
			p.tokens = func(_ string, m map[string]any) { delete(m, "refresh_token") }
		}, 200, `id="refresh"`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newFakeProvider(t)
			base, ann := startApp(t, p.URL), newBrowser(t)
			ann.send(base+"/login", everything)
			tt.change(p)
			resp, body := ann.send(base+"/refresh", nil)
			if resp.StatusCode != tt.status {
				t.Errorf("status %d, not %d", resp.StatusCode, tt.status)
			}
			contains(t, body, tt.says)
			_, body = ann.open(base)
			if got := strings.Contains(body, `id="log-out"`); got != tt.loggedI {
				t.Errorf("still logged in: %t, not %t", got, tt.loggedI)
			}
		})
	}
}

func TestWithoutARefreshTokenThereIsNothingToRefresh(t *testing.T) {
	p := newFakeProvider(t)
	p.tokens = func(_ string, m map[string]any) { delete(m, "refresh_token") }
	base, ann := startApp(t, p.URL), newBrowser(t)
	_, body := ann.send(base+"/login", nil)
	contains(t, body, `id="claims"`)
	lacks(t, body, `id="refresh"`)
	if p.asked.Get("scope") != "openid" {
		t.Errorf("asked for %q although nothing was ticked", p.asked.Get("scope"))
	}
	if resp, _ := ann.send(base+"/refresh", nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestUserinfoAboutSomebodyElseIsNotUsed(t *testing.T) {
	p := newFakeProvider(t)
	p.info = func(m map[string]any) { m["sub"] = "u2" }
	base, ann := startApp(t, p.URL), newBrowser(t)
	ann.send(base+"/login", everything)
	resp, body := ann.send(base+"/userinfo", nil)
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d", resp.StatusCode)
	}
	contains(t, body, "somebody else")
	_, body = ann.open(base)
	lacks(t, body, "ann@example.com")
}

func TestWhoIsNotLoggedInIsSentToTheFrontPage(t *testing.T) {
	p := newFakeProvider(t)
	base, ann := startApp(t, p.URL), newBrowser(t)
	for _, path := range []string{"/userinfo", "/refresh", "/logout"} {
		resp, _ := ann.still().send(base+path, nil)
		if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" {
			t.Errorf("%s: status %d, to %q", path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

func TestALogoutWorksWithoutTheProvider(t *testing.T) {
	p := newFakeProvider(t)
	p.metadata = func(m map[string]any) { delete(m, "end_session_endpoint") }
	base, ann := startApp(t, p.URL), newBrowser(t)
	ann.send(base+"/login", everything)
	_, body := ann.send(base+"/logout", nil)
	contains(t, body, `id="logged-out"`)
	lacks(t, body, "logged-out-everywhere")
	_, body = ann.open(base)
	contains(t, body, `id="log-in"`)

	// Anybody can make a browser open this address; it proves nothing.
	_, body = ann.open(base + "/logged-out?state=guess")
	lacks(t, body, "logged-out-everywhere")
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	good := app.Config{Issuer: "https://dex.example.com", ClientID: "app", BaseURL: "https://app.example.com/"}
	if _, err := app.New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*app.Config){
		"no base URL":        func(c *app.Config) { c.BaseURL = "" },
		"a base with a path": func(c *app.Config) { c.BaseURL += "below" },
		"no web address":     func(c *app.Config) { c.BaseURL = "ftp://app.example.com" },
		"no issuer":          func(c *app.Config) { c.Issuer = "" },
		"no client":          func(c *app.Config) { c.ClientID = "" },
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			change(&bad)
			if _, err := app.New(bad); err == nil {
				t.Errorf("%+v was accepted", bad)
			}
		})
	}
}
