package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dex/internal/app/ctl"
	"dex/internal/app/office"
	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/base/secret"
	"dex/internal/store"
)

var update = flag.Bool("update", false, "write the transcripts and the reference anew")

// A transcript is a session of dexctl with a real worker, to be read as documentation:
// lines that begin with a dollar are what is typed, what follows them is what comes of
// it, and [3] at the end is the exit code if it is not zero. Lines that begin with # are
// prose, and those with @ say what somebody else does meanwhile.
func TestTranscripts(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(here, "testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newStage(t, filepath.Base(file)).play(string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("%s is not what happens now; with -update it is written anew. Now it is:\n%s", file, got)
			}
		})
	}
}

// stage is a worker, somebody at a terminal, and people with browsers.
type stage struct {
	t        *testing.T
	server   *workertest.Server
	home     string
	env      map[string]string
	password string            // of ann
	names    map[string]string // of ids, in the order in which they come
	out      bytes.Buffer
}

// clientOfOurs is the client that bootstrapping makes for dexctl.
func clientOfOurs() string {
	scopes := strings.ReplaceAll(workertest.AllScopes, " ", `", "`)
	return `
- {id: dexctl, name: dexctl, public: true, native: true, trusted: true, redirect_uris: ["http://127.0.0.1/callback"], grant_types: [authorization_code, refresh_token, "urn:ietf:params:oauth:grant-type:device_code"], scopes: ["profile", "email", "offline_access", "` + scopes + `"]}
`
}

func newStage(t *testing.T, play string) *stage {
	s := &stage{t: t, home: t.TempDir(), names: map[string]string{}}
	if play == "doctor-remote.txt" { // it tells of the database, and that of tests on a server is a careless one
		t.Setenv("DEX_TEST_DB", "sqlite")
	}
	s.server = workertest.Start(t, workertest.Options{Clients: clientOfOurs(), Bare: play == "bootstrap.txt"})
	s.server.SetRole(t, "ann", "owner")
	s.password = workertest.Password
	if play == "bootstrap.txt" { // ann is not there yet, and chooses it
		s.password = "another long password"
	}
	s.env = map[string]string{"HOME": s.home, "API": s.server.Admin}
	t.Chdir(s.home)
	for name, text := range map[string]string{
		"dex.yaml": `issuer: https://login.example.com
listen: 0.0.0.0:5556
db: sqlite:dex.db
connectors:
- {id: local, kind: local}
- {id: corp, kind: oidc, config: {issuer: "https://127.0.0.1:1", client_id: dex, client_secret: s}}
clients:
- id: wiki
  secret: wiki-secret
  redirect_uris: ["https://wiki.example.com/cb", "http://127.0.0.1/cb"]
`,
		"password":       workertest.Password + "\n",
		"long-password":  "another long password\n",
		"a-wrong-secret": string(secret.New(secret.FoundingPrefix)) + "\n",
		"wrong.yaml":     "issuer: login.example.com\nlissen: 0.0.0.0:5556\ndb: sqlite:dex.db\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// play plays a transcript and returns it as it happens now.
func (s *stage) play(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"), line == "" && !strings.HasSuffix(s.out.String(), "\n\n"):
			s.out.WriteString(line + "\n")
		case strings.HasPrefix(line, "$ "):
			s.out.WriteString(line + "\n")
			s.enterCommand(strings.TrimPrefix(line, "$ "))
			s.out.WriteString("\n")
			s.server.Clock.Advance(time.Second)
		case strings.HasPrefix(line, "@ "):
			s.out.WriteString(line + "\n")
			s.meanwhile(strings.Fields(line)[1:])
		}
	}
	return strings.TrimRight(s.out.String(), "\n") + "\n"
}

