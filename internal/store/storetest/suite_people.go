package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

var userPromises = []promise{
	{"an identity leads to its account, and is as it was last seen", func(_ *testing.T, w *world) {
		o, _ := w.login("zoe")
		u, i, err := w.ByIdentity(w.ctx, upstream, "zoe")
		w.ok(err)
		alike(w, "user", u, o.User)
		alike(w, "identity", i, o.Identity)
		for _, subject := range []string{"nobody", "", "\x00", "\xff"} {
			_, _, err = w.ByIdentity(w.ctx, upstream, subject)
			w.refuses(fault.NotFound, err)
		}
	}},
	{"a verified address has one owner or none", func(_ *testing.T, w *world) {
		w.login("zoe")
		u, err := w.ByVerifiedEmail(w.ctx, "ZOE@Example.com")
		w.ok(err)
		same(w, "owner", u.Username, "zoe")
		for _, email := range []string{"", "nobody@example.com", "zoe@example.com\x00"} {
			_, err = w.ByVerifiedEmail(w.ctx, email)
			w.refuses(fault.NotFound, err)
		}
		o := w.opening("zoe2")
		o.User.Email = "zoe@example.com"
		_, err = w.keep(o)
		w.ok(err)
		_, err = w.ByVerifiedEmail(w.ctx, "zoe@example.com")
		w.refuses(fault.NotFound, err)
	}},
	{"an address that nobody has verified, or none at all, has no owner", func(_ *testing.T, w *world) {
		for i, email := range []string{"x@example.com", ""} {
			o := w.opening(fmt.Sprint("x", i))
			o.User.Email, o.User.EmailVerified = email, email == ""
			_, err := w.keep(o)
			w.ok(err)
			_, err = w.ByVerifiedEmail(w.ctx, email)
			w.refuses(fault.NotFound, err)
		}
	}},
	{"only ASCII letters are folded in an address", func(_ *testing.T, w *world) {
		w.login("kim")
		_, err := w.ByVerifiedEmail(w.ctx, "\u212Aim@example.com") // the sign for Kelvin
		w.refuses(fault.NotFound, err)
	}},
	{"of many workers one asks the connector again, until its turn is over", func(_ *testing.T, w *world) {
		o, _ := w.login("zoe")
		w.clock.Advance(time.Hour)
		outcomes := counter[bool]{}
		w.atOnce(16, func(int) {
			claimed, err := w.ClaimRefresh(w.ctx, o.Identity, w.now().Add(10*time.Second), w.now())
			if err != nil {
				w.Error(err)
			}
			outcomes.add(claimed)
		})
		same(w, "claimed", outcomes.count[true], 1)
		w.clock.Advance(10 * time.Second)
		claimed, err := w.ClaimRefresh(w.ctx, o.Identity, w.now().Add(10*time.Second), w.now())
		w.ok(err)
		same(w, "claimed after the turn is over", claimed, true)
	}},
	{"an identity that was checked since needs nobody to ask", func(_ *testing.T, w *world) {
		o, _ := w.login("zoe")
		w.clock.Advance(time.Minute)
		fresh := o.Identity
		fresh.CheckedAt, fresh.Profile.Groups, fresh.Data = w.now(), []string{"admins"}, []byte("the next upstream token")
		w.ok(w.SaveIdentity(w.ctx, fresh))
		claimed, err := w.ClaimRefresh(w.ctx, o.Identity, w.now().Add(time.Minute), w.now())
		w.ok(err)
		same(w, "claimed by the old one", claimed, false)
		_, i, err := w.ByIdentity(w.ctx, upstream, "zoe")
		w.ok(err)
		alike(w, "identity", i, fresh)
		claimed, err = w.ClaimRefresh(w.ctx, i, w.now().Add(time.Minute), w.now())
		w.ok(err)
		same(w, "claimed by the new one", claimed, true)
	}},
	{"an identity that is not there cannot be saved", func(_ *testing.T, w *world) {
		w.refuses(fault.NotFound, w.SaveIdentity(w.ctx, user.Identity{ConnectorID: upstream, Subject: "nobody", CheckedAt: w.now()}))
	}},
	{"disabling an account ends its sessions and revokes its grants", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		bound, offline := w.issue(s), w.issue(s, oauth.ScopeOffline)
		w.redeem(offline)
		_, other := w.login("yan")
		untouched := w.issue(other)
		w.ok(w.DisableUser(w.ctx, s.UserID, w.by()))
		_, err := w.SessionByCookie(w.ctx, s.Cookie, app)
		w.refuses(fault.NotFound, err)
		same(w, "bound grant", w.revoked(bound.ID), true)
		same(w, "offline grant", w.revoked(offline.ID), true)
		same(w, "another's grant", w.revoked(untouched.ID), false)
		u, _, err := w.ByIdentity(w.ctx, upstream, "zoe")
		w.ok(err)
		same(w, "disabled", u.Disabled, true)
		w.sameTime("epoch", u.NotBefore, w.now())
		same(w, "recorded", w.events()[string(audit.UserDisabled)], 1)
	}},
	{"enabling it again revives nothing", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.issue(s)
		w.ok(w.DisableUser(w.ctx, s.UserID, w.by()))
		w.ok(w.EnableUser(w.ctx, s.UserID, w.by()))
		u, _, err := w.ByIdentity(w.ctx, upstream, "zoe")
		w.ok(err)
		same(w, "disabled", u.Disabled, false)
		w.sameTime("epoch", u.NotBefore, w.now())
		same(w, "grant", w.revoked(i.ID), true)
		same(w, "recorded", w.events()[string(audit.UserEnabled)], 1)
	}},
	{"who is not there can be neither disabled nor enabled", func(_ *testing.T, w *world) {
		w.refuses(fault.NotFound, w.DisableUser(w.ctx, "usr_nobody", w.by()))
		w.refuses(fault.NotFound, w.EnableUser(w.ctx, "usr_nobody", w.by()))
	}},
}

