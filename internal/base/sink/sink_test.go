package sink

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/outbound"
	"dex/internal/base/secret"
)

// some returns so many lines.
func some(n int) (all []Line) {
	at := time.Date(2026, time.May, 1, 12, 0, 0, 123456000, time.UTC)
	for i := range n {
		all = append(all, Line{ID: fmt.Sprint("evt_", i), At: at, Kind: "auth.login.success", JSON: fmt.Appendf(nil, `{"id":"evt_%d","actor":"zoë"}`, i)})
	}
	return all
}

func TestAFileIsAppendedToAndMayBeRenamed(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "audit.jsonl")}
	write := func(n int) {
		t.Helper()
		if err := f.Write(t.Context(), some(n)); err != nil {
			t.Fatal(err)
		}
	}
	count := func(path string) int {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(data), "\n")
	}
	write(2)
	write(0)
	write(1)
	if n := count(f.Path); n != 3 {
		t.Errorf("%d lines of 3", n)
	}
	if info, err := os.Stat(f.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
	old := f.Path + ".1"
	if err := os.Rename(f.Path, old); err != nil {
		t.Fatal(err)
	}
	write(4)
	if count(f.Path) != 4 || count(old) != 3 {
		t.Errorf("after it was renamed: %d in the new one, %d in the old", count(f.Path), count(old))
	}
}

