package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/session"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

// person is somebody whom an operator makes, with a password.
func person(name string) user.New {
	email := name + "@example.com"
	return user.New{
		User:      user.User{Username: name, Email: email, EmailVerified: true, Name: "Name of " + name},
		ManagedBy: tenant.ManagedByHand,
		Local: user.Local{
			ConnectorID: local, LoginNames: []string{name, email},
			Profile: user.Profile{Username: name, Email: email, EmailVerified: true, GivenName: name},
		},
		PasswordHash: "$argon2id$of-" + name,
	}
}

// withLocal declares a connector for passwords beside what is declared.
func withLocal(digest string) store.Declared {
	d := basic(digest)
	own := upstreamConnector()
	own.ID, own.Kind, own.Name, own.Config = local, "local", "Password", nil
	d.Connectors = append(d.Connectors, own)
	return d
}

// made makes somebody.
func (w *world) made(name string, change ...func(*user.New)) user.User {
	w.Helper()
	n := person(name)
	for _, c := range change {
		c(&n)
	}
	u, err := w.CreateUser(w.ctx, n, w.by())
	w.ok(err)
	return u
}

func withRole(name string) func(*user.New) { return func(n *user.New) { n.User.Role = name } }

// listed returns the user names of a whole list, page by page, each page as long as is
// said.
func (w *world) listed(f user.Filter, most int) string {
	w.Helper()
	var names []string
	after := ""
	for range 200 {
		page, next, err := w.Users(w.ctx, f, after, most)
		w.ok(err)
		if len(page) > most {
			w.Fatalf("%d of at most %d", len(page), most)
		}
		for _, a := range page {
			names = append(names, a.Username)
		}
		if after = next; next == "" {
			slices.Sort(names)
			return strings.Join(names, " ")
		}
	}
	w.Fatal("the list has no end")
	return ""
}

