package user

import (
	"context"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/audit"
)

// Filter says which accounts are meant. What is left empty leaves nobody out.
type Filter struct {
	Text        string // each of its words begins a word of the account: see [Words]
	Role        string
	GroupID     string // a group of ours
	ConnectorID string // one that an identity of the account is of
	ManagedBy   string
	Disabled    *bool
}

// Account is an account with what hangs on it, as an operator sees it.
type Account struct {
	User
	ManagedBy  string // as tenants say it; empty if the account came of a login
	DisabledBy string // "file", or empty if an operator did it
	LoginNames []string
	// ConnectorID is the connector whose form takes the login names and the password;
	// empty if the account has neither.
	ConnectorID string
	// Profile is what applications hear of somebody who logs in there.
	Profile    Profile
	Identities []Identity // without their data
	PasswordAt time.Time  // when the password was set; zero if there is none
	LastLogin  time.Time  // zero if there was none that is known of
}

// New is an account that an operator makes.
type New struct {
	User      User // its ID may be left to the store
	ManagedBy string
	Local     Local
	// PasswordHash is in PHC string format; empty for none.
	PasswordHash string
}

// Local is how somebody logs in here, with a name and a password. The identity at the
// connector has the account's ID as its subject.
type Local struct {
	ConnectorID string   // empty if the person does not log in here
	LoginNames  []string // canonical
	Profile     Profile
}

// Edit is an account as an operator wants it to be.
type Edit struct {
	ID            string
	Version       int64 // that the operator has seen; zero for whichever
	Username      string
	Email         string
	EmailVerified bool
	Name          string
	Local         Local
}

// PasswordChange sets a password.
type PasswordChange struct {
	UserID string
	Hash   string // in PHC string format
	// Keep leaves the person's sessions and grants as they are.
	Keep bool
	// Forgive are where failed attempts were counted: the keys of buckets.
	Forgive []secret.Hash
}

// Directory is the index of people as an operator sees and changes it.
type Directory interface {
	// Users returns some of the accounts that are meant, at most so many, in an order
	// of the directory's own, and where the next ones begin: empty if there are no
	// more. It may return fewer than there are, or none, and still say where to go
	// on, so that nobody waits long for the few in a million.
	Users(ctx context.Context, f Filter, after string, most int) ([]Account, string, error)
	// Account returns an account with all that hangs on it.
	Account(ctx context.Context, id string) (Account, error)
	// CreateUser makes an account. It returns a fault of kind Conflict if a login name
	// is somebody else's, and one of kind Invalid if a group is not there.
	CreateUser(ctx context.Context, n New, by audit.By) (User, error)
	// UpdateUser changes what is known of somebody. It returns a fault of kind
	// Conflict if the account has changed since, is managed by the configuration
	// file, or another has a login name; and so if a connector says who the person is,
	// because it will say so again.
	UpdateUser(ctx context.Context, e Edit, by audit.By) (User, error)
	// SetRole changes what somebody may do to this service. It counts at once: what
	// the person's tokens may do is less by the next request.
	SetRole(ctx context.Context, id, role string, version int64, by audit.By) (User, error)
	// SetPassword sets somebody's password, and ends what came of the one before.
	SetPassword(ctx context.Context, c PasswordChange, by audit.By) error
	// DeleteUser deletes an account with everything that it has. Nobody gets its ID
	// again.
	DeleteUser(ctx context.Context, id string, version int64, by audit.By) error
}

// Holders tell whose something is, for whoever wants to take it from them. Each returns a
// fault of kind NotFound if there is no such thing.
type Holders interface {
	Holder(ctx context.Context, userID string) (User, error)
	SessionHolder(ctx context.Context, sessionID string) (User, error)
	GrantHolder(ctx context.Context, grantID string) (User, error)
}

// Standing is who may log in, and how.
type Standing interface {
	// DisableUser disables an account, ends its sessions and revokes its grants.
	DisableUser(ctx context.Context, id string, by audit.By) error
	// EnableUser lets the account log in again. What was ended stays ended.
	EnableUser(ctx context.Context, id string, by audit.By) error
	// LinkIdentity lets somebody in by an identity elsewhere, which must not be
	// linked to another account.
	LinkIdentity(ctx context.Context, userID string, i Identity, by audit.By) error
	// UnlinkIdentity takes an identity from an account, and ends what came of it. With
	// that of the local connector go login names and password.
	UnlinkIdentity(ctx context.Context, userID, connectorID, subject string, by audit.By) error
}

// Group is a group of ours.
type Group struct {
	ID          string // its name, as it stands in tokens
	Description string
	ManagedBy   string // as tenants say it
	Version     int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Groups are the groups of ours. Who is in one is asked of the [Directory].
type Groups interface {
	// Groups returns at most so many groups, in the order of their names, from after
	// one on.
	Groups(ctx context.Context, after string, most int) ([]Group, error)
	Group(ctx context.Context, id string) (Group, error)
	// CreateGroup makes a group. It returns a fault of kind Conflict if there is one of
	// the name.
	CreateGroup(ctx context.Context, g Group, by audit.By) (Group, error)
	// UpdateGroup changes the description. A name stands in tokens and rules
	// elsewhere, so it stays.
	UpdateGroup(ctx context.Context, g Group, by audit.By) (Group, error)
	// DeleteGroup deletes a group. Nobody is in it any more.
	DeleteGroup(ctx context.Context, id string, version int64, by audit.By) error
	// AddMembers puts accounts into a group. Who is in it stays.
	AddMembers(ctx context.Context, groupID string, userIDs []string, by audit.By) error
	// RemoveMembers takes accounts out of a group. Who is not in it stays so.
	RemoveMembers(ctx context.Context, groupID string, userIDs []string, by audit.By) error
}
