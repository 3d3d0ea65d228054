package storetest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/seal"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/key"
	"dex/internal/domain/session"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

var keyPromises = []promise{
	{"the ring lives on the store, from the first key to the removal of one", func(_ *testing.T, w *world) {
		timing := key.DefaultTiming
		timing.LongestJWT = 36 * time.Hour // so that each part of a key's life has a day of its own
		ring := &key.Ring{Store: w.Tenant, Clock: w.clock, Timing: timing}
		algs := []jose.Algorithm{jose.ES256, jose.EdDSA}
		for day := range 80 {
			for {
				turned, err := ring.Turn(w.ctx, algs)
				w.ok(err)
				if !turned {
					break
				}
			}
			w.ok(ring.Refresh(w.ctx))
			for _, alg := range algs {
				_, err := ring.Sign(alg, "JWT", map[string]int{"day": day})
				w.ok(err)
			}
			w.clock.Advance(24 * time.Hour)
		}
		events := w.events()
		for _, what := range []audit.Kind{audit.KeyCreated, audit.KeyDestroyed, audit.KeyRemoved} {
			same(w, string(what)+" happened and is recorded", events[string(what)] > 1, true)
		}
	}},
	{"keys come back by algorithm and age, with their private halves", func(_ *testing.T, w *world) {
		want := []key.Key{w.key(jose.ES256, 0), w.key(jose.EdDSA, 0)}
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{want[1], want[0]}}, w.now()))
		got, err := w.SigningKeys(w.ctx)
		w.ok(err)
		alike(w, "keys", got, want)
	}},
	{"a key that others know is gone at once, and its successor signs", func(_ *testing.T, w *world) {
		ring := &key.Ring{Store: w.Tenant, Clock: w.clock, Timing: key.DefaultTiming}
		algs := []jose.Algorithm{jose.ES256}
		_, err := ring.Turn(w.ctx, algs)
		w.ok(err)
		lose := func(id string) []key.Key {
			all, err := w.SigningKeys(w.ctx)
			w.ok(err)
			plan, err := key.Compromise(all, id, w.now())
			w.ok(err)
			w.ok(key.Generate(plan.Create))
			w.ok(w.CompromiseKey(w.ctx, plan, w.by()))
			w.refuses(fault.Conflict, w.CompromiseKey(w.ctx, plan, w.by()))
			w.ok(ring.Refresh(w.ctx))
			all, err = w.SigningKeys(w.ctx)
			w.ok(err)
			for _, k := range all {
				same(w, "the private half of "+k.ID+" is left", k.Private != nil, k.ID != id)
			}
			same(w, "known to verifiers", len(ring.Find(id, jose.ES256)), 0)
			_, err = ring.Sign(jose.ES256, "JWT", map[string]int{})
			w.ok(err)
			return all
		}
		all, err := w.SigningKeys(w.ctx)
		w.ok(err)
		lose(all[0].ID) // nothing was announced, so that a new one is made
		w.clock.Advance(time.Minute)
		for turned := true; turned; {
			turned, err = ring.Turn(w.ctx, algs)
			w.ok(err)
		}
		all, err = w.SigningKeys(w.ctx)
		w.ok(err)
		same(w, "keys", len(all), 1)
		c, err := key.Rotate(all, algs, ring.Timing, w.now())
		w.ok(err)
		w.ok(key.Generate(c.Create))
		w.ok(w.RotateKeys(w.ctx, c, w.by()))
		lose(c.Create[0].ID) // the one that signs goes on, and gets another successor
		for turned := true; turned; {
			turned, err = ring.Turn(w.ctx, algs)
			w.ok(err)
		}
		all, err = w.SigningKeys(w.ctx)
		w.ok(err)
		same(w, "its end", all[0].SignUntil.IsZero(), true)
		c, err = key.Rotate(all, algs, ring.Timing, w.now())
		w.ok(err)
		w.ok(key.Generate(c.Create))
		w.ok(w.RotateKeys(w.ctx, c, w.by()))
		lose(all[0].ID) // the announced one signs at once
		same(w, "recorded", w.events()[string(audit.KeyCompromised)], 3)
		same(w, "rotations recorded", w.events()[string(audit.KeyRotated)], 2)
	}},
	{"of many workers that make the first key one does", func(_ *testing.T, w *world) {
		outcomes := counter[bool]{}
		w.atOnce(8, func(int) {
			err := w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{w.key(jose.EdDSA, 0)}}, w.now())
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "made", outcomes.count[true], 1)
	}},
	{"a plan that is out of date changes nothing", func(_ *testing.T, w *world) {
		first := w.key(jose.EdDSA, 0)
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{first}}, w.now()))
		next := w.key(jose.EdDSA, time.Hour)
		turn := key.Changes{
			Create: []key.Key{next},
			Retire: []key.Retire{{ID: first.ID, SignUntil: next.SignFrom, UnpublishAt: next.SignFrom.Add(time.Hour)}},
		}
		w.ok(w.ApplyKeys(w.ctx, turn, w.now()))
		turn.Create[0] = w.key(jose.EdDSA, 2*time.Hour)
		before := w.dump()
		w.refuses(fault.Conflict, w.ApplyKeys(w.ctx, turn, w.now()))
		w.refuses(fault.Conflict, w.ApplyKeys(w.ctx, key.Changes{Remove: []string{first.ID}}, w.now()))
		w.refuses(fault.Conflict, w.ApplyKeys(w.ctx, key.Changes{Destroy: []string{next.ID}}, w.now()))
		same(w, "unchanged", w.dump() == before, true)
	}},
	{"a destroyed key verifies, and signs no more", func(_ *testing.T, w *world) {
		k := w.key(jose.EdDSA, 0)
		k.SignUntil, k.UnpublishAt = w.now().Add(time.Hour), w.now().Add(2*time.Hour)
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{k}}, w.now()))
		w.clock.Advance(time.Hour)
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Destroy: []string{k.ID}}, w.now()))
		got, err := w.SigningKeys(w.ctx)
		w.ok(err)
		k.Private = nil
		alike(w, "keys", got, []key.Key{k})
		w.clock.Advance(time.Hour)
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Remove: []string{k.ID}}, w.now()))
		got, err = w.SigningKeys(w.ctx)
		w.ok(err)
		same(w, "left", len(got), 0)
	}},
}

