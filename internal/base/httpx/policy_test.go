package httpx

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAPolicyNamesWhatAPageNeeds(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy Policy
		want   string
	}{
		{
			name: "a plain page",
			want: "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
		},
		{
			name:   "a page with all there is",
			policy: Policy{FormAction: []string{"https://app.example", "com.example.app:", "http://127.0.0.1:8080"}, Script: true, RemoteImages: true},
			want: "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data: https:; font-src 'self'; connect-src 'none'; frame-ancestors 'none'; base-uri 'none'; " +
				"form-action 'self' https://app.example com.example.app: http://127.0.0.1:8080",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.policy.Header(); got != test.want {
				t.Errorf("got\n%s, want\n%s", got, test.want)
			}
		})
	}
}

func TestNothingGetsIntoAPolicyThroughAForm(t *testing.T) {
	plain := Policy{}.Header()
	for _, source := range []string{
		"", "*", "https:*", "https://*", "https://*.example", "'unsafe-inline'", "'none'", "https://a.example; script-src *",
		"https://a.example,https://b.example", "https://a.example https://b.example", "https://a.example\r\nSet-Cookie: x=y",
		"https://a.example\x00", "https://a.example/path", "https://a.example?q", "https://user@a.example", "https://a.example:", "https://a.example:x",
		"https://a.example:123456", "//a.example", "a.example", "javascript:", "data:", "JavaScript:", "HTTPS://a.example", "https://ä.example",
		"https://[::1]", "https://a.example:80:80", "https:// a.example", ":", "1a:", "blob:", "view-source:", "filesystem:", "vbscript:", "file:", "about:",
	} {
		if got := (Policy{FormAction: []string{source}}).Header(); got != plain {
			t.Errorf("%q got in: %s", source, got)
		}
	}
}

func TestAFormMayEndWhereItsAddressSays(t *testing.T) {
	for uri, want := range map[string]string{
		"https://app.example/callback?x=1":       "https://app.example",
		"https://App.Example:8443/callback":      "https://app.example:8443",
		"http://127.0.0.1:5555/callback":         "http://127.0.0.1:5555",
		"http://[::1]:5555/callback":             "http:",
		"com.example.app:/oauth2redirect":        "com.example.app:",
		"com.example.app://callback":             "com.example.app:",
		"https://user@app.example/":              "https://app.example",
		"javascript:alert(1)":                    "",
		"data:text/html,x":                       "",
		"https://a.example;script-src/":          "",
		"https:///nowhere":                       "",
		"https://a'unsafe-inline'.example/":      "",
		"https://bücher.example/":                "",
		"/relative":                              "",
		"":                                       "",
		"https://a.example%0d%0aX: y/":           "",
		"https://a.example,b.example/":           "",
		"https://*.example/":                     "",
		"urn:ietf:wg:oauth:2.0:oob":              "urn:",
		"https://app.example\r\nX-Injected: yes": "",
	} {
		got, ok := FormTarget(uri)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", uri, got, want)
		}
	}
}

func FuzzFormTarget(f *testing.F) {
	for _, s := range []string{"https://app.example/cb", "com.example.app:/x", "http://[::1]:80/", "https://a;b,c d'e\r\n", "javascript:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		source, ok := FormTarget(uri)
		got := Policy{FormAction: []string{source, uri}}.Header()
		if strings.Count(got, ";") != strings.Count(Policy{}.Header(), ";") || strings.ContainsAny(got, ",*\r\n\x00\"<>") {
			t.Errorf("%q got into the policy: %s", uri, got)
		}
		if ok && !strings.HasSuffix(got, " "+source) && !strings.HasSuffix(got, " "+source+" "+uri) {
			t.Errorf("%q is a source and not in the policy: %s", source, got)
		}
	})
}

func TestEveryAnswerCarriesTheHeaders(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", Policy{}.Header())
		_, _ = io.WriteString(w, "page")
	})
	mux.Handle("POST /fails", Handle(func(http.ResponseWriter, *http.Request) error { panic("x") }, answer))
	h := Headers(mux, true)
	for _, test := range []struct {
		name, method, path string
		status             int
		policy             string
	}{
		{"a page", "GET", "/page", 200, Policy{}.Header()},
		{"a wrong path", "GET", "/nowhere", 404, closed},
		{"a wrong method", "DELETE", "/page", 405, closed},
		{"a failure", "POST", "/fails", 500, closed},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := do(h, httptest.NewRequest(test.method, test.path, nil))
			if got.StatusCode != test.status {
				t.Errorf("status %d, want %d", got.StatusCode, test.status)
			}
			for name, want := range map[string]string{
				"Cache-Control": "no-store", "Content-Security-Policy": test.policy, "Cross-Origin-Opener-Policy": "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
				"X-Frame-Options": "DENY", "Strict-Transport-Security": "max-age=31536000",
			} {
				if all := got.Header.Values(name); len(all) != 1 || all[0] != want {
					t.Errorf("%s is %q, want %q", name, all, want)
				}
			}
			if !strings.Contains(got.Header.Get("Permissions-Policy"), "publickey-credentials-get=(self)") {
				t.Errorf("Permissions-Policy is %q", got.Header.Get("Permissions-Policy"))
			}
		})
	}
	// What one answer sets must not stay in the next, though they share values.
	if got := do(h, httptest.NewRequest("GET", "/nowhere", nil)).Header.Get("Content-Security-Policy"); got != closed {
		t.Errorf("after a page, an error's policy is %q", got)
	}
	if got := do(Headers(mux, false), httptest.NewRequest("GET", "/page", nil)).Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("over http: %q", got)
	}
}
