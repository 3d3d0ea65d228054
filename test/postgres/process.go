package postgres

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a program that runs until done is closed.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended; read after done
}

// startProcess starts a program as the owner, in a group of its own so that a
// Ctrl-C at the terminal is ours to handle.
func startProcess(path string, args []string, dir string, as *owner, log io.Writer) (*process, error) {
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	// Nothing of our environment reaches the server: PGDATA, PGPORT and their
	// like would change what it does.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = attributes(as)
	// A backend that outlives the server keeps the pipe of its log open.
	cmd.WaitDelay = stopTimeout

	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends the signal of our death when the thread that
		// started the process ends, so this one stays as long as it is needed.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// stop asks the server to end, telling its clients, and insists after a while.
func (p *process) stop() {
	// SIGINT is the server's fast shutdown: it waits for nobody.
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		p.kill()
	}
}

// kill ends the server and its backends without a word.
func (p *process) kill() {
	// A server that stands still starts no backend that we would not see.
	_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	backends := children(p.cmd.Process.Pid)
	_ = p.cmd.Process.Kill()
	for _, pid := range backends {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.done
}
