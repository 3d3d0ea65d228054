package worker_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/route"
)

// ofClients are the routes that clients call by themselves, and documents that are
// the same for everybody; all others are a browser's.
var ofClients = []string{
	route.Token, route.PushRequest, route.Userinfo, route.Revoke, route.Introspect, route.Discovery, route.OAuthMetadata, route.Keys, route.Live, route.Ready, route.Static,
	route.WebFinger, route.ProtectedUser,
}

// knock sends a request as a script of another origin would, but with all cookies.
func knock(t *testing.T, b *workertest.Browser, method, address, origin, body string, header map[string]string) *workertest.Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	for _, cookie := range b.Cookies("") {
		req.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	}
	return b.Do(req)
}

// shared returns the headers by which an answer lets other origins in.
func shared(a *workertest.Answer) []string {
	var names []string
	for name := range a.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			names = append(names, name)
		}
	}
	return names
}

func TestNoScriptOfAnotherOriginReadsOurPages(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	b := s.Browser(t)
	spa := s.Client(t, "spa")
	spa.Code(b)
	attempt := b.Get(spa.Authorize("prompt", "login")).Param("attempt")
	for _, path := range everyRoute(t) {
		if slices.Contains(ofClients, path) {
			continue
		}
		t.Run("1.A 14 "+path, func(t *testing.T) {
			address := s.URL + path + "?attempt=" + attempt
			if path == route.Authorize {
				address = s.URL + spa.Authorize()
			}
			for _, origin := range []string{"https://spa.example.com", "https://evil.example", "null", s.URL} {
				for _, method := range []string{"GET", "POST", "OPTIONS"} {
					a := knock(t, b, method, address, origin, "", map[string]string{
						"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type", "Access-Control-Request-Private-Network": "true",
					})
					if names := shared(a); len(names) > 0 {
						t.Errorf("%s by %s: %v", method, origin, names)
					}
					if method == "OPTIONS" && a.Status < 400 {
						t.Errorf("a preflight by %s is answered with %d", origin, a.Status)
					}
				}
			}
		})
	}
}

