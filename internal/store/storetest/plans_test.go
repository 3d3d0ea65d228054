package storetest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

// TestEveryStatementGoesByAnIndex fills the tables, and asks Postgres how it finds
// what the store asks for, of each statement that it was just asked. What it reads
// whole, or finds by nothing but the tenant, costs more the more there is.
func TestEveryStatementGoesByAnIndex(t *testing.T) {
	w := newWorld(t, func(t testing.TB, options ...Option) *store.DB {
		return OpenPostgres(t, append(options, func(o *store.Options) { o.MaxOpen = 1 })...)
	})
	w.askEverything()
	raw := store.Raw(w.db) // the one connection, which remembers what it was asked
	for _, q := range append(fill(), `ANALYZE`, `SET plan_cache_mode = force_generic_plan`) {
		if _, err := raw.Exec(q); err != nil {
			t.Fatalf("%v\nin %s", err, q)
		}
	}
	asked := look(t, w.db, `
		SELECT name, statement, array_length(parameter_types, 1) AS parameters FROM pg_prepared_statements
		WHERE statement ~ '^\s*(SELECT|UPDATE|DELETE)' AND statement ~ 'tenant_id' AND parameter_types <> '{}'`)
	if len(asked) < 25 {
		t.Fatalf("only %d statements", len(asked))
	}
	for _, q := range asked {
		if ofTheFile.MatchString(q["statement"]) {
			continue
		}
		nulls := strings.TrimSuffix(strings.Repeat("NULL, ", number(t, q["parameters"])), ", ")
		for _, line := range look(t, w.db, fmt.Sprintf(`EXPLAIN EXECUTE %s(%s)`, q["name"], nulls)) {
			if wasteful.MatchString(line["QUERY PLAN"]) {
				t.Errorf("%s\nin%s", line["QUERY PLAN"], q["statement"])
			}
		}
	}
}

var (
	// wasteful is a line of a plan that reads a whole table, or a whole tenant.
	wasteful = regexp.MustCompile(`Seq Scan on (` + strings.Join(slices.Sorted(maps.Keys(keysOf)), "|") + `)\b|Index Cond: \(+[a-z_.0-9]*tenant_id = [^()]+\)+$`)
	// ofTheFile are the statements that compare all that a configuration declares,
	// and the one that counts traces.
	ofTheFile = regexp.MustCompile(`managed_by = |OFFSET`)
)

// keysOf says of each table that grows which columns tell its rows apart, and what
// stands in them in the nth.
var keysOf = map[string]map[string]string{
	"users":           {"id": id, "email_key": id},
	"identities":      {"subject": id, "user_id": id},
	"login_names":     {"name": id, "user_id": id},
	"passwords":       {"user_id": id},
	"sessions":        {"id": id, "user_id": id, "cookie": hash, "ends_at": later},
	"consents":        {"user_id": id},
	"grants":          {"id": id, "user_id": id, "session_id": id, "support_code": id, "code_hash": hash, "attempt": hash, "device_secret": hash, "purge_at": later},
	"throttles":       {"bucket": hash, "forget_at": later},
	"revoked_tokens":  {"token": id, "expires_at": later},
	"used_assertions": {"jti": hash, "expires_at": later},
	"traces":          {"support_code": id, "started_at": later, "expires_at": later},
	"user_words":      {"word": hash, "user_id": id},
	"group_members":   {"user_id": id},
	"user_groups":     {"id": id},
	"pushed_requests": {"hash": hash, "purge_at": later},
	"links":           {"hash": hash, "user_id": id, "expires_at": later},
	"clients":         {"id": id},
	"client_origins":  {"origin": id, "client_id": id},
}

const (
	id    = `'no ' || n`
	hash  = `'\x' || lpad(to_hex(n), 64, '0')`
	later = `now() + n * interval '1 minute'`
)

