package storetest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

var restorePromises = []promise{
	{"after a restore nothing counts that was issued before, in any tenant", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		_, s := w.login("zoe")
		family, code := w.issue(s, oauth.ScopeOffline), w.issue(s)
		w.redeem(family)
		_, link := w.invited("ida", user.Invite)
		device := w.device("a screen")
		w.ok(w.OpenDevice(w.ctx, device))
		pushed := w.pushed("before")
		w.ok(w.KeepPushed(w.ctx, pushed))
		other, err := w.db.EnsureTenant(w.ctx, "other", "https://other.example")
		w.ok(err)
		w.clock.Advance(time.Second)

		epoch := w.now()
		done, err := w.db.FinishRestore(w.ctx, w.deed())
		w.ok(err)
		same(w, "tenants", done.Tenants, 2)
		same(w, "sessions", done.Sessions, 1)
		same(w, "grants", done.Grants, 2)
		same(w, "links, devices and pushed requests", done.Links, 3)

		_, err = w.SessionByCookie(w.ctx, s.Cookie, "")
		w.refuses(fault.NotFound, err)
		rotated, err := w.rotate(family, 1)
		w.ok(err)
		same(w, "refreshed", rotated, false)
		same(w, "the code's grant is revoked", w.revoked(code.ID), true)
		same(w, "the link is void", w.use(link) != nil, true)
		w.clock.Advance(time.Second)
		_, err = w.letIn(device, "yve")
		same(w, "the device is void", err != nil, true)
		ended, err := w.Pushed(w.ctx, pushed.Hash, app)
		w.ok(err)
		same(w, "the pushed request is void", ended.Ended, true)
		for _, tn := range []interface{ ID() string }{w.Tenant, other} {
			view, err := w.db.Tenant(w.ctx, tn.ID())
			w.ok(err)
			self, err := view.Self(w.ctx)
			w.ok(err)
			w.sameTime("the epoch", self.NotBefore, epoch)
		}
		same(w, "recorded", w.events()[string(audit.DatabaseRestored)], 2)

		// And life goes on.
		w.clock.Advance(time.Second)
		_, s = w.login("yan")
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		rotated, err = w.rotate(i, 1)
		w.ok(err)
		same(w, "refreshed", rotated, true)
	}},
	{"a backup is whole, its owner's alone, and overwrites nothing", func(t *testing.T, w *world) {
		file := filepath.Join(t.TempDir(), "copy.db")
		if isPostgres(w, w.db) || URL(w, w.db) == "sqlite::memory:" {
			w.refuses(fault.Invalid, w.db.Backup(w.ctx, file))
			return
		}
		w.login("zoe")
		w.ok(w.db.Backup(w.ctx, file))
		info, err := os.Stat(file)
		w.ok(err)
		same(w, "mode", info.Mode().Perm(), 0o600)
		same(w, "overwrites", w.db.Backup(w.ctx, file) != nil, true)
		again, err := os.Stat(file)
		w.ok(err)
		same(w, "untouched", again.ModTime(), info.ModTime())
	}},
}
