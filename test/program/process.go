// Package program runs our programs as processes beside a test, as people run them. None
// outlives its test.
package program

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a program may take to start, to end or to recover. Nothing is
// measured by it: it ends what hangs.
const Patience = 90 * time.Second

// Process is a program that has been started.
type Process struct {
	URL      string    // where it answers, as soon as that is known
	Out, Log *Recorder // what it says to people, and to its log
	Cmd      *exec.Cmd
	Done     chan struct{} // closed when it has ended

	t     testing.TB
	asked bool  // to end
	err   error // how it ended; read after Done
}

// Start starts a program in an empty folder, and waits for nothing. Of our environment
// nothing reaches it, because a setting there would take part.
func Start(t testing.TB, path string, environ []string, arguments ...string) *Process {
	t.Helper()
	p := &Process{t: t, Out: &Recorder{}, Log: &Recorder{}, Done: make(chan struct{}), Cmd: exec.Command(path, arguments...)}
	p.Cmd.Dir = t.TempDir()
	p.Cmd.Stdout, p.Cmd.Stderr = p.Out, p.Log
	p.Cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.Cmd.Dir}, environ...)
	p.Cmd.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		// The kernel takes the end of the thread that started the program for ours.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.Cmd.Start()
		started <- err
		if err == nil {
			p.err = p.Cmd.Wait()
			close(p.Done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// Await waits until something has come true, as long as the program runs.
func (p *Process) Await(what string, come func() bool) {
	p.t.Helper()
	deadline := time.After(Patience)
	for !come() {
		select {
		case <-p.Done:
			p.t.Fatalf("the program ended before %s: %v\n%s", what, p.err, p.Log)
		case <-deadline:
			p.t.Fatalf("waited in vain until %s\n%s", what, p.Log)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Ready reports whether the program says that it is.
func (p *Process) Ready() bool {
	resp, err := http.Get(p.URL + "/readyz")
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// AwaitReady waits until the program says that it is ready.
func (p *Process) AwaitReady() {
	p.t.Helper()
	p.Await("it is ready", p.Ready)
}

// Wait waits until the program has ended, and returns its exit status.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.Done:
	case <-time.After(Patience):
		p.t.Fatalf("the program does not end\n%s", p.Log)
	}
	return p.Cmd.ProcessState.ExitCode()
}

// Signal asks the program to end in some way. It may have ended.
func (p *Process) Signal(s os.Signal) {
	p.asked = true
	_ = p.Cmd.Process.Signal(s)
}

// Stop asks the program to end unless somebody has, and makes sure that it was glad to.
func (p *Process) Stop() {
	p.t.Helper()
	select {
	case <-p.Done:
		if !p.asked {
			p.t.Errorf("the program had ended by itself: %v\n%s", p.err, p.Log)
		}
		return
	default:
	}
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		p.t.Errorf("after SIGTERM the program ended with status %d\n%s", status, p.Log)
	}
}

// Kill ends the program as a crash does.
func (p *Process) Kill() {
	p.Signal(os.Kill)
	<-p.Done
}

// FreeAddress returns an address of this machine that nobody listens on. It is taken
// before the program that will have it starts, where others must know it.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// FreePorts returns the first of so many ports in a row of 127.0.0.1 on which nobody
// listens.
func FreePorts(t testing.TB, row int) int {
	t.Helper()
	for range 100 {
		_, text, _ := net.SplitHostPort(FreeAddress(t)) // it is one
		first, _ := strconv.Atoi(text)
		free := true
		for port := first; port < first+row; port++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if free = free && err == nil; err == nil {
				_ = l.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Fatal("there are no free ports")
	return 0
}
