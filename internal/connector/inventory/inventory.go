// Package inventory is all that operators have configured of a tenant, seen and
// changed as one: what stands in the files that they plan and apply.
package inventory

import (
	"context"
	"time"

	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/user"
)

// Inventory is what there is: all clients and connectors, and of the people and groups
// those that such files manage and those that were named. There may be a million
// others, whom nobody asks about.
type Inventory struct {
	Clients    []client.Registered    // in the order of their ids
	Connectors []connector.Registered // in their own order
	Groups     []Group                // in the order of their ids
	People     []Person               // in the order of their ids
	// Owners are all who can log in and may do everything, if there must be one.
	Owners []string
}

// Group is a group of ours with who is in it.
type Group struct {
	user.Group
	Members []string // in their order
}

// Person is somebody with what files have said of their password.
type Person struct {
	user.Account
	// Declared is the hash that the password came of; empty if it came of none.
	Declared string
}

// Named are the people and groups that files name, whoever manages them.
type Named struct {
	Groups     []string
	Users      []string
	LoginNames []string // canonical
}

// Amendment is what changes of somebody. What is nil or empty stays.
type Amendment struct {
	ID           string
	Version      int64
	Who          *user.Edit
	Role         *string
	Disabled     *bool
	PasswordHash string
}

// Regrouping is what changes of a group.
type Regrouping struct {
	user.Group
	Join, Leave []string
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
	// People and groups of files. An account that is changed or made is managed by
	// them from then on; none is deleted.
	NewPeople     []user.New
	ChangedPeople []Amendment
	DisablePeople []string
	NewGroups     []Group
	ChangedGroups []Regrouping
	DeleteGroups  []string
}

// Empty reports whether there is nothing to do.
func (d Deeds) Empty() bool {
	return len(d.NewConnectors)+len(d.ChangedConnectors)+len(d.DisableConnectors)+len(d.Order)+
		len(d.NewClients)+len(d.ChangedClients)+len(d.DeleteClients)+
		len(d.NewPeople)+len(d.ChangedPeople)+len(d.DisablePeople)+
		len(d.NewGroups)+len(d.ChangedGroups)+len(d.DeleteGroups) == 0
}

// Keeper keeps the inventory of a tenant.
type Keeper interface {
	// Inventory returns what there is, as of one moment.
	Inventory(ctx context.Context, named Named) (Inventory, error)
	// Reconcile lets somebody decide by what there is, and does what they decide: all
	// of it or nothing, and before anything else changes. It takes effect everywhere
	// before it returns. There is still somebody who may do everything afterwards.
	Reconcile(ctx context.Context, named Named, decide func(Inventory) (Deeds, error), by audit.By) error
	// PeopleOf counts who has logged in to a client since a time, PeopleBy who has by a
	// connector. What happened in the last minutes may be missing.
	PeopleOf(ctx context.Context, clientID string, since time.Time) (int, error)
	PeopleBy(ctx context.Context, connectorID string, since time.Time) (int, error)
}
