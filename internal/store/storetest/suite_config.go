package storetest

import (
	"fmt"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

var tenantPromises = []promise{
	{"a tenant is created once and then found", func(_ *testing.T, w *world) {
		again, err := w.db.EnsureTenant(w.ctx, w.ID(), Issuer)
		w.ok(err)
		found, err := w.db.Tenant(w.ctx, w.ID())
		w.ok(err)
		same(w, "refresh key", string(again.RefreshKey()), string(found.RefreshKey()))
		same(w, "length of the refresh key", len(found.RefreshKey()), 32)
		_, err = w.db.Tenant(w.ctx, "another")
		w.refuses(fault.NotFound, err)
	}},
	{"many workers create it at once", func(_ *testing.T, w *world) {
		keys := counter[string]{}
		w.atOnce(8, func(int) {
			tn, err := w.db.EnsureTenant(w.ctx, "second", Issuer+"/second")
			if err != nil {
				w.Error(err)
				return
			}
			keys.add(string(tn.RefreshKey()))
		})
		same(w, "different refresh keys", len(keys.count), 1)
	}},
	{"another issuer is refused, and changed only on purpose", func(_ *testing.T, w *world) {
		_, err := w.db.EnsureTenant(w.ctx, w.ID(), "https://elsewhere.example")
		w.refuses(fault.Conflict, err)
		_, err = w.db.ChangeTenant(w.ctx, tenant.Registered{Tenant: tenant.Tenant{ID: w.ID(), Issuer: "https://elsewhere.example"}}, w.by())
		w.ok(err)
		_, err = w.db.EnsureTenant(w.ctx, w.ID(), "https://elsewhere.example")
		w.ok(err)
	}},
	{"issuers are unique", func(_ *testing.T, w *world) {
		_, err := w.db.EnsureTenant(w.ctx, "second", Issuer)
		w.refuses(fault.Conflict, err)
		_, err = w.db.EnsureTenant(w.ctx, "second", Issuer+"/second")
		w.ok(err)
		_, err = w.db.ChangeTenant(w.ctx, tenant.Registered{Tenant: tenant.Tenant{ID: "second", Issuer: Issuer}}, w.by())
		w.refuses(fault.Conflict, err)
	}},
	{"disabling, enabling and the epoch are seen at once", func(_ *testing.T, w *world) {
		w.ok(w.DisableTenant(w.ctx, w.by()))
		self, err := w.Self(w.ctx)
		w.ok(err)
		same(w, "disabled", self.Disabled, true)
		w.ok(w.EnableTenant(w.ctx, w.by()))
		w.ok(w.SetTenantNotBefore(w.ctx, w.now(), w.by()))
		self, err = w.Self(w.ctx)
		w.ok(err)
		same(w, "disabled", self.Disabled, false)
		w.sameTime("epoch", self.NotBefore, w.now())
	}},
	{"the epoch never goes back", func(_ *testing.T, w *world) {
		w.ok(w.SetTenantNotBefore(w.ctx, w.now(), w.by()))
		w.ok(w.SetTenantNotBefore(w.ctx, w.now().Add(-time.Hour), w.by()))
		self, err := w.Self(w.ctx)
		w.ok(err)
		w.sameTime("epoch", self.NotBefore, w.now())
	}},
	{"one tenant sees nothing of another", tenantsAreApart},
}

// tenantsAreApart fills a tenant, and asks another for each thing by its name.
func tenantsAreApart(_ *testing.T, w *world) {
	w.declare(basic("1"))
	o, s := w.login("zoe")
	i := w.issue(s, oauth.ScopeOffline)
	w.redeem(i)
	w.ok(w.KeepConsent(w.ctx, s.UserID, app, oauth.Scopes{"openid"}, w.now()))
	w.ok(w.RevokeToken(w.ctx, "tok_1", w.now().Add(time.Hour), w.now()))
	_, err := w.db.Tenant(w.ctx, w.ID())
	w.ok(err)
	other, err := w.db.EnsureTenant(w.ctx, "other", Issuer+"/other")
	w.ok(err)
	before := w.dump()

	_, err = other.Client(w.ctx, app)
	w.refuses(fault.NotFound, err)
	allows, err := other.AllowsOrigin(w.ctx, "https://app.example")
	w.ok(err)
	same(w, "origin", allows, false)
	connectors, err := other.Connectors(w.ctx)
	w.ok(err)
	same(w, "connectors", len(connectors), 0)
	_, _, err = other.ByIdentity(w.ctx, upstream, "zoe")
	w.refuses(fault.NotFound, err)
	_, err = other.ByVerifiedEmail(w.ctx, o.User.Email)
	w.refuses(fault.NotFound, err)
	candidate, err := other.Candidate(w.ctx, "ann", nil)
	w.ok(err)
	same(w, "candidate", candidate.User.ID, "")
	_, err = other.SessionByCookie(w.ctx, o.Session.Cookie, app)
	w.refuses(fault.NotFound, err)
	sessions, err := other.SessionsOf(w.ctx, s.UserID)
	w.ok(err)
	same(w, "sessions", len(sessions), 0)
	_, err = other.Grant(w.ctx, i.ID, "")
	w.refuses(fault.NotFound, err)
	_, outcome, err := other.Redeem(w.ctx, i.proof(), w.family(), w.now())
	w.ok(err)
	same(w, "outcome", outcome, 2)
	revoked, err := other.TokenRevoked(w.ctx, "tok_1")
	w.ok(err)
	same(w, "token revoked", revoked, false)
	_, err = other.Trace(w.ctx, i.SupportCode)
	w.refuses(fault.NotFound, err)
	keys, err := other.SigningKeys(w.ctx)
	w.ok(err)
	same(w, "keys", len(keys), 0)

	// Nor does what it does reach there.
	w.refuses(fault.NotFound, other.DisableUser(w.ctx, s.UserID, w.by()))
	w.refuses(fault.NotFound, other.EnableUser(w.ctx, s.UserID, w.by()))
	w.refuses(fault.NotFound, other.DisableClient(w.ctx, app, w.by()))
	w.refuses(fault.NotFound, other.DisableConnector(w.ctx, upstream, w.by()))
	w.refuses(fault.NotFound, other.SaveIdentity(w.ctx, o.Identity))
	_, err = other.EndSession(w.ctx, s.ID, time.Time{}, w.now())
	w.ok(err)
	w.ok(other.TouchSession(w.ctx, s.ID, w.now().Add(2*time.Hour)))
	w.ok(other.Revoke(w.ctx, i.ID, "test", w.now()))
	w.ok(other.RevokeConsent(w.ctx, s.UserID, app, w.now()))
	w.ok(other.Rehash(w.ctx, "usr_ann", "$argon2id$of-ann", "$argon2id$other"))
	claimed, err := other.ClaimRefresh(w.ctx, o.Identity, w.now().Add(time.Minute), w.now())
	w.ok(err)
	same(w, "claimed", claimed, false)
	same(w, "changed by another tenant", w.dump() == before, true)
}

// dump is what the database holds, in an order that can be compared.
func (w *world) dump() string {
	w.Helper()
	var all []string
	for _, table := range tables(w, w.db) {
		for _, row := range tableRows(w, w.db, table) {
			all = append(all, fmt.Sprint(table, row))
		}
	}
	return fmt.Sprint(sorted(all))
}

var clientPromises = []promise{
	{"a client comes back as it was declared", func(_ *testing.T, w *world) {
		c := fullClient(w)
		w.declare(store.Declared{Digest: "1", Clients: []client.Client{c}})
		for range 2 { // from the database, and from memory
			got, err := w.Client(w.ctx, c.ID)
			w.ok(err)
			c.NotBefore = w.now().Truncate(time.Second)
			alike(w, "client", got, c)
		}
	}},
	{"a client that is not there is a fault, whatever it is called", func(_ *testing.T, w *world) {
		for _, id := range []string{"", "nobody", "nul\x00", "\xff\xfe", "a' OR '1'='1"} {
			_, err := w.Client(w.ctx, id)
			w.refuses(fault.NotFound, err)
		}
	}},
	{"an assertion is used once, until it expires", func(_ *testing.T, w *world) {
		jti, expires := secret.Value("jti").Hash(), w.now().Add(time.Minute)
		w.ok(w.ConsumeAssertion(w.ctx, app, jti, expires, w.now()))
		w.refuses(fault.Conflict, w.ConsumeAssertion(w.ctx, app, jti, expires, w.now()))
		w.ok(w.ConsumeAssertion(w.ctx, "another", jti, expires, w.now()))
		w.clock.Advance(time.Minute)
		w.ok(w.ConsumeAssertion(w.ctx, app, jti, w.now().Add(time.Minute), w.now()))
	}},
	{"of many who use an assertion at once one does", func(_ *testing.T, w *world) {
		outcomes := counter[bool]{}
		w.atOnce(16, func(int) {
			err := w.ConsumeAssertion(w.ctx, app, secret.Value("jti").Hash(), w.now().Add(time.Minute), w.now())
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "accepted", outcomes.count[true], 1)
	}},
	{"an origin is allowed as long as an enabled client has it", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		for _, c := range []struct {
			origin string
			want   bool
		}{{"https://app.example", true}, {"https://evil.example", false}, {"", false}, {"\x00", false}} {
			for range 2 { // from the database, and from memory
				got, err := w.AllowsOrigin(w.ctx, c.origin)
				w.ok(err)
				same(w, c.origin, got, c.want)
			}
		}
		w.ok(w.DisableClient(w.ctx, app, w.by()))
		got, err := w.AllowsOrigin(w.ctx, "https://app.example")
		w.ok(err)
		same(w, "of a disabled client", got, false)
	}},
}

// fullClient is a client with a value in every field.
func fullClient(w *world) client.Client {
	c := appClient()
	private, _ := newKey(w)
	c.Keys = []jose.Key{{KID: "one", Alg: jose.ES256, Public: private.Public()}, {Public: private.Public()}}
	c.Secrets = append(c.Secrets, secret.Value("dxk_next").Hash())
	c.Public, c.Native, c.Trusted, c.RequirePKCE, c.ScopeClaims, c.Disabled = true, true, true, true, true, true
	c.PostLogoutRedirectURIs, c.TrustedPeers = []string{"https://app.example/bye"}, []string{"peer"}
	c.IDJAGAudiences = []client.IDJAGAudience{{Issuer: "https://chat.example", ClientID: "there", Scopes: oauth.Scopes{"chat"}}}
	c.Connectors, c.Groups, c.IDTokenAlg = []string{upstream}, []string{"staff"}, jose.EdDSA
	c.AccessTTL, c.IDTTL, c.RefreshGrace = time.Minute, 2*time.Minute, 3*time.Second
	c.PolicyURL, c.TermsURL = "https://app.example/policy", "https://app.example/terms"
	return c
}

var configurationPromises = []promise{
	{"a configuration is applied once, and then known by its digest", func(_ *testing.T, w *world) {
		changed, err := w.Apply(w.ctx, basic("1"), w.now())
		w.ok(err)
		same(w, "changed", changed, true)
		before, work := w.dump(), w.db.Work()
		changed, err = w.Apply(w.ctx, basic("1"), w.now())
		w.ok(err)
		same(w, "changed again", changed, false)
		same(w, "rows touched", w.dump() == before, true)
		same(w, "statements", w.db.Work().Statements-work.Statements, 1)
		for digest, want := range map[string]bool{"1": true, "2": false} {
			applied, err := w.Applied(w.ctx, digest)
			w.ok(err)
			same(w, "applied "+digest, applied, want)
		}
	}},
	{"another digest of the same things writes no row", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		before := w.versions()
		changed, err := w.Apply(w.ctx, basic("2"), w.now().Add(time.Hour))
		w.ok(err)
		same(w, "changed", changed, false)
		same(w, "versions", w.versions(), before)
	}},
	{"only what differs is written", func(_ *testing.T, w *world) {
		d := basic("1")
		d.Clients = append(d.Clients, client.Client{ID: "second", Name: "Second"})
		w.declare(d)
		d.Digest, d.Clients[1].Name = "2", "Renamed"
		w.clock.Advance(time.Hour)
		w.declare(d)
		same(w, "versions", w.versions(), "app:1 second:2 upstream:1 ")
		c, err := w.Client(w.ctx, "second")
		w.ok(err)
		same(w, "name", c.Name, "Renamed")
	}},
	{"connectors come in their order, with what is sealed", func(_ *testing.T, w *world) {
		d := store.Declared{Digest: "1", Connectors: []connector.Configured{
			{ID: "z", Kind: "local", Name: "Z"}, upstreamConnector(),
			{ID: "a", Kind: "ldap", Name: "A", Policy: user.Policy{CreateOnFirstLogin: true, AuthoritativeFor: []string{"example.com"}}},
		}}
		w.declare(d)
		for range 2 { // from the database, and from memory
			got, err := w.Connectors(w.ctx)
			w.ok(err)
			alike(w, "connectors", got, d.Connectors)
		}
	}},
	{"what is declared no more is disabled, and comes back when it is again", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		_, s := w.loginAnn()
		w.declare(store.Declared{Digest: "2"})
		same(w, "disabled", w.disabled(), "app upstream usr_ann ")
		_, err := w.SessionByCookie(w.ctx, s.Cookie, app)
		w.refuses(fault.NotFound, err)
		candidate, err := w.Candidate(w.ctx, "ann", nil)
		w.ok(err)
		same(w, "login name", candidate.User.ID, "")
		before, err := w.Account(w.ctx, "usr_ann")
		w.ok(err)
		w.declare(basic("3"))
		same(w, "disabled", w.disabled(), "")
		after, err := w.Account(w.ctx, "usr_ann")
		w.ok(err)
		same(w, "it is another version", after.Version > before.Version, true)
		candidate, err = w.Candidate(w.ctx, "ann", nil)
		w.ok(err)
		same(w, "login name", candidate.User.ID, "usr_ann")
	}},
	{"what an operator has disabled stays so", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		w.ok(w.DisableClient(w.ctx, app, w.by()))
		w.ok(w.DisableConnector(w.ctx, upstream, w.by()))
		w.ok(w.DisableUser(w.ctx, "usr_ann", w.by()))
		d := basic("2")
		d.Clients[0].Name, d.Connectors[0].Name, d.Users[0].User.Name = "Other", "Other", "Other"
		w.declare(d)
		same(w, "disabled", w.disabled(), "app upstream usr_ann ")
		w.ok(w.EnableClient(w.ctx, app, w.by()))
		w.ok(w.EnableConnector(w.ctx, upstream, w.by()))
		w.ok(w.EnableUser(w.ctx, "usr_ann", w.by()))
		same(w, "disabled", w.disabled(), "")
	}},
	{"what is declared disabled is", func(_ *testing.T, w *world) {
		d := basic("1")
		d.Clients[0].Disabled, d.Connectors[0].Disabled, d.Users[0].User.Disabled = true, true, true
		w.declare(d)
		same(w, "disabled", w.disabled(), "app upstream usr_ann ")
		w.declare(basic("2"))
		same(w, "disabled", w.disabled(), "")
		d.Digest = "3"
		w.declare(d)
		same(w, "disabled", w.disabled(), "app upstream usr_ann ")
	}},
	{"what others manage is not taken over, and nothing is done by half", func(_ *testing.T, w *world) {
		o, _ := w.login("zoe")
		d := basic("1")
		d.Users[0].User.ID = o.User.ID
		before := w.dump()
		_, err := w.Apply(w.ctx, d, w.now())
		w.refuses(fault.Conflict, err)
		same(w, "changed", w.dump() == before, true)
	}},
	{"a role is given and taken as it is declared", func(_ *testing.T, w *world) {
		d := basic("1")
		d.Users[0].User.Role = "admin"
		w.declare(d)
		candidate, err := w.Candidate(w.ctx, "ann", nil)
		w.ok(err)
		same(w, "role", candidate.User.Role, "admin")
		d.Digest, d.Users[0].User.Role = "2", ""
		w.declare(d)
		candidate, err = w.Candidate(w.ctx, "ann", nil)
		w.ok(err)
		same(w, "role", candidate.User.Role, "")
		same(w, "version", candidate.User.Version, 2)
	}},
	{"a login name moves from one account to another", func(_ *testing.T, w *world) {
		d := store.Declared{Digest: "1", Users: []store.DeclaredUser{declaredUser("ann"), declaredUser("bob")}}
		w.declare(d)
		d.Digest, d.Users[0].LoginNames, d.Users[1].LoginNames = "2", []string{"a"}, []string{"ann", "bob"}
		w.declare(d)
		candidate, err := w.Candidate(w.ctx, "ann", nil)
		w.ok(err)
		same(w, "owner", candidate.User.ID, "usr_bob")
		same(w, "names", fmt.Sprint(candidate.Names), "[ann bob]")
	}},
	{"a login name for two accounts is refused", func(_ *testing.T, w *world) {
		d := store.Declared{Digest: "1", Users: []store.DeclaredUser{declaredUser("ann"), declaredUser("bob")}}
		d.Users[1].LoginNames = []string{"ann"}
		_, err := w.Apply(w.ctx, d, w.now())
		w.refuses(fault.Invalid, err)
	}},
	{"a password that was hashed anew outlasts the declared one, until that changes", func(_ *testing.T, w *world) {
		d := basic("1")
		w.declare(d)
		w.ok(w.Rehash(w.ctx, "usr_ann", "$argon2id$of-ann", "$argon2id$stronger"))
		d.Digest, d.Users[0].User.Name = "2", "Ann"
		w.declare(d)
		same(w, "hash", w.hash("ann"), "$argon2id$stronger")
		d.Digest, d.Users[0].PasswordHash = "3", "$argon2id$new"
		w.declare(d)
		same(w, "hash", w.hash("ann"), "$argon2id$new")
		d.Digest, d.Users[0].PasswordHash = "4", ""
		w.declare(d)
		same(w, "hash", w.hash("ann"), "")
	}},
	{"many users take a few statements", func(_ *testing.T, w *world) {
		d := store.Declared{Digest: "1"}
		for i := range 600 {
			d.Users = append(d.Users, declaredUser(fmt.Sprintf("user%d", i)))
		}
		work := w.db.Work()
		w.declare(d)
		if n := w.db.Work().Statements - work.Statements; n > 25 {
			w.Errorf("%d statements", n)
		}
		candidate, err := w.Candidate(w.ctx, "user599", nil)
		w.ok(err)
		same(w, "last one", candidate.User.ID, "usr_user599")
	}},
	{"of many workers that begin at once one applies", func(_ *testing.T, w *world) {
		outcomes := counter[bool]{}
		w.atOnce(6, func(int) {
			changed, err := w.Apply(w.ctx, basic("1"), w.now())
			if err != nil {
				w.Error(err)
			}
			outcomes.add(changed)
		})
		same(w, "applied", outcomes.count[true], 1)
		same(w, "recorded", w.events()["config.changed"], 1)
	}},
	{"a configuration without a digest is refused", func(_ *testing.T, w *world) {
		_, err := w.Apply(w.ctx, store.Declared{}, w.now())
		w.refuses(fault.Invalid, err)
	}},
}

func (w *world) hash(name string) string {
	w.Helper()
	c, err := w.Candidate(w.ctx, name, nil)
	w.ok(err)
	return c.Hash
}

// versions tells how often each row of the configuration was written.
func (w *world) versions() string {
	w.Helper()
	var all []string
	for _, table := range []string{"clients", "connectors"} {
		for _, row := range tableRows(w, w.db, table) {
			all = append(all, row["id"]+":"+row["version"]+" ")
		}
	}
	return join(all)
}

// disabled names everything that is.
func (w *world) disabled() string {
	w.Helper()
	var all []string
	for _, table := range []string{"clients", "connectors", "users"} {
		for _, row := range tableRows(w, w.db, table) {
			if row["disabled"] == "1" || row["disabled"] == "true" {
				all = append(all, row["id"]+" ")
			}
		}
	}
	return join(all)
}

func join(all []string) (one string) {
	for _, s := range sorted(all) {
		one += s
	}
	return one
}
