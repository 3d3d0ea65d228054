package user

import (
	"context"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/outbox"
	"dex/internal/domain/tenant"
)

// Purpose is what a link is for.
type Purpose string

// The purposes.
const (
	Invite Purpose = "invite" // somebody new chooses their first password
	Reset  Purpose = "reset"  // somebody chooses another
)

// lifetimes is for how long a link counts: an invitation may wait over a weekend,
// whereas who wants another password sits there.
var lifetimes = map[Purpose]time.Duration{Invite: 7 * 24 * time.Hour, Reset: time.Hour}

// Lifetime is for how long a link of the purpose counts; zero if there is none.
func (p Purpose) Lifetime() time.Duration { return lifetimes[p] }

// Link lets somebody choose a password, once. It is bound to its tenant, its account
// and its purpose. Whoever holds its secret holds the account.
type Link struct {
	Hash      secret.Hash
	Purpose   Purpose
	UserID    string
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero if it was not
}

// NewLink returns a link with its secret, which is kept nowhere.
func NewLink(p Purpose, userID string, now time.Time) (Link, secret.Value) {
	value := secret.New(secret.LinkPrefix)
	return Link{Hash: value.Hash(), Purpose: p, UserID: userID, CreatedAt: now, ExpiresAt: now.Add(p.Lifetime())}, value
}

// LinkState is a link with all that decides whether it counts.
type LinkState struct {
	Link
	User        User
	LoginNames  []string
	ConnectorID string // of the login names; empty if there are none
	// ConnectorOpen and TenantOpen say that neither is disabled or gone.
	ConnectorOpen bool
	TenantOpen    bool
	ManagedBy     string // of the account
}

// Check says why the link counts no more, or returns nil. Who holds one may hear
// whether it has been used, and no more than that of the account.
func (s LinkState) Check(now time.Time) error {
	switch {
	case !s.UsedAt.IsZero():
		return fault.New(fault.Conflict, "This link has been used already.")
	case !now.Before(s.ExpiresAt):
		return fault.New(fault.Conflict, "This link has expired, or was replaced by a newer one.")
	case !s.TenantOpen, !s.ConnectorOpen, s.User.Disabled, s.ManagedBy == tenant.ManagedByFile, len(s.LoginNames) == 0:
		return fault.New(fault.Denied, "This link does not count any more: you cannot log in with a password here.")
	}
	return nil
}

// Redemption uses a link.
type Redemption struct {
	Hash         secret.Hash
	PasswordHash string        // in PHC string format
	Forgive      []secret.Hash // where failed attempts were counted
	RemoteAddr   string
	At           time.Time
}

// Links keeps the links by which people choose a password.
type Links interface {
	// CreateLink keeps a link, and ends earlier ones of the account for the purpose. A
	// message is sent with it, unless it is nil. It returns a fault of kind Conflict if
	// the person could not use it.
	CreateLink(ctx context.Context, l Link, m *outbox.Message, by audit.By) error
	// Link returns a link and what decides whether it counts. It returns a fault of
	// kind NotFound if there is none.
	Link(ctx context.Context, hash secret.Hash) (LinkState, error)
	// RedeemLink sets the password by a link, which counts no more, and ends what
	// came of the one before. Of many at once one succeeds. It returns what
	// [LinkState.Check] says if it does not count.
	RedeemLink(ctx context.Context, r Redemption) (LinkState, error)
}
