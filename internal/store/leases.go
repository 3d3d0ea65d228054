package store

import (
	"context"
	"fmt"
	"time"
)

// TakeTurn takes, or keeps, the turn to do what one at a time does, until the
// given time. It reports false if it is another's turn.
func (db *DB) TakeTurn(ctx context.Context, name, holder string, until, now time.Time) (bool, error) {
	n, err := db.writer().exec(ctx, `
		INSERT INTO leases (name, holder, until_at) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_at = excluded.until_at
		WHERE leases.holder = excluded.holder OR leases.until_at <= $4`,
		name, holder, instant(until), instant(now))
	return n == 1, err
}

// stale says of a table which rows are stale, by an indexed column.
var stale = []struct{ table, key, at string }{
	{"grants", "tenant_id, id", "purge_at"},
	{"sessions", "tenant_id, id", "ends_at"},
	{"throttles", "tenant_id, bucket", "forget_at"},
	{"revoked_tokens", "tenant_id, token", "expires_at"},
	{"used_assertions", "tenant_id, client_id, jti", "expires_at"},
	{"devices", "tenant_id, id", "purge_at"},
	{"pushed_requests", "tenant_id, hash", "purge_at"},
	{"traces", "tenant_id, support_code", "expires_at"},
	{"links", "tenant_id, hash", "expires_at"},
	{"initial_tokens", "tenant_id, id", "expires_at"},
	{"receipts", "tenant_id, actor, key", "expires_at"},
}

// ClearAway deletes what counts no more: one batch of each table, so that nobody
// waits for it. It returns how many rows it deleted of each table that had some;
// whoever gets a whole batch calls again. It costs by what it deletes, not by what
// there is.
func (db *DB) ClearAway(ctx context.Context, now time.Time, batch int) (map[string]int, error) {
	deleted := map[string]int{}
	for _, s := range stale {
		// The number stands in the text, because a plan that is made for any number
		// reads the whole table.
		n, err := db.writer().exec(ctx, fmt.Sprintf(`
			DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s <= $1 ORDER BY %[3]s LIMIT %[4]d)`,
			s.table, s.key, s.at, batch), instant(now))
		if err != nil {
			return deleted, fmt.Errorf("clear away %s: %w", s.table, err)
		}
		if n > 0 {
			deleted[s.table] = int(n)
		}
	}
	forgotten, err := db.forgetUse(ctx, now, batch)
	if err != nil {
		return deleted, fmt.Errorf("clear away client_use: %w", err)
	}
	if forgotten > 0 {
		deleted["client_use"] = int(forgotten)
	}
	n, err := db.clearTraces(ctx, batch)
	if n > 0 {
		deleted["traces"] += n
	}
	if err != nil {
		return deleted, err
	}
	return deleted, db.clearTenants(ctx, batch, deleted)
}

// clearTraces deletes the oldest traces of each tenant that has more than it may. One
// statement says which those are, however many tenants there are: this is asked with
// every batch.
func (db *DB) clearTraces(ctx context.Context, batch int) (int, error) {
	rows, err := db.reader().query(ctx, fmt.Sprintf(`
		SELECT id FROM tenants WHERE (
			SELECT 1 FROM traces WHERE traces.tenant_id = tenants.id
			ORDER BY traces.started_at DESC LIMIT 1 OFFSET %d) IS NOT NULL`, db.options.MaxTraces))
	tenants, err := collect(rows, err, func(s scanner) (id string, err error) { return id, s.Scan(&id) })
	if err != nil {
		return 0, err
	}
	total := 0
	for _, id := range tenants {
		n, err := db.writer().exec(ctx, `
			DELETE FROM traces WHERE tenant_id = $1 AND support_code IN
				(SELECT support_code FROM traces WHERE tenant_id = $1 ORDER BY started_at DESC LIMIT $2 OFFSET $3)`,
			id, batch, db.options.MaxTraces)
		if err != nil {
			return total, fmt.Errorf("clear away traces: %w", err)
		}
		total += int(n)
	}
	return total, nil
}
