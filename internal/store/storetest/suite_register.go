package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// secondLogin lets somebody who is known in by another browser.
func (w *world) secondLogin(o grant.Opening) session.Session {
	w.Helper()
	next := w.opening(o.Identity.Subject)
	next.User, next.Identity, next.NewUser, next.Changed = o.User, o.Identity, false, false
	next.Session.ID = session.NewID()
	s, err := w.keep(next)
	w.ok(err)
	return s
}

// did returns who is said to have done what last.
func (w *world) did(kind audit.Kind) (actor string) {
	w.Helper()
	events, _, err := w.Events(w.ctx, audit.Filter{Kind: kind}, "", 1)
	w.ok(err)
	if len(events) == 0 {
		w.Errorf("nobody has done %s", kind)
		return ""
	}
	return events[0].Actor
}

var registerPromises = []promise{
	{"the sessions of somebody come in parts, and without those that have run out", func(_ *testing.T, w *world) {
		o, first := w.login("zoe")
		w.login("yan")
		second := w.secondLogin(o)
		want := []string{first.ID, second.ID}
		slices.Sort(want)
		var got []string
		for after := ""; ; after = got[len(got)-1] {
			part, err := w.Sessions(w.ctx, o.User.ID, after, 1)
			w.ok(err)
			if len(part) == 0 {
				break
			}
			got = append(got, part[0].ID)
		}
		alike(w, "sessions", got, want)
		w.clock.Advance(time.Hour)
		part, err := w.Sessions(w.ctx, o.User.ID, "", 10)
		w.ok(err)
		same(w, "sessions that have run out", len(part), 0)
	}},
	{"it is known whose a session is, and a grant", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		w.login("yan")
		i := w.issue(s)
		self, err := w.Holder(w.ctx, o.User.ID)
		w.ok(err)
		ofSession, err := w.SessionHolder(w.ctx, s.ID)
		w.ok(err)
		ofGrant, err := w.GrantHolder(w.ctx, i.ID)
		w.ok(err)
		alike(w, "holders", []string{self.ID, ofSession.ID, ofGrant.ID}, []string{o.User.ID, o.User.ID, o.User.ID})
		for _, ask := range []func(context.Context, string) (user.User, error){w.Holder, w.SessionHolder, w.GrantHolder} {
			_, err := ask(w.ctx, "nothing")
			w.refuses(fault.NotFound, err)
		}
	}},
	{"an operator ends one session, and what does not outlive it", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		other := w.secondLogin(o)
		bound, offline, elsewhere := w.issue(s), w.issue(s, oauth.ScopeOffline), w.issue(other)
		w.ok(w.TerminateSession(w.ctx, s.ID, w.by()))
		same(w, "the grant that is bound to it", w.revoked(bound.ID), true)
		same(w, "the grant that outlives it", w.revoked(offline.ID), false)
		same(w, "the grant of another session", w.revoked(elsewhere.ID), false)
		same(w, "who did it", w.did(audit.SessionEnded), operator)
		before := w.dump()
		w.ok(w.TerminateSession(w.ctx, s.ID, w.by()))
		same(w, "nothing has changed by the second time", w.dump() == before, true)
	}},
	{"an operator ends all sessions of somebody, and of nobody else", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		other := w.secondLogin(o)
		_, yan := w.login("yan")
		first, second, third := w.issue(s), w.issue(other), w.issue(yan)
		w.ok(w.TerminateSessions(w.ctx, o.User.ID, w.by()))
		same(w, "revoked", w.revoked(first.ID) && w.revoked(second.ID), true)
		same(w, "another's", w.revoked(third.ID), false)
		same(w, "recorded", w.events()[string(audit.SessionEnded)], 2)
		w.refuses(fault.NotFound, w.TerminateSessions(w.ctx, "usr_nobody", w.by()))
	}},
	{"an operator sees the grants that count", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		waiting, revoked := w.issue(s), w.issue(s)
		w.ok(w.Revoke(w.ctx, revoked.ID, audit.TokenRevoked, w.now()))
		offline, bound := w.issue(s, oauth.ScopeOffline), w.issue(s)
		w.redeem(offline)
		w.redeem(bound)
		counting := func(want ...string) {
			w.Helper()
			grants, err := w.Grants(w.ctx, o.User.ID, "", 10)
			w.ok(err)
			var got []string
			for _, g := range grants {
				got = append(got, g.ID)
			}
			slices.Sort(want)
			alike(w, "grants", got, want)
		}
		counting(waiting.ID, offline.ID, bound.ID)
		w.clock.Advance(2 * time.Minute) // no code lives as long
		counting(offline.ID, bound.ID)
		w.end(s)
		counting(offline.ID)
		grants, err := w.Grants(w.ctx, o.User.ID, "", 10)
		w.ok(err)
		alike(w, "the grant", grants[0].Authorization, offline.Authorization)
		same(w, "generation", grants[0].Family.Generation, 1)
		after, err := w.Grants(w.ctx, o.User.ID, offline.ID, 10)
		w.ok(err)
		same(w, "after the last", len(after), 0)
		w.clock.Advance(25 * time.Hour)
		counting()
	}},
	{"an operator revokes one grant, or all of somebody", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		_, yan := w.login("yan")
		first, second, third := w.issue(s), w.issue(s, oauth.ScopeOffline), w.issue(yan)
		w.ok(w.WithdrawGrant(w.ctx, first.ID, w.by()))
		w.ok(w.WithdrawGrant(w.ctx, first.ID, w.by()))
		same(w, "the one", w.revoked(first.ID), true)
		same(w, "another", w.revoked(second.ID), false)
		same(w, "recorded once", w.events()[string(audit.GrantRevoked)], 1)
		same(w, "who did it", w.did(audit.GrantRevoked), operator)
		w.ok(w.WithdrawGrants(w.ctx, o.User.ID, w.by()))
		same(w, "all", w.revoked(second.ID), true)
		same(w, "another's", w.revoked(third.ID), false)
		w.refuses(fault.NotFound, w.WithdrawGrants(w.ctx, "usr_nobody", w.by()))
	}},
	{"an operator takes back a consent, and the grants that rest on it", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		w.ok(w.KeepConsent(w.ctx, o.User.ID, app, oauth.Scopes{"openid", "email"}, w.now()))
		i := w.issue(s)
		consents, err := w.Consents(w.ctx, o.User.ID, "", 10)
		w.ok(err)
		alike(w, "consents", consents, []grant.Consent{{UserID: o.User.ID, ClientID: app, Scopes: oauth.Scopes{"openid", "email"}, UpdatedAt: w.now()}})
		after, err := w.Consents(w.ctx, o.User.ID, app, 10)
		w.ok(err)
		same(w, "after the last", len(after), 0)
		w.ok(w.WithdrawConsent(w.ctx, o.User.ID, app, w.by()))
		w.ok(w.WithdrawConsent(w.ctx, o.User.ID, app, w.by()))
		same(w, "grant", w.revoked(i.ID), true)
		same(w, "who did it", w.did(audit.ConsentRevoked), operator)
		same(w, "recorded once", w.events()[string(audit.ConsentRevoked)], 1)
		consents, err = w.Consents(w.ctx, o.User.ID, "", 10)
		w.ok(err)
		same(w, "consents left", len(consents), 0)
	}},
	{"a tenant is found by its issuer", func(_ *testing.T, w *world) {
		self, err := w.Self(w.ctx)
		w.ok(err)
		found, err := w.db.TenantOf(w.ctx, self.Issuer)
		w.ok(err)
		same(w, "tenant", found.ID(), w.ID())
		_, err = w.db.TenantOf(w.ctx, self.Issuer+"/")
		w.refuses(fault.NotFound, err)
	}},
	{"the record is read from its end, in parts, by what is looked for", func(_ *testing.T, w *world) {
		var ids []string
		began := w.now()
		for i := range 6 {
			w.clock.Advance(time.Second)
			e := audit.Event{ID: audit.NewEventID(w.now()), At: w.now(), Kind: audit.LoginSucceeded, UserID: "usr_ann", ClientID: app, Detail: map[string]string{"n": "1"}}
			if i%2 == 1 {
				e.Kind, e.UserID = audit.LoginRefused, "usr_ben"
			}
			w.ok(w.Record(w.ctx, e))
			ids = append(ids, e.ID)
		}
		found := func(f audit.Filter) (got []string) {
			w.Helper()
			for next := ""; ; {
				events, more, err := w.Events(w.ctx, f, next, 2)
				w.ok(err)
				for _, e := range events {
					got = append(got, e.ID)
				}
				if more == "" {
					return got
				}
				next = more
			}
		}
		for _, c := range []struct {
			name   string
			filter audit.Filter
			want   []int
		}{
			{"everything", audit.Filter{}, []int{5, 4, 3, 2, 1, 0}},
			{"by kind", audit.Filter{Kind: audit.LoginRefused}, []int{5, 3, 1}},
			{"by person", audit.Filter{UserID: "usr_ann"}, []int{4, 2, 0}},
			{"by client", audit.Filter{ClientID: "other"}, nil},
			{"by person and kind", audit.Filter{UserID: "usr_ann", Kind: audit.LoginRefused}, nil},
			{"since", audit.Filter{Since: began.Add(5 * time.Second)}, []int{5, 4}},
			{"until", audit.Filter{Until: began.Add(3 * time.Second)}, []int{1, 0}},
			{"between", audit.Filter{Since: began.Add(2 * time.Second), Until: began.Add(4 * time.Second)}, []int{2, 1}},
		} {
			var want []string
			for _, i := range c.want {
				want = append(want, ids[i])
			}
			alike(w, c.name, found(c.filter), want)
		}
		events, _, err := w.Events(w.ctx, audit.Filter{}, "", 1)
		w.ok(err)
		alike(w, "an event", events[0], audit.Event{ID: ids[5], At: w.now(), Kind: audit.LoginRefused, UserID: "usr_ben", ClientID: app, Detail: map[string]string{"n": "1"}})
	}},
}
