package store

import (
	"strings"
	"testing"
)

// During an upgrade programs that know the schema before work on with the one after. A
// step that takes something from them says who can do without it, so that the others
// refuse to start instead of failing later.
func TestNoMigrationTakesAnythingWithoutSayingSo(t *testing.T) {
	all, err := Migrations()
	if err != nil || len(all) < 2 || all[0].Oldest != 1 {
		t.Fatalf("%v: %+v", err, all)
	}
	for i, m := range all {
		if m.Version != int64(i+1) || m.Name == "" {
			t.Errorf("the step %d is %d, %q", i+1, m.Version, m.Name)
		}
		if i > 0 && len(m.Takes) > 0 && m.Oldest == 0 {
			t.Errorf("%d (%s) takes something away: %s\nExpand first, and contract a release later, with UPDATE compatibility SET oldest = … in the same file.", m.Version, m.Name, strings.Join(m.Takes, "; "))
		}
	}
}

func TestWhatAMigrationTakesIsSeen(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		takes      int
		oldest     int64
	}{
		{"a column more", "-- +goose Up\nALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT '';", 0, 0},
		{"a column that older programs leave empty", "ALTER TABLE users ADD COLUMN role TEXT NOT NULL;", 1, 0},
		{"a table more, with its index", "CREATE TABLE links (id TEXT NOT NULL PRIMARY KEY);\nCREATE UNIQUE INDEX links_id ON links (id);", 0, 0},
		{"an index that refuses what was good", "CREATE UNIQUE INDEX users_mail ON users (email);", 1, 0},
		{"an index", "CREATE INDEX users_mail ON users (email); DROP INDEX users_old;", 0, 0},
		{"a column less", "ALTER TABLE users DROP COLUMN role; UPDATE compatibility SET oldest = 3;", 1, 3},
		{"a table less", "drop table links;\nINSERT INTO compatibility (oldest) VALUES (7);", 1, 7},
		{"another name", "ALTER TABLE users RENAME COLUMN role TO part;", 1, 0},
		{"another type", "ALTER TABLE users ALTER COLUMN role TYPE BIGINT;", 1, 0},
		{"a comment about it", "-- DROP TABLE users;\nSELECT 1;", 0, 0},
		{"the way back", "-- +goose Up\nCREATE TABLE a (b TEXT);\n-- +goose Down\nDROP TABLE a;", 0, 0},
	} {
		if m := readMigration(tt.text); len(m.Takes) != tt.takes || m.Oldest != tt.oldest {
			t.Errorf("%s: %+v", tt.name, m)
		}
	}
}
