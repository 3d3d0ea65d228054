package storetest

import (
	"fmt"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
)

var dutyPromises = []promise{
	{"one holds a turn until it is over, and may keep it", func(_ *testing.T, w *world) {
		for _, c := range []struct {
			name, holder string
			after        time.Duration
			want         bool
		}{
			{"the first takes it", "a", 0, true}, {"the second does not", "b", time.Second, false},
			{"the first keeps it", "a", time.Second, true}, {"the second still does not", "b", 59 * time.Second, false},
			{"when it is over the second takes it", "b", time.Second, true}, {"the first has lost it", "a", 0, false},
		} {
			w.clock.Advance(c.after)
			got, err := w.db.TakeTurn(w.ctx, "keys", c.holder, w.now().Add(time.Minute), w.now())
			w.ok(err)
			same(w, c.name, got, c.want)
		}
		got, err := w.db.TakeTurn(w.ctx, "another duty", "a", w.now().Add(time.Minute), w.now())
		w.ok(err)
		same(w, "another duty", got, true)
	}},
	{"of many who want a turn at once one gets it", func(_ *testing.T, w *world) {
		outcomes := counter[bool]{}
		w.atOnce(16, func(i int) {
			got, err := w.db.TakeTurn(w.ctx, "keys", fmt.Sprint(i), w.now().Add(time.Minute), w.now())
			if err != nil {
				w.Error(err)
			}
			outcomes.add(got)
		})
		same(w, "got it", outcomes.count[true], 1)
	}},
	{"what counts no more is cleared away, and nothing else", clearsAway},
	{"clearing away takes a batch at a time", func(_ *testing.T, w *world) {
		for i := range 25 {
			w.ok(w.RevokeToken(w.ctx, fmt.Sprint("tok_", i), w.now().Add(time.Minute), w.now()))
		}
		w.clock.Advance(time.Minute)
		for _, want := range []int{10, 10, 5, 0} {
			deleted, err := w.db.ClearAway(w.ctx, w.now(), 10)
			w.ok(err)
			same(w, "deleted", deleted["revoked_tokens"], want)
		}
	}},
	{"clearing away asks nothing more for having more tenants", func(_ *testing.T, w *world) {
		asked := func() int64 {
			before := w.db.Work().Statements
			_, err := w.db.ClearAway(w.ctx, w.now(), 10)
			w.ok(err)
			return w.db.Work().Statements - before
		}
		one := asked()
		for i := range 20 {
			_, err := w.db.EnsureTenant(w.ctx, fmt.Sprint("tenant-", i), fmt.Sprintf("https://%d.example", i))
			w.ok(err)
		}
		same(w, "statements", asked(), one)
	}},
	{"of traces only so many are kept, the newest", func(_ *testing.T, w *world) {
		db := w.another(WithMaxTraces(3))
		tn := Tenant(w, db)
		for i := range 8 {
			w.ok(tn.KeepTrace(w.ctx, fmt.Sprint("code", i), w.now().Add(time.Duration(i)*time.Second), []audit.Step{{What: "request"}}))
		}
		deleted, err := db.ClearAway(w.ctx, w.now(), 100)
		w.ok(err)
		same(w, "deleted", deleted["traces"], 5)
		for i := range 8 {
			_, err := tn.Trace(w.ctx, fmt.Sprint("code", i))
			same(w, fmt.Sprint("trace ", i, " kept"), err == nil, i >= 5)
		}
	}},
}

func clearsAway(_ *testing.T, w *world) {
	fill := func(name string) (session.Session, issued, issued) {
		_, s := w.login(name)
		offline := w.issue(s, oauth.ScopeOffline)
		w.redeem(offline)
		w.ok(w.RecordFailure(w.ctx, []credential.Bucket{bucket(name, credential.Account)}, w.now()))
		w.ok(w.RevokeToken(w.ctx, "tok_"+name, w.now().Add(time.Minute), w.now()))
		w.ok(w.ConsumeAssertion(w.ctx, app, secret.Value(name).Hash(), w.now().Add(time.Minute), w.now()))
		w.ok(w.KeepTrace(w.ctx, "trace-"+name, w.now(), []audit.Step{{What: "request"}}))
		return s, w.issue(s), offline
	}
	_, old, offline := fill("old")
	w.clock.Advance(8 * 24 * time.Hour)
	s, code, _ := fill("new")
	deleted, err := w.db.ClearAway(w.ctx, w.now(), 1000)
	w.ok(err)
	alike(w, "deleted", deleted, map[string]int{
		"grants": 1, "sessions": 1, "throttles": 1, "revoked_tokens": 1, "used_assertions": 1, "traces": 1,
	})
	_, err = w.Grant(w.ctx, old.ID, "")
	w.refuses(fault.NotFound, err)
	same(w, "a family lives on", w.revoked(offline.ID), false)
	same(w, "a code on its way lives on", w.revoked(code.ID), false)
	all, err := w.SessionsOf(w.ctx, s.UserID)
	w.ok(err)
	same(w, "a session lives on", len(all), 1)
	revoked, err := w.TokenRevoked(w.ctx, "tok_new")
	w.ok(err)
	same(w, "a revocation lives on", revoked, true)
	same(w, "failures live on", w.throttles(bucket("new", credential.Account))[0].Failures, 1)
	w.clock.Advance(32 * 24 * time.Hour)
	deleted, err = w.db.ClearAway(w.ctx, w.now(), 1000)
	w.ok(err)
	same(w, "grants at the end", deleted["grants"], 3)
}
