package storetest

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // a dump is read past the store, as a thief would

	"dex/internal/store"
)

// Dump returns all that is in the database, as somebody would see it who got hold
// of a copy: every value of every table, and blobs as text, in hex and in base64.
// Of a SQLite file it has the bytes of the file and its log too.
func Dump(t testing.TB, db *store.DB) string {
	t.Helper()
	var b strings.Builder
	for _, table := range tables(t, db) {
		fmt.Fprintf(&b, "== %s\n", table)
		for _, row := range tableRows(t, db, table) {
			for column, value := range row {
				fmt.Fprintf(&b, "%s=%s\n", column, value)
			}
		}
	}
	if file, ok := strings.CutPrefix(optionsOf(t, db).URL, "sqlite:"); ok && file != ":memory:" {
		for _, name := range []string{file, file + "-wal"} {
			raw, err := os.ReadFile(name)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			b.Write(raw)
		}
	}
	return b.String()
}

// Counts returns how many rows each table has.
func Counts(t testing.TB, db *store.DB) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, table := range tables(t, db) {
		counts[table] = len(tableRows(t, db, table))
	}
	return counts
}

// tables returns the names of all tables.
func tables(t testing.TB, db *store.DB) []string {
	t.Helper()
	query := `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	if isPostgres(t, db) {
		query = `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`
	}
	var names []string
	for _, row := range look(t, db, query) {
		names = append(names, row["name"])
	}
	slices.Sort(names)
	return names
}

func isPostgres(t testing.TB, db *store.DB) bool {
	t.Helper()
	return strings.HasPrefix(optionsOf(t, db).URL, "postgres")
}

// tableRows returns the rows of a table, each value as text.
func tableRows(t testing.TB, db *store.DB, table string) []map[string]string {
	t.Helper()
	return look(t, db, `SELECT * FROM "`+table+`"`)
}

// look reads past the store.
func look(t testing.TB, db *store.DB, query string) []map[string]string {
	t.Helper()
	rows, err := store.Raw(db).QueryContext(context.Background(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }() // what matters of it is in rows.Err
	all, err := read(rows)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(rows *sql.Rows) ([]map[string]string, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all []map[string]string
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := map[string]string{}
		for i, column := range columns {
			row[column] = text(values[i])
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// text shows a value in every way in which something could be found in it.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []byte:
		return strings.Join([]string{
			string(v), hex.EncodeToString(v), base64.StdEncoding.EncodeToString(v), base64.RawURLEncoding.EncodeToString(v),
		}, " ")
	default:
		return fmt.Sprint(v)
	}
}
