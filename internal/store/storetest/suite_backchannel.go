package storetest

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/grant"
	"dex/internal/domain/outbox"
	"dex/internal/protocol/oauth"
)

// asked is a request of a client for somebody by name, who has an account.
func (w *world) asked(name string) (grant.Device, grant.Authorization) {
	w.Helper()
	_, s := w.login(name)
	d := w.device(name)
	d.ID = grant.NewBackchannelID()
	d.For = &grant.Addressee{UserID: s.UserID, ConnectorID: s.ConnectorID, Subject: s.Subject}
	d.Message, d.ACR = "4711", []string{"aal2"}
	d.Notice = &grant.Notice{Endpoint: "https://app.example/notify", Token: "token of " + secret.Value(name), Code: "code of " + secret.Value(name)}
	return d, grant.Authorization{
		ID: grant.NewID(), ClientID: d.ClientID, UserID: s.UserID, ConnectorID: s.ConnectorID, Subject: s.Subject,
		Scopes: d.Scopes, AuthTime: w.now(), IssuedAt: w.now(), SupportCode: d.SupportCode,
	}
}

// notified returns the one notification that waits, and takes it.
func (w *world) notified() outbox.Notification {
	w.Helper()
	all, err := w.db.TakeDue(w.ctx, everyKind, 10, w.now().Add(time.Hour), w.now())
	w.ok(err)
	if len(all) != 1 || all[0].Kind != outbox.Notify {
		w.Fatalf("%d messages wait", len(all))
	}
	n, err := outbox.ReadNotification(all[0].Message)
	w.ok(err)
	return n
}

// deliveries returns what is due for clients that are sent their tokens, and takes it.
func (w *world) deliveries() (all []outbox.Delivery) {
	w.Helper()
	due, err := w.db.TakeDue(w.ctx, []outbox.Kind{outbox.Push}, 10, w.now().Add(time.Hour), w.now())
	w.ok(err)
	for _, m := range due {
		d, err := outbox.ReadDelivery(m.Message)
		w.ok(err)
		all = append(all, d)
	}
	return all
}

