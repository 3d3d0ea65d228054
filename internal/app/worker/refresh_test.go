package worker_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

// refusedGrant holds an answer to invalid_grant.
func refusedGrant(t testing.TB, what string, got workertest.Tokens) {
	t.Helper()
	if got.Status != http.StatusBadRequest || got.Error != string(oauth.InvalidGrant) || got.AccessToken != "" {
		t.Errorf("%s: %d %s", what, got.Status, got.Error)
	}
}

// succeeds returns the answer if it has tokens, and ends the test otherwise.
func succeeds(t testing.TB, what string, got workertest.Tokens) workertest.Tokens {
	t.Helper()
	if got.Status != http.StatusOK || got.AccessToken == "" {
		t.Fatalf("%s: %d %s %s", what, got.Status, got.Error, got.Description)
	}
	return got
}

// timesRecorded counts the events of a kind in the record.
func timesRecorded(t testing.TB, s *workertest.Server, kind audit.Kind) (n int) {
	t.Helper()
	if err := store.Raw(s.DB).QueryRowContext(t.Context(), `SELECT COUNT(*) FROM audit_events WHERE kind = $1`, string(kind)).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// dead holds a whole grant to being worth nothing, at every worker.
func dead(t testing.TB, c *workertest.Client, everything ...workertest.Tokens) {
	t.Helper()
	for i, tokens := range everything {
		if c.Active(tokens.AccessToken) || c.Active(tokens.RefreshToken) || c.Userinfo(tokens.AccessToken).Status == http.StatusOK {
			t.Errorf("of the tokens of answer %d something is honoured", i+1)
		}
		refusedGrant(t, "refresh with what came before", c.Refresh(tokens.RefreshToken))
	}
}

func TestAnOldRefreshTokenEndsTheFamily(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	b := s.Browser(t)
	for _, tt := range []struct {
		name    string
		between time.Duration
		replay  int // which token, from 0
		rotate  int // how often before
		dies    bool
	}{
		{"1.D 53 two generations old, after the grace", 2 * time.Minute, 0, 2, true},
		{"1.D 53 the one before, after the grace", 61 * time.Second, 0, 1, true},
		{"1.D 54 the one before, within the grace", 59 * time.Second, 0, 1, false},
		{"1.D 54 the one before, in the last moment of the grace", time.Minute, 0, 1, false},
		{"1.D 57 two generations old, though all at the same instant", 0, 0, 2, true},
		{"1.D 56 the first of six at the same instant", 0, 0, 5, true},
		{"1.D 56 the last but one of six at the same instant", 0, 4, 5, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := s.Client(t, "app")
			all := []workertest.Tokens{c.Redeem(c.Code(b))}
			for range tt.rotate {
				all = append(all, succeeds(t, "refresh", c.Refresh(all[len(all)-1].RefreshToken)))
				s.Advance(t, tt.between)
			}
			bystander, before := c.Redeem(c.Code(b)), timesRecorded(t, s, audit.RefreshReused)
			got := c.Refresh(all[tt.replay].RefreshToken)
			if !tt.dies {
				if again := succeeds(t, "the one before", got); again.RefreshToken != all[tt.replay+1].RefreshToken {
					t.Error("it has another successor than the first time")
				}
				succeeds(t, "the newest", c.Refresh(all[len(all)-1].RefreshToken))
				return
			}
			refusedGrant(t, "the replay", got)
			dead(t, c, all...)
			if n := timesRecorded(t, s, audit.RefreshReused) - before; n != 1 {
				t.Errorf("the record has %d lines of it", n)
			}
			if !c.Active(bystander.AccessToken) || c.Refresh(bystander.RefreshToken).Status != http.StatusOK {
				t.Error("another grant of the same person and client has died with it")
			}
		})
	}
}

