package storetest

import (
	"errors"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/connector/inventory"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
)

// reconcile does deeds, whatever there is.
func (w *world) reconcile(d inventory.Deeds) error {
	return w.Reconcile(w.ctx, inventory.Named{}, func(inventory.Inventory) (inventory.Deeds, error) { return d, nil }, w.by())
}

func (w *world) inventory() inventory.Inventory {
	w.Helper()
	i, err := w.Inventory(w.ctx, inventory.Named{})
	w.ok(err)
	return i
}

var inventoryPromises = []promise{
	{"many changes are one step, and the inventory is what came of them", func(_ *testing.T, w *world) {
		old := w.register("old")
		kept := w.register("kept")
		corp := w.registerConnector("corp", "oidc")
		gone := w.registerConnector("gone", "mock")
		fresh, _ := w.registration("fresh")
		fresh.ManagedBy = tenant.ManagedByApply
		change := client.Registered{Client: kept.Client, ManagedBy: tenant.ManagedByApply, Version: kept.Version}
		change.Name, change.Secrets = "Changed", nil
		rename := corp
		rename.Name, rename.ManagedBy = "Corporate", tenant.ManagedByApply
		first := connector.Registered{Configured: connector.Configured{ID: "first", Kind: "mock", Name: "First"}, ManagedBy: tenant.ManagedByApply}
		w.ok(w.reconcile(inventory.Deeds{
			NewClients: []client.Registered{fresh}, ChangedClients: []client.Registered{change}, DeleteClients: []string{old.ID},
			NewConnectors: []connector.Registered{first}, ChangedConnectors: []connector.Registered{rename}, DisableConnectors: []string{gone.ID},
			Order: []string{"first", "gone", "corp"},
		}))
		i := w.inventory()
		same(w, "clients", len(i.Clients), 2)
		same(w, "the new one", i.Clients[0].ID+" "+i.Clients[0].ManagedBy, "fresh apply")
		same(w, "the changed one", i.Clients[1].Name+" "+i.Clients[1].ManagedBy, "Changed apply")
		alike(w, "its secrets", i.Clients[1].Secrets, kept.Secrets)
		order := ""
		for _, c := range i.Connectors {
			order += c.ID + " " + c.DisabledBy + " "
		}
		same(w, "connectors", order, "first  gone apply corp  ")
		same(w, "recorded", w.eventOf(audit.ConfigApplied)["detail"], `{"changed":"2","created":"2","deleted":"1","disabled":"1"}`)
		served, err := w.Connectors(w.ctx)
		w.ok(err)
		same(w, "served first", served[0].ID, "first")
	}},
	{"if one of them cannot be, none is", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		w.register("grafana")
		fresh, _ := w.registration("fresh")
		other, _ := w.registration("grafana")
		declared, err := w.RegisteredClient(w.ctx, app)
		w.ok(err)
		stale, err := w.RegisteredClient(w.ctx, "grafana")
		w.ok(err)
		stale.Version = 9
		before := w.dump()
		for name, d := range map[string]inventory.Deeds{
			"it is there":               {NewClients: []client.Registered{fresh, other}},
			"it stands in a file":       {NewClients: []client.Registered{fresh}, ChangedClients: []client.Registered{declared}},
			"it has changed":            {NewClients: []client.Registered{fresh}, ChangedClients: []client.Registered{stale}},
			"a file still declares it":  {NewClients: []client.Registered{fresh}, DeleteClients: []string{app}},
			"a connector of a file":     {ChangedConnectors: []connector.Registered{{Configured: upstreamConnector()}}, NewClients: []client.Registered{fresh}},
			"a connector that is there": {NewConnectors: []connector.Registered{{Configured: upstreamConnector()}}},
		} {
			if err := w.reconcile(d); !fault.Is(err, fault.Conflict) {
				w.Errorf("%s: %v", name, err)
			}
			same(w, name+": changed", w.dump() == before, true)
		}
		no := errors.New("no")
		err = w.Reconcile(w.ctx, inventory.Named{}, func(inventory.Inventory) (inventory.Deeds, error) { return inventory.Deeds{}, no }, w.by())
		same(w, "who decides may refuse", errors.Is(err, no), true)
		same(w, "refused: changed", w.dump() == before, true)
	}},
	{"nothing to do is nothing done", func(_ *testing.T, w *world) {
		w.register("grafana")
		before := w.dump()
		w.ok(w.reconcile(inventory.Deeds{}))
		same(w, "changed", w.dump() == before, true)
	}},
	{"nobody changes anything between what is seen and what is done", func(_ *testing.T, w *world) {
		r := w.register("grafana")
		outcomes := counter[bool]{}
		w.atOnce(4, func(int) {
			err := w.Reconcile(w.ctx, inventory.Named{}, func(i inventory.Inventory) (inventory.Deeds, error) {
				if i.Clients[0].Version != r.Version {
					return inventory.Deeds{}, fault.New(fault.Conflict, "It has changed.")
				}
				change := i.Clients[0]
				change.Name = "Changed"
				return inventory.Deeds{ChangedClients: []client.Registered{change}}, nil
			}, w.by())
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "done", outcomes.count[true], 1)
	}},
	{"who has used a client is counted from the grants, in parts, and once", countsUse},
}

func countsUse(_ *testing.T, w *world) {
	w.declare(basic("1"))
	w.login("zoe") // who uses no client
	for _, name := range []string{"ann", "bob", "cleo"} {
		_, s := w.login(name)
		for range 3 {
			w.clock.Advance(time.Second)
			w.issue(s)
		}
	}
	count := func() {
		for more := true; more; {
			var err error
			more, err = w.db.CountUse(w.ctx, w.now(), 2)
			w.ok(err)
		}
	}
	people := func() [2]int {
		since := w.now().Add(-30 * 24 * time.Hour)
		of, err := w.PeopleOf(w.ctx, app, since)
		w.ok(err)
		by, err := w.PeopleBy(w.ctx, upstream, since)
		w.ok(err)
		return [2]int{of, by}
	}
	count()
	same(w, "of the last minute nobody is counted yet", people()[0], 0)
	w.clock.Advance(time.Minute)
	count()
	same(w, "people", people(), [2]int{3, 3})
	before := tableRows(w, w.db, "client_use")
	count()
	alike(w, "counted again", tableRows(w, w.db, "client_use"), before)
	nobody, err := w.PeopleOf(w.ctx, "nobody", w.now())
	w.ok(err)
	same(w, "of another client", nobody, 0)
	w.clock.Advance(30 * 24 * time.Hour)
	same(w, "after 30 days", people(), [2]int{0, 0})
	w.clock.Advance(60 * 24 * time.Hour)
	_, err = w.db.ClearAway(w.ctx, w.now(), 100)
	w.ok(err)
	same(w, "kept after 90 days", Counts(w, w.db)["client_use"], 0)
}
