package worker_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"dex/internal/app/worker"
	"dex/internal/app/workertest"
	"dex/internal/base/route"
)

// everyRoute returns the paths of package route, read from its source, so that a
// new one is crawled too.
func everyRoute(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../base/route/route.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.BasicLit); ok && v.Kind == token.STRING {
			path, err := strconv.Unquote(v.Value)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, strings.Replace(path, "{connector}", "local", 1))
		}
		return true
	})
	if len(paths) < 19 {
		t.Fatalf("only %d routes were found", len(paths))
	}
	return paths
}

var everyMethod = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}

// mayBeCached are the answers that are the same for everybody.
var mayBeCached = []string{route.Discovery, route.OAuthMetadata, route.Keys, route.ProtectedUser}

// unprotected says which of the headers that every answer carries is missing.
func unprotected(path string, status int, h http.Header, https bool) []string {
	var missing []string
	expect := func(name, want string) {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			missing = append(missing, fmt.Sprintf("%s is %q, not %q", name, got, want))
		}
	}
	expect("X-Content-Type-Options", "nosniff")
	expect("X-Frame-Options", "DENY")
	expect("Referrer-Policy", "same-origin")
	expect("Cross-Origin-Opener-Policy", "same-origin")
	// WebFinger may be read from everywhere when it knows of nothing, too: RFC 7033 section 5.
	public := slices.Contains(mayBeCached, path) && status < 400 || path == route.WebFinger && status == http.StatusBadRequest
	switch {
	case public:
		expect("Cross-Origin-Resource-Policy", "cross-origin")
		expect("Access-Control-Allow-Origin", "*")
	default:
		expect("Cross-Origin-Resource-Policy", "same-origin")
		if got := h.Values("Access-Control-Allow-Origin"); len(got) != 0 {
			missing = append(missing, fmt.Sprintf("anybody's page may read it: %q", got))
		}
		if !strings.HasPrefix(path, route.Static) || status >= 400 {
			expect("Cache-Control", "no-store")
		}
	}
	if https {
		expect("Strict-Transport-Security", "max-age=31536000")
	} else if h.Get("Strict-Transport-Security") != "" {
		missing = append(missing, "the browser is told to use https, and there is none")
	}
	if !strings.Contains(h.Get("Permissions-Policy"), "camera=()") || h.Get("X-Request-Id") == "" {
		missing = append(missing, "Permissions-Policy or X-Request-Id")
	}
	if h.Get("Server") != "" || h.Get("X-Powered-By") != "" {
		missing = append(missing, "it says what it runs on")
	}
	if strings.HasPrefix(path, route.Static) {
		// A picture that somebody opens by itself is a page without an origin.
		if got := h.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") || !strings.Contains(got, "frame-ancestors 'none'") ||
			status < 400 && !strings.HasSuffix(got, "sandbox") {
			missing = append(missing, "the policy is "+got)
		}
		return missing
	}
	return append(missing, openPolicy(h)...)
}

// openPolicy says what the Content-Security-Policy lets a page do that none may.
func openPolicy(h http.Header) []string {
	lines := h.Values("Content-Security-Policy")
	if len(lines) != 1 {
		return []string{fmt.Sprintf("%d policies", len(lines))}
	}
	policy := map[string]string{}
	for part := range strings.SplitSeq(lines[0], ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), " ")
		policy[name] = value
	}
	var open []string
	for name, want := range map[string]string{"default-src": "'none'", "frame-ancestors": "'none'", "base-uri": "'none'"} {
		if policy[name] != want {
			open = append(open, name+" is "+policy[name])
		}
	}
	if s, ok := policy["script-src"]; ok && s != "'self'" {
		open = append(open, "scripts from "+s)
	}
	if strings.Contains(lines[0], "unsafe") || strings.Contains(lines[0], "*") {
		open = append(open, lines[0])
	}
	return open
}