// 1.D 54 and 64: whoever did not hear our answer asks again, wherever.
func TestALostAnswerIsGivenAgain(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	elsewhere := second(t, s).Client(t, "app")
	first := c.Obtain()
	lost := succeeds(t, "the answer that is lost", c.Refresh(first.RefreshToken))
	for _, at := range []*workertest.Client{c, elsewhere, c} {
		again := succeeds(t, "again", at.Refresh(first.RefreshToken))
		if again.RefreshToken != lost.RefreshToken {
			t.Error("the successor is another one")
		}
		if again.AccessToken == lost.AccessToken || !c.Active(again.AccessToken) {
			t.Error("there is no access token of its own with it")
		}
	}
	next := succeeds(t, "the successor", elsewhere.Refresh(lost.RefreshToken))
	if next.RefreshToken == lost.RefreshToken {
		t.Error("the successor's successor is itself")
	}
}

// 1.D 54 and 55.
func TestManyWhoRefreshAtOnceGetTheSameSuccessor(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	workers := []*workertest.Server{s, second(t, s), second(t, s)}
	b := s.Browser(t)
	for _, n := range []int{16, 30} {
		for range 3 {
			owner := s.Client(t, "app")
			first := owner.Redeem(owner.Code(b))
			all := make([]workertest.Tokens, n)
			var wait sync.WaitGroup
			for i := range all {
				c := workers[i%len(workers)].Client(t, "app")
				wait.Go(func() { all[i] = c.Refresh(first.RefreshToken) })
			}
			wait.Wait()
			successor := all[0].RefreshToken
			for i, got := range all {
				if got.Status != http.StatusOK || got.RefreshToken != successor || successor == first.RefreshToken {
					t.Errorf("%d of %d: %d %s, the same successor: %v", i+1, n, got.Status, got.Error, got.RefreshToken == successor)
				}
			}
			// One leaf: the successor is the second generation, and the newest.
			if parts := strings.Split(successor, "."); len(parts) != 3 || parts[1] != "2" {
				t.Errorf("the successor is of generation %q", parts)
			}
			if c := s.Client(t, "app"); !c.Active(successor) || c.Active(first.RefreshToken) {
				t.Error("the successor is not the newest")
			} else {
				succeeds(t, "the successor", c.Refresh(successor))
			}
		}
	}
	if n := timesRecorded(t, s, audit.RefreshReused); n != 0 {
		t.Errorf("%d of them are taken for thieves", n)
	}
}

// 1.D 58.
func TestAnotherClientsRefreshTokenChangesNothing(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	spent := c.Obtain()
	current := succeeds(t, "refresh", c.Refresh(spent.RefreshToken))
	s.Clock.Advance(2 * time.Minute) // the grace is over: with the right client it would be reuse
	for _, id := range []string{"other", "asks", "post", "spa", "native", "jwt", "certified"} {
		for _, token := range []string{spent.RefreshToken, current.RefreshToken} {
			thief := s.Client(t, id)
			refusedGrant(t, id, thief.Refresh(token))
			if thief.Active(token) && id != "spa" && id != "native" {
				t.Errorf("%s is told of it", id)
			}
			isOK(t, thief.Revoke(token))
		}
	}
	if n := timesRecorded(t, s, audit.RefreshReused) + timesRecorded(t, s, audit.TokenRevoked); n != 0 {
		t.Errorf("the record has %d lines of it", n)
	}
	if !c.Active(current.AccessToken) || !c.Active(current.RefreshToken) {
		t.Error("the owner's tokens are worth less than before")
	}
	next := succeeds(t, "the owner", c.Refresh(current.RefreshToken))
	if parts := strings.Split(next.RefreshToken, "."); parts[1] != "3" {
		t.Errorf("others have rotated the family to generation %s", parts[1])
	}
}

