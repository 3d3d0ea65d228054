package worker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
	"dex/internal/store"
)

// recorded returns the record of what was done, in order: what, by which
// application, to whom.
func recorded(t *testing.T, s *workertest.Server) []string {
	t.Helper()
	rows, err := store.Raw(s.DB).QueryContext(t.Context(), `
		SELECT kind, client_id, user_id, detail, session_id <> '', grant_id <> '', support_code <> '' FROM audit_events
		WHERE kind NOT LIKE 'key.%' AND kind <> 'config.changed' ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var kind, client, user, detail string
		var session, grant, support bool
		if err := rows.Scan(&kind, &client, &user, &detail, &session, &grant, &support); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(detail, workertest.Password) || strings.Contains(detail, "dxc_") || strings.Contains(detail, "dxr_") {
			t.Errorf("1.N 173: the record holds a secret: %s", detail)
		}
		if kind == "auth.login.success" && (!session || !support) || kind == "session.terminated" && !session || kind == "code.replayed" && !grant {
			t.Errorf("the line of %s does not say enough", kind)
		}
		all = append(all, strings.Join(strings.Fields(fmt.Sprint(kind, " ", client, " ", user)), " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryDeedIsInTheRecordOnce(t *testing.T) {
	// 1.N 177 and 4.18
	u := &workertest.Upstream{}
	s := workertest.Start(t, workertest.Options{Config: workertest.UpstreamConfig, Kinds: u.Kinds()})
	asks, admins, b := s.Client(t, "asks"), s.Client(t, "admins"), s.Browser(t)
	seen := len(recorded(t, s))
	step := func(name string, do func(), want ...string) {
		t.Helper()
		s.Clock.Advance(1e9) // the record sorts by time
		do()
		all := recorded(t, s)
		if id := userOf(t, s, "cora"); id != "" {
			for i := range all {
				all[i] = strings.Replace(all[i], id, "cora", 1)
			}
		}
		got := all[seen:]
		slices.Sort(got) // what happens in one moment has no order
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s is recorded as %q, want %q", name, got, want)
		}
		seen = len(all)
	}
	var tokens workertest.Tokens
	var code string
	form := b.Follow(b.Get(asks.Authorize("connector_id", "local")))
	step("a wrong password", func() { b.SignIn(form, "ann", "wrong") }) // it is counted, and traced: 1.J 111
	var consent *workertest.Answer
	step("a login", func() { consent = b.SignIn(form, "ann", workertest.Password) }, "auth.login.success asks usr_ann")
	step("consent", func() {
		code = b.Follow(b.Submit(consent.Form(t, "allow"), "answer", "allow", "remember", "1")).Param("code")
	}, "consent.granted asks usr_ann")
	step("a code that is redeemed", func() { tokens = asks.Redeem(code) }) // the row of the grant is its record
	step("the same code again", func() { asks.Redeem(code) }, "code.replayed asks usr_ann")
	step("and again", func() { asks.Redeem(code) })
	tokens = asks.Redeem(asks.Code(b, "connector_id", "local"))
	step("a refresh", func() { asks.Refresh(tokens.RefreshToken) })
	s.Clock.Advance(120e9)
	step("an old refresh token", func() { asks.Refresh(tokens.RefreshToken) }, "refresh.reuse asks usr_ann")
	tokens = asks.Redeem(asks.Code(b, "connector_id", "local"))
	step("a revoked token", func() { asks.Revoke(tokens.RefreshToken) }, "token.revoked asks usr_ann")
	code = asks.Code(b, "connector_id", "local")
	step("a code that is burned", func() {
		for range 5 {
			asks.Redeem(code, "code_verifier", strings.Repeat("x", 43))
		}
	}, "code.burned asks usr_ann")
	step("consent that is taken back", func() {
		if err := s.Tenant.RevokeConsent(t.Context(), "usr_ann", "asks", s.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	}, "consent.revoked asks usr_ann")
	step("somebody leaves", func() { b.Submit(b.Get("/logout").Form(t, "confirm-logout")) }, "session.terminated usr_ann")
	step("somebody new comes by a provider", func() {
		if a := s.Client(t, "app").LoginBy(s.Browser(t), "cora"); a.Param("code") == "" {
			t.Errorf("%d", a.Status)
		}
	}, "user.created cora", "auth.login.success app cora")
	step("an account is disabled", func() {
		if err := s.Tenant.DisableUser(t.Context(), userOf(t, s, "cora"), audit.By{At: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
	}, "user.disabled cora")
	step("whoever may not come in is turned down", func() {
		if a := admins.LoginBy(s.Browser(t), "cora"); a.Param("code") != "" {
			t.Error("a disabled account is let in")
		}
	}, "auth.login.refused admins")
}

// userOf returns the account of somebody who came by the provider elsewhere; it is
// empty as long as there is none.
func userOf(t *testing.T, s *workertest.Server, subject string) string {
	t.Helper()
	u, _, err := s.Tenant.ByIdentity(t.Context(), "elsewhere", subject)
	if err != nil {
		return ""
	}
	return u.ID
}