// key returns a fresh key that signs after a while.
func (w *world) key(alg jose.Algorithm, after time.Duration) key.Key {
	private, err := jose.GenerateKey(alg)
	if err != nil {
		w.Fatal(err)
	}
	id, err := jose.Thumbprint(private.Public())
	if err != nil {
		w.Fatal(err)
	}
	return key.Key{ID: id, Alg: alg, PublishAt: w.now(), SignFrom: w.now().Add(after), Public: private.Public(), Private: private}
}

var auditPromises = []promise{
	{"an event is kept with all that it says", func(_ *testing.T, w *world) {
		e := audit.Event{
			At: w.now(), Kind: audit.LoginRefused, Actor: "somebody", UserID: "u", ClientID: "c", ConnectorID: "k", SessionID: "s",
			GrantID: "g", SupportCode: "code", RemoteAddr: "192.0.2.1", Detail: map[string]string{"why": "because\x00\xff"},
		}
		w.ok(w.Record(w.ctx, e))
		row := tableRows(w, w.db, "audit_events")[0]
		same(w, "row", strings.Join([]string{
			row["kind"], row["actor"], row["user_id"], row["client_id"], row["connector_id"], row["session_id"], row["grant_id"],
			row["support_code"], row["remote_addr"], row["detail"],
		}, " "), "auth.login.refused somebody u c k s g code 192.0.2.1 {\"why\":\"because\uFFFD\"}")
		same(w, "has an id", strings.HasPrefix(row["id"], "evt_"), true)
	}},
	{"a trace is what was kept of an attempt, as it was written, whatever the clocks of two workers say", func(_ *testing.T, w *world) {
		start := w.now()
		w.ok(w.KeepTrace(w.ctx, "K7QX-9WDM-3T", start, []audit.Step{{At: 5, What: "request", Said: "checked"}, {At: 900, What: "account"}}))
		w.ok(w.KeepTrace(w.ctx, "K7QX-9WDM-3T", start, []audit.Step{{At: 400, What: "connector", Said: "said \"no\"\nand more\x00"}}))
		w.ok(w.KeepTrace(w.ctx, "K7QX-9WDM-3T", start, nil))
		tr, err := w.Trace(w.ctx, "K7QX-9WDM-3T")
		w.ok(err)
		alike(w, "trace", tr, audit.Trace{SupportCode: "K7QX-9WDM-3T", StartedAt: start, Steps: []audit.Step{
			{At: 5, What: "request", Said: "checked"}, {At: 900, What: "account"}, {At: 400, What: "connector", Said: "said \"no\"\nand more"},
		}})
	}},
	{"a trace tells what became of its grants", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		_, err := w.rotate(i, 1)
		w.ok(err)
		w.ok(w.Revoke(w.ctx, i.ID, audit.RefreshReused, w.now()))
		tr, err := w.Trace(w.ctx, i.SupportCode)
		w.ok(err)
		alike(w, "trace", tr, audit.Trace{
			SupportCode: i.SupportCode, StartedAt: w.now().Add(-time.Second), Steps: []audit.Step{{At: 10, What: "code", Said: "issued"}},
			Grants: []audit.GrantStory{{
				ID: i.ID, ClientID: app, UserID: s.UserID, Scopes: "openid offline_access", IssuedAt: w.now(), RedeemedAt: w.now(),
				Generation: 1, RotatedAt: w.now(), RevokedAt: w.now(), Reason: string(audit.RefreshReused),
			}},
		})
	}},
	{"nothing is known of a code that was never given out", func(_ *testing.T, w *world) {
		for _, code := range []string{"", "AAAA-BBBB-CC", "\x00", "\xff"} {
			_, err := w.Trace(w.ctx, code)
			w.refuses(fault.NotFound, err)
		}
	}},
	{"a trace stops growing", func(_ *testing.T, w *world) {
		many := make([]audit.Step, 1000)
		for i := range many {
			many[i] = audit.Step{What: "request", Said: strings.Repeat("x", 10_000)}
		}
		for range 5 {
			w.ok(w.KeepTrace(w.ctx, "K7QX-9WDM-3T", w.now(), many))
		}
		row := tableRows(w, w.db, "traces")[0]
		if n := len(row["steps"]); n > 16<<10 {
			w.Errorf("%d bytes", n)
		}
	}},
}

