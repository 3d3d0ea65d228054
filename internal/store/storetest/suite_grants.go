package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/protocol/oauth"
)

var codePromises = []promise{
	{"a grant that began with a password counts at once, with what can be refreshed, and is kept once", func(t *testing.T, w *world) {
		for subject, scopes := range map[string][]string{"zoe": {oauth.ScopeOffline}, "ann": nil} {
			permit, o := w.byPassword(subject, scopes...)
			w.ok(w.KeepGrant(w.ctx, permit, o, grant.Token{}, nil))
			a, err := permit.For(grant.TakePassword)
			w.ok(err)
			got, err := w.Grant(w.ctx, a.ID, "")
			w.ok(err)
			alike(w, "family", got.Family, o.Family)
			same(w, "account", got.Authorization.UserID, o.User.ID)
			if err := w.KeepGrant(w.ctx, permit, o, grant.Token{}, nil); err == nil {
				t.Error("one grant was kept twice")
			}
		}
	}},
	{"a code is exchanged for what it was issued for, with all that the gate asks", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		i := w.issue(s, "email", oauth.ScopeOffline)
		w.clock.Advance(time.Second)
		k := w.redeem(i)
		alike(w, "authorization", k.Authorization, i.Authorization)
		alike(w, "family", k.Family, grant.Family{Generation: 1, RotatedAt: w.now(), IdleUntil: w.family().IdleUntil, ExpiresAt: w.family().ExpiresAt})
		alike(w, "user", *k.User, o.User)
		alike(w, "identity", *k.Identity, o.Identity)
		want := s
		want.Cookie, want.Upstream, want.UserAgent, want.RemoteAddr = secret.Hash{}, nil, "", ""
		alike(w, "session", *k.Session, want)
		same(w, "revoked", k.RevokedAt.IsZero(), true)
		known, err := w.Grant(w.ctx, i.ID, "")
		w.ok(err)
		alike(w, "the grant, read again", known, k)
	}},
	{"without offline access no family begins", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		k := w.redeem(w.issue(s))
		alike(w, "family", k.Family, grant.Family{})
	}},
	{"what has gone since is missing, and what is disabled says so", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.issue(s)
		w.end(s)
		k, err := w.Grant(w.ctx, i.ID, "")
		w.ok(err)
		same(w, "session gone", k.Session == nil, true)
		same(w, "user there", k.User != nil, true)
		same(w, "identity there", k.Identity != nil, true)
		w.ok(w.DisableUser(w.ctx, s.UserID, w.by()))
		k, err = w.Grant(w.ctx, i.ID, "")
		w.ok(err)
		same(w, "user disabled", k.User.Disabled, true)
		same(w, "revoked", k.RevokedAt.IsZero(), false)
	}},
	{"all of the proof must agree", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		for _, c := range []struct {
			name  string
			spoil func(p *grant.Proof)
			want  grant.Outcome
		}{
			{"another client", func(p *grant.Proof) { p.ClientID = "another" }, grant.WrongProof},
			{"another redirect URI", func(p *grant.Proof) { p.RedirectURI += "/" }, grant.WrongProof},
			{"a redirect URI that no database keeps", func(p *grant.Proof) { p.RedirectURI = "\x00" }, grant.WrongProof},
			{"a client that no database keeps", func(p *grant.Proof) { p.ClientID = "\xff" }, grant.WrongProof},
			{"another verifier", func(p *grant.Proof) { p.Verifier += "x" }, grant.WrongProof},
			{"no verifier", func(p *grant.Proof) { p.Verifier = "" }, grant.WrongProof},
			{"another code", func(p *grant.Proof) { p.Hash = secret.Value("guess").Hash() }, grant.NoSuchCode},
		} {
			i := w.issue(s)
			p := i.proof()
			c.spoil(&p)
			k, outcome, err := w.Redeem(w.ctx, p, w.family(), w.now())
			w.ok(err)
			same(w, c.name, outcome, c.want)
			alike(w, c.name+": tells nothing", k, grant.Known{})
			w.redeem(i) // one wrong attempt has not burned it
		}
	}},
	{"a code without a challenge takes no verifier, and none that is too short", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		for _, c := range []struct {
			name, verifier string
			challenge      oauth.Challenge
			want           grant.Outcome
		}{
			{"no challenge, no verifier", "", "", grant.Redeemed},
			{"no challenge, a verifier", verifier, "", grant.WrongProof},
			{"a verifier that RFC 7636 does not allow", "short", oauth.ChallengeOf("short"), grant.WrongProof},
		} {
			i := w.unissued(s)
			i.code.Challenge = c.challenge
			w.ok(w.keepCode(i))
			p := i.proof()
			p.Verifier = c.verifier
			_, outcome, err := w.Redeem(w.ctx, p, w.family(), w.now())
			w.ok(err)
			same(w, c.name, outcome, c.want)
		}
	}},
	{"a code that is bound to a key takes no other, and one that is not takes any", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		for _, c := range []struct {
			name, bound, proven string
			want                grant.Outcome
		}{
			{"its key", "key", "key", grant.Redeemed},
			{"another key", "key", "other", grant.WrongProof},
			{"no key", "key", "", grant.WrongProof},
			{"bound to none", "", "key", grant.Redeemed},
		} {
			i := w.unissued(s)
			i.code.BoundTo = c.bound
			w.ok(w.keepCode(i))
			p := i.proof()
			p.BoundTo = c.proven
			_, outcome, err := w.Redeem(w.ctx, p, w.family(), w.now())
			w.ok(err)
			same(w, c.name, outcome, c.want)
			if outcome == grant.WrongProof {
				p.BoundTo = c.bound
				_, outcome, err = w.Redeem(w.ctx, p, w.family(), w.now())
				w.ok(err)
				same(w, c.name+": has not burned it", outcome, grant.Redeemed)
			}
		}
	}},
	{"whoever redeems a code may say who refreshes it", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		for _, c := range []struct{ bound, proven, holder, want string }{
			{"", "key", "key", "key"},
			{"", "key", "", ""},
			{"key", "key", "", "key"},
			{"", "", "", ""},
		} {
			i := w.unissued(s)
			i.code.BoundTo = c.bound
			w.ok(w.keepCode(i))
			p := i.proof()
			p.BoundTo, p.Holder = c.proven, c.holder
			k, outcome, err := w.Redeem(w.ctx, p, w.family(), w.now())
			w.ok(err)
			same(w, "the outcome", outcome, grant.Redeemed)
			same(w, "the holder", k.BoundTo, c.want)
			k, err = w.Grant(w.ctx, i.ID, "")
			w.ok(err)
			same(w, "the holder, read again", k.BoundTo, c.want)
		}
	}},
	{"the terms of a grant come back as they were kept", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.unissued(s)
		i.Terms = grant.Terms{
			Claims:    &oauth.ClaimsRequest{Userinfo: map[string]*oauth.ClaimRequest{"name": nil, "acr": {Essential: true, Value: []byte(`"1"`)}}},
			Resources: []string{"https://api.example.com"}, Details: []byte(`[{"type":"payment"}]`), ACR: []string{"1", "2"},
			Binding: oauth.Binding{JKT: "thumbprint"},
			Actor:   &grant.Actor{Subject: "one", Actor: &grant.Actor{Subject: "two"}},
		}
		w.ok(w.keepCode(i))
		alike(w, "redeemed", w.redeem(i).Authorization.Terms, i.Terms)
		k, err := w.Grant(w.ctx, i.ID, "")
		w.ok(err)
		alike(w, "read", k.Authorization.Terms, i.Terms)
	}},
	{"a grant whose client has got tokens by the browser counts as long as its session, and has no code", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.unissued(s)
		i.code.Spent, i.code.ExpiresAt = true, w.now()
		w.ok(w.keepCode(i))
		w.clock.Advance(5 * time.Minute)
		kept, err := w.Grants(w.ctx, s.UserID, "", 10)
		w.ok(err)
		if len(kept) != 1 || kept[0].ID != i.ID {
			w.Errorf("there are %d grants", len(kept))
		}
		if _, outcome, err := w.Redeem(w.ctx, i.proof(), w.family(), w.now()); err != nil || outcome == grant.Redeemed {
			w.Errorf("there is a code: %d, %v", outcome, err)
		}
		w.end(s)
		kept, err = w.Grants(w.ctx, s.UserID, "", 10)
		w.ok(err)
		same(w, "grants of a session that has ended", len(kept), 0)
	}},
	{"a code expires", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i, just := w.issue(s), w.issue(s)
		w.clock.Advance(time.Minute - time.Microsecond)
		w.redeem(just)
		w.clock.Advance(time.Microsecond)
		_, outcome, err := w.Redeem(w.ctx, i.proof(), w.family(), w.now())
		w.ok(err)
		same(w, "outcome", outcome, grant.NoSuchCode)
	}},
	{"a code that was revoked is none", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.issue(s)
		w.ok(w.Revoke(w.ctx, i.ID, audit.TokenRevoked, w.now()))
		_, outcome, err := w.Redeem(w.ctx, i.proof(), w.family(), w.now())
		w.ok(err)
		same(w, "outcome", outcome, grant.NoSuchCode)
	}},
	{"wrong attempts burn a code, and not one too early", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i, spared := w.issue(s), w.issue(s)
		for n := range grant.MaxAttempts {
			p := i.proof()
			p.Verifier = ""
			_, outcome, err := w.Redeem(w.ctx, p, w.family(), w.now())
			w.ok(err)
			same(w, fmt.Sprint("attempt ", n), outcome, grant.WrongProof)
			p = spared.proof()
			p.ClientID = "another"
			if n > 0 {
				_, _, err = w.Redeem(w.ctx, p, w.family(), w.now())
				w.ok(err)
			}
		}
		_, outcome, err := w.Redeem(w.ctx, i.proof(), w.family(), w.now())
		w.ok(err)
		same(w, "burned", outcome, grant.NoSuchCode)
		same(w, "recorded", w.events()[string(audit.CodeBurned)], 1)
		w.redeem(spared)
	}},
	{"a code that is presented again revokes what came of it", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		w.clock.Advance(time.Hour) // the code has expired, and still it is a replay
		for range 2 {
			_, outcome, err := w.Redeem(w.ctx, i.proof(), w.family(), w.now())
			w.ok(err)
			same(w, "outcome", outcome, grant.Replayed)
		}
		same(w, "revoked", w.revoked(i.ID), true)
		same(w, "recorded", w.events()[string(audit.CodeReplayed)], 1)
		rotated, err := w.rotate(i, 1)
		w.ok(err)
		same(w, "rotated", rotated, false)
	}},
	{"who presents a used code without its proof changes nothing", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		before := w.dump()
		for _, spoil := range []func(p *grant.Proof){
			func(p *grant.Proof) { p.ClientID = "another" },
			func(p *grant.Proof) { p.Verifier = "" },
			func(p *grant.Proof) { p.RedirectURI = "https://evil.example" },
		} {
			p := i.proof()
			spoil(&p)
			_, outcome, err := w.Redeem(w.ctx, p, w.family(), w.now())
			w.ok(err)
			same(w, "outcome", outcome, grant.WrongProof)
		}
		same(w, "unchanged", w.dump() == before, true)
	}},
	{"of 64 who redeem at once exactly one does", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		for range 2 {
			i := w.issue(s, oauth.ScopeOffline)
			outcomes := counter[grant.Outcome]{}
			w.atOnce(64, func(int) {
				_, outcome, err := w.Redeem(w.ctx, i.proof(), w.family(), w.now())
				if err != nil {
					w.Error(err)
				}
				outcomes.add(outcome)
			})
			alike(w, "outcomes", outcomes.count, map[grant.Outcome]int{grant.Redeemed: 1, grant.Replayed: 63})
			same(w, "revoked after the replay", w.revoked(i.ID), true)
		}
		same(w, "recorded", w.events()[string(audit.CodeReplayed)], 2)
	}},
	{"of many wrong attempts at once none is lost", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.issue(s)
		w.atOnce(20, func(int) {
			p := i.proof()
			p.Verifier = ""
			if _, _, err := w.Redeem(w.ctx, p, w.family(), w.now()); err != nil {
				w.Error(err)
			}
		})
		_, outcome, err := w.Redeem(w.ctx, i.proof(), w.family(), w.now())
		w.ok(err)
		same(w, "burned", outcome, grant.NoSuchCode)
		same(w, "recorded", w.events()[string(audit.CodeBurned)], 1)
	}},
	{"without the gate's word no code is kept", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.unissued(s)
		same(w, "no permit", w.KeepCode(w.ctx, grant.Permit{}, i.code, nil, w.now()) != nil, true)
		wrong := Permit(w, grant.OpenSession, i.Authorization)
		same(w, "another permit", w.KeepCode(w.ctx, wrong, i.code, nil, w.now()) != nil, true)
		i.ID = ""
		same(w, "no id", w.keepCode(i) != nil, true)
		same(w, "kept", Counts(w, w.db)["grants"], 0)
	}},
}

