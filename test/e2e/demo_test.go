package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// What somebody does who has just cloned the repository: one command, one click.
func TestSomebodyTriesDex(t *testing.T) {
	for _, c := range []struct {
		name     string
		look     look
		language string // of the pages
		heading  string // of the login page
	}{
		{"on a desktop", desktop, "en", "Sign in to Demo application"},
		{"on a phone", phone, "en", "Sign in to Demo application"},
		{"in the dark", look{width: 1280, height: 800, dark: true}, "en", "Sign in to Demo application"},
		{"in German", look{width: 1280, height: 800, language: "de-AT, de;q=0.9"}, "de", "Bei Demo application anmelden"},
		{"without scripts", look{width: 1280, height: 800, noScript: true}, "en", "Sign in to Demo application"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, app := startDemo(t)
			b := newTab(t, c.look)
			b.open(app)
			b.click("log-in", "password")
			if language := ask[string](b, "document.documentElement.lang"); language != c.language || b.text("h1") != c.heading {
				t.Errorf("the login page is in %q and says %q, want %q", language, b.text("h1"), c.heading)
			}
			b.signIn("ann@example.com", "ann-likes-dex", "allow")
			if b.text("#user") != "Ann Example" {
				t.Errorf("the consent page greets %q", b.text("#user"))
			}
			b.click("allow", "claims")
			for name, want := range map[string]string{
				"name": "Ann Example", "email": "ann@example.com", "email_verified": "true", "groups": `["admins","engineering"]`, "acr": "aal1",
			} {
				if got := b.claim("claims", name); got != want {
					t.Errorf("the ID token's %s is %q, want %q", name, got, want)
				}
			}
			walkThroughTheAccount(t, b, app)
		})
	}
}

// walkThroughTheAccount does in the demo application what there is to do for
// somebody who has logged in, and logs in again.
func walkThroughTheAccount(t *testing.T, b *tab, app string) {
	t.Helper()
	b.click("userinfo", "userinfo-claims")
	subject := b.claim("claims", "sub")
	if got := b.claim("userinfo-claims", "sub"); got != subject || !strings.HasPrefix(got, "usr_") {
		t.Errorf("userinfo is about %q, the ID token about %q", got, subject)
	}
	before := b.text("#access-token")
	b.click("refresh", "access-token-before")
	if after := b.text("#access-token"); after == before || b.text("#access-token-before") != before {
		t.Errorf("after the refresh the access token is %s, before it was %s", after, before)
	}
	b.click("log-out", "logged-out-everywhere")

	// The session at dex has ended too, so the password is asked again. What was
	// allowed is remembered.
	b.open(app)
	b.click("log-in", "password")
	b.signIn("ann", "ann-likes-dex", "claims")
	if got := b.claim("claims", "sub"); got != subject {
		t.Errorf("the same person is %q this time, and was %q", got, subject)
	}
}

