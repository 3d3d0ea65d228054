package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"time"

	"dex/internal/base/fault"
)

// hand is what statements are run with: by themselves, or in a transaction. All
// that is asked of the database goes through one.
type hand struct {
	db   *DB
	pool *sql.DB
	tx   *sql.Tx // nil outside of a transaction

	prepared *prepared // nil if the driver keeps statements by itself
	missed   *[]string // inside of a transaction: what would be worth preparing
}

// reader is the hand for statements that change nothing.
func (db *DB) reader() hand { return hand{db: db, pool: db.pools.read, prepared: db.pools.reads} }

// writer is the hand for a single statement that changes something, which is a
// transaction by itself.
func (db *DB) writer() hand {
	return hand{db: db, pool: db.pools.write, prepared: db.pools.writes}
}

// exec runs a statement and returns how many rows it changed.
func (h hand) exec(ctx context.Context, query string, args ...any) (int64, error) {
	args, err := values(args)
	if err != nil {
		return 0, err
	}
	h.db.counted.statements.Add(1)
	if h.tx == nil {
		h.db.counted.commits.Add(1)
	}
	ctx, told := h.db.follow(ctx)
	done, err := h.run(ctx, query, args)
	end(told, err)
	if err != nil {
		return 0, h.db.explain(ctx, err)
	}
	return done.RowsAffected()
}

// query runs a statement that answers with rows.
func (h hand) query(ctx context.Context, query string, args ...any) (rows, error) {
	args, err := values(args)
	if err != nil {
		return rows{}, err
	}
	h.db.counted.statements.Add(1)
	ctx, told := h.db.follow(ctx)
	defer func() { end(told, err) }()
	r, err := h.ask(ctx, query, args) //nolint:rowserrcheck // Whoever reads the rows does.
	return rows{Rows: r, ctx: ctx, db: h.db}, h.db.explain(ctx, err)
}

// row runs a statement that answers with one row at most.
func (h hand) row(ctx context.Context, query string, args ...any) row {
	all, err := h.query(ctx, query, args...)
	return row{rows: all, err: err}
}

// change runs a statement that changes something and answers with one row at
// most.
func (h hand) change(ctx context.Context, query string, args ...any) row {
	if h.tx == nil {
		h.db.counted.commits.Add(1)
	}
	return h.row(ctx, query, args...)
}

// scanner is a row to be read.
type scanner interface{ Scan(dest ...any) error }

// rows is the answer of a statement.
type rows struct {
	*sql.Rows
	ctx context.Context
	db  *DB
}

// Err returns what ended the rows before their end, as [DB.explain] tells it.
func (r rows) Err() error { return r.db.explain(r.ctx, r.Rows.Err()) }

// row is the answer of one row, or none.
type row struct {
	rows rows
	err  error
}

// Scan reads the row. It returns [sql.ErrNoRows] if there is none. Unlike that of
// [sql.Row] it goes on to the end, because only there a statement that changes
// something has done so.
func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	found := r.rows.Next()
	var err error
	if found {
		err = r.rows.Scan(dest...)
	}
	for r.rows.Next() {
		err = errors.New("more rows than one")
	}
	if failed := errors.Join(r.rows.Err(), r.rows.Close()); failed != nil {
		return failed
	}
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

// collect reads all rows.
func collect[T any](rows rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what matters of it is in rows.Err
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// mustChange returns the fault if a statement changed no row.
func mustChange(n int64, err error, otherwise *fault.Error) error {
	if err == nil && n == 0 {
		return otherwise
	}
	return err
}

// absent reports whether a look-up found nothing. What cannot be stored is not
// there either.
func absent(err error) bool {
	return errors.Is(err, sql.ErrNoRows) || fault.Is(err, fault.Invalid)
}

const (
	// attempts is how often a transaction is tried that gets in another's way.
	attempts = 6
	// pause is how long the first one waits before it tries again.
	pause = 4 * time.Millisecond
)

// inTx does something as one step: all of it, or nothing. It may be called
// several times, so it must change nothing but the database. It must use the hand
// that it is given and no other: with one connection it would wait for itself.
func (db *DB) inTx(ctx context.Context, do func(tx hand) error) error {
	var missed []string
	defer func() {
		for _, query := range missed {
			db.pools.writes.keep(ctx, query)
		}
	}()
	for attempt := 1; ; attempt++ {
		err := db.once(ctx, &missed, do)
		if err == nil || attempt == attempts || !db.engine.again(err) {
			return err
		}
		if err := sleep(ctx, pause<<attempt); err != nil {
			return err
		}
	}
}

func (db *DB) once(ctx context.Context, missed *[]string, do func(tx hand) error) error {
	tx, err := db.pools.write.BeginTx(ctx, nil)
	if err != nil {
		return db.explain(ctx, err)
	}
	// After a commit this does nothing; else nothing was done, even if what is to
	// be done panics; and if it fails, the connection is gone and all with it.
	defer func() { _ = tx.Rollback() }()
	h := db.writer()
	h.tx, h.missed = tx, missed
	if err := do(h); err != nil {
		return err
	}
	db.counted.commits.Add(1)
	return db.explain(ctx, tx.Commit())
}

// explain makes of an engine's error what callers can tell apart. A cancelled
// context stays one, and a database that is away is no failure of ours.
func (db *DB) explain(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, sql.ErrNoRows):
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.Wrap(fault.Unavailable, ctx.Err(), "The database did not answer in time.")
	case ctx.Err() != nil:
		return ctx.Err() // the engines have words of their own for it
	case db.engine.away(err):
		return fault.Wrap(fault.Unavailable, err, "The database cannot be reached at the moment.")
	default:
		return err
	}
}

// brokenOff reports whether a connection ended in the middle.
func brokenOff(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, driver.ErrBadConn, sql.ErrConnDone} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// sleep waits, unless the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d) //nolint:forbidigo // It waits for others, in real time, and decides nothing.
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