func bucket(name string, kind credential.BucketKind) credential.Bucket {
	return credential.Bucket{Key: secret.Value(name).Hash(), Kind: kind}
}

var credentialPromises = []promise{
	{"a candidate is who has the name, with all that the check needs", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		d := declaredUser("ann")
		for _, name := range d.LoginNames {
			c, err := w.Candidate(w.ctx, name, nil)
			w.ok(err)
			same(w, "id", c.User.ID, d.User.ID)
			same(w, "email", c.User.Email, d.User.Email)
			same(w, "hash", c.Hash, d.PasswordHash)
			alike(w, "profile", c.Profile, d.Profile)
			same(w, "names", fmt.Sprint(c.Names), fmt.Sprint(sorted(d.LoginNames)))
		}
	}},
	{"nobody is a candidate too, at the same price", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		buckets := []credential.Bucket{bucket("a", credential.Account), bucket("n", credential.Network)}
		for _, name := range []string{"nobody", "", "nul\x00", "\xff", "ANN"} {
			before := w.db.Work()
			c, err := w.Candidate(w.ctx, name, buckets)
			w.ok(err)
			same(w, "id", c.User.ID, "")
			same(w, "hash", c.Hash, "")
			same(w, "buckets", len(c.Throttle), 2)
			same(w, "statements", w.db.Work().Statements-before.Statements, 1)
		}
	}},
	{"failures are counted as the rule counts them", func(_ *testing.T, w *world) {
		b := bucket("a", credential.Account)
		var want credential.Throttle
		for _, wait := range []time.Duration{0, time.Second, 59 * time.Minute, time.Hour - time.Microsecond, time.Hour, time.Minute} {
			w.clock.Advance(wait)
			want = want.Next(b.Kind, w.now())
			w.ok(w.RecordFailure(w.ctx, []credential.Bucket{b}, w.now()))
			got := w.throttles(b)[0]
			same(w, fmt.Sprintf("failures after %v more", wait), got.Failures, want.Failures)
			w.sameTime("last", got.LastAt, want.LastAt)
		}
	}},
	{"buckets answer in the order in which they are asked for", func(_ *testing.T, w *world) {
		a, b, c := bucket("a", credential.Account), bucket("b", credential.KnownDevice), bucket("c", credential.Network)
		w.ok(w.RecordFailure(w.ctx, []credential.Bucket{b}, w.now()))
		w.ok(w.RecordFailure(w.ctx, []credential.Bucket{b, c, b}, w.now()))
		got := w.throttles(c, a, bucket("d", credential.Everywhere), b)
		same(w, "failures", fmt.Sprint(got[0].Failures, got[1].Failures, got[2].Failures, got[3].Failures), "1 0 0 2")
		_, err := w.Candidate(w.ctx, "ann", []credential.Bucket{a, b, c, a, b})
		same(w, "too many buckets refused", err != nil, true)
	}},
	{"of many failures at once none is lost", func(_ *testing.T, w *world) {
		a, b := bucket("a", credential.Account), bucket("b", credential.Network)
		w.atOnce(32, func(i int) {
			buckets := []credential.Bucket{a, b}
			if i%2 == 0 {
				buckets = []credential.Bucket{b, a}
			}
			if err := w.RecordFailure(w.ctx, buckets, w.now()); err != nil {
				w.Error(err)
			}
		})
		got := w.throttles(a, b)
		same(w, "failures", fmt.Sprint(got[0].Failures, got[1].Failures), "32 32")
	}},
	{"forgiving forgets these buckets and no other", func(_ *testing.T, w *world) {
		a, b := bucket("a", credential.Account), bucket("b", credential.Network)
		w.ok(w.RecordFailure(w.ctx, []credential.Bucket{a, b}, w.now()))
		w.ok(w.Forgive(w.ctx, []credential.Bucket{a}))
		got := w.throttles(a, b)
		same(w, "failures", fmt.Sprint(got[0].Failures, got[1].Failures), "0 1")
	}},
	{"no bucket is no work", func(_ *testing.T, w *world) {
		before := w.db.Work()
		w.ok(w.RecordFailure(w.ctx, nil, w.now()))
		w.ok(w.Forgive(w.ctx, nil))
		same(w, "work", w.db.Work(), before)
	}},
	{"a hash is replaced only if it is still the old one", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		w.ok(w.Rehash(w.ctx, "usr_ann", "$argon2id$of-ann", "$argon2id$next"))
		w.ok(w.Rehash(w.ctx, "usr_ann", "$argon2id$of-ann", "$argon2id$late"))
		same(w, "hash", w.hash("ann"), "$argon2id$next")
	}},
}

