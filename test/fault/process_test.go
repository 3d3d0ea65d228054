package fault

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a program may take to start, to end or to recover. Nothing is
// measured by it: it ends what hangs.
const patience = 90 * time.Second

// process is a program that has been started.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	url  string // where it says whether it is ready
	log  *recorder
	done chan struct{}
	err  error // how it ended; read after done
}

// launch starts a program and does not wait for anything.
func launch(t testing.TB, program string, arguments ...string) *process {
	t.Helper()
	p := &process{t: t, log: &recorder{}, done: make(chan struct{}), cmd: exec.Command(program, arguments...)}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// Nothing of our environment reaches it: a setting there would take part.
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir()}
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
	return p
}

// ready reports whether the program says that it is.
func (p *process) ready() bool {
	resp, err := http.Get(p.url + "/readyz")
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

func (p *process) awaitReady() {
	p.t.Helper()
	until := time.Now().Add(patience)
	for !p.ready() {
		select {
		case <-p.done:
			p.t.Fatalf("the program ended: %v\n%s", p.err, p.log)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			p.t.Fatalf("it is not ready\n%s", p.log)
		}
	}
}

// stop asks the program to end, and makes sure that it was glad to.
func (p *process) stop() {
	p.t.Helper()
	select {
	case <-p.done:
		p.t.Errorf("the program had ended by itself: %v\n%s", p.err, p.log)
		return
	default:
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it runs
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("it does not end\n%s", p.log)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("after SIGTERM it ended with status %d\n%s", code, p.log)
	}
}

// kill ends the program as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// files returns how many files and connections the program has open.
func (p *process) files() int {
	all, err := os.ReadDir(filepath.Join("/proc", fmt.Sprint(p.cmd.Process.Pid), "fd"))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(all)
}

// goroutines ends the program in the way in which it tells of them all.
func (p *process) goroutines() int {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	<-p.done
	n := 0
	for line := range strings.Lines(p.log.String()) {
		if strings.HasPrefix(line, "goroutine ") {
			n++
		}
	}
	return n
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
