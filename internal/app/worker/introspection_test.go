package worker_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/domain/audit"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
	"dex/internal/store/storetest"
)

// 1.F 78.
func TestATokenIsToldOfToItsHolderAndItsAudience(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	tokens := c.Obtain("scope", "openid email offline_access audience:server:client_id:other")
	own := c.Token("grant_type", "client_credentials", "scope", "api")
	for _, tt := range []struct {
		asks, what, token string
		want              bool
	}{
		{"app", "its access token", tokens.AccessToken, true},
		{"other", "an access token that it is in the audience of", tokens.AccessToken, true},
		{"asks", "another client's access token", tokens.AccessToken, false},
		{"jwt", "another client's access token", tokens.AccessToken, false},
		{"app", "its refresh token", tokens.RefreshToken, true},
		{"other", "a refresh token, of whose grant it is in the audience", tokens.RefreshToken, false},
		{"post", "another client's refresh token", tokens.RefreshToken, false},
		{"app", "a token that it has for itself", own.AccessToken, true},
		{"other", "a token that another client has for itself", own.AccessToken, false},
	} {
		if got := s.Client(t, tt.asks).Active(tt.token); got != tt.want {
			t.Errorf("%s is told of %s: %v", tt.asks, tt.what, got)
		}
	}
	t.Run("what it is told", func(t *testing.T) {
		claims := workertest.Claims(t, tokens.AccessToken)
		want := map[string]any{"active": true, "token_type": "Bearer", "client_id": "app", "acr": "aal1"}
		for _, name := range []string{"iss", "sub", "aud", "scope", "jti", "exp", "iat", "auth_time"} {
			want[name] = claims[name]
		}
		if diff := cmp.Diff(want, c.Introspect(tokens.AccessToken)); diff != "" {
			t.Errorf("of an access token (-want +got):\n%s", diff)
		}
		now := s.Clock.Now()
		want = map[string]any{
			"active": true, "iss": s.URL, "sub": "usr_ann", "client_id": "app", "scope": tokens.Scope,
			"iat": float64(now.Unix()), "exp": float64(now.Add(7 * 24 * time.Hour).Unix()),
		}
		if diff := cmp.Diff(want, c.Introspect(tokens.RefreshToken)); diff != "" {
			t.Errorf("of a refresh token (-want +got):\n%s", diff)
		}
		for name, value := range c.Introspect(own.AccessToken) {
			if name == "auth_time" || name == "acr" || name == "sub" && value != "app" {
				t.Errorf("of a client's own token it says %s: %v", name, value)
			}
		}
	})
	t.Run("nobody is told without proof of who they are", func(t *testing.T) {
		for _, form := range []string{"client_id=spa", "client_id=app", "client_id=app&client_secret=app-secret", ""} {
			a := call{path: "/introspect", body: form + "&token=" + tokens.AccessToken}.send(t, s)
			isError(t, a, 401, oauth.InvalidClient)
		}
		a := call{path: "/introspect", headers: [][2]string{bearer(tokens.AccessToken)}, form: values("token", tokens.AccessToken)}.send(t, s)
		isError(t, a, 401, oauth.InvalidClient)
	})
}

