// Package backup copies a database, and brings a copy back so that nothing counts
// again that had been revoked since.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"dex/internal/app/config"
	"dex/internal/app/process"
	"dex/internal/base/fault"
	"dex/internal/base/seal"
	"dex/internal/domain/audit"
	"dex/internal/store"
)

// Restored is what came of a restore.
type Restored = store.Restored

// Take copies the SQLite database that a configuration names into a new file, while
// everybody works on.
func Take(ctx context.Context, src config.Source, file string) (err error) {
	s, err := settings(src)
	if err != nil {
		return err
	}
	if s.DB.File() == "" {
		return notSQLite("backed up")
	}
	if _, err := os.Stat(s.DB.File()); err != nil {
		return fmt.Errorf("there is no database to back up: %w", err)
	}
	// Nothing sealed is opened, so that any secret serves.
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Options{URL: string(s.DB), Keys: ring, MaxOpen: 1, MaxIdle: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Backup(ctx, file)
}

// Restore puts a backup in the place of a SQLite database that is not there any more,
// and makes it safe first: there is no moment at which a database stands there that
// honours what was revoked.
func Restore(ctx context.Context, src config.Source, file string) (r Restored, err error) {
	s, err := settings(src)
	if err != nil {
		return r, err
	}
	target := s.DB.File()
	if target == "" {
		return r, notSQLite("restored")
	}
	for _, name := range []string{target, target + "-wal"} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return r, fault.New(fault.Conflict, "%s is there already, and a restore overwrites nothing. Stop every program that uses it, and move it away.", name)
		}
	}
	if err := store.CheckFile(ctx, file); err != nil {
		return r, err
	}
	half := target + ".restoring"
	if err := copyFile(file, half); err != nil {
		return r, err
	}
	defer func() {
		for _, rest := range []string{half, half + "-wal", half + "-shm"} {
			if gone := os.Remove(rest); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}()
	if r, err = finish(ctx, s, "sqlite:"+half); err != nil {
		return r, err
	}
	return r, os.Rename(half, target)
}

// Finish makes a database safe that was restored by other means, and is where the
// configuration says.
func Finish(ctx context.Context, src config.Source) (Restored, error) {
	s, err := settings(src)
	if err != nil {
		return Restored{}, err
	}
	if err := isThere(s); err != nil {
		return Restored{}, err
	}
	return finish(ctx, s, string(s.DB))
}

// isThere returns why there is no database file: to open one that is not there would
// make it, and it would be in the way of a restore.
func isThere(s *config.Settings) error {
	file := s.DB.File()
	if file == "" {
		return nil
	}
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("there is no database: %w", err)
	}
	return nil
}

func finish(ctx context.Context, s *config.Settings, address string) (r Restored, err error) {
	db, err := opened(ctx, s, address, store.DefaultLease)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	// A backup may be of the version before.
	if err := db.Migrate(ctx); err != nil {
		return r, err
	}
	// What is of this very second, which a token tells time by, must not pass either.
	return db.FinishRestore(ctx, audit.By{Actor: "dexctl restore", At: db.Clock().Now()})
}

// opened opens a restored database.
func opened(ctx context.Context, s *config.Settings, address string, lease time.Duration) (*store.DB, error) {
	// The key secret is beside the database, or given; here none is made.
	if file := s.KeyFile(); file != "" {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("the key secret is not there, and it is in no backup of the database: put it back, or name it with key_secrets: %w", err)
		}
	}
	keys, err := process.Keys(s.KeySecrets, s.KeyFile())
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Options{URL: address, Keys: keys, MaxOpen: 2, MaxIdle: 2, Lease: lease})
}

func settings(src config.Source) (*config.Settings, error) {
	s, err := config.Load(src)
	if err != nil {
		return nil, err
	}
	if s.NoDB {
		return nil, errors.New("without a database there is nothing to back up or to restore")
	}
	return s, nil
}

func notSQLite(what string) error {
	return fault.New(fault.Invalid, "This database is no SQLite file. Postgres is %s by its own means, and then made safe by \"dexctl restore finalize\": see docs/operate/backup.md.", what)
}

// copyFile copies a file to a new one that its owner alone may read, whole or not at
// all.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Conflict, "%s is there already: another restore is under way, or one has broken off. Delete it, if none is.", to)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(to)) // what fills a disk must not stay there
	}
	return nil
}
