package worker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/base/fault"
	"dex/internal/base/seal"
	"dex/internal/domain/audit"
	"dex/internal/domain/tenant"
	"dex/internal/store"
	"dex/internal/store/storetest"
)

// neighbours are several tenants of one worker: with and without a path on the same
// host, one below another, and one on a host of its own. Whoever and whatever is in
// them is called the same and has the same secrets, so that nothing but the tenant
// tells them apart.
func neighbours(t *testing.T) map[string]*workertest.Server {
	t.Helper()
	s := workertest.Start(t, workertest.Options{Config: workertest.UpstreamConfig, Kinds: (&workertest.Upstream{}).Kinds()})
	_, port, _ := strings.Cut(s.Address(), ":")
	return map[string]*workertest.Server{
		"the default one":          s,
		"one with a path":          s.Neighbour(t, "acme", s.URL+"/acme"),
		"one below another":        s.Neighbour(t, "acme-eu", s.URL+"/acme/eu"),
		"one on a host of its own": s.Neighbour(t, "beta", "http://localhost:"+port),
	}
}

func TestWhatOneTenantHandsOutIsWorthNothingAtAnother(t *testing.T) {
	all := neighbours(t)
	delete(all, "one below another") // which differs from the one above it only by its path
	for from, a := range all {
		had := benHas(t, a)
		for to, b := range all {
			if from == to {
				continue
			}
			there := handles{s: b, client: b.Client(t, "app"), things: had.things}
			for _, u := range uses {
				t.Run(fmt.Sprintf("1.E 72 %s at %s, %s", from, to, u.name), func(t *testing.T) {
					for what, thing := range had.things {
						// Secrets are the same in both; as what else a thing is not taken is tested
						// elsewhere.
						if what != "a client secret" && (u.kinds == nil || slices.Contains(u.kinds, what)) && u.try(t, there, thing) {
							t.Errorf("%s is taken", what)
						}
					}
				})
			}
			t.Run(fmt.Sprintf("%s at %s, to be revoked", from, to), func(t *testing.T) {
				for _, what := range []string{"an access token", "a refresh token"} {
					if answer := there.client.Revoke(had.things[what]); answer.Status != http.StatusOK {
						t.Errorf("%s: %d", what, answer.Status)
					}
				}
			})
			t.Run(fmt.Sprintf("%s at %s, what a browser carries", from, to), func(t *testing.T) { carriesNothing(t, a, b) })
		}
		for _, u := range uses {
			t.Run(fmt.Sprintf("%s after all that at home, %s", from, u.name), func(t *testing.T) {
				for _, what := range u.kinds {
					if !u.try(t, had, had.things[what]) {
						t.Errorf("%s is not taken", what)
					}
				}
			})
		}
	}
}

// carriesNothing gives a browser the cookies of one tenant under the names that
// another's have, in every step of a login and a logout there.
func carriesNothing(t *testing.T, a, b *workertest.Server) {
	t.Helper()
	at, elsewhere := a.Browser(t), b.Browser(t)
	appA, appB := a.Client(t, "app"), b.Client(t, "app")
	appA.Code(at, "connector_id", "local")
	appB.Code(elsewhere, "connector_id", "local")
	known := spaceOf(t, elsewhere)
	moved := b.Browser(t)
	for _, c := range at.Cookies("dex_") {
		_, name, _ := strings.Cut(c.Name, "dex_")
		moved.SetCookie(&http.Cookie{Name: known + "dex_" + name, Value: c.Value})
	}
	if got := moved.Get(appB.Authorize("prompt", "none")).Param("error"); got != "login_required" {
		t.Errorf("the session counts: %q", got)
	}
	if a := moved.Get("/"); strings.Contains(a.Body, "ann@example.com") {
		t.Error("the home page knows who is signed in elsewhere")
	}
	// A form to log out: its token and what it is sealed under are the tenant's.
	form, own := at.Get("/logout").Form(t, "confirm-logout"), elsewhere.Get("/logout").Form(t, "confirm-logout")
	if got := elsewhere.Submit(own, "csrf", form.Values.Get("csrf")); got.Status < 400 {
		t.Errorf("the token of a form counts elsewhere: %d", got.Status)
	}
	if elsewhere.Get(appB.Authorize("prompt", "none")).Param("code") == "" {
		t.Error("somebody was logged out by another tenant's form")
	}
}

