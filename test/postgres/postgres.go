// Package postgres starts throw-away PostgreSQL clusters for tests and
// benchmarks.
//
// A cluster lives in a temporary folder, listens on a free port of 127.0.0.1 and
// trusts whoever connects. It needs the server's programs on this machine and
// nothing else: no service, no account, no container. It ends with the process
// that started it, however that one ends.
package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Options say how a cluster is to be. The zero value is a fast one for tests.
type Options struct {
	// Durable makes a commit reach the disk before it is answered, as in
	// production. A benchmark of real commits wants it, and so does a test that
	// calls [Cluster.Kill9] and counts what is left.
	Durable bool

	// MaxConnections is 200 if it is zero.
	MaxConnections int

	// Parent is the folder that the data goes below; empty is the one for temporary files.
	Parent string

	// Settings are more of the server's, such as "max_wal_size=64MB".
	Settings []string

	// Log is where the server's log goes too, if it is set.
	Log io.Writer
}

// Cluster is a running PostgreSQL server with its data.
type Cluster struct {
	options Options
	server  string // the path of the program postgres
	dir     string
	owner   *owner // whose processes they are; nil if they are our own user's
	port    int
	log     *tail

	mu      sync.Mutex
	process *process // nil while none runs
	stopped bool
}

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 10 * time.Second

	// startAttempts is how often another port is tried: between our finding a
	// free one and the server's taking it somebody else may have it.
	startAttempts = 3
)

// Start makes a new cluster and waits until it answers. Whoever starts one also
// stops it.
func Start(o Options) (*Cluster, error) {
	programs, err := findPrograms()
	if err != nil {
		return nil, err
	}
	removeOrphans(os.TempDir())
	c := &Cluster{options: o, server: programs.postgres, log: &tail{copy: o.Log}}
	if err := c.initialize(programs.initdb); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	for attempt := 1; ; attempt++ {
		if c.port, err = freePort(); err == nil {
			err = c.Restart()
		}
		switch {
		case err == nil:
			return c, nil
		case attempt == startAttempts || !errors.Is(err, errEnded):
			return nil, errors.Join(err, c.Stop())
		}
	}
}

// URL returns where the database of this name is. Every cluster has one of the
// name postgres.
func (c *Cluster) URL(database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", superuser, c.port, database)
}

// Restart starts the server again after [Cluster.Kill9], on the same data and
// the same port, and waits until it answers.
func (c *Cluster) Restart() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return errors.New("postgres: the cluster has been stopped and is gone")
	}
	if c.process != nil {
		return errors.New("postgres: the server is running")
	}
	p, err := startProcess(c.server, c.arguments(), c.dir, c.owner, c.log)
	if err != nil {
		return fmt.Errorf("postgres: start: %w", err)
	}
	if err := c.awaitReady(p); err != nil {
		p.kill()
		return fmt.Errorf("%w; its log ends in:\n%s", err, c.log)
	}
	c.process = p
	return nil
}

// Kill9 ends the server and all its backends at once, as a crash does: nothing is
// written, nobody is told. Unless the cluster is Durable, commits of the last
// moments are lost with it.
func (c *Cluster) Kill9() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return errors.New("postgres: the server is not running")
	}
	c.process.kill()
	c.process = nil
	return nil
}

// Stop ends the server and removes all that it kept. A second call does nothing.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	c.stopped = true
	if c.process != nil {
		c.process.stop()
		c.process = nil
	}
	return os.RemoveAll(c.dir)
}

// superuser is the name of the only role of a new cluster.
const superuser = "postgres"

// initialize makes the cluster's folder and fills it. The server refuses to run
// as root, so root's clusters belong to somebody else.
func (c *Cluster) initialize(initdb string) error {
	var err error
	if c.owner, err = unprivileged(); err != nil {
		return err
	}
	if c.dir, err = os.MkdirTemp(c.options.Parent, dirPrefix+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if c.owner != nil {
		if err := os.Chown(c.dir, c.owner.uid, c.owner.gid); err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
	}
	p, err := startProcess(initdb, []string{
		"--pgdata=" + c.data(), "--username=" + superuser, "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions",
	}, c.dir, c.owner, c.log)
	if err != nil {
		return fmt.Errorf("postgres: initdb: %w", err)
	}
	<-p.done
	if p.err != nil {
		return fmt.Errorf("postgres: initdb: %w; it said:\n%s", p.err, c.log)
	}
	return nil
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) arguments() []string {
	connections := c.options.MaxConnections
	if connections == 0 {
		connections = 200
	}
	args := []string{
		"-D", c.data(),
		"-c", "listen_addresses=127.0.0.1",
		"-c", "port=" + strconv.Itoa(c.port),
		// The path of a socket may have a hundred characters, and a temporary
		// folder's often has more. TCP serves everybody.
		"-c", "unix_socket_directories=",
		"-c", "max_connections=" + strconv.Itoa(connections),
		"-c", "shared_buffers=128MB",
		"-c", "timezone=UTC",
		"-c", "logging_collector=off",
	}
	for _, s := range c.options.Settings {
		args = append(args, "-c", s)
	}
	if !c.options.Durable {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	return args
}

// errEnded means that the server ended when it had hardly begun.
var errEnded = errors.New("postgres: the server ended by itself")

// awaitReady returns when the server answers, or says why it never will.
func (c *Cluster) awaitReady(p *process) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := c.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%w (%v)", errEnded, p.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("postgres: no answer within %s: %w", startTimeout, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// answers makes sure that who answers on the port is this very cluster. It may
// be another one that was quicker to take the port.
func (c *Cluster) answers(ctx context.Context) error {
	conn, err := pgconn.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	results, err := conn.Exec(ctx, "SHOW data_directory").ReadAll()
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		return err
	}
	if dir := string(results[0].Rows[0][0]); dir != c.data() {
		return fmt.Errorf("the server of %s answers on port %d", dir, c.port)
	}
	return nil
}

// freePort returns a port of 127.0.0.1 that nobody listens on at the moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("postgres: find a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// tail keeps the end of what a server says, for the error if it fails.
type tail struct {
	mu   sync.Mutex
	kept []byte
	copy io.Writer
}

const tailSize = 4 << 10

// Write implements [io.Writer].
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if excess := len(t.kept) - tailSize; excess > 0 {
		t.kept = append(t.kept[:0], t.kept[excess:]...)
	}
	if t.copy != nil {
		return t.copy.Write(p)
	}
	return len(p), nil
}

// String returns the end of what was said.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.kept))
}

// dirPrefix begins the name of every cluster's folder; the process that made it
// follows.
const dirPrefix = "dex-postgres-"

// removeOrphans removes the folders of clusters whose process is gone. A test
// that runs into its time limit has no chance to stop what it started: its
// server dies with it, but the data stays.
func removeOrphans(temp string) {
	dirs, err := filepath.Glob(filepath.Join(temp, dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(dir), dirPrefix+"%d-", &pid); err != nil || pid <= 0 {
			continue
		}
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			// Best effort: somebody else's folder is somebody else's to remove.
			_ = os.RemoveAll(dir)
		}
	}
}
