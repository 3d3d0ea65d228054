package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dex/internal/app/workertest"
	"dex/internal/connector"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/role"
	"dex/internal/store"
	"dex/internal/store/storetest"
)

// gateConfig is what the matrix lives in. Each way to stop changes a line of it, or
// does something to what stands in the database.
const gateConfig = `
keys: {algorithms: [ES256]}
password_grant: true
expiry: {codes: 10m, sessions: 5m, sessions_idle: 5m}
clients:
- {id: app, profile: openid, secret: app-secret, trusted: true, response_types: [code, "id_token token", "code id_token"], id_token_alg: ES256, redirect_uris: ["https://app.example.com/cb"], grant_types: [authorization_code, refresh_token, client_credentials, implicit, "urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer", password], ciba_mode: poll, scopes: [openid, profile, offline_access, api, device_sso, "dex:sessions:read"], id_jag_audiences: [{issuer: "https://chat.example.com", client_id: app, scopes: [openid, profile, chat]}], native_sso_group: apps, groups: [staff]}
- {id: asks, profile: openid, secret: asks-secret, trusted: false, response_types: [code, "id_token token", "code id_token"], id_token_alg: ES256, redirect_uris: ["https://asks.example.com/cb"], grant_types: [authorization_code, refresh_token, client_credentials, implicit, "urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer", password], ciba_mode: poll, scopes: [openid, profile, offline_access, api], groups: [staff]}
- {id: first, public: true, native_sso_group: apps, trusted: true, id_token_alg: ES256, redirect_uris: ["https://first.example.com/cb"], grant_types: [authorization_code], scopes: [openid, device_sso]}
- {id: peer, secret: peer-secret, id_token_alg: ES256, redirect_uris: ["https://peer.example.com/cb"], trusted_peers: [app, asks]}
connectors:
- {id: elsewhere, kind: oidc}
- {id: people, kind: mock, config: {users: [{login: zoe, groups: [staff]}]}}
- {id: spare, kind: mock, config: {users: [{login: nobody}]}}
`

// gateScopes are what every request asks for. The administrative one is for whoever
// has a role, by a client that is trusted.
const gateScopes = "openid profile offline_access dex:sessions:read audience:server:client_id:peer"

// gateWorld is a server with somebody on every way to something of worth, one step
// before its end.
type gateWorld struct {
	t      *testing.T
	s      *workertest.Server
	up     *workertest.Upstream
	app    *workertest.Client
	asks   *workertest.Client
	access []string // the access tokens that were issued
	other  string   // a refresh token that no way needs
}

func newGateWorld(t *testing.T) *gateWorld {
	up := &workertest.Upstream{}
	up.Arrive = func(_ context.Context, name string) (connector.Step, error) { return surely(up.Vouch(name)), nil }
	s := workertest.Start(t, workertest.Options{Bare: true, Config: gateConfig, Kinds: up.Kinds()})
	w := &gateWorld{t: t, s: s, up: up, app: s.Client(t, "app"), asks: s.Client(t, "asks")}
	w.other = w.obtain().RefreshToken
	w.raw(`UPDATE users SET role = $1`, string(role.Support))
	return w
}

// surely is a login by more than one factor.
func surely(step connector.Step) connector.Step {
	step.Methods = append(step.Methods, credential.MultiStep)
	return step
}

// by is a request that leads to a provider, and is not content with a proof that is
// older than a minute; of the provider elsewhere it demands more than one factor.
func by(connectorID string, pairs ...string) []string {
	if connectorID == "elsewhere" {
		pairs = append([]string{"claims", `{"id_token":{"acr":{"essential":true,"value":"aal2"}}}`}, pairs...)
	}
	return append([]string{"scope", gateScopes, "connector_id", connectorID, "max_age", "60"}, pairs...)
}

// someone is a browser with a session.
func (w *gateWorld) someone() *workertest.Browser {
	w.t.Helper()
	b := w.s.Browser(w.t)
	w.app.CodeBy(b, "zoe", by("elsewhere")...)
	return b
}

