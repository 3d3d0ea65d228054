package worker_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
)

// The lifetimes of the model. Its clock is moved by parts of them.
const (
	modelCode    = time.Minute
	modelGrace   = time.Minute
	modelAccess  = 10 * time.Minute
	modelIdle    = time.Hour
	modelSession = 20 * time.Minute
)

const modelConfig = `
keys: {algorithms: [ES256]}
expiry: {codes: 60s, refresh_grace: 60s, access_tokens: 10m, refresh_idle: 1h, sessions: 20m, sessions_idle: 20m, refresh: 80000h}
clients:
- {id: app, secret: app-secret, trusted: true, id_token_alg: ES256, redirect_uris: ["https://app.example.com/cb"]}
- {id: other, secret: other-secret, trusted: true, id_token_alg: ES256, redirect_uris: ["https://other.example.com/cb"]}
connectors:
- {id: elsewhere, kind: oidc}
`

// model is what somebody who has read the standards believes of one person's
// sessions, grants and tokens, beside the server that has them.
type model struct {
	tb      testing.TB
	s       *workertest.Server
	clients map[string]*workertest.Client
	name    string

	userID   string
	disabled bool
	sessions []*modelledSession
	grants   []*modelledGrant
}

type modelledSession struct {
	browser *workertest.Browser
	begun   time.Time
	over    bool
}

type modelledGrant struct {
	client   string
	verifier string
	code     string
	offline  bool
	session  *modelledSession
	issued   time.Time
	used     bool
	wrong    int // presentations with the wrong proof
	revoked  bool
	refresh  []string // by generation, from the first on
	rotated  time.Time
	access   []modelledAccess
}

type modelledAccess struct {
	token   string
	expires time.Time
	revoked bool
}

func (m *model) now() time.Time { return m.s.Clock.Now() }

func (m *model) alive(s *modelledSession) bool {
	return !s.over && !m.disabled && m.now().Before(s.begun.Add(modelSession))
}

// stands reports whether anything of a grant still counts.
func (m *model) stands(g *modelledGrant) bool {
	return !g.revoked && !m.disabled && (g.offline || m.alive(g.session))
}

// redeemable reports whether the code would be exchanged for the right proof.
func (m *model) redeemable(g *modelledGrant) bool {
	return !g.used && !g.revoked && g.wrong < 5 && m.now().Before(g.issued.Add(modelCode)) && m.alive(g.session)
}

// idle reports whether nobody has used the family for too long.
func (m *model) idle(g *modelledGrant) bool { return !m.now().Before(g.rotated.Add(modelIdle)) }

func (m *model) login(t *rapid.T) {
	s := &modelledSession{browser: m.s.Browser(m.tb), begun: m.now()}
	a := m.clients["app"].LoginBy(s.browser, m.name)
	if m.disabled {
		if a.Status != http.StatusForbidden {
			t.Fatalf("a disabled person logs in: %d %s", a.Status, a.Header.Get("Location"))
		}
		return
	}
	if a.Param("code") == "" {
		t.Fatalf("no login: %d %s", a.Status, a.Header.Get("Location"))
	}
	m.sessions = append(m.sessions, s)
	m.grants = append(m.grants, m.granted("app", a, s, true))
}

func (m *model) granted(client string, a *workertest.Answer, s *modelledSession, offline bool) *modelledGrant {
	return &modelledGrant{client: client, verifier: m.clients[client].Verifier, code: a.Param("code"), offline: offline, session: s, issued: m.now()}
}

func (m *model) authorize(t *rapid.T) {
	s := one(t, "session", m.sessions)
	client := rapid.SampledFrom([]string{"app", "other"}).Draw(t, "client")
	scope, offline := "openid", rapid.Bool().Draw(t, "offline")
	if offline {
		scope += " offline_access"
	}
	a := s.browser.Get(m.clients[client].Authorize("prompt", "none", "scope", scope))
	if code := a.Param("code"); (code != "") != m.alive(s) {
		t.Fatalf("the session lives: %v, and the answer is %s", m.alive(s), a.Header.Get("Location"))
	}
	if m.alive(s) {
		m.grants = append(m.grants, m.granted(client, a, s, offline))
	}
}

