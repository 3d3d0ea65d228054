package storetest

import (
	"fmt"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/outbox"
	"dex/internal/domain/role"
	"dex/internal/domain/user"
)

// invited makes somebody without a password, and a link for them.
func (w *world) invited(name string, p user.Purpose) (user.User, user.Link) {
	w.Helper()
	u := w.made(name, func(n *user.New) { n.PasswordHash = "" })
	return u, w.linked(u.ID, p)
}

func (w *world) linked(userID string, p user.Purpose) user.Link {
	w.Helper()
	l, _ := user.NewLink(p, userID, w.now())
	w.ok(w.CreateLink(w.ctx, l, nil, w.by()))
	return l
}

func (w *world) use(l user.Link) error {
	_, err := w.RedeemLink(w.ctx, user.Redemption{Hash: l.Hash, PasswordHash: "$argon2id$chosen", RemoteAddr: "192.0.2.7", At: w.now()})
	return err
}

var linkPromises = []promise{
	{"a link sets the password once, and ends what came of the one before", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		u := w.made("zoe")
		opened, code := w.sessionOf(u.ID)
		b := bucket("zoe", credential.Everywhere)
		w.ok(w.RecordFailure(w.ctx, []credential.Bucket{b}, w.now()))
		l := w.linked(u.ID, user.Reset)
		known, err := w.Link(w.ctx, l.Hash)
		w.ok(err)
		alike(w, "link", known.Link, l)
		same(w, "counts", known.Check(w.now()) == nil, true)
		used, err := w.RedeemLink(w.ctx, user.Redemption{Hash: l.Hash, PasswordHash: "$argon2id$chosen", Forgive: []secret.Hash{b.Key}, At: w.now()})
		w.ok(err)
		same(w, "whose", used.User.ID, u.ID)
		same(w, "connector", used.ConnectorID, local)
		same(w, "hash", w.hash("zoe"), "$argon2id$chosen")
		same(w, "failures", w.throttles(b)[0].Failures, 0)
		_, err = w.SessionByCookie(w.ctx, opened.Cookie, app)
		w.refuses(fault.NotFound, err)
		same(w, "grant revoked", w.revoked(code.ID), true)
		w.refuses(fault.Conflict, w.use(l))
		known, err = w.Link(w.ctx, l.Hash)
		w.ok(err)
		w.sameTime("used", known.UsedAt, w.now())
		events := w.events()
		same(w, "recorded", fmt.Sprint(events[string(audit.LinkCreated)], events[string(audit.LinkUsed)]), "1 1")
	}},
	{"of many who use a link at once one does", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		_, l := w.invited("zoe", user.Invite)
		outcomes := counter[bool]{}
		w.atOnce(8, func(int) {
			err := w.use(l)
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "used", outcomes.count[true], 1)
		same(w, "recorded", w.events()[string(audit.LinkUsed)], 1)
	}},
	{"a newer link ends the one before, of its purpose alone", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		u, invitation := w.invited("zoe", user.Invite)
		first := w.linked(u.ID, user.Reset)
		second := w.linked(u.ID, user.Reset)
		w.refuses(fault.Conflict, w.use(first))
		known, err := w.Link(w.ctx, invitation.Hash)
		w.ok(err)
		same(w, "the other counts", known.Check(w.now()) == nil, true)
		w.ok(w.use(second))
	}},
	{"no link outlives the password or the role that it was made for", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		for what, change := range map[string]func(id string) error{
			"another link is used": func(id string) error { return w.use(w.linked(id, user.Reset)) },
			"the password is set": func(id string) error {
				return w.SetPassword(w.ctx, user.PasswordChange{UserID: id, Hash: "$argon2id$set", Keep: true}, w.by())
			},
			"a role is given": func(id string) error {
				_, err := w.SetRole(w.ctx, id, string(role.Admin), 0, w.by())
				return err
			},
		} {
			u, invitation := w.invited("zoe", user.Invite)
			w.ok(change(u.ID))
			if err := w.use(invitation); !fault.Is(err, fault.Conflict) {
				w.Errorf("%s: a link from before is used: %v", what, err)
			}
			same(w, what+": it set no password", w.hash("zoe") != "$argon2id$chosen" || what == "another link is used", true)
			w.ok(w.DeleteUser(w.ctx, u.ID, 0, w.by()))
		}
	}},
	{"of many links that are made at once one counts", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		u, _ := w.invited("zoe", user.Invite)
		links := make([]user.Link, 8)
		w.atOnce(len(links), func(i int) {
			links[i], _ = user.NewLink(user.Reset, u.ID, w.now())
			if err := w.CreateLink(w.ctx, links[i], nil, w.by()); err != nil {
				w.Error(err)
			}
		})
		count := 0
		for _, l := range links {
			known, err := w.Link(w.ctx, l.Hash)
			w.ok(err)
			if known.Check(w.now()) == nil {
				count++
			}
		}
		same(w, "that count", count, 1)
	}},
	{"a link counts as long as it says, and is cleared away then", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		u, invitation := w.invited("zoe", user.Invite)
		reset := w.linked(u.ID, user.Reset)
		w.clock.Advance(time.Hour)
		w.refuses(fault.Conflict, w.use(reset))
		w.clock.Advance(7*24*time.Hour - time.Hour - time.Microsecond)
		known, err := w.Link(w.ctx, invitation.Hash)
		w.ok(err)
		same(w, "to the last moment", known.Check(w.now()) == nil, true)
		w.clock.Advance(time.Microsecond)
		w.refuses(fault.Conflict, w.use(invitation))
		same(w, "password", w.hash("zoe"), "")
		deleted, err := w.db.ClearAway(w.ctx, w.now(), 10)
		w.ok(err)
		same(w, "cleared away", deleted["links"], 2)
		w.refuses(fault.NotFound, w.use(invitation))
	}},
	{"a guess is no link, and does not burn one", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		_, l := w.invited("zoe", user.Invite)
		for range 5 {
			guess, _ := user.NewLink(user.Invite, l.UserID, w.now())
			w.refuses(fault.NotFound, w.use(guess))
		}
		other, err := w.db.EnsureTenant(w.ctx, "other", "https://other.example")
		w.ok(err)
		_, err = other.RedeemLink(w.ctx, user.Redemption{Hash: l.Hash, PasswordHash: "x", At: w.now()})
		w.refuses(fault.NotFound, err)
		w.ok(w.use(l))
	}},
	{"who is shut out does not come in by a link, and it is not burned", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		u, l := w.invited("zoe", user.Invite)
		for _, shut := range []struct {
			name        string
			close, open func() error
		}{
			{"the account", func() error { return w.DisableUser(w.ctx, u.ID, w.by()) }, func() error { return w.EnableUser(w.ctx, u.ID, w.by()) }},
			{"the tenant", func() error { return w.DisableTenant(w.ctx, w.by()) }, func() error { return w.EnableTenant(w.ctx, w.by()) }},
			{"the connector", func() error { return w.DisableConnector(w.ctx, local, w.by()) }, func() error { return w.EnableConnector(w.ctx, local, w.by()) }},
		} {
			w.ok(shut.close())
			before := w.hash("zoe")
			w.refuses(fault.Denied, w.use(l))
			same(w, shut.name+": the password", w.hash("zoe"), before)
			w.ok(shut.open())
			known, err := w.Link(w.ctx, l.Hash)
			w.ok(err)
			same(w, shut.name+" open again: counts", known.Check(w.now()) == nil, true)
		}
		w.ok(w.UnlinkIdentity(w.ctx, u.ID, local, u.ID, w.by()))
		w.refuses(fault.Denied, w.use(l))
		w.ok(w.DeleteUser(w.ctx, u.ID, 0, w.by()))
		w.refuses(fault.NotFound, w.use(l))
	}},
	{"nobody gets a link that they could not use", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		_, s := w.login("zoe") // who has no login name
		u := w.made("yan")
		w.ok(w.DisableUser(w.ctx, u.ID, w.by()))
		for _, id := range []string{s.UserID, u.ID, "usr_ann"} {
			l, _ := user.NewLink(user.Reset, id, w.now())
			w.refuses(fault.Conflict, w.CreateLink(w.ctx, l, nil, w.by()))
		}
		l, _ := user.NewLink(user.Reset, "usr_nobody", w.now())
		w.refuses(fault.NotFound, w.CreateLink(w.ctx, l, nil, w.by()))
		l, _ = user.NewLink("party", u.ID, w.now())
		w.refuses(fault.Invalid, w.CreateLink(w.ctx, l, nil, w.by()))
		same(w, "links", Counts(w, w.db)["links"], 0)
	}},
	{"the mail goes out with its link, or neither is there", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		u := w.made("zoe")
		m := &outbox.Message{Kind: outbox.Mail, Body: []byte("the link itself")}
		l, _ := user.NewLink(user.Reset, u.ID, w.now())
		w.ok(w.CreateLink(w.ctx, l, m, w.by()))
		l.UserID = "usr_nobody"
		w.refuses(fault.NotFound, w.CreateLink(w.ctx, l, m, w.by()))
		same(w, "on their way", Counts(w, w.db)["outbox"], 1)
	}},
}
