package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"dex/internal/domain/outbox"
	"dex/internal/domain/session"
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
}
