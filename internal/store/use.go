package store

import (
	"context"
	"fmt"
	"time"
)

const (
	// useDuty is under which name stands up to when the use of clients was counted.
	useDuty = "count client use"
	// useLag is how long after its date a grant is counted: by then its transaction
	// has ended.
	useLag = time.Minute
	// useKeep is for how long it is known that somebody has used a client.
	useKeep = 90 * 24 * time.Hour
)

// CountUse takes down who has used which client by which connector, from the grants
// since it was last called, oldest first and about so many at a time. It reports
// whether there are more. What it counts twice it knows already, so that nothing is
// wrong after a crash.
func (db *DB) CountUse(ctx context.Context, now time.Time, batch int) (more bool, err error) {
	err = db.inTx(ctx, func(tx hand) error {
		more = false
		var mark, until time.Time
		err := tx.row(ctx, `SELECT mark FROM duties WHERE name = $1`, useDuty).Scan((*instant)(&mark))
		if err != nil && !isNone(err) {
			return err
		}
		// The number stands in the text, because a plan that is made for any number reads
		// the whole table.
		err = tx.row(ctx, fmt.Sprintf(`
			SELECT issued_at FROM grants WHERE issued_at > $1 AND issued_at <= $2 ORDER BY issued_at LIMIT 1 OFFSET %d`, batch-1),
			instantOrFirst(mark), instant(now.Add(-useLag))).Scan((*instant)(&until))
		switch {
		case isNone(err): // the rest
			until = now.Add(-useLag)
		case err != nil:
			return err
		default:
			more = true
		}
		if _, err := tx.exec(ctx, `
			INSERT INTO client_use (tenant_id, client_id, connector_id, user_id, last_at)
			SELECT tenant_id, client_id, connector_id, user_id, MAX(issued_at) FROM grants
			WHERE issued_at > $1 AND issued_at <= $2
			GROUP BY tenant_id, client_id, connector_id, user_id
			ON CONFLICT (tenant_id, client_id, connector_id, user_id) DO UPDATE SET last_at = excluded.last_at
			WHERE client_use.last_at < excluded.last_at`,
			instantOrFirst(mark), instant(until)); err != nil {
			return err
		}
		_, err = tx.exec(ctx, `
			INSERT INTO duties (name, mark) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET mark = excluded.mark WHERE duties.mark IS NULL OR duties.mark < excluded.mark`,
			useDuty, instant(until))
		return err
	})
	return more, err
}

// instantOrFirst is a time in a column that is before all others if it is none.
func instantOrFirst(t time.Time) instant {
	if t.IsZero() {
		return instant(time.UnixMicro(1))
	}
	return instant(t)
}

// forgetUse deletes a batch of what is too long ago.
func (db *DB) forgetUse(ctx context.Context, now time.Time, batch int) (int64, error) {
	return db.writer().exec(ctx, fmt.Sprintf(`
		DELETE FROM client_use WHERE (tenant_id, client_id, connector_id, user_id) IN
			(SELECT tenant_id, client_id, connector_id, user_id FROM client_use WHERE last_at <= $1 ORDER BY last_at LIMIT %d)`, batch),
		instant(now.Add(-useKeep)))
}
