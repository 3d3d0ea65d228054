package storetest

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
)

// receipt returns the receipt of a request under a key.
func (w *world) receipt(key, request, answer string) *audit.Receipt {
	return &audit.Receipt{
		Actor: operator, Key: sha256.Sum256([]byte(key)), Request: sha256.Sum256([]byte(request)), Answer: []byte(answer),
		ExpiresAt: w.now().Add(24 * time.Hour),
	}
}

// with is the operator, now, who wants a receipt.
func (w *world) with(r *audit.Receipt) audit.By {
	by := w.by()
	by.Receipt = r
	return by
}

var receiptPromises = []promise{
	{"what was answered is known until it expires", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		r := w.receipt("key", "request", "the secret of somebody")
		_, err := w.Receipt(w.ctx, operator, r.Key)
		w.refuses(fault.NotFound, err)
		w.ok(w.DisableClient(w.ctx, app, w.with(r)))
		got, err := w.Receipt(w.ctx, operator, r.Key)
		w.ok(err)
		alike(w, "receipt", got, *r)
		_, err = w.Receipt(w.ctx, "somebody else", r.Key)
		w.refuses(fault.NotFound, err)
		same(w, "the answer shows in the dump", strings.Contains(Dump(w, w.db), "the secret of somebody"), false)
		w.clock.Advance(24 * time.Hour)
		_, err = w.Receipt(w.ctx, operator, r.Key)
		w.refuses(fault.NotFound, err)
	}},
	{"an answer of nothing is one too", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		r := w.receipt("key", "request", "")
		w.ok(w.DisableClient(w.ctx, app, w.with(r)))
		got, err := w.Receipt(w.ctx, operator, r.Key)
		w.ok(err)
		alike(w, "receipt", got, *r)
	}},
	{"what was asked under a key happens once", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		w.ok(w.DisableClient(w.ctx, app, w.with(w.receipt("key", "disable", "done"))))
		before := w.dump()
		w.refuses(fault.Conflict, w.EnableClient(w.ctx, app, w.with(w.receipt("key", "enable", "done as well"))))
		w.refuses(fault.Conflict, w.DisableClient(w.ctx, app, w.with(w.receipt("key", "disable", "done"))))
		same(w, "nothing has changed", w.dump() == before, true)
		w.clock.Advance(24 * time.Hour)
		w.ok(w.EnableClient(w.ctx, app, w.with(w.receipt("key", "enable", "done as well"))))
		got, err := w.Receipt(w.ctx, operator, w.receipt("key", "", "").Key)
		w.ok(err)
		same(w, "answer", string(got.Answer), "done as well")
	}},
	{"of many that come at once under a key one happens", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		outcomes := counter[bool]{}
		w.atOnce(8, func(int) {
			err := w.DisableClient(w.ctx, app, w.with(w.receipt("key", "disable", "done")))
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "happened", outcomes.count[true], 1)
		same(w, "receipts", Counts(w, w.db)["receipts"], 1)
	}},
	{"a deed that fails leaves no receipt", func(_ *testing.T, w *world) {
		r := w.receipt("key", "disable", "done")
		w.refuses(fault.NotFound, w.DisableClient(w.ctx, "nobody", w.with(r)))
		_, err := w.Receipt(w.ctx, operator, r.Key)
		w.refuses(fault.NotFound, err)
	}},
	{"receipts that have expired are cleared away", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		w.ok(w.DisableClient(w.ctx, app, w.with(w.receipt("old", "", ""))))
		w.clock.Advance(23 * time.Hour)
		w.ok(w.EnableClient(w.ctx, app, w.with(w.receipt("new", "", ""))))
		w.clock.Advance(time.Hour)
		deleted, err := w.db.ClearAway(w.ctx, w.now(), 100)
		w.ok(err)
		same(w, "deleted", deleted["receipts"], 1)
		same(w, "left", Counts(w, w.db)["receipts"], 1)
	}},
	{"the record says who did it, and from where", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		w.ok(w.DisableClient(w.ctx, app, w.by()))
		rows := tableRows(w, w.db, "audit_events")
		last := rows[len(rows)-1]
		for _, row := range rows {
			if row["client_id"] == app {
				last = row
			}
		}
		same(w, "event", strings.Join([]string{last["kind"], last["actor"], last["remote_addr"], last["client_id"], last["detail"]}, " "),
			"client.disabled usr_operator 192.0.2.9 app {}")
	}},
}
