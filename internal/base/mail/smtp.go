package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	gomail "github.com/wneessen/go-mail"

	"dex/internal/base/clock"
	"dex/internal/base/secret"
)

// How a connection to a mail server is protected.
const (
	StartTLS = "starttls" // it begins in the clear, and goes no further so
	TLS      = "tls"      // from the first byte
	Clear    = "none"     // not at all
)

// Server says which mail server, and how it is spoken to.
type Server struct {
	Host     string
	Port     int    // the usual one if it is 0
	Security string // "" is [StartTLS]
	Username string // "" is without
	Password secret.Value
	Hello    string         // what we call ourselves; "" is this machine's name
	RootCAs  *x509.CertPool // whom to trust; the system's if nil
	Timeout  time.Duration  // of all that one mail takes; 0 is half a minute
}

// defaultTimeout is what one mail may take.
const defaultTimeout = 30 * time.Second

// SMTP sends by a mail server.
type SMTP struct {
	from     From
	clock    clock.Clock
	host     string
	security string
	options  []gomail.Option
}

// NewSMTP returns what sends by a mail server. A password never travels in the clear.
func NewSMTP(s Server, from From, c clock.Clock) (*SMTP, error) {
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	m := &SMTP{from: from, clock: c, host: s.Host, security: s.Security}
	if s.Port != 0 {
		m.options = append(m.options, gomail.WithPort(s.Port)) // before what would choose one
	}
	// The library allows as much once until it is connected, and once for the mail.
	m.options = append(m.options, gomail.WithTimeout(s.Timeout/2),
		gomail.WithTLSConfig(&tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12, RootCAs: s.RootCAs}))
	switch s.Security {
	case StartTLS, "":
		m.options = append(m.options, gomail.WithTLSPortPolicy(gomail.TLSMandatory))
	case TLS:
		m.options = append(m.options, gomail.WithSSLPort(false))
	case Clear:
		if s.Username != "" {
			return nil, errors.New("mail: a password is sent over TLS only")
		}
		m.options = append(m.options, gomail.WithTLSPortPolicy(gomail.NoTLS))
	default:
		return nil, fmt.Errorf("mail: %q is no way to protect a connection", s.Security)
	}
	if s.Hello != "" {
		m.options = append(m.options, gomail.WithHELO(s.Hello))
	}
	if s.Username != "" {
		m.options = append(m.options,
			gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.Username), gomail.WithPassword(string(s.Password)))
	}
	_, err := gomail.NewClient(m.host, m.options...)
	return m, err
}

// Send implements [Sender]. Each mail has a connection of its own: there are few, and
// a server forgets whom it has been speaking with for long.
func (s *SMTP) Send(ctx context.Context, id string, m Message) error {
	built, err := build(s.from, s.clock, id, m)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	options, hangUp := s.line()
	defer hangUp()
	client, err := gomail.NewClient(s.host, options...)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, built)
	// A server that takes the mail and then forgets its manners has taken it.
	if err == nil || built.IsDelivered() {
		return nil
	}
	return told(err)
}

// line returns the options for one connection, and what ends it: the library leaves
// one open whose server it could not come to terms with. One that is TLS from the
// first byte it has to dial itself, to know that it is.
func (s *SMTP) line() ([]gomail.Option, func()) {
	if s.security == TLS {
		return s.options, func() {}
	}
	var c net.Conn
	dial := func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		c, err = new(net.Dialer).DialContext(ctx, network, address)
		return c, err
	}
	return append(slices.Clip(s.options), gomail.WithDialContextFunc(dial)), func() {
		if c != nil {
			_ = c.Close() // whatever comes of it, we are done
		}
	}
}

// told makes of an error one that says whether another attempt may help. That we may
// not send at all, or not as this sender, is for the operator to mend, and may be
// mended by the next attempt.
func told(err error) error {
	if failed, ok := errors.AsType[*gomail.SendError](err); ok && failed.ErrorCode()/100 == 5 &&
		(failed.Reason == gomail.ErrSMTPRcptTo || failed.Reason == gomail.ErrSMTPDataClose) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return fmt.Errorf("mail: %w", err)
}