func (m *model) redeem(t *rapid.T) {
	g := one(t, "grant", m.grants)
	wanted, replay := m.redeemable(g), g.used
	got := m.clients[g.client].Redeem(g.code, "code_verifier", g.verifier)
	m.holds(t, "redeem", got, wanted)
	switch {
	case wanted:
		g.used, g.rotated = true, m.now()
		m.keep(t, g, got)
	case replay:
		g.revoked = true
	case !g.revoked && g.wrong < 5 && m.now().Before(g.issued.Add(modelCode)):
		// The code was good, and its session or person is not: it is spent in vain.
		g.used, g.revoked = true, true
	}
}

// misuse presents a code with a wrong proof. It must spoil nothing before it has
// been done too often.
func (m *model) misuse(t *rapid.T) {
	g := one(t, "grant", m.grants)
	client := m.clients[g.client]
	pairs := []string{"code_verifier", client.Verifier + "x"}
	if rapid.Bool().Draw(t, "by another client") {
		client = m.clients[map[string]string{"app": "other", "other": "app"}[g.client]]
		pairs = []string{"code_verifier", g.verifier}
	}
	for range rapid.IntRange(1, 5).Draw(t, "times") {
		if !g.used && !g.revoked && m.now().Before(g.issued.Add(modelCode)) {
			g.wrong = min(g.wrong+1, 5)
		}
		m.holds(t, "misuse", client.Redeem(g.code, pairs...), false)
	}
}

func (m *model) refreshes(t *rapid.T) {
	g := one(t, "family", m.families())
	for range rapid.IntRange(1, 4).Draw(t, "times") {
		m.refresh(t, g)
	}
}

// refresh presents the newest token of a family, or one of those before it.
func (m *model) refresh(t *rapid.T, g *modelledGrant) {
	gen := len(g.refresh) - 1 - rapid.IntRange(0, min(2, len(g.refresh)-1)).Draw(t, "generations back")
	newest, previous := gen == len(g.refresh)-1, gen == len(g.refresh)-2
	inTime := !m.now().After(g.rotated.Add(modelGrace))
	wanted := m.stands(g) && !m.idle(g) && (newest || previous && inTime)
	got := m.clients[g.client].Refresh(g.refresh[gen])
	m.holds(t, "refresh", got, wanted)
	switch {
	case wanted && newest:
		g.rotated = m.now()
		m.keep(t, g, got)
	case wanted:
		if got.RefreshToken != g.refresh[len(g.refresh)-1] {
			t.Fatalf("the token before the last gets another successor")
		}
		g.access = append(g.access, modelledAccess{token: got.AccessToken, expires: m.now().Add(modelAccess)})
	case !newest && !m.idle(g):
		g.revoked = true // it was stolen, whatever else is wrong
	}
}

// families are the grants that have refresh tokens.
func (m *model) families() (all []*modelledGrant) {
	for _, g := range m.grants {
		if len(g.refresh) > 0 {
			all = append(all, g)
		}
	}
	return all
}

func (m *model) keep(t *rapid.T, g *modelledGrant, got workertest.Tokens) {
	if (got.RefreshToken != "") != g.offline {
		t.Fatalf("a refresh token %q for a grant that is offline: %v", got.RefreshToken, g.offline)
	}
	if g.offline {
		g.refresh = append(g.refresh, got.RefreshToken)
	}
	g.access = append(g.access, modelledAccess{token: got.AccessToken, expires: m.now().Add(modelAccess)})
	m.userID, _ = workertest.Claims(m.tb, got.IDToken)["sub"].(string)
}

func (m *model) holds(t *rapid.T, what string, got workertest.Tokens, wanted bool) {
	t.Helper()
	if wanted && got.Status != http.StatusOK || !wanted && got.Error != "invalid_grant" {
		t.Fatalf("%s: wanted %v, got %d %s", what, wanted, got.Status, got.Error)
	}
}

func (m *model) revokeRefresh(t *rapid.T) {
	g := one(t, "family", m.families())
	token := rapid.SampledFrom(g.refresh).Draw(t, "token")
	if rapid.Bool().Draw(t, "by another client") {
		m.clients[map[string]string{"app": "other", "other": "app"}[g.client]].Revoke(token)
		return
	}
	m.clients[g.client].Revoke(token)
	g.revoked = true
}

