package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dex/internal/store/storetest"
	"dex/test/program"
)

// launch starts a dex-worker and does not wait for anything.
func launch(t testing.TB, arguments ...string) *program.Process {
	t.Helper()
	// Several run at once here, and one port is only one.
	if slices.Contains(arguments, "--admin-listen") {
		return launchProgram(t, worker, nil, arguments...)
	}
	return launchProgram(t, worker, []string{"DEX_WORKER_ADMIN_LISTEN=127.0.0.1:0"}, arguments...)
}

// launchProgram starts one of the programs and does not wait for anything. It tells what
// the program said if the test fails.
func launchProgram(t testing.TB, path string, environ []string, arguments ...string) *program.Process {
	t.Helper()
	p := program.Start(t, path, environ, arguments...)
	t.Cleanup(func() {
		if t.Failed() {
			p.Kill()
			t.Logf("%s %s said:\n%s%s", filepath.Base(path), strings.Join(arguments, " "), p.Out, p.Log)
		}
	})
	return p
}

// start starts a dex-worker that answers at the URL, and waits until it is ready.
// A test that passes ends it in an orderly way.
func start(t testing.TB, url string, arguments ...string) *program.Process {
	t.Helper()
	p := launch(t, arguments...)
	p.URL = url
	p.AwaitReady()
	t.Cleanup(func() {
		if !t.Failed() {
			p.Stop()
		}
	})
	return p
}

// greeted is where the program says that the demo application and dex are.
var greeted = regexp.MustCompile(`Log in here\s+(http://\S+)[^\n]*\n\s+Issuer\s+(http://\S+)`)

// startDemo starts dex as somebody does who tries it, and returns where the demo
// application is.
func startDemo(t testing.TB, arguments ...string) (p *program.Process, app string) {
	t.Helper()
	p = launch(t, append([]string{"--no-db", "--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"}, arguments...)...)
	p.Await("it greets", func() bool { return greeted.MatchString(p.Out.String()) })
	found := greeted.FindStringSubmatch(p.Out.String())
	p.URL = found[2]
	p.AwaitReady()
	t.Cleanup(func() {
		if !t.Failed() {
			p.Stop()
		}
	})
	return p, found[1]
}

// database returns the address of an empty database: a file, or with
// DEX_TEST_DB=postgres one on a server.
func database(t testing.TB) string {
	t.Helper()
	if os.Getenv("DEX_TEST_DB") == "postgres" {
		return storetest.EmptyPostgres(t, "template0")
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "dex.db")
}

// keySecret seals what the databases of tests keep.
const keySecret = "ZGV4IGVuZCB0byBlbmQgZGV4IGVuZCB0byBlbmQgMTI="

// site is a dex with its own address, database and configuration, which outlive
// the process.
type site struct {
	t            testing.TB
	address, url string
	db, file     string
}

// newSite finds a place for a dex.
func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, address: program.FreeAddress(t), db: database(t), file: filepath.Join(t.TempDir(), "dex.yaml")}
	s.url = "http://" + s.address
	return s
}

// configure writes the site's configuration, less what is the same for all.
func (s *site) configure(yaml string) {
	s.t.Helper()
	text := fmt.Sprintf("issuer: %s\nlisten: %s\nkey_secrets: [%s]\n%s", s.url, s.address, keySecret, yaml)
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// start starts a process on the site.
func (s *site) start() *program.Process {
	s.t.Helper()
	return start(s.t, s.url, "--config", s.file, "--db", s.db)
}
