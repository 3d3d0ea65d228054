package sink

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"
)

// Syslog sends lines to a system's log (RFC 5424): to a socket of this machine, by
// UDP (RFC 5426), by TCP (RFC 6587, with the length in front), or by TLS (RFC 5425).
//
// The protocol has no word for "I have it". By TCP and TLS a batch is one connection,
// which we end and then wait for the other side to end, so that a side which has gone
// away in the middle is noticed. Of UDP nothing comes back at all.
type Syslog struct {
	network string // "unix", "udp", "tcp", "tls"
	address string
	host    string // what this machine is called
	roots   *x509.CertPool
}

// The priority of every line: facility 13, "log audit", and severity 6, "informational".
const syslogPriority = 13*8 + 6

// NewSyslog returns the system's log at an address: unix:/dev/log,
// udp://host:514, tcp://host:601 or tls://host:6514. The host is what this machine is
// called; nil roots are the system's.
func NewSyslog(address, host string, roots *x509.CertPool) (*Syslog, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("sink: %q is no address of a system's log", address)
	}
	s := &Syslog{network: u.Scheme, address: u.Host, host: nilValue(printable(host, 255)), roots: roots}
	switch {
	case u.Scheme == "unix" && u.Host == "" && u.Path != "" && u.RawQuery == "":
		s.address = u.Path
	case (u.Scheme == "udp" || u.Scheme == "tcp" || u.Scheme == "tls") && u.Hostname() != "" && u.Port() != "" && u.Path == "" && u.User == nil && u.RawQuery == "":
	default:
		return nil, fmt.Errorf("sink: %q is no address of a system's log: write unix:/dev/log, udp://host:514, tcp://host:601 or tls://host:6514", address)
	}
	return s, nil
}

// Name implements [Sink].
func (s *Syslog) Name() string { return "syslog " + s.network + " " + s.address }

// Write implements [Sink].
func (s *Syslog) Write(ctx context.Context, lines []Line) (err error) {
	if len(lines) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, stream, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	defer func() { _ = c.Close() }() // what matters of it is in part
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	if !stream {
		for _, l := range lines {
			if _, err := c.Write(s.message(l)); err != nil {
				return fmt.Errorf("sink: %w", err)
			}
		}
		return nil
	}
	var all bytes.Buffer
	for _, l := range lines {
		m := s.message(l)
		all.WriteString(strconv.Itoa(len(m)))
		all.WriteByte(' ')
		all.Write(m)
	}
	if _, err := all.WriteTo(c); err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	if err := part(c); err != nil {
		return fmt.Errorf("sink: the other side went away: %w", err)
	}
	return nil
}

// dial connects, and says whether what is written is one stream.
func (s *Syslog) dial(ctx context.Context) (c net.Conn, stream bool, err error) {
	var d net.Dialer
	switch s.network {
	case "unix":
		if c, err = d.DialContext(ctx, "unixgram", s.address); err == nil {
			return c, false, nil
		}
		c, err = d.DialContext(ctx, "unix", s.address)
		return c, true, err
	case "udp":
		c, err = d.DialContext(ctx, "udp", s.address)
		return c, false, err
	case "tls":
		secured := tls.Dialer{NetDialer: &d, Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.roots}}
		c, err = secured.DialContext(ctx, "tcp", s.address)
		return c, true, err
	default:
		c, err = d.DialContext(ctx, "tcp", s.address)
		return c, true, err
	}
}

// lingering is how long a side that does not end the connection is waited for. Some
// never do; what they have read they have read.
const lingering = 2 * time.Second

// part ends our half of a connection, and waits until the other half ends.
func part(c net.Conn) error {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	if err := half.CloseWrite(); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(lingering)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// message writes a line as RFC 5424 has it.
func (s *Syslog) message(l Line) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%d>1 %s %s dex %d %s - ", syslogPriority, l.At.UTC().Format("2006-01-02T15:04:05.000000Z"), s.host, os.Getpid(), nilValue(printable(l.Kind, 32)))
	b.Write(l.JSON)
	return b.Bytes()
}

// printable returns what of a text may stand in a header: visible ASCII.
func printable(s string, most int) string {
	var b []byte
	for _, c := range []byte(s) {
		if c > ' ' && c < 0x7f && len(b) < most {
			b = append(b, c)
		}
	}
	return string(b)
}

// nilValue stands in for nothing.
func nilValue(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
