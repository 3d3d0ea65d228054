package worker_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dex/internal/app/config"
	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
)

// isErrorPage holds an answer to what a person is shown where nobody else may be
// told: a page with a support code, and no way on to anywhere.
func isErrorPage(t *testing.T, a *workertest.Answer, status int, what string) {
	t.Helper()
	if a.Status != status || a.Header.Get("Location") != "" || !a.Has("support-code") || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%s: status %d, location %q, type %q, support code %v; want an error page with %d",
			what, a.Status, a.Header.Get("Location"), a.Header.Get("Content-Type"), a.Has("support-code"), status)
	}
}

// isTold holds an answer to being an error response that the client gets at its
// redirect URI: with who says so, and with nothing that the standards do not know.
func isTold(t *testing.T, s *workertest.Server, a *workertest.Answer, redirectURI, code, what string) {
	t.Helper()
	to := a.Location()
	if a.Status != http.StatusSeeOther || to == nil || !strings.HasPrefix(to.String(), redirectURI) {
		t.Errorf("%s: status %d, location %q; want %s at %s", what, a.Status, a.Header.Get("Location"), code, redirectURI)
		return
	}
	query := to.Query()
	if query.Get("error") != code || query.Get("iss") != s.URL {
		t.Errorf("%s: told %q by %q, want %s by %s (%s)", what, query.Get("error"), query.Get("iss"), code, s.URL, query.Get("error_description"))
	}
	before, _ := url.Parse(redirectURI)
	for name, values := range query {
		switch name {
		case "error", "error_description", "state", "iss":
		default:
			if !before.Query().Has(name) {
				t.Errorf("%s: the error response has a member %q", what, name)
			}
		}
		if len(values) != 1 {
			t.Errorf("%s: %s comes %d times", what, name, len(values))
		}
	}
}

// lookalikes are addresses that somebody might take for a registered one.
func lookalikes(scheme, host, path, query string) []string {
	registered := scheme + "://" + host + path + query
	all := []string{
		strings.ToUpper(registered), strings.ToUpper(scheme) + "://" + host + path + query, scheme + "://" + strings.ToUpper(host) + path + query,
		scheme + "://" + strings.ToUpper(host[:1]) + host[1:] + path + query, scheme + ":/" + host + path + query, scheme + ":" + host + path + query,
		scheme + ":///" + host + path + query, scheme + ":\\\\" + host + path + query, "//" + host + path + query, path + query, host + path + query,
	}
	for i := range path {
		if path[i] != '/' {
			all = append(all,
				scheme+"://"+host+path[:i]+fmt.Sprintf("%%%02x", path[i])+path[i+1:]+query,
				scheme+"://"+host+path[:i]+fmt.Sprintf("%%%02X", path[i])+path[i+1:]+query,
				scheme+"://"+host+path[:i]+fmt.Sprintf("%%25%02x", path[i])+path[i+1:]+query,
				scheme+"://"+host+path[:i]+"."+path[i+1:]+query,
				scheme+"://"+host+path[:i]+strings.ToUpper(path[i:i+1])+path[i+1:]+query,
				scheme+"://"+host+path[:i]+path[i+1:]+query)
		}
	}
	for i := range host {
		if host[i] == '.' {
			all = append(all, scheme+"://"+host[:i]+"x"+host[i+1:]+path+query, scheme+"://"+host[:i]+"%2e"+host[i+1:]+path+query,
				scheme+"://"+host[:i]+"\u3002"+host[i+1:]+path+query, scheme+"://"+host[:i]+"\uff0e"+host[i+1:]+path+query,
				scheme+"://"+host[:i]+host[i+1:]+path+query, scheme+"://"+host[:i]+".."+host[i+1:]+path+query)
		} else {
			all = append(all, scheme+"://"+host[:i]+fmt.Sprintf("%%%02x", host[i])+host[i+1:]+path+query)
		}
	}
	for _, tail := range []string{
		"/", "//", "/.", "/..", "/../", "/%2e%2e/", "/..;/", ";x", ";", "?", "?x", "&x=1", "&", "#", "#f", "#/../x", "%00", "%0d%0a", "%20", "%09",
		"\x00", "\r\n", "\r\nLocation: https://evil.example", "\t", " ", "\\", "/x", ".", "~", "*", "@evil.example", ".evil.example", "\u00e9", "\u2028", "\xff", "\x7f", "'", "\"", "<", ",https://evil.example/",
	} {
		all = append(all, registered+tail, scheme+"://"+host+path+tail+query+"_")
	}
	for _, head := range []string{" ", "\t", "\n", "\x00", "\ufeff", "//", "/", "https:", "javascript:", "url:", "view-source:", "data:text/html,", "https://evil.example/?"} {
		all = append(all, head+registered)
	}
	for _, h := range []string{
		"evil.example", host + ".evil.example", host + "evil.example", "evil.example." + host, host + "@evil.example", "evil.example@" + host, "user:pw@" + host, "@" + host,
		host + ":443", host + ":0", host + ":", host + ":443@evil.example", "evil.example%23@" + host, "evil.example%2f@" + host, "evil.example\\@" + host, "evil.example\\." + host,
		"evil.example/" + host, "evil.example?" + host, "evil.example#" + host, "evil.example#@" + host, host + ".", "." + host, "*." + host, "x" + host, host + "x",
		host + "%00.evil.example", host + "\t.evil.example", host + ",evil.example", host + ";evil.example", " " + host, "[" + host + "]", "[::1]", "127.0.0.1", "",
		strings.Replace(host, "a", "\u0430", 1), strings.Replace(host, "e", "\u0435", 1), "xn--" + host,
	} {
		all = append(all, scheme+"://"+h+path+query)
	}
	for _, other := range []string{"http", "ftp", "javascript", "data", "file", "ws", "httpss", scheme + ":" + scheme, ""} {
		all = append(all, other+"://"+host+path+query)
	}
	for _, p := range []string{"", "/", "//cb", "/./cb", "/x/../cb", "/cb/..", "/%2e/cb", "/cb%2f", "/cb%3f", "\\cb", "/\\cb", "/*", "/c*", "/.*", "/cbx", "/cb.", "/\u0441b"} {
		all = append(all, scheme+"://"+host+p+query)
	}
	for _, q := range []string{"?code=x", "?state=x", "?x=1&x=1", "?X=1", "?x=2", "?x=1&", "?&x=1", "?x=1#", "?x=1%20", "?x=", "?%78=1", "?x=1&redirect_uri=https://evil.example", "?x=1;y=2"} {
		all = append(all, scheme+"://"+host+path+q)
	}
	kept := all[:0]
	for _, uri := range all {
		if uri != registered {
			kept = append(kept, uri)
		}
	}
	return kept
}

