// Package storetest opens databases for tests, and holds the suite that every
// engine passes.
//
// A test that needs a database calls [Open], and runs on SQLite in memory; with
// DEX_TEST_DB=postgres the same test runs on Postgres, on the server of
// DEX_TEST_POSTGRES or on one that is started for it.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dex/internal/base/clock"
	"dex/internal/base/seal"
	"dex/internal/domain/tenant"
	"dex/internal/store"
	"dex/test/fault/calls"
	"dex/test/postgres"
)

// Issuer is that of the default tenant in every test.
const Issuer = "http://127.0.0.1:5556"

// Option changes how a test's database is opened.
type Option func(*store.Options)

// WithClock makes the database's time one that the test moves.
func WithClock(c clock.Clock) Option { return func(o *store.Options) { o.Clock = c } }

// WithLease sets for how long configuration is answered from memory.
func WithLease(d time.Duration) Option { return func(o *store.Options) { o.Lease = d } }

// WithKeys sets the key secrets.
func WithKeys(k *seal.Ring) Option { return func(o *store.Options) { o.Keys = k } }

// WithMaxTraces sets how many traces are kept.
func WithMaxTraces(n int) Option { return func(o *store.Options) { o.MaxTraces = n } }

// WithLine puts a line between the database and its driver, on which calls fail.
func WithLine(l *calls.Line) Option { return func(o *store.Options) { o.Between = l.Between } }

// lease is short, because a test that disables something waits for it.
const lease = 50 * time.Millisecond

// opened knows the options of every open database, for [Again] and [Dump].
var opened sync.Map // of store.Options by *store.DB

// Open opens an empty, migrated database on the engine that the tests run on. It
// ends with the test.
func Open(t testing.TB, options ...Option) *store.DB {
	t.Helper()
	if os.Getenv("DEX_TEST_DB") == "postgres" {
		return OpenPostgres(t, options...)
	}
	return OpenSQLite(t, options...)
}

// OpenTenant opens a database and its default tenant.
func OpenTenant(t testing.TB, options ...Option) (*store.DB, *store.Tenant) {
	t.Helper()
	db := Open(t, options...)
	return db, Tenant(t, db)
}

// Tenant returns the default tenant of a database, which it creates.
func Tenant(t testing.TB, db *store.DB) *store.Tenant {
	t.Helper()
	tn, err := db.EnsureTenant(context.Background(), tenant.Default, Issuer)
	if err != nil {
		t.Fatalf("the default tenant: %v", err)
	}
	return tn
}

// OpenSQLite opens a database in memory.
func OpenSQLite(t testing.TB, options ...Option) *store.DB {
	t.Helper()
	return openAt(t, "sqlite::memory:", true, options)
}

// OpenFile opens a database in a file.
func OpenFile(t testing.TB, options ...Option) *store.DB {
	t.Helper()
	return openAt(t, "sqlite:"+filepath.Join(t.TempDir(), "dex.db"), true, options)
}

// OpenPostgres opens a database of its own on a Postgres server.
func OpenPostgres(t testing.TB, options ...Option) *store.DB {
	t.Helper()
	return openAt(t, NewPostgres(t), false, options)
}

// Again opens the same database once more, as another process would.
func Again(t testing.TB, db *store.DB, options ...Option) *store.DB {
	t.Helper()
	o := optionsOf(t, db)
	if o.URL == "sqlite::memory:" {
		t.Fatal("a database in memory cannot be opened twice")
	}
	return openAt(t, o.URL, false, append([]Option{func(n *store.Options) { *n = o }}, options...))
}

// URL returns where a database is, for another process to open it.
func URL(t testing.TB, db *store.DB) string {
	t.Helper()
	return optionsOf(t, db).URL
}

func optionsOf(t testing.TB, db *store.DB) store.Options {
	t.Helper()
	o, ok := opened.Load(db)
	if !ok {
		t.Fatal("the database was not opened by storetest")
	}
	return o.(store.Options)
}

