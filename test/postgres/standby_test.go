package postgres

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestWhatWasCommittedIsOnTheStandbyWhenItTakesOver(t *testing.T) {
	primary, err := Start(Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	standby, err := primary.Standby()
	if err != nil {
		t.Fatal(errors.Join(err, primary.Stop()))
	}
	t.Cleanup(func() {
		if err := errors.Join(standby.Stop(), primary.Stop()); err != nil {
			t.Error(err)
		}
	})
	run := func(c *Cluster, query string) (n int, err error) {
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, c.URL("postgres"))
		if err != nil {
			return 0, err
		}
		defer func() { _ = conn.Close(ctx) }()
		return n, conn.QueryRow(ctx, query).Scan(&n)
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, primary.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1), (2), (3)"} {
		if _, err := conn.Exec(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.Close(ctx)
	if err := primary.Kill9(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	if n, err := run(standby, "INSERT INTO kept VALUES (4) RETURNING (SELECT count(*)::int FROM kept)"); err != nil || n != 3 {
		t.Errorf("%d rows are left of 3: %v", n, err)
	}
}