// 1.F 79.
func TestATokenThatIsWorthNothingLooksLikeAnyOther(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	b := s.Browser(t)
	expired, old := c.Redeem(c.Code(b)), c.Redeem(c.Code(b, "scope", "openid"))
	s.Advance(t, 8*24*time.Hour)
	b = s.Browser(t)
	revoked := c.Redeem(c.Code(b))
	isOK(t, c.Revoke(revoked.RefreshToken))
	rotated := c.Redeem(c.Code(b))
	succeeds(t, "refresh", c.Refresh(rotated.RefreshToken))
	alone := c.Redeem(c.Code(b))
	isOK(t, c.Revoke(alone.AccessToken))
	own := c.Token("grant_type", "client_credentials")
	isOK(t, c.Revoke(own.AccessToken))
	foreign := s.Client(t, "other").Redeem(s.Client(t, "other").Code(b, "code_challenge", string(oauth.ChallengeOf(c.Verifier))), "code_verifier", c.Verifier)
	live := c.Redeem(c.Code(b))
	var first string
	for name, token := range map[string]string{
		"expired": expired.AccessToken, "expired, to refresh": expired.RefreshToken, "of a session that has ended": old.AccessToken,
		"revoked": revoked.AccessToken, "revoked, to refresh": revoked.RefreshToken, "revoked by itself": alone.AccessToken,
		"a client's own, revoked": own.AccessToken, "rotated": rotated.RefreshToken,
		"another client's": foreign.AccessToken, "another client's, to refresh": foreign.RefreshToken,
		"an ID token": live.IDToken, "a code": c.Code(b), "unknown": "xyz", "a bent one": live.AccessToken[:len(live.AccessToken)-2] + "AA",
		"a refresh token of no grant": "dxr_abc.1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "long": strings.Repeat("x", 16<<10), "a sign": "ä",
	} {
		for _, hint := range []string{"", "access_token", "refresh_token", "nonsense"} {
			a := c.Send("/introspect", values("token", token, "token_type_hint", hint))
			a.Header.Del("Date")
			a.Header.Del("X-Request-Id")
			got := fmt.Sprint(a.Status, a.Header, a.Body)
			if first == "" {
				first = got
			}
			if got != first || a.Status != http.StatusOK || a.Body != `{"active":false}` {
				t.Errorf("%s, hinted at as %q: %d %s", name, hint, a.Status, a.Body)
			}
		}
	}
	for _, hint := range []string{"", "access_token", "refresh_token", "nonsense"} {
		for _, token := range []string{live.AccessToken, live.RefreshToken} {
			if a := c.Send("/introspect", values("token", token, "token_type_hint", hint)); !strings.Contains(a.Body, `"active":true`) {
				t.Errorf("the hint %q hides a token: %s", hint, a.Body)
			}
		}
	}
}

