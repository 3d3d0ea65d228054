package mail

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/secret"
)

// postOffice is a mail server that says what the test wants it to.
type postOffice struct {
	net.Listener
	answers  map[string]string // by command, instead of the friendly one
	features []string
	tls      *tls.Config // of STARTTLS

	mu    sync.Mutex
	mails []string // what came in
	said  []string // all commands
}

// openOffice starts a mail server.
func openOffice(t *testing.T, o *postOffice) *postOffice {
	t.Helper()
	var err error
	if o.Listener == nil {
		if o.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := o.Accept()
			if err != nil {
				return
			}
			all.Go(func() { o.serve(c) })
		}
	})
	t.Cleanup(func() { _ = o.Close(); all.Wait() })
	return o
}

func (o *postOffice) port() int { return o.Addr().(*net.TCPAddr).Port }

func (o *postOffice) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(c)
	say := func(s string) { _, _ = io.WriteString(c, s+"\r\n") }
	say("220 post.test")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		verb := strings.ToUpper(strings.SplitN(line, " ", 2)[0])
		o.mu.Lock()
		o.said = append(o.said, line)
		o.mu.Unlock()
		answer, scripted := o.answers[verb]
		switch {
		case scripted && answer == "":
			return // it hangs up
		case scripted:
			say(answer)
		case verb == "EHLO":
			say("250-post.test")
			for _, f := range o.features {
				say("250-" + f)
			}
			say("250 8BITMIME")
		case verb == "STARTTLS":
			say("220 go on")
			secured := tls.Server(c, o.tls)
			c, in = secured, bufio.NewReader(secured)
			o.features = []string{"AUTH PLAIN"}
		case verb == "AUTH":
			say("235 welcome")
		case verb == "DATA":
			say("354 go on")
			var mail strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				mail.WriteString(line)
			}
			if end, ok := o.answers["."]; ok {
				say(end)
				continue
			}
			o.mu.Lock()
			o.mails = append(o.mails, mail.String())
			o.mu.Unlock()
			say("250 taken")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// certificate returns one for 127.0.0.1, and who vouches for it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "post.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
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

var invitation = Message{To: "zoe@example.com", Subject: "Grüße, Zoë", Text: "Hello Zoë,\nthis is it: https://login.example/x\n", HTML: "<p>Hello Zoë</p>"}

