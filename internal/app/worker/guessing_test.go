package worker_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dex/internal/app/config"
	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
)

// guesser tries passwords without ever being let in.
type guesser struct {
	t    *testing.T
	s    *workertest.Server
	b    *workertest.Browser
	form workertest.Form
}

func newGuesser(t *testing.T, s *workertest.Server) *guesser {
	g := &guesser{t: t, s: s, b: s.Browser(t)}
	g.begin()
	return g
}

// begin begins a new attempt: one is good for half an hour.
func (g *guesser) begin() {
	g.form = g.b.Follow(g.b.Get(g.s.Client(g.t, "app").Authorize())).Form(g.t, "password")
}

func (g *guesser) guess(login, password string) *workertest.Answer {
	a := g.b.Submit(g.form, "login", login, "password", password)
	if a.Status == http.StatusNotFound {
		g.begin()
		a = g.b.Submit(g.form, "login", login, "password", password)
	}
	return a
}

// wait returns how long an answer asks to wait.
func wait(t *testing.T, a *workertest.Answer) time.Duration {
	t.Helper()
	if a.Status != http.StatusTooManyRequests {
		return 0
	}
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		t.Fatalf("Retry-After is %q", a.Header.Get("Retry-After"))
	}
	return time.Duration(seconds) * time.Second
}

func TestGuessingForAnHourDoesNotKeepTheOwnerOut(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: "trusted_proxies: [127.0.0.0/8]\n"})
	app, owner := s.Client(t, "app"), s.Browser(t)
	app.Code(owner) // the browser is known from now on
	mallory := newGuesser(t, s)
	tried, slowed := 0, 0
	const guesses = 1800 // the connector's own test makes ten thousand
	for i := range guesses {
		switch a := mallory.guess("ann", "guess "+strconv.Itoa(i)); a.Status {
		case http.StatusUnprocessableEntity:
			tried++
		case http.StatusTooManyRequests:
			slowed++
		default:
			t.Fatalf("guess %d: %d", i, a.Status)
		}
		s.Clock.Advance(2 * time.Second)
		if i%600 != 599 {
			continue
		}
		// 1.J 111: in the midst of it the owner logs in at once, as ever.
		if a := owner.SignIn(owner.Get(app.Authorize("prompt", "login")), "ann", workertest.Password); a.Param("code") == "" {
			t.Errorf("after %d guesses the owner is kept out of a browser that is known: %d", i+1, a.Status)
		}
		// And so they do on a new device, in a network in which nobody guesses.
		travelling := s.Browser(t)
		travelling.Header.Set("X-Forwarded-For", "203.0.113.7")
		if a := travelling.SignIn(travelling.Get(app.Authorize()), "ann", workertest.Password); a.Param("code") == "" {
			t.Errorf("after %d guesses the owner is kept out of a new browser in another network: %d", i+1, a.Status)
		}
	}
	if tried > 60+20 || tried < 50 {
		t.Errorf("%d guesses were looked at in an hour, %d were not; want about one a minute", tried, slowed)
	}
	// On a new device in the guesser's network the owner waits for a minute at most.
	stranger := s.Browser(t)
	form := stranger.Follow(stranger.Get(app.Authorize())).Form(t, "password")
	for range 2 {
		a := stranger.Submit(form, "login", "ann", "password", workertest.Password)
		if d := wait(t, a); d == 0 && len(stranger.Cookies("dex_session")) == 1 {
			return
		} else if d > time.Minute {
			t.Fatalf("the owner waits for %v", d)
		} else {
			s.Clock.Advance(d)
		}
	}
	t.Error("the owner is kept out of a new browser")
}

// attemptOf matches what differs from one form to the next.
var attemptOf = regexp.MustCompile(`name="(attempt|csrf)" value="[^"]*"|name="login" type="text" value="[^"]*"|attempt=[0-9a-z]*| autofocus`)

