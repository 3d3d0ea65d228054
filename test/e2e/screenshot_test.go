package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"dex/examples/app"
)

// maxPicture keeps the repository small.
const maxPicture = 120 << 10

// looks are how each page is taken, by what is added to its name.
var looks = map[string]look{
	"":       {width: 1000, height: 720},
	"-dark":  {width: 1000, height: 720, dark: true},
	"-phone": {width: 360, height: 720},
}

// TestScreenshots goes past every page. With DEX_SCREENSHOTS it leaves a picture
// of each in the folder of that name; make docs does so for the README.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("DEX_SCREENSHOTS")
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for suffix, look := range looks {
		t.Run("look"+suffix, func(t *testing.T) {
			c := camera{tab: newTab(t, look), look: look, suffix: suffix, dir: dir}
			dex := newSite(t)
			notes := serveApp(t, func(url string) app.Config {
				dex.configure(portrait(url))
				dex.start()
				return app.Config{Issuer: dex.url, ClientID: "notes", ClientSecret: "notes-secret", BaseURL: url}
			})
			c.walk(dex.url, notes)
		})
	}
}

// portrait is a dex as a small company has it.
func portrait(notes string) string {
	return fmt.Sprintf(`
name: Example Ltd.
connectors:
  - {id: local, kind: local, name: Password}
  - id: partner
    kind: oidc
    name: Partner Inc.
    config: {issuer: "https://accounts.partner.example", client_id: example, client_secret: example-secret}
users:
  - {id: ann, username: ann, email: ann@example.com, email_verified: true, name: Ann Archer, groups: [admins, staff], password: ann-likes-dex}
clients:
  - id: notes
    name: Notes
    secret: notes-secret
    redirect_uris: ["%[1]s%[2]s"]
    post_logout_redirect_uris: ["%[1]s%[3]s"]
    policy_url: https://notes.example.com/privacy
    terms_url: https://notes.example.com/terms
  - id: television
    name: Television
    public: true
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code"]
    scopes: [openid, profile]
`, notes, app.CallbackPath, app.LoggedOutPath)
}

// camera takes a picture of each page that its tab comes to.
type camera struct {
	*tab
	look        look
	suffix, dir string
}

func (c camera) take(name string) {
	c.t.Helper()
	if c.dir == "" {
		return
	}
	// As high as the page, within reason, and back again.
	c.do(chromedp.EmulateViewport(c.look.width, min(max(c.look.height, ask[int64](c.tab, `document.documentElement.scrollHeight`)), 960)))
	defer c.do(chromedp.EmulateViewport(c.look.width, c.look.height))
	picture, err := chromedp.Run(c.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		c.t.Fatal(err)
	}
	if len(picture) > maxPicture {
		c.t.Errorf("the picture of %s has %d bytes", name, len(picture))
	}
	if err := os.WriteFile(filepath.Join(c.dir, name+c.suffix+".png"), picture, 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// walk goes from the application through every page and out again.
func (c camera) walk(dex, notes string) {
	c.t.Helper()
	c.open(dex)
	c.await("issuer")
	c.take("home")

	c.open(notes)
	c.await("log-in")
	c.take("app-start")
	c.click("log-in", "connector-local")
	c.take("chooser")
	c.click("connector-local", "password")
	c.take("login")
	c.signIn("ann@example.com", "not my password", "problem")
	c.take("login-wrong")
	c.signIn("ann@example.com", "ann-likes-dex", "allow")
	c.take("consent")
	c.click("allow", "claims")
	c.take("app-account")

	c.device(dex)

	c.open(dex)
	c.await("user")
	c.take("home-signed-in")
	c.click("logout", "confirm-logout")
	c.take("logout-confirm")
	c.click("home", "user")

	c.open(notes)
	c.await("log-out")
	c.click("log-out", "logged-out-everywhere")
	c.take("app-logged-out")
	c.open(dex + "/logout")
	c.do(chromedp.WaitVisible(chromedp.CSS("h1")))
	c.take("logout-done")
	c.open(dex + "/authorize?client_id=notes&redirect_uri=https://elsewhere.example.com")
	c.await("support-code")
	c.take("error")
}

// device lets a device in.
func (c camera) device(dex string) {
	c.t.Helper()
	answer, err := http.PostForm(dex+"/device_authorization", url.Values{"client_id": {"television"}, "scope": {"openid profile"}})
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var waits struct {
		Page string `json:"verification_uri_complete"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&waits); err != nil || waits.Page == "" {
		c.t.Fatalf("the device is told nothing: %d, %v", answer.StatusCode, err)
	}
	c.open(waits.Page)
	c.await("user_code")
	c.take("device-enter")
	c.click("submit", "warning")
	c.take("device-confirm")
	c.click("allow", "answered")
	c.take("device-approved")
}
