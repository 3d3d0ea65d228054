package upgrade

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"dex/internal/app/config"
	"dex/internal/base/seal"
	"dex/internal/store"
)

func TestAnUpgradeIsJudged(t *testing.T) {
	adds, takes := store.Migration{Version: 8, Name: "adds"}, store.Migration{Version: 9, Name: "takes", Takes: []string{"DROP TABLE a"}, Oldest: 8}
	for _, tt := range []struct {
		name           string
		facts          Facts
		ready, rolling bool
		says           string
	}{
		{"a new database", Facts{Brings: 9, Pending: []store.Migration{adds}}, true, true, "is new"},
		{"nothing to do", Facts{Has: 9, Brings: 9, Oldest: 1}, true, true, "Nothing is to be migrated"},
		{"what only adds", Facts{Has: 7, Brings: 8, Oldest: 1, Pending: []store.Migration{adds}}, true, true, "is possible"},
		{"what takes from those that run", Facts{Has: 7, Brings: 9, Oldest: 1, Pending: []store.Migration{adds, takes}}, true, false, "must know schema 8"},
		{"what takes from nobody any more", Facts{Has: 8, Brings: 9, Oldest: 1, Pending: []store.Migration{takes}}, true, true, "is possible"},
		{"a newer database", Facts{Has: 10, Brings: 9, Oldest: 8}, true, true, "beside newer ones"},
		{"a database that is too new", Facts{Has: 12, Brings: 9, Oldest: 11}, false, false, "restore a backup"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Judge(tt.facts)
			if got.Ready != tt.ready || got.Rolling != tt.rolling || !strings.Contains(strings.Join(got.Says, " "), tt.says) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTheDatabaseIsLookedAtAndLeftAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dex.db")
	src := config.Source{Environ: []string{"DEX_WORKER_DB=sqlite:" + file, "DEX_WORKER_ISSUER=https://a.example.com"}}
	if _, err := Examine(t.Context(), src); err == nil || !strings.Contains(err.Error(), "no database to look at") {
		t.Errorf("a database that is not there: %v", err)
	}
	if made, _ := filepath.Glob(file + "*"); len(made) > 0 {
		t.Errorf("there are %q", made)
	}
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + file, Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	before, err := Examine(t.Context(), src)
	if err != nil || before.Has != 0 || len(before.Pending) == 0 {
		t.Errorf("before: %+v, %v", before, err)
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := Examine(t.Context(), src)
	if err != nil || after.Has != before.Brings || len(after.Pending) > 0 || fmt.Sprint(after.Oldest) == "0" {
		t.Errorf("afterwards: %+v, %v", after, err)
	}
}