func (w *gateWorld) obtain(pairs ...string) workertest.Tokens {
	w.t.Helper()
	tokens := w.app.Redeem(w.app.CodeBy(w.s.Browser(w.t), "zoe", by("elsewhere", pairs...)...))
	if tokens.Status != http.StatusOK {
		w.t.Fatalf("no tokens: %d %s", tokens.Status, tokens.Error)
	}
	w.access = append(w.access, tokens.AccessToken)
	return tokens
}

// bound are the scopes of a grant that does not outlive its session.
var bound = []string{"scope", strings.ReplaceAll(gateScopes, "offline_access ", "")}

// came says in a word where a browser has come to: "code" and "login" and "consent"
// are that, an error code is what the client was told, and a number is the status
// of a page that goes no further.
func came(a *workertest.Answer) string {
	switch {
	case a.Fragment("id_token") != "":
		return "tokens"
	case a.Fragment("error") != "":
		return a.Fragment("error")
	case a.Param("code") != "":
		return "code"
	case a.Param("error") != "":
		return a.Param("error")
	case a.Location() != nil && a.Location().Host == "elsewhere.example.com", a.Has("login"), a.Has("connector-spare"):
		return "login"
	case a.Has("allow"):
		return "consent"
	default:
		return fmt.Sprint(a.Status)
	}
}

func answered(t workertest.Tokens) string {
	if t.Error != "" {
		return t.Error
	}
	return fmt.Sprint(t.Status)
}

// gateWay is one way to something of worth. It brings somebody to the step before
// its end, and returns that step, which tells what has come of it.
type gateWay struct {
	name    string
	path    grant.Path
	good    string
	prepare func(w *gateWorld) func() string
}