// The gate stands before a client's own tokens too, though no grant is kept of them.
func TestAClientsOwnTokenEndsWithWhatItRestsOn(t *testing.T) {
	for name, take := range map[string]func(s *workertest.Server) error{
		"the client is disabled": func(s *workertest.Server) error {
			return s.Tenant.DisableClient(t.Context(), "app", audit.By{At: s.Clock.Now()})
		},
		"the tenant is disabled": func(s *workertest.Server) error {
			return s.Tenant.DisableTenant(t.Context(), audit.By{At: s.Clock.Now()})
		},
		"the tenant has begun anew": func(s *workertest.Server) error {
			return s.Tenant.SetTenantNotBefore(t.Context(), s.Clock.Now().Add(time.Second), audit.By{At: s.Clock.Now()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := workertest.Start(t, workertest.Options{})
			c := s.Client(t, "app")
			own := c.Token("grant_type", "client_credentials", "scope", "api").AccessToken
			if !c.Active(own) {
				t.Fatal("it is not active to begin with")
			}
			if err := take(s); err != nil {
				t.Fatal(err)
			}
			a := c.Send("/introspect", values("token", own))
			if strings.Contains(a.Body, `"active":true`) {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
}

// refuseWrites makes the database one that cannot be written to, as a standby is
// while it takes over, and returns what makes it whole again.
func refuseWrites(t testing.TB, db *store.DB) (again func()) {
	t.Helper()
	on, off := "PRAGMA query_only = ON", "PRAGMA query_only = OFF"
	if os.Getenv("DEX_TEST_DB") == "postgres" {
		on, off = "SET default_transaction_read_only = on", "SET default_transaction_read_only = off"
	}
	raw := store.Raw(db)
	set := func(statement string) {
		t.Helper()
		if _, err := raw.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	raw.SetMaxOpenConns(1) // so that there is one to set
	set(on)
	return func() { set(off) }
}

// databaseOf opens a database that [refuseWrites] can be told of.
func databaseOf(t testing.TB, c clock.Clock) *store.DB {
	t.Helper()
	if os.Getenv("DEX_TEST_DB") == "postgres" {
		return storetest.OpenPostgres(t, storetest.WithClock(c))
	}
	return storetest.OpenFile(t, storetest.WithClock(c))
}

// 1.F 80.
func TestARevocationThatCannotBeKeptIsNotClaimed(t *testing.T) {
	c := &clock.Fake{}
	s := workertest.Start(t, workertest.Options{Clock: c, DB: databaseOf(t, c)})
	app := s.Client(t, "app")
	tokens := app.Obtain()
	own := app.Token("grant_type", "client_credentials")
	again := refuseWrites(t, s.DB)
	for name, token := range map[string]string{"a refresh token": tokens.RefreshToken, "an access token": tokens.AccessToken, "a client's own": own.AccessToken} {
		a := app.Revoke(token)
		isError(t, a, 503, oauth.TemporarilyUnavailable)
		if a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: nobody is told when to come back", name)
		}
		if !app.Active(token) {
			t.Errorf("%s is revoked, and nobody was told", name)
		}
	}
	t.Run("a refresh is neither answered nor lost", func(t *testing.T) {
		got := app.Refresh(tokens.RefreshToken)
		if got.Status != http.StatusServiceUnavailable || got.Error != string(oauth.TemporarilyUnavailable) || got.Header.Get("Retry-After") == "" {
			t.Errorf("got %d %s", got.Status, got.Error)
		}
	})
	again()
	next := succeeds(t, "the same token, when the database is back", app.Refresh(tokens.RefreshToken))
	for name, token := range map[string]string{"a refresh token": next.RefreshToken, "a client's own": own.AccessToken} {
		isOK(t, app.Revoke(token))
		if app.Active(token) {
			t.Errorf("%s is active after it was revoked", name)
		}
	}
}

// 1.F 81.
func TestAClientRevokesItsOwnTokensAlone(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	tokens := c.Obtain("scope", "openid offline_access audience:server:client_id:other")
	own := c.Token("grant_type", "client_credentials")
	for _, id := range []string{"other", "asks", "spa", "native", "post", "jwt"} {
		for _, token := range []string{tokens.AccessToken, tokens.RefreshToken, tokens.IDToken, own.AccessToken} {
			a := s.Client(t, id).Revoke(token)
			if a.Status != http.StatusOK || a.Body != "" {
				t.Errorf("%s: %d %s", id, a.Status, a.Body)
			}
		}
	}
	if !c.Active(tokens.AccessToken) || !c.Active(tokens.RefreshToken) || !c.Active(own.AccessToken) {
		t.Error("a client has revoked another's token")
	}
	t.Run("a public client says who it is, and revokes its own", func(t *testing.T) {
		spa := s.Client(t, "spa")
		tokens := spa.Obtain()
		isError(t, call{path: "/revoke", form: values("token", tokens.RefreshToken)}.send(t, s), 401, oauth.InvalidClient)
		isOK(t, call{path: "/revoke", form: values("token", tokens.RefreshToken, "client_id", "native")}.send(t, s))
		next := succeeds(t, "after that", spa.Refresh(tokens.RefreshToken))
		isOK(t, spa.Revoke(next.RefreshToken))
		refusedGrant(t, "after its own revocation", spa.Refresh(next.RefreshToken))
		if a := spa.Userinfo(next.AccessToken); a.Status != http.StatusUnauthorized {
			t.Errorf("its access token: %d", a.Status)
		}
	})
	t.Run("twice is as good as once, and nothing is as good as something", func(t *testing.T) {
		for range 2 {
			isOK(t, c.Revoke(tokens.RefreshToken))
			isOK(t, c.Revoke(own.AccessToken))
		}
		isOK(t, c.Revoke("nothing"))
		isError(t, c.Send("/revoke", values("token_type_hint", "access_token")), 400, oauth.InvalidRequest)
	})
}

// 1.F 82.
func TestARevocationHitsWhatItIsMeantFor(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	browsers := map[string]*workertest.Browser{}
	for _, login := range []string{"ann", "ben"} {
		b := s.Browser(t)
		b.SignIn(b.Get(s.Client(t, "app").Authorize()), login, workertest.Password)
		browsers[login] = b
	}
	type held struct {
		client *workertest.Client
		tokens workertest.Tokens
		dead   bool // all of it
		lost   bool // the access token alone
	}
	var grants []*held
	for i := range 100 {
		c := s.Client(t, []string{"app", "post", "spa"}[i%3])
		tokens := c.Redeem(c.Code(browsers[[]string{"ann", "ben"}[i%2]]))
		grants = append(grants, &held{client: c, tokens: tokens})
	}
	check := func() {
		t.Helper()
		for i, g := range grants {
			status := g.client.Userinfo(g.tokens.AccessToken).Status
			if honoured := status == http.StatusOK; honoured == (g.dead || g.lost) {
				t.Errorf("grant %d: userinfo answers %d", i, status)
			}
		}
	}
	dice := rand.New(rand.NewPCG(3, 4))
	for range 12 {
		g := grants[dice.IntN(len(grants))]
		switch dice.IntN(3) {
		case 0:
			isOK(t, g.client.Revoke(g.tokens.RefreshToken))
			g.dead = true
		case 1:
			isOK(t, g.client.Revoke(g.tokens.AccessToken))
			g.lost = true
		default:
			if got := g.client.Refresh(g.tokens.RefreshToken); got.Status == http.StatusOK {
				g.tokens, g.lost = got, false
			} else if !g.dead {
				t.Errorf("a living grant is not refreshed: %s", got.Error)
			}
		}
		check()
	}
	for i, g := range grants {
		if got := g.client.Refresh(g.tokens.RefreshToken); (got.Status == http.StatusOK) == g.dead {
			t.Errorf("grant %d: refresh answers %d", i, got.Status)
		}
	}
}

// 1.F 83 and 84.
func TestUserinfo(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	tokens := c.Obtain("scope", "openid email offline_access")
	token := tokens.AccessToken
	header := func(value string) [2]string { return [2]string{"Authorization", value} }
	const form = "application/x-www-form-urlencoded"
	for _, tt := range []struct {
		name   string
		call   call
		status int
	}{
		{"in the header", call{method: "GET", headers: [][2]string{bearer(token)}}, 200},
		{"in the header of a POST", call{headers: [][2]string{bearer(token)}}, 200},
		{"in the header of a POST without a body", call{bare: true, headers: [][2]string{bearer(token)}}, 200},
		{"in the body of a POST", call{form: values("access_token", token)}, 200},
		{"by HEAD", call{method: "HEAD", headers: [][2]string{bearer(token)}}, 200},
		{"with the scheme in small letters", call{method: "GET", headers: [][2]string{header("bearer " + token)}}, 200},
		{"in the address", call{method: "GET", query: "access_token=" + token}, 401},
		{"in the address of a POST", call{query: "access_token=" + token}, 401},
		{"in a cookie", call{method: "GET", headers: [][2]string{{"Cookie", "access_token=" + token}}}, 401},
		{"in the body of a GET", call{method: "GET", headers: [][2]string{{"Content-Type", form}}, body: "access_token=" + token}, 401},
		{"in header and body", call{headers: [][2]string{bearer(token)}, form: values("access_token", token)}, 400},
		{"in the body, with another header", call{headers: [][2]string{basic("app", "app-secret")}, form: values("access_token", token)}, 400},
		{"twice in the body", call{form: values("access_token", token, "access_token", token)}, 400},
		{"in two headers", call{method: "GET", headers: [][2]string{bearer(token), bearer(token)}}, 400},
		{"two in one header", call{method: "GET", headers: [][2]string{header("Bearer " + token + ", Bearer " + token)}}, 400},
		{"behind two spaces", call{method: "GET", headers: [][2]string{header("Bearer  " + token)}}, 400},
		{"behind a tab", call{method: "GET", headers: [][2]string{header("Bearer\t" + token)}}, 401},
		{"with something behind it", call{method: "GET", headers: [][2]string{header("Bearer " + token + " x")}}, 400},
		{"without a space", call{method: "GET", headers: [][2]string{header("Bearer" + token)}}, 401},
		{"under another scheme", call{method: "GET", headers: [][2]string{header("Token " + token)}}, 401},
		{"as the password of Basic", call{method: "GET", headers: [][2]string{basic("app", token)}}, 401},
		{"the scheme alone", call{method: "GET", headers: [][2]string{header("Bearer")}}, 400},
		{"in JSON", call{bare: true, headers: [][2]string{{"Content-Type", "application/json"}}, body: `{"access_token":"` + token + `"}`}, 415},
		{"by PUT", call{method: "PUT", headers: [][2]string{bearer(token)}}, 405},
		{"by DELETE", call{method: "DELETE", headers: [][2]string{bearer(token)}}, 405},
	} {
		t.Run("1.F 83 "+tt.name, func(t *testing.T) {
			tt.call.path = "/userinfo"
			a := tt.call.send(t, s)
			if a.Status != tt.status {
				t.Fatalf("%d %s, want %d", a.Status, a.Body, tt.status)
			}
			if challenge := a.Header.Get("WWW-Authenticate"); strings.HasPrefix(challenge, "Bearer ") != (tt.status == 400 || tt.status == 401) {
				t.Errorf("the challenge of %d is %q", a.Status, challenge)
			}
			if strings.Contains(fmt.Sprint(a.Header, a.Body), token) {
				t.Error("the token is in the answer")
			}
			if tt.status == 200 && tt.call.method != "HEAD" {
				if got := jsonOf(t, a); got["sub"] != "usr_ann" {
					t.Errorf("it is about %v", got["sub"])
				}
			}
		})
	}
	t.Run("1.F 84 the subject of the ID token, and what the scopes open", func(t *testing.T) {
		got := jsonOf(t, c.Userinfo(token))
		want := map[string]any{"sub": workertest.Claims(t, tokens.IDToken)["sub"], "email": "ann@example.com", "email_verified": true}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("userinfo (-want +got):\n%s", diff)
		}
		a := c.Userinfo(token)
		if a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("it is of the type %q", a.Header.Get("Content-Type"))
		}
	})
	t.Run("without a token, no more than the challenge", func(t *testing.T) {
		a := get(t, s, "/userinfo")
		if a.Status != 401 || a.Header.Get("WWW-Authenticate") != `Bearer realm="dex"` || a.Body != "" {
			t.Errorf("%d %q %q", a.Status, a.Header.Get("WWW-Authenticate"), a.Body)
		}
	})
	t.Run("one that is worth nothing, whatever the reason", func(t *testing.T) {
		isOK(t, c.Revoke(tokens.RefreshToken))
		first := ""
		for _, token := range []string{token, "xyz", tokens.IDToken, token[:len(token)-2] + "AA", c.Token("grant_type", "client_credentials").AccessToken} {
			a := get(t, s, "/userinfo", bearer(token))
			got := fmt.Sprint(a.Status, a.Header.Get("WWW-Authenticate"), a.Body)
			if first == "" {
				first = got
			}
			if got != first || a.Status != 401 || !strings.Contains(a.Body, `"error":"invalid_token"`) {
				t.Errorf("%s, and the first %s", got, first)
			}
		}
	})
}