func TestNobodyLearnsWhoHasAnAccount(t *testing.T) {
	// 1.J 110: whatever the name, the answers are the same, the seventh too, which
	// comes too soon.
	s := workertest.Start(t, workertest.Options{})
	if err := s.Tenant.DisableUser(t.Context(), "usr_ben", audit.By{At: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	story := func(login, password string) string {
		s.Clock.Advance(2 * time.Hour) // what others have tried is forgotten
		g := newGuesser(t, s)
		var b strings.Builder
		for range 7 {
			a := g.guess(login, password)
			fmt.Fprintf(&b, "%d %s %s\n%s\n", a.Status, a.Header.Get("Retry-After"), a.Header.Get("Content-Security-Policy"), attemptOf.ReplaceAllString(a.Body, ""))
		}
		return b.String()
	}
	want := story("ann", "wrong")
	if !strings.Contains(want, "422 ") || !strings.Contains(want, "429 ") {
		t.Fatalf("the story of a wrong password: %.400s", want)
	}
	for name, got := range map[string]string{
		"nobody of that name":              story("nobody", "wrong"),
		"a disabled account":               story("ben", "wrong"),
		"a disabled account's password":    story("ben@example.com", workertest.Password),
		"no name at all":                   story("", "wrong"),
		"no password at all":               story("cara", ""),
		"what cannot be a name":            story("dora\u200b\u0430", "wrong"),
		"a very long name":                 story(strings.Repeat("e", 3000), "wrong"),
		"an address that does not exist":   story("nobody@example.com", "wrong"),
		"a name of another kind of letter": story("аnn", "wrong"),
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s is told otherwise: %s", name, diff)
		}
	}
}

func TestNobodyLearnsWhoseAnAddressIs(t *testing.T) {
	// 1.J 110: what was tried under a user name is not told by the answer to a mail
	// address, or whoever asks knows that both are of one account.
	s := workertest.Start(t, workertest.Options{})
	for _, name := range []string{"ann", "nobody"} {
		s.Clock.Advance(2 * time.Hour) // what was tried before is forgotten
		g := newGuesser(t, s)
		var got []int
		for range 6 {
			got = append(got, g.guess(name, "wrong").Status)
		}
		got = append(got, g.guess(name+"@example.com", "wrong").Status)
		if diff := cmp.Diff([]int{422, 422, 422, 422, 422, 429, 422}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAnotherSpellingIsNoFreshStart(t *testing.T) {
	// 1.J 112 and 1.N 176
	s := workertest.Start(t, workertest.Options{})
	for _, spellings := range [][]string{
		{"ann", "ANN", " ann ", "ａｎｎ", "Ann"},
		{"ann@example.com", "ann@EXAMPLE.com", "ANN@example.com", " ann@example.com", "ａnn@example.com"},
	} {
		g := newGuesser(t, s)
		for i, spelling := range spellings {
			if a := g.guess(spelling, "wrong"); a.Status != http.StatusUnprocessableEntity {
				t.Fatalf("guess %d: %d", i, a.Status)
			}
		}
		for _, spelling := range spellings {
			if a := g.guess(spelling, "wrong"); a.Status != http.StatusTooManyRequests {
				t.Errorf("%q is looked at: %d", spelling, a.Status)
			}
		}
	}
}

func TestNamesThatLookAlikeAreOneOrNone(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Bare: true, Config: `
clients:
- {id: app, name: Application, secret: app-secret, redirect_uris: ["https://app.example.com/cb"], trusted: true}
users:
- {id: mike, username: mike, email: mike@example.com, password: "correct horse battery"}
- {id: elke, username: Elke, email: elke@bücher.example, password: "correct horse battery"}
- {id: ivan, username: иван, email: ivan@example.com, password: "correct horse battery"}
`})
	app := s.Client(t, "app")
	for login, want := range map[string]string{
		"mike":                       "usr_mike",
		"MIKE":                       "usr_mike",
		"mi\u212ae":                  "usr_mike", // the Kelvin sign is a k
		"\uff4d\uff49\uff4b\uff45":   "usr_mike", // full width
		"mike@ExAmPlE.cOm":           "usr_mike",
		"  mike\t":                   "usr_mike",
		"mıke":                       "", // the dotless i is a letter of its own
		"mi\u200bke":                 "", // with a space of no width
		"m\u0456ke":                  "", // with a Cyrillic letter
		"mike\u0000":                 "",
		"mike@example.com.":          "",
		"mike@example.com@x.com":     "",
		"\"mike\"@example.com":       "",
		"mike+x@example.com":         "",
		"mike@\u0435xample.com":      "", // with a Cyrillic letter
		"mi\u0301ke":                 "",
		"elke":                       "usr_elke",
		"el\u212ae@BÜCHER.example":   "usr_elke",
		"elke@xn--bcher-kva.example": "usr_elke",
		"ИВАН":                       "usr_ivan",
	} {
		t.Run(fmt.Sprintf("1.N 176 %q", login), func(t *testing.T) {
			b := s.Browser(t)
			a := b.SignIn(b.Get(app.Authorize()), login, workertest.Password)
			got := ""
			if code := a.Param("code"); code != "" {
				got = workertest.Claims(t, app.Redeem(code).IDToken)["sub"].(string)
			}
			if got != want || got == "" && a.Status != http.StatusUnprocessableEntity && a.Status != http.StatusBadRequest {
				t.Errorf("%d, somebody: %q, want %q", a.Status, got, want)
			}
		})
	}
	t.Run("1.N 176 two accounts of one name are not set up", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "dex.yaml")
		text := "no_db: true\nusers:\n- {username: mike, password: x}\n- {username: \"\\uFF4Dike\", password: x}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(config.Source{Environ: []string{config.EnvPrefix + "CONFIG=" + file}})
		if err == nil || !strings.Contains(err.Error(), "users[1].username: users[0] logs in with the same name") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAFloodOfPasswordsIsBoundedAndHurtsNobodyElse(t *testing.T) {
	// 1.J 113. Each comes from a network of its own and asks for an account of its
	// own, so that nothing but the limit on the work itself stands in the way.
	s := workertest.Start(t, workertest.Options{Config: "trusted_proxies: [127.0.0.0/8]\n", Hasher: credential.NewArgon2(0)})
	app := s.Client(t, "app")
	tokens := app.Obtain()
	const many = 300
	guessers := make([]*guesser, many)
	for i := range guessers {
		guessers[i] = newGuesser(t, s)
		guessers[i].b.Header.Set("X-Forwarded-For", fmt.Sprintf("203.%d.%d.1", i/250, i%250))
	}
	var mu sync.Mutex
	statuses := map[int]int{}
	var flood sync.WaitGroup
	for i, g := range guessers {
		flood.Go(func() {
			a := g.guess(fmt.Sprint("user", i), "wrong")
			mu.Lock()
			defer mu.Unlock()
			statuses[a.Status]++
			if a.Status == http.StatusTooManyRequests {
				if d := wait(t, a); d > time.Minute {
					t.Errorf("told to wait for %v", d)
				}
			}
		})
	}
	for range 20 {
		if !app.Active(tokens.AccessToken) || s.Browser(t).Get("/keys").Status != http.StatusOK {
			t.Error("meanwhile the tokens of others do not count")
		}
	}
	flood.Wait()
	if statuses[http.StatusUnprocessableEntity] == 0 || statuses[http.StatusTooManyRequests] == 0 ||
		statuses[http.StatusUnprocessableEntity]+statuses[http.StatusTooManyRequests] != many {
		t.Errorf("answered %v; want some looked at, the rest told to come back", statuses)
	}
	t.Run("1.J 113 a form is small", func(t *testing.T) {
		g := newGuesser(t, s)
		if a := g.guess("ann", strings.Repeat("x", 8<<10)); a.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%d", a.Status)
		}
	})
}