var gateWays = []gateWay{
	{"login", grant.OpenSession, "code", func(w *gateWorld) func() string {
		open := func(b *workertest.Browser) workertest.Form {
			return b.Follow(b.Get(w.app.Authorize(by("people")...))).Form(w.t, "login")
		}
		first := w.s.Browser(w.t)
		first.Follow(first.Submit(open(first), "login", "zoe")) // the account is there
		b := w.s.Browser(w.t)
		form := open(b)
		return func() string { return came(b.Follow(b.Submit(form, "login", "zoe"))) }
	}},
	{"callback", grant.OpenSession, "code", func(w *gateWorld) func() string {
		b := w.s.Browser(w.t)
		away := b.Follow(b.Get(w.app.Authorize(by("elsewhere")...)))
		return func() string { return came(b.Arrive(w.t, away, "zoe")) }
	}},
	{"session", grant.ReuseSession, "code", func(w *gateWorld) func() string {
		b := w.someone()
		return func() string { return came(b.Follow(b.Get(w.app.Authorize(by("elsewhere")...)))) }
	}},
	{"silent", grant.ReuseSession, "code", func(w *gateWorld) func() string {
		b := w.someone()
		return func() string { return came(b.Follow(b.Get(w.app.Authorize(by("elsewhere", "prompt", "none")...)))) }
	}},
	{"consent", grant.IssueCode, "code", func(w *gateWorld) func() string {
		b := w.someone()
		form := b.Follow(b.Get(w.asks.Authorize(by("")...))).Form(w.t, "allow")
		return func() string { return came(b.Follow(b.Submit(form, "answer", "allow"))) }
	}},
	{"remembered", grant.IssueCode, "code", func(w *gateWorld) func() string {
		b := w.someone()
		w.asks.CodeBy(b, "zoe", by("elsewhere")...)
		return func() string { return came(b.Follow(b.Get(w.asks.Authorize(by("elsewhere", "prompt", "none")...)))) }
	}},
	{"redeem", grant.RedeemCode, "200", func(w *gateWorld) func() string {
		code := w.app.CodeBy(w.s.Browser(w.t), "zoe", by("elsewhere")...)
		return func() string { return answered(w.app.Redeem(code)) }
	}},
	{"refresh", grant.Refresh, "200", func(w *gateWorld) func() string {
		token := w.obtain().RefreshToken
		return func() string { return answered(w.app.Refresh(token)) }
	}},
	{"userinfo", grant.Userinfo, "200", func(w *gateWorld) func() string {
		token := w.obtain().AccessToken
		return func() string { return fmt.Sprint(w.app.Userinfo(token).Status) }
	}},
	{"…in-session", grant.Userinfo, "200", func(w *gateWorld) func() string {
		token := w.obtain(bound...).AccessToken
		return func() string { return fmt.Sprint(w.app.Userinfo(token).Status) }
	}},
	{"introspect", grant.Introspect, "active", func(w *gateWorld) func() string {
		token := w.obtain().AccessToken
		return func() string { return w.worth(token) }
	}},
	{"…in-session", grant.Introspect, "active", func(w *gateWorld) func() string {
		token := w.obtain(bound...).AccessToken
		return func() string { return w.worth(token) }
	}},
	{"…refresh", grant.Introspect, "active", func(w *gateWorld) func() string {
		token := w.obtain().RefreshToken
		return func() string { return w.worth(token) }
	}},
	{"administer", grant.Administer, "200", func(w *gateWorld) func() string {
		token := w.obtain().AccessToken
		return func() string { return w.administers(token) }
	}},
	{"…in-session", grant.Administer, "200", func(w *gateWorld) func() string {
		token := w.obtain(bound...).AccessToken
		return func() string { return w.administers(token) }
	}},
	{"itself", grant.ActForItself, "200", func(w *gateWorld) func() string {
		return func() string { return answered(w.itself()) }
	}},
	{"…introspect", grant.IntrospectOwn, "active", func(w *gateWorld) func() string {
		token := w.itself().AccessToken
		w.access = append(w.access, token)
		return func() string { return w.worth(token) }
	}},
	{"…administer", grant.AdministerOwn, "200", func(w *gateWorld) func() string {
		token := w.app.Token("grant_type", "client_credentials", "scope", "dex:sessions:read").AccessToken
		w.access = append(w.access, token)
		return func() string { return w.administers(token) }
	}},
	{"let in", grant.ApproveDevice, "in", func(w *gateWorld) func() string {
		_, b, form := w.waits()
		return func() string { return letIn(b.Follow(b.Submit(form, "answer", "allow"))) }
	}},
	{"device", grant.RedeemDevice, "200", func(w *gateWorld) func() string {
		d, b, form := w.waits()
		if got := letIn(b.Follow(b.Submit(form, "answer", "allow"))); got != "in" {
			w.t.Fatalf("the device is %s", got)
		}
		return func() string { return answered(d.poll()) }
	}},
	{"tokens", grant.IssueTokens, "tokens", func(w *gateWorld) func() string {
		b := w.someone()
		return func() string {
			return came(b.Follow(b.Get(w.app.Authorize(by("elsewhere", "prompt", "none", "response_type", "id_token token")...))))
		}
	}},
	{"…and a code", grant.IssueTokens, "tokens", func(w *gateWorld) func() string {
		b := w.someone()
		return func() string {
			return came(b.Follow(b.Get(w.app.Authorize(by("elsewhere", "prompt", "none", "response_type", "code id_token")...))))
		}
	}},
	{"allow call", grant.ApproveBackchannel, "in", func(w *gateWorld) func() string {
		_, b, form := w.calls()
		return func() string { return letIn(b.Follow(b.Submit(form, "answer", "allow"))) }
	}},
	{"call", grant.RedeemBackchannel, "200", func(w *gateWorld) func() string {
		c, b, form := w.calls()
		if got := letIn(b.Follow(b.Submit(form, "answer", "allow"))); got != "in" {
			w.t.Fatalf("the client that called is %s", got)
		}
		return func() string { return answered(c.poll()) }
	}},
	{"exchange", grant.ExchangeToken, "200", func(w *gateWorld) func() string {
		token := w.obtain().AccessToken
		return func() string { return answered(w.exchanged(token)) }
	}},
	{"…in-session", grant.ExchangeToken, "200", func(w *gateWorld) func() string {
		token := w.obtain(bound...).AccessToken
		return func() string { return answered(w.exchanged(token)) }
	}},
	{"assertion", grant.TakeAssertion, "200", func(w *gateWorld) func() string {
		word := w.word()
		return func() string {
			return answered(w.app.Token("grant_type", jwtBearer, "assertion", word, "scope", "profile dex:sessions:read audience:server:client_id:peer"))
		}
	}},
	{"…to asks", grant.TakeAssertion, "200", func(w *gateWorld) func() string {
		w.asks.CodeBy(w.someone(), "zoe", by("elsewhere")...) // who allows it
		word := w.word()
		return func() string {
			return answered(w.asks.Token("grant_type", jwtBearer, "assertion", word, "scope", "profile"))
		}
	}},
	{"foreign", grant.ExchangeForeign, "200", func(w *gateWorld) func() string {
		word := w.word()
		return func() string {
			return answered(w.app.Token("grant_type", exchange, "subject_token", word, "subject_token_type", "urn:ietf:params:oauth:token-type:id_token",
				"scope", "profile dex:sessions:read", "audience", "peer"))
		}
	}},
	{"password", grant.TakePassword, "200", func(w *gateWorld) func() string {
		b := w.s.Browser(w.t)
		page := b.Follow(b.Get(w.app.Authorize(by("people")...)))
		b.Follow(b.Submit(page.Form(w.t, "login"), "login", "zoe")) // the account is there
		return func() string {
			return answered(w.app.Token("grant_type", "password", "username", "zoe", "password", "any", "scope", "openid profile offline_access"))
		}
	}},
	{"share", grant.ShareLogin, "200", func(w *gateWorld) func() string {
		first := onDevice(w.t, w.s, "first")
		had := first.Redeem(first.CodeBy(w.s.Browser(w.t), "zoe", by("", "scope", "openid device_sso", "connector_id", "elsewhere")...))
		return func() string {
			return answered(join(w.app, had, "audience", w.s.URL, "scope", "openid profile offline_access audience:server:client_id:peer"))
		}
	}},
	{"assert", grant.AssertIdentity, "200", func(w *gateWorld) func() string {
		token := w.obtain().RefreshToken
		return func() string { return w.asserted(token, refreshToken) }
	}},
	{"…in-session", grant.AssertIdentity, "200", func(w *gateWorld) func() string {
		token := w.obtain(bound...).IDToken
		return func() string { return w.asserted(token, idToken) }
	}},
}

