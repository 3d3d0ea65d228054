package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// engine is what the two databases do not have in common.
type engine struct {
	dialect goose.Dialect
	shared  bool // other processes may be at it
	ownTime bool // it has a clock of its own

	exists func(error) bool // it is there already
	again  func(error) bool // try the whole transaction once more
	away   func(error) bool // it cannot be reached, or cannot serve for now
}

// pools are the connections to one database. Where an engine knows no
// difference, both are the same.
type pools struct {
	write, read *sql.DB
	keep        *sql.Conn // what an in-memory database lives by

	reads, writes *prepared // nil if the driver keeps statements by itself
}

func (p pools) close() error {
	var err error
	if p.keep != nil {
		err = p.keep.Close()
	}
	if p.read != p.write {
		err = errors.Join(err, p.read.Close())
	}
	return errors.Join(err, p.write.Close())
}

const memory = "sqlite::memory:"

// open connects to the database that a URL names.
func open(ctx context.Context, o Options) (*engine, pools, error) {
	file, isFile := strings.CutPrefix(o.URL, "sqlite:")
	switch {
	case o.URL == memory:
		p, err := openMemory(ctx, o)
		return &engine{dialect: goose.DialectSQLite3, exists: sqliteExists, again: sqliteBusy, away: sqliteAway}, p, err
	case isFile && file != "":
		p, err := openFile(ctx, file, o)
		return &engine{dialect: goose.DialectSQLite3, shared: true, exists: sqliteExists, again: sqliteBusy, away: sqliteAway}, p, err
	case strings.HasPrefix(o.URL, "postgres://"), strings.HasPrefix(o.URL, "postgresql://"):
		p, err := openPostgres(o)
		return &engine{dialect: goose.DialectPostgres, shared: true, ownTime: true, exists: postgresExists, again: postgresAgain, away: postgresAway}, p, err
	default:
		return nil, pools{}, errors.New("a database is sqlite:FILE, " + memory + " or postgres://…")
	}
}

// sqliteParameters are those that every connection to SQLite has.
func sqliteParameters() url.Values {
	return url.Values{
		// Times are whole microseconds since 1970, which sort and compare
		// as Postgres sorts and compares its own. As text they would not.
		"_time_integer_format": {"unix_micro"},
		// A transaction takes the write lock when it begins, so it never
		// has to upgrade, and reading inside it is already FOR UPDATE.
		"_txlock":       {"immediate"},
		"_foreign_keys": {"on"},
		"_busy_timeout": {"10000"},
		// A name in double quotes that is not found is a mistake, not a text.
		"_dqs":       {"0"},
		"_defensive": {"1"},
		"_error_rc":  {"1"},
	}
}

// openSQLite makes a pool of connections to SQLite.
func openSQLite(o Options, name string) (*sql.DB, error) {
	c, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, err
	}
	return o.pool(c), nil
}

// pool makes a pool of connections.
func (o Options) pool(c driver.Connector) *sql.DB {
	if o.Between != nil {
		c = o.Between(c)
	}
	return sql.OpenDB(c)
}

// openMemory opens a database that nobody else sees and that ends with us. One
// connection does everything: several would only wait for each other.
func openMemory(ctx context.Context, o Options) (pools, error) {
	p := sqliteParameters()
	p.Set("vfs", "memdb")
	db, err := openSQLite(o, "file:/"+rand.Text()+"?"+p.Encode())
	if err != nil {
		return pools{}, err
	}
	db.SetMaxOpenConns(2)
	db.SetMaxIdleConns(2)
	// The data is there as long as somebody is connected. A working connection may
	// be given up after an error; this one only stays.
	keep, err := db.Conn(ctx)
	if err != nil {
		return pools{}, errors.Join(err, db.Close())
	}
	all := newPrepared(db)
	return pools{write: db, read: db, keep: keep, reads: all, writes: all}, nil
}

// openFile opens a file. One connection writes, several read, and neither waits
// for the other.
func openFile(ctx context.Context, file string, o Options) (pools, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return pools{}, err
	}
	// SQLite would let everybody read a new file, and gives its log the same mode.
	created, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return pools{}, fmt.Errorf("open the database: %w", err)
	}
	if err := created.Close(); err != nil {
		return pools{}, err
	}
	p := sqliteParameters()
	p.Set("_journal_mode", "WAL")
	// What has been answered must survive a power cut: a revocation above all.
	p.Set("_synchronous", "FULL")
	name := "file:" + (&url.URL{Path: file}).EscapedPath() + "?"
	write, err := openSQLite(o, name+p.Encode())
	if err != nil {
		return pools{}, err
	}
	write.SetMaxOpenConns(1)
	if err := write.PingContext(ctx); err != nil {
		return pools{}, errors.Join(err, write.Close())
	}
	p.Set("_query_only", "on")
	read, err := openSQLite(o, name+p.Encode())
	if err != nil {
		return pools{}, errors.Join(err, write.Close())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	if o.MaxOpen > 1 {
		readers = o.MaxOpen - 1
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return pools{write: write, read: read, reads: newPrepared(read), writes: newPrepared(write)}, nil
}

// defaultConnections is how many connections a process opens to Postgres at most.
const defaultConnections = 16

func openPostgres(o Options) (pools, error) {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return pools{}, err // it tells what is wrong, and hides the password
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "dex"
	}
	db := o.pool(stdlib.GetConnector(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		// Our statements are conditional updates, which are right at this level.
		// Under a stricter default single ones would fail and have to be repeated.
		_, err := c.Exec(ctx, "SET default_transaction_isolation TO 'read committed'")
		return err
	})))
	most := o.MaxOpen
	if most <= 0 {
		most = defaultConnections
	}
	idle := o.MaxIdle
	if idle <= 0 || idle > most {
		idle = most
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(idle)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return pools{write: db, read: db}, nil
}

func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

func sqliteExists(err error) bool {
	code := sqliteCode(err)
	return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
}

// The low byte of a code is the kind of error, the rest refines it.
func sqliteBusy(err error) bool { return sqliteCode(err)&0xff == sqlite3.SQLITE_BUSY }

func sqliteAway(err error) bool {
	return slices.Contains([]int{
		sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
	}, sqliteCode(err)&0xff)
}

// The SQLSTATEs that we tell apart, https://www.postgresql.org/docs/current/errcodes-appendix.html.
const (
	uniqueViolation      = "23505"
	undefinedTable       = "42P01"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	cachedPlanChanged    = "0A000" // after a migration; the plan is made anew the next time
	readOnlyTransaction  = "25006" // a standby, while one takes over from another
	cannotConnectNow     = "57P03"
	adminShutdown        = "57P01"
	crashShutdown        = "57P02"

	// Classes.
	connectionException   = "08"
	insufficientResources = "53" // the disk is full, or there are too many connections
	systemError           = "58" // reading or writing has failed
)

func postgresCode(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

func postgresExists(err error) bool { return postgresCode(err) == uniqueViolation }

func postgresAgain(err error) bool {
	return slices.Contains([]string{serializationFailure, deadlockDetected, cachedPlanChanged}, postgresCode(err))
}

func postgresAway(err error) bool {
	if code := postgresCode(err); code != "" {
		return slices.ContainsFunc([]string{
			connectionException, insufficientResources, systemError,
			serializationFailure, deadlockDetected, readOnlyTransaction, cannotConnectNow, adminShutdown, crashShutdown,
		}, func(known string) bool { return strings.HasPrefix(code, known) })
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	// A connection that was found to be closed before anything was sent has an error of
	// its own, which only says that of itself.
	return ok || brokenOff(err) || pgconn.SafeToRetry(err)
}
