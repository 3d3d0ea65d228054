package calls

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync/atomic"
)

// conn is a connection on the line. It is used by one goroutine at a time, but for
// IsValid.
type conn struct {
	driver.Conn
	line *Line
	dead atomic.Bool
}

// The pool asks a connection for these, and both drivers have them.
var (
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

// call makes a call, if its fate lets it, and tells what became of it.
func call[T any](c *conn, what string, do func() (T, error)) (T, error) {
	var none T
	if c.dead.Load() {
		return none, driver.ErrBadConn
	}
	switch c.line.fate(what) {
	case Before:
		c.dead.Store(true)
		return none, c.line.Lost
	case Refused:
		if what == "commit" { // what has been begun must not stay open
			c.dead.Store(true)
		}
		return none, c.line.Lost
	case After:
		done, err := do()
		c.dead.Store(true)
		if err != nil {
			return none, errors.Join(c.line.Lost, err)
		}
		switch done := any(done).(type) {
		case driver.Rows:
			finish(done)
		case driver.Stmt:
			_ = done.Close() // nobody else will, and SQLite waits for it
		}
		return none, c.line.Lost
	default:
		return do()
	}
}

// finish reads an answer to its end, because only there a statement that changes
// something has done so.
func finish(all driver.Rows) {
	row := make([]driver.Value, len(all.Columns()))
	for all.Next(row) == nil { // reading is all
	}
	_ = all.Close()
}

// ExecContext implements [driver.ExecerContext].
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return call(c, "exec", func() (driver.Result, error) { return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args) })
}

// QueryContext implements [driver.QueryerContext].
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return call(c, "query", func() (driver.Rows, error) { return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args) })
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := call(c, "prepare", func() (driver.Stmt, error) { return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query) })
	if err != nil {
		return nil, err
	}
	return &stmt{Stmt: s, conn: c}, nil
}

// BeginTx implements [driver.ConnBeginTx].
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	t, err := call(c, "begin", func() (driver.Tx, error) { return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts) })
	if err != nil {
		return nil, err
	}
	return &tx{Tx: t, conn: c}, nil
}

// Ping implements [driver.Pinger].
func (c *conn) Ping(ctx context.Context) error {
	if c.dead.Load() {
		return driver.ErrBadConn
	}
	return c.Conn.(driver.Pinger).Ping(ctx)
}

// ResetSession implements [driver.SessionResetter].
func (c *conn) ResetSession(ctx context.Context) error {
	if c.dead.Load() {
		return driver.ErrBadConn
	}
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

// IsValid implements [driver.Validator].
func (c *conn) IsValid() bool {
	if v, ok := c.Conn.(driver.Validator); ok && !v.IsValid() {
		return false
	}
	return !c.dead.Load()
}

// CheckNamedValue implements [driver.NamedValueChecker].
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// stmt is a prepared statement on the line.
type stmt struct {
	driver.Stmt
	conn *conn
}

// ExecContext implements [driver.StmtExecContext].
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return call(s.conn, "exec", func() (driver.Result, error) { return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args) })
}

// QueryContext implements [driver.StmtQueryContext].
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return call(s.conn, "query", func() (driver.Rows, error) { return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args) })
}

// tx is a transaction on the line.
type tx struct {
	driver.Tx
	conn *conn
}

// Commit implements [driver.Tx].
func (t *tx) Commit() error {
	_, err := call(t.conn, "commit", func() (struct{}, error) { return struct{}{}, t.Tx.Commit() })
	return err
}

// Rollback implements [driver.Tx]. On a line that is broken nobody hears it: the
// end of the connection does the same.
func (t *tx) Rollback() error {
	if t.conn.dead.Load() {
		return driver.ErrBadConn
	}
	return t.Tx.Rollback()
}
