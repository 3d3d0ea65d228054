// Package user is the index of people: stable accounts of ours, the identities
// elsewhere that lead to them, and the rule that says whom a login belongs to.
package user

import (
	"context"
	"slices"
	"time"
)

// User is an account. Its ID is the subject that applications see, and never
// changes; everything else about it may.
type User struct {
	ID            string // "usr_…"
	Username      string
	Email         string
	EmailVerified bool
	Name          string
	Disabled      bool
	// NotBefore is the user's epoch: nothing that was issued earlier counts.
	NotBefore time.Time
	// Role names what the person may do to this service itself; empty for nothing.
	Role string
	// MemberOf are the groups of ours that the person is in, sorted. Those that a
	// connector names stand in the profile of the identity.
	MemberOf []string
	// Version grows with each change that an operator makes.
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Profile is what a connector says about somebody: the standard claims of OpenID
// Connect Core section 5.1, the groups, and whatever else it was told.
type Profile struct {
	Username          string         `json:"username,omitempty"`
	Name              string         `json:"name,omitempty"`
	GivenName         string         `json:"given_name,omitempty"`
	FamilyName        string         `json:"family_name,omitempty"`
	MiddleName        string         `json:"middle_name,omitempty"`
	Nickname          string         `json:"nickname,omitempty"`
	PreferredUsername string         `json:"preferred_username,omitempty"`
	ProfileURL        string         `json:"profile,omitempty"`
	Picture           string         `json:"picture,omitempty"`
	Website           string         `json:"website,omitempty"`
	Gender            string         `json:"gender,omitempty"`
	Birthdate         string         `json:"birthdate,omitempty"`
	ZoneInfo          string         `json:"zoneinfo,omitempty"`
	Locale            string         `json:"locale,omitempty"`
	Email             string         `json:"email,omitempty"`
	EmailVerified     bool           `json:"email_verified,omitempty"`
	Phone             string         `json:"phone_number,omitempty"`
	PhoneVerified     bool           `json:"phone_number_verified,omitempty"`
	Address           Address        `json:"address,omitzero"`
	Groups            []string       `json:"groups,omitempty"`
	Extra             map[string]any `json:"extra,omitempty"` // claims without a field of their own
	Sources           Sources        `json:"sources,omitzero"`
	UpdatedAt         time.Time      `json:"-"` // when the account last changed
}

// Address is where somebody is reached by letter, OpenID Connect Core section 5.1.1.
type Address struct {
	Formatted     string `json:"formatted,omitempty"` // all of it, with line breaks
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

// Sources are claims that others say of somebody, and that a connector has only told us
// where to find: OpenID Connect Core section 5.6.2. They are passed on as they came.
type Sources struct {
	Names map[string]string         `json:"names,omitempty"` // of the source, by claim
	Of    map[string]map[string]any `json:"of,omitempty"`    // by the name of the source
}

// With returns the profile with what the account says: the groups of ours that it is in,
// beside those that the connector has named, and when it last changed.
func (p Profile) With(u User) Profile {
	p.UpdatedAt = u.UpdatedAt
	if len(u.MemberOf) == 0 {
		return p
	}
	p.Groups = slices.Concat(p.Groups, u.MemberOf)
	slices.Sort(p.Groups)
	p.Groups = slices.Compact(p.Groups)
	return p
}

// Identity is somebody as one connector knows them. Connector and Subject
// together are who they are; a mail address never is.
type Identity struct {
	ConnectorID string
	Subject     string // the connector's own stable id for the person
	Profile     Profile
	// Data is what the connector keeps to look the person up again, such as an
	// upstream refresh token. It is a secret.
	Data []byte
	// CheckedAt is when the connector last vouched for this identity.
	CheckedAt time.Time
}

// Store keeps accounts and identities.
type Store interface {
	// ByIdentity returns the account that an identity leads to, and the identity
	// as it was last seen. It returns a fault of kind NotFound if there is none.
	ByIdentity(ctx context.Context, connectorID, subject string) (User, Identity, error)
	// ByVerifiedEmail returns the account that owns a verified mail address. It
	// returns a fault of kind NotFound if there is none, or more than one.
	ByVerifiedEmail(ctx context.Context, email string) (User, error)
	// ByHint returns the account that an application means by a hint, and its identities,
	// the one that was vouched for last first: by its id, a login name or a verified mail
	// address. It returns a fault of kind NotFound if it means nobody, or more than one.
	ByHint(ctx context.Context, hint string) (User, []Identity, error)
	// ClaimRefresh takes the turn to ask the connector about an identity again, so
	// that of many workers one asks. It reports false if another is at it, or the
	// identity was checked since.
	ClaimRefresh(ctx context.Context, id Identity, until, now time.Time) (bool, error)
	// SaveIdentity keeps what the connector said when it was asked again.
	SaveIdentity(ctx context.Context, id Identity) error
}
