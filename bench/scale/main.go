// Scale measures what it costs to have many: a million users, 100,000 sessions,
// 10,000 clients and 1,000 tenants, beside a small database.
//
//	go run ./bench/scale               a few minutes; writes bench/results/scale.md
//	go run ./bench/scale -part 20      a twentieth of everything; prints it only
//
// It starts a Postgres server of its own, and asks of both databases the same by the
// store's verbs, in turns. Nothing is judged: a ratio near one says that an operation
// does not care how much there is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"dex/test/postgres"
)

var (
	smallSize = size{users: 1000, sessions: 100, clients: 100, tenants: 1, expired: 5000}
	largeSize = size{users: 1_000_000, sessions: 100_000, clients: 10_000, tenants: 1000, expired: 500_000}
)

func main() {
	part := flag.Int("part", 1, "divide the size of the large database, and the number of turns, by this")
	results := flag.String("results", "bench/results/scale.md", "the file to write, if the large database is whole")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, max(1, *part), *results); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, part int, results string) (err error) {
	c, err := postgres.Start(postgres.Options{Durable: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	r, err := measureAll(ctx, c, part)
	if err != nil {
		return err
	}
	if err := r.write(os.Stdout); err != nil || part > 1 {
		return err
	}
	f, err := os.Create(results)
	if err != nil {
		return err
	}
	return errors.Join(r.write(f), f.Close())
}

func measureAll(ctx context.Context, c *postgres.Cluster, part int) (r report, err error) {
	r.date = time.Now()
	// Else the server would write everything a dozen times while it is filled.
	for _, q := range []string{`ALTER SYSTEM SET max_wal_size = '8GB'`, `ALTER SYSTEM SET checkpoint_timeout = '30min'`, `SELECT pg_reload_conf()`} {
		if err := administer(ctx, c, q); err != nil {
			return r, err
		}
	}
	say("filling the small database")
	if r.small, err = open(ctx, c, "small", smallSize); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, r.small.close()) }()
	say("filling the large database")
	if r.large, err = open(ctx, c, "large", largeSize.part(part)); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, r.large.close()) }()
	say("filled in %s", r.large.filled.Round(time.Second))
	// What filling has left to write must not be written while it is measured.
	if err := administer(ctx, c, `CHECKPOINT`); err != nil {
		return r, err
	}
	if err := r.large.raw.QueryRow(ctx, `SHOW server_version`).Scan(&r.postgres); err != nil {
		return r, err
	}
	return r, r.measure(ctx, part)
}

func (r *report) measure(ctx context.Context, part int) error {
	for _, d := range []*database{r.small, r.large} {
		began := time.Now()
		if err := d.follow(ctx); err != nil {
			return fmt.Errorf("follow the lists: %w", err)
		}
		say("followed the lists of %d users in %s", d.users, time.Since(began).Round(time.Millisecond))
	}
	for _, o := range operations {
		say("%s", o.name)
		done, err := measure(ctx, o, r.small, r.large, max(1, o.turns/part))
		if err != nil {
			return err
		}
		r.rows = append(r.rows, done)
	}
	for i, d := range []*database{r.small, r.large} {
		say("clearing away %d rows", d.expired)
		var err error
		if r.cleared[i], err = clearAway(ctx, d, max(10, 500/part)); err != nil {
			return err
		}
	}
	return nil
}

// part is a part of a size, but not less than what the operations need.
func (s size) part(n int) size {
	return size{max(1000, s.users/n), max(100, s.sessions/n), max(100, s.clients/n), max(1, s.tenants/n), max(5000, s.expired/n)}
}

// say tells whoever waits what goes on.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
