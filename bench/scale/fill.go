package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// template is the number of what the store's own verbs have made. All else is a copy
// of it with another number.
const template = "0000000"

// numbers are the numbers of the copies, and what a copy has in the template's place:
// its number as text, and its names. OFFSET lets them be worked out once for a row.
const numbers = `(
	SELECT n, lpad(n::text, 7, '0') AS number,
		translate(to_hex(256 + n %% 50), '` + digits + `', '` + letters + `') AS given,
		translate(to_hex(4096 + n %% 1000), '` + digits + `', '` + letters + `') AS surname
	FROM generate_series(1::bigint, %d) n OFFSET 0)`

// Names are numbers written in letters.
const digits, letters = "0123456789abcdef", "aeioubcdfghlmnrs"

// somebody is the id of somebody, scattered, of so many.
const somebody = `'usr_' || lpad((1 + n * 7919 %% %d)::text, 7, '0')`

// own is a text of the template as a copy has it.
func own(text string) string {
	return `replace(replace(replace(` + text + `, '` + template + `', number), 'given', given), 'surname', surname)`
}

// copies are rows of a table that repeat those of the template.
type copies struct {
	table string
	many  int
	where string            // which rows of the table are the template
	own   map[string]string // what each copy has of its own, as SQL
}

// fillings are what fills a database of a size.
func fillings(s size) []copies {
	someone := fmt.Sprintf(somebody, s.users)
	hash := func(prefix string) string { return `sha256(('` + prefix + ` ' || n)::bytea)` }
	ago := `now() - interval '1 hour' - n * interval '1 millisecond'`
	ofPerson := `one.user_id = 'usr_` + template + `'`
	sessions := map[string]string{"id": `'ses_' || number`, "cookie": hash("session"), "user_id": someone, "subject": someone}
	grants := map[string]string{
		"id": `'gra_' || number`, "code_hash": hash("code"), "user_id": someone, "subject": someone,
		"session_id": `'ses_' || number`, "support_code": `'code ' || n`,
	}
	with := func(m map[string]string, more ...string) map[string]string {
		m = maps.Clone(m)
		for pair := range slices.Chunk(more, 2) {
			m[pair[0]] = pair[1]
		}
		return m
	}
	return []copies{
		{"tenants", s.tenants - 1, `one.id = 'default'`, map[string]string{
			"id": `'tenant-' || number`, "issuer": `'https://' || number || '.example'`,
		}},
		{"clients", s.clients - 1, `one.id = '` + clientID + `'`, map[string]string{"id": `'app-' || number`, "name": `'Application ' || n`}},
		{"client_origins", s.clients - 1, `one.client_id = '` + clientID + `'`, map[string]string{
			"client_id": `'app-' || number`, "origin": `'https://' || number || '.example'`,
		}},
		{"users", s.users, `one.id = 'usr_` + template + `'`, map[string]string{
			"id": `'usr_' || number`, "username": own(`one.username`), "email": own(`one.email`), "email_key": own(`one.email_key`),
			"name": own(`one.name`),
		}},
		{"identities", s.users, ofPerson, map[string]string{
			"user_id": `'usr_' || number`, "subject": `'usr_' || number`, "profile": own(`one.profile`),
		}},
		{"login_names", s.users, ofPerson, map[string]string{"user_id": `'usr_' || number`, "name": own(`one.name`)}},
		{"passwords", s.users, ofPerson, map[string]string{"user_id": `'usr_' || number`}},
		{"user_words", s.users, ofPerson, map[string]string{
			"user_id": `'usr_' || number`, "word": `convert_to(` + own(`convert_from(one.word, 'UTF8')`) + `, 'UTF8')`,
		}},
		{"sessions", s.sessions, ofPerson, sessions},
		{"grants", s.sessions, ofPerson, grants},
		{"sessions", s.expired * 2 / 5, ofPerson, with(sessions, "id", `'old_' || number`, "cookie", hash("old session"),
			"idle_until", ago, "expires_at", ago, "ends_at", ago)},
		{"grants", s.expired * 2 / 5, ofPerson, with(grants, "id", `'old_' || number`, "code_hash", hash("old code"),
			"session_id", `'old_' || number`, "idle_until", ago, "expires_at", ago, "purge_at", ago)},
		{"throttles", s.expired - 2*(s.expired*2/5), `TRUE`, map[string]string{"bucket": hash("bucket"), "forget_at": ago}},
	}
}