func sender(t *testing.T, s Server) *SMTP {
	t.Helper()
	from, err := ParseFrom("Example <login@example.com>")
	if err != nil {
		t.Fatal(err)
	}
	s.Host = "127.0.0.1"
	if s.Hello == "" {
		s.Hello = "dex.test"
	}
	m, err := NewSMTP(s, from, &clock.Fake{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAMailArrivesAsItWasWritten(t *testing.T) {
	office := openOffice(t, &postOffice{})
	if err := sender(t, Server{Port: office.port(), Security: Clear}).Send(t.Context(), "out_1", invitation); err != nil {
		t.Fatal(err)
	}
	if len(office.mails) != 1 {
		t.Fatalf("%d mails arrived", len(office.mails))
	}
	got, err := netmail.ReadMessage(strings.NewReader(office.mails[0]))
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		"From": `"Example" <login@example.com>`, "To": "<zoe@example.com>", "Message-Id": "<out_1@example.com>",
		"Auto-Submitted": "auto-generated", "Subject": "=?UTF-8?q?Gr=C3=BC=C3=9Fe,_Zo=C3=AB?=", "Date": "Thu, 01 Jan 2026 12:00:00 +0000",
	} {
		if got.Header.Get(header) != want {
			t.Errorf("%s is %q, want %q", header, got.Header.Get(header), want)
		}
	}
	body, _ := io.ReadAll(got.Body)
	for _, want := range []string{"text/plain", "text/html", "https://login.example/x"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the mail lacks %q:\n%s", want, body)
		}
	}
}

func TestAConnectionIsProtectedBeforeAnythingIsSaid(t *testing.T) {
	config, roots := certificate(t)
	t.Run("starttls, and the password over it", func(t *testing.T) {
		office := openOffice(t, &postOffice{tls: config, features: []string{"STARTTLS"}})
		m := sender(t, Server{Port: office.port(), RootCAs: roots, Username: "dex", Password: secret.Value("hunter2")})
		if err := m.Send(t.Context(), "out_1", invitation); err != nil {
			t.Fatal(err)
		}
		said := strings.Join(office.said, "\n")
		proof := base64.StdEncoding.EncodeToString([]byte("\x00dex\x00hunter2"))
		if i, j := strings.Index(said, "STARTTLS"), strings.Index(said, proof); i < 0 || j < i || len(office.mails) != 1 {
			t.Errorf("it was said:\n%s", said)
		}
	})
	t.Run("tls from the first byte", func(t *testing.T) {
		listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
		if err != nil {
			t.Fatal(err)
		}
		office := openOffice(t, &postOffice{Listener: listener})
		if err := sender(t, Server{Port: office.port(), Security: TLS, RootCAs: roots}).Send(t.Context(), "out_1", invitation); err != nil {
			t.Fatal(err)
		}
		if len(office.mails) != 1 {
			t.Error("nothing arrived")
		}
	})
	t.Run("a server that cannot is told nothing", func(t *testing.T) {
		office := openOffice(t, &postOffice{})
		err := sender(t, Server{Port: office.port(), Username: "dex", Password: "hunter2"}).Send(t.Context(), "out_1", invitation)
		if err == nil || errors.Is(err, ErrRefused) || len(office.mails) != 0 || strings.Contains(strings.Join(office.said, " "), "MAIL") {
			t.Errorf("%v; it was said %q", err, office.said)
		}
	})
	t.Run("a server that nobody vouches for is told nothing", func(t *testing.T) {
		office := openOffice(t, &postOffice{tls: config, features: []string{"STARTTLS"}})
		err := sender(t, Server{Port: office.port()}).Send(t.Context(), "out_1", invitation)
		if err == nil || len(office.mails) != 0 {
			t.Errorf("%v, %d mails", err, len(office.mails))
		}
	})
	t.Run("a password is not sent in the clear", func(t *testing.T) {
		if _, err := NewSMTP(Server{Host: "post.test", Security: Clear, Username: "dex"}, From{}, &clock.Fake{}); err == nil {
			t.Error("it would be")
		}
	})
	t.Run("a way that nobody knows is refused", func(t *testing.T) {
		if _, err := NewSMTP(Server{Host: "post.test", Security: "ssl"}, From{}, &clock.Fake{}); err == nil {
			t.Error("taken")
		}
	})
}

func TestARefusalIsToldFromABadMoment(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers map[string]string
		refused bool
		arrives bool
	}{
		{name: "no such mailbox", answers: map[string]string{"RCPT": "550 5.1.1 no such mailbox"}, refused: true},
		{name: "the content is disliked", answers: map[string]string{".": "554 5.7.1 spam"}, refused: true},
		{name: "greylisted", answers: map[string]string{"RCPT": "450 4.7.1 greylisted, come back"}},
		{name: "the mailbox is full", answers: map[string]string{".": "452 4.2.2 full"}},
		{name: "the sender is not allowed, which is ours to mend", answers: map[string]string{"MAIL": "550 5.7.1 who are you"}},
		{name: "it does not like us at all", answers: map[string]string{"EHLO": "554 go away", "HELO": "554 go away"}},
		{name: "it hangs up when we greet", answers: map[string]string{"EHLO": ""}},
		{name: "it hangs up in the middle", answers: map[string]string{"DATA": ""}},
		{name: "it talks nonsense", answers: map[string]string{"MAIL": "hello?"}},
		{name: "it takes the mail, and hangs up", answers: map[string]string{"RSET": "", "QUIT": ""}, arrives: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			office := openOffice(t, &postOffice{answers: test.answers})
			err := sender(t, Server{Port: office.port(), Security: Clear}).Send(t.Context(), "out_1", invitation)
			if (err == nil) != test.arrives || errors.Is(err, ErrRefused) != test.refused {
				t.Errorf("got %v; refused is %v", err, errors.Is(err, ErrRefused))
			}
		})
	}
	t.Run("nobody is there", func(t *testing.T) {
		office := openOffice(t, &postOffice{})
		m := sender(t, Server{Port: office.port(), Security: Clear})
		_ = office.Close()
		if err := m.Send(t.Context(), "out_1", invitation); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a server that never answers is not waited for", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0") // it accepts, and says nothing
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = silent.Close() }()
		m := sender(t, Server{Port: silent.Addr().(*net.TCPAddr).Port, Security: Clear, Timeout: 100 * time.Millisecond})
		if err := m.Send(t.Context(), "out_1", invitation); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("got %v", err)
		}
	})
}

