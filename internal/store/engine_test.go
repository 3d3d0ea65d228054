package store_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/seal"
	"dex/internal/store"
	"dex/internal/store/storetest"
)

func keys(t *testing.T) *seal.Ring {
	t.Helper()
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestAnAddressThatNamesNoDatabaseIsRefused(t *testing.T) {
	for _, url := range []string{"", "dex.db", "sqlite:", "mysql://localhost/dex", "postgres://:not-a-port:/x"} {
		db, err := store.Open(t.Context(), store.Options{URL: url, Keys: keys(t)})
		if err == nil {
			t.Errorf("%q was opened", url)
			_ = db.Close()
		}
	}
	if _, err := store.Open(t.Context(), store.Options{URL: "sqlite::memory:"}); err == nil {
		t.Error("a database was opened without key secrets")
	}
}

func TestAPasswordInTheAddressIsNotToldInErrors(t *testing.T) {
	for _, url := range []string{
		"postgres://dex:hunter2@127.0.0.1:notaport/dex", "postgres://dex:hunter2@127.0.0.1:1/dex?connect_timeout=1&sslmode=disable",
	} {
		_, err := store.Open(t.Context(), store.Options{URL: url, Keys: keys(t)})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func TestADatabaseThatCannotBeReachedIsUnavailable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // now nobody listens there
	_, err = store.Open(t.Context(), store.Options{URL: "postgres://dex@" + address + "/dex?sslmode=disable", Keys: keys(t)})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
}

func TestADatabaseThatGoesAwayIsUnavailableAndComesBack(t *testing.T) {
	db := storetest.OpenPostgres(t)
	tn := storetest.Tenant(t, db)
	ended := store.Raw(storetest.Again(t, db))
	_, err := ended.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	if err != nil {
		t.Fatal(err)
	}
	for try := 0; ; try++ {
		_, err := tn.SessionsOf(t.Context(), "usr_nobody")
		if err == nil {
			return
		}
		if !fault.Is(err, fault.Unavailable) || try == 20 {
			t.Fatalf("try %d: %v", try, err)
		}
	}
}

func TestANewFileIsForItsOwnerAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "with ?odd#%41 name.db")
	db, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + file, Keys: keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, file + "-wal", file + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", filepath.Base(name), mode)
		}
	}
}

func TestAFileIsDurableAndItsReadersDoNotWrite(t *testing.T) {
	db := storetest.OpenFile(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		if err := store.Raw(db).QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s (%v), want %s", pragma, got, err, want)
		}
	}
}

// TestManyMigrateAtOnce begins several workers on an empty database, each with
// connections of its own, as several processes do.
func TestManyMigrateAtOnce(t *testing.T) {
	for name, url := range map[string]func(t *testing.T) string{
		"file":     func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "dex.db") },
		"postgres": func(t *testing.T) string { return storetest.EmptyPostgres(t, "template0") },
	} {
		t.Run(name, func(t *testing.T) {
			o := store.Options{URL: url(t), Keys: keys(t)}
			var wg sync.WaitGroup
			for i := range 5 {
				wg.Go(func() {
					if err := begin(o); err != nil {
						t.Errorf("worker %d: %v", i, err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// begin does what a worker does first.
func begin(o store.Options) error {
	ctx := context.Background()
	db, err := store.Open(ctx, o)
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := db.Check(ctx); err != nil {
		return err
	}
	if _, err := db.EnsureTenant(ctx, "default", storetest.Issuer); err != nil {
		return fmt.Errorf("tenant: %w", err)
	}
	return db.Close()
}

func TestADatabaseThatIsNotMigratedSaysSo(t *testing.T) {
	for name, url := range map[string]string{
		"memory": "sqlite::memory:", "postgres": storetest.EmptyPostgres(t, "template0"),
	} {
		db, err := store.Open(t.Context(), store.Options{URL: url, Keys: keys(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if err := db.Check(t.Context()); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "migrated first") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTheClockFollowsThatOfPostgres(t *testing.T) {
	db := storetest.OpenPostgres(t)
	var theirs time.Time
	if err := store.Raw(db).QueryRow(`SELECT clock_timestamp()`).Scan(&theirs); err != nil {
		t.Fatal(err)
	}
	if d := db.Clock().Now().Sub(theirs).Abs(); d > time.Minute {
		t.Errorf("%v off", d)
	}
}