func TestAClientsAnswerIsReadFromItsOwnOriginsOnly(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	b := s.Browser(t)
	spa, app := s.Client(t, "spa"), s.Client(t, "app")
	tokens, appTokens := spa.Obtain(), app.Obtain()
	const own = "https://spa.example.com"
	foreign := []string{
		"https://evil.example", "null", "https://spa.example.com.evil.example", "https://evilspa.example.com", "https://x.spa.example.com", "http://spa.example.com", "https://spa.example.com:8443",
		"https://SPA.example.com", "https://spa.example.com/", "https://spa.example.com, https://evil.example", "https://app.example.com", "*", s.URL,
	}
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"azp":"spa","client_id":"spa","aud":"spa"}`)) + "."
	refresh := func(token, client string) string {
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {client}}.Encode()
	}
	for _, call := range []struct {
		name, method, path, body string
		header                   map[string]string
		knowsTheClient           bool
	}{
		{"a refresh", "POST", "/token", refresh(tokens.RefreshToken, "spa"), nil, true},
		{"a refresh that is refused", "POST", "/token", refresh("dxr_x", "spa"), nil, true},
		{"a refresh by nobody", "POST", "/token", refresh(tokens.RefreshToken, "nobody"), nil, false},
		{"a revocation", "POST", "/revoke", url.Values{"token": {"x"}, "client_id": {"spa"}}.Encode(), nil, true},
		{"userinfo", "GET", "/userinfo", "", map[string]string{"Authorization": "Bearer " + tokens.AccessToken}, true},
		{"userinfo with another client's token", "GET", "/userinfo", "", map[string]string{"Authorization": "Bearer " + appTokens.AccessToken}, false},
		{"userinfo with a token that nobody signed", "GET", "/userinfo", "", map[string]string{"Authorization": "Bearer " + unsigned}, false},
		{"userinfo with no token", "GET", "/userinfo", "", nil, false},
		{"introspection by nobody", "POST", "/introspect", url.Values{"token": {tokens.AccessToken}, "client_id": {"spa"}}.Encode(), nil, false},
	} {
		t.Run("1.A 15 "+call.name, func(t *testing.T) {
			for _, origin := range foreign {
				if a := knock(t, b, call.method, s.URL+call.path, origin, call.body, call.header); len(shared(a)) > 0 {
					t.Errorf("%s: %v", origin, shared(a))
				}
			}
			a := knock(t, b, call.method, s.URL+call.path, own, call.body, call.header)
			want := ""
			if call.knowsTheClient {
				want = own
			}
			if call.path != "/introspect" && a.Header.Get("Access-Control-Allow-Origin") != want {
				t.Errorf("its own origin: %d, allowed is %q, want %q", a.Status, a.Header.Get("Access-Control-Allow-Origin"), want)
			}
			if a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("credentials are allowed")
			}
			if want != "" && !slices.Contains(a.Header.Values("Vary"), "Origin") {
				t.Error("a cache may mix the answers up")
			}
		})
	}
	t.Run("1.A 15 a preflight lets registered origins ask", func(t *testing.T) {
		preflight := map[string]string{"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
		for _, path := range []string{"/token", "/userinfo", "/revoke"} {
			for _, origin := range foreign {
				if a := knock(t, b, "OPTIONS", s.URL+path, origin, "", preflight); len(shared(a)) > 0 {
					t.Errorf("%s by %s: %v", path, origin, shared(a))
				}
			}
			a := knock(t, b, "OPTIONS", s.URL+path, own, "", preflight)
			if a.Header.Get("Access-Control-Allow-Origin") != own || a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s by its own: %d %v", path, a.Status, a.Header)
			}
		}
	})
	t.Run("1.A 15 everybody may read what is the same for everybody", func(t *testing.T) {
		for _, path := range []string{route.Discovery, route.OAuthMetadata, route.Keys} {
			a := knock(t, b, "GET", s.URL+path, "https://evil.example", "", nil)
			if a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: %v", path, a.Header)
			}
		}
	})
}

func TestABrowserIsSentOnBySeeOtherOnly(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: workertest.UpstreamConfig, Kinds: (&workertest.Upstream{}).Kinds()})
	c := s.Client(t, "asks")
	for _, path := range everyRoute(t) {
		t.Run("1.A 9 "+path, func(t *testing.T) {
			for _, prepared := range places {
				b := s.Browser(t)
				a := prepared.reach(b, c, "connector_id", "local")
				for name, body := range map[string]string{"nothing": "", "garbage": "%zz", "a request": c.AuthorizeParams().Encode(), "a form": ""} {
					if name == "a form" {
						f := a.Form(t, prepared.button)
						for i := 0; i+1 < len(prepared.fill); i += 2 {
							f.Values.Set(prepared.fill[i], prepared.fill[i+1])
						}
						body = f.Values.Encode()
					}
					for _, header := range []map[string]string{
						{"Origin": s.URL, "Sec-Fetch-Site": "same-origin"},
						{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
					} {
						a := knock(t, b, "POST", s.URL+path+"?attempt="+attemptIn(t, a), "", body, header)
						switch a.Status {
						case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusMultipleChoices, http.StatusUseProxy:
							t.Errorf("%s, %s: %d", name, header["Sec-Fetch-Site"], a.Status)
						}
						if a.Status >= 500 {
							t.Errorf("%s, %s: %d", name, header["Sec-Fetch-Site"], a.Status)
						}
						if a.Status != http.StatusSeeOther && a.Header.Get("Location") != "" {
							t.Errorf("%s: %d with a Location", name, a.Status)
						}
					}
				}
			}
		})
	}
	t.Run("1.A 9 the forms of a login", func(t *testing.T) {
		b := s.Browser(t)
		for _, p := range places {
			a := b.Submit(p.reach(b, c, "connector_id", "local", "prompt", "login consent").Form(t, p.button), p.fill...)
			if a.Status != http.StatusSeeOther {
				t.Errorf("%s: %d", p.name, a.Status)
			}
		}
	})
}

func TestNothingOfALoginLeaksToOthers(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: workertest.UpstreamConfig, Kinds: (&workertest.Upstream{}).Kinds()})
	c := s.Client(t, "asks")
	b := s.Browser(t)
	check := func(t *testing.T, a *workertest.Answer) {
		t.Helper()
		// Under no-referrer a browser sends "Origin: null" with our own forms.
		if got := a.Header.Get("Referrer-Policy"); got != "same-origin" {
			t.Errorf("%s: Referrer-Policy is %q", a.URL.Path, got)
		}
		if got := a.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", a.URL.Path, got)
		}
		nothingInline(t, a)
	}
	chooser := b.Get(c.Authorize())
	pages := map[string]*workertest.Answer{"the redirect to the chooser": chooser, "the chooser": b.Follow(chooser)}
	form := b.Get("/login/local?attempt=" + attemptIn(t, chooser))
	pages["the login page"] = form
	pages["a wrong password"] = b.Submit(form.Form(t, "password"), "login", "ann", "password", "wrong")
	pages["the redirect after a login"] = b.Submit(form.Form(t, "password"), "login", "ann", "password", workertest.Password)
	pages["the consent page"] = b.Follow(pages["the redirect after a login"])
	pages["the redirect after consent"] = b.Submit(pages["the consent page"].Form(t, "allow"), "answer", "allow", "remember", "1")
	pages["the redirect with a code"] = b.Get(pages["the redirect after consent"].Location().String())
	handedBack(t, pages["the redirect with a code"], c)
	pages["the page with a code"] = b.Get(c.Authorize("response_mode", "form_post"))
	formPost(t, pages["the page with a code"])
	pages["an error"] = b.Get("/authorize?attempt=x")
	pages["an error to the client"] = b.Get(c.Authorize("scope", "unicorns"))
	pages["nothing"] = b.Get("/nowhere")
	pages["the home page"] = b.Get("/")
	pages["the logout page"] = b.Follow(b.Get("/logout"))
	pages["the way to another provider"] = s.Browser(t).Get(c.Authorize("connector_id", "elsewhere"))
	for name, a := range pages {
		t.Run("1.A 18 "+name, func(t *testing.T) { check(t, a) })
	}
}
