package storetest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/internal/store"
)

func (w *world) registerConnector(id, kind string) connector.Registered {
	w.Helper()
	r, err := w.RegisterConnector(w.ctx, connector.Registered{Configured: connector.Configured{
		ID: id, Kind: kind, Name: "The " + id, Config: []byte(`{"client_secret":"of-` + id + `"}`),
		Policy: user.Policy{CreateOnFirstLogin: true, AuthoritativeFor: []string{id + ".example"}},
	}}, w.by())
	w.ok(err)
	return r
}

var connectorPromises = []promise{
	{"a connector that is registered comes back, behind the others", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		_, err := w.Connectors(w.ctx) // into memory
		w.ok(err)
		made := w.registerConnector("corp", "oidc")
		same(w, "managed by", made.ManagedBy, tenant.ManagedByHand)
		got, err := w.RegisteredConnector(w.ctx, "corp")
		w.ok(err)
		alike(w, "registered", got, made)
		all, err := w.Connectors(w.ctx)
		w.ok(err)
		alike(w, "served", all, []connector.Configured{upstreamConnector(), made.Configured})
		same(w, "the secret shows in the dump", strings.Contains(Dump(w, w.db), "of-corp"), false)
		_, err = w.RegisterConnector(w.ctx, made, w.by())
		w.refuses(fault.Conflict, err)
		_, err = w.RegisterConnector(w.ctx, connector.Registered{}, w.by())
		w.refuses(fault.Invalid, err)
	}},
	{"connectors come page by page, and by what is looked for", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		w.registerConnector("corp", "oidc")
		w.registerConnector("api", "mock")
		w.ok(w.DisableConnector(w.ctx, "api", w.by()))
		yes := true
		for _, c := range []struct {
			name, after string
			f           connector.Filter
			limit       int
			want        string
		}{
			{"the first", "", connector.Filter{}, 2, "api corp "}, {"the next", "corp", connector.Filter{}, 2, "upstream "},
			{"by the name", "", connector.Filter{Text: "THE C"}, 9, "corp "}, {"by the kind", "", connector.Filter{Kind: "mock"}, 9, "api "},
			{"by who manages it", "", connector.Filter{ManagedBy: "file"}, 9, "upstream "}, {"the disabled", "", connector.Filter{Disabled: &yes}, 9, "api "},
		} {
			all, err := w.RegisteredConnectors(w.ctx, c.f, c.after, c.limit)
			w.ok(err)
			names := ""
			for _, r := range all {
				names += r.ID + " "
			}
			same(w, c.name, names, c.want)
		}
	}},
	{"a change replaces everything but kind and place, and names what is different", func(_ *testing.T, w *world) {
		r := w.registerConnector("corp", "oidc")
		_, err := w.Connectors(w.ctx)
		w.ok(err)
		change := r
		change.Name, change.Config = "Corporate", json.RawMessage(`{"client_secret":"another"}`)
		after, err := w.ChangeConnector(w.ctx, change, w.by())
		w.ok(err)
		same(w, "version", after.Version, 2)
		all, err := w.Connectors(w.ctx)
		w.ok(err)
		alike(w, "served", all, []connector.Configured{after.Configured})
		same(w, "detail", w.eventOf(audit.ConnectorChanged)["detail"], `{"changed":"config, name"}`)
		_, err = w.ChangeConnector(w.ctx, change, w.by())
		w.refuses(fault.Conflict, err)
		change.Version, change.Kind = 0, "mock"
		_, err = w.ChangeConnector(w.ctx, change, w.by())
		w.refuses(fault.Invalid, err)
		before := w.dump()
		_, err = w.ChangeConnector(w.ctx, after, w.by())
		w.ok(err)
		same(w, "a change to what it is already", w.dump() == before, true)
	}},
	{"what a file declares is changed there, and deleted when it stands there no more", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		r, err := w.RegisteredConnector(w.ctx, upstream)
		w.ok(err)
		_, err = w.ChangeConnector(w.ctx, r, w.by())
		w.refuses(fault.Conflict, err)
		w.refuses(fault.Conflict, w.DeleteConnector(w.ctx, connector.Deletion{ID: upstream}, w.by()))
		w.declare(store.Declared{Digest: "2"})
		w.ok(w.DeleteConnector(w.ctx, connector.Deletion{ID: upstream}, w.by()))
	}},
	{"a connector by which people are known goes only together with what is known of them", func(_ *testing.T, w *world) {
		r := w.registerConnector(upstream, "oidc")
		_, s := w.login("zoe")
		before := w.dump()
		w.refuses(fault.Conflict, w.DeleteConnector(w.ctx, connector.Deletion{ID: upstream, Version: 2, People: true}, w.by()))
		w.refuses(fault.Conflict, w.DeleteConnector(w.ctx, connector.Deletion{ID: upstream, Version: r.Version}, w.by()))
		same(w, "changed", w.dump() == before, true)
		w.ok(w.DeleteConnector(w.ctx, connector.Deletion{ID: upstream, Version: r.Version, People: true}, w.by()))
		same(w, "identities", Counts(w, w.db)["identities"], 0)
		same(w, "accounts", Counts(w, w.db)["users"], 1)
		all, err := w.Connectors(w.ctx)
		w.ok(err)
		same(w, "connectors", len(all), 0)
		w.registerConnector(upstream, "oidc")
		_, _, err = w.ByIdentity(w.ctx, upstream, "zoe")
		w.refuses(fault.NotFound, err)
		_ = s
	}},
	{"passwords of ours are not forgotten with their connector", func(_ *testing.T, w *world) {
		w.registerConnector("people", "local")
		w.refuses(fault.Conflict, w.DeleteConnector(w.ctx, connector.Deletion{ID: "people", People: true}, w.by()))
		w.ok(w.DeleteConnector(w.ctx, connector.Deletion{ID: "people"}, w.by()))
		w.refuses(fault.NotFound, w.DeleteConnector(w.ctx, connector.Deletion{ID: "people"}, w.by()))
	}},
	{"the times of a connector are told", func(_ *testing.T, w *world) {
		r := w.registerConnector("corp", "oidc")
		w.clock.Advance(time.Hour)
		r.Name = "Other"
		r, err := w.ChangeConnector(w.ctx, r, w.by())
		w.ok(err)
		same(w, "between", r.UpdatedAt.Sub(r.CreatedAt), time.Hour)
	}},
}
