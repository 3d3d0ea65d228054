package worker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dex/internal/app/config"
	"dex/internal/app/worker"
	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/seal"
	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/store"
	"dex/internal/store/storetest"
)

// told is a server whose database another program can open, to tell stories of it.
type told struct {
	t        *testing.T
	s        *workertest.Server
	up       *workertest.Upstream
	settings *config.Settings
}

func newTold(t *testing.T) *told {
	t.Helper()
	up, clk := &workertest.Upstream{}, &clock.Fake{}
	o := workertest.Options{Kinds: up.Kinds(), Config: workertest.UpstreamConfig, Clock: clk}
	settings := workertest.Settings(t, "http://127.0.0.1:1", o)
	keySecret, err := seal.ParseSecret(string(settings.KeySecrets[0]))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.NewRing(keySecret)
	if err != nil {
		t.Fatal(err)
	}
	options := []storetest.Option{storetest.WithClock(clk), storetest.WithKeys(ring)}
	if o.DB = storetest.Open(t, options...); storetest.URL(t, o.DB) == "sqlite::memory:" {
		o.DB = storetest.OpenFile(t, options...)
	}
	settings.DB = config.Database(storetest.URL(t, o.DB))
	return &told{t: t, s: workertest.Start(t, o), up: up, settings: settings}
}

// explain tells the story of the only attempt, and checks the parts that it must
// have in their order.
func (d *told) explain(parts ...string) string {
	d.t.Helper()
	var code string
	err := store.Raw(d.s.DB).QueryRowContext(d.t.Context(), `
		SELECT support_code FROM traces UNION SELECT support_code FROM grants`).Scan(&code)
	if err != nil {
		d.t.Fatal(err)
	}
	var out strings.Builder
	if err := worker.Explain(d.t.Context(), d.settings, " "+strings.ToLower(code)+"\n", &out); err != nil {
		d.t.Fatal(err)
	}
	story, rest := out.String(), out.String()
	for _, part := range append([]string{"Attempt " + code}, parts...) {
		_, after, found := strings.Cut(rest, part)
		if !found {
			d.t.Fatalf("the story does not say %q, or not there:\n%s", part, story)
		}
		rest = after
	}
	for _, never := range []string{workertest.Password, "wrong-password", "dxc_", "dxr_", "dxs_", "upstream-refresh-token"} {
		if strings.Contains(story, never) {
			d.t.Errorf("the story tells %q:\n%s", never, story)
		}
	}
	return story
}

func TestTheStoryOfALogin(t *testing.T) {
	d := newTold(t)
	app := d.s.Client(t, "app")
	b := d.s.Browser(t)
	at := b.Follow(b.Get(app.Authorize("connector_id", "local")))
	d.s.Clock.Advance(1500 * time.Millisecond)
	tokens := app.Redeem(b.SignIn(at, "ann", workertest.Password).Param("code"))
	d.explain(
		"began 2026-01-01 12:00:00.000Z", "0s  request    app asks for openid profile email offline_access",
		"1.5s  connector  local: password right", "account    usr_ann", "gate       open",
		"Grant gra_", "client app, account usr_ann, scopes openid profile email offline_access", "code issued", "code redeemed",
	)
	if strings.Contains(d.explain(), "refreshed") {
		t.Error("nothing was refreshed yet")
	}
	d.s.Clock.Advance(time.Minute)
	tokens = app.Refresh(tokens.RefreshToken)
	d.explain("code redeemed", "2026-01-01 12:01:01.500Z  refreshed, 1 time so far\n")
	tokens = app.Refresh(tokens.RefreshToken)
	d.explain("code redeemed", "refreshed, 2 times so far\n")
	app.Revoke(tokens.RefreshToken)
	d.explain("refreshed, 2 times so far", "revoked: token.revoked")
}

func TestTheStoryOfAWrongPassword(t *testing.T) {
	d := newTold(t)
	b := d.s.Browser(t)
	at := b.Follow(b.Get(d.s.Client(t, "app").Authorize("connector_id", "local")))
	if a := b.SignIn(at, "ann", "wrong-password"); a.Status != http.StatusUnprocessableEntity {
		t.Fatalf("a wrong password: %d", a.Status)
	}
	story := d.explain("request    app asks for", "connector  local: password wrong or nobody of that name", "Nothing was granted.")
	if strings.Contains(story, "ann") {
		t.Errorf("the story tells what was typed:\n%s", story)
	}
}

func TestTheStoryOfARefusalByTheGate(t *testing.T) {
	d := newTold(t)
	// Whoever comes from elsewhere is in no group that this client is for.
	if a := d.s.Client(t, "admins").LoginBy(d.s.Browser(t), "zoe"); a.Param("error") != "access_denied" {
		t.Fatalf("got %d %s", a.Status, a.Header.Get("Location"))
	}
	d.explain("connector  elsewhere: vouched for", "account    usr_", "gate       "+string(grantGroupNotAllowed), "answer     access_denied", "Nothing was granted.")
}