var backchannelPromises = []promise{
	{"a request by the back channel waits for its person, is answered once, and its client is told", func(t *testing.T, w *world) {
		d, a := w.asked("zoe")
		w.ok(w.OpenDevice(w.ctx, d))
		d.Notice, d.UserCode = nil, secret.Hash{} // which nobody reads back
		waiting, err := w.WaitingRequest(w.ctx, d.ID, w.now())
		w.ok(err)
		alike(w, "request", waiting, d)
		waiting, err = w.RequestByCode(w.ctx, d.Code, w.now())
		w.ok(err)
		alike(w, "request by its code", waiting, d)
		_, err = w.RequestByCode(w.ctx, secret.New(secret.BackchannelPrefix).Hash(), w.now())
		w.refuses(fault.NotFound, err)
		all, err := w.RequestsFor(w.ctx, a.UserID, "", 10, w.now())
		w.ok(err)
		alike(w, "requests", all, []grant.Device{d})
		none, err := w.RequestsFor(w.ctx, "", "", 10, w.now())
		w.ok(err)
		same(w, "for nobody", len(none), 0)

		w.refuses(fault.Conflict, w.ApproveDevice(w.ctx, Permit(w, grant.ApproveDevice, a), d.ID, nil, w.now())) // not by a code
		another := a
		another.UserID = "usr_another"
		w.refuses(fault.Conflict, w.ApproveRequest(w.ctx, Permit(w, grant.ApproveBackchannel, another), d.ID, w.by()))

		w.approveAtOnce(d, a)
		n := w.notified()
		same(w, "where", n.URL, "https://app.example/notify")
		same(w, "by whose token", n.Bearer, "token of zoe")
		var body map[string]string
		w.ok(json.Unmarshal(n.Body, &body))
		alike(w, "what", body, map[string]string{"auth_req_id": "code of zoe"})

		same(w, "standing", w.poll(d), grant.Approved)
		w.refuses(fault.NotFound, w.DenyRequest(w.ctx, d.ID, w.by()))
		k, outcome, err := w.Redeem(w.ctx, grant.Proof{Hash: d.Code, ClientID: app}, w.family(), w.now())
		w.ok(err)
		same(w, "redeemed", outcome, grant.Redeemed)
		same(w, "whose", k.User.ID, a.UserID)
		same(w, "in no session", k.Session == nil, true)
		_, outcome, err = w.Redeem(w.ctx, grant.Proof{Hash: d.Code, ClientID: app}, w.family(), w.now())
		w.ok(err)
		same(w, "again", outcome, grant.Replayed)
	}},
	{"a client that is sent its tokens has nothing to redeem, and its family begins when it is let in", func(t *testing.T, w *world) {
		d, a := w.asked("zoe")
		a.Scopes = append(a.Scopes[:len(a.Scopes):len(a.Scopes)], oauth.ScopeOffline)
		d.Notice.Push, d.Notice.Family = true, w.family()
		d.Notice.Family.Generation = 1
		w.ok(w.OpenDevice(w.ctx, d))
		same(w, "before anybody has answered", len(w.deliveries()), 0)
		w.approveAtOnce(d, a)
		sent := w.deliveries()
		if len(sent) != 1 {
			w.Fatalf("%d deliveries wait", len(sent))
		}
		known, err := w.Grant(w.ctx, sent[0].GrantID, "")
		w.ok(err)
		same(w, "whose", known.User.ID, a.UserID)
		same(w, "generation", known.Family.Generation, 1)
		w.sameTime("ends", known.Family.ExpiresAt, w.family().ExpiresAt)
		alike(w, "delivery", sent[0], outbox.Delivery{
			ClientID: app, Bearer: "token of zoe", AuthReqID: "code of zoe", GrantID: known.Authorization.ID, Until: w.now().Add(time.Hour),
		})
		_, outcome, err := w.Redeem(w.ctx, grant.Proof{Hash: d.Code, ClientID: app}, w.family(), w.now())
		w.ok(err)
		same(w, "to redeem", outcome, grant.Replayed)

		w.clock.Advance(d.ExpiresAt.Sub(w.now()))
		sent = w.deliveries()
		if len(sent) != 1 || sent[0].GrantID != "" || sent[0].AuthReqID != "code of zoe" {
			w.Errorf("when the time is up: %+v", sent)
		}
	}},
	{"a client that is sent its tokens is sent that it gets none", func(_ *testing.T, w *world) {
		d, _ := w.asked("zoe")
		d.Notice.Push, d.Notice.Family = true, w.family()
		w.ok(w.OpenDevice(w.ctx, d))
		w.ok(w.DenyRequest(w.ctx, d.ID, w.by()))
		var body map[string]string
		w.ok(json.Unmarshal(w.notified().Body, &body))
		same(w, "which", body["auth_req_id"], "code of zoe")
		same(w, "why", body["error"], "access_denied")
	}},
	{"a request by the back channel that is turned away is so for good, and its client is told", func(_ *testing.T, w *world) {
		d, a := w.asked("zoe")
		w.ok(w.OpenDevice(w.ctx, d))
		w.ok(w.DenyRequest(w.ctx, d.ID, w.by()))
		same(w, "notified", w.notified().Bearer, "token of zoe")
		same(w, "standing", w.poll(d), grant.DeviceDenied)
		w.refuses(fault.Conflict, w.ApproveRequest(w.ctx, Permit(w, grant.ApproveBackchannel, a), d.ID, w.by()))
		_, err := w.WaitingRequest(w.ctx, d.ID, w.now())
		w.refuses(fault.NotFound, err)
		w.refuses(fault.NotFound, w.DenyRequest(w.ctx, d.ID, w.by()))

		tv := w.device("tv") // is nobody's request
		w.ok(w.OpenDevice(w.ctx, tv))
		w.refuses(fault.NotFound, w.DenyRequest(w.ctx, tv.ID, w.by()))
		same(w, "a device", w.poll(tv), grant.Waiting)
	}},
	{"a request by the back channel waits for as long as it may", func(_ *testing.T, w *world) {
		d, a := w.asked("zoe")
		d.ExpiresAt = w.now().Add(time.Minute)
		w.ok(w.OpenDevice(w.ctx, d))
		w.clock.Advance(time.Minute)
		same(w, "standing", w.poll(d), grant.DeviceExpired)
		_, err := w.WaitingRequest(w.ctx, d.ID, w.now())
		w.refuses(fault.NotFound, err)
		a.IssuedAt = w.now()
		w.refuses(fault.Conflict, w.ApproveRequest(w.ctx, Permit(w, grant.ApproveBackchannel, a), d.ID, w.by()))
	}},
	{"of one client only so many requests wait for one person", func(_ *testing.T, w *world) {
		d, _ := w.asked("zoe")
		for i := range grant.MaxOfPerson {
			d.ID, d.Code, d.UserCode = grant.NewBackchannelID(), secret.Value(strconv.Itoa(i)).Hash(), secret.Value("user code"+strconv.Itoa(i)).Hash()
			w.ok(w.OpenDevice(w.ctx, d))
		}
		d.ID, d.Code, d.UserCode = grant.NewBackchannelID(), secret.Value("more").Hash(), secret.Value("more").Hash()
		w.refuses(fault.Throttled, w.OpenDevice(w.ctx, d))
		other, _ := w.asked("ann")
		w.ok(w.OpenDevice(w.ctx, other))
		w.ok(w.OpenDevice(w.ctx, w.device("tv")))
	}},
	{"a hint leads to one account or to none", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		_, _ = w.login("ann")
		for _, hint := range []string{s.UserID, "zoe@example.com", "ZOE@example.com"} {
			u, identities, err := w.ByHint(w.ctx, hint)
			w.ok(err)
			same(w, hint, u.ID, s.UserID)
			same(w, hint, len(identities), 1)
			same(w, hint, identities[0].Subject, s.Subject)
		}
		for _, hint := range []string{"", "nobody", "x@example.com", "zoe\x00", "\u200b"} {
			_, _, err := w.ByHint(w.ctx, hint)
			w.refuses(fault.NotFound, err)
		}
	}},
}