func (w *world) throttles(buckets ...credential.Bucket) []credential.Throttle {
	w.Helper()
	c, err := w.Candidate(w.ctx, "somebody", buckets)
	w.ok(err)
	return c.Throttle
}

var sessionPromises = []promise{
	{"a cookie leads to its session, with everything beside it", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		w.ok(w.KeepConsent(w.ctx, s.UserID, app, oauth.Scopes{"openid", "email"}, w.now()))
		k, err := w.SessionByCookie(w.ctx, o.Session.Cookie, app)
		w.ok(err)
		want := o.Session
		want.UserID, want.ConnectorID, want.Subject = o.User.ID, upstream, "zoe"
		alike(w, "session", k.Session, want)
		alike(w, "user", k.User, o.User)
		alike(w, "identity", k.Identity, o.Identity)
		same(w, "consent", k.Consent.String(), "openid email")
		k, err = w.SessionByCookie(w.ctx, o.Session.Cookie, "another")
		w.ok(err)
		same(w, "consent for another client", k.Consent == nil, true)
		_, err = w.SessionByCookie(w.ctx, secret.Value("guess").Hash(), app)
		w.refuses(fault.NotFound, err)
	}},
	{"the sessions of an account come with the newest first", func(_ *testing.T, w *world) {
		o, first := w.login("zoe")
		w.clock.Advance(time.Minute)
		o.Session.ID, o.Session.Cookie, o.Session.CreatedAt = session.NewID(), secret.Value("2").Hash(), w.now()
		o.NewUser, o.Changed = false, false
		second, err := w.keep(o)
		w.ok(err)
		all, err := w.SessionsOf(w.ctx, first.UserID)
		w.ok(err)
		if len(all) != 2 {
			w.Fatalf("%d sessions", len(all))
		}
		same(w, "order", all[0].ID+" "+all[1].ID, second.ID+" "+first.ID)
		same(w, "upstream", string(all[1].Upstream), "the ID token of zoe")
	}},
	{"touching puts the idle timeout off, and never forward", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		for _, c := range []struct{ to, want time.Time }{
			{w.now().Add(2 * time.Hour), w.now().Add(2 * time.Hour)},
			{w.now().Add(time.Hour), w.now().Add(2 * time.Hour)},
			{w.now().Add(100 * time.Hour), w.now().Add(100 * time.Hour)},
		} {
			w.ok(w.TouchSession(w.ctx, s.ID, c.to))
			k, err := w.SessionByCookie(w.ctx, o.Session.Cookie, app)
			w.ok(err)
			w.sameTime("idle until", k.Session.IdleUntil, c.want)
			w.sameTime("expires", k.Session.ExpiresAt, o.Session.ExpiresAt)
		}
		w.clock.Advance(8 * time.Hour)
		_, err := w.db.ClearAway(w.ctx, w.now(), 10)
		w.ok(err)
		_, err = w.SessionByCookie(w.ctx, o.Session.Cookie, app)
		w.refuses(fault.NotFound, err)
	}},
	{"ending a session revokes what is bound to it, and nothing else", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		bound, offline := w.issue(s), w.issue(s, oauth.ScopeOffline)
		_, other := w.login("yan")
		untouched := w.issue(other)
		w.end(s)
		w.end(s)
		_, err := w.SessionByCookie(w.ctx, o.Session.Cookie, app)
		w.refuses(fault.NotFound, err)
		same(w, "bound grant", w.revoked(bound.ID), true)
		same(w, "offline grant", w.revoked(offline.ID), false)
		same(w, "another's grant", w.revoked(untouched.ID), false)
		same(w, "recorded", w.events()[string(audit.SessionEnded)], 1)
		k, outcome, err := w.Redeem(w.ctx, offline.proof(), w.family(), w.now())
		w.ok(err)
		same(w, "outcome", outcome, grant.Redeemed)
		same(w, "the gate sees that the session is gone", k.Session == nil, true)
	}},
}

