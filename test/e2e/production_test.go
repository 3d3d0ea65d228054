package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"dex/test/program"
)

// step is a command of a guide, and what it prints there.
type step struct{ command, prints string }

// steps returns the commands of a page in their order: each block of sh, with the
// block of text that follows it.
func steps(page string) (all []step) {
	for _, found := range regexp.MustCompile("(?s)```(sh|text)\n(.*?)```").FindAllStringSubmatch(page, -1) {
		switch {
		case found[1] == "sh":
			all = append(all, step{command: found[2]})
		case len(all) > 0:
			all[len(all)-1].prints += found[2]
		}
	}
	return all
}

// missing returns the first line that a guide shows and a command has not printed, or
// nothing. Lines have to come in order, and others may stand between them; … stands for
// anything, and a space for any number of them.
func missing(shown, printed string) string {
	for line := range strings.Lines(shown) {
		words := strings.Fields(line)
		for i, word := range words {
			words[i] = strings.ReplaceAll(regexp.QuoteMeta(word), "…", ".*")
		}
		at := regexp.MustCompile(strings.Join(words, `[ \t]+`)).FindStringIndex(printed)
		if at == nil {
			return strings.TrimSpace(line)
		}
		printed = printed[at[1]:]
	}
	return ""
}

func TestWhatAGuideShowsIsFoundInWhatIsPrinted(t *testing.T) {
	const printed = "ID    STATE\nnotes  enabled\n\n1 to create.\n"
	for _, c := range []struct{ name, shown, want string }{
		{"all of it", printed, ""},
		{"a part, with other spaces", "ID STATE\n1 to create.\n", ""},
		{"what differs", "no… en…\n… to create.\n", ""},
		{"what is not there", "notes disabled\n", "notes disabled"},
		{"in another order", "notes enabled\nID STATE\n", "ID STATE"},
		{"a dot is a dot", "ID.STATE\n", "ID.STATE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := missing(c.shown, printed); got != c.want {
				t.Errorf("%q is missing, want %q", got, c.want)
			}
		})
	}
}

// terminal is a shell that somebody has opened in the repository.
type terminal struct {
	t     *testing.T
	lines *os.File // what is typed
	shown string   // the file of what is to be seen
	seen  int      // how much of it there was before the command
	count int
}

// newTerminal opens a shell that knows nothing of us but where Go keeps its own.
func newTerminal(t *testing.T, env ...string) *terminal {
	t.Helper()
	script, lines, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, lines: lines, shown: filepath.Join(t.TempDir(), "terminal")}
	screen, err := os.Create(term.shown)
	if err != nil {
		t.Fatal(err)
	}
	// As a script, so that no command reads the next one for an answer.
	shell := exec.Command("bash", "/dev/fd/3")
	shell.ExtraFiles, shell.Stdout, shell.Stderr = []*os.File{script}, screen, screen
	shell.Dir = repository(t, ".")
	shell.Env = append([]string{"HOME=" + t.TempDir()}, env...)
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		shell.Env = append(shell.Env, name+"="+strings.TrimSpace(string(value)))
	}
	// What it leaves in the background is of its group.
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = lines.Close()
		_ = syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) // all may have ended
		_ = shell.Wait()
		if t.Failed() {
			all, _ := os.ReadFile(term.shown)
			t.Logf("the terminal shows:\n%s", all)
		}
	})
	return term
}

// begin types a command.
func (term *terminal) begin(command string) {
	term.t.Helper()
	text, err := os.ReadFile(term.shown)
	if err != nil {
		term.t.Fatal(err)
	}
	term.seen = len(text)
	term.count++
	if _, err := fmt.Fprintf(term.lines, "%s\necho \"[command %d ended with $?]\"\n", command, term.count); err != nil {
		term.t.Fatal(err)
	}
}

