package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"dex/internal/base/seal"
	"dex/internal/store"
)

// schema is what makes a migrated SQLite database out of an empty one, in one go:
// goose reads every migration anew for each database, and most tests have their own.
// That the migrations do the same is theirs to show who test them.
var schema = sync.OnceValues(func() (string, error) {
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		return "", err
	}
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{URL: "sqlite::memory:", Keys: ring})
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }() // it is gone with this process at the latest
	if err := db.Migrate(ctx); err != nil {
		return "", err
	}
	// What SQLite makes by itself, as the index of a primary key, has no text.
	statements, err := texts(ctx, db, `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid`)
	if err != nil {
		return "", err
	}
	inserts, err := texts(ctx, db, `SELECT format('SELECT ''INSERT INTO "%w" VALUES ('' || %s || '')'' FROM "%w"', t.name,
			group_concat(format('quote("%w")', c.name), ' || '','' || ' ORDER BY c.cid), t.name)
		FROM sqlite_schema t, pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' GROUP BY t.name`)
	if err != nil {
		return "", err
	}
	for _, q := range inserts {
		rows, err := texts(ctx, db, q)
		if err != nil {
			return "", err
		}
		statements = append(statements, rows...)
	}
	return "BEGIN;\n" + strings.Join(statements, ";\n") + ";\nCOMMIT", nil
})

// texts returns the one column of the answer to a query.
func texts(ctx context.Context, db *store.DB, query string) ([]string, error) {
	rows, err := store.Raw(db).QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	defer func() { _ = rows.Close() }() // what matters of it is in rows.Err
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