func TestSomebodyTakesAnotherWayInTheDemo(t *testing.T) {
	t.Run("a wrong password is asked for again, and the right one goes on", func(t *testing.T) {
		b := toLogin(t)
		b.signIn("ann", "ann-hates-dex", "problem")
		if role := ask[string](b, `document.getElementById("problem").getAttribute("role")`); role != "alert" {
			t.Errorf("a screen reader is told with the role %q", role)
		}
		if focused := ask[string](b, "document.activeElement.id"); focused != "password" {
			t.Errorf("the cursor is in %q, not in the password", focused)
		}
		if login := ask[string](b, `document.getElementById("login").value`); login != "ann" {
			t.Errorf("the name has to be typed again: there stands %q", login)
		}
		b.signIn("ann", "ann-likes-dex", "allow")
	})

	t.Run("whether a name is known cannot be told from the answer", func(t *testing.T) {
		b := toLogin(t)
		b.signIn("nobody", "ann-likes-dex", "problem")
		unknown := b.text("#problem")
		b.reload("password") // the attempt goes on, and what is said next is not taken for this
		b.signIn("ben", "ann-likes-dex", "problem")
		if known := b.text("#problem"); known != unknown || known == "" {
			t.Errorf("of somebody unknown it says %q, of somebody known %q", unknown, known)
		}
	})

	t.Run("who cancels is back at the application", func(t *testing.T) {
		b := toLogin(t)
		b.click("cancel", "error-detail")
		if said := b.text("#error-detail"); !strings.HasPrefix(said, "access_denied") {
			t.Errorf("the application heard %q", said)
		}
	})

	t.Run("who denies is back at the application, and may think again", func(t *testing.T) {
		b := toLogin(t)
		b.signIn("ann", "ann-likes-dex", "deny")
		b.click("deny", "error-detail")
		if said := b.text("#error-detail"); !strings.HasPrefix(said, "access_denied") {
			t.Errorf("the application heard %q", said)
		}
		b.open(b.app)
		b.click("log-in", "allow") // the session is there, consent is not
		b.click("allow", "claims")
	})

	t.Run("consent that is not to be remembered is asked again", func(t *testing.T) {
		b := toLogin(t)
		b.signIn("ben", "ben-likes-dex", "remember")
		b.do(chromedp.Click(chromedp.ID("remember"))) // it is checked beforehand
		b.click("allow", "log-out")
		b.click("log-out", "logged-out-everywhere")
		b.open(b.app)
		b.click("log-in", "password")
		b.signIn("ben", "ben-likes-dex", "allow")
	})

	t.Run("somebody else can log in at the consent page", func(t *testing.T) {
		b := toLogin(t)
		b.signIn("ann", "ann-likes-dex", "switch")
		b.click("switch", "password")
		b.signIn("ben", "ben-likes-dex", "allow")
		if b.text("#user") != "Ben Beispiel" {
			t.Errorf("the consent page greets %q", b.text("#user"))
		}
		b.click("allow", "claims")
		if got := b.claim("claims", "name"); got != "Ben Beispiel" {
			t.Errorf("the application knows %q", got)
		}
	})

	t.Run("the keyboard is enough", func(t *testing.T) {
		b := toLogin(t)
		b.do(chromedp.KeyEvent("ann\tann-likes-dex\r"))
		b.await("allow")
		// Return alone gives nothing away.
		b.do(chromedp.Focus(chromedp.ID("remember")), chromedp.KeyEvent("\r"))
		b.await("error-detail")
	})
}

// toLogin starts a demo and goes to its login page.
func toLogin(t *testing.T) *tab {
	t.Helper()
	_, app := startDemo(t)
	b := newTab(t, desktop)
	b.app = app
	b.open(app)
	b.click("log-in", "password")
	return b
}

func TestTheHomePageLeadsToTheDemoAndOut(t *testing.T) {
	dex, _ := startDemo(t)
	b := newTab(t, desktop)
	b.open(dex.URL)
	if b.text("#issuer") != dex.URL {
		t.Errorf("the home page calls itself %q", b.text("#issuer"))
	}
	b.click("demo", "log-in")
	b.click("log-in", "password")
	b.signIn("ann", "ann-likes-dex", "allow")
	b.click("allow", "claims")

	b.open(dex.URL)
	if b.text("#user") != "Ann Example" {
		t.Errorf("the home page knows %q", b.text("#user"))
	}
	b.click("logout", "confirm-logout")
	b.click("home", "logout") // she stays
	b.click("logout", "confirm-logout")
	b.do(chromedp.Click(chromedp.ID("confirm-logout")), chromedp.WaitNotPresent(chromedp.ID("confirm-logout")))
	if got := b.text("h1"); got != "You are signed out" {
		t.Errorf("at the end it says %q", got)
	}
	b.open(dex.URL)
	if ask[bool](b, `document.getElementById("user") !== null`) {
		t.Error("the home page still knows her")
	}
}
