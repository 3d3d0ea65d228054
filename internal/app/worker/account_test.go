package worker_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/user"
)

// chosen is a password that nobody minds.
const chosen = "violet rope climbs gently"

// newcomer makes somebody who has a login name and no password, and returns their id.
func newcomer(t *testing.T, s *workertest.Server) string {
	t.Helper()
	profile := user.Profile{Username: "zoe", Email: "zoe@example.com", EmailVerified: true, Name: "Zoe New"}
	u, err := s.Tenant.CreateUser(t.Context(), user.New{
		User:      user.User{Username: "zoe", Email: "zoe@example.com", EmailVerified: true, Name: "Zoe New"},
		ManagedBy: "api", Local: user.Local{ConnectorID: "local", LoginNames: []string{"zoe", "zoe@example.com"}, Profile: profile},
	}, audit.By{At: s.Clock.Now()})
	must(t, err)
	return u.ID
}

// linkFor makes a link for somebody.
func linkFor(t *testing.T, s *workertest.Server, id string, p user.Purpose) string {
	t.Helper()
	l, value := user.NewLink(p, id, s.Clock.Now())
	must(t, s.Tenant.CreateLink(t.Context(), l, nil, audit.By{At: s.Clock.Now()}))
	return "/account/password?link=" + string(value)
}

// choose fills in the page.
func choose(t *testing.T, b *workertest.Browser, page *workertest.Answer, password string) *workertest.Answer {
	t.Helper()
	return b.Submit(page.Form(t, "password"), "password", password, "again", password)
}

func TestSomebodyChoosesAPasswordByALink(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	id := newcomer(t, s)
	link := linkFor(t, s, id, user.Invite)
	b := s.Browser(t)

	a := b.Get(link)
	if to := a.Header.Get("Location"); a.Status != http.StatusSeeOther || strings.Contains(to, "dxl_") || !strings.Contains(to, "attempt=") {
		t.Fatalf("the secret stays in the address: %d to %s", a.Status, to)
	}
	if got := a.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("whatever the link leads to may hear of it: %q", got)
	}
	page := b.Follow(a)
	if page.Status != http.StatusOK || strings.Contains(page.Body, "dxl_") || page.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s %s", page.Status, page.Header, page.Body)
	}
	for _, weak := range []struct{ first, second string }{
		{"short", "short"}, {"password2024!", "password2024!"}, {"zoe@example.com", "zoe@example.com"}, {chosen, chosen + "."}, {"", ""},
	} {
		a := b.Submit(page.Form(t, "password"), "password", weak.first, "again", weak.second)
		if a.Status != http.StatusUnprocessableEntity || !a.Has("problem") || weak.first != "" && strings.Contains(a.Body, `value="`+weak.first) {
			t.Errorf("%q: %d %s", weak.first, a.Status, a.Body)
		}
	}
	done := b.Follow(choose(t, b, page, chosen))
	if done.Status != http.StatusOK || done.Has("password") || !done.Has("home") {
		t.Fatalf("%d %s", done.Status, done.Body)
	}
	if len(b.Cookies("dex_link_")) != 0 {
		t.Error("the browser keeps the link")
	}
	app := s.Client(t, "app")
	if a := b.SignIn(b.Get(app.Authorize()), "zoe", chosen); a.Param("code") == "" {
		t.Errorf("the password does not let them in: %d %s", a.Status, a.Body)
	}
	for _, again := range []*workertest.Browser{b, s.Browser(t)} {
		if a := again.Follow(again.Get(link)); a.Status != http.StatusGone || a.Has("password") {
			t.Errorf("a used link: %d %s", a.Status, a.Body)
		}
	}
}

func TestANewPasswordByALinkEndsWhatCameOfTheOldOne(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	id := newcomer(t, s)
	first := s.Browser(t)
	choose(t, first, first.Follow(first.Get(linkFor(t, s, id, user.Invite))), chosen)
	s.Clock.Advance(time.Second)
	app := s.Client(t, "app")
	tokens := app.Redeem(first.SignIn(first.Get(app.Authorize("scope", "openid offline_access")), "zoe", chosen).Param("code"))
	if !app.Active(tokens.AccessToken) {
		t.Fatal("the token never counted")
	}
	s.Clock.Advance(time.Second)
	b := s.Browser(t)
	if a := b.Follow(choose(t, b, b.Follow(b.Get(linkFor(t, s, id, user.Reset))), "seven blue ravens sing")); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if app.Active(tokens.AccessToken) || app.Refresh(tokens.RefreshToken).Status == http.StatusOK || signedIn(t, s, first) {
		t.Error("what came of the old password counts still")
	}
	if a := first.SignIn(first.Get(app.Authorize()), "zoe", chosen); a.Param("code") != "" {
		t.Error("the old password lets somebody in")
	}
}

