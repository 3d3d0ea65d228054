package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/outbox"
)

var (
	_ outbox.Queue = (*DB)(nil)
	_ outbox.Desk  = (*Tenant)(nil)
)

// maxProblem is the length at which the reason of a failure is cut off.
const maxProblem = 500

// enqueue queues a message in the transaction of its cause. It is due at once.
func (t *Tenant) enqueue(ctx context.Context, tx hand, m outbox.Message, now time.Time) error {
	_, err := t.enqueueFor(ctx, tx, m, time.Time{}, now)
	return err
}

// enqueueFor queues a message in the transaction of its cause, and leaves it in the
// hands of whoever caused it until the given time. Without one it is due at once, for
// whoever delivers.
func (t *Tenant) enqueueFor(ctx context.Context, tx hand, m outbox.Message, until, now time.Time) (outbox.Taken, error) {
	if m.ID == "" {
		m.ID = outbox.NewID(now)
	}
	taken := outbox.Taken{TenantID: t.id, Message: m, CreatedAt: now}
	next := now
	if until.After(now) {
		taken.Attempts, next = 1, until
	}
	_, err := tx.exec(ctx, `
		INSERT INTO outbox (tenant_id, id, kind, body, attempts, created_at, next_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		t.id, m.ID, string(m.Kind), t.seal(m.Body, "outbox", "body", m.ID), taken.Attempts, instant(now), instant(next))
	return taken, err
}

// Enqueue queues a message that stands for itself.
func (t *Tenant) Enqueue(ctx context.Context, m outbox.Message, now time.Time) error {
	return t.enqueue(ctx, t.db.writer(), m, now)
}

// TakeDue implements [outbox.Queue]. The condition stands there twice: who comes
// second to a row looks at it again when the first is done, and then it is not due
// any more.
func (db *DB) TakeDue(ctx context.Context, kinds []outbox.Kind, most int, until, now time.Time) ([]outbox.Taken, error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	args := []any{instant(until), instant(now)}
	var places []string
	for _, k := range kinds {
		args = append(args, string(k))
		places = append(places, fmt.Sprintf("$%d", len(args)))
	}
	var taken []outbox.Taken
	err := db.inTx(ctx, func(tx hand) error {
		rows, err := tx.query(ctx, fmt.Sprintf(`
			UPDATE outbox SET attempts = attempts + 1, next_at = $1
			WHERE (tenant_id, id) IN (
				SELECT tenant_id, id FROM outbox WHERE dead_at IS NULL AND next_at <= $2 AND kind IN (%s) ORDER BY next_at LIMIT %d
			) AND dead_at IS NULL AND next_at <= $2
			RETURNING tenant_id, id, kind, body, attempts, created_at`, strings.Join(places, ", "), most), args...)
		taken, err = collect(rows, err, func(s scanner) (outbox.Taken, error) {
			var m outbox.Taken
			err := s.Scan(&m.TenantID, &m.ID, (*string)(&m.Kind), &m.Body, &m.Attempts, (*instant)(&m.CreatedAt))
			return m, err
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	// What cannot be opened is in our hands all the same: it is put off like what
	// cannot be delivered, and keeps nobody else waiting.
	open := taken[:0]
	for _, m := range taken {
		t := &Tenant{db: db, id: m.TenantID}
		body, err := t.unseal(m.Body, "outbox", "body", m.ID)
		if err == nil {
			m.Body = body
			open = append(open, m)
			continue
		}
		if err := db.PutOff(ctx, m, err.Error(), until); err != nil {
			return nil, err
		}
	}
	return open, nil
}

// Delivered implements [outbox.Queue]. It does not matter who says so.
func (db *DB) Delivered(ctx context.Context, m outbox.Taken) error {
	_, err := db.writer().exec(ctx, `DELETE FROM outbox WHERE tenant_id = $1 AND id = $2`, m.TenantID, m.ID)
	return err
}

// PutOff implements [outbox.Queue].
func (db *DB) PutOff(ctx context.Context, m outbox.Taken, problem string, next time.Time) error {
	_, err := db.writer().exec(ctx, `
		UPDATE outbox SET problem = $4, next_at = $5
		WHERE tenant_id = $1 AND id = $2 AND attempts = $3 AND dead_at IS NULL`,
		m.TenantID, m.ID, m.Attempts, remark(problem, maxProblem), instant(next))
	return err
}

// GiveUp implements [outbox.Queue].
func (db *DB) GiveUp(ctx context.Context, m outbox.Taken, problem string, now time.Time) error {
	_, err := db.writer().exec(ctx, `
		UPDATE outbox SET problem = $4, dead_at = $5
		WHERE tenant_id = $1 AND id = $2 AND attempts = $3 AND dead_at IS NULL`,
		m.TenantID, m.ID, m.Attempts, remark(problem, maxProblem), instant(now))
	return err
}

// Backlog returns how much waits, for metrics and whoever asks how things stand.
func (db *DB) Backlog(ctx context.Context) (outbox.Backlog, error) {
	var b outbox.Backlog
	err := db.reader().row(ctx, `
		SELECT COUNT(CASE WHEN dead_at IS NULL THEN 1 END), COUNT(dead_at), MIN(CASE WHEN dead_at IS NULL THEN created_at END)
		FROM outbox`).Scan(&b.Waiting, &b.Dead, (*instant)(&b.Oldest))
	return b, err
}

// Letters implements [outbox.Desk].
func (t *Tenant) Letters(ctx context.Context, onlyDead bool, after string, most int) ([]outbox.Letter, error) {
	rows, err := t.db.reader().query(ctx, fmt.Sprintf(`
		SELECT id, kind, attempts, problem, created_at, next_at, dead_at FROM outbox
		WHERE tenant_id = $1 AND id > $2 AND (dead_at IS NOT NULL OR NOT $3)
		ORDER BY id LIMIT %d`, most), t.id, after, onlyDead)
	return collect(rows, err, func(s scanner) (outbox.Letter, error) {
		var l outbox.Letter
		err := s.Scan(&l.ID, (*string)(&l.Kind), &l.Attempts, &l.Problem,
			(*instant)(&l.CreatedAt), (*instant)(&l.NextAt), (*instant)(&l.DeadAt))
		return l, err
	})
}

func noLetter(id string) *fault.Error {
	return fault.New(fault.NotFound, "There is no message %q in the outbox. It may have been delivered meanwhile.", id)
}

// RetryLetter implements [outbox.Desk].
func (t *Tenant) RetryLetter(ctx context.Context, id string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		n, err := tx.exec(ctx, `
			UPDATE outbox SET attempts = 0, next_at = $3, dead_at = NULL WHERE tenant_id = $1 AND id = $2`,
			t.id, id, instant(by.At))
		if err := mustChange(n, err, noLetter(id)); err != nil {
			return err
		}
		return t.witness(ctx, tx, by, ofLetter(by, audit.OutboxRetried, id))
	})
}

// DropLetter implements [outbox.Desk].
func (t *Tenant) DropLetter(ctx context.Context, id string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		n, err := tx.exec(ctx, `DELETE FROM outbox WHERE tenant_id = $1 AND id = $2`, t.id, id)
		if err := mustChange(n, err, noLetter(id)); err != nil {
			return err
		}
		return t.witness(ctx, tx, by, ofLetter(by, audit.OutboxDropped, id))
	})
}

func ofLetter(by audit.By, kind audit.Kind, id string) audit.Event {
	e := by.Event(kind)
	e.Detail = map[string]string{"message": id}
	return e
}
