package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// Standby makes a standby of the cluster, which follows it, and waits until the
// cluster tells nobody that something is committed before the standby has it too.
// Whoever makes one also stops it.
func (c *Cluster) Standby() (*Cluster, error) {
	s := &Cluster{options: c.options, server: c.server, owner: c.owner, log: &tail{copy: c.options.Log}}
	if err := s.follow(c); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (c *Cluster) follow(primary *Cluster) error {
	err := c.copy(primary, "--write-recovery-conf")
	if err == nil {
		err = c.Restart()
	}
	if err != nil {
		return err
	}
	return primary.synchronous()
}

// Backup takes a base backup of the running cluster, as pg_basebackup takes it. What it
// returns is a cluster that does not run: [Cluster.Restart] brings it back as it was.
// Whoever takes one also stops it.
func (c *Cluster) Backup() (*Cluster, error) {
	b := &Cluster{options: c.options, server: c.server, owner: c.owner, log: &tail{copy: c.options.Log}}
	if err := b.copy(c, "--wal-method=stream"); err != nil {
		return nil, errors.Join(err, b.Stop())
	}
	return b, nil
}

// copy fills the cluster's folder with what another holds.
func (c *Cluster) copy(of *Cluster, how string) (err error) {
	if c.dir, err = os.MkdirTemp("", dirPrefix+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if c.owner != nil {
		if err := os.Chown(c.dir, c.owner.uid, c.owner.gid); err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
	}
	p, err := startProcess(c.program("pg_basebackup"), []string{
		"--pgdata=" + c.data(), "--dbname=" + of.URL("postgres"), "--checkpoint=fast", "--no-sync", how,
	}, c.dir, c.owner, c.log)
	if err != nil {
		return fmt.Errorf("postgres: pg_basebackup: %w", err)
	}
	<-p.done
	if p.err != nil {
		return fmt.Errorf("postgres: pg_basebackup: %w; it said:\n%s", p.err, c.log)
	}
	c.port, err = freePort()
	return err
}

// Dump writes a database into a file, as pg_dump does.
func (c *Cluster) Dump(database, file string) error {
	return c.run("pg_dump", "--format=custom", "--file="+file, "--dbname="+c.URL(database))
}

// Load puts into a database what [Cluster.Dump] has written.
func (c *Cluster) Load(database, file string) error {
	return c.run("pg_restore", "--exit-on-error", "--single-transaction", "--dbname="+c.URL(database), file)
}

// program is where a program of the server's installation is.
func (c *Cluster) program(name string) string { return filepath.Join(filepath.Dir(c.server), name) }

func (c *Cluster) run(program string, arguments ...string) error {
	if out, err := exec.Command(c.program(program), arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("postgres: %s: %w; it said:\n%s", program, err, out)
	}
	return nil
}

// synchronous makes the cluster wait for its standby, and returns when it does.
func (c *Cluster) synchronous() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgconn.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }() // all has been said
	for _, q := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if _, err := conn.Exec(ctx, q).ReadAll(); err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
	}
	for {
		results, err := conn.Exec(ctx, "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").ReadAll()
		if err != nil {
			return fmt.Errorf("postgres: wait for the standby: %w", err)
		}
		if len(results[0].Rows) == 1 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("postgres: the standby does not follow: %w", err)
		}
	}
}

// Promote makes a standby a server of its own, and returns when it takes writes.
func (c *Cluster) Promote() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgconn.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }() // all has been said
	if _, err := conn.Exec(ctx, "SELECT pg_promote()").ReadAll(); err != nil {
		return fmt.Errorf("postgres: promote: %w", err)
	}
	return nil
}