// fill returns what makes five thousand rows of the first one of each table.
func fill() []string {
	queries := []string{`SET session_replication_role = replica`} // nobody asks whom they belong to
	for table, keys := range keysOf {
		var own []string
		for column, value := range keys {
			own = append(own, fmt.Sprintf("'%s', %s", column, value))
		}
		queries = append(queries, fmt.Sprintf(`
			INSERT INTO %[1]s SELECT (jsonb_populate_record(one, jsonb_build_object(%[2]s))).*
			FROM (SELECT t AS one FROM %[1]s t LIMIT 1) first, generate_series(1, 5000) n`, table, strings.Join(own, ", ")))
	}
	return queries
}

func number(t *testing.T, s string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// askEverything does once what happens while people log in and out.
func (w *world) askEverything() {
	w.declare(basic("1"))
	o, s := w.login("zoe")
	i := w.issue(s, oauth.ScopeOffline)
	expires := w.now().Add(time.Minute)
	for _, do := range []func() error{
		func() error { _, err := w.Client(w.ctx, app); return err },
		func() error { _, err := w.Connectors(w.ctx); return err },
		func() error { _, err := w.AllowsOrigin(w.ctx, "https://app.example"); return err },
		func() error { _, _, err := w.ByIdentity(w.ctx, upstream, "zoe"); return err },
		func() error { _, err := w.ByVerifiedEmail(w.ctx, o.User.Email); return err },
		func() error { _, err := w.ClaimRefresh(w.ctx, o.Identity, w.now(), w.now()); return err },
		func() error { return w.SaveIdentity(w.ctx, o.Identity) },
		func() error { _, err := w.Candidate(w.ctx, "ann", nil); return err },
		func() error {
			return w.Forgive(w.ctx, []credential.Bucket{bucket("a", credential.Account)})
		},
		func() error { return w.Rehash(w.ctx, "usr_ann", "old", "new") },
		func() error { _, err := w.SessionByCookie(w.ctx, o.Session.Cookie, app); return err },
		func() error { _, err := w.SessionsOf(w.ctx, s.UserID); return err },
		func() error { _, err := w.Sessions(w.ctx, s.UserID, "", 10); return err },
		func() error { _, err := w.Grants(w.ctx, s.UserID, "", 10); return err },
		func() error { _, err := w.Consents(w.ctx, s.UserID, "", 10); return err },
		func() error { _, _, err := w.Events(w.ctx, audit.Filter{}, "", 10); return err },
		func() error { _, _, err := w.Events(w.ctx, audit.Filter{UserID: s.UserID}, "", 10); return err },
		func() error { return w.KeepPushed(w.ctx, w.pushed("one")) },
		func() error { _, err := w.Pushed(w.ctx, w.pushed("one").Hash, app); return err },
		func() error { return w.EndPushed(w.ctx, w.pushed("one").Hash, w.now()) },
		func() error { return w.TouchSession(w.ctx, s.ID, w.now().Add(2*time.Hour)) },
		func() error { _, err := w.keep(w.again(o, s)); return err },
		func() error { w.redeem(i); return nil },
		func() error { _, _, err := w.Redeem(w.ctx, i.proof(), w.family(), w.now()); return err },
		func() error { _, err := w.Grant(w.ctx, i.ID, "tok"); return err },
		func() error { _, err := w.Consent(w.ctx, s.UserID, app); return err },
		func() error {
			permit, o, by := w.vouched("vouched")
			return w.KeepGrant(w.ctx, permit, o, by, nil)
		},
		func() error {
			permit, o := w.shared("shared")
			return w.KeepGrant(w.ctx, permit, o, grant.Token{}, nil)
		},
		func() error { _, _, err := w.SharedLogin(w.ctx, w.sharing(s).Hash); return err },
		func() error {
			i := w.issue(s)
			w.redeem(i)
			next := grant.DeviceSecret{Hash: secret.Value("next").Hash(), Group: "apps", ExpiresAt: s.ExpiresAt}
			return w.KeepDeviceSecret(w.ctx, Permit(w, grant.RedeemCode, i.Authorization), next, secret.Value("none").Hash())
		},
		func() error { _, err := w.TokenRevoked(w.ctx, "tok"); return err },
		func() error { return w.Revoke(w.ctx, i.ID, audit.TokenRevoked, w.now()) },
		func() error { return w.RevokeConsent(w.ctx, s.UserID, app, w.now()) },
		func() error { _, err := w.Trace(w.ctx, i.SupportCode); return err },
		func() error { return w.WithdrawGrant(w.ctx, i.ID, w.by()) },
		func() error { return w.WithdrawGrants(w.ctx, s.UserID, w.by()) },
		func() error { return w.TerminateSession(w.ctx, s.ID, w.by()) },
		func() error { return w.TerminateSessions(w.ctx, s.UserID, w.by()) },
		func() error {
			_, err := w.EndEverywhere(w.ctx, s.UserID, s.ID, w.now().Add(time.Minute), w.now())
			return err
		},
		func() error { _, err := w.EndSession(w.ctx, s.ID, w.now().Add(time.Minute), w.now()); return err },
		func() error { return w.DisableUser(w.ctx, s.UserID, w.by()) },
		func() error { _, err := w.db.ClearAway(w.ctx, w.now(), 10); return err },
		func() error {
			_, s := w.login("yan")
			w.issue(s)
			return w.KeepConsent(w.ctx, s.UserID, app, nil, w.now())
		},
		func() error {
			return w.RecordFailure(w.ctx, []credential.Bucket{bucket("a", credential.Account)}, w.now())
		},
		func() error { return w.RevokeToken(w.ctx, "tok", expires, w.now()) },
		func() error { return w.ConsumeAssertion(w.ctx, app, secret.Value("jti").Hash(), expires, w.now()) },
		func() error { return w.KeepTrace(w.ctx, "trace", w.now(), []audit.Step{{What: "request"}}) },
		func() error {
			_, _, err := w.Redeem(w.ctx, issued{code: i.code, Authorization: i.Authorization, secret: secret.New("")}.proof(), w.family(), w.now())
			return err
		},
	} {
		w.ok(do())
	}
	w.askOfPeople()
}

// askOfPeople does once what operators ask of people.
func (w *world) askOfPeople() {
	w.grouped("staff")
	o, s := w.login("wim")
	yes := false
	for _, f := range []user.Filter{
		{}, {Text: "wim"}, {Text: "wim nobody"}, {GroupID: "staff"}, {Role: "owner"}, {Disabled: &yes, ConnectorID: upstream},
		{Text: "wim", GroupID: "staff", Role: "owner", ConnectorID: upstream, Disabled: &yes},
	} {
		_, _, err := w.Users(w.ctx, f, "", 10)
		w.ok(err)
	}
	for _, do := range []func() error{
		func() error { _, err := w.db.IndexPeople(w.ctx, 10); return err },
		func() error { _, err := w.Account(w.ctx, s.UserID); return err },
		func() error { _, err := w.SetRole(w.ctx, s.UserID, "owner", 0, w.by()); return err },
		func() error { return w.AddMembers(w.ctx, "staff", []string{s.UserID}, w.by()) },
		func() error { _, err := w.Groups(w.ctx, "", 10); return err },
		func() error { _, err := w.Group(w.ctx, "staff"); return err },
		func() error {
			_, err := w.UpdateUser(w.ctx, user.Edit{
				ID: s.UserID, Username: o.User.Username, Email: o.User.Email, EmailVerified: true, Name: o.User.Name,
				Local: user.Local{ConnectorID: upstream, LoginNames: []string{"wim"}},
			}, w.by())
			return err
		},
		func() error { return w.SetPassword(w.ctx, user.PasswordChange{UserID: s.UserID, Hash: "x"}, w.by()) },
		func() error { _ = w.use(w.linked(s.UserID, user.Reset)); return nil },
		func() error { return w.UnlinkIdentity(w.ctx, s.UserID, upstream, "wim", w.by()) },
		func() error {
			return w.LinkIdentity(w.ctx, s.UserID, user.Identity{ConnectorID: upstream, Subject: "wim"}, w.by())
		},
	} {
		w.ok(do())
	}
	_, other := w.login("vic")
	w.ok(w.DeleteUser(w.ctx, other.UserID, 0, w.by()))
}
