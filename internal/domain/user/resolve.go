package user

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"dex/internal/base/fault"
)

// Policy says what a connector may do about accounts.
type Policy struct {
	// CreateOnFirstLogin lets somebody whom we have never seen in.
	CreateOnFirstLogin bool
	// AuthoritativeFor are the mail domains, lower case, of which the connector
	// has the last word. A verified address in one of them links to the account
	// that owns it.
	AuthoritativeFor []string
}

// Trusts reports whether the connector has the last word on the mail address.
func (p Policy) Trusts(email string) bool {
	address, err := ParseEmail(email)
	_, domain, _ := strings.Cut(address, "@")
	return err == nil && slices.Contains(p.AuthoritativeFor, domain)
}

// Resolve decides which account an identity belongs to. The known account is the
// one that the identity has led to before, sameMail the one that owns its mail
// address; each is nil if there is none. It returns the account to save, new (its
// ID is empty) or brought up to date, or why the login is refused.
//
// A mail address alone never leads to an account: it does only when the connector
// is declared authoritative for its domain and both sides have verified it.
// Otherwise somebody new gets an account of their own, even if the address is in
// use, so that nobody can keep the owner of an address out by claiming it first.
func Resolve(id Identity, known, sameMail *User, p Policy, now time.Time) (User, error) {
	var u User
	switch {
	case known != nil:
		u = *known
	case sameMail != nil && p.Trusts(id.Profile.Email) && id.Profile.EmailVerified && sameMail.EmailVerified:
		u = *sameMail
	case !p.CreateOnFirstLogin:
		return User{}, fault.New(fault.Denied, "There is no account for you here yet.")
	default:
		u = User{CreatedAt: now}
	}
	if u.Disabled {
		return User{}, fault.New(fault.Denied, "This account is disabled.")
	}
	return u.follow(id.Profile, p, now), nil
}

// follow brings the account up to date with what the connector says. That an
// address is the account's own, which others may be linked by, is believed only of a
// connector that speaks for its domain: by the word of any other, somebody could
// claim an address and wait for its owner. What such a one said only such a one
// replaces.
func (u User) follow(p Profile, policy Policy, now time.Time) User {
	before := u
	u.Username, u.Name = p.Username, p.Name
	proven := p.EmailVerified && policy.Trusts(p.Email)
	if proven || !u.EmailVerified || policy.Trusts(u.Email) {
		u.Email, u.EmailVerified = p.Email, proven
	}
	if u.Username != before.Username || u.Name != before.Name || u.Email != before.Email ||
		u.EmailVerified != before.EmailVerified || u.ID == "" {
		u.UpdatedAt = now
	}
	return u
}

// NewID returns a fresh id for an account.
func NewID() string { return "usr_" + strings.ToLower(rand.Text()) }