// 1.D 59: after a revocation was answered, nothing is honoured that was or will be
// minted.
func TestARevocationIsFinalWhateverRunsBesideIt(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	other := second(t, s)
	b := s.Browser(t)
	for i := range 40 {
		c := s.Client(t, "app")
		first := c.Redeem(c.Code(b))
		refreshers := []*workertest.Client{s.Client(t, "app"), other.Client(t, "app"), s.Client(t, "app")}
		minted := make([]workertest.Tokens, len(refreshers))
		var revoked *workertest.Answer
		var wait sync.WaitGroup
		for j, r := range refreshers {
			wait.Go(func() { minted[j] = r.Refresh(first.RefreshToken) })
		}
		wait.Go(func() {
			// Some have the refresh token, some revoke by it as it was before.
			revoked = other.Client(t, "app").Revoke(first.RefreshToken)
		})
		wait.Wait()
		isOK(t, revoked)
		for _, got := range slices.Concat(minted, []workertest.Tokens{first}) {
			if got.Status != http.StatusOK {
				refusedGrant(t, "a refresh that came too late", got)
				continue
			}
			if c.Active(got.AccessToken) || c.Active(got.RefreshToken) || c.Userinfo(got.AccessToken).Status == http.StatusOK {
				t.Fatalf("round %d: after the revocation a token is honoured", i)
			}
			refusedGrant(t, "a refresh after the revocation", c.Refresh(got.RefreshToken))
		}
	}
}

// 1.D 60.
func TestAFamilyEnds(t *testing.T) {
	const day = 24 * time.Hour
	s := workertest.Start(t, workertest.Options{Clients: `
- {id: strict, secret: strict-secret, redirect_uris: ["https://strict.example.com/cb"], trusted: true, refresh_grace: 0s}
`})
	t.Run("if nobody uses it for a week", func(t *testing.T) {
		c, b := s.Client(t, "app"), s.Browser(t)
		kept, idle := c.Redeem(c.Code(b)), c.Redeem(c.Code(b))
		s.Advance(t, 7*day-time.Second)
		kept = succeeds(t, "in the last second", c.Refresh(kept.RefreshToken))
		s.Advance(t, time.Second)
		refusedGrant(t, "a second later", c.Refresh(idle.RefreshToken))
		if c.Active(idle.RefreshToken) || !c.Active(kept.RefreshToken) {
			t.Error("introspection sees it otherwise")
		}
	})
	t.Run("after a month, however much it is used", func(t *testing.T) {
		c := s.Client(t, "app")
		tokens := c.Obtain()
		for range 5 { // 30 days less one second
			s.Advance(t, 6*day-time.Second/5)
			tokens = succeeds(t, "refresh", c.Refresh(tokens.RefreshToken))
		}
		if exp, _ := c.Introspect(tokens.RefreshToken)["exp"].(float64); int64(exp) != s.Clock.Now().Add(time.Second).Unix() {
			t.Errorf("it says that it ends at %v", exp)
		}
		s.Advance(t, time.Second)
		refusedGrant(t, "after a month", c.Refresh(tokens.RefreshToken))
	})
	t.Run("as configured", func(t *testing.T) {
		s := workertest.Start(t, workertest.Options{Config: "expiry: {refresh_idle: 1h, refresh: 90m, refresh_grace: 0s}\n"})
		c := s.Client(t, "app")
		first := c.Obtain()
		s.Advance(t, 50*time.Minute)
		next := succeeds(t, "within the hour", c.Refresh(first.RefreshToken))
		s.Advance(t, 39*time.Minute)
		next = succeeds(t, "within the hour again", c.Refresh(next.RefreshToken))
		s.Advance(t, 2*time.Minute)
		refusedGrant(t, "after an hour and a half", c.Refresh(next.RefreshToken))
	})
	t.Run("at once where there is no grace", func(t *testing.T) {
		c := s.Client(t, "strict")
		first := c.Obtain()
		next := succeeds(t, "refresh", c.Refresh(first.RefreshToken))
		refusedGrant(t, "the same token again", c.Refresh(first.RefreshToken))
		dead(t, c, next)
	})
}

