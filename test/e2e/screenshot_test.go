package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"dex/examples/app"
	"dex/internal/domain/role"
	"dex/test/program"
)

// maxPicture keeps the repository small.
const maxPicture = 120 << 10

// How high a picture is at most: as one looks at it in a page, or the whole of a long one.
const (
	high = 960
	tall = 1280
)

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
			dex, admin := newSite(t), program.FreeAddress(t)
			notes := serveApp(t, func(url string) app.Config {
				dex.configure(portrait(url))
				start(t, dex.url, "--config", dex.file, "--db", dex.db, "--admin-listen", admin)
				return app.Config{Issuer: dex.url, ClientID: "notes", ClientSecret: "notes-secret", BaseURL: url}
			})
			c.walk(dex.url, notes)
			c.account(helpdesk{t, dex.url, "http://" + admin + "/api/v1"})
		})
	}
}

// portrait is a dex as a small company has it.
func portrait(notes string) string {
	return fmt.Sprintf(`
name: Example Ltd.
authorization_details_types: [payment_initiation]
connectors:
  - {id: local, kind: local, name: Password}
  - id: partner
    kind: oidc
    name: Partner Inc.
    config: {issuer: "https://accounts.partner.example", client_id: example, client_secret: example-secret}
users:
  - {id: ann, username: ann, email: ann@example.com, email_verified: true, name: Ann Archer, groups: [admins, staff], role: owner, password: ann-likes-dex}
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
  - id: console
    name: Console
    public: true
    trusted: true
    redirect_uris: ["%[1]s%[2]s"]
    scopes: [openid, profile, email, groups, "%[4]s"]
  - id: bank
    name: Example Bank
    secret: bank-secret
    auth_method: client_secret_post
    redirect_uris: ["%[1]s%[2]s"]
    grant_types: [authorization_code, "urn:openid:params:grant-type:ciba"]
    ciba_mode: poll
    scopes: [openid, profile]
    resources: ["https://payments.example.com/"]
    authorization_details_types: [payment_initiation]
  - {id: helpdesk, name: Helpdesk, secret: helpdesk-secret, auth_method: client_secret_post, trusted: true, grant_types: [client_credentials], scopes: ["%[5]s", "%[6]s"]}
`, notes, app.CallbackPath, app.LoggedOutPath, strings.Join(role.All(), `", "`), role.Links, role.Write(role.Users))
}

// camera takes a picture of each page that its tab comes to.
type camera struct {
	*tab
	look        look
	suffix, dir string
}

func (c camera) take(name string) { c.t.Helper(); c.takeUpTo(high, name) }

func (c camera) takeUpTo(height int64, name string) {
	c.t.Helper()
	if c.dir == "" {
		return
	}
	// As high as the page, within reason, and back again.
	c.do(chromedp.EmulateViewport(c.look.width, min(max(c.look.height, ask[int64](c.tab, `document.documentElement.scrollHeight`)), height)))
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

	c.open(dex + "/authorize?" + url.Values{
		"client_id": {"console"}, "redirect_uri": {notes + app.CallbackPath}, "response_type": {"code"}, "prompt": {"consent"},
		"scope": {"openid profile email " + role.All().String()}, "code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"},
	}.Encode())
	c.await("allow")
	c.takeUpTo(tall, "consent-administrator")

	c.open(dex + "/authorize?" + url.Values{
		"client_id": {"bank"}, "redirect_uri": {notes + app.CallbackPath}, "response_type": {"code"}, "scope": {"openid profile"},
		"code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"}, "resource": {"https://payments.example.com/"},
		"authorization_details": {`[{"type": "payment_initiation", "amount": {"currency": "EUR", "value": "123.50"}, "creditor": {"name": "Merchant Ltd.", "iban": "DE02100100109307118603"}}]`},
	}.Encode())
	c.await("allow")
	c.takeUpTo(tall, "consent-payment")

	c.device(dex)
	c.approvals(dex)

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