// rotate takes a grant's family from a generation to the next.
func (w *world) rotate(i issued, gen int) (bool, error) {
	return w.Rotate(w.ctx, Permit(w, grant.Refresh, i.Authorization), gen, w.now().Add(24*time.Hour), w.now())
}

var grantPromises = []promise{
	{"a grant that is not there is a fault, whatever it is called", func(_ *testing.T, w *world) {
		for _, id := range []string{"", "gra_nobody", "\x00", "\xff"} {
			_, err := w.Grant(w.ctx, id, "")
			w.refuses(fault.NotFound, err)
		}
	}},
	{"a family goes from one generation to the next, and to no other", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		w.clock.Advance(time.Minute)
		for _, c := range []struct {
			gen  int
			want bool
		}{{0, false}, {2, false}, {1, true}, {1, false}, {2, true}, {4, false}} {
			got, err := w.rotate(i, c.gen)
			w.ok(err)
			same(w, fmt.Sprint("from ", c.gen), got, c.want)
		}
		k, err := w.Grant(w.ctx, i.ID, "")
		w.ok(err)
		same(w, "generation", k.Family.Generation, 3)
		w.sameTime("rotated", k.Family.RotatedAt, w.now())
		w.sameTime("idle until", k.Family.IdleUntil, w.now().Add(24*time.Hour))
	}},
	{"what has no family, or one that is over, does not rotate", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		unredeemed, bound, idle, revoked := w.issue(s, oauth.ScopeOffline), w.issue(s), w.issue(s, oauth.ScopeOffline), w.issue(s, oauth.ScopeOffline)
		w.redeem(bound)
		w.redeem(idle)
		w.redeem(revoked)
		w.ok(w.Revoke(w.ctx, revoked.ID, audit.RefreshReused, w.now()))
		w.ok(w.Revoke(w.ctx, revoked.ID, audit.RefreshReused, w.now()))
		same(w, "recorded", w.events()[string(audit.RefreshReused)], 1)
		for _, c := range []struct {
			i   issued
			gen int
		}{{unredeemed, 0}, {unredeemed, 1}, {bound, 0}, {bound, 1}, {revoked, 1}} {
			got, err := w.rotate(c.i, c.gen)
			w.ok(err)
			same(w, "rotated", got, false)
		}
		w.clock.Advance(24 * time.Hour)
		got, err := w.rotate(idle, 1)
		w.ok(err)
		same(w, "rotated when idle for too long", got, false)
		_, err = w.Rotate(w.ctx, grant.Permit{}, 1, w.now(), w.now())
		same(w, "refused without a permit", err != nil, true)
	}},
	{"of 30 who rotate at once exactly one does", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		for gen := range 3 {
			outcomes := counter[bool]{}
			w.atOnce(30, func(int) {
				got, err := w.rotate(i, gen+1)
				if err != nil {
					w.Error(err)
				}
				outcomes.add(got)
			})
			same(w, "rotated", outcomes.count[true], 1)
		}
	}},
	{"after a revocation nothing rotates, however close the race", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		for range 4 {
			i := w.issue(s, oauth.ScopeOffline)
			w.redeem(i)
			var ended atomic.Bool
			w.atOnce(2, func(n int) {
				if n == 0 {
					if err := w.Revoke(w.ctx, i.ID, audit.TokenRevoked, w.now()); err != nil {
						w.Error(err)
					}
					ended.Store(true)
					return
				}
				for gen := 1; gen < 50; gen++ {
					over := ended.Load()
					got, err := w.rotate(i, gen)
					if err != nil {
						w.Error(err)
					}
					if over && got {
						w.Error("rotated after the revocation had returned")
					}
					if !got {
						return
					}
				}
			})
			same(w, "revoked", w.revoked(i.ID), true)
		}
	}},
	{"revoking what is not there changes nothing", func(_ *testing.T, w *world) {
		before := w.dump()
		w.ok(w.Revoke(w.ctx, "gra_nobody", audit.TokenRevoked, w.now()))
		same(w, "unchanged", w.dump() == before, true)
	}},
	{"one access token is revoked by itself, until it would expire", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.issue(s)
		w.ok(w.RevokeToken(w.ctx, "tok_1", w.now().Add(10*time.Minute), w.now()))
		w.ok(w.RevokeToken(w.ctx, "tok_1", w.now().Add(10*time.Minute), w.now()))
		w.ok(w.RevokeToken(w.ctx, "tok_2", w.now(), w.now()))
		for token, want := range map[string]bool{"tok_1": true, "tok_2": false, "": false} {
			revoked, err := w.TokenRevoked(w.ctx, token)
			w.ok(err)
			same(w, token, revoked, want)
			k, err := w.Grant(w.ctx, i.ID, token)
			w.ok(err)
			same(w, token+" with its grant", k.TokenRevoked, want)
			same(w, "the grant itself", k.RevokedAt.IsZero(), true)
		}
		same(w, "recorded", w.events()[string(audit.TokenRevoked)], 1)
	}},
	{"consent grows, and nobody's tab is forgotten", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		w.ok(w.KeepConsent(w.ctx, s.UserID, app, oauth.Scopes{"openid"}, w.now()))
		w.atOnce(8, func(n int) {
			if err := w.KeepConsent(w.ctx, s.UserID, app, oauth.Scopes{"openid", fmt.Sprint("scope", n)}, w.now()); err != nil {
				w.Error(err)
			}
		})
		k, err := w.SessionByCookie(w.ctx, o.Session.Cookie, app)
		w.ok(err)
		same(w, "scopes", sorted(k.Consent).String(), "openid scope0 scope1 scope2 scope3 scope4 scope5 scope6 scope7")
	}},
	{"revoking consent forgets it and revokes what rests on it", func(_ *testing.T, w *world) {
		o, s := w.login("zoe")
		w.ok(w.KeepConsent(w.ctx, s.UserID, app, oauth.Scopes{"openid"}, w.now()))
		w.ok(w.KeepConsent(w.ctx, s.UserID, "another", oauth.Scopes{"openid"}, w.now()))
		i := w.issue(s, oauth.ScopeOffline)
		other := w.unissued(s)
		other.ClientID = "another"
		w.ok(w.keepCode(other))
		w.ok(w.RevokeConsent(w.ctx, s.UserID, app, w.now()))
		w.ok(w.RevokeConsent(w.ctx, s.UserID, app, w.now()))
		k, err := w.SessionByCookie(w.ctx, o.Session.Cookie, app)
		w.ok(err)
		same(w, "forgotten", k.Consent == nil, true)
		same(w, "grant", w.revoked(i.ID), true)
		same(w, "another client's grant", w.revoked(other.ID), false)
		same(w, "recorded", w.events()[string(audit.ConsentRevoked)], 1)
	}},
}
