package storetest

import (
	"strconv"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/protocol/oauth"
)

// device is a device that has just asked to be let in.
func (w *world) device(name string) grant.Device {
	return grant.Device{
		ID: grant.NewDeviceID(), Code: secret.Value("device code of " + name).Hash(), UserCode: secret.Value("user code of " + name).Hash(),
		ClientID: app, Scopes: oauth.Scopes{"openid", "email"}, SupportCode: "CODE-" + name, RemoteAddr: "192.0.2.9",
		UserAgent: "Television/1.0", CreatedAt: w.now(), ExpiresAt: w.now().Add(grant.DeviceLife),
	}
}

// letIn lets a device in by the person of a session that has just begun.
func (w *world) letIn(d grant.Device, subject string) (grant.Authorization, error) {
	w.Helper()
	_, s := w.login(subject)
	a := grant.Authorization{
		ID: grant.NewID(), ClientID: d.ClientID, UserID: s.UserID, SessionID: s.ID, ConnectorID: s.ConnectorID, Subject: s.Subject,
		Scopes: d.Scopes, AuthTime: s.AuthTime, Methods: s.Methods, IssuedAt: w.now(), SupportCode: d.SupportCode,
	}
	return a, w.ApproveDevice(w.ctx, Permit(w, grant.ApproveDevice, a), d.ID, []audit.Step{{What: "device", Said: "let in"}}, w.now())
}

func (w *world) poll(d grant.Device) grant.Standing {
	w.Helper()
	s, err := w.PollDevice(w.ctx, d.Code, d.ClientID, w.now())
	w.ok(err)
	return s
}

var devicePromises = []promise{
	{"a device waits under its user code until somebody lets it in, and is redeemed once", func(_ *testing.T, w *world) {
		d := w.device("tv")
		w.ok(w.OpenDevice(w.ctx, d))
		found, err := w.DeviceByUserCode(w.ctx, d.UserCode, w.now())
		w.ok(err)
		alike(w, "device", found, d)
		same(w, "before", w.poll(d), grant.Waiting)
		a, err := w.letIn(d, "zoe")
		w.ok(err)
		same(w, "after", w.poll(d), grant.Approved)
		_, err = w.DeviceByUserCode(w.ctx, d.UserCode, w.now())
		w.refuses(fault.NotFound, err)
		proof := grant.Proof{Hash: d.Code, ClientID: app}
		k, outcome, err := w.Redeem(w.ctx, proof, w.family(), w.now())
		w.ok(err)
		same(w, "first", outcome, grant.Redeemed)
		alike(w, "authorization", k.Authorization, a)
		_, outcome, err = w.Redeem(w.ctx, proof, w.family(), w.now())
		w.ok(err)
		same(w, "again", outcome, grant.Replayed)
	}},
	{"a device is let in or turned away, and of many who answer at once one does", func(t *testing.T, w *world) {
		d := w.device("tv")
		w.ok(w.OpenDevice(w.ctx, d))
		_, s := w.login("zoe")
		a := grant.Authorization{
			ClientID: d.ClientID, UserID: s.UserID, SessionID: s.ID, ConnectorID: s.ConnectorID, Subject: s.Subject,
			Scopes: d.Scopes, AuthTime: s.AuthTime, IssuedAt: w.now(),
		}
		var outcomes counter[bool]
		w.atOnce(8, func(int) {
			mine := a
			mine.ID = grant.NewID()
			err := w.ApproveDevice(w.ctx, Permit(t, grant.ApproveDevice, mine), d.ID, nil, w.now())
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		alike(w, "let in", outcomes.count, map[bool]int{true: 1, false: 7})
		w.ok(w.DenyDevice(w.ctx, d.ID, w.now())) // too late
		same(w, "standing", w.poll(d), grant.Approved)

		other := w.device("fridge")
		w.ok(w.OpenDevice(w.ctx, other))
		w.ok(w.DenyDevice(w.ctx, other.ID, w.now()))
		same(w, "turned away", w.poll(other), grant.DeviceDenied)
		_, err := w.letIn(other, "ann")
		w.refuses(fault.Conflict, err)
		_, outcome, err := w.Redeem(w.ctx, grant.Proof{Hash: other.Code, ClientID: app}, w.family(), w.now())
		w.ok(err)
		same(w, "and its code", outcome, grant.NoSuchCode)
	}},
	{"a device that asks too often waits longer each time, whichever worker it asks", func(_ *testing.T, w *world) {
		d := w.device("tv")
		w.ok(w.OpenDevice(w.ctx, d))
		same(w, "first", w.poll(d), grant.Waiting)
		w.clock.Advance(grant.DevicePause - time.Second)
		same(w, "a second too soon", w.poll(d), grant.TooSoon)
		w.clock.Advance(2*grant.DevicePause - time.Second)
		same(w, "again", w.poll(d), grant.TooSoon)
		w.clock.Advance(3 * grant.DevicePause)
		same(w, "in time", w.poll(d), grant.Waiting)
		same(w, "another client's device is none", func() grant.Standing {
			s, err := w.PollDevice(w.ctx, d.Code, "another", w.now())
			w.ok(err)
			return s
		}(), grant.NoSuchDevice)
	}},
	{"a device waits for ten minutes and no longer", func(_ *testing.T, w *world) {
		d := w.device("tv")
		w.ok(w.OpenDevice(w.ctx, d))
		w.clock.Advance(grant.DeviceLife)
		same(w, "standing", w.poll(d), grant.DeviceExpired)
		_, err := w.DeviceByUserCode(w.ctx, d.UserCode, w.now())
		w.refuses(fault.NotFound, err)
		_, err = w.letIn(d, "zoe")
		w.refuses(fault.Conflict, err)
	}},
	{"two devices have different codes, and a client has only so many that wait", func(_ *testing.T, w *world) {
		d := w.device("tv")
		w.ok(w.OpenDevice(w.ctx, d))
		twin := w.device("tv")
		twin.Code = secret.Value("another").Hash()
		w.refuses(fault.Conflict, w.OpenDevice(w.ctx, twin))
		for i := 1; i < grant.MaxDevices; i++ {
			w.ok(w.OpenDevice(w.ctx, w.device("tv"+strconv.Itoa(i))))
		}
		w.refuses(fault.Throttled, w.OpenDevice(w.ctx, w.device("one too many")))
		w.clock.Advance(grant.DeviceLife)
		w.ok(w.OpenDevice(w.ctx, w.device("one later")))
	}},
	{"of the devices that wait one network has a share", func(_ *testing.T, w *world) {
		n := 0
		from := func(network string) error {
			n++
			d := w.device("tv" + strconv.Itoa(n))
			d.Network = network
			return w.OpenDevice(w.ctx, d)
		}
		for range grant.MaxOfNetwork {
			w.ok(from("192.0.2.0/24"))
		}
		w.refuses(fault.Throttled, from("192.0.2.0/24"))
		w.ok(from("198.51.100.0/24"))
	}},
}
