package store

import (
	"context"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/connector/founding"
	"dex/internal/domain/audit"
	"dex/internal/domain/tenant"
)

var (
	errFounded = fault.New(fault.Conflict, "This installation has its first administrator, and bootstrapping is closed for good. Log in, or make somebody an owner again with dex-overlord recover-admin.")
	errNoOffer = fault.New(fault.Denied, `The bootstrap secret is wrong, has expired or was tried too often. "dex-overlord bootstrap-secret" makes a new one.`)
	errNoHome  = fault.New(fault.Unavailable, "There is no issuer yet: start a worker, which knows its address.")
)

// Founded implements [founding.Store].
func (db *DB) Founded(ctx context.Context) (bool, error) {
	var closed instant
	err := db.reader().row(ctx, `SELECT closed_at FROM bootstrap WHERE id = 1`).Scan(&closed)
	return !time.Time(closed).IsZero(), err
}

// OfferedFounding implements [founding.Store].
func (db *DB) OfferedFounding(ctx context.Context, now time.Time) (bool, error) {
	var n int
	err := db.reader().row(ctx, `
		SELECT COUNT(*) FROM bootstrap WHERE closed_at IS NULL AND secret IS NOT NULL AND expires_at > $1 AND attempts < $2`,
		instant(now), founding.MaxAttempts).Scan(&n)
	return n > 0, err
}

// OfferFounding implements [founding.Store].
func (db *DB) OfferFounding(ctx context.Context, s secret.Hash, until time.Time, by audit.By) error {
	return db.inTx(ctx, func(tx hand) error {
		n, err := tx.exec(ctx, `
			UPDATE bootstrap SET secret = $1, expires_at = $2, attempts = 0 WHERE id = 1 AND closed_at IS NULL`, s[:], instant(until))
		if err := mustChange(n, err, errFounded); err != nil {
			return err
		}
		return db.home().record(ctx, tx, by.Event(audit.FoundingOffered))
	})
}

// TryFounding implements [founding.Store]. The guess is counted before it is looked
// at, by itself, so that no number of them at once is more than what a secret bears.
func (db *DB) TryFounding(ctx context.Context, s secret.Hash, by audit.By) error {
	var kept []byte
	err := db.writer().change(ctx, `
		UPDATE bootstrap SET attempts = attempts + 1
		WHERE id = 1 AND closed_at IS NULL AND secret IS NOT NULL AND expires_at > $1 AND attempts < $2
		RETURNING secret`, instant(by.At), founding.MaxAttempts).Scan(&kept)
	switch {
	case err != nil && !isNone(err):
		return err
	case err == nil && len(kept) == len(s) && s.Equal(secret.Hash(kept)):
		// It was no guess.
		_, err := db.writer().exec(ctx, `UPDATE bootstrap SET attempts = attempts - 1 WHERE id = 1 AND secret = $1 AND attempts > 0`, s[:])
		return err
	}
	// Looked at last: somebody may have been first just now.
	if founded, err := db.Founded(ctx); err != nil || founded {
		return orFounded(err)
	}
	if err := db.home().Record(ctx, by.Event(audit.FoundingRefused)); err != nil {
		return err
	}
	return errNoOffer
}

func orFounded(err error) error {
	if err != nil {
		return err
	}
	return errFounded
}

// Found implements [founding.Store].
func (db *DB) Found(ctx context.Context, s secret.Hash, f founding.Founding, by audit.By) error {
	t, err := db.Tenant(ctx, tenant.Default)
	if fault.Is(err, fault.NotFound) {
		return errNoHome
	}
	if err != nil {
		return err
	}
	err = t.addConfiguration(ctx, func(tx hand) error {
		n, err := tx.exec(ctx, `
			UPDATE bootstrap SET closed_at = $1, closed_by = $2, secret = NULL
			WHERE id = 1 AND closed_at IS NULL AND secret = $3 AND expires_at > $1`, instant(by.At), f.Admin.User.ID, s[:])
		if err := mustChange(n, err, errNoOffer); err != nil {
			return err
		}
		if err := t.insertFounding(ctx, tx, f, by); err != nil {
			return err
		}
		e := by.Event(audit.Founded)
		e.UserID = f.Admin.User.ID
		return t.record(ctx, tx, e)
	})
	if !fault.Is(err, fault.Denied) {
		return err
	}
	// Whoever comes second learns that it is done, not that the secret is wrong.
	if founded, looked := db.Founded(ctx); looked == nil && founded {
		return errFounded
	}
	return err
}

func (t *Tenant) insertFounding(ctx context.Context, tx hand, f founding.Founding, by audit.By) error {
	for _, c := range f.Connectors {
		if err := t.insertConnector(ctx, tx, &c, by); err != nil {
			return err
		}
	}
	for _, c := range f.Clients {
		if err := t.insertClient(ctx, tx, &c, by); err != nil {
			return err
		}
	}
	u := f.Admin.User
	u.Version, u.CreatedAt, u.UpdatedAt = 1, by.At, by.At
	return t.insertUser(ctx, tx, u, f.Admin, by)
}

// RecoverAdmin makes the account of a verified or declared mail address, or of a user
// name, an owner again, and lets it log in. It is for who has the database in their
// hands, and nobody else.
func (t *Tenant) RecoverAdmin(ctx context.Context, login string, by audit.By) (userID string, err error) {
	err = t.db.inTx(ctx, func(tx hand) error {
		err := tx.row(ctx, `SELECT user_id FROM login_names WHERE tenant_id = $1 AND name = $2`, t.id, login).Scan(&userID)
		if err != nil {
			return notFound(err, "Nobody logs in as %q. Make the account first, or look up the name with dexctl users.", login)
		}
		if _, err := tx.exec(ctx, `
			UPDATE users SET role = 'owner', disabled = FALSE, disabled_by = '', version = version + 1, updated_at = $3
			WHERE tenant_id = $1 AND id = $2`, t.id, userID, instant(by.At)); err != nil {
			return err
		}
		// Whoever has a link was trusted with who it was for before.
		if err := t.endLinks(ctx, tx, userID, by.At); err != nil {
			return err
		}
		e := by.Event(audit.AdminRecovered)
		e.UserID = userID
		return t.record(ctx, tx, e)
	})
	return userID, err
}
