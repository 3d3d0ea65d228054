package connector

import (
	"context"
	"time"

	"dex/internal/domain/audit"
)

// Registered is a connector as operators keep it.
type Registered struct {
	Configured
	Position   int    // its place among the others, on the login page
	ManagedBy  string // as in [tenant.ManagedByFile]
	DisabledBy string // who disabled it: an operator, or whoever manages it
	Version    int64  // grows with each change
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Filter says which connectors are looked for. What is empty does not matter.
type Filter struct {
	Text      string // stands in the id or the name, in whatever letters
	Kind      string
	ManagedBy string
	Disabled  *bool
}

// Deletion says which connector is to be deleted, and how.
type Deletion struct {
	ID      string
	Version int64 // as it was read; zero is any
	// People says to forget who is known by it. Their accounts stay, and they cannot
	// log in by it any more.
	People bool
}

// Registry is what operators do to connectors. Each verb takes effect everywhere
// before it returns, and its line in the record is written with it. What a
// configuration file manages is a fault of kind Conflict, which says where to change
// it.
type Registry interface {
	// RegisteredConnectors returns the connectors after an id, in the order of their
	// ids.
	RegisteredConnectors(ctx context.Context, f Filter, after string, limit int) ([]Registered, error)
	// RegisteredConnector returns a connector as it stands now. It returns a fault of
	// kind NotFound if there is none.
	RegisteredConnector(ctx context.Context, id string) (Registered, error)
	// RegisterConnector adds a connector behind the others. It returns a fault of kind
	// Conflict if there is one of its id.
	RegisterConnector(ctx context.Context, r Registered, by audit.By) (Registered, error)
	// ChangeConnector replaces what a connector is, but for its kind and its place. It
	// returns a fault of kind Conflict if the connector is not of the given version any
	// more; zero is any.
	ChangeConnector(ctx context.Context, r Registered, by audit.By) (Registered, error)
	// DeleteConnector removes a connector. It returns a fault of kind Conflict if
	// people are known by it, unless it is told to forget them: an identity is worth
	// what its connector is, and another of the same id would speak for them.
	DeleteConnector(ctx context.Context, d Deletion, by audit.By) error
}

// Switch turns connectors off and on.
type Switch interface {
	// DisableConnector disables a connector. When it returns, no worker lets anybody in
	// by it or honours what came of it, and applying a configuration again does not
	// change that.
	DisableConnector(ctx context.Context, id string, by audit.By) error
	// EnableConnector lets a connector work again.
	EnableConnector(ctx context.Context, id string, by audit.By) error
}
