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
			policy: Policy{Script: true, RemoteImages: true, Frames: true},
			want: "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data: https:; frame-src https: http:; font-src 'self'; connect-src 'none'; frame-ancestors 'none'; base-uri 'none'; " +
				"form-action 'self'",
		},
		{
			name:   "a page whose form leads to an application, and on to wherever that leads",
			policy: Policy{LeadsOut: true},
			want:   "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'none'; frame-ancestors 'none'; base-uri 'none'",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.policy.Header(); got != test.want {
				t.Errorf("got\n%s, want\n%s", got, test.want)
			}
		})
	}
}

func TestAFormIsSentToAPlace(t *testing.T) {
	for uri, want := range map[string]bool{
		"https://app.example/callback?x=1":     true,
		"http://127.0.0.1:5555/callback":       true,
		"http://[::1]:5555/callback":           true,
		"com.example.app:/oauth2redirect":      true,
		"com.example.app://callback":           true,
		"javascript:alert(1)":                  false,
		"JavaScript:alert(1)":                  false,
		"data:text/html,x":                     false,
		"vbscript:x":                           false,
		"blob:https://app.example/x":           false,
		"view-source:https://app.example/x":    false,
		"https:///nowhere":                     false,
		"https:nowhere":                        false,
		"/relative":                            false,
		"//app.example/":                       false,
		"":                                     false,
		"https://a.example%0d%0aX: y/":         false,
		"https://app.example\r\nX-Injected: y": false,
	} {
		if got := TakesForm(uri); got != want {
			t.Errorf("%q: got %v, want %v", uri, got, want)
		}
	}
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
