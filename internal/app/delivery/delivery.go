// Package delivery puts together what leaves the house by itself: mail out of the
// outbox, and the record of what was done. Whoever has the duties has these too.
package delivery

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/netip"
	"time"

	"dex/internal/app/config"
	"dex/internal/app/duty"
	"dex/internal/base/clock"
	"dex/internal/base/mail"
	"dex/internal/base/outbound"
	"dex/internal/base/sink"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/outbox"
)

// Store is where what is to be delivered stands.
type Store interface {
	outbox.Queue
	audit.Exports
}

// Settings are those of any program that has the duties.
type Settings struct {
	Mail         config.Mail
	Audit        config.Audit
	AllowPrivate []netip.Prefix // networks that a webhook may be in
	Roots        *x509.CertPool // whom to trust there; nil for those of the system
	Host         string         // what this machine is called
	Client       *http.Client   // by which applications are told that sessions have ended
	// Documents are where they publish their keys, and say which of those that have
	// registered themselves may be called.
	Documents *client.Documents
}

const (
	deliverEvery = 5 * time.Second
	tellEvery    = 2 * time.Second
	exportEvery  = 2 * time.Second
)

// Duties returns the duties that deliver. Without a mail server there is none to
// deliver, and what is queued waits; without a sink there is none to hand on. What
// cannot be set up is a duty that fails, so that operators see it where they look for
// the others; what is beside it goes on. Of says what tells the applications of a
// tenant what they are told by themselves; nil if nobody can.
func Duties(db Store, s Settings, of func(ctx context.Context, tenantID string) (Party, error), c clock.Clock) (duties []duty.Duty) {
	if of != nil {
		duties = append(duties, duty.TellApplications(db, map[outbox.Kind]outbox.Carrier{
			outbox.Farewell: Farewells{Of: of, Client: s.Client, Clock: c, Documents: s.Documents},
			outbox.Notify:   Notifications{Client: s.Client, Clock: c},
			outbox.Push:     Pushes{Of: of, Client: s.Client, Clock: c, Documents: s.Documents},
		}, c, tellEvery))
	}
	sender, err := Sender(s.Mail, c)
	if sender != nil || err != nil {
		duties = append(duties, orFails(duty.Deliver(db, duty.MailCarrier{Sender: sender, Clock: c}, c, deliverEvery), err))
	}
	sinks, err := Sinks(s, c)
	if len(sinks) > 0 || err != nil {
		duties = append(duties, orFails(duty.Export(db, sinks, c, exportEvery), err))
	}
	return duties
}

// brokenEvery is how often it is said that something cannot be set up: that changes
// when the program is started anew.
const brokenEvery = 10 * time.Minute

// orFails returns a duty, or one of its name that only tells why it cannot be done.
func orFails(d duty.Duty, err error) duty.Duty {
	if err == nil {
		return d
	}
	return duty.Duty{Name: d.Name, Every: brokenEvery, Do: func(context.Context) (string, error) { return "", err }}
}

// Sender returns what sends mail; nil if nothing is set up that could.
func Sender(s config.Mail, c clock.Clock) (mail.Sender, error) {
	if s.From == "" {
		return nil, nil
	}
	from, err := mail.ParseFrom(s.From)
	if err != nil {
		return nil, err
	}
	if s.Folder != "" {
		return mail.Folder{Path: s.Folder, From: from, Clock: c}, nil
	}
	host, port, _ := s.HostPort()
	return mail.NewSMTP(mail.Server{
		Host: host, Port: port, Security: s.Security, Username: s.Username, Password: s.Password,
	}, from, c)
}

// Sinks returns where the record is handed on to.
func Sinks(s Settings, c clock.Clock) (all []sink.Sink, err error) {
	if s.Audit.File != "" {
		all = append(all, sink.File{Path: s.Audit.File})
	}
	if s.Audit.Syslog != "" {
		log, err := sink.NewSyslog(s.Audit.Syslog, s.Host, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, log)
	}
	if s.Audit.Webhook != "" {
		client := outbound.New(outbound.Options{AllowPrivate: s.AllowPrivate, RootCAs: s.Roots})
		hook, err := sink.NewWebhook(s.Audit.Webhook, s.Audit.WebhookSecret, client, c)
		if err != nil {
			return nil, err
		}
		all = append(all, hook)
	}
	return all, nil
}