// 1.D 61.
func TestARefreshGetsNoMoreThanWasGranted(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	tokens := c.Obtain("scope", "openid email offline_access audience:server:client_id:other")
	for _, wider := range []string{"openid profile", "groups", "api", "openid email offline_access api", "admin", "openid audience:server:client_id:asks", "OPENID"} {
		got := c.Refresh(tokens.RefreshToken, "scope", wider)
		if got.Status != http.StatusBadRequest || got.Error != string(oauth.InvalidScope) {
			t.Errorf("scope %q: %d %s %q", wider, got.Status, got.Error, got.Scope)
		}
	}
	for _, tt := range []struct {
		scope, want string
		idToken     bool
		audience    []string // of the access token, beside us
	}{
		{"email", "email offline_access", false, nil},
		{"openid", "openid offline_access", true, nil},
		{"openid audience:server:client_id:other", "openid audience:server:client_id:other offline_access", true, []string{"other"}},
		{"", "openid email offline_access audience:server:client_id:other", true, []string{"other"}},
	} {
		got := succeeds(t, tt.scope, c.Refresh(tokens.RefreshToken, "scope", tt.scope))
		tokens = got
		claims := workertest.Claims(t, got.AccessToken)
		if got.Scope != tt.want || claims["scope"] != tt.want || (got.IDToken != "") != tt.idToken {
			t.Errorf("scope %q gives %q, and an ID token: %v", tt.scope, got.Scope, got.IDToken != "")
		}
		var audience []string
		if list, ok := claims["aud"].([]any); ok {
			for _, one := range list[1:] {
				audience = append(audience, one.(string))
			}
		}
		if !slices.Equal(audience, tt.audience) {
			t.Errorf("scope %q gives a token for %v", tt.scope, claims["aud"])
		}
	}
}

// 1.D 62. That every reason counts on every path is the gate's matrix.
func TestARefreshIsRefusedOnceWhatItRestsOnIsGone(t *testing.T) {
	for _, tt := range []struct {
		name  string
		scope string
		take  func(s *workertest.Server, b *workertest.Browser) error
		code  oauth.Code
	}{
		{"the account is disabled", "openid offline_access", func(s *workertest.Server, _ *workertest.Browser) error {
			return s.Tenant.DisableUser(t.Context(), "usr_ann", audit.By{At: s.Clock.Now()})
		}, oauth.InvalidGrant},
		{"the client is disabled", "openid offline_access", func(s *workertest.Server, _ *workertest.Browser) error {
			return s.Tenant.DisableClient(t.Context(), "app", audit.By{At: s.Clock.Now()})
		}, oauth.InvalidClient},
		{"the tenant is disabled", "openid offline_access", func(s *workertest.Server, _ *workertest.Browser) error {
			return s.Tenant.DisableTenant(t.Context(), audit.By{At: s.Clock.Now()})
		}, oauth.InvalidGrant},
		{"the tenant has begun anew", "openid offline_access", func(s *workertest.Server, _ *workertest.Browser) error {
			return s.Tenant.SetTenantNotBefore(t.Context(), s.Clock.Now().Add(time.Second), audit.By{At: s.Clock.Now()})
		}, oauth.InvalidGrant},
		{"the consent is taken back", "openid offline_access", func(s *workertest.Server, _ *workertest.Browser) error {
			return s.Tenant.RevokeConsent(t.Context(), "usr_ann", "app", s.Clock.Now())
		}, oauth.InvalidGrant},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := workertest.Start(t, workertest.Options{})
			c, b := s.Client(t, "app"), s.Browser(t)
			tokens := c.Redeem(c.Code(b, "scope", tt.scope))
			if err := tt.take(s, b); err != nil {
				t.Fatal(err)
			}
			if got := c.Refresh(tokens.RefreshToken); got.Error != string(tt.code) || got.AccessToken != "" {
				t.Errorf("got %d %s", got.Status, got.Error)
			}
			if a := c.Userinfo(tokens.AccessToken); a.Status != http.StatusUnauthorized {
				t.Errorf("userinfo: %d", a.Status)
			}
		})
	}
}
