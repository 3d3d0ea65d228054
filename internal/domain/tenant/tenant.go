// Package tenant is one issuer with all that is its own: keys, clients, users,
// connectors and the rules they live by.
package tenant

import (
	"context"
	"time"
)

// Default is the tenant that serves when nothing names another.
const Default = "default"

// Who manages a part of a tenant's configuration: whoever declared it is asked to
// change it.
const (
	ManagedByFile  = "file"  // the configuration file of the programs
	ManagedByApply = "apply" // files that an operator plans and applies
	ManagedByHand  = "api"   // nobody but those who change it by hand
	// ManagedByItself is of clients that have registered themselves.
	ManagedByItself = "registration"
)

// DisabledByOperator says that somebody has disabled a part of the configuration by
// hand, which whoever manages it does not undo.
const DisabledByOperator = "operator"

// Tenant is one issuer.
type Tenant struct {
	ID       string
	Issuer   string // the issuer identifier, byte for byte as it stands in tokens
	Disabled bool
	// NotBefore is the tenant's epoch: nothing that was issued earlier counts.
	NotBefore time.Time
	// Registration is what clients may register themselves for; nil is nothing.
	Registration *Registration
}

// Lifetimes says how long things last. Every value is positive.
type Lifetimes struct {
	Attempt      time.Duration // an authorization request under way in a browser
	Code         time.Duration // an authorization code, RFC 6749 section 4.1.2
	AccessToken  time.Duration
	IDToken      time.Duration
	SessionIdle  time.Duration // a session that nobody uses
	Session      time.Duration // a session, however much it is used
	RefreshIdle  time.Duration // a refresh family that nobody uses
	Refresh      time.Duration // a refresh family, however much it is used
	RefreshGrace time.Duration // how long the refresh token before the last still gets the same successor
}

// LongestToken is the longest time for which anything signed may be alive.
func (l Lifetimes) LongestToken() time.Duration { return max(l.AccessToken, l.IDToken) }

// Store tells how the tenant stands.
type Store interface {
	// Self returns the tenant. The answer may be as old as the store's lease on
	// configuration allows.
	Self(ctx context.Context) (Tenant, error)
}
