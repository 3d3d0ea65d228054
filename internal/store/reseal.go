package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
)

// sealedColumn is a column of sealed values.
type sealedColumn struct {
	table, column string
	tenant        string   // the column that names the tenant
	key           []string // the rest of the primary key, which the value is bound to
	configuration bool     // every process needs it
}

// sealedColumns are all columns that hold sealed values.
var sealedColumns = []sealedColumn{
	{table: "tenants", column: "refresh_key", tenant: "id", configuration: true},
	{table: "signing_keys", column: "private", tenant: "tenant_id", key: []string{"id"}, configuration: true},
	{table: "clients", column: "secrets", tenant: "tenant_id", key: []string{"id"}, configuration: true},
	{table: "connectors", column: "config", tenant: "tenant_id", key: []string{"id"}, configuration: true},
	{table: "identities", column: "data", tenant: "tenant_id", key: []string{"connector_id", "subject"}},
	{table: "sessions", column: "upstream", tenant: "tenant_id", key: []string{"id"}},
	{table: "pushed_requests", column: "request", tenant: "tenant_id", key: []string{"hash"}},
	{table: "receipts", column: "answer", tenant: "tenant_id", key: []string{"actor", "key"}},
	{table: "devices", column: "notice", tenant: "tenant_id", key: []string{"id"}},
	{table: "outbox", column: "body", tenant: "tenant_id", key: []string{"id"}},
}

// sealedRow is a sealed value with what names its row.
type sealedRow struct {
	key    []any // the primary key, the tenant first
	sealed []byte
}

// binding is what the value is bound to.
func (r sealedRow) binding(c sealedColumn) []string {
	parts := []string{fmt.Sprint(r.key[0]), c.table, c.column}
	for _, k := range r.key[1:] {
		if b, ok := k.([]byte); ok {
			parts = append(parts, hex.EncodeToString(b))
		} else {
			parts = append(parts, fmt.Sprint(k))
		}
	}
	return parts
}

// resealBatch is how many values are read at once.
const resealBatch = 200

// Reseal seals values anew that were not sealed under the first key secret, as many
// as that at most, and reports whether there are more. The record has it when there are
// none. It may be broken off and begun again, and what others write meanwhile is left as
// they write it.
func (db *DB) Reseal(ctx context.Context, most int, by audit.By) (done int, more bool, err error) {
	for _, c := range sealedColumns {
		n, err := db.resealColumn(ctx, c, most-done)
		if done += n; err != nil {
			return done, true, fmt.Errorf("seal %s.%s anew: %w", c.table, c.column, err)
		}
	}
	if done == 0 {
		return 0, false, nil
	}
	if done >= most {
		if more, err = db.stale(ctx); more || err != nil {
			return done, true, err
		}
	}
	e := by.Event(audit.Resealed)
	e.Detail = map[string]string{"secret": db.options.Keys.IDs()[0]}
	return done, false, db.home().Record(ctx, e)
}

func (db *DB) resealColumn(ctx context.Context, c sealedColumn, most int) (done int, err error) {
	after := make([]any, 1+len(c.key)) // nil: from the beginning
	for done < most {
		rows, err := db.staleRows(ctx, c, after, min(resealBatch, most-done))
		if err != nil || len(rows) == 0 {
			return done, err
		}
		for _, r := range rows {
			n, err := db.resealRow(ctx, c, r)
			if done += int(n); err != nil {
				return done, err
			}
		}
		after = rows[len(rows)-1].key
	}
	return done, nil
}

// stale reports whether anything is not sealed under the first secret.
func (db *DB) stale(ctx context.Context) (bool, error) {
	for _, c := range sealedColumns {
		rows, err := db.staleRows(ctx, c, make([]any, 1+len(c.key)), 1)
		if err != nil || len(rows) > 0 {
			return true, err
		}
	}
	return false, nil
}

// staleRows returns the next values that were not sealed under the first secret, in
// the order of the primary key.
func (db *DB) staleRows(ctx context.Context, c sealedColumn, after []any, most int) ([]sealedRow, error) {
	id, err := hex.DecodeString(db.options.Keys.IDs()[0])
	if err != nil {
		return nil, err
	}
	key := strings.Join(append([]string{c.tenant}, c.key...), ", ")
	args, beyond := []any{id}, ""
	if after[0] != nil {
		var places []string
		for _, part := range after {
			args = append(args, part)
			places = append(places, fmt.Sprintf("$%d", len(args)))
		}
		beyond = "AND (" + key + ") > (" + strings.Join(places, ", ") + ")"
	}
	// Of a sealed value the second to the fifth byte name its secret.
	rows, err := db.reader().query(ctx, fmt.Sprintf(`
		SELECT %[1]s, %[2]s FROM %[3]s WHERE %[2]s IS NOT NULL AND substr(%[2]s, 2, 4) <> $1 %[4]s ORDER BY %[1]s LIMIT %[5]d`,
		key, c.column, c.table, beyond, most), args...)
	return collect(rows, err, func(s scanner) (sealedRow, error) {
		r := sealedRow{key: make([]any, 1+len(c.key))}
		into := make([]any, 0, len(r.key)+1)
		for i := range r.key {
			into = append(into, &r.key[i])
		}
		return r, s.Scan(append(into, &r.sealed)...)
	})
}

// resealRow seals one value anew, unless it has changed meanwhile.
func (db *DB) resealRow(ctx context.Context, c sealedColumn, r sealedRow) (int64, error) {
	binding := r.binding(c)
	plain, err := db.box.Open(r.sealed, binding...)
	if err != nil {
		return 0, fmt.Errorf("the row %q: %w", binding, err)
	}
	where := []string{c.tenant + " = $1"}
	for i, k := range c.key {
		where = append(where, fmt.Sprintf("%s = $%d", k, i+2))
	}
	n := len(r.key)
	return db.writer().exec(ctx, fmt.Sprintf(`UPDATE %s SET %s = $%d WHERE %s AND %s = $%d`,
		c.table, c.column, n+1, strings.Join(where, " AND "), c.column, n+2),
		append(slices.Clone(r.key), db.box.Seal(plain, binding...), r.sealed)...)
}

// Sealed names the key secrets under which something is sealed that every process
// needs.
func (db *DB) Sealed(ctx context.Context) ([]string, error) {
	var ids []string
	for _, c := range sealedColumns {
		if !c.configuration {
			continue
		}
		rows, err := db.reader().query(ctx, fmt.Sprintf(`SELECT DISTINCT substr(%[1]s, 2, 4) FROM %[2]s WHERE %[1]s IS NOT NULL`, c.column, c.table))
		some, err := collect(rows, err, func(s scanner) (id []byte, err error) { return id, s.Scan(&id) })
		if err != nil {
			return nil, err
		}
		for _, id := range some {
			ids = append(ids, hex.EncodeToString(id))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// Opens says whether this process has every key secret that it needs. It returns a
// fault of kind Unavailable that names those which are missing.
func (db *DB) Opens(ctx context.Context) error {
	needed, err := db.Sealed(ctx)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(needed, func(id string) bool { return slices.Contains(db.options.Keys.IDs(), id) })
	if len(missing) == 0 {
		return nil
	}
	return fault.New(fault.Unavailable, "The key secret %s is missing: what the database keeps was sealed under it. Add it to key_secrets, behind the one that seals.", strings.Join(missing, ", "))
}
