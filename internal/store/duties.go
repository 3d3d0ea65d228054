package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"dex/internal/domain/system"
)

// DutyBegan implements [system.Duties].
func (db *DB) DutyBegan(ctx context.Context, name, holder string, now time.Time) error {
	_, err := db.writer().exec(ctx, `
		INSERT INTO duties (name, holder, began_at, runs) VALUES ($1, $2, $3, 1)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, began_at = excluded.began_at, runs = duties.runs + 1`,
		name, holder, instant(now))
	return err
}

// DutyEnded implements [system.Duties].
func (db *DB) DutyEnded(ctx context.Context, name, said, problem string, now time.Time) error {
	if problem != "" {
		_, err := db.writer().exec(ctx, `
			UPDATE duties SET failed_at = $2, problem = $3, failures = failures + 1 WHERE name = $1`,
			name, instant(now), remark(problem, maxSaid))
		return err
	}
	_, err := db.writer().exec(ctx, `
		UPDATE duties SET done_at = $2, problem = '', said = CASE WHEN $3 = '' THEN said ELSE $3 END WHERE name = $1`,
		name, instant(now), remark(said, maxSaid))
	return err
}

// Duties implements [system.Duties].
func (db *DB) Duties(ctx context.Context) ([]system.Duty, error) {
	rows, err := db.reader().query(ctx, `
		SELECT duties.name, duties.holder, leases.until_at, began_at, done_at, failed_at, said, problem, runs, failures
		FROM duties LEFT JOIN leases ON leases.name = duties.name AND leases.holder = duties.holder`)
	all, err := collect(rows, err, func(s scanner) (d system.Duty, err error) {
		return d, s.Scan(&d.Name, &d.Holder, (*instant)(&d.Until), (*instant)(&d.BeganAt), (*instant)(&d.DoneAt), (*instant)(&d.FailedAt),
			&d.Said, &d.Problem, &d.Runs, &d.Failures)
	})
	slices.SortFunc(all, func(a, b system.Duty) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}