func TestOnlyARegisteredAddressGetsAnAnswer(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "asks")
	b := s.Browser(t)
	for _, registered := range []struct{ host, path, query string }{
		{"asks.example.com", "/cb", ""},
		{"asks.example.com", "/other", "?x=1"},
	} {
		uri := "https://" + registered.host + registered.path + registered.query
		t.Run("1.A 1 nothing that looks like "+uri, func(t *testing.T) {
			corpus := lookalikes("https", registered.host, registered.path, registered.query)
			if len(corpus) < 200 {
				t.Errorf("only %d cases", len(corpus))
			}
			for _, asked := range corpus {
				isErrorPage(t, b.Get("/authorize?"+c.AuthorizeParams("redirect_uri", asked).Encode()), http.StatusBadRequest, fmt.Sprintf("%q", asked))
			}
		})
		t.Run("1.A 1 but "+uri+" itself", func(t *testing.T) {
			a := b.Get(c.Authorize("redirect_uri", uri, "prompt", "none"))
			isTold(t, s, a, uri, "login_required", uri)
			if registered.query != "" && !strings.HasPrefix(a.Header.Get("Location"), uri+"&") {
				t.Errorf("the query of the registered address is not kept: %s", a.Header.Get("Location"))
			}
		})
	}
}

func TestWithoutAClientAndAnAddressNobodyIsSentAnywhere(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	b := s.Browser(t)
	wrongs := map[string][]string{
		"nothing else":            nil,
		"a scope":                 {"scope", "unicorns"},
		"a response type":         {"response_type", "token"},
		"no response type":        {"response_type", ""},
		"no challenge":            {"code_challenge", "", "code_challenge_method", ""},
		"a plain challenge":       {"code_challenge_method", "plain"},
		"prompt=none":             {"prompt", "none"},
		"a prompt":                {"prompt", "dance"},
		"a response mode":         {"response_mode", "smoke"},
		"a request object":        {"request", "e30.e30."},
		"a request uri":           {"request_uri", "https://evil.example/r"},
		"a state that is too big": {"state", strings.Repeat("s", 3000)},
		"a max_age":               {"max_age", "soon"},
	}
	places := map[string][]string{
		"an unknown client":                             {"client_id", "nobody"},
		"no client":                                     {"client_id", ""},
		"an unregistered address":                       {"redirect_uri", "https://evil.example/cb"},
		"no address":                                    {"redirect_uri", ""},
		"an unknown client with an address":             {"client_id", "nobody", "redirect_uri", "https://evil.example/cb"},
		"another client's address":                      {"redirect_uri", "https://asks.example.com/cb"},
		"a client's name in capitals":                   {"client_id", "APP"},
		"a client's name with a zero byte":              {"client_id", "app\x00"},
		"a script for an address":                       {"redirect_uri", "javascript:alert(1)"},
		"a client and an address that are both missing": {"client_id", "", "redirect_uri", ""},
	}
	for place, here := range places {
		t.Run("1.A 2 "+place, func(t *testing.T) {
			for what, wrong := range wrongs {
				params := c.AuthorizeParams(append(append([]string{}, wrong...), here...)...)
				isErrorPage(t, b.Get("/authorize?"+params.Encode()), http.StatusBadRequest, "GET, wrong besides: "+what)
				isErrorPage(t, b.CrossPost("/authorize", params), http.StatusBadRequest, "POST, wrong besides: "+what)
			}
		})
	}
	t.Run("1.A 2 a client that is disabled", func(t *testing.T) {
		if err := s.Tenant.DisableClient(t.Context(), "app", audit.By{At: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		isErrorPage(t, b.Get(c.Authorize()), http.StatusBadRequest, "disabled")
	})
}

func TestTheAddressOfANativeClient(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "native")
	b := s.Browser(t)
	t.Run("1.A 5 any port of a loopback literal", func(t *testing.T) {
		for _, uri := range []string{"http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:49152/cb", "http://127.0.0.1:65535/cb", "http://[::1]/cb", "http://[::1]:61000/cb"} {
			isTold(t, s, b.Get(c.Authorize("redirect_uri", uri, "prompt", "none")), uri+"?", "login_required", uri)
		}
	})
	t.Run("1.A 5 nothing else about it", func(t *testing.T) {
		for _, uri := range []string{
			"http://127.0.0.1:49152/", "http://127.0.0.1:49152/cb/", "http://127.0.0.1:49152/CB", "http://127.0.0.1:49152/cb?x=1", "http://127.0.0.1:49152/cb#", "https://127.0.0.1:49152/cb",
			"http://127.0.0.1:0/cb", "http://127.0.0.1:65536/cb", "http://127.0.0.1:/cb", "http://127.0.0.1:080/cb", "http://127.0.0.1:+80/cb", "http://127.0.0.1:80:80/cb",
			"http://127.0.0.1.evil.example/cb", "http://127.0.0.1:80@evil.example/cb", "http://127.0.0.1@evil.example/cb", "http://evil.example@127.0.0.1/cb", "http://127.0.0.1\\@evil.example/cb",
			"http://127.1/cb", "http://0x7f.1/cb", "http://0177.0.0.1/cb", "http://2130706433/cb", "http://127.0.0.2/cb", "http://127.000.000.001/cb", "http://127.0.0.1./cb", "http://0.0.0.0/cb",
			"http://[::ffff:127.0.0.1]/cb", "http://[0:0:0:0:0:0:0:1]/cb", "http://[::1%25lo]/cb", "http://[::]/cb", "http://localhost/cb", "http://localhost.:49152/cb", "http://localhost:49152/cb",
		} {
			isErrorPage(t, b.Get("/authorize?"+c.AuthorizeParams("redirect_uri", uri).Encode()), http.StatusBadRequest, uri)
		}
	})
	t.Run("1.A 5 the code is bound to the port that was asked for", func(t *testing.T) {
		code := c.Code(s.Browser(t), "redirect_uri", "http://127.0.0.1:50001/cb")
		if got := c.Redeem(code, "redirect_uri", "http://127.0.0.1:50002/cb"); got.Error != "invalid_grant" {
			t.Errorf("another port: %d %s", got.Status, got.Error)
		}
		if got := c.Redeem(code, "redirect_uri", "http://127.0.0.1:50001/cb"); got.Status != http.StatusOK {
			t.Errorf("the same port: %d %s", got.Status, got.Error)
		}
	})
	t.Run("1.A 8 a scheme of its own is asked for consent each time", func(t *testing.T) {
		b := s.Browser(t)
		for range 2 {
			a := b.Follow(b.Get(c.Authorize("redirect_uri", "com.example.native:/cb")))
			if a.Has("password") {
				a = b.SignIn(a, "ann", workertest.Password)
			}
			a = b.Follow(b.Submit(a.Form(t, "allow"), "answer", "allow", "remember", "1"))
			if got := a.Header.Get("Location"); !strings.HasPrefix(got, "com.example.native:/cb?") || a.Param("code") == "" {
				t.Fatalf("got %d %q", a.Status, got)
			}
		}
		isTold(t, s, b.Get(c.Authorize("redirect_uri", "com.example.native:/cb", "prompt", "none")), "com.example.native:/cb?", "consent_required", "prompt=none")
		if a := b.Get(c.Authorize()); a.Param("code") == "" {
			t.Errorf("the same client at a loopback address is asked: %d %s", a.Status, a.Header.Get("Location"))
		}
	})
	t.Run("1.A 8 a scheme of its own demands PKCE", func(t *testing.T) {
		a := s.Browser(t).Get(c.Authorize("redirect_uri", "com.example.native:/cb", "code_challenge", "", "code_challenge_method", ""))
		isTold(t, s, a, "com.example.native:/cb?", "invalid_request", "no challenge")
	})
}

// configured reads a configuration with one client, and returns what is wrong.
func configured(t *testing.T, client string) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dex.yaml")
	text := "issuer: http://127.0.0.1:5556\nkey_secrets: [\"ZGV4IHRlc3RzIGRleCB0ZXN0cyBkZXggdGVzdHMgMTI=\"]\ndb: sqlite:unused\nclients:\n- " + client + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(config.Source{Environ: []string{config.EnvPrefix + "CONFIG=" + file}})
	return err
}

