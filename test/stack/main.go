// Command stack runs dex on this machine as a company would: Postgres, three workers,
// an overlord, and HAProxy before them.
//
//	stack start    starts it, unless it runs, makes the first administrator, and says how to log in
//	stack stop     ends it, and leaves nothing
//
// What belongs to it lies in ./var/stack. A program of it that dies is started again, so
// that one may kill any of them and look at what happens.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ports are where everything is to be found, on 127.0.0.1.
type ports struct{ balancer, overlord, admin, worker int }

const workers = 3

func main() {
	dir := flag.String("dir", "var/stack", "where what belongs to it lies")
	p := ports{}
	flag.IntVar(&p.balancer, "port", 8080, "the port of the load balancer, which is the issuer's")
	flag.IntVar(&p.overlord, "overlord-port", 5557, "the port of the overlord's API")
	flag.IntVar(&p.admin, "admin-port", 5558, "the port of the administrators' API of the first worker")
	flag.IntVar(&p.worker, "worker-port", 5561, "the port of the first worker; the others have the next")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	folder, err := filepath.Abs(*dir)
	if err == nil {
		switch flag.Arg(0) {
		case "start":
			err = start(ctx, folder, p)
		case "run":
			err = run(ctx, folder, p)
		case "stop":
			err = stop(folder)
		default:
			err = errors.New("usage: stack start|stop")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(1)
	}
}

// patience is how long everything together may take to start.
const patience = 3 * time.Minute

// start starts a process that runs the stack behind our back, and waits for it.
func start(ctx context.Context, dir string, p ports) error {
	greeting := filepath.Join(dir, "greeting")
	if pid, ok := running(dir); ok {
		text, err := os.ReadFile(greeting)
		fmt.Printf("The stack runs already, as process %d.\n%s", pid, text)
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, "bin")+"/", "./cmd/...")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the programs: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "stack.log"))
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, append(os.Args[1:len(os.Args)-1], "run")...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if text, err := os.ReadFile(greeting); err == nil {
			fmt.Print(string(text))
			return nil
		}
		select {
		case err := <-ended:
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("it could not be started: %w\n%s", err, said)
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("it is not up; %s says why", log.Name()), stop(dir))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// running returns the process that runs the stack.
func running(dir string) (pid int, ok bool) {
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		return 0, false
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || syscall.Kill(pid, 0) != nil {
		return 0, false
	}
	// The number may have become another's.
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return pid, err == nil && strings.Contains(string(name), "run") && strings.Contains(string(name), "stack")
}

// stop ends the stack, and removes what belonged to it.
func stop(dir string) error {
	pid, ok := running(dir)
	if ok {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			return err
		}
		for range 300 {
			if _, ok = running(dir); !ok {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if ok {
			return fmt.Errorf("process %d does not end", pid)
		}
	}
	return os.RemoveAll(dir)
}
