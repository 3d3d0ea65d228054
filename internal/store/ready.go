package store

import "context"

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	return db.reader().row(ctx, `SELECT 1`).Scan(&one)
}

// Applied reports whether the configuration of this digest is the one that was
// applied last, so that whoever starts with it need not even put it together.
func (t *Tenant) Applied(ctx context.Context, digest string) (bool, error) {
	var applied string
	err := t.db.reader().row(ctx, `SELECT applied FROM tenants WHERE id = $1`, t.id).Scan(&applied)
	if err != nil {
		return false, notFound(err, "There is no tenant %q.", t.id)
	}
	return applied == digest, nil
}
