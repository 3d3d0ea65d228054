package storetest

import (
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/key"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

func newTenant(id string) tenant.Registered {
	return tenant.Registered{Tenant: tenant.Tenant{ID: id, Issuer: "https://" + id + ".example"}, Name: "The " + id}
}

func (w *world) registerTenant(id string) tenant.Registered {
	w.Helper()
	r, err := w.db.RegisterTenant(w.ctx, newTenant(id), w.by())
	w.ok(err)
	return r
}

var tenantRegistryPromises = []promise{
	{"a tenant that is registered comes back, and can be worked in", func(_ *testing.T, w *world) {
		made := w.registerTenant("acme")
		got, err := w.db.RegisteredTenant(w.ctx, "acme")
		w.ok(err)
		alike(w, "registered", got, made)
		tn, err := w.db.Tenant(w.ctx, "acme")
		w.ok(err)
		same(w, "length of the refresh key", len(tn.RefreshKey()), 32)
		e := w.eventOf(audit.TenantCreated)
		same(w, "recorded in the default tenant", e["tenant_id"]+" "+e["detail"], `default {"issuer":"https://acme.example","tenant":"acme"}`)
	}},
	{"ids and issuers are well formed, and each another's", func(_ *testing.T, w *world) {
		w.registerTenant("acme")
		before := w.dump()
		for _, c := range []struct {
			id, issuer string
			kind       fault.Kind
		}{
			{"acme", "https://other.example", fault.Conflict}, {"other", "https://acme.example", fault.Conflict},
			{"", "https://other.example", fault.Invalid}, {"Other", "https://other.example", fault.Invalid},
			{"-other", "https://other.example", fault.Invalid}, {"a_cme", "https://other.example", fault.Invalid},
			{strings.Repeat("o", 64), "https://other.example", fault.Invalid}, {"other", "http://other.example", fault.Invalid},
			{"other", "https://other.example/", fault.Invalid}, {"other", "", fault.Invalid},
		} {
			_, err := w.db.RegisterTenant(w.ctx, tenant.Registered{Tenant: tenant.Tenant{ID: c.id, Issuer: c.issuer}}, w.by())
			w.refuses(c.kind, err)
		}
		same(w, "changed", w.dump() == before, true)
	}},
	{"tenants come page by page, and by what is looked for", func(_ *testing.T, w *world) {
		w.registerTenant("acme")
		w.registerTenant("beta")
		w.ok(w.db.SwitchTenant(w.ctx, "beta", true, w.by()))
		yes := true
		for _, c := range []struct {
			name, after string
			f           tenant.Filter
			limit       int
			want        string
		}{
			{"the first", "", tenant.Filter{}, 2, "acme beta "}, {"the next", "beta", tenant.Filter{}, 2, "default "},
			{"by the issuer", "", tenant.Filter{Text: "ACME.example"}, 9, "acme "}, {"the disabled", "", tenant.Filter{Disabled: &yes}, 9, "beta "},
		} {
			all, err := w.db.Tenants(w.ctx, c.f, c.after, c.limit)
			w.ok(err)
			names := ""
			for _, r := range all {
				names += r.ID + " "
			}
			same(w, c.name, names, c.want)
		}
	}},
	{"a change is told by the version that was read, and names what was", func(_ *testing.T, w *world) {
		made := w.registerTenant("acme")
		change := made
		change.Name, change.Issuer = "Acme", "https://login.acme.example"
		after, err := w.db.ChangeTenant(w.ctx, change, w.by())
		w.ok(err)
		got, err := w.db.RegisteredTenant(w.ctx, "acme")
		w.ok(err)
		alike(w, "after", got, after)
		tn, err := w.db.Tenant(w.ctx, "acme")
		w.ok(err)
		self, err := tn.Self(w.ctx)
		w.ok(err)
		same(w, "issuer", self.Issuer, "https://login.acme.example")
		_, err = w.db.ChangeTenant(w.ctx, change, w.by())
		w.refuses(fault.Conflict, err)
		before := w.dump()
		again, err := w.db.ChangeTenant(w.ctx, after, w.by())
		w.ok(err)
		alike(w, "again", again, after)
		same(w, "changed", w.dump() == before, true)
		change.Issuer = "nonsense"
		_, err = w.db.ChangeTenant(w.ctx, change, w.by())
		w.refuses(fault.Invalid, err)
		_, err = w.db.ChangeTenant(w.ctx, newTenant("nobody"), w.by())
		w.refuses(fault.NotFound, err)
		same(w, "detail", w.eventOf(audit.TenantChanged)["detail"],
			`{"issuer":"https://login.acme.example","issuer_before":"https://acme.example","name":"Acme","tenant":"acme"}`)
	}},
	{"the default tenant can be neither disabled nor deleted", func(_ *testing.T, w *world) {
		w.refuses(fault.Conflict, w.db.SwitchTenant(w.ctx, tenant.Default, true, w.by()))
		w.refuses(fault.Conflict, w.db.DeleteTenant(w.ctx, tenant.Default, 0, w.by()))
	}},
	{"a tenant that is switched off is, until it is switched on", func(_ *testing.T, w *world) {
		w.registerTenant("acme")
		tn, err := w.db.Tenant(w.ctx, "acme")
		w.ok(err)
		for _, disabled := range []bool{true, false} {
			w.ok(w.db.SwitchTenant(w.ctx, "acme", disabled, w.by()))
			self, err := tn.Self(w.ctx)
			w.ok(err)
			same(w, "disabled", self.Disabled, disabled)
		}
		w.refuses(fault.NotFound, w.db.SwitchTenant(w.ctx, "nobody", true, w.by()))
	}},
	{"a tenant that is deleted is gone at once, cleared away by and by, and never comes back", tenantGoes},
}

func tenantGoes(_ *testing.T, w *world) {
	made := w.registerTenant("acme")
	tn, err := w.db.Tenant(w.ctx, "acme")
	w.ok(err)
	here := *w
	here.Tenant = tn
	fillTenant(&here)
	w.refuses(fault.Conflict, w.db.DeleteTenant(w.ctx, "acme", made.Version, w.by())) // it has changed since
	before := tableRowsOf(w, "default")
	w.ok(w.db.DeleteTenant(w.ctx, "acme", 0, w.by()))
	self, err := tn.Self(w.ctx)
	w.ok(err)
	same(w, "disabled", self.Disabled, true)
	_, err = w.db.RegisteredTenant(w.ctx, "acme")
	w.refuses(fault.NotFound, err)
	w.refuses(fault.NotFound, w.db.SwitchTenant(w.ctx, "acme", false, w.by()))
	w.refuses(fault.NotFound, w.db.DeleteTenant(w.ctx, "acme", 0, w.by()))
	for range 20 {
		_, err := w.db.ClearAway(w.ctx, w.now(), 1)
		w.ok(err)
	}
	left := tableRowsOf(w, "acme")
	delete(left, "audit_events")
	alike(w, "left of it", left, map[string]int{})
	after := tableRowsOf(w, "default")
	after["audit_events"] = before["audit_events"]
	alike(w, "left of the others", after, before)
	_, err = w.db.Tenant(w.ctx, "acme")
	w.refuses(fault.NotFound, err)
	_, err = w.db.RegisterTenant(w.ctx, newTenant("acme"), w.by())
	w.refuses(fault.Conflict, err)
	_, err = w.db.EnsureTenant(w.ctx, "acme", Issuer+"/acme")
	w.refuses(fault.Conflict, err)
	again := newTenant("acme2")
	again.Issuer = made.Issuer
	_, err = w.db.RegisterTenant(w.ctx, again, w.by())
	w.ok(err)
}

// fillTenant leaves something in every table that a tenant may have something in.
func fillTenant(w *world) {
	w.Helper()
	w.declare(basic("1"))
	r, _ := w.registration("grafana")
	_, err := w.RegisterClient(w.ctx, r, w.with(w.receipt("key", "request", "answer")))
	w.ok(err)
	_, s := w.login("zoe")
	w.redeem(w.issue(s, oauth.ScopeOffline))
	w.ok(w.KeepConsent(w.ctx, s.UserID, app, oauth.Scopes{"openid"}, w.now()))
	w.ok(w.RecordFailure(w.ctx, []credential.Bucket{bucket("zoe", credential.Account)}, w.now()))
	w.ok(w.RevokeToken(w.ctx, "tok_1", w.now().Add(time.Hour), w.now()))
	w.ok(w.ConsumeAssertion(w.ctx, app, [32]byte{1}, w.now().Add(time.Hour), w.now()))
	w.ok(w.KeepTrace(w.ctx, "trace", w.now(), []audit.Step{{What: "request"}}))
	w.ok(w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{w.key(jose.ES256, 0)}}, w.now()))
	for _, row := range []string{
		`INSERT INTO user_groups (tenant_id, id, created_at, updated_at) SELECT id, 'staff', created_at, created_at FROM tenants WHERE id = 'acme'`,
		`INSERT INTO outbox (tenant_id, id, kind, body, created_at, next_at) SELECT id, 'out_1', 'mail', refresh_key, created_at, created_at FROM tenants WHERE id = 'acme'`,
	} {
		_, err := store.Raw(w.db).ExecContext(w.ctx, row)
		w.ok(err)
	}
}

// tableRowsOf counts what a tenant has in each table that has something of it.
func tableRowsOf(w *world, id string) map[string]int {
	w.Helper()
	count := map[string]int{}
	for _, table := range tables(w, w.db) {
		for _, row := range tableRows(w, w.db, table) {
			if row["tenant_id"] == id {
				count[table]++
			}
		}
	}
	return count
}