var dutyPromises = []promise{
	{"one holds a turn until it is over, and may keep it", func(_ *testing.T, w *world) {
		for _, c := range []struct {
			name, holder string
			after        time.Duration
			want         bool
		}{
			{"the first takes it", "a", 0, true}, {"the second does not", "b", time.Second, false},
			{"the first keeps it", "a", time.Second, true}, {"the second still does not", "b", 59 * time.Second, false},
			{"when it is over the second takes it", "b", time.Second, true}, {"the first has lost it", "a", 0, false},
		} {
			w.clock.Advance(c.after)
			got, err := w.db.TakeTurn(w.ctx, "keys", c.holder, w.now().Add(time.Minute), w.now())
			w.ok(err)
			same(w, c.name, got, c.want)
		}
		got, err := w.db.TakeTurn(w.ctx, "another duty", "a", w.now().Add(time.Minute), w.now())
		w.ok(err)
		same(w, "another duty", got, true)
	}},
	{"of many who want a turn at once one gets it", func(_ *testing.T, w *world) {
		outcomes := counter[bool]{}
		w.atOnce(16, func(i int) {
			got, err := w.db.TakeTurn(w.ctx, "keys", fmt.Sprint(i), w.now().Add(time.Minute), w.now())
			if err != nil {
				w.Error(err)
			}
			outcomes.add(got)
		})
		same(w, "got it", outcomes.count[true], 1)
	}},
	{"what counts no more is cleared away, and nothing else", clearsAway},
	{"clearing away takes a batch at a time", func(_ *testing.T, w *world) {
		for i := range 25 {
			w.ok(w.RevokeToken(w.ctx, fmt.Sprint("tok_", i), w.now().Add(time.Minute), w.now()))
		}
		w.clock.Advance(time.Minute)
		for _, want := range []int{10, 10, 5, 0} {
			deleted, err := w.db.ClearAway(w.ctx, w.now(), 10)
			w.ok(err)
			same(w, "deleted", deleted["revoked_tokens"], want)
		}
	}},
	{"clearing away asks nothing more for having more tenants", func(_ *testing.T, w *world) {
		asked := func() int64 {
			before := w.db.Work().Statements
			_, err := w.db.ClearAway(w.ctx, w.now(), 10)
			w.ok(err)
			return w.db.Work().Statements - before
		}
		one := asked()
		for i := range 20 {
			_, err := w.db.EnsureTenant(w.ctx, fmt.Sprint("tenant-", i), fmt.Sprintf("https://%d.example", i))
			w.ok(err)
		}
		same(w, "statements", asked(), one)
	}},
	{"of traces only so many are kept, the newest", func(_ *testing.T, w *world) {
		db := w.another(WithMaxTraces(3))
		tn := Tenant(w, db)
		for i := range 8 {
			w.ok(tn.KeepTrace(w.ctx, fmt.Sprint("code", i), w.now().Add(time.Duration(i)*time.Second), []audit.Step{{What: "request"}}))
		}
		deleted, err := db.ClearAway(w.ctx, w.now(), 100)
		w.ok(err)
		same(w, "deleted", deleted["traces"], 5)
		for i := range 8 {
			_, err := tn.Trace(w.ctx, fmt.Sprint("code", i))
			same(w, fmt.Sprint("trace ", i, " kept"), err == nil, i >= 5)
		}
	}},
}

