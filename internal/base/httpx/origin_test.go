package httpx

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAChangeMustComeFromOurOwnPage(t *testing.T) {
	const self = "https://id.example"
	for _, test := range []struct {
		name   string
		method string
		site   []string // Sec-Fetch-Site
		origin []string
		more   http.Header
		want   int
	}{
		{name: "our own form", site: []string{"same-origin"}, origin: []string{self}, want: 200},
		{name: "our own form from a browser that hides the origin", site: []string{"same-origin"}, want: 200},
		{name: "our own form from an older browser", origin: []string{self}, want: 200},

		{name: "neither header", want: 403},
		{name: "neither header, with a referrer of ours", more: http.Header{"Referer": {self + "/login"}}, want: 403},
		{name: "another site", site: []string{"cross-site"}, origin: []string{"https://evil.example"}, want: 403},
		{name: "another site that claims our origin", site: []string{"cross-site"}, origin: []string{self}, want: 403},
		{name: "our site, but another origin of it", site: []string{"same-site"}, origin: []string{"https://other.id.example"}, want: 403},
		{name: "our site without an origin", site: []string{"same-site"}, want: 403},
		{name: "a person's own doing cannot be a POST", site: []string{"none"}, want: 403},
		{name: "a person's own doing with our origin", site: []string{"none"}, origin: []string{self}, want: 403},
		{name: "an origin that is null", origin: []string{"null"}, want: 403},
		{name: "an origin that is null, said to be ours", site: []string{"same-origin"}, origin: []string{"null"}, want: 403},
		{name: "an origin that is empty", origin: []string{""}, want: 403},
		{name: "a site that is empty", site: []string{""}, origin: []string{self}, want: 403},
		{name: "two sites", site: []string{"same-origin", "cross-site"}, origin: []string{self}, want: 403},
		{name: "two origins", origin: []string{self, "https://evil.example"}, want: 403},
		{name: "two values in one line", site: []string{"same-origin, cross-site"}, want: 403},
		{name: "another capitalisation", site: []string{"Same-Origin"}, want: 403},
		{name: "a subdomain", origin: []string{"https://a.id.example"}, want: 403},
		{name: "a parent domain", origin: []string{"https://example"}, want: 403},
		{name: "an extended domain", origin: []string{"https://id.example.evil.example"}, want: 403},
		{name: "another port", origin: []string{"https://id.example:8443"}, want: 403},
		{name: "the default port said", origin: []string{"https://id.example:443"}, want: 403},
		{name: "another scheme", origin: []string{"http://id.example"}, want: 403},
		{name: "a path behind it", origin: []string{self + "/"}, want: 403},

		{name: "JSON posing as text", site: []string{"cross-site"}, more: http.Header{"Content-Type": {"text/plain"}}, want: 403},
		{name: "a file", site: []string{"cross-site"}, more: http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, want: 403},
		{name: "a method override", more: http.Header{"X-Http-Method-Override": {"GET"}}, want: 403},
		{name: "a script's header", more: http.Header{"X-Requested-With": {"XMLHttpRequest"}}, want: 403},
		{name: "PUT", method: "PUT", site: []string{"cross-site"}, want: 403},
		{name: "DELETE without headers", method: "DELETE", want: 403},
		{name: "a preflight", method: "OPTIONS", origin: []string{"https://evil.example"}, want: 403},
		{name: "a method in small letters", method: "get", want: 403},
		{name: "an invented method", method: "MERGE", want: 403},

		{name: "GET by a link on another site", method: "GET", site: []string{"cross-site"}, want: 200},
		{name: "GET by a person's own doing", method: "GET", site: []string{"none"}, want: 200},
		{name: "GET without headers", method: "GET", want: 200},
		{name: "HEAD", method: "HEAD", site: []string{"cross-site"}, want: 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			reached := false
			h := Handle(SameOrigin(self, func(w http.ResponseWriter, _ *http.Request) error {
				reached = true
				_, err := io.WriteString(w, "ok")
				return err
			}), answer)
			r := httptest.NewRequest("POST", "https://id.example/login/local", nil)
			if test.method != "" {
				r.Method = test.method
			}
			for name, value := range test.more {
				r.Header[name] = value
			}
			if test.site != nil {
				r.Header["Sec-Fetch-Site"] = test.site
			}
			if test.origin != nil {
				r.Header["Origin"] = test.origin
			}
			if got := do(h, r).StatusCode; got != test.want || reached != (test.want == 200) {
				t.Errorf("status %d, reached %v, want %d", got, reached, test.want)
			}
		})
	}
}
