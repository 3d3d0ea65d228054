package worker_test

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/route"
)

// wire sends text as it is and reads the answer.
func wire(t *testing.T, s *workertest.Server, text string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestAPathIsWrittenInOneWayOnly(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	host := strings.TrimPrefix(s.URL, "http://")
	for _, target := range []string{
		"//keys", "/./keys", "/x/../keys", "/keys/", "/keys/.", "/%2e/keys", "/x/%2e%2e/keys", "/%2fkeys", "/%2Fkeys", "/keys%2f", "/keys;v=1", "/keys%00",
		"/keys%0d%0aX-Injected:1", `/\keys`, "/%5ckeys", "/KEYS", "/Keys", "/keys%20", "/static/../keys", "/static/%2e%2e/keys", "/static/..%2fkeys",
		"/login/../keys", "/login/%2e%2e/keys", "/login/local/..%2f..%2fkeys", "/livez/../keys", "/.well-known/../keys", "/keys/../../keys", "/\u00e9", "/%ff",
	} {
		t.Run("1.N 167 "+target, func(t *testing.T) {
			resp, body := wire(t, s, "GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
			if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%d, to %q: %.80s", resp.StatusCode, resp.Header.Get("Location"), body)
			}
			if strings.Contains(body, `"kty"`) || resp.Header.Get("X-Injected") != "" {
				t.Errorf("it is answered like another path: %.80s", body)
			}
		})
	}
}

func TestAnIssuerWithAPathAnswersThereAndNowhereElse(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Issuer: "https://example.com/dex"})
	for path, want := range map[string]int{
		"/dex": 200, "/dex/": 200, "/dex/keys": 200, "/dex/.well-known/openid-configuration": 200, "/dex/.well-known/oauth-authorization-server": 200,
		"/.well-known/oauth-authorization-server/dex": 200, // RFC 8414 section 3.1
		"/readyz": 200, "/livez": 200,
		"/": 404, "/keys": 404, "/dexkeys": 404, "/dexter": 404, "/DEX/keys": 404, "/dex/dex/keys": 404, "/.well-known/oauth-authorization-server": 404,
		"/.well-known/openid-configuration/dex": 404, "/.well-known/openid-configuration": 404,
	} {
		a := s.Browser(t).Get("https://example.com" + path)
		if a.Status != want {
			t.Errorf("%s: %d, to %q; want %d", path, a.Status, a.Header.Get("Location"), want)
		}
		if strings.Contains(path, "well-known") && want == 200 && !strings.Contains(a.Body, `"issuer":"https://example.com/dex"`) {
			t.Errorf("%s: %.80s", path, a.Body)
		}
	}
}

func TestOnlyTheConfiguredNameIsAnswered(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	host := strings.TrimPrefix(s.URL, "http://")
	port := host[strings.LastIndex(host, ":"):]
	for _, test := range []struct {
		name, request string
		want          int
	}{
		{name: "the right name", request: "GET /keys HTTP/1.1\r\nHost: " + host, want: 200},
		{name: "another name", request: "GET /keys HTTP/1.1\r\nHost: evil.example.com", want: 421},
		{name: "another name of the same address", request: "GET /keys HTTP/1.1\r\nHost: localhost" + port, want: 421},
		{name: "the right name without its port", request: "GET /keys HTTP/1.1\r\nHost: 127.0.0.1", want: 421},
		{name: "the right name in the target, and a wrong header", request: "GET http://" + host + "/keys HTTP/1.1\r\nHost: evil.example.com", want: 200},
		{name: "a wrong name in the target, and the right header", request: "GET http://evil.example.com/keys HTTP/1.1\r\nHost: " + host, want: 421},
		{name: "two names", request: "GET /keys HTTP/1.1\r\nHost: " + host + "\r\nHost: evil.example.com", want: 400},
		{name: "no name", request: "GET /keys HTTP/1.1", want: 400},
		{name: "no name, as long ago", request: "GET /keys HTTP/1.0", want: 421},
		{name: "a user before the name", request: "GET /keys HTTP/1.1\r\nHost: x@" + host, want: 400},
		{name: "two lengths", request: "POST /token HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 1\r\nContent-Length: 2", want: 400},
		{name: "a length that is none", request: "POST /token HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: +0", want: 400},
		{name: "a folded header", request: "GET /keys HTTP/1.1\r\nHost: " + host + "\r\nX: a\r\n b", want: 200},
		{name: "a space before the colon", request: "GET /keys HTTP/1.1\r\nHost: " + host + "\r\nX : a", want: 400},
		{name: "a probe that knows the address only", request: "GET /readyz HTTP/1.1\r\nHost: 10.0.0.1", want: 200},
	} {
		t.Run("1.N 167 "+test.name, func(t *testing.T) {
			resp, body := wire(t, s, test.request+"\r\nConnection: close\r\n\r\n")
			if resp.StatusCode != test.want {
				t.Errorf("%d, want %d: %.100s", resp.StatusCode, test.want, body)
			}
			if test.want == 421 && strings.Contains(body, "evil") {
				t.Errorf("the name that was asked for is in the answer: %s", body)
			}
		})
	}
}

func TestNoHeaderChangesWhoWeAreOrWhatIsAsked(t *testing.T) {
	log := &bytes.Buffer{}
	s := workertest.Start(t, workertest.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	for _, name := range []string{
		"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Host", "X-Original-Host",
		"Forwarded", "X-Original-Url", "X-Rewrite-Url", "X_forwarded_host", "X-Http-Method-Override", "X-Method-Override", "X-Forwarded-For", "X-Real-Ip",
		"X-Remote-User", "X-Forwarded-User", "True-Client-Ip", "Via",
	} {
		t.Run("1.N 167 "+name, func(t *testing.T) {
			lie := func(r *http.Request) {
				r.Header[name] = []string{"203.0.113.66"}
				if strings.Contains(name, "Url") {
					r.Header[name] = []string{"/keys"}
				}
				if strings.Contains(name, "Method") {
					r.Header[name] = []string{"POST"}
				}
				if name == "Forwarded" {
					r.Header[name] = []string{"for=203.0.113.66;host=203.0.113.66;proto=https"}
				}
			}
			log.Reset()
			for _, path := range []string{route.Discovery, "/", "/nowhere", s.Client(t, "app").Authorize("prompt", "none"), "/logout"} {
				plain, lied := send(t, s, "GET", path, nil), send(t, s, "GET", path, lie)
				if plain.Status != lied.Status || scrub(plain.Body) != scrub(lied.Body) || plain.Header.Get("Location") != lied.Header.Get("Location") {
					t.Errorf("%.40s: %d %q %.80s", path, lied.Status, lied.Header.Get("Location"), lied.Body)
				}
			}
			if strings.Contains(log.String(), "203.0.113.66") {
				t.Errorf("the log believes it: %s", log)
			}
		})
	}
}

// scrub takes out what differs from page to page: the support code.
func scrub(body string) string {
	before, after, found := strings.Cut(body, `<code id="support-code">`)
	if !found {
		return body
	}
	_, after, _ = strings.Cut(after, "</code>")
	return before + after
}

func TestTheAddressOfTheBrowserIsTheProxysWordOnlyIfTheProxyIsKnown(t *testing.T) {
	log := &bytes.Buffer{}
	s := workertest.Start(t, workertest.Options{
		Config: "trusted_proxies: [127.0.0.0/8]\n", Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	send(t, s, "GET", "/", func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.1, 203.0.113.66") })
	if !strings.Contains(log.String(), "remote=203.0.113.66") {
		t.Errorf("the last address that a known proxy saw counts: %s", log)
	}
}