// asserted asks for an assertion for a server elsewhere.
func (w *gateWorld) asserted(token, of string) string {
	w.t.Helper()
	return answered(w.app.Token("grant_type", exchange, "requested_token_type", idJAG, "subject_token", token, "subject_token_type", of,
		"audience", "https://chat.example.com", "scope", "profile"))
}

// word is the provider's word for somebody who has been here before.
func (w *gateWorld) word() string {
	w.t.Helper()
	w.someone()
	return workertest.Word(w.t, "zoe", w.now(), nil)
}

// administers says what the administrators' API answers to a token.
func (w *gateWorld) administers(token string) string {
	w.t.Helper()
	return fmt.Sprint(w.s.Bearer(w.t, token).Call(http.MethodGet, "/users/usr_somebody/sessions", nil).Status)
}

// waits is a device that waits to be let in, and the question whether it may be.
func (w *gateWorld) waits() (*waiting, *workertest.Browser, workertest.Form) {
	w.t.Helper()
	d := askToBeLetIn(w.t, w.s, "app", gateScopes)
	b := w.someone()
	return d, b, enter(w.t, b, d.Page, d.UserCode).Form(w.t, "allow")
}

// calls is a client that has called for somebody by the back channel, and the question
// whether it may be let in.
func (w *gateWorld) calls() (*called, *workertest.Browser, workertest.Form) {
	w.t.Helper()
	b := w.someone()
	var zoe string // as she is known elsewhere: by another connector she is another
	w.must(store.Raw(w.s.DB).QueryRowContext(w.ctx(), `SELECT user_id FROM identities WHERE connector_id = 'elsewhere'`).Scan(&zoe))
	before := w.requests(zoe)
	c := callFor(w.t, w.s, "app", "scope", gateScopes, "login_hint", zoe)
	mine := slices.DeleteFunc(w.requests(zoe), func(id string) bool { return slices.Contains(before, id) })
	return c, b, b.Follow(b.Post("/approvals", url.Values{"request": mine})).Form(w.t, "allow")
}