func TestALineThatWasCutShortSpoilsNoOther(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "audit.jsonl")}
	if err := os.WriteFile(f.Path, []byte(`{"id":"evt_0","ac`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(t.Context(), some(2)); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(f.Path)
	whole := 0
	for line := range strings.Lines(string(data)) {
		if json.Valid([]byte(line)) {
			whole++
		}
	}
	if whole != 2 {
		t.Errorf("%d whole lines of 2:\n%s", whole, data)
	}
}

func TestAFileThatCannotBeWrittenIsAnError(t *testing.T) {
	for name, path := range map[string]string{"no folder": filepath.Join(t.TempDir(), "no", "audit.jsonl"), "a folder": t.TempDir(), "a full disk": "/dev/full"} {
		if err := (File{Path: path}).Write(t.Context(), some(1)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

var rfc5424 = regexp.MustCompile(`^<110>1 2026-05-01T12:00:00\.123456Z login\.example dex \d+ auth\.login\.success - \{"id":"evt_(\d+)","actor":"zoë"\}$`)

// frames reads messages with their lengths in front.
func frames(t *testing.T, r io.Reader) (all []string) {
	t.Helper()
	in := bufio.NewReader(r)
	for {
		length, err := in.ReadString(' ')
		if errors.Is(err, io.EOF) && length == "" {
			return all
		}
		n, bad := strconv.Atoi(strings.TrimSpace(length))
		if err != nil || bad != nil {
			t.Errorf("the length is %q, %v", length, err)
			return all
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(in, message); err != nil {
			t.Error(err)
			return all
		}
		all = append(all, string(message))
	}
}

func syslogAt(t *testing.T, address string, roots *x509.CertPool) *Syslog {
	t.Helper()
	s, err := NewSyslog(address, "login.example", roots)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wellFormed(t *testing.T, got []string, want int) {
	t.Helper()
	if len(got) != want {
		t.Fatalf("%d messages arrived, want %d", len(got), want)
	}
	for i, m := range got {
		if found := rfc5424.FindStringSubmatch(m); found == nil || found[1] != strconv.Itoa(i) {
			t.Errorf("message %d is %q", i, m)
		}
	}
}

func TestASystemsLogByDatagrams(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "log")
	local, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	for address, listener := range map[string]net.PacketConn{"udp://" + udp.LocalAddr().String(): udp, "unix:" + socket: local} {
		defer func() { _ = listener.Close() }()
		if err := syslogAt(t, address, nil).Write(t.Context(), some(3)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for range 3 {
			buffer := make([]byte, 4096)
			n, _, err := listener.ReadFrom(buffer)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(buffer[:n]))
		}
		wellFormed(t, got, 3)
	}
}

func selfSigned(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

func TestASystemsLogByAStream(t *testing.T) {
	config, roots := selfSigned(t)
	for _, scheme := range []string{"tcp", "tls", "unix"} {
		t.Run(scheme, func(t *testing.T) {
			network, at := "tcp", "127.0.0.1:0"
			if scheme == "unix" {
				network, at = "unix", filepath.Join(t.TempDir(), "log")
			}
			listener, err := net.Listen(network, at)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = listener.Close() }()
			address := scheme + "://" + listener.Addr().String()
			if scheme == "unix" {
				address = "unix:" + at
			}
			if scheme == "tls" {
				listener = tls.NewListener(listener, config)
			}
			got := make(chan []string, 1)
			go func() {
				c, err := listener.Accept()
				if err != nil {
					t.Error(err)
				}
				got <- frames(t, c)
				_ = c.Close()
			}()
			if err := syslogAt(t, address, roots).Write(t.Context(), some(3)); err != nil {
				t.Fatal(err)
			}
			wellFormed(t, <-got, 3)
		})
	}
}

func TestASystemsLogThatGoesAwayHasNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "tcp://" + listener.Addr().String()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		c, err := listener.Accept()
		if err != nil {
			return
		}
		_ = c.(*net.TCPConn).SetLinger(0) // it dies: what it was sent is answered by a reset
		_ = c.Close()
	}()
	lines := some(20_000) // more than fits into the buffers between us
	if err := syslogAt(t, address, nil).Write(t.Context(), lines); err == nil {
		t.Error("it has taken what nobody has read")
	}
	<-gone
	_ = listener.Close()
	if err := syslogAt(t, address, nil).Write(t.Context(), some(1)); err == nil {
		t.Error("it has taken what nobody is there for")
	}
	config, _ := selfSigned(t)
	secured, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = secured.Close() }()
	go func() {
		if c, err := secured.Accept(); err == nil {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	if err := syslogAt(t, "tls://"+secured.Addr().String(), nil).Write(t.Context(), some(1)); err == nil {
		t.Error("it has been told to somebody whom nobody vouches for")
	}
}

func TestAddressesOfASystemsLog(t *testing.T) {
	for address, ok := range map[string]bool{
		"unix:/dev/log": true, "unix:///dev/log": true, "udp://log.example:514": true, "tcp://[::1]:601": true, "tls://log.example:6514": true,
		"": false, "/dev/log": false, "udp://log.example": false, "http://log.example:80": false, "tls://u:p@log.example:6514": false,
		"tcp://log.example:601/x": false, "udp://:514": false, "unix:": false, "tls://log.example:6514?x=y": false, "\x7f": false,
	} {
		if _, err := NewSyslog(address, "", nil); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

const hookSecret = secret.Value("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

func hook(t *testing.T, handler http.HandlerFunc) *Webhook {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client := outbound.New(outbound.Options{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	w, err := NewWebhook(server.URL+"/dex", hookSecret, client, &clock.Fake{})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAWebhookIsSignedAndNamesTheSameLinesTheSame(t *testing.T) {
	ids := map[string]int{}
	w := hook(t, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id, at := r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp")
		ids[id]++
		var p struct {
			Type string
			Data []struct{ ID string }
		}
		if err := json.Unmarshal(body, &p); err != nil || p.Type != "audit.events" || len(p.Data) == 0 || p.Data[0].ID != "evt_0" {
			t.Errorf("the body is %s, %v", body, err)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/dex" || at != strconv.FormatInt((&clock.Fake{}).Now().Unix(), 10) {
			t.Errorf("%s %s at %s", r.Method, r.URL, at)
		}
		again, _ := NewWebhook("https://x.example", hookSecret, nil, nil)
		if got := r.Header.Get("Webhook-Signature"); got != again.sign(id, at, body) {
			t.Errorf("signed with %q", got)
		}
		rw.WriteHeader(http.StatusAccepted)
	})
	for _, n := range []int{2, 2, 3} {
		if err := w.Write(t.Context(), some(n)); err != nil {
			t.Fatal(err)
		}
	}
	if len(ids) != 2 {
		t.Errorf("two batches, of which one came twice, have the ids %v", ids)
	}
}

// The example of the standard's own libraries.
func TestTheSignatureIsThatOfTheStandard(t *testing.T) {
	w, err := NewWebhook("https://x.example", hookSecret, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := w.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("got %s", got)
	}
}

func TestNothingButA2xxHasTakenTheLines(t *testing.T) {
	for _, status := range []int{200, 202, 204, 301, 302, 307, 400, 401, 404, 410, 429, 500, 503} {
		w := hook(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Location", "/elsewhere")
			rw.WriteHeader(status)
		})
		if err := w.Write(t.Context(), some(1)); (err == nil) != (status/100 == 2) {
			t.Errorf("%d: %v", status, err)
		}
	}
	w := hook(t, func(http.ResponseWriter, *http.Request) {})
	w.client = outbound.New(outbound.Options{})
	if err := w.Write(t.Context(), some(1)); !errors.Is(err, outbound.ErrRefusedAddress) {
		t.Errorf("a private address that nobody has allowed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Write(ctx, some(1)); err == nil {
		t.Error("taken after the end")
	}
}

func TestAWebhookHasAnAddressAndASecret(t *testing.T) {
	for name, test := range map[string]struct {
		url string
		s   secret.Value
	}{
		"no prefix": {"https://x.example", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "too short": {"https://x.example", "whsec_MfKQ"}, "no base64": {"https://x.example", "whsec_????"},
		"none": {"https://x.example", ""}, "no address": {"", hookSecret}, "a file": {"file:///etc/passwd", hookSecret}, "a password": {"https://u:p@x.example", hookSecret},
	} {
		if _, err := NewWebhook(test.url, test.s, nil, nil); err == nil || strings.Contains(err.Error(), "MfKQ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
