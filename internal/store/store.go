// Package store is the one place where anything is kept. It meets the stores of
// all nouns, on SQLite and on Postgres, with one text for every query.
//
// A [DB] is the database; a [Tenant] is one tenant's view of it, which can see
// nothing else. What a journey remembers is one step: a verb such as Redeem or
// OpenSession happens wholly, in one statement or one transaction, or not at all,
// and its line in the record is written with it.
//
// State (sessions, grants, users, keys) is read whenever it is asked for.
// Configuration (the tenant, its clients and connectors) is leased: it is
// answered from memory for a few seconds, and whoever changes it waits them out
// before saying that it is done.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/measure"
	"dex/internal/base/seal"
	"dex/internal/connector"
	"dex/internal/connector/founding"
	"dex/internal/connector/inventory"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/key"
	"dex/internal/domain/session"
	"dex/internal/domain/system"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

// What the database is to those who look after all tenants.
var (
	_ tenant.Registry = (*DB)(nil)
	_ founding.Store  = (*DB)(nil)
	_ system.Duties   = (*DB)(nil)
)

// What a tenant's store is to everybody.
var (
	_ client.Store       = (*Tenant)(nil)
	_ client.Registry    = (*Tenant)(nil)
	_ client.Switch      = (*Tenant)(nil)
	_ client.Secrets     = (*Tenant)(nil)
	_ connector.Store    = (*Tenant)(nil)
	_ connector.Registry = (*Tenant)(nil)
	_ connector.Switch   = (*Tenant)(nil)
	_ user.Store         = (*Tenant)(nil)
	_ user.Directory     = (*Tenant)(nil)
	_ user.Standing      = (*Tenant)(nil)
	_ user.Groups        = (*Tenant)(nil)
	_ user.Links         = (*Tenant)(nil)
	_ credential.Store   = (*Tenant)(nil)
	_ session.Store      = (*Tenant)(nil)
	_ session.Upstreams  = (*Tenant)(nil)
	_ grant.Store        = (*Tenant)(nil)
	_ key.Store          = (*Tenant)(nil)
	_ key.Desk           = (*Tenant)(nil)
	_ audit.Store        = (*Tenant)(nil)
	_ inventory.Keeper   = (*Tenant)(nil)
	_ audit.Receipts     = (*Tenant)(nil)
	_ grant.DeviceStore  = (*Tenant)(nil)
)

// Options say which database, and how it is used.
type Options struct {
	// URL is "sqlite:FILE", "sqlite::memory:" or "postgres://…".
	URL string
	// Keys seal what must not be readable in a copy of the database.
	Keys *seal.Ring
	// Clock is told instead of the database's own time. Only tests, which move it,
	// set it.
	Clock clock.Clock
	// Between stands between us and the driver. Only tests, which let calls fail, set
	// it.
	Between func(driver.Connector) driver.Connector
	// MaxOpen and MaxIdle bound the connections; zero is 16 for Postgres, and as
	// many as there are processors for SQLite.
	MaxOpen, MaxIdle int
	// Lease is for how long configuration is answered from memory; zero is three
	// seconds. All processes at one database must have the same.
	Lease time.Duration
	// MaxTraces is how many traces of attempts are kept of a tenant; zero is
	// 100,000.
	MaxTraces int
	// Tracer follows each statement; nil for nobody.
	Tracer measure.Tracer
	Log    *slog.Logger
}

// DefaultLease is for how long configuration is answered from memory where [Options]
// says nothing else.
const DefaultLease = 3 * time.Second

const defaultMaxTraces = 100_000

// DB is a database.
type DB struct {
	options Options
	engine  *engine
	pools   pools
	box     *seal.Box
	clock   clock.Clock
	follows *clock.Anchored // the clock, if it follows the database's
	counted struct{ statements, commits atomic.Int64 }

	mu      sync.Mutex
	tenants map[string]*Tenant

	around around
}

