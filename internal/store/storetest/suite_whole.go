package storetest

import (
	"testing"
	"time"

	"dex/internal/domain/audit"
)

// wholePromises are about the installation as a whole, and about what others watch.
var wholePromises = []promise{
	{"it is known how each duty stands, run by run", func(_ *testing.T, w *world) {
		began := w.now()
		w.ok(w.db.DutyBegan(w.ctx, "sweep", "one", began))
		w.ok(w.db.DutyEnded(w.ctx, "sweep", "swept 3", "", began.Add(time.Second)))
		w.ok(w.db.DutyBegan(w.ctx, "sweep", "two", began.Add(time.Minute)))
		w.ok(w.db.DutyEnded(w.ctx, "sweep", "", "the broom is gone", began.Add(2*time.Minute)))
		all, err := w.db.Duties(w.ctx)
		w.ok(err)
		same(w, "duties", len(all), 1)
		d := all[0]
		same(w, "name and holder", d.Name+" by "+d.Holder, "sweep by two")
		same(w, "what it said and why it failed", d.Said+", "+d.Problem, "swept 3, the broom is gone")
		same(w, "runs", d.Runs, 2)
		same(w, "failures", d.Failures, 1)
		same(w, "it is failing", d.Failing(), true)
		w.sameTime("done", d.DoneAt, began.Add(time.Second))
		w.ok(w.db.DutyEnded(w.ctx, "sweep", "", "", began.Add(3*time.Minute)))
		if all, err = w.db.Duties(w.ctx); err != nil || all[0].Failing() || all[0].Problem != "" || all[0].Said != "swept 3" {
			w.Errorf("after a good run: %+v, %v", all, err)
		}
	}},
	{"the longest life of a token is that of the client which has the longest", func(_ *testing.T, w *world) {
		longest, err := w.LongestToken(w.ctx)
		w.ok(err)
		same(w, "without clients", longest, 0)
		d := basic("1")
		d.Clients[0].AccessTTL, d.Clients[0].IDTTL = time.Hour, 3*time.Hour
		w.declare(d)
		longest, err = w.LongestToken(w.ctx)
		w.ok(err)
		same(w, "longest", longest, 3*time.Hour)
	}},
	{"the version of a configuration grows with each change, and not by looking", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		look := func() int64 {
			_, err := w.Self(w.ctx)
			w.ok(err)
			return w.Version()
		}
		before := look()
		same(w, "a second look", look(), before)
		w.ok(w.DisableClient(w.ctx, app, audit.By{At: w.now()}))
		same(w, "after a change it has grown", look() > before, true)
	}},
	{"a database that is up to date lacks nothing, and tells what it is", func(_ *testing.T, w *world) {
		pending, oldest, err := w.db.Pending(w.ctx)
		w.ok(err)
		same(w, "steps", len(pending), 0)
		same(w, "oldest", oldest, 1)
		c, err := w.db.Condition(w.ctx)
		w.ok(err)
		same(w, "it names itself", c.Version != "", true)
		same(w, "a standby", c.Standby, false)
	}},
	{"all that every process needs is sealed under one secret, which is named", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		ids, err := w.db.Sealed(w.ctx)
		w.ok(err)
		same(w, "secrets", len(ids), 1)
		same(w, "an id of four bytes", len(ids[0]), 8)
	}},
}
