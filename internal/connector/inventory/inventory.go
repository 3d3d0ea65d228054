// Package inventory is all that operators have configured of a tenant, seen and
// changed as one: what stands in the files that they plan and apply.
package inventory

import (
	"context"
	"time"

	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
)

// Inventory is what there is.
type Inventory struct {
	Clients    []client.Registered    // in the order of their ids
	Connectors []connector.Registered // in their own order
}

// Deeds are changes that belong together.
type Deeds struct {
	NewConnectors     []connector.Registered
	ChangedConnectors []connector.Registered
	DisableConnectors []string
	// Order is the order of all connectors; empty if it stays.
	Order          []string
	NewClients     []client.Registered
	ChangedClients []client.Registered
	DeleteClients  []string
}

// Empty reports whether there is nothing to do.
func (d Deeds) Empty() bool {
	return len(d.NewConnectors)+len(d.ChangedConnectors)+len(d.DisableConnectors)+len(d.Order)+
		len(d.NewClients)+len(d.ChangedClients)+len(d.DeleteClients) == 0
}

// Keeper keeps the inventory of a tenant.
type Keeper interface {
	// Inventory returns what there is, as of one moment.
	Inventory(ctx context.Context) (Inventory, error)
	// Reconcile lets somebody decide by what there is, and does what they decide: all
	// of it or nothing, and before anything else changes. It takes effect everywhere
	// before it returns.
	Reconcile(ctx context.Context, decide func(Inventory) (Deeds, error), by audit.By) error
	// PeopleOf counts who has logged in to a client since a time, PeopleBy who has by a
	// connector. What happened in the last minutes may be missing.
	PeopleOf(ctx context.Context, clientID string, since time.Time) (int, error)
	PeopleBy(ctx context.Context, connectorID string, since time.Time) (int, error)
}
