package storetest

import (
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
)

// sharing gives a session a grant with a device secret.
func (w *world) sharing(s session.Session) grant.DeviceSecret {
	w.Helper()
	i := w.issue(s)
	w.redeem(i)
	d := grant.DeviceSecret{Hash: secret.New(secret.SharedPrefix).Hash(), Group: "apps", ExpiresAt: s.ExpiresAt}
	w.ok(w.KeepDeviceSecret(w.ctx, Permit(w, grant.RedeemCode, i.Authorization), d, secret.Hash{}))
	return d
}

// shared is the grant of a client that takes part in the login of somebody new.
func (w *world) shared(subject string, scopes ...string) (grant.Permit, grant.Opening) {
	w.Helper()
	o, s := w.login(subject)
	return w.sharedIn(o, s, scopes...)
}

// sharedIn is such a grant in a session.
func (w *world) sharedIn(o grant.Opening, s session.Session, scopes ...string) (grant.Permit, grant.Opening) {
	w.Helper()
	a := w.unissued(s, scopes...).Authorization
	o.NewUser, o.Changed, o.Event.At, o.Event.Kind, o.Event.ID = false, false, w.now(), audit.LoginShared, ""
	if a.Offline() {
		o.Family, o.Holder = w.family(), "a key"
		o.Family.Generation, o.Family.RotatedAt = 1, w.now()
	}
	return Permit(w, grant.ShareLogin, a), o
}

var sharedPromises = []promise{
	{"a device secret leads to its grant as it stands, with all that the gate asks", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		d := w.sharing(s)
		known, group, err := w.SharedLogin(w.ctx, d.Hash)
		w.ok(err)
		same(w, "group", group, "apps")
		same(w, "account", known.User.ID, s.UserID)
		same(w, "session", known.Session.ID, s.ID)
		same(w, "identity", known.Identity.Subject, "zoe")
		w.ok(w.Revoke(w.ctx, known.Authorization.ID, audit.TokenRevoked, w.now()))
		known, _, err = w.SharedLogin(w.ctx, d.Hash)
		w.ok(err)
		same(w, "revoked", known.RevokedAt.IsZero(), false)
		_, err = w.EndSession(w.ctx, s.ID, time.Time{}, w.now())
		w.ok(err)
		known, _, err = w.SharedLogin(w.ctx, d.Hash)
		w.ok(err)
		same(w, "a session that has ended", known.Session == nil, true)
		_, _, err = w.SharedLogin(w.ctx, secret.Value("another").Hash())
		same(w, "another secret", fault.Is(err, fault.NotFound), true)
	}},
	{"a device secret comes in the place of another of its session and group alone, and a grant has one", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		first, elsewhere := w.sharing(s), w.sharing(w.secondLogin(o))
		stands := func(d grant.DeviceSecret) bool {
			_, _, err := w.SharedLogin(w.ctx, d.Hash)
			return err == nil
		}
		next := func(group string, before secret.Hash) error {
			i := w.issue(s)
			w.redeem(i)
			permit := Permit(w, grant.RedeemCode, i.Authorization)
			d := grant.DeviceSecret{Hash: secret.New(secret.SharedPrefix).Hash(), Group: group, ExpiresAt: s.ExpiresAt}
			w.ok(w.KeepDeviceSecret(w.ctx, permit, d, before))
			d.Hash = secret.New(secret.SharedPrefix).Hash()
			return w.KeepDeviceSecret(w.ctx, permit, d, secret.Hash{})
		}
		same(w, "twice", fault.Is(next("others", first.Hash), fault.NotFound), true)
		same(w, "of another group", stands(first), true)
		_ = next("apps", elsewhere.Hash)
		same(w, "of another session", stands(elsewhere), true)
		_ = next("apps", first.Hash)
		same(w, "its own", stands(first), false)
		i := w.issue(s)
		same(w, "no permit", w.KeepDeviceSecret(w.ctx, grant.Permit{}, first, secret.Hash{}) != nil, true)
		i.SessionID = ""
		same(w, "no session", w.KeepDeviceSecret(w.ctx, Permit(w, grant.TakePassword, i.Authorization), first, secret.Hash{}) != nil, true)
	}},
	{"a grant with a device secret is remembered as long as its session can last", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		w.redeem(w.issue(s))
		d := w.sharing(s)
		w.clock.Advance(26 * time.Hour) // an hour after what says nothing more is forgotten
		_, err := w.db.ClearAway(w.ctx, w.now(), 100)
		w.ok(err)
		same(w, "grants", Counts(w, w.db)["grants"], 1)
		_, _, err = w.SharedLogin(w.ctx, d.Hash)
		w.ok(err)
	}},
	{"a grant in a login that is shared counts at once, with what can be refreshed, for its holder", func(_ *testing.T, w *world) {
		for subject, scopes := range map[string][]string{"zoe": {oauth.ScopeOffline}, "ann": nil} {
			permit, o := w.shared(subject, scopes...)
			w.ok(w.KeepGrant(w.ctx, permit, o, grant.Token{}, nil))
			a, err := permit.For(grant.ShareLogin)
			w.ok(err)
			got, err := w.Grant(w.ctx, a.ID, "")
			w.ok(err)
			alike(w, "family", got.Family, o.Family)
			same(w, "holder", got.BoundTo, o.Holder)
			same(w, "session", got.Session.ID, a.SessionID)
		}
		same(w, "the record", w.events()[string(audit.LoginShared)], 2)
	}},
	{"of a session that ends and a login that is shared in it nothing is left, whichever comes first", func(t *testing.T, w *world) {
		for _, subject := range []string{"ann", "ben", "zoe"} {
			o, s := w.login(subject)
			w.atOnce(8, func(i int) {
				if i == 4 {
					_, err := w.EndSession(w.ctx, s.ID, time.Time{}, w.now())
					w.ok(err)
					return
				}
				permit, o := w.sharedIn(o, s)
				err := w.KeepGrant(w.ctx, permit, o, grant.Token{}, nil)
				if err != nil && !fault.Is(err, fault.NotFound) {
					t.Error(err)
				}
			})
			left, err := w.Grants(w.ctx, s.UserID, "", 10)
			w.ok(err)
			same(w, "left", len(left), 0)
			permit, o := w.sharedIn(o, s)
			same(w, "afterwards", fault.Is(w.KeepGrant(w.ctx, permit, o, grant.Token{}, nil), fault.NotFound), true)
		}
	}},
}
