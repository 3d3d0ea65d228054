package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dex/internal/store/storetest"
)

// process is a dex-worker that has been started.
type process struct {
	t        testing.TB
	cmd      *exec.Cmd
	url      string    // where it answers
	out, log *recorder // what it said to people, and to its log
	done     chan struct{}
	err      error // how it ended; read after done
}

// patience is how long a program may take to start or to end. Nothing is measured
// by it: it ends what hangs.
const patience = 90 * time.Second

// launch starts a dex-worker and does not wait for anything.
func launch(t testing.TB, arguments ...string) *process {
	t.Helper()
	return launchProgram(t, worker, arguments...)
}

// launchProgram starts one of the programs and does not wait for anything.
func launchProgram(t testing.TB, program string, arguments ...string) *process {
	t.Helper()
	p := &process{t: t, out: &recorder{}, log: &recorder{}, done: make(chan struct{})}
	p.cmd = exec.Command(program, arguments...)
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.log
	// Nothing of our environment reaches it: a setting there would take part.
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.cmd.Dir}
	// Several run at once here, and one port is only one.
	if program == worker && !slices.Contains(arguments, "--admin-listen") {
		p.cmd.Env = append(p.cmd.Env, "DEX_WORKER_ADMIN_LISTEN=127.0.0.1:0")
	}
	p.cmd.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		// The kernel takes the end of the thread that started the program for ours.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %s said:\n%s%s", filepath.Base(program), strings.Join(arguments, " "), p.out, p.log)
		}
	})
	return p
}

// start starts a dex-worker that answers at the URL, and waits until it is ready.
// A test that passes ends it in an orderly way.
func start(t testing.TB, url string, arguments ...string) *process {
	t.Helper()
	p := launch(t, arguments...)
	p.url = url
	p.awaitReady()
	t.Cleanup(func() {
		if !t.Failed() {
			p.stop()
		}
	})
	return p
}

// greeted is where the program says that the demo application and dex are.
var greeted = regexp.MustCompile(`Log in here\s+(http://\S+)[^\n]*\n\s+Issuer\s+(http://\S+)`)

// startDemo starts dex as somebody does who tries it, and returns where the demo
// application is.
func startDemo(t testing.TB, arguments ...string) (p *process, app string) {
	t.Helper()
	p = launch(t, append([]string{"--no-db", "--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0"}, arguments...)...)
	p.await("it greets", func() bool { return greeted.MatchString(p.out.String()) })
	found := greeted.FindStringSubmatch(p.out.String())
	p.url = found[2]
	p.awaitReady()
	t.Cleanup(func() {
		if !t.Failed() {
			p.stop()
		}
	})
	return p, found[1]
}

// await waits until something has come true, as long as the program runs.
func (p *process) await(what string, come func() bool) {
	p.t.Helper()
	deadline := time.After(patience)
	for !come() {
		select {
		case <-p.done:
			p.t.Fatalf("the program ended before %s: %v\n%s", what, p.err, p.log)
		case <-deadline:
			p.t.Fatalf("waited in vain until %s\n%s", what, p.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (p *process) awaitReady() {
	p.t.Helper()
	p.await("it is ready", func() bool {
		resp, err := http.Get(p.url + "/readyz")
		if err != nil {
			return false
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
}

// wait waits until the program has ended, and returns its exit status.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("the program does not end\n%s", p.log)
	}
	return p.cmd.ProcessState.ExitCode()
}

// signal sends the program a signal.
func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// stop asks the program to end, and makes sure that it was glad to.
func (p *process) stop() {
	p.t.Helper()
	select {
	case <-p.done: // somebody has, already
		return
	default:
	}
	p.signal(syscall.SIGTERM)
	if status := p.wait(); status != 0 {
		p.t.Errorf("after SIGTERM the program ended with status %d\n%s", status, p.log)
	}
}

// kill ends the program as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// recorder keeps what a program says.
type recorder struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// String returns all that was said.
func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// freeAddress returns an address of this machine that nobody listens on. It is
// taken before the program that will have it starts, because its URL stands in the
// configuration of others.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
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
	s := &site{t: t, address: freeAddress(t), db: database(t), file: filepath.Join(t.TempDir(), "dex.yaml")}
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
func (s *site) start() *process {
	s.t.Helper()
	return start(s.t, s.url, "--config", s.file, "--db", s.db)
}