func TestNothingInAMessageIsObeyed(t *testing.T) {
	office := openOffice(t, &postOffice{})
	m := sender(t, Server{Port: office.port(), Security: Clear})
	for _, nasty := range []string{"\r\nBcc: eve@evil.example", "\nX: y", "\r", "\x00", "\u2028", "\u202e", "\x7f"} {
		for what, change := range map[string]func(*Message){
			"to":             func(m *Message) { m.To = "zoe@example.com" + nasty },
			"to, in front":   func(m *Message) { m.To = "zoe" + nasty + "@example.com" },
			"subject":        func(m *Message) { m.Subject += nasty },
			"another person": func(m *Message) { m.To = "zoe@example.com, eve@evil.example" },
			"a name":         func(m *Message) { m.To = "Zoe <zoe@example.com>" },
			"a quoted one":   func(m *Message) { m.To = `"zoe@evil.example> x"@example.com` },
		} {
			bad := invitation
			change(&bad)
			if err := m.Send(t.Context(), "out_1", bad); !errors.Is(err, ErrRefused) {
				t.Errorf("%s with %q: %v", what, nasty, err)
			}
			if _, err := bad.Encode(); err == nil {
				t.Errorf("%s with %q is kept", what, nasty)
			}
		}
		if err := m.Send(t.Context(), "out_1"+nasty, invitation); err == nil {
			t.Errorf("the id with %q is taken", nasty)
		}
	}
	dots := invitation
	dots.Text = "Look:\r\n.\r\nRCPT TO:<eve@evil.example>\r\n..\r\n"
	if err := m.Send(t.Context(), "out_1", dots); err != nil {
		t.Fatal(err)
	}
	if len(office.mails) != 1 || strings.Contains(strings.Join(office.said, "\n"), "eve@") {
		t.Errorf("the body was obeyed: %q", office.said)
	}
}

func FuzzCheckAddress(f *testing.F) {
	for _, s := range []string{"ann@example.com", "a b@c", "a@b\r\nX: y", `"a@b"@c`, "ä@ö.example", "a@[127.0.0.1]", "@", "", "a@b,c@d", "<a@b>"} {
		f.Add(s)
	}
	from, err := ParseFrom("login@example.com")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if CheckAddress(address) != nil {
			return
		}
		built, err := build(from, &clock.Fake{}, "out_1", Message{To: address, Subject: "s", Text: "t"})
		if err != nil {
			t.Fatalf("%q passes the check and cannot be sent: %v", address, err)
		}
		to, err := built.GetRecipients()
		if err != nil || len(to) != 1 || to[0] != "<"+address+">" {
			t.Errorf("%q goes to %q, %v", address, to, err)
		}
		var out strings.Builder
		if _, err := built.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
		got, err := netmail.ReadMessage(strings.NewReader(out.String()))
		if err != nil || len(got.Header) != 9 {
			t.Errorf("%q makes the headers %v, %v", address, got, err)
		}
	})
}