func openAt(t testing.TB, address string, migrate bool, options []Option) *store.DB {
	t.Helper()
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	o := store.Options{Keys: ring, Lease: lease}
	for _, set := range options {
		set(&o)
	}
	o.URL = address
	ctx := context.Background()
	db, err := store.Open(ctx, o)
	if err != nil {
		t.Fatalf("open %s: %v", address, err)
	}
	opened.Store(db, o)
	t.Cleanup(func() {
		opened.Delete(db)
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	if migrate {
		text, err := schema()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Raw(db).ExecContext(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// server is the address of the Postgres server, which is found or started once.
var server = sync.OnceValues(func() (string, error) {
	if address := os.Getenv("DEX_TEST_POSTGRES"); address != "" {
		return address, nil
	}
	cluster, err := postgres.Start(postgres.Options{})
	if err != nil {
		return "", err
	}
	return cluster.URL("postgres"), nil // it ends with this process
})

// template is a migrated database, of which every test gets a copy: that is
// quicker than to migrate each. It is named after the schema, and stays.
var template = sync.OnceValues(func() (string, error) {
	address, err := server()
	if err != nil {
		return "", err
	}
	hash, err := store.SchemaHash()
	if err != nil {
		return "", err
	}
	ctx, name := context.Background(), "dex_template_"+hash
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close(ctx) }() // and with it the lock is gone
	// Of several processes of tests one makes it.
	if _, err := c.Exec(ctx, `SELECT pg_advisory_lock(hashtext($1))`, name); err != nil {
		return "", err
	}
	var there bool
	if err := c.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, name).Scan(&there); err != nil || there {
		return name, err
	}
	half := name + "_half" // until it is whole it has another name
	for _, q := range []string{`DROP DATABASE IF EXISTS ` + half, `CREATE DATABASE ` + half} {
		if _, err := c.Exec(ctx, q); err != nil {
			return "", err
		}
	}
	if err := migrateAt(ctx, inDatabase(address, half)); err != nil {
		return "", err
	}
	_, err = c.Exec(ctx, `ALTER DATABASE `+half+` RENAME TO `+name)
	return name, err
})

func migrateAt(ctx context.Context, address string) error {
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Options{URL: address, Keys: ring})
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	return db.Close()
}

// NewPostgres makes a migrated database on the Postgres server, which is dropped
// when the test ends, and returns its address.
func NewPostgres(t testing.TB) string {
	t.Helper()
	from, err := template()
	if err != nil {
		t.Fatalf("a Postgres server for tests: %v", err)
	}
	return EmptyPostgres(t, from)
}

// EmptyPostgres makes a database as a copy of another; template0 is an empty one.
func EmptyPostgres(t testing.TB, from string) string {
	t.Helper()
	address, err := server()
	if err != nil {
		t.Fatalf("a Postgres server for tests: %v", err)
	}
	name := "dex_test_" + strings.ToLower(rand.Text())
	if err := administer(fmt.Sprintf(`CREATE DATABASE %s TEMPLATE %s`, name, from)); err != nil {
		t.Fatalf("a Postgres database for a test: %v", err)
	}
	t.Cleanup(func() {
		if err := administer(fmt.Sprintf(`DROP DATABASE IF EXISTS %s WITH (FORCE)`, name)); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return inDatabase(address, name)
}

// desk is where databases are made and dropped. It is open as long as the tests run.
var desk = sync.OnceValues(func() (*sql.DB, error) {
	address, err := server()
	if err != nil {
		return nil, err
	}
	return sql.Open("pgx", address)
})

// administer runs a statement on the server. A copy needs its original for itself,
// so an attempt may have to be repeated.
func administer(query string) error {
	db, err := desk()
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		_, err = db.ExecContext(context.Background(), query)
		if err == nil || try == 20 {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func inDatabase(address, name string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Path = "/" + name
	return u.String()
}