// TestEveryAnswerIsProtected crawls every route by every method, in its ordinary
// case and in those where something is wrong.
func TestEveryAnswerIsProtected(t *testing.T) {
	for _, https := range []bool{false, true} {
		t.Run(fmt.Sprintf("1.K 131 132 136 https %v", https), func(t *testing.T) {
			o := workertest.Options{}
			if https {
				o.Issuer = "https://example.com"
			}
			s := workertest.Start(t, o)
			b := s.Browser(t)
			home := b.Get("/")
			asset := home.Body[strings.Index(home.Body, "/static/"):]
			paths := append(everyRoute(t), asset[:strings.Index(asset, `"`)],
				"/nowhere", "/login/unknown", "/callback/unknown", "/static/nothing.css", "/static/../keys", "//", "/authorize/",
				s.Client(t, "app").Authorize(), s.Client(t, "app").Authorize("scope", "nonsense"),
				s.Client(t, "app").Authorize("redirect_uri", "https://elsewhere.example.com"),
				"/login?attempt=unknown", "/authorize?state=%ff", "/authorize?"+strings.Repeat("x=1&", 300), "/authorize?"+strings.Repeat("x", 17<<10))
			for _, path := range paths {
				for _, method := range everyMethod {
					a := send(t, s, method, path, nil)
					bare, _, _ := strings.Cut(path, "?")
					for _, what := range unprotected(bare, a.Status, a.Header, https) {
						t.Errorf("%s %.60s: %d: %s", method, path, a.Status, what)
					}
					if a.Status >= 500 || a.Status == 0 || a.Status/100 == 3 && a.Status != http.StatusSeeOther {
						t.Errorf("%s %.60s: status %d", method, path, a.Status)
					}
					if a.Status == http.StatusMethodNotAllowed && a.Header.Get("Allow") == "" {
						t.Errorf("%s %.60s: it does not say which methods it takes", method, path)
					}
				}
			}
			for _, host := range []string{"elsewhere.example.com", "127.0.0.1", "", "example.com.", "EXAMPLE.com:444"} {
				a := send(t, s, "GET", "/", func(r *http.Request) { r.Host = host })
				for _, what := range unprotected("/", a.Status, a.Header, https) {
					t.Errorf("host %q: %s", host, what)
				}
			}
		})
	}
}

// send sends a request without any cookies, changed by change.
func send(t *testing.T, s *workertest.Server, method, path string, change func(*http.Request)) *workertest.Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	return s.Browser(t).Do(req)
}

func TestAWorkerThatIsStartingIsProtectedToo(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	w, err := worker.New(workertest.Settings(t, s.URL, workertest.Options{}), worker.Options{DB: s.DB})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range everyRoute(t) {
		r := httptest.NewRequest("GET", s.URL+path, nil)
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, r)
		want := http.StatusServiceUnavailable
		if path == route.Live {
			want = http.StatusOK
		}
		if rec.Code != want || want != http.StatusOK && rec.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d, Retry-After %q", path, rec.Code, rec.Header().Get("Retry-After"))
		}
		for _, what := range unprotected("", rec.Code, rec.Header(), false) {
			t.Errorf("%s: %s", path, what)
		}
	}
}

// payloads are what must come out of no page as it went in.
var payloads = []string{
	`<xss-canary>`, `"><xss-canary>`, `'><xss-canary>`, `</title><xss-canary>`, `</textarea></style></script><xss-canary>`,
	`" onmouseover="xss" x="`, `' onmouseover='xss' x='`, `javascript:xss()//`, `{{.Page}}`, `<!--<xss-canary>-->`, "\u2028<xss-canary>", `&lt;xss-canary&gt;`, `%3Cxss-canary%3E`,
}

// alive returns what of a page a payload has brought to life.
func alive(t *testing.T, body string) []string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for n := range doc.Descendants() {
		if n.Type == html.CommentNode && strings.Contains(n.Data, "xss") || n.Type == html.ElementNode && n.Data == "xss-canary" {
			found = append(found, n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") && a.Key != "value" {
				found = append(found, a.Key+"="+a.Val)
			}
			if (a.Key == "src" || n.Data == "link" && a.Key == "href") && !strings.HasPrefix(a.Val, "/static/") {
				found = append(found, "loads "+a.Val)
			}
		}
	}
	return found
}

func TestNothingThatIsSentComesAliveInAPage(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	asks := s.Client(t, "asks")
	for _, payload := range payloads {
		t.Run("1.K 132 134 "+payload, func(t *testing.T) {
			b := s.Browser(t)
			q := url.QueryEscape(payload)
			check := func(a *workertest.Answer) *workertest.Answer {
				t.Helper()
				for _, what := range alive(t, a.Body) {
					t.Errorf("%.60s: %s", a.URL, what)
				}
				if found := openPolicy(a.Header); len(found) > 0 {
					t.Errorf("%.60s: %s", a.URL, found)
				}
				return a
			}
			for _, path := range []string{
				"/authorize?error=" + q + "&error_description=" + q, "/authorize?client_id=" + q, asks.Authorize("redirect_uri", payload),
				asks.Authorize("scope", payload), "/callback/local?state=" + q + "&error=access_denied&error_description=" + q + "&iss=" + q,
				"/login?attempt=" + q, "/consent?attempt=" + q, "/authorize?again=" + q, "/logout?client_id=" + q + "&ui_locales=" + q + "&post_logout_redirect_uri=" + q,
				"/logout/done?state=" + q, "/" + url.PathEscape(payload), "/login/" + url.PathEscape(payload) + "?attempt=x",
			} {
				check(b.Get(path))
			}
			login := check(b.Follow(b.Get(asks.Authorize("login_hint", payload, "ui_locales", payload, "state", payload, "nonce", payload))))
			wrong := check(b.Submit(login.Form(t, "password"), "login", payload, "password", payload))
			consent := check(b.SignIn(wrong, "ann", workertest.Password))
			if !consent.Has("allow") {
				t.Fatalf("no consent page: %d", consent.Status)
			}
			back := b.Follow(b.Submit(consent.Form(t, "allow"), "answer", "allow"))
			if back.Param("state") != payload {
				t.Errorf("state %q came back as %q", payload, back.Param("state"))
			}
			check(b.Get("/logout?ui_locales=" + q + "&state=" + q + "&logout_hint=" + q))
			page := b.Follow(b.Get(asks.Authorize("response_mode", "form_post", "state", payload, "prompt", "consent")))
			check(b.Follow(b.Submit(page.Form(t, "allow"), "answer", "allow")))
		})
	}
}

