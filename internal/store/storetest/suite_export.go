package storetest

import (
	"testing"
	"time"

	"dex/internal/domain/audit"
)

var exportPromises = []promise{
	{"an event is handed on once it is marked, oldest first, whole, of every tenant", func(_ *testing.T, w *world) {
		other, err := w.db.EnsureTenant(w.ctx, "other", "https://other.example")
		w.ok(err)
		first := audit.Event{
			At: w.now(), Kind: audit.LoginRefused, Actor: "a", UserID: "u", ClientID: "c", ConnectorID: "k", SessionID: "s",
			GrantID: "g", SupportCode: "code", RemoteAddr: "192.0.2.1", Detail: map[string]string{"why": "because"},
		}
		first.ID = audit.NewEventID(first.At)
		w.ok(w.Record(w.ctx, first))
		w.clock.Advance(time.Second)
		w.ok(other.Record(w.ctx, audit.Event{At: w.now(), Kind: audit.KeyCreated}))
		w.clock.Advance(time.Second)
		w.ok(w.Record(w.ctx, audit.Event{At: w.now(), Kind: audit.KeyRemoved}))

		since, err := w.db.OldestUnexported(w.ctx)
		w.ok(err)
		w.sameTime("since", since, first.At)
		got, err := w.db.Unexported(w.ctx, 2)
		w.ok(err)
		same(w, "events", len(got), 2)
		same(w, "tenants", got[0].TenantID+" "+got[1].TenantID, w.ID()+" other")
		first.At = first.At.UTC().Truncate(time.Microsecond)
		alike(w, "event", got[0].Event, first)
		again, err := w.db.Unexported(w.ctx, 2)
		w.ok(err)
		alike(w, "unmarked", again, got)

		w.ok(w.db.MarkExported(w.ctx, got, w.now()))
		w.ok(w.db.MarkExported(w.ctx, got, w.now()))
		w.ok(w.db.MarkExported(w.ctx, nil, w.now()))
		rest, err := w.db.Unexported(w.ctx, 10)
		w.ok(err)
		same(w, "left", len(rest), 1)
		same(w, "which", rest[0].Kind, audit.KeyRemoved)
		w.ok(w.db.MarkExported(w.ctx, rest, w.now()))
		since, err = w.db.OldestUnexported(w.ctx)
		w.ok(err)
		same(w, "since never", since.IsZero(), true)
	}},
}
