package outbound

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// names is a resolver that answers from a list, one answer after the other.
type names struct {
	mu      sync.Mutex
	answers map[string][][]string
	lookups int
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lookups++
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	left := n.answers[host]
	if len(left) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(left) > 1 {
		n.answers[host] = left[1:]
	}
	addrs := []netip.Addr{}
	for _, s := range left[0] {
		addrs = append(addrs, netip.MustParseAddr(s))
	}
	return addrs, nil
}

// at is a resolver by which each host is at its addresses.
func at(hosts map[string]string) *names {
	n := &names{answers: map[string][][]string{}}
	for host, addrs := range hosts {
		n.answers[host] = [][]string{strings.Fields(addrs)}
	}
	return n
}

var loopback = prefixes("127.0.0.0/8", "::1/128")

// open returns a client that may call this machine, where every test server is.
func open(o Options) *http.Client {
	o.AllowPrivate = loopback
	return New(o)
}

func get(t *testing.T, c *http.Client, address string) (string, error) {
	t.Helper()
	answer, err := c.Get(address)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func port(t *testing.T, s *httptest.Server) string {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

func TestACallReachesTheAddressThatItsNameHas(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(hello))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	n := at(map[string]string{"example.com": "127.0.0.1", "other.example": "127.0.0.1"})
	c := open(Options{Resolver: n, RootCAs: roots})
	t.Cleanup(c.CloseIdleConnections)
	got, err := get(t, c, "https://example.com:"+port(t, s))
	if err != nil || got != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
	// The address was checked, but the certificate must still be that of the name.
	if _, err := get(t, c, "https://other.example:"+port(t, s)); err == nil {
		t.Error("a certificate of another name was taken")
	}
	if _, err := get(t, open(Options{Resolver: n}), "https://example.com:"+port(t, s)); err == nil {
		t.Error("an unknown authority was trusted")
	}
}

func TestANameThatChangesItsAddressGainsNothing(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // so that the next call has to dial
		hello(w, r)
	})
	n := &names{answers: map[string][][]string{"rebind.example": {{"127.0.0.1"}, {"127.0.0.2"}}}}
	c := New(Options{AllowPrivate: prefixes("127.0.0.1/32"), Resolver: n})
	if got, err := get(t, c, "http://rebind.example:"+port(t, s)); err != nil || got != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
	if n.lookups != 1 {
		t.Errorf("the name was looked up %d times for one call", n.lookups)
	}
	if _, err := get(t, c, "http://rebind.example:"+port(t, s)); !errors.Is(err, ErrRefusedAddress) {
		t.Errorf("got %v, want ErrRefusedAddress", err)
	}
}

func TestOneBadAddressSpoilsTheName(t *testing.T) {
	s := serve(t, hello)
	for _, addrs := range []string{"127.0.0.1 10.0.0.1", "10.0.0.1 127.0.0.1", "127.0.0.1 ::ffff:169.254.169.254"} {
		c := open(Options{Resolver: at(map[string]string{"mixed.example": addrs})})
		if _, err := get(t, c, "http://mixed.example:"+port(t, s)); !errors.Is(err, ErrRefusedAddress) {
			t.Errorf("%s: got %v, want ErrRefusedAddress", addrs, err)
		}
	}
}

func TestAnAddressWithANameAndPasswordIsRefused(t *testing.T) {
	s := serve(t, hello)
	if _, err := get(t, open(Options{}), strings.Replace(s.URL, "http://", "http://user:pass@", 1)); !errors.Is(err, ErrRefusedAddress) {
		t.Errorf("got %v, want ErrRefusedAddress", err)
	}
}

