package plan

import (
	"fmt"
	"slices"
	"time"

	"dex/internal/admin/declare"
	"dex/internal/connector"
	"dex/internal/connector/inventory"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

// Want makes of what files declare what is wanted.
func Want(r declare.Resources, now time.Time) (Wanted, error) {
	var w Wanted
	for _, c := range r.Clients {
		made, err := c.Make()
		if err != nil {
			return w, fmt.Errorf("client %s: %w", c.ID, err)
		}
		one := client.Registered{Client: made}
		for _, v := range c.Secrets {
			one.Notes = append(one.Notes, client.NoteOf(v, now))
		}
		w.Clients = append(w.Clients, one)
	}
	for _, c := range r.Connectors {
		w.Connectors = append(w.Connectors, c.Make())
	}
	ids := map[string]string{}
	for _, u := range r.Users {
		made, err := u.Make()
		if err != nil {
			return w, fmt.Errorf("user %s: %w", u.Username, err)
		}
		w.People, ids[made.User.Username] = append(w.People, made), made.User.ID
	}
	for _, u := range r.Users {
		if u.ID != "" { // which counts for more than what another is called
			ids[u.ID] = declare.AccountID(u.ID)
		}
	}
	for _, g := range r.Groups {
		one := inventory.Group{Group: user.Group{ID: g.ID, Description: g.Description}}
		for _, member := range g.Members {
			id, declared := ids[member]
			if !declared {
				id = declare.AccountID(member)
			}
			one.Members = append(one.Members, id)
		}
		slices.Sort(one.Members)
		one.Members = slices.Compact(one.Members) // somebody may be named in two ways
		w.Groups = append(w.Groups, one)
	}
	return w, nil
}

// Export declares what there is; of people and groups, those that files manage. A plan
// of it finds nothing to change.
func Export(now inventory.Inventory, kinds []connector.Kind) (declare.Resources, error) {
	var r declare.Resources
	for _, c := range now.Clients {
		d, err := declare.ClientOf(c.Client)
		if err != nil {
			return r, fmt.Errorf("client %s: %w", c.ID, err)
		}
		r.Clients = append(r.Clients, d)
	}
	for _, c := range now.Connectors {
		d, err := declare.ConnectorOf(c.Configured, kinds)
		if err != nil {
			return r, fmt.Errorf("connector %s: %w", c.ID, err)
		}
		r.Connectors = append(r.Connectors, d)
	}
	for _, one := range now.People {
		if one.ManagedBy == tenant.ManagedByApply {
			one.Profile.Groups = nil
			r.Users = append(r.Users, declare.UserOf(one.User, one.Profile, !one.PasswordAt.IsZero()))
		}
	}
	for _, g := range now.Groups {
		if g.ManagedBy == tenant.ManagedByApply {
			r.Groups = append(r.Groups, declare.Group{ID: g.ID, Description: g.Description, Members: g.Members})
		}
	}
	return r, nil
}