// enterCommand types a command at the terminal.
func (s *stage) enterCommand(line string) {
	line, input := strings.TrimSpace(line), io.Reader(strings.NewReader(""))
	if before, file, ok := strings.Cut(line, " < "); ok { // as a shell does it
		text, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		line, input = before, bytes.NewReader(text)
	}
	words := strings.Fields(os.Expand(line, func(name string) string { return s.env[name] }))
	if words[0] == "cat" { // what a file holds, for whoever reads
		text, err := os.ReadFile(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.out.Write(text)
		return
	}
	var said bytes.Buffer // both outputs, as a terminal shows them
	t := &tool{
		World: ctl.World{
			Clock: clock.System{}, Err: &said, Getenv: func(name string) string { return s.env[name] },
			Wait:   s.wait(&said),
			Browse: func(_ context.Context, address string) error { go s.login(address, "ann"); return nil },
		},
		In: input, Out: &said,
	}
	status := t.run(s.t.Context(), t.command(), words[1:])
	if made := aMadeUser.FindStringSubmatch(said.String()); made != nil {
		s.env["JANE"] = made[1]
	}
	s.out.WriteString(s.steady(said.String()))
	if status != ctl.Done {
		fmt.Fprintf(&s.out, "[%d]\n", status)
	}
}

// wait is the patience of dexctl. While it waits for a device's code to be entered, ann
// enters it.
func (s *stage) wait(said *bytes.Buffer) func(context.Context, time.Duration) error {
	return func(_ context.Context, d time.Duration) error {
		s.server.Clock.Advance(d)
		if code := regexp.MustCompile(`[A-Z]{4}-[A-Z]{4}`).FindString(said.String()); code != "" {
			s.enter(code)
		}
		return nil
	}
}

// login is what a person does whose browser opens.
func (s *stage) login(address, username string) {
	b := s.server.Browser(s.t)
	a := b.Follow(b.Get(address))
	if a.Has("password") {
		a = b.SignIn(a, username, s.password)
	}
	if a.Has("allow") { // an application on a device always asks
		a = b.Follow(b.Submit(a.Form(s.t, "allow"), "answer", "allow"))
	}
	back := a.Header.Get("Location")
	if !strings.HasPrefix(back, "http://127.0.0.1:") {
		s.t.Errorf("the browser ends with %d at %q: %s", a.Status, back, a.Body)
		return
	}
	answer, err := http.Get(back)
	if err != nil {
		s.t.Error(err)
		return
	}
	_ = answer.Body.Close()
}

// enter enters the code of a device in a browser, logs in and lets it in.
func (s *stage) enter(code string) {
	b := s.server.Browser(s.t)
	a := b.Follow(b.Submit(b.Get("/device").Form(s.t, "user_code"), "user_code", code))
	if a.Has("password") {
		a = b.SignIn(a, "ann", workertest.Password)
	}
	if !a.Has("allow") {
		s.t.Fatalf("%d %s", a.Status, a.Body)
	}
	b.Follow(b.Submit(a.Form(s.t, "allow"), "answer", "allow"))
}

// offer writes the one-time secret into a file, as an overlord does.
func (s *stage) offer() {
	value, _, err := office.Offer(s.t.Context(), s.server.DB, "overlord")
	if err == nil {
		err = os.WriteFile("bootstrap-secret", []byte(string(value)+"\n"), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// meanwhile does what others do: "ann logs in to app", "overlord offers a secret".
func (s *stage) meanwhile(words []string) {
	if words[1] == "offers" {
		s.offer()
		return
	}
	who, app := words[0], s.server.Client(s.t, words[len(words)-1])
	b := s.server.Browser(s.t)
	a := b.SignIn(b.Follow(b.Get(app.Authorize())), who, workertest.Password)
	if a.Has("allow") {
		a = b.Follow(b.Submit(a.Form(s.t, "allow"), "answer", "allow", "remember", "1"))
	}
	if code := a.Param("code"); code != "" {
		app.Redeem(code)
	}
	var support string
	err := store.Raw(s.server.DB).QueryRowContext(s.t.Context(), `SELECT support_code FROM grants WHERE client_id = $1
		UNION ALL SELECT support_code FROM traces WHERE support_code NOT IN (SELECT support_code FROM grants) LIMIT 1`, app.ID).Scan(&support)
	if err != nil {
		s.t.Fatal(err)
	}
	s.env["CODE"] = support
}

// What differs from run to run.
var (
	anID      = regexp.MustCompile(`\b(ses|gra|evt|sec|usr)_[a-z0-9]{10,}`)
	aMadeUser = regexp.MustCompile(`^User (usr_\S+) is made`)
	aKey      = regexp.MustCompile(`(?m)^[A-Za-z0-9_-]{43}\b`)
	aSchema   = regexp.MustCompile(`schema \d+`)
	aDevice   = regexp.MustCompile(`\b[A-Z]{4}-[A-Z]{4}\b`)
	aQuery    = regexp.MustCompile(`(/authorize|/device)\?\S+`)
	local     = regexp.MustCompile(`127\.0\.0\.1:\d{5}`)
)

// steady replaces what differs from run to run.
func (s *stage) steady(text string) string {
	text = strings.ReplaceAll(text, s.server.Admin, "http://127.0.0.1:5558")
	text = strings.ReplaceAll(text, s.server.URL, "http://127.0.0.1:5556")
	text = strings.ReplaceAll(text, strings.TrimPrefix(s.server.Admin, "http://"), "127.0.0.1:5558")
	text = strings.ReplaceAll(text, strings.ReplaceAll(strings.TrimPrefix(s.server.Admin, "http://"), ":", "-"), "127.0.0.1-5558")
	text = strings.ReplaceAll(text, s.home, "/home/ann")
	text = aQuery.ReplaceAllString(text, "$1?…")
	text = local.ReplaceAllString(text, "127.0.0.1:49152")
	text = aKey.ReplaceAllStringFunc(text, func(id string) string {
		if s.names[id] == "" {
			s.names[id] = fmt.Sprintf("key-%0*d", len(id)-4, len(s.names)+1)
		}
		return s.names[id]
	})
	text = aSchema.ReplaceAllString(text, "schema 4")
	text = anID.ReplaceAllStringFunc(text, func(id string) string {
		if s.names[id] == "" {
			s.names[id] = fmt.Sprintf("%s%0*d", id[:4], len(id)-4, len(s.names)+1)
		}
		return s.names[id]
	})
	if code := s.env["CODE"]; code != "" {
		text = strings.ReplaceAll(text, code, "K7QX-9WDM-3T")
	}
	return aDevice.ReplaceAllString(text, "WDJB-MJHT")
}
