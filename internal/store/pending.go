package store

import (
	"context"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Migration is a step of the schema.
type Migration struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	// Oldest is the schema that a program must know to work with the database
	// afterwards; zero if this step changes nothing about that.
	Oldest int64 `json:"oldest,omitempty"`
	// Takes are its statements that take away or change what an older program may
	// need. A step that has any says by Oldest who can do without.
	Takes []string `json:"takes,omitempty"`
}

// Pending returns the steps that the database lacks, and the schema that a program must
// know to work with the database as it is.
func (db *DB) Pending(ctx context.Context) (pending []Migration, oldest int64, err error) {
	has, _, err := db.SchemaVersion(ctx)
	if err != nil {
		return nil, 0, err
	}
	all, err := Migrations()
	if err != nil || has == 0 {
		return all, 0, err
	}
	err = db.reader().row(ctx, `SELECT MAX(oldest) FROM compatibility`).Scan(&oldest)
	return slices.DeleteFunc(all, func(m Migration) bool { return m.Version <= has }), oldest, err
}

// Migrations returns every step that this program brings, in order.
func Migrations() ([]Migration, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var all []Migration
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		number, rest, _ := strings.Cut(path.Base(name), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, err
		}
		m := readMigration(string(text))
		m.Version, m.Name = version, strings.ReplaceAll(strings.TrimSuffix(rest, ".sql"), "_", " ")
		all = append(all, m)
	}
	return all, nil
}

var (
	sqlComment = regexp.MustCompile(`--[^\n]*`)
	raises     = regexp.MustCompile(`(?i)^\s*(?:INSERT\s+INTO\s+compatibility\s*\(\s*oldest\s*\)\s*VALUES\s*\(\s*(\d+)\s*\)|UPDATE\s+compatibility\s+SET\s+oldest\s*=\s*(\d+))`)
	takesAway  = regexp.MustCompile(`(?i)\b(?:DROP\s+(?:TABLE|COLUMN|VIEW)|RENAME\s+(?:TO|COLUMN|\w+\s+TO)|ALTER\s+COLUMN|SET\s+NOT\s+NULL|ADD\s+CONSTRAINT|CREATE\s+UNIQUE\s+INDEX)\b`)
	addsStrict = regexp.MustCompile(`(?i)\bADD\s+COLUMN\b.*\bNOT\s+NULL\b`)
	hasDefault = regexp.MustCompile(`(?i)\bDEFAULT\b`)
)

// readMigration reads what a step does to older programs. A new table's own indexes take
// nothing from anybody.
func readMigration(text string) (m Migration) {
	up, _, _ := strings.Cut(text, "-- +goose Down")
	made := map[string]bool{}
	for statement := range strings.SplitSeq(sqlComment.ReplaceAllString(up, ""), ";") {
		statement = strings.Join(strings.Fields(statement), " ")
		if found := raises.FindStringSubmatch(statement); found != nil {
			oldest, _ := strconv.ParseInt(found[1]+found[2], 10, 64) // digits alone
			m.Oldest = max(m.Oldest, oldest)
		}
		if table := madeTable.FindStringSubmatch(statement); table != nil {
			made[strings.ToLower(table[1])] = true
			continue
		}
		if on := indexOn.FindStringSubmatch(statement); on != nil && made[strings.ToLower(on[1])] {
			continue
		}
		if takesAway.MatchString(statement) || addsStrict.MatchString(statement) && !hasDefault.MatchString(statement) {
			m.Takes = append(m.Takes, statement)
		}
	}
	return m
}

var (
	madeTable = regexp.MustCompile(`(?i)^CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)`)
	indexOn   = regexp.MustCompile(`(?i)^CREATE\s+UNIQUE\s+INDEX\s+\w+\s+ON\s+(\w+)`)
)
