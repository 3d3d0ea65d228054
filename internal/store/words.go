package store

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"dex/internal/domain/user"
)

// found are the words of one account.
type found struct {
	tenantID string
	user     user.User
}

// writeWords replaces the words by which an account is found.
func (t *Tenant) writeWords(ctx context.Context, tx hand, u user.User) error {
	return writeWords(ctx, tx, []found{{t.id, u}})
}

// writeWords replaces the words by which accounts are found, in a few statements.
func writeWords(ctx context.Context, tx hand, accounts []found) error {
	var old, fresh [][]any
	for _, f := range accounts {
		old = append(old, []any{f.tenantID, f.user.ID})
		for _, word := range user.Words(f.user) {
			fresh = append(fresh, []any{f.tenantID, []byte(word), f.user.ID})
		}
	}
	for rows := range chunks(old) {
		places, args := inPlaces(rows)
		if _, err := tx.exec(ctx, `DELETE FROM user_words WHERE (tenant_id, user_id) IN (`+places+`)`, args...); err != nil {
			return err
		}
	}
	for rows := range chunks(fresh) {
		places, args := inPlaces(rows)
		if _, err := tx.exec(ctx, `INSERT INTO user_words (tenant_id, word, user_id) VALUES `+places, args...); err != nil {
			return err
		}
	}
	return nil
}

// IndexPeople writes the words of up to so many accounts that have none yet or have
// others by now, of all tenants, and returns how many those were.
func (db *DB) IndexPeople(ctx context.Context, batch int) (int, error) {
	n := 0
	err := db.inTx(ctx, func(tx hand) error {
		// Who is changed while this goes on waits for it, and is then left for the next
		// time.
		rows, err := tx.query(ctx, fmt.Sprintf(`
			UPDATE users SET indexed = TRUE
			WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM users WHERE NOT indexed LIMIT %d) AND NOT indexed
			RETURNING tenant_id, id, username, email, name`, batch))
		all, err := collect(rows, err, func(s scanner) (f found, err error) {
			return f, s.Scan(&f.tenantID, &f.user.ID, &f.user.Username, &f.user.Email, &f.user.Name)
		})
		if err != nil {
			return err
		}
		n = len(all)
		return writeWords(ctx, tx, all)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// inPlaces returns places for rows of values, and the values: "($1, $2), ($3, $4)".
func inPlaces(rows [][]any) (string, []any) {
	var places []string
	var all args
	for _, row := range rows {
		var own []string
		for _, v := range row {
			own = append(own, all.add(v))
		}
		places = append(places, "("+strings.Join(own, ", ")+")")
	}
	return strings.Join(places, ", "), all
}

// chunks takes rows apart into as many as one statement writes.
func chunks(rows [][]any) iter.Seq[[][]any] { return slices.Chunk(rows, batchRows) }