// device lets a device in, and turns another away.
func (c camera) device(dex string) {
	c.t.Helper()
	c.open(dex + "/device")
	c.await("user_code")
	c.fill("user_code", "BCDF-GHJK")
	c.click("submit", "problem")
	c.take("device-wrong")
	for _, says := range []struct{ answer, page string }{{"deny", "device-denied"}, {"allow", "device-approved"}} {
		c.open(waiting(c.t, dex))
		c.await("user_code")
		c.take("device-enter")
		c.click("submit", "warning")
		c.take("device-confirm")
		c.click(says.answer, "answered")
		c.take(says.page)
	}
}

// approvals answers what an application asks by the back channel.
func (c camera) approvals(dex string) {
	c.t.Helper()
	c.open(dex + "/approvals")
	c.await("none")
	c.take("approvals-none")
	for _, says := range []struct{ answer, page string }{{"deny", "approvals-denied"}, {"allow", "approvals-approved"}} {
		var asked struct {
			ID string `json:"auth_req_id"`
		}
		post(c.t, dex+"/backchannel_authentication", url.Values{
			"client_id": {"bank"}, "client_secret": {"bank-secret"}, "scope": {"openid profile"}, "login_hint": {"ann@example.com"}, "binding_message": {"W4SCT"},
		}, &asked)
		if asked.ID == "" {
			c.t.Fatal("the application is told nothing")
		}
		c.open(dex + "/approvals")
		c.await("look-0")
		c.take("approvals")
		c.click("look-0", "warning")
		c.take("approvals-confirm")
		c.click(says.answer, "answered")
		c.take(says.page)
	}
}

// waiting has a device wait for somebody, and returns where they go.
func waiting(t testing.TB, dex string) string {
	t.Helper()
	var waits struct {
		Page string `json:"verification_uri_complete"`
	}
	post(t, dex+"/device_authorization", url.Values{"client_id": {"television"}, "scope": {"openid profile"}}, &waits)
	if waits.Page == "" {
		t.Fatal("the device is told nothing")
	}
	return waits.Page
}

// account goes past the pages on which somebody chooses a password.
func (c camera) account(help helpdesk) {
	c.t.Helper()
	var ben struct {
		ID string `json:"id"`
	}
	help.ask("/users", `{"username": "ben", "email": "ben@example.com", "name": "Ben Baker"}`, &ben)
	var invitation, reset struct {
		URL string `json:"url"`
	}
	help.ask("/users/"+ben.ID+"/invite", "", &invitation)
	c.open(invitation.URL)
	c.await("again")
	c.take("account-invite")
	c.fill("password", "a meadow at noon", "again", "a meadow at night")
	c.click("submit", "problem")
	c.take("account-problem")
	c.fill("password", "a meadow at noon", "again", "a meadow at noon")
	c.click("submit", "home")
	c.take("account-done")
	c.open(invitation.URL)
	c.await("home")
	c.take("account-over")
	help.ask("/users/"+ben.ID+"/reset", "", &reset)
	c.open(reset.URL)
	c.await("again")
	c.take("account-reset")
}

// helpdesk is a program that may make people and send them links.
type helpdesk struct {
	t        testing.TB
	dex, api string
}

// ask asks the administrators' API.
func (h helpdesk) ask(path, body string, into any) {
	h.t.Helper()
	var token struct {
		Value string `json:"access_token"`
	}
	post(h.t, h.dex+"/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"helpdesk"}, "client_secret": {"helpdesk-secret"}, "scope": {role.Links + " " + role.Write(role.Users)},
	}, &token)
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.api+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token.Value)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	send(h.t, req, into)
}

// post posts a form, and reads the answer.
func post(t testing.TB, address string, form url.Values, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	send(t, req, into)
}

// send sends a request, and reads the answer.
func send(t testing.TB, req *http.Request, into any) {
	t.Helper()
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s answers %d: %s (%v)", req.URL.Path, answer.StatusCode, body, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%s: %s: %v", req.URL.Path, body, err)
	}
}