// spaceOf returns what stands before the names of a tenant's cookies.
func spaceOf(t *testing.T, b *workertest.Browser) string {
	t.Helper()
	all := b.Cookies("dex_session")
	if len(all) != 1 {
		t.Fatalf("%d session cookies", len(all))
	}
	space, _, _ := strings.Cut(all[0].Name, "dex_")
	return space
}

func TestABrowserIsSignedInAtEachTenantByItself(t *testing.T) {
	all := neighbours(t)
	shared := all["the default one"].Browser(t)
	for name, s := range all {
		shared = shared.At(s)
		app := s.Client(t, "app")
		if got := shared.Get(app.Authorize("prompt", "none")).Param("error"); got != "login_required" {
			t.Errorf("%s: signed in already: %q", name, got)
		}
		app.Code(shared, "connector_id", "local")
	}
	for name, s := range all {
		app, shared := s.Client(t, "app"), shared.At(s)
		answer := shared.Get(app.Authorize("prompt", "none"))
		claims := workertest.Claims(t, app.Redeem(answer.Param("code")).IDToken)
		if claims["iss"] != s.URL || answer.Param("iss") != s.URL {
			t.Errorf("%s: the issuer is %v, and %s", name, claims["iss"], answer.Param("iss"))
		}
	}
}

func TestTheKeysOfEachTenantAreItsOwn(t *testing.T) {
	seen := map[string]string{}
	for name, s := range neighbours(t) {
		var metadata struct {
			Issuer  string `json:"issuer"`
			JWKSURI string `json:"jwks_uri"`
		}
		for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
			if err := json.Unmarshal([]byte(s.Browser(t).Get(path).Body), &metadata); err != nil || metadata.Issuer != s.URL || metadata.JWKSURI != s.URL+"/keys" {
				t.Errorf("%s: %s says %+v, %v", name, path, metadata, err)
			}
		}
		var set struct {
			Keys []struct{ Kid, X, N string }
		}
		if err := json.Unmarshal([]byte(s.Browser(t).Get("/keys").Body), &set); err != nil || len(set.Keys) < 3 {
			t.Fatalf("%s: %d keys, %v", name, len(set.Keys), err)
		}
		for _, k := range set.Keys {
			for _, text := range []string{k.Kid, k.X, k.N} {
				if other, ok := seen[text]; ok && text != "" {
					t.Errorf("%s has a key of %s", name, other)
				}
				seen[text] = name
			}
		}
	}
}

func TestAPageOfATenantFindsItsStyle(t *testing.T) {
	for name, s := range neighbours(t) {
		b := s.Browser(t)
		page := b.Get("/")
		_, rest, ok := strings.Cut(page.Body, `rel="stylesheet" href="`)
		href, _, _ := strings.Cut(rest, `"`)
		u, err := page.URL.Parse(href)
		if !ok || err != nil {
			t.Fatalf("%s: no style in %s", name, page.Body)
		}
		if style := b.Get(u.String()); style.Status != http.StatusOK || !strings.HasPrefix(style.Header.Get("Content-Type"), "text/css") {
			t.Errorf("%s: %s is %d %s", name, u, style.Status, style.Header.Get("Content-Type"))
		}
	}
}

func TestAClientOfOneTenantIsNoneOfAnother(t *testing.T) {
	all := neighbours(t)
	home, other := all["the default one"], all["one with a path"]
	_, err := home.Tenant.Apply(t.Context(), store.Declared{Digest: "nothing"}, home.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"app", "jwt", "spa", "post"} {
		if got := other.Client(t, id).Obtain("connector_id", "local"); got.AccessToken == "" {
			t.Errorf("%s is gone where it should be", id)
		}
		c := home.Client(t, id)
		if got := c.Token("grant_type", "client_credentials", "client_id", id); got.Error != "invalid_client" {
			t.Errorf("%s is known where it was removed: %d %s", id, got.Status, got.Error)
		}
	}
}

