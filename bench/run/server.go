package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"dex/bench/load"
)

// program is a server that can be measured.
type program struct {
	name string
	path string
	args func(listen, database string) []string
}

func (b *bench) dex() program {
	if b.options.self {
		return b.floor("argon2id")
	}
	return program{name: "dex", path: b.worker, args: func(listen, database string) []string {
		return []string{
			"--config", b.options.config, "--db", database,
			"--listen", listen, "--issuer", "http://" + listen, "--admin-listen", "off",
		}
	}}
}

func (b *bench) floor(hash string) program {
	return program{name: "floor-" + hash, path: b.floorPath, args: func(listen, database string) []string {
		return []string{"-listen", listen, "-db", database, "-hash", hash}
	}}
}

// resident is the memory that a process holds, in bytes: now, how much of that is
// its own and not its program's file, and the most that it has held.
type resident struct{ now, private, peak int64 }

// server is one that runs.
type server struct {
	program  program
	listen   string
	database string
	cmd      *exec.Cmd
	log      string
	exited   chan struct{}
	target   *load.Target
}

const (
	startLimit = 60 * time.Second
	stopLimit  = 10 * time.Second
)

// start starts a program on a database and waits until it answers.
func (b *bench) start(ctx context.Context, p program, database string, cpus []int) (*server, error) {
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &server{program: p, listen: listen, database: database}
	return s, b.run(ctx, s, cpus)
}

// run starts a server where it is to listen, and waits until it answers.
func (b *bench) run(ctx context.Context, s *server, cpus []int) error {
	if err := s.launch(b, cpus); err != nil {
		return err
	}
	if err := s.await(ctx); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w; its log ends in:\n%s", s.program.name, err, s.logEnd()), s.stop())
	}
	var err error
	if s.target, err = load.NewTarget("http://"+s.listen, load.Clients[0], load.Users); err != nil {
		return errors.Join(err, s.stop())
	}
	return nil
}

// launch starts the process and returns at once.
func (s *server) launch(b *bench, cpus []int) error {
	log, err := os.CreateTemp(b.dir, s.program.name+"-*.log")
	if err != nil {
		return err
	}
	s.log = log.Name()
	s.cmd = exec.Command(s.program.path, s.program.args(s.listen, s.database)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := startOn(s.cmd, cpus, b.processors.rest); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", s.program.name, err), log.Close())
	}
	s.exited = make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // how it ended is asked of ProcessState
		_ = log.Close()
		close(s.exited)
	}()
	return nil
}

// await returns when the server has answered its first request.
func (s *server) await(ctx context.Context) error {
	limit := time.After(startLimit)
	conn := load.NewConn(s.listen)
	defer conn.Close()
	for {
		resp, err := conn.Do(load.Request{Method: "GET", Path: "/.well-known/openid-configuration"})
		if err == nil && resp.Status == 200 {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("it ended (%v)", s.cmd.ProcessState)
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return fmt.Errorf("no answer within %v", startLimit)
		case <-time.After(500 * time.Microsecond):
		}
	}
}

// stop ends the server, gently if it lets us.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.exited:
		return nil
	case <-time.After(stopLimit):
		err := s.cmd.Process.Kill()
		<-s.exited
		return errors.Join(fmt.Errorf("%s did not end within %v of being asked to", s.program.name, stopLimit), err)
	}
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// logEnd returns the end of what the server has logged.
func (s *server) logEnd() string {
	log, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-2000):])
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// build builds a program as it is delivered: without symbols, without cgo.
func build(ctx context.Context, pkg, path string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// bench is what is needed for all measurements.
type bench struct {
	options    options
	processors processors
	dir        string // of databases, logs and programs
	worker     string
	floorPath  string
	cluster    *cluster // nil if nothing is measured on Postgres
	made       int      // databases so far
}

func newBench(ctx context.Context, o options, p processors) (_ *bench, err error) {
	b := &bench{options: o, processors: p, worker: o.worker}
	if b.dir, err = os.MkdirTemp("", "dex-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	b.floorPath = filepath.Join(b.dir, "floor")
	if err := build(ctx, "./bench/floor", b.floorPath); err != nil {
		return nil, err
	}
	switch {
	case o.self:
		b.worker = b.floorPath
	case o.worker == "":
		b.worker = filepath.Join(b.dir, "dex-worker")
		if err := build(ctx, "./cmd/dex-worker", b.worker); err != nil {
			return nil, err
		}
	}
	for _, engine := range o.engines {
		if engine == postgresEngine {
			b.cluster, err = startCluster(ctx)
		}
	}
	return b, err
}

func (b *bench) close() error {
	var err error
	if b.cluster != nil {
		err = b.cluster.stop()
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// database makes a new, empty database and returns where it is.
func (b *bench) database(ctx context.Context, engine string) (string, error) {
	b.made++
	name := fmt.Sprintf("bench%d", b.made)
	if engine == sqliteEngine {
		return "sqlite:" + filepath.Join(b.dir, name+".db"), nil
	}
	return b.cluster.create(ctx, name)
}
