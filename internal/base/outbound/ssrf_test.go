package outbound

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// canary listens where nobody may come, and counts who does.
type canary struct {
	port   string
	visits atomic.Int32
}

func newCanary(t *testing.T) *canary {
	t.Helper()
	four, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(four.Addr().String())
	c := &canary{port: port}
	listeners := []net.Listener{four}
	if six, err := net.Listen("tcp", net.JoinHostPort("::1", port)); err == nil { // where there is IPv6
		listeners = append(listeners, six)
	}
	for _, l := range listeners {
		s := &http.Server{Handler: http.HandlerFunc(hello), ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				c.visits.Add(1)
			}
		}}
		go func() { _ = s.Serve(l) }()
		t.Cleanup(func() { _ = s.Close() })
	}
	return c
}

// corpus are hosts that lead to places in here, by all the ways that filters have
// been got around. Those that are names are at the address that the resolver
// below gives.
var corpus = []string{
	// Plain.
	"127.0.0.1", "127.0.0.2", "127.255.255.255", "127.127.127.127", "0.0.0.0", "0.0.0.1",
	"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.255",
	"100.64.0.1", "169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16",
	"198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
	// As another parser would read them.
	"2130706433", "017700000001", "0x7f000001", "0x7F.0x0.0x0.0x1", "0177.0.0.1", "0177.0.0.01", "127.1", "127.0.1",
	"0", "0x0", "00000000177.0.0.1", "127.0.0.1.", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518",
	"127.0.0.01", "256.256.256.256", "4294967297",
	// Of IPv6, plain and with an address inside.
	"[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
	"[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]",
	"[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", "[2606:4700::5efe:7f00:1]",
	"[fe80::1]", "[fe80::1%25lo]", "[::1%25lo]", "[fc00::1]", "[fd00:ec2::254]", "[fd20:ce::254]", "[ff02::1]",
	"[fec0::1]", "[2001:db8::1]", "[::ffff:169.254.169.254]", "[::ffff:10.0.0.1]",
	// In letters that are digits to IDNA.
	"１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
	// Names.
	"localhost", "localhost.", "LOCALHOST", "localhost.localdomain", "ip6-localhost", "127.0.0.1.nip.example",
	"7f000001.nip.example", "metadata.google.internal", "metadata", "kubernetes.default.svc", "mixed.example",
	"mixed6.example", "six.example", "mapped.example", "nat64.example", "zero.example", "10-0-0-1.nip.example",
}

var corpusNames = map[string]string{
	"localhost": "127.0.0.1 ::1", "localhost.localdomain": "127.0.0.1", "ip6-localhost": "::1",
	"127.0.0.1.nip.example": "127.0.0.1", "7f000001.nip.example": "127.0.0.1", "10-0-0-1.nip.example": "10.0.0.1",
	"metadata.google.internal": "169.254.169.254", "metadata": "169.254.169.254", "kubernetes.default.svc": "10.96.0.1",
	"mixed.example": "8.8.8.8 127.0.0.1", "mixed6.example": "2606:4700::1111 ::1", "six.example": "::1",
	"mapped.example": "::ffff:127.0.0.1", "nat64.example": "64:ff9b::7f00:1", "zero.example": "0.0.0.0",
	// What the C library would say to numbers, should they ever get as far.
	"2130706433": "127.0.0.1", "017700000001": "127.0.0.1", "0x7f000001": "127.0.0.1", "0177.0.0.1": "127.0.0.1", "127.1": "127.0.0.1",
}

func TestNobodyIsTalkedIntoCallingUs(t *testing.T) {
	if len(corpus) < 60 {
		t.Fatalf("only %d hosts", len(corpus))
	}
	c := newCanary(t)
	// Should anything slip through, it would be let in by its name as well.
	client := New(Options{Resolver: at(corpusNames)})
	for _, host := range corpus {
		for _, address := range []string{
			"https://" + host + ":" + c.port + "/", "http://" + host + ":" + c.port + "/", "https://" + host + "/latest/meta-data/",
		} {
			if _, err := get(t, client, address); !errors.Is(err, ErrRefusedAddress) {
				t.Errorf("%s: got %v, want ErrRefusedAddress", address, err)
			}
		}
	}
	for _, address := range []string{
		"http://good.example@127.0.0.1:" + c.port, "https://user:pass@localhost:" + c.port,
		"ftp://127.0.0.1:" + c.port, "gopher://127.0.0.1:" + c.port + "/_x", "file:///etc/passwd", "unix:///tmp/x",
		"HTTP://127.0.0.1:" + c.port, "//127.0.0.1:" + c.port, "http://127.0.0.1:" + c.port + "#@good.example",
		"http://127.0.0.1:" + c.port + `\@good.example`, "http:127.0.0.1:" + c.port, "http://[::1]:" + c.port + "?.good.example",
		"http://127.0.0.1:0", "http://127.0.0.1:65536", "http://127.0.0.1:-1", "http://127.0.0.1%00.good.example:" + c.port,
		"http://%31%32%37.0.0.1:" + c.port, "http://127.0.0.1 .good.example:" + c.port, "http://\t127.0.0.1:" + c.port,
	} {
		if _, err := get(t, client, address); err == nil {
			t.Errorf("%s: was called", address)
		}
	}

	// The canary does sing when it is touched: this visit comes after all others.
	allowed := open(Options{})
	defer allowed.CloseIdleConnections()
	if got, err := get(t, allowed, "http://127.0.0.1:"+c.port); err != nil || got != "hello" {
		t.Fatalf("an allowed call: %q, %v", got, err)
	}
	if n := c.visits.Load(); n != 1 {
		t.Errorf("%d visits, want only the one that was allowed", n)
	}
}

func TestARefusalSaysWhatWasRefused(t *testing.T) {
	_, err := get(t, New(Options{Resolver: at(map[string]string{"keycloak.internal": "10.1.2.3"})}), "https://keycloak.internal/")
	for _, part := range []string{"keycloak.internal", "10.1.2.3", "the operator has not allowed it"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
}
