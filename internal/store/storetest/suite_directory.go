package storetest

import (
	"fmt"
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
