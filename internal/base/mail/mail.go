// Package mail sends mail: by a mail server, or into a folder, where whoever
// develops something reads it.
//
// A [Message] is checked when it is made, and again before it goes out: nothing in
// its addresses or its subject can begin another header or another recipient.
package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Message is one mail to one person.
type Message struct {
	To      string `json:"to"` // the bare address
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html,omitempty"` // the same for those who like it so
	// Until is when there is no more use in sending it, because what it leads to has
	// expired; zero is never.
	Until time.Time `json:"until,omitzero"`
}

// Sender sends mail.
type Sender interface {
	// Send hands a message over to whoever brings it on. The id is the same each time
	// a message is sent, so that one which arrives twice can be told.
	Send(ctx context.Context, id string, m Message) error
}

// The bounds of what we send ourselves.
const (
	maxAddress = 254 // RFC 5321, section 4.5.3.1.3, with its brackets
	maxSubject = 200
	maxBody    = 256 << 10
)

// Check returns why a message cannot be sent.
func (m Message) Check() error {
	if err := CheckAddress(m.To); err != nil {
		return err
	}
	switch {
	case m.Subject == "" || len(m.Subject) > maxSubject || !plain(m.Subject):
		return errors.New("mail: the subject is one line of text")
	case m.Text == "":
		return errors.New("mail: there is no text")
	case len(m.Text)+len(m.HTML) > maxBody || !utf8.ValidString(m.Text) || !utf8.ValidString(m.HTML):
		return errors.New("mail: the body is too long, or no text")
	}
	return nil
}

// CheckAddress returns why something is no mail address, as it stands in a form or in
// a file: without a name, without brackets.
func CheckAddress(address string) error {
	parsed, err := netmail.ParseAddress(address)
	if err != nil || parsed.Address != address || len(address) > maxAddress || !plain(address) {
		return fmt.Errorf("mail: %q is no address, such as ann@example.com", address)
	}
	if _, domain, _ := strings.Cut(address, "@"); strings.ContainsAny(address, " \t\"<>,;()\\") || domain == "" || strings.ContainsRune(domain, '@') {
		return fmt.Errorf("mail: %q is an address that no mail server would take as it stands", address)
	}
	return nil
}

// plain reports whether a text is one line, without anything that would be obeyed
// instead of shown.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Cf, r)
	})
}

// Encode returns a message as bytes, for the time until it is sent.
func (m Message) Encode() ([]byte, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

// Decode reads what [Message.Encode] has written.
func Decode(data []byte) (Message, error) {
	var m Message
	if err := json.Unmarshal(data, &m); err != nil {
		return Message{}, fmt.Errorf("mail: %w", err)
	}
	return m, m.Check()
}

// ErrRefused says that a server will not take this message, today or tomorrow: there
// is no such mailbox, or it dislikes what is in it.
var ErrRefused = errors.New("mail: refused")
