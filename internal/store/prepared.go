package store

import (
	"context"
	"database/sql"
	"sync"
)

// maxPrepared bounds how many statements are kept of a pool: all that there are,
// but for those of a varying length.
const maxPrepared = 128

// prepared keeps the statements of a pool, whose texts SQLite would otherwise read
// and plan anew each time, which takes longer than running most of them. pgx does
// the same for Postgres by itself.
type prepared struct {
	pool *sql.DB

	mu     sync.RWMutex
	byText map[string]*sql.Stmt
}

// find returns a statement, if it is kept.
func (p *prepared) find(query string) *sql.Stmt {
	if p == nil {
		return nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.byText[query]
}

// keep prepares a statement and keeps it. It needs a connection, so it must not be
// called by somebody who holds one. That it fails is no matter: whoever runs the
// text itself hears why.
func (p *prepared) keep(ctx context.Context, query string) *sql.Stmt {
	if p == nil {
		return nil
	}
	p.mu.RLock()
	full := len(p.byText) >= maxPrepared
	p.mu.RUnlock()
	if full {
		return nil
	}
	s, err := p.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.byText[query]; other != nil {
		_ = s.Close() //nolint:sqlclosecheck // Another was quicker; what is kept stays open.
		return other
	}
	p.byText[query] = s
	return s
}

// newPrepared returns a place for the statements of a pool.
func newPrepared(pool *sql.DB) *prepared {
	return &prepared{pool: pool, byText: map[string]*sql.Stmt{}}
}

// statement returns the statement of a text, ready to be run, or nil if the text
// has to be run as it is. Inside a transaction a new one is only noted: preparing
// it would wait for the connection that the transaction holds.
func (h hand) statement(ctx context.Context, query string) *sql.Stmt {
	s := h.prepared.find(query)
	switch {
	case s == nil && h.tx == nil:
		return h.prepared.keep(ctx, query)
	case s == nil:
		*h.missed = append(*h.missed, query)
		return nil
	case h.tx != nil:
		return h.tx.StmtContext(ctx, s)
	default:
		return s
	}
}

// run runs a statement that answers with nothing.
func (h hand) run(ctx context.Context, query string, args []any) (sql.Result, error) {
	switch s := h.statement(ctx, query); { //nolint:sqlclosecheck // It is kept for the next time.
	case s != nil:
		return s.ExecContext(ctx, args...)
	case h.tx != nil:
		return h.tx.ExecContext(ctx, query, args...)
	default:
		return h.pool.ExecContext(ctx, query, args...)
	}
}

// ask runs a statement that answers with rows.
func (h hand) ask(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	switch s := h.statement(ctx, query); { //nolint:sqlclosecheck // It is kept for the next time.
	case s != nil:
		return s.QueryContext(ctx, args...)
	case h.tx != nil:
		return h.tx.QueryContext(ctx, query, args...)
	default:
		return h.pool.QueryContext(ctx, query, args...)
	}
}