// Open opens a database. It must be migrated before it is used.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Keys == nil {
		return nil, errors.New("a database needs key secrets")
	}
	if o.Lease <= 0 {
		o.Lease = DefaultLease
	}
	if o.MaxTraces <= 0 {
		o.MaxTraces = defaultMaxTraces
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e, p, err := open(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db := &DB{options: o, engine: e, pools: p, box: o.Keys.Box("store"), tenants: map[string]*Tenant{}}
	switch {
	case o.Clock != nil:
		db.clock = o.Clock
	case e.ownTime:
		db.follows = &clock.Anchored{}
		db.clock = db.follows
	default:
		db.clock = clock.System{}
	}
	if err := db.readClock(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), db.Close())
	}
	return db, nil
}

// Close ends all connections.
func (db *DB) Close() error { return db.pools.close() }

// Clock tells the database's time, by which everything that is kept here expires:
// each verb is handed the time by its caller, and callers have it from here. It
// follows the clock of Postgres, so that all workers agree however wrong their
// own clocks are; beside SQLite it is this machine's. A test puts its own clock
// in its place and so moves the database's time too.
func (db *DB) Clock() clock.Clock { return db.clock }

// readClock looks at the database's clock, if it has one that is followed.
func (db *DB) readClock(ctx context.Context) error {
	asked := clock.System{}.Now()
	if db.follows == nil {
		return db.explain(ctx, db.pools.read.PingContext(ctx))
	}
	var reading time.Time
	if err := db.reader().row(ctx, `SELECT clock_timestamp()`).Scan((*instant)(&reading)); err != nil {
		return err
	}
	db.follows.Anchor(reading, asked)
	return nil
}

// Work is how much has been asked of the database.
type Work struct {
	Statements int64
	Commits    int64
}

// Work returns how much this process has asked of the database, for metrics and
// for the tests that hold it to its budget.
func (db *DB) Work() Work {
	return Work{Statements: db.counted.statements.Load(), Commits: db.counted.commits.Load()}
}

// Pool is how the connections stand that this process has to the database.
type Pool struct {
	Max, InUse, Idle int
	Waits            int64 // how often somebody had to wait for one
	Waited           time.Duration
}

// Pool returns how the connections stand.
func (db *DB) Pool() Pool {
	var p Pool
	pools := []*sql.DB{db.pools.write}
	if db.pools.read != db.pools.write {
		pools = append(pools, db.pools.read)
	}
	for _, pool := range pools {
		s := pool.Stats()
		p.Max, p.InUse, p.Idle = p.Max+s.MaxOpenConnections, p.InUse+s.InUse, p.Idle+s.Idle
		p.Waits, p.Waited = p.Waits+s.WaitCount, p.Waited+s.WaitDuration
	}
	return p
}

// Tenant is one tenant's view of the database: it sees nothing else.
type Tenant struct {
	db         *DB
	id         string
	refreshKey []byte
	leased     leased
}

// ID returns the tenant's id.
func (t *Tenant) ID() string { return t.id }

// RefreshKey returns the key that the tenant's refresh tokens are made with.
func (t *Tenant) RefreshKey() []byte { return t.refreshKey }

// seal seals what goes into a column, bound to where it stands. Nothing stays
// nothing.
func (t *Tenant) seal(plain []byte, table, column string, row ...string) []byte {
	if len(plain) == 0 {
		return nil
	}
	return t.db.box.Seal(plain, append([]string{t.id, table, column}, row...)...)
}

// unseal opens what seal has sealed.
func (t *Tenant) unseal(sealed []byte, table, column string, row ...string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	plain, err := t.db.box.Open(sealed, append([]string{t.id, table, column}, row...)...)
	if err != nil {
		return nil, fmt.Errorf("%s.%s of %q: %w", table, column, row, err)
	}
	return plain, nil
}

// notFound returns the fault if a look-up found nothing, else its error.
func notFound(err error, format string, args ...any) error {
	if absent(err) {
		return fault.New(fault.NotFound, format, args...)
	}
	return err
}

// isNone reports whether a look-up found no row.
func isNone(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// Raw returns the database as it is, without anything of ours before it. It is for
// the tests that look at it as a thief would, and for nobody else.
func Raw(db *DB) *sql.DB { return db.pools.write }
