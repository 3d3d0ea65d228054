package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dex/internal/base/clock"
	"dex/internal/domain/system"
)

// Condition looks at the database itself.
func (db *DB) Condition(ctx context.Context) (system.Condition, error) {
	if !db.engine.ownTime {
		c := system.Condition{Durable: true} // as openFile sees to
		err := db.reader().row(ctx, `SELECT sqlite_version()`).Scan(&c.Version)
		c.Version = "SQLite " + c.Version
		return c, err
	}
	var c system.Condition
	var reading time.Time
	var superuser, fsync, commit string
	asked := clock.System{}.Now()
	err := db.reader().row(ctx, `SELECT clock_timestamp(), current_setting('server_version'), current_setting('is_superuser'),
		current_setting('fsync'), current_setting('synchronous_commit'), pg_is_in_recovery()`).
		Scan((*instant)(&reading), &c.Version, &superuser, &fsync, &commit, &c.Standby)
	if err != nil {
		return c, fmt.Errorf("look at the database: %w", err)
	}
	came := clock.System{}.Now()
	c.Version = "PostgreSQL " + strings.Fields(c.Version + " ?")[0]
	c.Skew = asked.Add(came.Sub(asked) / 2).Sub(reading)
	c.Superuser, c.Durable = superuser == "on", fsync == "on" && commit != "off"
	return c, nil
}
