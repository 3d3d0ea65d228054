package httpx

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
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

func TestOnlyTheIssuersHostIsAnswered(t *testing.T) {
	for _, test := range []struct {
		name, issuer, host, path string
		want                     int
	}{
		{"the host", "https://id.example", "id.example", "/authorize", 200},
		{"the host with its default port said", "https://id.example", "id.example:443", "/authorize", 200},
		{"the host in capitals", "https://id.example", "ID.Example", "/authorize", 200},
		{"the default port in the issuer", "https://id.example:443", "id.example", "/authorize", 200},
		{"a port", "http://127.0.0.1:5556", "127.0.0.1:5556", "/authorize", 200},
		{"the default port of http", "http://localhost", "localhost:80", "/authorize", 200},
		{"an issuer with a path", "https://id.example/dex", "id.example", "/dex/authorize", 200},
		{"IPv6", "http://[::1]:5556", "[::1]:5556", "/authorize", 200},
		{"another host", "https://id.example", "evil.example", "/authorize", 421},
		{"a longer host", "https://id.example", "id.example.evil.example", "/authorize", 421},
		{"a host below", "https://id.example", "a.id.example", "/authorize", 421},
		{"another port", "https://id.example", "id.example:8443", "/authorize", 421},
		{"the default port of the other scheme", "https://id.example", "id.example:80", "/authorize", 421},
		{"no port where there must be one", "http://127.0.0.1:5556", "127.0.0.1", "/authorize", 421},
		{"another name of the same machine", "http://127.0.0.1:5556", "localhost:5556", "/authorize", 421},
		{"a dot at the end", "https://id.example", "id.example.", "/authorize", 421},
		{"no host", "https://id.example", "", "/authorize", 421},
		{"markup", "https://id.example", "<script>", "/authorize", 421},
		{"a probe by address", "https://id.example", "10.0.0.3:8080", "/livez", 200},
		{"another probe by address", "https://id.example", "10.0.0.3:8080", "/readyz", 200},
		{"beside a probe", "https://id.example", "10.0.0.3:8080", "/livez/x", 421},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", test.path, nil)
			r.Host = test.host
			r.Header.Set("X-Forwarded-Host", "id.example")
			got := do(OnlyHost(ok, address(t, test.issuer)), r)
			body := text(t, got)
			if got.StatusCode != test.want {
				t.Errorf("status %d, want %d", got.StatusCode, test.want)
			}
			if test.want == 421 && (!strings.Contains(body, test.issuer) || strings.Contains(body, "evil") || strings.Contains(body, "<")) {
				t.Errorf("the answer should name the right address and no other: %q", body)
			}
		})
	}
}

// A request's target may be a whole address; a real server must read the host
// there, and not believe the header beside it.
func TestAHostInTheTargetCounts(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	issuer := "http://" + s.Listener.Addr().String()
	s.Config.Handler = OnlyHost(ok, address(t, issuer))
	s.Start()
	defer s.Close()
	for target, want := range map[string]int{
		issuer + "/x":            200,
		"http://evil.example/x":  421,
		"https://evil.example/x": 421,
		"//evil.example/x":       200, // a path, whatever it looks like
	} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: "+s.Listener.Addr().String()+"\r\nConnection: close\r\n\r\n")
		got, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.StatusCode != want {
			t.Errorf("%s: status %d, want %d", target, got.StatusCode, want)
		}
		_ = got.Body.Close()
		_ = conn.Close()
	}
}

func TestSeveralIssuersMayLiveHere(t *testing.T) {
	h := OnlyHost(ok, address(t, "https://a.example"), address(t, "https://b.example:8443"))
	for host, want := range map[string]int{"a.example": 200, "b.example:8443": 200, "b.example": 421, "a.example:8443": 421} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		if got := do(h, r).StatusCode; got != want {
			t.Errorf("%s: status %d, want %d", host, got, want)
		}
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
