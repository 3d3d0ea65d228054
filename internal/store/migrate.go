package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"dex/internal/base/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationTries is how often a migration is tried on SQLite, where there is no
// lock to wait for: of several processes that begin at once all but one fail, and
// then find it done.
const migrationTries = 10

// migrator returns what brings the schema up to date.
func (db *DB) migrator() (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()),
		goose.WithTableName("schema_migrations"),
	}
	if db.engine.dialect == goose.DialectPostgres {
		one, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(one))
	}
	return goose.NewProvider(db.engine.dialect, db.pools.write, folder, options...)
}

// Migrate brings the schema up to date. Any number of processes may do so at once.
func (db *DB) Migrate(ctx context.Context) error {
	m, err := db.migrator()
	if err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	for try := 1; ; try++ {
		var done []*goose.MigrationResult
		done, err = m.Up(ctx)
		for _, d := range done {
			db.options.Log.InfoContext(ctx, "migrated the database", slog.Int64("version", d.Source.Version))
		}
		if err == nil {
			return nil
		}
		if db.engine.dialect == goose.DialectPostgres || try == migrationTries || ctx.Err() != nil {
			return fmt.Errorf("migrate the database: %w", db.explain(ctx, err))
		}
		if err := sleep(ctx, pause<<try); err != nil {
			return err
		}
	}
}

// SchemaVersion returns the version of the schema that the database has, and the
// one that this program brings. A database that was never migrated has zero.
func (db *DB) SchemaVersion(ctx context.Context) (has, brings int64, err error) {
	m, err := db.migrator()
	if err != nil {
		return 0, 0, err
	}
	for _, s := range m.ListSources() {
		brings = max(brings, s.Version)
	}
	// Not asked of goose, which would make its table.
	err = db.reader().row(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM schema_migrations WHERE is_applied`).Scan(&has)
	if db.noTable(ctx, err) {
		return 0, brings, nil
	}
	return has, brings, err
}

// Check says whether this program can work with the database as it is. A schema
// that is newer than ours serves us too, unless a migration has ruled that out: so
// two neighbouring versions run side by side during an upgrade.
func (db *DB) Check(ctx context.Context) error {
	has, brings, err := db.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if has < brings {
		return fault.New(fault.Unavailable, "The database has schema %d and this program needs %d: it has to be migrated first.", has, brings)
	}
	var oldest int64
	if err := db.reader().row(ctx, `SELECT MAX(oldest) FROM compatibility`).Scan(&oldest); err != nil {
		return err
	}
	if oldest > brings {
		return fault.New(fault.Conflict, "The database has schema %d, which needs a program that knows %d at least; this one knows %d. Run a newer version, or restore a backup from before the upgrade.", has, oldest, brings)
	}
	return nil
}

// noTable reports whether a query failed because its table does not exist.
func (db *DB) noTable(ctx context.Context, err error) bool {
	if err == nil {
		return false
	}
	if db.engine.dialect == goose.DialectPostgres {
		return postgresCode(err) == undefinedTable
	}
	has := 0
	asked := db.pools.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_schema WHERE name = 'schema_migrations'`).Scan(&has)
	return asked == nil && has == 0
}

// SchemaHash names the schema that this program brings: no two have the same.
func SchemaHash() (string, error) {
	h := sha256.New()
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return "", errors.New("there are no migrations")
	}
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}
