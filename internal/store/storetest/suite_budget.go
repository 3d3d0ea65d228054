package storetest

import (
	"fmt"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

var budgetPromises = []promise{
	{"the hot path keeps to its statements and commits", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		o, s := w.loginAnn()
		i := w.unissued(s, oauth.ScopeOffline)
		for _, c := range []struct {
			name string
			want store.Work
			do   func() error
		}{
			{"candidate", store.Work{Statements: 1}, func() error {
				_, err := w.Candidate(w.ctx, "ann", []credential.Bucket{bucket("a", credential.Account)})
				return err
			}},
			{"open a session for somebody known", store.Work{Statements: 2, Commits: 1}, func() error {
				known := w.again(o, session.Session{})
				known.Identity = o.Identity
				_, err := w.keep(known)
				return err
			}},
			{"session", store.Work{Statements: 1}, func() error {
				_, err := w.SessionByCookie(w.ctx, o.Session.Cookie, app)
				return err
			}},
			{"keep a code", store.Work{Statements: 1, Commits: 1}, func() error { return w.keepCode(i) }},
			{"redeem it", store.Work{Statements: 1, Commits: 1}, func() error {
				_, outcome, err := w.Redeem(w.ctx, i.proof(), w.family(), w.now())
				same(w, "outcome", outcome, grant.Redeemed)
				return err
			}},
			{"grant", store.Work{Statements: 1}, func() error { _, err := w.Grant(w.ctx, i.ID, "tok"); return err }},
			{"rotate", store.Work{Statements: 1, Commits: 1}, func() error { _, err := w.rotate(i, 1); return err }},
		} {
			before := w.db.Work()
			w.ok(c.do())
			after := w.db.Work()
			same(w, c.name, store.Work{Statements: after.Statements - before.Statements, Commits: after.Commits - before.Commits}, c.want)
		}
	}},
	{"a database of this schema is fit to work with", func(_ *testing.T, w *world) {
		w.ok(w.db.Ping(w.ctx))
		w.ok(w.db.Check(w.ctx))
		has, brings, err := w.db.SchemaVersion(w.ctx)
		w.ok(err)
		same(w, "version", has, brings)
		w.ok(w.db.Migrate(w.ctx))
	}},
	{"a database of a newer schema is, unless it says that it is not", func(_ *testing.T, w *world) {
		raw := store.Raw(w.db)
		_, err := raw.ExecContext(w.ctx, `INSERT INTO schema_migrations (version_id, is_applied) VALUES (9000, TRUE)`)
		w.ok(err)
		w.ok(w.db.Check(w.ctx))
		w.ok(w.db.Migrate(w.ctx))
		_, err = raw.ExecContext(w.ctx, `UPDATE compatibility SET oldest = 8000`)
		w.ok(err)
		w.refuses(fault.Conflict, w.db.Check(w.ctx))
	}},
	{"a cancelled context stays one", func(_ *testing.T, w *world) {
		ctx, cancel := contextThatIsOver(w)
		defer cancel()
		_, err := w.Tenant.Grant(ctx, "gra_1", "")
		same(w, "error", fmt.Sprint(err), "context canceled")
	}},
	{"the system's clock is the database's, where that has none of its own", func(_ *testing.T, w *world) {
		db := w.another(func(o *store.Options) { o.Clock = nil })
		if d := db.Clock().Now().Sub(clock.System{}.Now()).Abs(); d > time.Minute {
			w.Errorf("%v off", d)
		}
	}},
}