func TestATenantIsServedWhenItComesAndForgottenWhenItGoes(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	issuer := s.URL + "/new"
	if a := s.Browser(t).Get(issuer + "/keys"); a.Status != http.StatusNotFound {
		t.Fatalf("before it is there: %d", a.Status)
	}
	n := s.Neighbour(t, "new", issuer)
	app := n.Client(t, "app")
	tokens := app.Obtain()
	t.Run("disabled, it is refused everywhere", func(t *testing.T) {
		if err := s.DB.SwitchTenant(t.Context(), "new", true, audit.By{At: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		if app.Active(tokens.AccessToken) || app.Userinfo(tokens.AccessToken).Status == http.StatusOK || app.Refresh(tokens.RefreshToken).Status == http.StatusOK {
			t.Error("its tokens count on")
		}
		if a := app.Login(n.Browser(t)); a.Param("code") != "" {
			t.Error("people log in on")
		}
		if home := s.Client(t, "app"); home.Obtain().AccessToken == "" {
			t.Error("another tenant is stopped too")
		}
		if err := s.DB.SwitchTenant(t.Context(), "new", false, audit.By{At: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		if !app.Active(tokens.AccessToken) {
			t.Error("it does not come back")
		}
	})
	t.Run("moved, it answers there and nowhere else", func(t *testing.T) {
		moved := s.URL + "/moved"
		if _, err := s.DB.ChangeTenant(t.Context(), tenant.Registered{Tenant: tenant.Tenant{ID: "new", Issuer: moved}}, audit.By{At: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		s.Advance(t, time.Second)
		for address, want := range map[string]int{issuer: http.StatusNotFound, moved: http.StatusOK} {
			if a := s.Browser(t).Get(address + "/.well-known/openid-configuration"); a.Status != want || want == 200 && !strings.Contains(a.Body, `"issuer":"`+moved+`"`) {
				t.Errorf("%s: %d %.100s", address, a.Status, a.Body)
			}
		}
		if app.Userinfo(tokens.AccessToken).Status == http.StatusOK {
			t.Error("a token of the old issuer counts")
		}
		issuer = moved
	})
	t.Run("deleted, it is not there", func(t *testing.T) {
		if err := s.DB.DeleteTenant(t.Context(), "new", 0, audit.By{At: s.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		s.Advance(t, time.Second)
		if a := s.Browser(t).Get(issuer + "/keys"); a.Status != http.StatusNotFound {
			t.Errorf("%d", a.Status)
		}
		s.Advance(t, time.Hour) // what it had is cleared away, and no duty makes it keys again
		if _, err := s.DB.Tenant(t.Context(), "new"); !fault.Is(err, fault.NotFound) {
			t.Errorf("it is still known: %v", err)
		}
	})
}

func TestATenantWithoutKeysSaysThatItIsNotReadyYet(t *testing.T) {
	db := storetest.Open(t)
	first := workertest.Start(t, workertest.Options{DB: db})
	other := workertest.Start(t, workertest.Options{DB: db, Issuer: first.URL, Config: "duties: false\n"})
	if _, err := db.EnsureTenant(t.Context(), "fresh", first.URL+"/fresh"); err != nil {
		t.Fatal(err)
	}
	if err := other.Worker.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/fresh", "/fresh/keys", "/fresh/.well-known/openid-configuration", "/fresh/authorize?client_id=x"} {
		a := other.Browser(t).Get(path)
		if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !strings.Contains(a.Body, "not ready yet") {
			t.Errorf("%s: %d, Retry-After %q, %s", path, a.Status, a.Header.Get("Retry-After"), a.Body)
		}
	}
	if a := other.Browser(t).Get("/readyz"); a.Status != http.StatusOK {
		t.Errorf("because of it the worker is not ready: %d", a.Status)
	}
	// The duty makes them.
	if err := first.Worker.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, func() (bool, string) {
		a := other.Browser(t).Get("/fresh/keys")
		return a.Status == http.StatusOK, fmt.Sprint(a.Status, a.Body)
	})
}

// until asks until the answer is yes.
func until(t *testing.T, ask func() (bool, string)) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var said string
	for range 3000 {
		var yes bool
		if yes, said = ask(); yes {
			return
		}
		<-tick.C
	}
	t.Fatalf("it never happens: %s", said)
}

func TestATenantThatAnotherMakesIsServedWithinSeconds(t *testing.T) {
	secret := seal.NewSecret()
	db := "sqlite:" + filepath.Join(t.TempDir(), "dex.db")
	p := serve(t, "--db="+db, "--key-secrets="+secret.Reveal())
	p.until(http.StatusOK, "ready")
	ring, err := seal.NewRing(secret)
	if err != nil {
		t.Fatal(err)
	}
	other, err := store.Open(t.Context(), store.Options{URL: db, Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if _, err := other.EnsureTenant(t.Context(), "later", p.url+"/later"); err != nil {
		t.Fatal(err)
	}
	until(t, func() (bool, string) {
		status, body := p.get("/later/keys")
		return status == http.StatusOK && strings.Contains(body, `"kty"`), fmt.Sprint(status, body)
	})
}
