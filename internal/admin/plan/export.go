package plan

import (
	"fmt"
	"time"

	"dex/internal/admin/declare"
	"dex/internal/connector"
	"dex/internal/connector/inventory"
	"dex/internal/domain/client"
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
	return w, nil
}

// Export declares what there is. A plan of it finds nothing to change.
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
	return r, nil
}