func TestALinkThatDoesNotCountLeadsOn(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	id := newcomer(t, s)
	by := audit.By{At: s.Clock.Now()}
	open := func() *workertest.Answer {
		b := s.Browser(t)
		return b.Follow(b.Get(linkFor(t, s, id, user.Reset)))
	}
	for _, bad := range []string{
		"?link=", "?link=dxl_short", "?link=dxc_" + strings.Repeat("A", 52), "?link=" + string(secret.New(secret.LinkPrefix)), "", "?attempt=x", "?attempt=" + strings.Repeat("0", 34),
	} {
		b := s.Browser(t)
		if a := b.Follow(b.Get("/account/password" + bad)); a.Status != http.StatusGone || a.Has("password") || !a.Has("home") {
			t.Errorf("%q: %d %s", bad, a.Status, a.Body)
		}
	}
	old := linkFor(t, s, id, user.Reset)
	if a := open(); a.Status != http.StatusOK {
		t.Errorf("a newer one: %d", a.Status)
	}
	b := s.Browser(t)
	if a := b.Follow(b.Get(old)); a.Status != http.StatusGone {
		t.Errorf("one that was replaced: %d", a.Status)
	}
	expired := linkFor(t, s, id, user.Reset)
	page := b.Follow(b.Get(expired))
	s.Clock.Advance(time.Hour)
	if a := choose(t, b, page, chosen); a.Status != http.StatusGone {
		t.Errorf("one that expired while the page was open: %d", a.Status)
	}
	page = open()
	must(t, s.Tenant.DisableUser(t.Context(), id, by))
	if a := choose(t, b, page, chosen); a.Status == http.StatusSeeOther {
		t.Errorf("somebody who is disabled: %d", a.Status)
	}
	must(t, s.Tenant.EnableUser(t.Context(), id, by))
	l := linkFor(t, s, id, user.Reset)
	page = b.Follow(b.Get(l))
	must(t, s.Tenant.DisableUser(t.Context(), id, by))
	if a := choose(t, b, page, chosen); a.Status != http.StatusGone {
		t.Errorf("somebody who is disabled: %d %s", a.Status, a.Body)
	}
	must(t, s.Tenant.EnableUser(t.Context(), id, by))
	if a := choose(t, b, b.Follow(b.Get(l)), chosen); a.Status != http.StatusSeeOther {
		t.Errorf("an untimely attempt burned the link: %d %s", a.Status, a.Body)
	}
}

func TestNobodyElseSetsAPasswordByALink(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	id := newcomer(t, s)
	b := s.Browser(t)
	page := b.Follow(b.Get(linkFor(t, s, id, user.Reset)))
	form := page.Form(t, "password")
	values := url.Values{"attempt": {form.Values.Get("attempt")}, "csrf": {form.Values.Get("csrf")}, "password": {chosen}, "again": {chosen}}
	if a := b.CrossPost(form.Action, values); a.Status != http.StatusForbidden {
		t.Errorf("from another site: %d", a.Status)
	}
	if a := b.Submit(form, "csrf", "guess", "password", chosen, "again", chosen); a.Status != http.StatusForbidden {
		t.Errorf("with another's form: %d", a.Status)
	}
	stranger := s.Browser(t)
	if a := stranger.Post(form.Action, values); a.Status != http.StatusGone {
		t.Errorf("from another browser: %d", a.Status)
	}
	if a := choose(t, b, page, chosen); a.Status != http.StatusSeeOther {
		t.Errorf("the owner: %d %s", a.Status, a.Body)
	}
}

func TestALinkIsUsedOnceHoweverManyFormsAreSentAtOnce(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	link := linkFor(t, s, newcomer(t, s), user.Invite)
	var set sync.WaitGroup
	outcomes := make(chan int, 8)
	var sends []func() int
	for range 8 {
		b := s.Browser(t)
		page := b.Follow(b.Get(link))
		sends = append(sends, func() int { return choose(t, b, page, chosen).Status })
	}
	for _, send := range sends {
		set.Go(func() { outcomes <- send() })
	}
	set.Wait()
	close(outcomes)
	count := map[int]int{}
	for status := range outcomes {
		count[status]++
	}
	if count[http.StatusSeeOther] != 1 || count[http.StatusGone] != 7 {
		t.Errorf("outcomes: %v", count)
	}
}

func TestNoLogHasALink(t *testing.T) {
	var log bytes.Buffer
	s := workertest.Start(t, workertest.Options{Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	link := linkFor(t, s, newcomer(t, s), user.Reset)
	b := s.Browser(t)
	choose(t, b, b.Follow(b.Get(link)), chosen)
	b.Follow(b.Get(link))
	if text := log.String(); strings.Contains(text, "dxl_") || strings.Contains(text, chosen) || !strings.Contains(text, "/account/password") {
		t.Errorf("the log: %s", text)
	}
}