func TestTheSocketIsLookedAtOnceMore(t *testing.T) {
	d := dialer{Options: Options{AllowPrivate: prefixes("127.0.0.1/32")}}
	if err := d.control(t.Context(), "tcp4", "127.0.0.1:80", nil); err != nil {
		t.Errorf("an allowed address: %v", err)
	}
	for _, address := range []string{"127.0.0.2:80", "[::1]:80", "10.0.0.1:443", "[::ffff:127.0.0.2]:80", "name:80", ""} {
		if err := d.control(t.Context(), "tcp", address, nil); !errors.Is(err, ErrRefusedAddress) {
			t.Errorf("%q: got %v, want ErrRefusedAddress", address, err)
		}
	}
}

func TestTheNextAddressIsTriedIfOneIsDead(t *testing.T) {
	s := serve(t, hello) // listens on 127.0.0.1 alone
	c := open(Options{Resolver: at(map[string]string{"two.example": "127.0.0.9 127.0.0.1", "none.example": ""})})
	t.Cleanup(c.CloseIdleConnections)
	if got, err := get(t, c, "http://two.example:"+port(t, s)); err != nil || got != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := get(t, c, "http://none.example:"+port(t, s)); err == nil {
		t.Error("a name without addresses was called")
	}
}

func TestHTTPIsOnlyForWhatTheOperatorAllowed(t *testing.T) {
	plain := dialer{Options: Options{AllowPrivate: loopback}, onlyPrivate: true}
	public, private := netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("127.0.0.1")
	if plain.permits(public) || !plain.permits(private) {
		t.Error("http is permitted to a public address, or refused to an allowed one")
	}
	c := open(Options{Resolver: at(map[string]string{"idp.example": "8.8.8.8"})})
	_, err := get(t, c, "http://idp.example/")
	if !errors.Is(err, ErrRefusedAddress) || !strings.Contains(err.Error(), "http is only for private") {
		t.Errorf("got %v, want ErrRefusedAddress with the reason", err)
	}
}

func TestOnlyTheListedPortsAreCalled(t *testing.T) {
	s := serve(t, hello)
	_, err := get(t, open(Options{Ports: []uint16{443, 8443}}), s.URL)
	if !errors.Is(err, ErrRefusedAddress) {
		t.Errorf("got %v, want ErrRefusedAddress", err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var reached atomic.Bool
	target := serve(t, func(http.ResponseWriter, *http.Request) { reached.Store(true) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL, status) })
		c := open(Options{})
		if _, err := get(t, c, s.URL); !errors.Is(err, ErrRedirect) {
			t.Errorf("%d: got %v, want ErrRedirect", status, err)
		}
		// A library may build a client of its own around the transport.
		if _, err := get(t, &http.Client{Transport: c.Transport}, s.URL); !errors.Is(err, ErrRedirect) {
			t.Errorf("%d, transport alone: got %v, want ErrRedirect", status, err)
		}
		c.CloseIdleConnections()
	}
	if reached.Load() {
		t.Error("a redirect was followed")
	}
}

func TestWhoeverTakesTooLongIsLeft(t *testing.T) {
	stop := make(chan struct{})
	for name, h := range map[string]http.HandlerFunc{
		"never answers": func(_ http.ResponseWriter, r *http.Request) { wait(r, stop) },
		"never ends": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "a beginning")
			_ = http.NewResponseController(w).Flush()
			wait(r, stop)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, h)
			c := open(Options{Timeout: 50 * time.Millisecond})
			if _, err := get(t, &http.Client{Transport: c.Transport}, s.URL); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the end of the time", err)
			}
		})
	}
	close(stop)
}

func wait(r *http.Request, stop <-chan struct{}) {
	select {
	case <-stop:
	case <-r.Context().Done():
	}
}

func TestASilentListenerIsLeftToo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, scheme := range []string{"http", "https"} {
		c := open(Options{Timeout: 50 * time.Millisecond})
		if _, err := get(t, c, scheme+"://"+l.Addr().String()); err == nil {
			t.Errorf("%s: no error", scheme)
		}
	}
}

