package config

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"dex/internal/base/mail"
	"dex/internal/base/secret"
	"dex/internal/base/sink"
)

// Audit says where the record of what was done is sent.
type Audit struct {
	// A file that each event is appended to, as a line of JSON. Whoever rotates it need only rename it.
	File string `yaml:"file"`
	// The system's log: unix:/dev/log, udp://host:514, tcp://host:601 or tls://host:6514.
	Syslog string `yaml:"syslog"`
	// A URL that events are posted to.
	Webhook string `yaml:"webhook" format:"uri"`
	// The secret that signs what is posted: whsec_ and 24 to 64 random bytes in base64, or file:PATH of a file that holds it.
	WebhookSecret secret.Value `yaml:"webhook_secret"`
}

// Mail says how mail is sent.
type Mail struct {
	// Whom mail comes from: login@example.com, or Example <login@example.com>. Without one, none is sent.
	From string `yaml:"from"`
	// The mail server, as host or host:port.
	Server string `yaml:"server"`
	// How the connection to the mail server is protected: starttls, on port 587 unless another is named; tls, on 465; or none, on 25.
	Security string `yaml:"security" default:"starttls" enum:"starttls|tls|none"`
	// The name to log in to the mail server with. Without one, nobody logs in.
	Username string `yaml:"username"`
	// The password to log in to the mail server with, or file:PATH of a file that holds it.
	Password secret.Value `yaml:"password"`
	// A folder that mail is put into instead of being sent, for whoever tries things out.
	Folder string `yaml:"folder"`
}

// HostPort returns the parts of the server's address; the port is 0 if none is named.
func (m Mail) HostPort() (host string, port int, ok bool) {
	host, text, err := net.SplitHostPort(m.Server)
	if err != nil {
		host = strings.Trim(m.Server, "[]")
		return host, 0, host != "" && !strings.ContainsAny(host, "/@ ")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return host, int(n), err == nil && n > 0 && host != ""
}

// audit looks at where the record is sent.
func (l *loader) audit(a *Audit) {
	if a.Syslog != "" {
		if _, err := sink.NewSyslog(a.Syslog, "", nil); err != nil {
			l.Add("audit.syslog", "must be unix:/dev/log, udp://host:514, tcp://host:601 or tls://host:6514")
		}
	}
	text, ok := l.fromFile("audit.webhook_secret", string(a.WebhookSecret))
	if !ok {
		return
	}
	a.WebhookSecret = secret.Value(text)
	switch u, err := url.Parse(a.Webhook); {
	case a.Webhook == "" && text != "":
		l.Add("audit.webhook_secret", "needs audit.webhook")
	case a.Webhook == "":
	case err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http":
		l.Add("audit.webhook", "must be a URL such as https://log.example.com/dex, without a name or password in it")
	case text == "":
		l.Add("audit.webhook_secret", `is not set, and without it nobody can tell that the events come from us; make one with "echo whsec_$(openssl rand -base64 32)"`)
	default:
		if _, err := sink.NewWebhook(a.Webhook, a.WebhookSecret, nil, nil); err != nil {
			l.Add("audit.webhook_secret", `must be whsec_ and 24 to 64 random bytes in base64; make one with "echo whsec_$(openssl rand -base64 32)"`)
		}
	}
}

// mail looks at how mail is sent.
func (l *loader) mail(m *Mail) {
	if text, ok := l.fromFile("mail.password", string(m.Password)); ok {
		m.Password = secret.Value(text)
	}
	if m.From != "" {
		if _, err := mail.ParseFrom(m.From); err != nil {
			l.Add("mail.from", "must be an address such as login@example.com or Example <login@example.com>")
		}
	}
	_, _, ok := m.HostPort()
	switch {
	case m.Server == "" && m.Folder == "" && m.From == "":
	case m.Server != "" && m.Folder != "":
		l.Add("mail.folder", "contradicts mail.server, which is set too: take one of them out")
	case m.Server == "" && m.Folder == "":
		l.Add("mail.server", "is not set, so that nothing could be sent: name the mail server, or with mail.folder a folder to put mail into")
	case m.From == "":
		l.Add("mail.from", "is not set: say whom mail comes from, such as login@example.com")
	case m.Server != "" && !ok:
		l.Add("mail.server", "must be host or host:port, such as mail.example.com:587")
	}
	if m.Username != "" && m.Security == mail.Clear {
		l.Add("mail.username", "would be sent in the clear, and its password too: set mail.security to starttls or tls")
	}
	if (m.Username == "") != (m.Password == "") && !l.Flawed("mail.password") {
		l.Add("mail.username", "and mail.password go together: set both or neither")
	}
}
