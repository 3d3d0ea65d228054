package worker_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
)

// Whoever keeps the cookie of an attempt and puts it back when the attempt has been
// answered must not get another code for it, least of all one that says that the
// person has just logged in.
func TestAFinishedAttemptLeadsToNothingMore(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c, b := s.Client(t, "app"), s.Browser(t)
	page := b.Follow(b.Get(c.Authorize("prompt", "login")))
	a := b.Submit(page.Form(t, "password"), "login", "ann", "password", workertest.Password)
	kept := b.Cookies("dex_attempt_")
	if len(kept) != 1 {
		t.Fatalf("there are %d attempts", len(kept))
	}
	cookie := *kept[0]
	resume := a.Location().String()
	if code := b.Get(resume).Param("code"); code == "" {
		t.Fatal("there is no code at all")
	}
	s.Clock.Advance(5 * time.Minute)
	b.SetCookie(&cookie)
	again := b.Get(resume)
	if again.Param("code") != "" || again.Status < 400 {
		t.Errorf("the finished attempt gives another answer: %d %s", again.Status, again.Header.Get("Location"))
	}
	if !again.Has("start-again") {
		t.Error("the page is a dead end")
	}
}

// A sender may bring as many cookies as a header holds. Answering them must be no
// work, and no long answer.
func TestAThousandCookiesAreNoWork(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	for name, cookies := range map[string]func(i int) string{
		"attempts":       func(i int) string { return fmt.Sprintf("%s%034d=", attemptPrefix(t, s), i) },
		"short ones":     func(i int) string { return fmt.Sprintf("%s%d=", attemptPrefix(t, s), i) },
		"the same again": func(i int) string { return fmt.Sprintf("%s%d=", attemptPrefix(t, s), i/2) },
	} {
		t.Run(name, func(t *testing.T) {
			var line strings.Builder
			for i := 0; line.Len() < 56<<10; i++ {
				line.WriteString(cookies(i) + "; ")
			}
			for _, path := range []string{c.Authorize(), "/login", "/keys"} {
				// No browser: it would never send so much.
				r := httptest.NewRequest(http.MethodGet, s.URL+path, nil)
				r.Header.Set("Cookie", line.String())
				w := httptest.NewRecorder()
				s.Worker.Handler().ServeHTTP(w, r)
				if n := len(w.Header()["Set-Cookie"]); n > 40 {
					t.Errorf("%s: the answer sets %d cookies", path[:5], n)
				}
			}
		})
	}
}

// attemptPrefix is what the names of attempts' cookies begin with at a server.
func attemptPrefix(t *testing.T, s *workertest.Server) string {
	t.Helper()
	b := s.Browser(t)
	b.Get(s.Client(t, "app").Authorize())
	for _, c := range b.Cookies("dex_attempt_") {
		name, _, _ := strings.Cut(c.Name, "dex_attempt_")
		return name + "dex_attempt_"
	}
	t.Fatal("no attempt was begun")
	return ""
}

// Somebody whose provider says that they logged in there before the epoch has still
// proven who they are after it: they get in, and are not sent round in circles.
func TestAnEpochDoesNotSendPeopleRoundInCircles(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c, b := s.Client(t, "app"), s.Browser(t)
	c.Code(b)
	s.Clock.Advance(time.Minute)
	if err := s.Tenant.SetTenantNotBefore(t.Context(), s.Clock.Now(), audit.By{At: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(time.Minute)
	// The session of before the epoch asks for a login, and the next one counts.
	page := b.Follow(b.Get(c.Authorize()))
	if !page.Has("password") {
		t.Fatalf("a session of before the epoch answers: %d %s", page.Status, page.Header.Get("Location"))
	}
	if a := b.SignIn(page, "ann", workertest.Password); a.Param("code") == "" {
		t.Errorf("after the epoch nobody gets in: %d %s", a.Status, a.Header.Get("Location"))
	}
	if a := b.Get(c.Authorize("prompt", "none")); a.Status != http.StatusSeeOther || a.Param("code") == "" {
		t.Errorf("the new session does not answer: %s", a.Header.Get("Location"))
	}
}
