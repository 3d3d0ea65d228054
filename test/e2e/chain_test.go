package e2e

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"dex/examples/app"
	"dex/test/program"
)

// chain is two dexes, of which the first asks the second who somebody is.
type chain struct {
	dex, upstream               *site
	dexProcess, upstreamProcess *program.Process
}

// upstreamConfig is what stands in the upstream's configuration about ann, and
// that the other dex is its client.
func upstreamConfig(dex *site, ann string) string {
	return fmt.Sprintf(`
name: Upstream
clients:
  - id: downstream
    name: Downstream
    secret: downstream-secret
    redirect_uris: [%[1]s/callback/upstream]
    post_logout_redirect_uris: [%[1]s/logout/done]
users:
  - {id: ann, username: ann, email: ann@upstream.example, email_verified: true, name: Ann Upstream, password: ann-likes-both, %[2]s}
`, dex.url, ann)
}

// startChain starts both, with an application as a client that has these addresses.
func startChain(t *testing.T, redirectURI, postLogoutURI string) *chain {
	t.Helper()
	c := &chain{dex: newSite(t), upstream: newSite(t)}
	c.upstream.configure(upstreamConfig(c.dex, "groups: [staff, admins]"))
	c.dex.configure(fmt.Sprintf(`
name: Downstream
outbound_allow_private: [127.0.0.0/8]
connectors:
  - {id: local, kind: local, name: Password}
  - id: upstream
    kind: oidc
    name: The other dex
    config:
      issuer: %s
      client_id: downstream
      client_secret: downstream-secret
      scopes: [profile, email, groups]
      refresh: true
      claims:
        groups: claims.groups.map(g, "upstream:" + g)
users:
  - {id: ben, username: ben, email: ben@example.com, password: ben-likes-dex}
clients:
  - id: notes
    name: Notes
    secret: notes-secret
    redirect_uris: ["%s"]
    post_logout_redirect_uris: ["%s"]
    trusted: true
`, c.upstream.url, redirectURI, postLogoutURI))
	c.upstreamProcess, c.dexProcess = c.upstream.start(), c.dex.start()
	return c
}

// logIn is the way from the first page to the application: she chooses the
// upstream, gives her password there, and allows it there.
func logIn(v *visitor) func(*page) *page {
	return func(p *page) *page {
		p = v.open(p.link("connector-upstream"))
		p = v.signIn(p, "ann", "ann-likes-both")
		if p.has("allow") {
			p = v.press(p, "allow")
		}
		return p
	}
}

// Acceptance 3 of the first milestone: one dex is the connector of another.
func TestOneDexIsTheConnectorOfAnother(t *testing.T) {
	c := startChain(t, callback, byebye)
	notes := newParty(t, c.dex.url, "notes")
	v := newVisitor(t)
	first := notes.login(v, logIn(v))

	t.Run("the person is the first dex's own, and what is known of her the upstream's", func(t *testing.T) {
		claims := first.claims(t)
		info, err := notes.userinfo(first.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string]personal{"the ID token": claims, "userinfo": info} {
			if got.Name != "Ann Upstream" || got.Email != "ann@upstream.example" || !got.EmailVerified ||
				!slices.Equal(got.Groups, []string{"upstream:staff", "upstream:admins"}) {
				t.Errorf("%s says %+v", name, got)
			}
		}
		if !strings.HasPrefix(claims.Subject, "usr_") || claims.Subject == "usr_ann" || info.Subject != claims.Subject {
			t.Errorf("her subject is %q, and %q at userinfo", claims.Subject, info.Subject)
		}
	})

	t.Run("the session answers for her without the upstream", func(t *testing.T) {
		again := notes.login(v, func(p *page) *page { return p }, oauth2.SetAuthURLParam("prompt", "none"))
		if again.id.Subject != first.id.Subject {
			t.Errorf("she is %q now, and was %q", again.id.Subject, first.id.Subject)
		}
	})

	t.Run("who comes back another day is the same person", func(t *testing.T) {
		v := newVisitor(t)
		if again := notes.login(v, logIn(v)); again.id.Subject != first.id.Subject {
			t.Errorf("she is %q now, and was %q", again.id.Subject, first.id.Subject)
		}
	})

	t.Run("a refresh tells what the upstream says now", func(t *testing.T) {
		k := first
		k.Token = refreshed(t, notes, k.RefreshToken).Token
		c.changeAnn(t, "groups: [staff]")
		now := refreshed(t, notes, k.RefreshToken)
		info, err := notes.userinfo(now.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"upstream:staff"}; !slices.Equal(now.claims(t).Groups, want) || !slices.Equal(info.Groups, want) {
			t.Errorf("the groups are %v, and %v at userinfo, want %v", now.claims(t).Groups, info.Groups, want)
		}
		first.Token = now.Token
	})

	t.Run("an upstream that is down costs nobody the session", func(t *testing.T) {
		c.upstreamProcess.Stop()
		c.forgetChecks(t)
		first.Token = refreshed(t, notes, first.RefreshToken).Token
		c.upstreamProcess = c.upstream.start()
	})

	t.Run("a person whom the upstream disables is out at the next refresh", func(t *testing.T) {
		c.changeAnn(t, "disabled: true")
		if _, err := notes.refresh(first.RefreshToken); !refused(err, "invalid_grant") {
			t.Fatalf("the refresh ended with %v", err)
		}
		if notes.active(first.AccessToken) || notes.active(first.RefreshToken) {
			t.Error("introspection still honours what came of the grant")
		}
		if _, err := notes.userinfo(first.AccessToken); err == nil {
			t.Error("userinfo still honours the access token")
		}
	})
}