// requests are those that wait for somebody's word.
func (w *gateWorld) requests(userID string) (ids []string) {
	w.t.Helper()
	waiting, err := w.s.Tenant.RequestsFor(w.ctx(), userID, "", 10, w.now())
	w.must(err)
	for _, d := range waiting {
		ids = append(ids, d.ID)
	}
	return ids
}

// exchanged exchanges a token of the client's own for one that its peer takes.
func (w *gateWorld) exchanged(token string) workertest.Tokens {
	w.t.Helper()
	return w.app.Token("grant_type", exchange, "subject_token", token, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token", "audience", "peer")
}

// letIn says what has become of a device, or of a client that has called.
func letIn(a *workertest.Answer) string {
	switch {
	case strings.Contains(a.Body, "The device is in"), strings.Contains(a.Body, "You have allowed it"):
		return "in"
	case strings.Contains(a.Body, "turned away"), strings.Contains(a.Body, "You have refused"):
		return "out"
	default:
		return came(a)
	}
}

func (w *gateWorld) itself() workertest.Tokens {
	w.t.Helper()
	return w.app.Token("grant_type", "client_credentials", "scope", "api")
}

// worth asks as the peer, which is in the audience of what has one, or as the
// client itself.
func (w *gateWorld) worth(token string) string {
	w.t.Helper()
	a := w.app.Send("/introspect", map[string][]string{"token": {token}})
	var answer struct {
		Active bool   `json:"active"`
		Error  string `json:"error"`
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil {
		w.t.Fatal(err)
	}
	switch {
	case answer.Error != "":
		return answer.Error
	case answer.Active:
		return "active"
	default:
		return "inactive"
	}
}

func (w *gateWorld) ctx() context.Context { return w.t.Context() }
func (w *gateWorld) now() time.Time       { return w.s.Clock.Now() }

func (w *gateWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// apply starts another worker with other settings at the same database: what they
// declare is so for the first one too.
func (w *gateWorld) apply(pairs ...string) {
	w.t.Helper()
	config := gateConfig
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(config, pairs[i]) {
			w.t.Fatalf("the configuration does not say %q", pairs[i])
		}
		config = strings.ReplaceAll(config, pairs[i], pairs[i+1])
	}
	db := w.s.DB
	if storetest.URL(w.t, db) != "sqlite::memory:" {
		db = storetest.Again(w.t, db)
	}
	workertest.Start(w.t, workertest.Options{
		Bare: true, Config: config, Kinds: w.up.Kinds(), Clock: w.s.Clock, DB: db, Issuer: w.s.URL,
	})
}

// raw does what no verb does, past the store.
func (w *gateWorld) raw(query string, args ...any) {
	w.t.Helper()
	_, err := store.Raw(w.s.DB).ExecContext(w.ctx(), query, args...)
	w.must(err)
}

// ids returns the ids of all rows of a table.
func (w *gateWorld) ids(table string) (ids []string) {
	w.t.Helper()
	rows, err := store.Raw(w.s.DB).QueryContext(w.ctx(), `SELECT id FROM `+table)
	w.must(err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		w.must(rows.Scan(&id))
		ids = append(ids, id)
	}
	w.must(rows.Err())
	if len(ids) == 0 {
		w.t.Fatalf("there are no %s", table)
	}
	return ids
}

// gateRows reads the matrix: what is expected on each way, by the way to stop.
func gateRows(t *testing.T) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(gateMatrix), "\n")[1:] {
		name, cells, _ := strings.Cut(line, "|")
		row := strings.Fields(strings.ReplaceAll(cells, "|", " "))
		if len(row) != len(gateWays) {
			t.Fatalf("the row %q has %d cells for %d ways", name, len(row), len(gateWays))
		}
		for i, word := range row {
			if whole, short := gateWords[word]; short {
				row[i] = whole
			} else if word == "-" {
				row[i] = gateWays[i].good
			}
		}
		rows[strings.TrimSpace(name)] = row
	}
	return rows
}

