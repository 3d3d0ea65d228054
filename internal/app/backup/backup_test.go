package backup

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dex/internal/app/config"
	"dex/internal/base/fault"
	"dex/internal/base/seal"
	"dex/internal/domain/audit"
	"dex/internal/store"
)

const keySecret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// house is a place with a SQLite database.
type house struct {
	*testing.T
	dir, file string
	src       config.Source
}

func newHouse(t *testing.T) *house {
	dir := t.TempDir()
	h := &house{T: t, dir: dir, file: filepath.Join(dir, "dex.db")}
	h.src = config.Source{Environ: []string{"DEX_WORKER_DB=sqlite:" + h.file, "DEX_WORKER_ISSUER=https://a.example.com", "DEX_KEY_SECRETS=" + keySecret}}
	return h
}

// open opens the database as a worker does.
func (h *house) open() (*store.DB, *store.Tenant) {
	h.Helper()
	secret, err := seal.ParseSecret(keySecret)
	if err != nil {
		h.Fatal(err)
	}
	ring, err := seal.NewRing(secret)
	if err != nil {
		h.Fatal(err)
	}
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{URL: "sqlite:" + h.file, Keys: ring, Lease: time.Millisecond})
	if err != nil {
		h.Fatal(err)
	}
	if err := db.Migrate(ctx); err != nil {
		h.Fatal(err)
	}
	tn, err := db.EnsureTenant(ctx, "default", "https://a.example.com")
	if err != nil {
		h.Fatal(err)
	}
	return db, tn
}

func (h *house) move() {
	h.Helper()
	old, err := filepath.Glob(h.file + "*")
	if err != nil {
		h.Fatal(err)
	}
	for _, name := range old {
		if err := os.Rename(name, filepath.Join(h.dir, "old-"+filepath.Base(name))); err != nil {
			h.Fatal(err)
		}
	}
}

func TestADatabaseIsBackedUpWhileItIsUsedAndComesBackSafe(t *testing.T) {
	h := newHouse(t)
	db, tn := h.open()
	if err := tn.Record(t.Context(), audit.Event{At: time.Now(), Kind: audit.KeyCreated}); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(h.dir, "backup.db")
	if err := Take(t.Context(), h.src, copied); err != nil { // the other end is open
		t.Fatal(err)
	}
	if err := Take(t.Context(), h.src, copied); err == nil {
		t.Error("the backup was overwritten")
	}
	if _, err := Restore(t.Context(), h.src, copied); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a database that is there was overwritten: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	h.move()
	before := time.Now().Add(-time.Second)
	r, err := Restore(t.Context(), h.src, copied)
	if err != nil || r.Tenants != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	left, err := filepath.Glob(h.file + "*")
	if err != nil || len(left) != 1 {
		t.Errorf("beside the database lies %v", left)
	}
	if info, err := os.Stat(h.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", info, err)
	}
	db, tn = h.open()
	defer func() { _ = db.Close() }()
	self, err := tn.Self(t.Context())
	if err != nil || self.NotBefore.Before(before) {
		t.Errorf("the epoch is %v, %v", self.NotBefore, err)
	}
	events, err := db.Unexported(t.Context(), 10)
	if err != nil || len(events) != 2 || events[1].Kind != audit.DatabaseRestored {
		t.Errorf("the record is %v, %v", events, err)
	}
}

func TestWhatIsNoBackupIsNotRestored(t *testing.T) {
	h := newHouse(t)
	db, _ := h.open()
	whole := filepath.Join(h.dir, "whole.db")
	if err := db.Backup(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	h.move()
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(h.dir, "half.db")
	for name, data := range map[string][]byte{"half of one": text[:len(text)/2], "a text": []byte("hello"), "nothing": nil} {
		if err := os.WriteFile(half, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), h.src, half); err == nil {
			t.Errorf("%s was restored", name)
		}
	}
	if _, err := Restore(t.Context(), h.src, filepath.Join(h.dir, "none.db")); err == nil {
		t.Error("what is not there was restored")
	}
	if left, _ := filepath.Glob(h.file + "*"); len(left) != 0 {
		t.Errorf("there is %v", left)
	}
	// Under another key secret the database is of no use, and none is put there.
	h.src.Environ = []string{"DEX_WORKER_DB=sqlite:" + h.file, "DEX_WORKER_ISSUER=https://a.example.com"}
	if _, err := Restore(t.Context(), h.src, whole); err == nil || !strings.Contains(err.Error(), "key secret") {
		t.Errorf("without the key secret: %v", err)
	}
	if left, _ := filepath.Glob(h.file + "*"); len(left) != 0 {
		t.Errorf("there is %v", left)
	}
}

func TestARestoreThatBreaksOffLeavesNothingInTheWayOfTheNext(t *testing.T) {
	dir := t.TempDir()
	half := filepath.Join(dir, "dex.db.restoring")
	if err := copyFile(dir, half); err == nil { // a folder can be opened, and not be read
		t.Fatal("a folder was copied as if it were a file")
	}
	if left, _ := filepath.Glob(half); len(left) != 0 {
		t.Errorf("there is %v", left)
	}
	if err := os.WriteFile(half, []byte("another's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(dir, half); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "Delete it") {
		t.Errorf("over what another has begun: %v", err)
	}
	if text, err := os.ReadFile(half); err != nil || string(text) != "another's" {
		t.Errorf("what another has begun is %q, %v", text, err)
	}
}

func TestPostgresHasItsOwnMeans(t *testing.T) {
	src := config.Source{Environ: []string{"DEX_WORKER_DB=postgres://db/dex", "DEX_WORKER_ISSUER=https://a.example.com", "DEX_KEY_SECRETS=" + keySecret}}
	if err := Take(t.Context(), src, filepath.Join(t.TempDir(), "x")); err == nil || !strings.Contains(err.Error(), "backup.md") {
		t.Errorf("got %v", err)
	}
	if _, err := Restore(t.Context(), src, "x"); err == nil || !strings.Contains(err.Error(), "backup.md") {
		t.Errorf("got %v", err)
	}
	none := config.Source{Environ: []string{"DEX_WORKER_NO_DB=true"}}
	if err := Take(t.Context(), none, "x"); err == nil {
		t.Error("no database was backed up")
	}
}