func TestWhichAddressesMayBeRegistered(t *testing.T) {
	web := func(uri string) string { return fmt.Sprintf("{id: x, secret: s, redirect_uris: [%q]}", uri) }
	native := func(uri string) string {
		return fmt.Sprintf("{id: x, public: true, native: true, redirect_uris: [%q]}", uri)
	}
	t.Run("1.A 6 plain http leads to the machine itself or not at all", func(t *testing.T) {
		for uri, good := range map[string]bool{
			"https://app.example.com/cb": true, "http://127.0.0.1/cb": true, "http://[::1]:8080/cb": true, "http://localhost:8080/cb": true,
			"http://app.example.com/cb": false, "http://localhost.evil.example/cb": false, "http://127.0.0.1.evil.example/cb": false, "http://10.0.0.1/cb": false,
			"http://127.1/cb": false, "http://[::ffff:127.0.0.1]/cb": false, "http://0.0.0.0/cb": false,
		} {
			for _, client := range []string{web(uri), native(uri)} {
				if err := configured(t, client); (err == nil) != good {
					t.Errorf("%s: %v", client, err)
				}
			}
		}
	})
	t.Run("1.A 7 no address runs what it names", func(t *testing.T) {
		fields := map[string]string{
			"redirect_uris":             "{id: x, public: true, native: true, redirect_uris: [%s]}",
			"post_logout_redirect_uris": "{id: x, public: true, native: true, redirect_uris: ['https://a.example/cb'], post_logout_redirect_uris: [%s]}",
			"policy_url":                "{id: x, secret: s, redirect_uris: ['https://a.example/cb'], policy_url: %s}",
			"terms_url":                 "{id: x, secret: s, redirect_uris: ['https://a.example/cb'], terms_url: %s}",
			"allowed_origins":           "{id: x, secret: s, redirect_uris: ['https://a.example/cb'], allowed_origins: [%s]}",
		}
		for field, client := range fields {
			if err := configured(t, fmt.Sprintf(client, "'https://b.example'")); err != nil {
				t.Errorf("%s: a plain address is refused: %v", field, err)
			}
		}
		for _, scheme := range []string{"javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem"} {
			for _, uri := range []string{
				scheme + ":alert(1)", scheme + "://alert(1)", strings.ToUpper(scheme) + ":alert(1)", strings.ToUpper(scheme[:1]) + scheme[1:] + ":alert(1)",
				" " + scheme + ":alert(1)", "\t" + scheme + ":alert(1)", scheme[:2] + "\n" + scheme[2:] + ":alert(1)", scheme[:2] + "\x00" + scheme[2:] + ":alert(1)",
				scheme[:2] + "&#10;" + scheme[2:] + ":alert(1)", "\u0001" + scheme + ":alert(1)", scheme + "&colon;alert(1)", scheme + "\t:alert(1)",
			} {
				for field, client := range fields {
					if err := configured(t, fmt.Sprintf(client, fmt.Sprintf("%q", uri))); err == nil {
						t.Errorf("%s: %q is taken", field, uri)
					}
				}
			}
		}
	})
	t.Run("1.A 8 a scheme of its own is a domain's name reversed, and for native clients", func(t *testing.T) {
		for client, good := range map[string]bool{
			native("com.example.app:/cb"): true, native("com.example.app://cb"): true,
			native("myapp:/cb"): false, native("myapp://cb"): false, native("com.example.app:cb"): false, native("urn:ietf:wg:oauth:2.0:oob"): false,
			web("com.example.app:/cb"): false,
		} {
			if err := configured(t, client); (err == nil) != good {
				t.Errorf("%s: %v", client, err)
			}
		}
	})
}
