package overlord

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dex/internal/app/config"
	"dex/internal/app/office"
	"dex/internal/app/process"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/tenant"
	"dex/internal/store"
)

// with opens the database for one deed.
func with(ctx context.Context, s *config.Overlord, do func(db *store.DB) error) error {
	keys, err := process.Keys(s.KeySecrets, s.KeyFile())
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Options{URL: string(s.DB), Keys: keys, MaxOpen: 1})
	if err != nil {
		return err
	}
	if err = db.Check(ctx); err == nil {
		err = db.Opens(ctx)
	}
	if err == nil {
		err = do(db)
	}
	return errors.Join(err, db.Close())
}

// BootstrapSecret makes a new one-time secret, in the place of the one before.
func BootstrapSecret(ctx context.Context, s *config.Overlord) (value secret.Value, until time.Time, err error) {
	err = with(ctx, s, func(db *store.DB) error {
		value, until, err = office.Offer(ctx, db, "dex-overlord bootstrap-secret")
		return err
	})
	return value, until, err
}

// RecoverAdmin makes whoever logs in by a name or a mail address an owner again.
func RecoverAdmin(ctx context.Context, s *config.Overlord, login string) (userID string, err error) {
	name, err := credential.Canonical(login)
	if err != nil {
		return "", fmt.Errorf("%q: %w", login, err)
	}
	err = with(ctx, s, func(db *store.DB) error {
		t, err := db.Tenant(ctx, tenant.Default)
		if err != nil {
			return err
		}
		userID, err = t.RecoverAdmin(ctx, name, audit.By{Actor: "dex-overlord recover-admin", At: db.Clock().Now()})
		return err
	})
	return userID, err
}