func TestAnAnswerHasItsSize(t *testing.T) {
	const limit = 1000
	say := func(n int, known bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if !known {
				_ = http.NewResponseController(w).Flush()
			}
			_, _ = io.WriteString(w, strings.Repeat("x", n))
		}
	}
	for _, test := range []struct {
		name  string
		h     http.HandlerFunc
		large bool
	}{
		{"as long as it may be", say(limit, true), false},
		{"as long as it may be, without saying so", say(limit, false), false},
		{"a byte longer", say(limit+1, true), true},
		{"a byte longer, without saying so", say(limit+1, false), true},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
					return
				}
			}
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.h)
			c := open(Options{MaxBody: limit})
			t.Cleanup(c.CloseIdleConnections)
			got, err := get(t, c, s.URL)
			if errors.Is(err, ErrTooLarge) != test.large || !test.large && (err != nil || len(got) != limit) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			if len(got) > limit {
				t.Errorf("%d bytes came through", len(got))
			}
		})
	}
}

func TestAnAnswerThatSaysItIsTooLargeIsNotEvenBegun(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000001")
		w.WriteHeader(http.StatusOK)
	})
	answer, err := open(Options{MaxBody: 1000}).Get(s.URL)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if err == nil {
		_ = answer.Body.Close()
	}
}

func TestHeadersHaveTheirSize(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 64 {
			w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1024))
		}
	})
	if _, err := get(t, open(Options{}), s.URL); err == nil {
		t.Error("64 KiB of headers were taken")
	}
}

func TestNothingIsUnfolded(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Error("a compressed answer was asked for")
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(make([]byte, 1<<20))
		_ = z.Close()
	})
	c := open(Options{MaxBody: 64 << 10})
	t.Cleanup(c.CloseIdleConnections)
	got, err := get(t, c, s.URL)
	if err != nil || len(got) > 8<<10 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestTheEnvironmentNamesNoProxy(t *testing.T) {
	// net/http reads the environment once in a process, maybe before this test.
	if speak := New(Options{}).Transport.(*transport); speak.http.Proxy != nil || speak.https.Proxy != nil {
		t.Error("something may name a proxy")
	}
	var asked atomic.Bool
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	s := serve(t, hello)
	c := open(Options{Resolver: at(map[string]string{"idp.example": "127.0.0.1"})})
	t.Cleanup(c.CloseIdleConnections)
	if got, err := get(t, c, "http://idp.example:"+port(t, s)); err != nil || got != "hello" || asked.Load() {
		t.Errorf("got %q, %v; the proxy was asked: %v", got, err, asked.Load())
	}
}

func TestOneHostDoesNotGetAllConnections(t *testing.T) {
	entered, release := make(chan struct{}, 8), make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		wait(r, release)
	})
	c := open(Options{PerHost: 2})
	var calls sync.WaitGroup
	for range 5 {
		calls.Go(func() {
			if _, err := get(t, c, s.URL); err != nil {
				t.Error(err)
			}
		})
	}
	<-entered
	<-entered
	select {
	case <-entered:
		t.Error("a third call is under way beside two")
	case <-time.After(100 * time.Millisecond): // long enough for one that is not held back
	}
	close(release)
	calls.Wait() // those that waited get their turn
	c.CloseIdleConnections()
}

func TestACertificateIsShownByTheClientThatHasIt(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, len(r.TLS.PeerCertificates))
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	plain := open(Options{RootCAs: roots})
	shows := WithCertificate(plain, server.TLS.Certificates[0])
	t.Cleanup(shows.CloseIdleConnections)
	for name, tt := range map[string]struct {
		client *http.Client
		want   string
	}{"without": {plain, "0"}, "with": {shows, "1"}, "still without": {plain, "0"}} {
		resp, err := tt.client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(body) != tt.want {
			t.Errorf("%s a certificate: %s, %v", name, body, err)
		}
	}
	// The rules hold for it as for the other.
	if _, err := WithCertificate(New(Options{RootCAs: roots}), server.TLS.Certificates[0]).Get(server.URL); !errors.Is(err, ErrRefusedAddress) {
		t.Errorf("an address on this machine: %v", err)
	}
}