func clearsAway(_ *testing.T, w *world) {
	fill := func(name string) (session.Session, issued, issued) {
		_, s := w.login(name)
		offline := w.issue(s, oauth.ScopeOffline)
		w.redeem(offline)
		w.ok(w.RecordFailure(w.ctx, []credential.Bucket{bucket(name, credential.Account)}, w.now()))
		w.ok(w.RevokeToken(w.ctx, "tok_"+name, w.now().Add(time.Minute), w.now()))
		w.ok(w.ConsumeAssertion(w.ctx, app, secret.Value(name).Hash(), w.now().Add(time.Minute), w.now()))
		w.ok(w.KeepTrace(w.ctx, "trace-"+name, w.now(), []audit.Step{{What: "request"}}))
		return s, w.issue(s), offline
	}
	_, old, offline := fill("old")
	w.clock.Advance(8 * 24 * time.Hour)
	s, code, _ := fill("new")
	deleted, err := w.db.ClearAway(w.ctx, w.now(), 1000)
	w.ok(err)
	alike(w, "deleted", deleted, map[string]int{
		"grants": 1, "sessions": 1, "throttles": 1, "revoked_tokens": 1, "used_assertions": 1, "traces": 1,
	})
	_, err = w.Grant(w.ctx, old.ID, "")
	w.refuses(fault.NotFound, err)
	same(w, "a family lives on", w.revoked(offline.ID), false)
	same(w, "a code on its way lives on", w.revoked(code.ID), false)
	all, err := w.SessionsOf(w.ctx, s.UserID)
	w.ok(err)
	same(w, "a session lives on", len(all), 1)
	revoked, err := w.TokenRevoked(w.ctx, "tok_new")
	w.ok(err)
	same(w, "a revocation lives on", revoked, true)
	same(w, "failures live on", w.throttles(bucket("new", credential.Account))[0].Failures, 1)
	w.clock.Advance(32 * 24 * time.Hour)
	deleted, err = w.db.ClearAway(w.ctx, w.now(), 1000)
	w.ok(err)
	same(w, "grants at the end", deleted["grants"], 3)
}

var secrecyPromises = []promise{
	{"a copy of the database holds no secret", func(_ *testing.T, w *world) {
		d := basic("1")
		w.declare(d)
		o, s := w.login("zoe")
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		k := w.key(jose.ES256, 0)
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{k}}, w.now()))
		der, err := jose.MarshalPrivate(k.Private)
		w.ok(err)
		clientHash := d.Clients[0].Secrets[0]
		dump := Dump(w, w.db)
		same(w, "the dump shows something", strings.Contains(dump, s.ID), true)
		for name, value := range map[string][]byte{
			"code": []byte(i.secret), "connector secret": []byte("a-secret-of-the-connector"), "upstream token": o.Identity.Data,
			"upstream session": o.Session.Upstream, "signing key": der, "refresh key": w.RefreshKey(), "client secret": []byte("dxk_app"),
			"hash of the client secret": clientHash[:],
		} {
			for _, shown := range []string{
				string(value), hex.EncodeToString(value), base64.StdEncoding.EncodeToString(value), base64.RawURLEncoding.EncodeToString(value),
			} {
				if strings.Contains(dump, shown) {
					w.Errorf("the %s is in the dump, as %.20q", name, shown)
				}
			}
		}
	}},
	{"what is sealed opens in its own row alone", func(_ *testing.T, w *world) {
		w.login("zoe")
		w.login("yan")
		_, err := store.Raw(w.db).ExecContext(w.ctx, `
			UPDATE identities SET data = (SELECT o.data FROM identities o WHERE o.subject <> identities.subject)`)
		w.ok(err)
		_, _, err = w.ByIdentity(w.ctx, upstream, "zoe")
		same(w, "refused", strings.Contains(fmt.Sprint(err), seal.ErrTampered.Error()), true)
	}},
	{"a key secret that is replaced still opens, and one that is missing is named", func(_ *testing.T, w *world) {
		if URL(w, w.db) == "sqlite::memory:" {
			return // nobody else can open it
		}
		old, next := seal.NewSecret(), seal.NewSecret()
		ring := func(secrets ...seal.Secret) Option {
			r, err := seal.NewRing(secrets...)
			w.ok(err)
			return WithKeys(r)
		}
		db := w.another(ring(old))
		Tenant(w, db)
		_, err := Again(w, db, ring(next, old)).Tenant(w.ctx, w.ID())
		w.ok(err)
		_, err = Again(w, db, ring(next)).Tenant(w.ctx, w.ID())
		same(w, "refused by name", strings.Contains(fmt.Sprint(err), old.ID()), true)
	}},
}