func TestNothingThatIsSentBecomesAHeader(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	app := s.Client(t, "app")
	for _, payload := range []string{"\r\nX-Injected: 1", "\nX-Injected: 1", "\rX-Injected: 1", "\u0085X-Injected: 1", "a\x00b", "\u010d\u010aX-Injected: 1"} {
		t.Run(fmt.Sprintf("1.K 135 %q", payload), func(t *testing.T) {
			b := s.Browser(t)
			q := url.QueryEscape(payload)
			check := func(a *workertest.Answer) {
				t.Helper()
				for name, values := range a.Header {
					for _, v := range values {
						if strings.Contains(name+v, "\r") || strings.Contains(name+v, "\n") || strings.Contains(name, "Injected") || strings.ContainsRune(v, 0) {
							t.Errorf("%.60s: %s: %q", a.URL, name, v)
						}
					}
				}
			}
			for _, path := range []string{
				app.Authorize("state", "x"+payload, "prompt", "none"), app.Authorize("ui_locales", payload), app.Authorize("redirect_uri", app.RedirectURI+payload),
				app.Authorize("response_mode", payload), app.Authorize("connector_id", payload), "/login?attempt=" + q, "/login/x" + q + "?attempt=x", "/authorize?attempt=" + q,
				"/callback/local?state=" + q, "/callback/x" + q, "/logout?state=" + q + "&post_logout_redirect_uri=" + q + "&ui_locales=" + q, "/static/x" + q,
			} {
				check(b.Get(path))
			}
			b.Header.Set("Accept-Language", "de;q=0.5")
			check(b.Post("/callback/local", url.Values{"state": {payload}}))
			check(b.CrossPost("/logout", url.Values{"state": {payload}, "client_id": {payload}}))
		})
	}
}

// Chromium holds every redirect that follows a form to form-action, and where an
// application sends people on to is its own affair (TestTheChainInABrowser of
// test/e2e fails if it is stopped). So a page that leads to one has none.
func TestAFormThatLeadsToAnApplicationIsNotStoppedOnItsWay(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	formAction := func(a *workertest.Answer) string {
		for part := range strings.SplitSeq(a.Header.Get("Content-Security-Policy"), ";") {
			if sources, ok := strings.CutPrefix(strings.TrimSpace(part), "form-action "); ok {
				return sources
			}
		}
		return "anywhere"
	}
	for _, test := range []struct{ client, redirect string }{
		{client: "asks", redirect: "https://asks.example.com/cb"},
		{client: "native", redirect: "http://127.0.0.1:49152/cb"},
		{client: "native", redirect: "com.example.native:/cb"},
	} {
		t.Run("1.K 133 "+test.redirect, func(t *testing.T) {
			b := s.Browser(t)
			c := s.Client(t, test.client)
			c.RedirectURI = test.redirect
			login := b.Follow(b.Get(c.Authorize("prompt", "consent")))
			wrong := b.Submit(login.Form(t, "password"), "login", "ann", "password", "wrong")
			consent := b.SignIn(wrong, "ann", workertest.Password)
			for name, page := range map[string]*workertest.Answer{"the login page": login, "after a wrong password": wrong, "the consent page": consent} {
				if got := formAction(page); got != "anywhere" {
					t.Errorf("%s: forms lead to %s", name, got)
				}
			}
			if back := b.Follow(b.Submit(consent.Form(t, "allow"), "answer", "allow")); !strings.HasPrefix(back.Header.Get("Location"), test.redirect) {
				t.Errorf("in the end they lead to %q", back.Header.Get("Location"))
			}
		})
	}
	t.Run("1.K 133 a page that is not an application's", func(t *testing.T) {
		for _, path := range []string{"/", "/nowhere", "/authorize?client_id=app&redirect_uri=https://evil.example.com"} {
			if got := formAction(s.Browser(t).Get(path)); got != "'self'" {
				t.Errorf("%s: forms lead to %s", path, got)
			}
		}
	})
}
