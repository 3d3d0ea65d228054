package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
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

func (c *Cluster) follow(primary *Cluster) (err error) {
	if c.dir, err = os.MkdirTemp("", dirPrefix+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if c.owner != nil {
		if err := os.Chown(c.dir, c.owner.uid, c.owner.gid); err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
	}
	p, err := startProcess(filepath.Join(filepath.Dir(c.server), "pg_basebackup"), []string{
		"--pgdata=" + c.data(), "--dbname=" + primary.URL("postgres"), "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
	}, c.dir, c.owner, c.log)
	if err != nil {
		return fmt.Errorf("postgres: pg_basebackup: %w", err)
	}
	<-p.done
	if p.err != nil {
		return fmt.Errorf("postgres: pg_basebackup: %w; it said:\n%s", p.err, c.log)
	}
	if c.port, err = freePort(); err != nil {
		return err
	}
	if err := c.Restart(); err != nil {
		return err
	}
	return primary.synchronous()
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