func TestALogoutEndsTheSessionsOfBoth(t *testing.T) {
	c := startChain(t, callback, byebye)
	notes := newParty(t, c.dex.url, "notes")
	notes.oauth.Scopes = []string{"openid"} // nothing is to outlive the session
	v := newVisitor(t)
	k := notes.login(v, logIn(v))
	if !notes.active(k.AccessToken) {
		t.Error("the access token is not active")
	}

	v.stop = byebye
	if end := v.open(notes.logout(k.raw)); end.leadsOut == nil || end.leadsOut.String() != byebye+"?state=parting" {
		t.Fatalf("the logout ends at %s, on to %v:\n%s", end.url, end.leadsOut, end.body)
	}
	// A line is written when its request has ended, which may be after we have gone on.
	c.upstreamProcess.Await("somebody comes by its logout", func() bool { return strings.Contains(c.upstreamProcess.Log.String(), "path=/logout ") })
	c.dexProcess.Await("they come back from there", func() bool { return strings.Contains(c.dexProcess.Log.String(), "path=/logout/done ") })

	v.stop = callback
	address, redeem := notes.ask(oauth2.SetAuthURLParam("prompt", "none"))
	if _, err := redeem(v.open(address)); err == nil || err.Error() != "login_required" {
		t.Errorf("the first dex still knows the browser: %v", err)
	}
	address, _ = notes.ask()
	if p := v.open(v.open(address).link("connector-upstream")); !p.has("password") {
		t.Errorf("the upstream still knows the browser: %s, status %d", p.url, p.status)
	}
	if notes.active(k.AccessToken) {
		t.Error("the access token outlives its session")
	}
}

func TestTheChainInABrowser(t *testing.T) {
	var c *chain
	notes := serveApp(t, func(url string) app.Config {
		c = startChain(t, url+app.CallbackPath, url+app.LoggedOutPath)
		return app.Config{Issuer: c.dex.url, ClientID: "notes", ClientSecret: "notes-secret", BaseURL: url}
	})
	b := newTab(t, desktop)
	b.open(notes)
	b.click("log-in", "connector-upstream")
	b.click("connector-upstream", "password")
	if !strings.HasPrefix(b.location(), c.upstream.url) {
		t.Errorf("the password is asked for at %s", b.location())
	}
	b.signIn("ann", "ann-likes-both", "allow")
	b.click("allow", "claims")
	if got := b.claim("claims", "groups"); got != `["upstream:staff","upstream:admins"]` {
		t.Errorf("the groups are %s", got)
	}
	b.click("userinfo", "userinfo-claims")
	b.click("refresh", "access-token-before")
	b.click("log-out", "logged-out-everywhere")

	// The chooser is there again, and so is the upstream's password page.
	b.open(notes)
	b.click("log-in", "connector-upstream")
	b.click("connector-upstream", "password")
	b.click("cancel", "error-detail")
	if said := b.text("#error-detail"); !strings.HasPrefix(said, "access_denied") {
		t.Errorf("who gives up at the upstream is told %q", said)
	}
}

func refreshed(t *testing.T, p *party, token string) tokens {
	t.Helper()
	k, err := p.refresh(token)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// changeAnn starts the upstream again with something else about ann, and lets
// time pass until the first dex asks again.
func (c *chain) changeAnn(t *testing.T, ann string) {
	t.Helper()
	c.upstreamProcess.Stop()
	c.upstream.configure(upstreamConfig(c.dex, ann))
	c.upstreamProcess = c.upstream.start()
	c.forgetChecks(t)
}

// forgetChecks makes an hour pass since the first dex last asked the upstream.
// What somebody was told a moment ago is not asked again.
func (c *chain) forgetChecks(t *testing.T) {
	t.Helper()
	driver, address, set := "pgx", c.dex.db, "checked_at - interval '1 hour'"
	if file, ok := strings.CutPrefix(c.dex.db, "sqlite:"); ok {
		driver, address, set = "sqlite", "file:"+file+"?_pragma=busy_timeout(10000)", "checked_at - 3600000000"
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	result, err := db.ExecContext(t.Context(), "UPDATE identities SET refreshing_until = NULL, checked_at = "+set+" WHERE connector_id = 'upstream'")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("%d identities of the upstream are known (%v)", n, err)
	}
}