// Security requirement 34 and DESIGN 4: on every way to something of worth
// everything that must stop it does, and nothing else.
func TestEveryWayStopsForEveryReason(t *testing.T) {
	rows := gateRows(t)
	for _, stop := range gateStops {
		t.Run(stop.name, func(t *testing.T) {
			t.Parallel()
			w := newGateWorld(t)
			var last []func() string
			for _, way := range gateWays {
				last = append(last, way.prepare(w))
			}
			stop.do(w)
			for i, way := range gateWays {
				if got := last[i](); got != rows[stop.name][i] {
					t.Errorf("%s (to %s): got %s, want %s", way.name, way.path, got, rows[stop.name][i])
				}
			}
		})
	}
}

// What a client has lost ends the tokens that have it in them, and no others of the
// same grant: a token is judged by its own scopes and its own audience.
func TestATokenIsJudgedByWhatItSaysItself(t *testing.T) {
	for _, tt := range []struct{ name, fewer, from, to string }{
		{"a scope is lost", "openid audience:server:client_id:peer", "[openid, profile,", "[openid,"},
		{"the trust of the audience is lost", "openid profile", "[app, asks]", "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newGateWorld(t)
			whole := w.obtain()
			narrow := w.app.Refresh(whole.RefreshToken, "scope", tt.fewer)
			for _, token := range []string{whole.AccessToken, narrow.AccessToken} {
				if got := w.app.Userinfo(token).Status; got != http.StatusOK || w.worth(token) != "active" {
					t.Fatalf("a token is worth nothing to begin with: %d", got)
				}
			}
			before := w.app.Introspect(narrow.AccessToken)
			w.apply(tt.from, tt.to)
			if got := w.app.Userinfo(whole.AccessToken).Status; got != http.StatusUnauthorized {
				t.Errorf("userinfo of the token that has it: %d", got)
			}
			if got := w.worth(whole.AccessToken); got != "inactive" {
				t.Errorf("the token that has it is %s", got)
			}
			if got := w.app.Userinfo(narrow.AccessToken).Status; got != http.StatusOK {
				t.Errorf("userinfo of the token that never had it: %d", got)
			}
			if diff := cmp.Diff(before, w.app.Introspect(narrow.AccessToken)); diff != "" {
				t.Errorf("the token that never had it is worth something else (-before +after):\n%s", diff)
			}
		})
	}
}

// A reason of the gate, or a path, that nobody has brought about here is missing.
func TestTheMatrixKnowsEveryReasonAndEveryPath(t *testing.T) {
	rows := gateRows(t)
	reasons := map[grant.Reason]bool{}
	for _, stop := range gateStops {
		reasons[stop.reason] = true
		if rows[stop.name] == nil {
			t.Errorf("the matrix has no row for %q", stop.name)
		}
	}
	if len(rows) != len(gateStops) {
		t.Errorf("the matrix has %d rows for %d ways to stop", len(rows), len(gateStops))
	}
	paths := map[grant.Path]bool{}
	for _, way := range gateWays {
		paths[way.path] = true
	}
	declared := constantsOfTheGate(t)
	for _, reason := range declared["Reason"] {
		if !reasons[grant.Reason(reason)] {
			t.Errorf("nothing is stopped here because %s", reason)
		}
	}
	if len(declared["Reason"]) < 19 || len(declared["Path"]) < 9 {
		t.Fatalf("the gate's constants were not found: %v", declared)
	}
	if len(paths) != len(declared["Path"]) {
		t.Errorf("the gate has the paths %v, and %d of them are gone here", declared["Path"], len(paths))
	}
}

// constantsOfTheGate returns the exported constants of package grant by their type:
// the texts of those that have one, and the names of the others.
func constantsOfTheGate(t *testing.T) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../domain/grant/gate.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.CONST {
			continue
		}
		of := ""
		for _, spec := range gen.Specs {
			value := spec.(*ast.ValueSpec)
			if typ, ok := value.Type.(*ast.Ident); ok {
				of = typ.Name
			}
			for i, name := range value.Names {
				if !name.IsExported() {
					continue
				}
				text := name.Name
				if i < len(value.Values) {
					if lit, ok := value.Values[i].(*ast.BasicLit); ok {
						text = strings.Trim(lit.Value, `"`)
					}
				}
				found[of] = append(found[of], text)
			}
		}
	}
	return found
}