var openingPromises = []promise{
	{"somebody new gets an account, an identity, a session and lines in the record", func(_ *testing.T, w *world) {
		before := Counts(w, w.db)
		_, s := w.login("zoe")
		after := Counts(w, w.db)
		for table, more := range map[string]int{"users": 1, "identities": 1, "sessions": 1, "audit_events": 2} {
			same(w, table, after[table]-before[table], more)
		}
		for _, e := range tableRows(w, w.db, "audit_events") {
			same(w, "user of "+e["kind"], e["user_id"], s.UserID)
		}
	}},
	{"without the gate's word nothing opens", func(_ *testing.T, w *world) {
		_, err := w.OpenSession(w.ctx, grant.Permit{}, w.opening("zoe"))
		same(w, "refused without a permit", err != nil, true)
		o := w.opening("zoe")
		_, err = w.OpenSession(w.ctx, Permit(w, grant.OpenSession, grant.Authorization{UserID: "usr_other", IssuedAt: w.now()}), o)
		same(w, "refused with another's", err != nil, true)
		same(w, "sessions", Counts(w, w.db)["sessions"], 0)
	}},
	{"another issuer's word makes the account and a grant without a session, once", func(_ *testing.T, w *world) {
		permit, o, by := w.vouched("zoe")
		before := Counts(w, w.db)
		outcomes := counter[string]{}
		w.atOnce(12, func(int) {
			err := w.KeepGrant(w.ctx, permit, o, by, []audit.Step{{What: "token", Said: "vouched"}})
			switch {
			case err == nil:
				outcomes.add("kept")
			case errors.Is(err, grant.ErrTokenUsed):
				outcomes.add("refused")
			default:
				w.Error(err)
			}
		})
		same(w, "kept", outcomes.count["kept"], 1)
		after := Counts(w, w.db)
		for table, more := range map[string]int{"users": 1, "identities": 1, "sessions": 0, "grants": 1, "audit_events": 2, "used_assertions": 1} {
			same(w, table, after[table]-before[table], more)
		}
		a, err := permit.For(grant.TakeAssertion)
		w.ok(err)
		known, err := w.Grant(w.ctx, a.ID, "")
		w.ok(err)
		same(w, "account", known.User.ID, o.User.ID)
		same(w, "a session", known.Session == nil, true)
		same(w, "a family", known.Family.Generation, 0)
		same(w, "the record", w.events()[string(audit.TokenVouched)], 1)
		w.clock.Advance(2 * time.Minute) // what has ended is not known any more
		permit, o, _ = w.vouched("yan")
		w.ok(w.KeepGrant(w.ctx, permit, o, by, nil))
	}},
	{"without the gate's word another issuer's is worth nothing", func(_ *testing.T, w *world) {
		permit, o, by := w.vouched("zoe")
		same(w, "no permit", w.KeepGrant(w.ctx, grant.Permit{}, o, by, nil) != nil, true)
		o.User.ID = user.NewID()
		same(w, "another's", w.KeepGrant(w.ctx, permit, o, by, nil) != nil, true)
		counts := Counts(w, w.db)
		for _, table := range []string{"users", "grants", "used_assertions"} {
			same(w, table, counts[table], 0)
		}
	}},
	{"what somebody has allowed a client is known, and nothing of others", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		_, other := w.login("yan")
		w.ok(w.KeepConsent(w.ctx, s.UserID, app, oauth.Scopes{"openid", "email"}, w.now()))
		for id, want := range map[string]oauth.Scopes{s.UserID: {"openid", "email"}, other.UserID: nil} {
			got, err := w.Consent(w.ctx, id, app)
			w.ok(err)
			alike(w, "consent", got, want)
		}
	}},
	{"of many who bring the same new identity one makes the account", func(_ *testing.T, w *world) {
		outcomes := counter[bool]{}
		w.atOnce(12, func(int) {
			_, err := w.keep(w.opening("zoe"))
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "opened", outcomes.count[true], 1)
		counts := Counts(w, w.db)
		same(w, "accounts, identities, sessions", fmt.Sprint(counts["users"], counts["identities"], counts["sessions"]), "1 1 1")
	}},
	{"an account is brought up to date, but never enabled", func(_ *testing.T, w *world) {
		o, _ := w.login("zoe")
		w.ok(w.DisableUser(w.ctx, o.User.ID, w.by()))
		o.NewUser, o.User.Name, o.Session.ID, o.Session.Cookie = false, "Zoe", session.NewID(), secret.Value("2").Hash()
		_, err := w.keep(o)
		w.refuses(fault.Denied, err)
		u, _, err := w.ByIdentity(w.ctx, upstream, "zoe")
		w.ok(err)
		same(w, "disabled", u.Disabled, true)
		same(w, "name: all or nothing", u.Name, "Name of zoe")
		w.ok(w.EnableUser(w.ctx, o.User.ID, w.by()))
		o.Identity.Profile.Groups = []string{"admins"}
		_, err = w.keep(o)
		w.ok(err)
		u, i, err := w.ByIdentity(w.ctx, upstream, "zoe")
		w.ok(err)
		same(w, "name", u.Name, "Zoe")
		same(w, "groups", fmt.Sprint(i.Profile.Groups), "[admins]")
	}},
	{"an identity is linked to an account that is there", func(_ *testing.T, w *world) {
		o, _ := w.login("zoe")
		linked := w.opening("zoe-at-work")
		linked.NewUser, linked.User = false, o.User
		_, err := w.keep(linked)
		w.ok(err)
		u, _, err := w.ByIdentity(w.ctx, upstream, "zoe-at-work")
		w.ok(err)
		same(w, "account", u.ID, o.User.ID)
	}},
	{"an identity is never taken from another account", func(_ *testing.T, w *world) {
		o, _ := w.login("zoe")
		thief, _ := w.login("mallory")
		thief.NewUser, thief.Identity = false, o.Identity
		thief.Session.ID, thief.Session.Cookie = session.NewID(), secret.Value("2").Hash()
		_, err := w.keep(thief)
		w.refuses(fault.Conflict, err)
		u, _, err := w.ByIdentity(w.ctx, upstream, "zoe")
		w.ok(err)
		same(w, "account", u.ID, o.User.ID)
	}},
	{"a session of the same account goes on under its old id with the new cookie", func(_ *testing.T, w *world) {
		o, first := w.login("zoe")
		i := w.issue(first)
		w.clock.Advance(30 * time.Minute)
		again := w.again(o, first)
		second, err := w.keep(again)
		w.ok(err)
		same(w, "id", second.ID, first.ID)
		w.sameTime("proven", second.CreatedAt, again.Session.CreatedAt)
		_, err = w.SessionByCookie(w.ctx, o.Session.Cookie, app)
		w.refuses(fault.NotFound, err)
		k, err := w.SessionByCookie(w.ctx, again.Session.Cookie, app)
		w.ok(err)
		alike(w, "session", k.Session, second)
		w.sameTime("proven", k.Session.AuthTime, w.now())
		same(w, "grant", w.revoked(i.ID), false)
	}},
	{"a session that has run out is not revived", func(_ *testing.T, w *world) {
		o, first := w.login("zoe")
		i := w.issue(first)
		w.clock.Advance(time.Hour) // its idle timeout
		second, err := w.keep(w.again(o, first))
		w.ok(err)
		same(w, "under a new id", second.ID != first.ID, true)
		same(w, "what was bound to the old one is revoked", w.revoked(i.ID), true)
		same(w, "sessions", Counts(w, w.db)["sessions"], 1)
	}},
	{"a session that was ended meanwhile is not revived", func(_ *testing.T, w *world) {
		o, first := w.login("zoe")
		w.end(first)
		second, err := w.keep(w.again(o, first))
		w.ok(err)
		same(w, "under a new id", second.ID != first.ID, true)
	}},
	{"a session of another account is ended", func(_ *testing.T, w *world) {
		_, first := w.login("zoe")
		i := w.issue(first)
		o := w.opening("yan")
		o.Previous = first
		second, err := w.keep(o)
		w.ok(err)
		same(w, "under a new id", second.ID != first.ID, true)
		same(w, "what was bound to the old one is revoked", w.revoked(i.ID), true)
		all, err := w.SessionsOf(w.ctx, first.UserID)
		w.ok(err)
		same(w, "sessions of the other", len(all), 0)
	}},
	{"what a browser tells of itself is cut short and made fit", func(_ *testing.T, w *world) {
		o := w.opening("zoe")
		o.Session.UserAgent = "bad\x00\xff" + strings.Repeat("ä", 1000)
		s, err := w.keep(o)
		w.ok(err)
		same(w, "kept in bounds", len(s.UserAgent) <= 256, true)
	}},
}

// again is another login of somebody in the browser of a session.
func (w *world) again(o grant.Opening, previous session.Session) grant.Opening {
	next := w.opening(o.Identity.Subject)
	next.User, next.NewUser, next.Changed, next.Previous = o.User, false, false, previous
	return next
}

// loginAnn opens a session for the declared user.
func (w *world) loginAnn() (grant.Opening, session.Session) {
	w.Helper()
	o := w.opening("usr_ann")
	o.User.ID, o.Identity.ConnectorID, o.NewUser, o.Changed = "usr_ann", local, false, false
	s, err := w.keep(o)
	w.ok(err)
	return o, s
}
