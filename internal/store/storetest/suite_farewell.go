package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/domain/outbox"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
)

// listening declares that the application wants to be told of sessions that end.
func (w *world) listening() {
	w.Helper()
	d := basic("listening")
	d.Clients[0].BackchannelLogoutURI = "https://app.example/backchannel"
	w.declare(d)
}

// farewells returns what applications are told, of what is due.
func (w *world) farewells() []session.Farewell {
	w.Helper()
	taken, err := w.db.TakeDue(w.ctx, []outbox.Kind{outbox.Farewell}, 100, w.now().Add(lapse), w.now())
	w.ok(err)
	var all []session.Farewell
	for _, m := range taken {
		var f session.Farewell
		w.ok(json.Unmarshal(m.Body, &f))
		w.ok(w.db.Delivered(w.ctx, m))
		all = append(all, f)
	}
	return all
}

var farewellPromises = []promise{
	{"what an application is told is in the hands of whoever ended the session, and then anybody's", func(_ *testing.T, w *world) {
		w.listening()
		_, s := w.login("zoe")
		w.issue(s)
		w.issue(s)
		ended := w.end(s)
		alike(w, "clients", ended.Clients, []string{app})
		same(w, "letters", len(ended.Letters), 1)
		same(w, "attempts", ended.Letters[0].Attempts, 1)
		same(w, "tenant", ended.Letters[0].TenantID, w.ID())
		same(w, "due meanwhile", len(w.farewells()), 0)
		same(w, "ended again", len(w.end(s).Letters), 0)
		w.clock.Advance(lapse)
		alike(w, "told", w.farewells(), []session.Farewell{{ClientID: app, SessionID: s.ID, UserID: s.UserID}})
	}},
	{"an application that had nothing in the session is not told of it", func(_ *testing.T, w *world) {
		w.listening()
		_, s := w.login("zoe")
		_, other := w.login("yan")
		w.issue(other)
		ended := w.end(s)
		same(w, "clients", len(ended.Clients)+len(ended.Letters), 0)
	}},
	{"one that does not want to be told is not, nor one that is disabled", func(_ *testing.T, w *world) {
		w.declare(basic("not listening"))
		_, s := w.login("zoe")
		w.issue(s)
		ended := w.end(s)
		alike(w, "clients", ended.Clients, []string{app})
		same(w, "letters", len(ended.Letters), 0)
		w.listening()
		_, s = w.login("yan")
		w.issue(s)
		w.ok(w.DisableClient(w.ctx, app, w.by()))
		ended = w.end(s)
		same(w, "clients", len(ended.Clients)+len(ended.Letters), 0)
	}},
	{"who leaves everywhere ends every session and every grant of theirs, and nobody else's", func(_ *testing.T, w *world) {
		w.listening()
		o, here := w.login("zoe")
		there := w.secondLogin(o)
		offline := w.issue(there, "offline_access")
		w.issue(here)
		_, other := w.login("yan")
		kept := w.issue(other)
		ended, err := w.EndEverywhere(w.ctx, here.UserID, here.ID, w.now().Add(lapse), w.now())
		w.ok(err)
		alike(w, "clients", ended.Clients, []string{app})
		same(w, "letters", len(ended.Letters), 2)
		left, err := w.SessionsOf(w.ctx, here.UserID)
		w.ok(err)
		same(w, "sessions", len(left), 0)
		same(w, "what outlives a session", w.revoked(offline.ID), true)
		same(w, "somebody else's", w.revoked(kept.ID), false)
		ended, err = w.EndEverywhere(w.ctx, here.UserID, here.ID, w.now().Add(lapse), w.now())
		w.ok(err)
		same(w, "once more", len(ended.Letters)+len(ended.Clients), 0)
	}},
	{"whatever ends a session has applications told of it at once", func(t *testing.T, w *world) {
		w.listening()
		for _, c := range []struct {
			name string
			ends func(o session.Session) error
		}{
			{"an operator, this one", func(s session.Session) error { return w.TerminateSession(w.ctx, s.ID, w.by()) }},
			{"an operator, all of them", func(s session.Session) error { return w.TerminateSessions(w.ctx, s.UserID, w.by()) }},
			{"the account is disabled", func(s session.Session) error { return w.DisableUser(w.ctx, s.UserID, w.by()) }},
			{"the account is deleted", func(s session.Session) error { return w.DeleteUser(w.ctx, s.UserID, 0, w.by()) }},
			{"the identity is unlinked", func(s session.Session) error {
				return w.UnlinkIdentity(w.ctx, s.UserID, s.ConnectorID, s.Subject, w.by())
			}},
		} {
			o, s := w.login(c.name)
			other := w.secondLogin(o)
			w.issue(s)
			w.ok(c.ends(s))
			told := w.farewells()
			if len(told) != 1 || told[0] != (session.Farewell{ClientID: app, SessionID: s.ID, UserID: s.UserID}) {
				t.Errorf("%s: told %v, and not of %s", c.name, told, other.ID)
			}
			w.clock.Advance(time.Second)
		}
	}},
	{"a provider's notice ends the sessions that it means, and no others", func(t *testing.T, w *world) {
		w.listening()
		for i, c := range []struct {
			name  string
			means func(s session.Session) session.Notice
			ends  string // of: called one, called two, called nothing, somebody else's called one
		}{
			{"one, by its name there", func(session.Session) session.Notice { return session.Notice{UpstreamID: session.UpstreamID("one")} }, "one else"},
			{"all of a person", func(s session.Session) session.Notice { return session.Notice{Subject: s.Subject} }, "one two none"},
			{"one of a person, and what has no name", func(s session.Session) session.Notice {
				return session.Notice{Subject: s.Subject, UpstreamID: session.UpstreamID("two")}
			}, "two none"},
			{"nobody's", func(session.Session) session.Notice { return session.Notice{Subject: "nobody"} }, ""},
			{"of a name that nothing has", func(session.Session) session.Notice { return session.Notice{UpstreamID: session.UpstreamID("three")} }, ""},
			{"of another connector", func(s session.Session) session.Notice {
				return session.Notice{ConnectorID: "another", Subject: s.Subject}
			}, ""},
		} {
			o, one := w.loginCalled(fmt.Sprint("zoe", i), "one")
			two, none := w.secondLoginCalled(o, "two"), w.secondLoginCalled(o, "")
			_, other := w.loginCalled(fmt.Sprint("yan", i), "one")
			n := c.means(one)
			if n.ConnectorID == "" {
				n.ConnectorID = one.ConnectorID
			}
			w.issue(one)
			offline := w.issue(one, oauth.ScopeOffline)
			_, err := w.EndByNotice(w.ctx, n, w.now().Add(lapse), w.now())
			w.ok(err)
			var ended []string
			for _, s := range []struct {
				name string
				session.Session
			}{{"one", one}, {"two", two}, {"none", none}, {"else", other}} {
				left, err := w.Sessions(w.ctx, s.UserID, "", 10)
				w.ok(err)
				if !slices.ContainsFunc(left, func(l session.Session) bool { return l.ID == s.ID }) {
					ended = append(ended, s.name)
				}
			}
			if got := strings.Join(ended, " "); got != c.ends {
				t.Errorf("%s: %q ended, want %q", c.name, got, c.ends)
			}
			if w.revoked(offline.ID) {
				t.Errorf("%s: what outlives a session has ended with it", c.name)
			}
			for _, id := range []string{one.UserID, other.UserID} {
				w.ok(w.TerminateSessions(w.ctx, id, w.by()))
			}
		}
	}},
	{"applications are told of a session that a provider ends", func(_ *testing.T, w *world) {
		w.listening()
		_, s := w.loginCalled("zoe", "one")
		w.issue(s)
		ended, err := w.EndByNotice(w.ctx, session.Notice{ConnectorID: s.ConnectorID, UpstreamID: session.UpstreamID("one")}, w.now().Add(lapse), w.now())
		w.ok(err)
		alike(w, "clients", ended.Clients, []string{app})
		same(w, "letters", len(ended.Letters), 1)
		same(w, "recorded", w.eventOf(audit.SessionEnded)["detail"], `{"by":"provider"}`)
	}},
	{"a session that goes on is called what it is called now", func(_ *testing.T, w *world) {
		o, s := w.loginCalled("zoe", "one")
		again := o
		again.NewUser, again.Changed, again.Previous = false, false, s
		again.Session.Cookie, again.Session.UpstreamID = secret.New(secret.SessionPrefix).Hash(), session.UpstreamID("two")
		_, err := w.keep(again)
		w.ok(err)
		_, err = w.EndByNotice(w.ctx, session.Notice{ConnectorID: s.ConnectorID, UpstreamID: session.UpstreamID("one")}, w.now(), w.now())
		w.ok(err)
		left, err := w.Sessions(w.ctx, s.UserID, "", 10)
		w.ok(err)
		same(w, "by its old name", len(left), 1)
		_, err = w.EndByNotice(w.ctx, session.Notice{ConnectorID: s.ConnectorID, UpstreamID: session.UpstreamID("two")}, w.now(), w.now())
		w.ok(err)
		left, err = w.Sessions(w.ctx, s.UserID, "", 10)
		w.ok(err)
		same(w, "by its new name", len(left), 0)
	}},
	{"what says so counts once, also at the same moment, and a notice that means nobody is a mistake", func(_ *testing.T, w *world) {
		n := session.Notice{ConnectorID: upstream, Subject: "zoe", Token: secret.Value("jti").Hash(), Expires: w.now().Add(time.Minute)}
		outcomes := counter[bool]{}
		w.atOnce(8, func(int) {
			_, err := w.EndByNotice(w.ctx, n, w.now(), w.now())
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "accepted", outcomes.count[true], 1)
		n.ConnectorID = "another"
		_, err := w.EndByNotice(w.ctx, n, w.now(), w.now())
		w.ok(err)
		w.clock.Advance(2 * time.Minute)
		n.Expires = w.now().Add(time.Minute)
		_, err = w.EndByNotice(w.ctx, n, w.now(), w.now())
		w.ok(err)
		if _, err = w.EndByNotice(w.ctx, session.Notice{ConnectorID: upstream}, w.now(), w.now()); err == nil {
			w.Error("it is taken")
		}
	}},
}

// loginCalled lets somebody new in, by a session that the provider calls by a name.
func (w *world) loginCalled(subject, name string) (grant.Opening, session.Session) {
	w.Helper()
	o := w.opening(subject)
	o.Session.UpstreamID = session.UpstreamID(name)
	s, err := w.keep(o)
	w.ok(err)
	return o, s
}

// secondLoginCalled lets them in by another browser.
func (w *world) secondLoginCalled(o grant.Opening, name string) session.Session {
	w.Helper()
	o.NewUser, o.Changed, o.Previous = false, false, session.Session{}
	o.Session.ID, o.Session.Cookie, o.Session.UpstreamID = session.NewID(), secret.New(secret.SessionPrefix).Hash(), session.UpstreamID(name)
	s, err := w.keep(o)
	w.ok(err)
	return s
}
