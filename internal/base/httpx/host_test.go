package httpx

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
)

func address(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })

func TestARequestMayNameAnIssuersHostInTheseWays(t *testing.T) {
	for _, test := range []struct {
		name, issuer string
		want         []string
	}{
		{"with the default port and without", "https://id.example", []string{"id.example", "id.example:443"}},
		{"in small letters", "HTTPS://ID.Example/dex", []string{"id.example", "id.example:443"}},
		{"whether or not the issuer says the default port", "https://id.example:443", []string{"id.example", "id.example:443"}},
		{"with the default port of http", "http://localhost", []string{"localhost", "localhost:80"}},
		{"only with a port of its own", "http://127.0.0.1:5556", []string{"127.0.0.1:5556"}},
		{"the default port of the other scheme is one of its own", "https://id.example:80", []string{"id.example:80"}},
		{"as an address of IPv6", "http://[::1]:5556", []string{"[::1]:5556"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Names(address(t, test.issuer)); !slices.Equal(got, test.want) {
				t.Errorf("%s: got %q, want %q", test.issuer, got, test.want)
			}
		})
	}
}

func TestAnOriginIsWrittenAsBrowsersDo(t *testing.T) {
	for in, want := range map[string]string{
		"https://ID.example/dex": "https://id.example", "https://id.example:443": "https://id.example", "http://id.example:443": "http://id.example:443",
		"http://127.0.0.1:5556": "http://127.0.0.1:5556", "http://localhost:80/x": "http://localhost", "http://[::1]:5556": "http://[::1]:5556",
	} {
		if got := Origin(address(t, in)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestAPathIsWrittenOneWay(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/", ok)
	mux.Handle("/login/{connector}", ok)
	for target, want := range map[string]int{
		"/": 200, "/authorize": 200, "/login/ldap": 200, "/static/": 200, "/.well-known/openid-configuration": 200, "/login/a%20b": 200,
		"//": 404, "//authorize": 404, "/login//ldap": 404, "/./authorize": 404, "/login/../token": 404, "/login/%2e%2e/token": 404, "/%2e/token": 404,
		"/login%2fldap": 404, "/login%2Fldap": 404, "/login/a%5cb": 404, "/login/a%5Cb": 404, "/login/%00": 404, "/login/%0d%0aX": 404, "/login/%ff": 404,
		"/login/..": 404, "/login/.": 404, "/static//": 404, "/login/%7f": 404,
	} {
		r := httptest.NewRequest("POST", target, nil)
		if got := do(PlainPath(mux), r).StatusCode; got != want {
			t.Errorf("%s: status %d, want %d", target, got, want)
		}
	}
	r := httptest.NewRequest("OPTIONS", "/", nil)
	r.URL = &url.URL{Path: "*"}
	if got := do(PlainPath(ok), r).StatusCode; got != 404 {
		t.Errorf("*: status %d", got)
	}
}