// backchannelDeeds are the verbs that change something here.
var backchannelDeeds = []deed{
	{"ApproveRequest", func(w *world, n string) func(ctx context.Context) error {
		d, a := w.asked(n)
		w.ok(w.OpenDevice(w.ctx, d))
		permit, by := Permit(w, grant.ApproveBackchannel, a), w.signed(n)
		return func(ctx context.Context) error { return w.ApproveRequest(ctx, permit, d.ID, by) }
	}},
	{"DenyRequest", func(w *world, n string) func(ctx context.Context) error {
		d, _ := w.asked(n)
		w.ok(w.OpenDevice(w.ctx, d))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.DenyRequest(ctx, d.ID, by) }
	}},
}

// approveAtOnce has eight let a request in, of whom one may.
func (w *world) approveAtOnce(d grant.Device, a grant.Authorization) {
	w.Helper()
	var outcomes counter[bool]
	w.atOnce(8, func(int) {
		mine := a
		mine.ID = grant.NewID()
		err := w.ApproveRequest(w.ctx, Permit(w, grant.ApproveBackchannel, mine), d.ID, w.by())
		if err != nil && !fault.Is(err, fault.Conflict) {
			w.Error(err)
		}
		outcomes.add(err == nil)
	})
	alike(w, "let in", outcomes.count, map[bool]int{true: 1, false: 7})
}
