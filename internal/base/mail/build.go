package mail

import (
	"fmt"
	netmail "net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"dex/internal/base/clock"
)

// From is whom a mail comes from: "Example <login@example.com>" or the address alone.
type From struct {
	name, address string
}

// ParseFrom reads whom mails come from.
func ParseFrom(s string) (From, error) {
	parsed, err := netmail.ParseAddress(s)
	if err != nil || !plain(s) {
		return From{}, fmt.Errorf("mail: %q is no sender; write it as login@example.com or Example <login@example.com>", s)
	}
	return From{parsed.Name, parsed.Address}, CheckAddress(parsed.Address)
}

// domain returns what stands behind the @.
func (f From) domain() string { return f.address[strings.LastIndexByte(f.address, '@')+1:] }

// build makes of a message what is sent.
func build(f From, c clock.Clock, id string, m Message) (*gomail.Msg, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	if strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || id == "" {
		return nil, fmt.Errorf("mail: %q is no id of a message", id)
	}
	built := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	built.FromMailAddress(&netmail.Address{Name: f.name, Address: f.address})
	built.ToMailAddress(&netmail.Address{Address: m.To})
	built.Subject(m.Subject)
	built.SetMessageIDWithValue(id + "@" + f.domain())
	built.SetDateWithValue(c.Now())
	// So that nobody's holiday answers us (RFC 3834, section 5).
	built.SetGenHeader("Auto-Submitted", "auto-generated")
	built.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		built.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return built, nil
}
