package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"dex/test/postgres"
)

// cluster is a Postgres server with durable commits that tells what it was asked.
type cluster struct {
	postgres *postgres.Cluster
	admin    *pgx.Conn
	counts   bool // whether it can count statements
	version  string
}

func startCluster(ctx context.Context) (_ *cluster, err error) {
	p, err := postgres.Start(postgres.Options{Durable: true})
	if err != nil {
		return nil, err
	}
	c := &cluster{postgres: p}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	return c, c.count(ctx)
}

func (c *cluster) connect(ctx context.Context) (err error) {
	if c.admin, err = pgx.Connect(ctx, c.postgres.URL("postgres")); err != nil {
		return err
	}
	return c.admin.QueryRow(ctx, "SHOW server_version").Scan(&c.version)
}

// count lets the server count statements, if its installation has what that needs.
func (c *cluster) count(ctx context.Context) error {
	const available = `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements')`
	if err := c.admin.QueryRow(ctx, available).Scan(&c.counts); err != nil || !c.counts {
		return err
	}
	if _, err := c.admin.Exec(ctx, `ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'`); err != nil {
		return err
	}
	// It is read at the start only, and there is nothing to lose yet.
	err := errors.Join(c.admin.Close(ctx), c.postgres.Kill9(), c.postgres.Restart(), c.connect(ctx))
	if err != nil {
		return err
	}
	_, err = c.admin.Exec(ctx, `CREATE EXTENSION pg_stat_statements`)
	return err
}

func (c *cluster) stop() error {
	var err error
	if c.admin != nil {
		err = c.admin.Close(context.Background())
	}
	return errors.Join(err, c.postgres.Stop())
}

// create makes a database and returns its URL.
func (c *cluster) create(ctx context.Context, name string) (string, error) {
	_, err := c.admin.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return c.postgres.URL(name), err
}

// work is what a database has done so far.
type work struct{ statements, commits int64 }

// work returns what the server of this URL has been asked. Beginnings and ends of
// transactions are not counted as statements. A commit is one that wrote: only
// such a transaction has a number, and only it waits for the disk.
func (c *cluster) work(ctx context.Context, url string) (work, error) {
	var w work
	name, err := databaseName(url)
	if err != nil {
		return w, err
	}
	err = c.admin.QueryRow(ctx, `
		SELECT COALESCE(SUM(calls), 0)::bigint FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
		WHERE d.datname = $1 AND s.query !~* '^\s*(begin|start|commit|end|rollback|deallocate|discard|--)'`, name).Scan(&w.statements)
	if err != nil {
		return w, fmt.Errorf("count statements: %w", err)
	}
	err = c.admin.QueryRow(ctx, `SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint`).Scan(&w.commits)
	return w, err
}

// connections returns how many connections are open to the database.
func (c *cluster) connections(ctx context.Context, url string) (n int, err error) {
	name, err := databaseName(url)
	if err != nil {
		return 0, err
	}
	err = c.admin.QueryRow(ctx, `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = $1`, name).Scan(&n)
	return n, err
}

func databaseName(url string) (string, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return "", err
	}
	return config.Database, nil
}

// syncTime is the median time that one small durable write takes in dir. It says
// how to read numbers that hold commits.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4096)
	took := make([]time.Duration, 0, 100)
	for range cap(took) {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