func (m *model) revokeAccess(t *rapid.T) {
	g := one(t, "grant", m.grants)
	if len(g.access) == 0 {
		t.Skip("it has no tokens")
	}
	i := rapid.IntRange(0, len(g.access)-1).Draw(t, "token")
	m.clients[g.client].Revoke(g.access[i].token)
	g.access[i].revoked = true
}

func (m *model) logout(t *rapid.T) {
	s := one(t, "session", m.sessions)
	page := s.browser.Get("/logout")
	if page.Has("confirm-logout") {
		s.browser.Submit(page.Form(m.tb, "confirm-logout"))
	}
	s.over = true
}

func (m *model) disable(t *rapid.T) {
	if m.userID == "" || m.disabled {
		t.Skip("nobody to disable")
	}
	if err := m.s.Tenant.DisableUser(m.tb.Context(), m.userID, audit.By{At: m.now()}); err != nil {
		t.Fatal(err)
	}
	m.disabled = true
	for _, s := range m.sessions {
		s.over = true
	}
	for _, g := range m.grants {
		g.revoked = true
	}
}

func (m *model) enable(t *rapid.T) {
	if !m.disabled {
		t.Skip("nobody to enable")
	}
	if err := m.s.Tenant.EnableUser(m.tb.Context(), m.userID, audit.By{At: m.now()}); err != nil {
		t.Fatal(err)
	}
	m.disabled = false
}

func (m *model) wait(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{
		time.Second, 20 * time.Second, modelCode, modelGrace + time.Second, 5 * time.Minute, modelAccess, modelSession, modelIdle,
	}).Draw(t, "time")
	m.s.Advance(m.tb, d)
}

// check holds the server to the model after each step, where things happen mostly.
func (m *model) check(t *rapid.T) { m.worth(t, m.grants[max(0, len(m.grants)-2):]) }

// worth holds the server to what every token of some grants is worth.
func (m *model) worth(t *rapid.T, grants []*modelledGrant) {
	for i, g := range grants {
		c := m.clients[g.client]
		for j, a := range g.access {
			wanted := m.stands(g) && !a.revoked && m.now().Before(a.expires)
			if got := c.Active(a.token); got != wanted {
				t.Fatalf("access token %d of grant %d is active: %v, want %v", j, i, got, wanted)
			}
			if got := c.Userinfo(a.token).Status == http.StatusOK; got != wanted {
				t.Fatalf("access token %d of grant %d opens userinfo: %v, want %v", j, i, got, wanted)
			}
		}
		for gen, token := range g.refresh {
			wanted := m.stands(g) && gen == len(g.refresh)-1 && !m.idle(g)
			if got := c.Active(token); got != wanted {
				t.Fatalf("refresh token %d of grant %d is active: %v, want %v", gen, i, got, wanted)
			}
		}
	}
}

func one[T any](t *rapid.T, what string, all []T) T {
	if len(all) == 0 {
		t.Skip("there is no " + what)
	}
	// Mostly the newest: that is where things happen.
	back := rapid.IntRange(0, min(3, len(all)-1)).Draw(t, what+" from the end")
	return all[len(all)-1-back]
}

// Whatever somebody does with codes, tokens and sessions, and in whatever order,
// the server answers as the model does.
func TestTheServerDoesAsTheModel(tb *testing.T) {
	up := &workertest.Upstream{}
	s := workertest.Start(tb, workertest.Options{Bare: true, Config: modelConfig, Kinds: up.Kinds()})
	var people atomic.Int64
	rapid.Check(tb, func(t *rapid.T) {
		m := &model{
			tb: tb, s: s, name: fmt.Sprintf("person-%d", people.Add(1)),
			clients: map[string]*workertest.Client{"app": s.Client(tb, "app"), "other": s.Client(tb, "other")},
		}
		m.login(t)
		m.redeem(t)
		t.Repeat(map[string]func(*rapid.T){
			"log in": m.login, "authorize": m.authorize, "redeem": m.redeem, "redeem again": m.redeem, "misuse": m.misuse,
			"refresh": m.refreshes, "refresh again": m.refreshes, "revoke a refresh token": m.revokeRefresh, "revoke an access token": m.revokeAccess,
			"log out": m.logout, "disable": m.disable, "enable": m.enable, "wait": m.wait,
			"": m.check,
		})
		m.worth(t, m.grants)
	})
}