var directoryPromises = []promise{
	{"somebody whom an operator makes is there with all that was said", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		_, err := w.CreateGroup(w.ctx, user.Group{ID: "staff"}, w.by())
		w.ok(err)
		u := w.made("zoe", withRole("admin"), func(n *user.New) { n.User.MemberOf = []string{"staff"} })
		a, err := w.Account(w.ctx, u.ID)
		w.ok(err)
		n := person("zoe")
		want := n.User
		want.ID, want.Role, want.MemberOf, want.Version = u.ID, "admin", []string{"staff"}, 1
		want.CreatedAt, want.UpdatedAt = w.now(), w.now()
		alike(w, "account", a, user.Account{
			User: want, ManagedBy: tenant.ManagedByHand, LoginNames: []string{"zoe", "zoe@example.com"}, ConnectorID: local,
			Profile: n.Local.Profile, PasswordAt: w.now(),
			Identities: []user.Identity{{ConnectorID: local, Subject: u.ID, Profile: n.Local.Profile, CheckedAt: w.now()}},
		})
		c, err := w.Candidate(w.ctx, "zoe", nil)
		w.ok(err)
		alike(w, "candidate", c.User, want)
		same(w, "hash", c.Hash, n.PasswordHash)
		same(w, "recorded", w.events()[string(audit.UserCreated)], 1)
		same(w, "the actor", tableRows(w, w.db, "audit_events")[len(tableRows(w, w.db, "audit_events"))-1]["actor"], operator)
	}},
	{"who has logged in shows when", func(_ *testing.T, w *world) {
		o, _ := w.login("zoe")
		a, err := w.Account(w.ctx, o.User.ID)
		w.ok(err)
		w.sameTime("last login", a.LastLogin, w.now())
		same(w, "who manages it", a.ManagedBy, "")
		w.sameTime("password", a.PasswordAt, time.Time{})
	}},
	{"who is not there has no account", func(_ *testing.T, w *world) {
		for _, id := range []string{"", "usr_nobody", "\x00", "\xff"} {
			_, err := w.Account(w.ctx, id)
			w.refuses(fault.NotFound, err)
			w.refuses(fault.NotFound, w.DeleteUser(w.ctx, id, 0, w.by()))
			_, err = w.SetRole(w.ctx, id, "admin", 0, w.by())
			w.refuses(fault.NotFound, err)
		}
	}},
	{"a login name is one person's", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		w.made("zoe")
		before := w.dump()
		for _, change := range []func(*user.New){
			func(n *user.New) { n.Local.LoginNames = []string{"zoe"} },
			func(n *user.New) { n.Local.LoginNames = []string{"yan", "ann"} }, // the file's
			func(n *user.New) { n.User.ID = "usr_ann" },
		} {
			n := person("yan")
			change(&n)
			_, err := w.CreateUser(w.ctx, n, w.by())
			w.refuses(fault.Conflict, err)
		}
		for _, change := range []func(*user.New){
			func(n *user.New) { n.Local.ConnectorID = "no such" },
			func(n *user.New) { n.User.MemberOf = []string{"no such"} },
			func(n *user.New) { n.User.Role = "wizard" },
			func(n *user.New) { n.User.Name = "\x00" },
		} {
			n := person("yan")
			change(&n)
			_, err := w.CreateUser(w.ctx, n, w.by())
			w.refuses(fault.Invalid, err)
		}
		same(w, "nothing was done", w.dump() == before, true)
	}},
	{"what an operator changes is so at once, and found", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		u := w.made("zoe")
		w.clock.Advance(time.Minute)
		e := user.Edit{ID: u.ID, Version: u.Version, Username: "zora", Email: "zora@other.example", Name: "Zora", Local: user.Local{
			ConnectorID: local, LoginNames: []string{"zora"}, Profile: user.Profile{Username: "zora", Name: "Zora"},
		}}
		fresh, err := w.UpdateUser(w.ctx, e, w.by())
		w.ok(err)
		a, err := w.Account(w.ctx, u.ID)
		w.ok(err)
		alike(w, "what is returned", fresh, a.User)
		same(w, "version", a.Version, 2)
		alike(w, "names", a.LoginNames, []string{"zora"})
		alike(w, "profile", a.Profile, e.Local.Profile)
		same(w, "the password stays", w.hash("zora"), "$argon2id$of-zoe")
		same(w, "by the new name", w.listed(user.Filter{Text: "zora"}, 10), "zora")
		same(w, "by the old one", w.listed(user.Filter{Text: "zoe"}, 10), "")
		w.made("zoe") // the name is free again
		_, err = w.UpdateUser(w.ctx, e, w.by())
		w.refuses(fault.Conflict, err) // by a version that is gone
		e.Version, e.Local.LoginNames = 0, []string{"zoe"}
		_, err = w.UpdateUser(w.ctx, e, w.by())
		w.refuses(fault.Conflict, err) // by another's name
		same(w, "recorded", w.events()[string(audit.UserUpdated)], 1)
	}},
	{"of many who change the same version one does", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		u := w.made("zoe")
		outcomes := counter[bool]{}
		w.atOnce(8, func(i int) {
			_, err := w.UpdateUser(w.ctx, user.Edit{ID: u.ID, Version: u.Version, Name: fmt.Sprint(i)}, w.by())
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "changed", outcomes.count[true], 1)
	}},
	{"what a connector says at each login is not changed here", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		o, _ := w.login("zoe")
		_, err := w.UpdateUser(w.ctx, user.Edit{ID: o.User.ID, Username: "other", Email: o.User.Email, EmailVerified: true, Name: o.User.Name}, w.by())
		w.refuses(fault.Conflict, err)
		same(w, "says who says it", strings.Contains(err.Error(), upstream), true)
		_, err = w.UpdateUser(w.ctx, user.Edit{ID: o.User.ID, Username: "zoe", Email: o.User.Email, EmailVerified: true, Name: o.User.Name, Local: user.Local{
			ConnectorID: local, LoginNames: []string{"zoe"},
		}}, w.by())
		w.ok(err) // another way in is not what the connector says
	}},
	{"what stands in the file is changed in the file", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		before := w.dump()
		_, err := w.UpdateUser(w.ctx, user.Edit{ID: "usr_ann", Username: "ann"}, w.by())
		w.refuses(fault.Conflict, err)
		same(w, "says where", strings.Contains(err.Error(), "configuration file"), true)
		w.refuses(fault.Conflict, w.DeleteUser(w.ctx, "usr_ann", 0, w.by()))
		w.refuses(fault.Conflict, w.SetPassword(w.ctx, user.PasswordChange{UserID: "usr_ann", Hash: "x"}, w.by()))
		w.refuses(fault.Conflict, w.LinkIdentity(w.ctx, "usr_ann", user.Identity{ConnectorID: upstream, Subject: "ann"}, w.by()))
		w.refuses(fault.Conflict, w.UnlinkIdentity(w.ctx, "usr_ann", local, "usr_ann", w.by()))
		_, err = w.SetRole(w.ctx, "usr_ann", "owner", 0, w.by())
		w.refuses(fault.Conflict, err)
		same(w, "nothing was done", w.dump() == before, true)
		w.ok(w.DisableUser(w.ctx, "usr_ann", w.by())) // which must be quick, wherever they stand
		w.ok(w.EnableUser(w.ctx, "usr_ann", w.by()))
	}},
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
	{"who is deleted is gone with everything, and for good", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		before := Counts(w, w.db)
		_, err := w.CreateGroup(w.ctx, user.Group{ID: "staff"}, w.by())
		w.ok(err)
		o, s := w.login("zoe")
		_, err = w.UpdateUser(w.ctx, user.Edit{ID: s.UserID, Username: "zoe", Email: o.User.Email, EmailVerified: true, Name: o.User.Name, Local: person("zoe").Local}, w.by())
		w.ok(err)
		w.ok(w.SetPassword(w.ctx, user.PasswordChange{UserID: s.UserID, Hash: "$argon2id$x", Keep: true}, w.by()))
		w.ok(w.AddMembers(w.ctx, "staff", []string{s.UserID}, w.by()))
		w.ok(w.KeepConsent(w.ctx, s.UserID, app, oauth.Scopes{"openid"}, w.now()))
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		w.ok(w.DeleteUser(w.ctx, s.UserID, 0, w.by()))
		_, err = w.Grant(w.ctx, i.ID, "")
		w.refuses(fault.NotFound, err)
		_, err = w.SessionByCookie(w.ctx, s.Cookie, app)
		w.refuses(fault.NotFound, err)
		after := Counts(w, w.db)
		for table := range before {
			if table != "audit_events" && table != "user_groups" && after[table] != before[table] {
				w.Errorf("%d rows are left in %s", after[table]-before[table], table)
			}
		}
		again := person("zoe")
		again.User.ID = s.UserID
		_, err = w.CreateUser(w.ctx, again, w.by())
		w.refuses(fault.Conflict, err)
		same(w, "recorded", w.events()[string(audit.UserDeleted)], 1)
	}},
	{"a new password ends what came of the old one", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		u := w.made("zoe")
		w.refuses(fault.NotFound, w.SetPassword(w.ctx, user.PasswordChange{UserID: "usr_nobody", Hash: "x"}, w.by()))
		b := bucket("zoe", credential.Everywhere)
		w.ok(w.RecordFailure(w.ctx, []credential.Bucket{b}, w.now()))
		opened, code := w.sessionOf(u.ID)
		w.clock.Advance(time.Minute)
		w.ok(w.SetPassword(w.ctx, user.PasswordChange{UserID: u.ID, Hash: "$argon2id$next", Keep: true}, w.by()))
		_, err := w.SessionByCookie(w.ctx, opened.Cookie, app)
		w.ok(err) // it was to be kept
		same(w, "the grant is kept", w.revoked(code.ID), false)
		w.ok(w.SetPassword(w.ctx, user.PasswordChange{UserID: u.ID, Hash: "$argon2id$last", Forgive: []secret.Hash{b.Key}}, w.by()))
		_, err = w.SessionByCookie(w.ctx, opened.Cookie, app)
		w.refuses(fault.NotFound, err)
		same(w, "the grant is revoked", w.revoked(code.ID), true)
		same(w, "hash", w.hash("zoe"), "$argon2id$last")
		same(w, "failures", w.throttles(b)[0].Failures, 0)
		a, err := w.Account(w.ctx, u.ID)
		w.ok(err)
		w.sameTime("epoch", a.NotBefore, w.now())
		same(w, "recorded", w.events()[string(audit.PasswordChanged)], 2)
		_, zoe := w.login("zoe")
		w.refuses(fault.Conflict, w.SetPassword(w.ctx, user.PasswordChange{UserID: zoe.UserID, Hash: "x"}, w.by())) // has no login name
	}},
	{"an identity leads to one account, and when it is unlinked nowhere", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		o, s := w.login("zoe")
		code := w.issue(s, oauth.ScopeOffline)
		u := w.made("yan")
		w.refuses(fault.Conflict, w.LinkIdentity(w.ctx, u.ID, user.Identity{ConnectorID: upstream, Subject: "zoe"}, w.by()))
		w.refuses(fault.Invalid, w.LinkIdentity(w.ctx, u.ID, user.Identity{ConnectorID: "no such", Subject: "zoe"}, w.by()))
		w.refuses(fault.NotFound, w.UnlinkIdentity(w.ctx, u.ID, upstream, "zoe", w.by()))
		w.ok(w.UnlinkIdentity(w.ctx, o.User.ID, upstream, "zoe", w.by()))
		_, err := w.SessionByCookie(w.ctx, s.Cookie, app)
		w.refuses(fault.NotFound, err)
		same(w, "grant", w.revoked(code.ID), true)
		w.ok(w.LinkIdentity(w.ctx, u.ID, user.Identity{ConnectorID: upstream, Subject: "zoe"}, w.by()))
		known, _, err := w.ByIdentity(w.ctx, upstream, "zoe")
		w.ok(err)
		same(w, "leads to", known.ID, u.ID)
		w.ok(w.UnlinkIdentity(w.ctx, u.ID, local, u.ID, w.by()))
		a, err := w.Account(w.ctx, u.ID)
		w.ok(err)
		same(w, "login names and password are gone", len(a.LoginNames) == 0 && a.PasswordAt.IsZero(), true)
		same(w, "recorded", w.events()[string(audit.IdentityUnlinked)], 2)
	}},
	{"people are found by the beginning of any word", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		w.made("ann.smith", func(n *user.New) { n.User.Name, n.User.Email = "Ann Smith", "Ann.Smith@one.example" })
		w.made("anna", func(n *user.New) { n.User.Name, n.User.Email = "Anna Jones", "anna@two.example" })
		w.made("bob", func(n *user.New) { n.User.Name, n.User.Email = "Bob Smithers", "bob@one.example" })
		for _, c := range []struct{ text, want string }{
			{"ann", "ann.smith anna"}, {"ANN", "ann.smith anna"}, {"ann.smith@one.example", "ann.smith"}, {"smith", "ann.smith bob"},
			{"smith bob", "bob"}, {"one.ex", "ann.smith bob"}, {"ann jones", "anna"}, {"ann smith bob", ""}, {"nobody", ""},
			{"", "ann ann.smith anna bob"}, {"!!", ""}, {"n", ""}, {"%", ""}, {"\xff\x00", ""},
		} {
			if c.text == "" {
				_, err := w.db.IndexPeople(w.ctx, 100)
				w.ok(err)
			}
			for _, most := range []int{1, 2, 100} {
				same(w, fmt.Sprintf("%q, %d at a time", c.text, most), w.listed(user.Filter{Text: c.text}, most), c.want)
			}
		}
	}},
	{"a list is of those who are meant, each once", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		w.login("zoe")
		_, err := w.CreateGroup(w.ctx, user.Group{ID: "staff"}, w.by())
		w.ok(err)
		var members []string
		for i := range 25 {
			members = append(members, w.made(fmt.Sprintf("p%02d", i), func(n *user.New) {
				n.User.Disabled = i%5 == 0
				if i%10 == 0 {
					n.User.Role = "support"
				}
			}).ID)
		}
		w.ok(w.AddMembers(w.ctx, "staff", members[:12], w.by()))
		yes, no := true, false
		for _, c := range []struct {
			name string
			f    user.Filter
			want int
		}{
			{"all", user.Filter{}, 27}, {"of the file", user.Filter{ManagedBy: "file"}, 1}, {"of operators", user.Filter{ManagedBy: "api"}, 25},
			{"disabled", user.Filter{Disabled: &yes}, 5}, {"not disabled", user.Filter{Disabled: &no}, 22},
			{"with a role", user.Filter{Role: "support"}, 3}, {"of a group", user.Filter{GroupID: "staff"}, 12},
			{"of a group with a role", user.Filter{GroupID: "staff", Role: "support"}, 2}, {"who came by a connector", user.Filter{ConnectorID: upstream}, 1},
			{"of a group by a word", user.Filter{GroupID: "staff", Text: "p1"}, 2}, {"by a word, disabled", user.Filter{Text: "p", Disabled: &yes}, 5},
			{"of no such group", user.Filter{GroupID: "no such"}, 0}, {"with no such role", user.Filter{Role: "wizard"}, 0},
		} {
			for _, most := range []int{1, 7, 1000} {
				got := strings.Fields(w.listed(c.f, most))
				if len(got) != c.want || len(slices.Compact(got)) != c.want {
					w.Errorf("%s, %d at a time: %q, want %d", c.name, most, got, c.want)
				}
			}
		}
	}},
	{"of two words that very many have, the rarer one leads", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		u := w.made("zoe", func(n *user.New) { n.User.Username, n.User.Email, n.User.Name = "zoe", "", "common rarer" })
		for _, q := range []string{
			`INSERT INTO users (tenant_id, id, created_at, updated_at) SELECT tenant_id, 'usr_' || (100000 + n), created_at, updated_at FROM users, numbers WHERE id = $1`,
			`INSERT INTO user_words (tenant_id, word, user_id) SELECT tenant_id, word, 'usr_' || (100000 + n) FROM user_words, numbers
				WHERE user_id = $1 AND (n > 2900 AND LENGTH(word) = LENGTH('rarer') OR LENGTH(word) = LENGTH('common'))`,
		} {
			_, err := store.Raw(w.db).ExecContext(w.ctx, `
				WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4000) `+q, u.ID)
			w.ok(err)
		}
		before := w.db.Work().Statements
		found, _, err := w.Users(w.ctx, user.Filter{Text: "common rarer"}, "", 50)
		w.ok(err)
		same(w, "found", len(found), 50)
		same(w, "statements, two of them to choose", w.db.Work().Statements-before, 3)
	}},
	{"a list cannot be continued from elsewhere", func(_ *testing.T, w *world) {
		for _, after := range []string{"x", "w", "w9 61 usr", "w-1 61 usr", "wx", "g usr", "r usr", "i", "i "} {
			_, _, err := w.Users(w.ctx, user.Filter{}, after, 10)
			w.refuses(fault.Invalid, err)
		}
	}},
	{"who came by a login, a file or an older version is found after a while", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		o, _ := w.login("zoe")
		same(w, "before", w.listed(user.Filter{Text: "zoe"}, 10), "")
		for _, want := range []int{1, 1, 0} {
			n, err := w.db.IndexPeople(w.ctx, 1)
			w.ok(err)
			same(w, "at a time", n, want)
		}
		same(w, "after", w.listed(user.Filter{Text: "zoe"}, 10), "zoe")
		same(w, "of the file", w.listed(user.Filter{Text: "ann"}, 10), "ann")
		changed := w.again(o, o.Session)
		changed.Changed, changed.User.Username, changed.Identity = true, "zora", o.Identity
		_, err := w.keep(changed)
		w.ok(err)
		d := withLocal("2")
		d.Users[0].User.Name = "Annabelle"
		w.declare(d)
		n, err := w.db.IndexPeople(w.ctx, 100)
		w.ok(err)
		same(w, "changed since", n, 2)
		same(w, "by the new name", w.listed(user.Filter{Text: "zora"}, 10), "zora")
		same(w, "by the file's new one", w.listed(user.Filter{Text: "annabelle"}, 10), "ann")
	}},
	{"several who write the words get in nobody's way", func(_ *testing.T, w *world) {
		for i := range 12 {
			w.login(fmt.Sprint("zoe", i))
		}
		w.atOnce(4, func(int) {
			for range 6 {
				if _, err := w.db.IndexPeople(w.ctx, 5); err != nil {
					w.Error(err)
				}
			}
		})
		same(w, "found", len(strings.Fields(w.listed(user.Filter{Text: "zoe"}, 5))), 12)
	}},
}

// sessionOf opens a session for somebody with a password, and a grant that outlives it.
func (w *world) sessionOf(id string) (session.Session, issued) {
	w.Helper()
	o := w.opening(id)
	o.User.ID, o.Identity.ConnectorID, o.NewUser, o.Changed = id, local, false, false
	s, err := w.keep(o)
	w.ok(err)
	return s, w.issue(s, oauth.ScopeOffline)
}