// await waits until the last command has printed something, and returns all that it has.
func (term *terminal) await(limit time.Duration, what string, printed func(string) bool) string {
	term.t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		all, err := os.ReadFile(term.shown)
		if err != nil {
			term.t.Fatal(err)
		}
		if text := string(all[term.seen:]); printed(text) {
			return text
		}
		if time.Now().After(end) {
			term.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// end waits until the last command has ended well and has printed what the guide shows.
func (term *terminal) end(shown string) (printed string) {
	term.t.Helper()
	ended := fmt.Sprintf("[command %d ended with ", term.count)
	text := term.await(2*program.Patience, "the end of the command", func(text string) bool { return strings.Contains(text, ended) })
	if !strings.Contains(text, ended+"0]") {
		term.t.Fatalf("it fails:\n%s", text)
	}
	// What runs in the background may say it later.
	return term.await(program.Patience/3, fmt.Sprintf("what the guide shows:\n%s", shown), func(text string) bool { return missing(shown, text) == "" })
}

var (
	printedPassword = regexp.MustCompile(`password (\S+)`)
	supportCode     = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}\b`)
)

// The guide is followed word for word: each command in one shell, each login in a
// browser. Only ports and the folder are others, so that nobody's own stack is in the way.
func TestTheGuideToProductionInFifteenMinutes(t *testing.T) {
	if os.Getenv("DEX_TEST_DB") == "postgres" {
		return // it brings a Postgres of its own, and has been followed already
	}
	text, err := os.ReadFile(repository(t, "docs/guide/production.md"))
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t)
	page, all := r.elsewhere.Replace(string(text)), ""
	for _, s := range steps(page) {
		r.follow(s)
		all += "\n" + s.command
	}
	for _, command := range []string{
		"make stack", "dexctl state", "dexctl bootstrap", "dexctl login", "dexctl plan", "dexctl apply", "dexctl audit",
		"dexctl explain", "dexctl keys rotate", "dexctl export", "make stack-stop",
	} {
		if !strings.Contains(all, "\n"+command) {
			t.Errorf("the guide does not say %q", command)
		}
	}
	if _, err := os.Stat(r.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left in %s: %v", r.dir, err)
	}
	for _, address := range []string{r.balancer, r.overlord, r.admin, r.notes} {
		if answer, err := http.Get("http://" + address); err == nil {
			_ = answer.Body.Close()
			t.Errorf("%s answers still", address)
		}
	}
}

// reader is somebody who follows the guide to production, with a terminal and a browser.
type reader struct {
	t         *testing.T
	dir       string // instead of var/stack
	elsewhere *strings.Replacer
	terminal  *terminal

	balancer, overlord, admin, notes string // the addresses
	password, code                   string // what was printed
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, balancer: program.FreeAddress(t), overlord: program.FreeAddress(t), admin: program.FreeAddress(t), notes: program.FreeAddress(t)}
	r.dir = filepath.Join(t.TempDir(), "stack")
	folder, err := filepath.Rel(repository(t, "."), r.dir)
	if err != nil {
		t.Fatal(err)
	}
	r.elsewhere = strings.NewReplacer("127.0.0.1:8080", r.balancer, "127.0.0.1:5557", r.overlord, "127.0.0.1:5558", r.admin,
		"127.0.0.1:5555", r.notes, "var/stack", folder)
	port := func(address string) string { return strings.TrimPrefix(address, "127.0.0.1:") }
	flags := []string{
		"-dir", folder, "-port", port(r.balancer), "-overlord-port", port(r.overlord),
		"-admin-port", port(r.admin), "-worker-port", strconv.Itoa(program.FreePorts(t, 3)),
	}
	r.terminal = newTerminal(t, "ARGS="+strings.Join(flags, " "), "DISPLAY=:0", "PATH="+withScreen(t)+":"+os.Getenv("PATH"))
	t.Cleanup(func() {
		if _, err := os.Stat(r.dir); err != nil {
			return // the guide has stopped it
		}
		stop := exec.Command(repository(t, ".tools/stack"), append(flags, "stop")...)
		stop.Dir = repository(t, ".")
		if out, err := stop.CombinedOutput(); err != nil {
			t.Errorf("stop the stack: %v\n%s", err, out)
		}
	})
	return r
}

// follow does one step of the guide, with what is done in a browser meanwhile or next.
func (r *reader) follow(s step) {
	r.t.Helper()
	const example = "8MYG-KBAD-9Y"
	s.command, s.prints = strings.ReplaceAll(s.command, example, r.code), strings.ReplaceAll(s.prints, example, r.code)
	began := time.Now()
	r.terminal.begin(s.command)
	if strings.HasPrefix(s.command, "dexctl login") {
		r.logIn()
	}
	printed := r.terminal.end(s.prints)
	r.t.Logf("%s$ %s%s", time.Since(began).Round(time.Millisecond), s.command, printed)
	switch {
	case strings.HasPrefix(s.command, "make stack\n"):
		r.password = printedPassword.FindStringSubmatch(printed)[1]
	case strings.HasPrefix(s.command, "go build"):
		visitAsVera(r.t, "http://"+r.notes, "http://"+r.balancer)
	case strings.HasPrefix(s.command, "dexctl audit list"):
		r.code = supportCode.FindString(printed)
	case strings.HasPrefix(s.command, "dexctl export"):
		exported, err := os.ReadFile(filepath.Join(r.dir, "everything.yaml"))
		if all := string(exported); err != nil || strings.Contains(all, "a-secret-for-notes") ||
			!strings.Contains(all, "id: notes") || !strings.Contains(all, "id: visitors") || !strings.Contains(all, "id: grafana") {
			r.t.Errorf("the export is\n%s%v", all, err)
		}
	}
}

// logIn opens the address that dexctl prints, logs in there, and allows what is asked.
func (r *reader) logIn() {
	r.t.Helper()
	line := regexp.MustCompile(`(?m)^\s+(http://` + regexp.QuoteMeta(r.balancer) + `/authorize\S+)$`)
	address := line.FindStringSubmatch(r.terminal.await(program.Patience, "an address to open", line.MatchString))[1]
	browser := newTab(r.t, desktop)
	browser.open(address)
	browser.await("password")
	browser.fill("login", "admin@example.com", "password", r.password)
	browser.click("submit", "allow")
	browser.do(chromedp.Click(chromedp.ID("allow")))
	browser.do(chromedp.WaitVisible(chromedp.CSS("main.done")))
}

// withScreen returns a folder with what opens a browser on a desktop. The browser of the
// test goes to the address that is printed, and so this has nothing left to do.
func withScreen(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// visitAsVera logs in to the application as the guide says.
func visitAsVera(t *testing.T, app, issuer string) {
	t.Helper()
	b := newTab(t, desktop)
	b.open(app)
	b.click("log-in", "connector-visitors")
	if at := b.location(); !strings.HasPrefix(at, issuer+"/") {
		t.Errorf("the login page is at %s, not at the balancer", at)
	}
	b.click("connector-visitors", "login")
	b.fill("login", "vera")
	b.click("submit", "allow")
	b.click("allow", "claims")
	for name, want := range map[string]string{"name": "Vera Visitor", "email": "vera@example.org", "iss": issuer} {
		if got := b.claim("claims", name); got != want {
			t.Errorf("the ID token's %s is %q, want %q", name, got, want)
		}
	}
}
