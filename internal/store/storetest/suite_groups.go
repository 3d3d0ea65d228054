package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

// grouped makes groups.
func (w *world) grouped(ids ...string) {
	w.Helper()
	for _, id := range ids {
		_, err := w.CreateGroup(w.ctx, user.Group{ID: id, Description: "Group " + id}, w.by())
		w.ok(err)
	}
}

// memberOf returns the groups of somebody as a login finds them.
func (w *world) memberOf(id string) string {
	w.Helper()
	a, err := w.Account(w.ctx, id)
	w.ok(err)
	return strings.Join(a.MemberOf, " ")
}

var groupPromises = []promise{
	{"a group is as it was made, and listed by name", func(_ *testing.T, w *world) {
		w.grouped("b", "a", "c")
		g, err := w.Group(w.ctx, "b")
		w.ok(err)
		alike(w, "group", g, user.Group{ID: "b", Description: "Group b", ManagedBy: tenant.ManagedByHand, Version: 1, CreatedAt: w.now(), UpdatedAt: w.now()})
		var ids []string
		for after := ""; ; {
			page, err := w.Groups(w.ctx, after, 2)
			w.ok(err)
			if len(page) == 0 {
				break
			}
			for _, g := range page {
				ids = append(ids, g.ID)
			}
			after = page[len(page)-1].ID
		}
		same(w, "groups", strings.Join(ids, " "), "a b c")
		same(w, "recorded", w.events()[string(audit.GroupCreated)], 3)
	}},
	{"a group that is there is not made again, and one that is not cannot be changed", func(_ *testing.T, w *world) {
		w.grouped("a")
		_, err := w.CreateGroup(w.ctx, user.Group{ID: "a"}, w.by())
		w.refuses(fault.Conflict, err)
		for _, id := range []string{"b", "", "\x00"} {
			_, err = w.Group(w.ctx, id)
			w.refuses(fault.NotFound, err)
			_, err = w.UpdateGroup(w.ctx, user.Group{ID: id}, w.by())
			w.refuses(fault.NotFound, err)
			w.refuses(fault.NotFound, w.DeleteGroup(w.ctx, id, 0, w.by()))
			w.refuses(fault.NotFound, w.AddMembers(w.ctx, id, nil, w.by()))
		}
	}},
	{"a change that knows an older version is refused", func(_ *testing.T, w *world) {
		w.grouped("a")
		w.clock.Advance(time.Minute)
		g, err := w.UpdateGroup(w.ctx, user.Group{ID: "a", Description: "fresh", Version: 1}, w.by())
		w.ok(err)
		same(w, "version", g.Version, 2)
		w.sameTime("changed", g.UpdatedAt, w.now())
		_, err = w.UpdateGroup(w.ctx, user.Group{ID: "a", Description: "late", Version: 1}, w.by())
		w.refuses(fault.Conflict, err)
		w.refuses(fault.Conflict, w.DeleteGroup(w.ctx, "a", 1, w.by()))
		g, err = w.Group(w.ctx, "a")
		w.ok(err)
		same(w, "description", g.Description, "fresh")
	}},
	{"who is in a group is told so by the next login", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		w.grouped("b", "a", "c")
		for _, id := range []string{"b", "a", "c", "a"} {
			w.ok(w.AddMembers(w.ctx, id, []string{s.UserID, s.UserID}, w.by()))
		}
		u, _, err := w.ByIdentity(w.ctx, upstream, "zoe")
		w.ok(err)
		same(w, "member of", strings.Join(u.MemberOf, " "), "a b c")
		same(w, "version", u.Version, 4)
		k, err := w.SessionByCookie(w.ctx, o.Session.Cookie, app)
		w.ok(err)
		same(w, "of the session's", strings.Join(k.User.MemberOf, " "), "a b c")
		w.ok(w.RemoveMembers(w.ctx, "b", []string{s.UserID}, w.by()))
		w.ok(w.RemoveMembers(w.ctx, "b", []string{s.UserID}, w.by()))
		same(w, "after one was left", w.memberOf(s.UserID), "a c")
		same(w, "members of b", w.listed(user.Filter{GroupID: "b"}, 5), "")
		same(w, "members of a", w.listed(user.Filter{GroupID: "a"}, 5), "zoe")
		events := w.events()
		same(w, "recorded", fmt.Sprint(events[string(audit.MemberAdded)], events[string(audit.MemberRemoved)]), "3 1")
	}},
	{"somebody who is not there is put into no group, nor are those beside them", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		w.grouped("a")
		w.refuses(fault.NotFound, w.AddMembers(w.ctx, "a", []string{s.UserID, "usr_nobody"}, w.by()))
		same(w, "member of", w.memberOf(s.UserID), "")
	}},
	{"when a group is deleted nobody is in it any more", func(_ *testing.T, w *world) {
		w.grouped("a", "b")
		var ids []string
		for i := range 300 { // more than one statement writes
			o := w.opening(fmt.Sprint("p", i))
			_, err := w.keep(o)
			w.ok(err)
			ids = append(ids, o.User.ID)
		}
		w.ok(w.AddMembers(w.ctx, "a", ids, w.by()))
		w.ok(w.AddMembers(w.ctx, "b", ids[:1], w.by()))
		same(w, "members", len(strings.Fields(w.listed(user.Filter{GroupID: "a"}, 100))), 300)
		w.ok(w.DeleteGroup(w.ctx, "a", 0, w.by()))
		same(w, "in the other still", w.memberOf(ids[0]), "b")
		same(w, "the last", w.memberOf(ids[299]), "")
		same(w, "rows left", Counts(w, w.db)["group_members"], 1)
		w.grouped("a") // a group of the same name is another
		same(w, "members", w.listed(user.Filter{GroupID: "a"}, 100), "")
	}},
	{"the record holds the longest name, which may begin as another does", func(_ *testing.T, w *world) {
		long := strings.Repeat("𐌰", 255)
		w.grouped(long)
		w.ok(w.DeleteGroup(w.ctx, long, 0, w.by()))
		all, _, err := w.Events(w.ctx, audit.Filter{Kind: audit.GroupDeleted}, "", 2)
		w.ok(err)
		same(w, "events", len(all), 1)
		same(w, "deleted is", all[0].Detail["group"], long)
	}},
	{"of changes at once none is lost", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		_, other := w.login("yan")
		var names []string
		for i := range 8 {
			names = append(names, fmt.Sprint("g", i))
		}
		w.grouped(names...)
		w.atOnce(len(names), func(i int) {
			ids := []string{s.UserID, other.UserID}
			if i%2 == 0 {
				ids = []string{other.UserID, s.UserID}
			}
			if err := w.AddMembers(w.ctx, names[i], ids, w.by()); err != nil {
				w.Error(err)
			}
		})
		same(w, "member of", w.memberOf(s.UserID), strings.Join(names, " "))
		w.atOnce(len(names), func(i int) {
			var err error
			if i%2 == 0 {
				err = w.DeleteGroup(w.ctx, names[i], 0, w.by())
			} else {
				err = w.RemoveMembers(w.ctx, names[i], []string{s.UserID}, w.by())
			}
			if err != nil {
				w.Error(err)
			}
		})
		same(w, "in the end", w.memberOf(s.UserID), "")
		same(w, "the other", w.memberOf(other.UserID), "g1 g3 g5 g7")
	}},
}