var budgetPromises = []promise{
	{"the hot path keeps to its statements and commits", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		o, s := w.loginAnn()
		i := w.unissued(s, oauth.ScopeOffline)
		for _, c := range []struct {
			name string
			want store.Work
			do   func() error
		}{
			{"candidate", store.Work{Statements: 1}, func() error {
				_, err := w.Candidate(w.ctx, "ann", []credential.Bucket{bucket("a", credential.Account)})
				return err
			}},
			{"open a session for somebody known", store.Work{Statements: 2, Commits: 1}, func() error {
				known := w.again(o, session.Session{})
				known.Identity = o.Identity
				_, err := w.keep(known)
				return err
			}},
			{"session", store.Work{Statements: 1}, func() error {
				_, err := w.SessionByCookie(w.ctx, o.Session.Cookie, app)
				return err
			}},
			{"keep a code", store.Work{Statements: 1, Commits: 1}, func() error { return w.keepCode(i) }},
			{"redeem it", store.Work{Statements: 1, Commits: 1}, func() error {
				_, outcome, err := w.Redeem(w.ctx, i.proof(), w.family(), w.now())
				same(w, "outcome", outcome, grant.Redeemed)
				return err
			}},
			{"grant", store.Work{Statements: 1}, func() error { _, err := w.Grant(w.ctx, i.ID, "tok"); return err }},
			{"rotate", store.Work{Statements: 1, Commits: 1}, func() error { _, err := w.rotate(i, 1); return err }},
		} {
			before := w.db.Work()
			w.ok(c.do())
			after := w.db.Work()
			same(w, c.name, store.Work{Statements: after.Statements - before.Statements, Commits: after.Commits - before.Commits}, c.want)
		}
	}},
	{"a database of this schema is fit to work with", func(_ *testing.T, w *world) {
		w.ok(w.db.Ping(w.ctx))
		w.ok(w.db.Check(w.ctx))
		has, brings, err := w.db.SchemaVersion(w.ctx)
		w.ok(err)
		same(w, "version", has, brings)
		w.ok(w.db.Migrate(w.ctx))
	}},
	{"a database of a newer schema is, unless it says that it is not", func(_ *testing.T, w *world) {
		raw := store.Raw(w.db)
		_, err := raw.ExecContext(w.ctx, `INSERT INTO schema_migrations (version_id, is_applied) VALUES (9000, TRUE)`)
		w.ok(err)
		w.ok(w.db.Check(w.ctx))
		w.ok(w.db.Migrate(w.ctx))
		_, err = raw.ExecContext(w.ctx, `UPDATE compatibility SET oldest = 8000`)
		w.ok(err)
		w.refuses(fault.Conflict, w.db.Check(w.ctx))
	}},
	{"a cancelled context stays one", func(_ *testing.T, w *world) {
		ctx, cancel := contextThatIsOver(w)
		defer cancel()
		_, err := w.Tenant.Grant(ctx, "gra_1", "")
		same(w, "error", fmt.Sprint(err), "context canceled")
	}},
	{"the system's clock is the database's, where that has none of its own", func(_ *testing.T, w *world) {
		db := w.another(func(o *store.Options) { o.Clock = nil })
		if d := db.Clock().Now().Sub(clock.System{}.Now()).Abs(); d > time.Minute {
			w.Errorf("%v off", d)
		}
	}},
}
