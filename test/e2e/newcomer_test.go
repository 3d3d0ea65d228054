package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheGreetingSaysAllThatIsNeeded(t *testing.T) {
	dex, app := startDemo(t)
	said := dex.Out.String()
	for _, want := range []string{app, dex.URL, "ann@example.com", "ann-likes-dex", "ben@example.com", "ben-likes-dex", "Mail", "Ctrl-C", "forgotten when it stops"} {
		if !strings.Contains(said, want) {
			t.Errorf("the greeting does not say %q:\n%s", want, said)
		}
	}
	v := newVisitor(t)
	if p := v.open(app); p.status != http.StatusOK || !p.has("log-in") {
		t.Errorf("the demo application answers %d:\n%s", p.status, p.body)
	}
	if left, err := os.ReadDir(dex.Cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v behind (%v)", left, err)
	}
}

func TestAMistakeAtTheStartSaysWhatToDo(t *testing.T) {
	dex, app := startDemo(t)
	taken, demoTaken := strings.TrimPrefix(dex.URL, "http://"), strings.TrimPrefix(app, "http://")
	wrong := filepath.Join(t.TempDir(), "dex.yaml")
	text := "issuer: https://login.example.com\nlisten: 127.0.0.1\nclients:\n  - {id: a, redirect_uri: https://a.example.com}\n  - {id: a, secret: s}\n"
	if err := os.WriteFile(wrong, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		arguments []string
		status    int
		says      []string
	}{
		{"the port is taken", []string{"--no-db", "--listen", taken, "--demo-listen", "127.0.0.1:0"}, 1,
			[]string{taken + " is taken", "stop the program that uses it", "--listen"}},
		{"the demo application's port is taken", []string{"--no-db", "--listen", "127.0.0.1:0", "--demo-listen", demoTaken}, 1,
			[]string{demoTaken + " is taken", "--demo-listen"}},
		{"nothing says what to do", nil, 2, []string{"--no-db", "--db sqlite:", "--db postgres:", "issuer"}},
		{"a demo for others", []string{"--no-db", "--listen", "0.0.0.0:0"}, 2, []string{"loopback"}},
		{"an unknown flag", []string{"--no-database"}, 2, []string{"--no-database"}},
		{"a folder that is not there", []string{"--db", "sqlite:no/such/folder/dex.db", "--issuer", "http://127.0.0.1:5556", "--listen", "127.0.0.1:0"}, 1, []string{"no/such/folder"}},
		{"a file with many mistakes, all at once", []string{"--config", wrong, "--db", "sqlite:dex.db"}, 2,
			[]string{wrong + ":2:", wrong + ":4:", "redirect_uris", wrong + ":5:", "clients[1].id"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := launch(t, c.arguments...)
			if status := p.Wait(); status != c.status {
				t.Errorf("it ends with status %d, want %d", status, c.status)
			}
			for _, want := range c.says {
				if !strings.Contains(p.Log.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, p.Log)
				}
			}
		})
	}
}

// The configuration of benchmarks is one that others rely on, by names and
// secrets. Only the address differs here, which has to be free.
func TestTheBenchmarksConfigurationServes(t *testing.T) {
	s := newSite(t)
	start(t, s.url, "--config", repository(t, "bench/dex.yaml"), "--db", s.db, "--listen", s.address, "--issuer", s.url)
	const callback = "http://127.0.0.1:5599/callback"
	for _, c := range []struct{ id, secret, alg, user string }{
		{"bench", "bench-secret", "RS256", "user1@example.com"},
		{"bench-es256", "bench-secret", "ES256", "user57@example.com"},
		{"bench-public", "", "RS256", "user100@example.com"},
	} {
		t.Run(c.id, func(t *testing.T) {
			p := newParty(t, s.url, c.id, c.alg)
			p.oauth.ClientSecret, p.oauth.RedirectURL = c.secret, callback
			if c.secret == "" {
				p.oauth.Endpoint.AuthStyle = authStyleNone
			}
			v := newVisitor(t)
			v.stop = callback
			address, redeem := p.ask()
			// One connector and a trusted client: straight to the password, and no consent.
			k, err := redeem(v.signIn(v.open(address), c.user, "password"))
			if err != nil {
				t.Fatal(err)
			}
			if got := k.claims(t); got.Email != c.user {
				t.Errorf("it is %q", got.Email)
			}
			if _, err := p.refresh(k.RefreshToken); err != nil {
				t.Error(err)
			}
			if c.secret == "" {
				return
			}
			if _, err := clientCredentials(t, p); err != nil {
				t.Errorf("client credentials: %v", err)
			}
		})
	}
}

// What the guides say is what the program does: the names of their flags and
// commands exist.
func TestTheHelpNamesTheFlagsThatTheGuidesUse(t *testing.T) {
	p := launch(t, "--help")
	if status := p.Wait(); status != 0 {
		t.Errorf("--help ends with status %d", status)
	}
	help := p.Out.String() + p.Log.String()
	flags := regexp.MustCompile(`dex-worker[^\n` + "`" + `]*?(--[a-z-]+)`)
	for _, guide := range guides(t) {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range flags.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(help, found[1]) {
				t.Errorf("%s speaks of %s, which the help does not know", guide, found[1])
			}
		}
	}
}

// guides are the pages for people.
func guides(t *testing.T) []string {
	t.Helper()
	files := []string{repository(t, "README.md")}
	for _, pattern := range []string{"docs/guide/*.md", "docs/connectors/*.md"} {
		found, err := filepath.Glob(repository(t, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files (%v)", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	return files
}

// repository returns the path of a file in the repository.
func repository(t *testing.T, file string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", file))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