// grantGroupNotAllowed is how the gate says it.
const grantGroupNotAllowed = "the person is in none of the client's groups"

func TestTheStoryOfALoginThatIsRefused(t *testing.T) {
	d := newTold(t)
	app := d.s.Client(t, "app")
	b := d.s.Browser(t)
	away := b.Follow(b.Get(app.Authorize("connector_id", "elsewhere")))
	if err := d.s.Tenant.DisableTenant(t.Context(), audit.By{At: d.s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	a := b.Arrive(t, away, "zoe")
	if a.Status != http.StatusForbidden {
		t.Fatalf("got %d", a.Status)
	}
	story := d.explain("vouched for", "account    refused: open a session: the tenant is disabled", "Nothing was granted.")
	// The person has the code on the page, and can tell it to whoever asks.
	if code := regexp.MustCompile(`Attempt (\S+)`).FindStringSubmatch(story)[1]; !strings.Contains(a.Body, code) {
		t.Errorf("the page does not show %s", code)
	}
}

func TestTheStoryOfAProviderThatFails(t *testing.T) {
	d := newTold(t)
	d.up.Arrive = func(context.Context, string) (connector.Step, error) {
		return connector.Step{}, errors.New("token endpoint: 502 \x1b[31mBad\r\n Gateway" + strings.Repeat(" and so on", 1000))
	}
	a := d.s.Client(t, "app").LoginBy(d.s.Browser(t), "zoe")
	if a.Status != http.StatusServiceUnavailable {
		t.Fatalf("got %d", a.Status)
	}
	if strings.Contains(a.Body, "502") {
		t.Errorf("the page tells what is none of the person's business:\n%s", a.Body)
	}
	story := d.explain("connector  elsewhere failed: token endpoint: 502", "Nothing was granted.")
	if strings.ContainsAny(story, "\x1b\r") || len(story) > 1000 {
		t.Errorf("the story is not made fit for a terminal:\n%q", story)
	}
}

func TestTheStoryOfSomebodyWhoWasTurnedDown(t *testing.T) {
	d := newTold(t)
	d.up.Arrive = func(context.Context, string) (connector.Step, error) {
		return connector.Step{}, fmt.Errorf("%w: access_denied", connector.ErrRefused)
	}
	if a := d.s.Client(t, "app").LoginBy(d.s.Browser(t), "zoe"); a.Param("error") != "access_denied" {
		t.Fatalf("got %d %s", a.Status, a.Header.Get("Location"))
	}
	d.explain("connector  elsewhere: the login was refused: access_denied", "answer     access_denied", "Nothing was granted.")
}

// One attempt is told in bounds, however often somebody tries, and the first steps
// of it are not lost.
func TestAStoryIsBounded(t *testing.T) {
	d := newTold(t)
	d.up.Arrive = func(context.Context, string) (connector.Step, error) {
		return connector.Step{}, errors.New(strings.Repeat("it does not work, ", 100))
	}
	b := d.s.Browser(t)
	at := b.Follow(b.Get(d.s.Client(t, "app").Authorize("connector_id", "elsewhere")))
	for range 100 {
		failed := b.Arrive(t, at, "zoe")
		if to := regexp.MustCompile(`href="(/login\?attempt=[^"]+)"`).FindStringSubmatch(failed.Body); to != nil {
			at = b.Follow(b.Get(to[1]))
		} else {
			t.Fatalf("got %d, and no way to start again:\n%s", failed.Status, failed.Body)
		}
	}
	story := d.explain("request    app asks for", "connector  elsewhere failed: it does not work")
	if n := strings.Count(story, "\n"); n < audit.MaxSteps || len(story) > 20<<10 {
		t.Errorf("a story of %d lines and %d bytes", n, len(story))
	}
}

func TestThereIsNoStoryOfWhatNobodyKnows(t *testing.T) {
	d := newTold(t)
	var out strings.Builder
	err := worker.Explain(t.Context(), d.settings, "NOPE-NOPE-NO", &out)
	if !fault.Is(err, fault.NotFound) || out.Len() > 0 {
		t.Errorf("got %v %q", err, out.String())
	}
}

func TestExplainMakesNoDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mistyped.db")
	s := workertest.Settings(t, "http://127.0.0.1:5556", workertest.Options{})
	s.DB, s.KeySecrets = config.Database("sqlite:"+file), nil
	if err := worker.Explain(t.Context(), s, "K7QX-9WDM-3T", io.Discard); err == nil {
		t.Error("a database that is not there was read")
	}
	if made, _ := filepath.Glob(file + "*"); len(made) > 0 {
		t.Errorf("explain has made %v", made)
	}
}
