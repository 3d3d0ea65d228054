package storetest

import (
	"fmt"
	"strings"
	"testing"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/user"
	"dex/internal/store"
)

var ownerPromises = []promise{
	{"a role counts at once, and a role that nobody knows is none", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		u, err := w.SetRole(w.ctx, s.UserID, "support", 0, w.by())
		w.ok(err)
		same(w, "version", u.Version, 2)
		known, _, err := w.ByIdentity(w.ctx, upstream, "zoe")
		w.ok(err)
		same(w, "role", known.Role, "support")
		_, err = w.SetRole(w.ctx, s.UserID, "wizard", 0, w.by())
		w.refuses(fault.Invalid, err)
		_, err = w.SetRole(w.ctx, s.UserID, "admin", 1, w.by())
		w.refuses(fault.Conflict, err)
		same(w, "recorded", w.events()[string(audit.UserRoleChanged)], 1)
	}},
	{"the last owner stays", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		a, b := w.made("zoe", withRole("owner")), w.made("yan", withRole("owner"))
		w.ok(w.DisableUser(w.ctx, b.ID, w.by()))
		_, err := w.SetRole(w.ctx, a.ID, "admin", 0, w.by())
		w.refuses(fault.Conflict, err)
		w.refuses(fault.Conflict, w.DisableUser(w.ctx, a.ID, w.by()))
		w.refuses(fault.Conflict, w.DeleteUser(w.ctx, a.ID, 0, w.by()))
		w.ok(w.EnableUser(w.ctx, b.ID, w.by()))
		_, err = w.SetRole(w.ctx, a.ID, "", 0, w.by())
		w.ok(err)
		w.ok(w.DeleteUser(w.ctx, a.ID, 0, w.by()))
		w.refuses(fault.Conflict, w.DeleteUser(w.ctx, b.ID, 0, w.by()))
	}},
	{"a configuration file does not leave the service without an owner", func(_ *testing.T, w *world) {
		file := func(digest string, change func(u *user.User)) store.Declared {
			d := withLocal(digest)
			d.Users[0].User.Role = "owner"
			change(&d.Users[0].User)
			return d
		}
		as := func(u *user.User) {}
		without := withLocal("5")
		without.Users = nil
		w.declare(file("1", as))
		for what, d := range map[string]store.Declared{
			"disabled":      file("2", func(u *user.User) { u.Disabled = true }),
			"of less":       file("3", func(u *user.User) { u.Role = "admin" }),
			"of no role":    file("4", func(u *user.User) { u.Role = "" }),
			"named no more": without,
		} {
			_, err := w.Apply(w.ctx, d, w.now())
			w.refuses(fault.Conflict, err)
			if err != nil && !strings.Contains(err.Error(), "as an owner") {
				w.Errorf("%s: %v", what, err)
			}
		}
		_, err := w.Apply(w.ctx, without, w.now())
		w.refuses(fault.Conflict, err) // again: it was not taken for done
		w.made("zoe", withRole("owner"))
		w.declare(without)
		a, err := w.Account(w.ctx, "usr_ann")
		w.ok(err)
		same(w, "the owner of the file", a.Disabled, true)
	}},
	{"of owners who remove each other at once one stays", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		var ids []string
		for i := range 8 {
			ids = append(ids, w.made(fmt.Sprint("owner", i), withRole("owner")).ID)
		}
		outcomes := counter[bool]{}
		w.atOnce(len(ids), func(i int) {
			var err error
			switch i % 3 {
			case 0:
				err = w.DisableUser(w.ctx, ids[i], w.by())
			case 1:
				err = w.DeleteUser(w.ctx, ids[i], 0, w.by())
			default:
				_, err = w.SetRole(w.ctx, ids[i], "", 0, w.by())
			}
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "refused", outcomes.count[false], 1)
	}},
	{"in another tenant there need not be an owner", func(_ *testing.T, w *world) {
		other, err := w.db.EnsureTenant(w.ctx, "other", "https://other.example")
		w.ok(err)
		n := person("zoe")
		n.User.Role, n.Local, n.PasswordHash = "owner", user.Local{}, ""
		u, err := other.CreateUser(w.ctx, n, w.by())
		w.ok(err)
		w.refuses(fault.NotFound, w.DeleteUser(w.ctx, u.ID, 0, w.by())) // it is not ours
		w.ok(other.DisableUser(w.ctx, u.ID, w.by()))
	}},
}