// fill writes all copies of all templates. Without what is looked up meanwhile, and
// asked of each row, it takes a tenth of the time; the indexes are made of the whole
// at the end, as a restored database makes them.
func fill(ctx context.Context, conn *pgx.Conn, s size) error {
	all := fillings(s)
	var tables, analyze []string
	for _, c := range all {
		if !slices.Contains(tables, c.table) {
			tables, analyze = append(tables, c.table), append(analyze, `VACUUM (ANALYZE) `+c.table)
		}
	}
	restore, err := dropIndexes(ctx, conn, tables)
	if err != nil {
		return err
	}
	copied := make([]string, len(all))
	for i, c := range all {
		if copied[i], err = c.statement(ctx, conn); err != nil {
			return fmt.Errorf("fill %s: %w", c.table, err)
		}
	}
	for _, statements := range [][]string{copied, restore, analyze} {
		if err := atOnce(ctx, conn.Config(), statements); err != nil {
			return err
		}
	}
	return check(ctx, conn, all)
}

// hands is how many connections fill a database at once.
const hands = 4

// atOnce runs statements, none of which waits for another.
func atOnce(ctx context.Context, config *pgx.ConnConfig, statements []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(hands)
	for _, q := range statements {
		g.Go(func() error {
			conn, err := pgx.ConnectConfig(ctx, config)
			if err != nil {
				return err
			}
			for _, q := range []string{
				`SET session_replication_role = replica`, // nobody asks whom a row belongs to
				`SET synchronous_commit = off`, `SET maintenance_work_mem = '256MB'`, q,
			} {
				if _, err := conn.Exec(ctx, q); err != nil {
					return errors.Join(fmt.Errorf("%w\nin %s", err, q), conn.Close(ctx))
				}
			}
			return conn.Close(ctx)
		})
	}
	return g.Wait()
}

// check makes sure that there was a template of everything.
func check(ctx context.Context, conn *pgx.Conn, all []copies) error {
	most := map[string]int{}
	for _, c := range all {
		most[c.table] += c.many
	}
	for table, many := range most {
		var n int
		if err := conn.QueryRow(ctx, `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
			return err
		}
		if n < many {
			return fmt.Errorf("there are %d rows in %s, and not %d", n, table, many)
		}
	}
	return nil
}

// statement is what writes the copies.
func (c copies) statement(ctx context.Context, conn *pgx.Conn) (string, error) {
	rows, err := conn.Query(ctx, `
		SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`, c.table)
	if err != nil {
		return "", err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	values := make([]string, len(columns))
	for i, column := range columns {
		values[i] = "one." + pgx.Identifier{column}.Sanitize()
		if v, ok := c.own[column]; ok {
			values[i] = v
		}
	}
	return fmt.Sprintf(`INSERT INTO %s (%s) SELECT %s FROM (SELECT * FROM %[1]s one WHERE %[4]s) one, %[5]s copy`,
		c.table, strings.Join(columns, ", "), strings.Join(values, ", "), c.where, fmt.Sprintf(numbers, c.many)), err
}

// dropIndexes drops the indexes of the tables, but those that other tables refer to,
// and returns what makes them again.
func dropIndexes(ctx context.Context, conn *pgx.Conn, tables []string) (restore []string, err error) {
	rows, err := conn.Query(ctx, `
		SELECT format('ALTER TABLE %I DROP CONSTRAINT %I', c.conrelid::regclass, c.conname),
			format('ALTER TABLE %I ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
		FROM pg_constraint c
		WHERE c.conrelid = ANY($1::regclass[]) AND c.contype IN ('p', 'u')
			AND NOT EXISTS (SELECT 1 FROM pg_constraint f WHERE f.confrelid = c.conrelid AND f.contype = 'f')
		UNION ALL
		SELECT format('DROP INDEX %I', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
		FROM pg_index i
		WHERE i.indrelid = ANY($1::regclass[]) AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)`, tables)
	if err != nil {
		return nil, err
	}
	type pair struct{ Drop, Make string }
	pairs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pair])
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		if _, err := conn.Exec(ctx, p.Drop); err != nil {
			return nil, fmt.Errorf("%w\nin %s", err, p.Drop)
		}
		restore = append(restore, p.Make)
	}
	return restore, nil
}
