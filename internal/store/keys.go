package store

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/key"
	"dex/internal/protocol/jose"
)

// errKeysMoved says that a plan was made from keys that are not so any more.
var errKeysMoved = fault.New(fault.Conflict, "The signing keys have changed meanwhile.")

// SigningKeys implements [key.Store].
func (t *Tenant) SigningKeys(ctx context.Context) ([]key.Key, error) {
	rows, err := t.db.reader().query(ctx, `
		SELECT id, alg, publish_at, sign_from, sign_until, unpublish_at, public, private
		FROM signing_keys WHERE tenant_id = $1`, t.id)
	keys, err := collect(rows, err, t.scanKey)
	// Sorted here, because the engines do not agree on the order of texts.
	slices.SortFunc(keys, func(a, b key.Key) int {
		return cmp.Or(cmp.Compare(a.Alg, b.Alg), a.SignFrom.Compare(b.SignFrom), cmp.Compare(a.ID, b.ID))
	})
	return keys, err
}

// Timelines returns for every tenant when its keys are announced, sign and go,
// with nothing of the keys themselves: [key.Unopened] stands for a private key. It
// is for whoever looks which tenant has something to do.
func (db *DB) Timelines(ctx context.Context) (map[string][]key.Key, error) {
	rows, err := db.reader().query(ctx, `
		SELECT tenants.id, COALESCE(k.id, ''), COALESCE(k.alg, ''), k.publish_at, k.sign_from, k.sign_until, k.unpublish_at,
			k.private IS NOT NULL
		FROM tenants LEFT JOIN signing_keys k ON k.tenant_id = tenants.id
		WHERE `+alive)
	timelines := map[string][]key.Key{}
	_, err = collect(rows, err, func(s scanner) (struct{}, error) {
		var id string
		var k key.Key
		var private bool
		err := s.Scan(&id, &k.ID, (*string)(&k.Alg), (*instant)(&k.PublishAt), (*instant)(&k.SignFrom),
			(*instant)(&k.SignUntil), (*instant)(&k.UnpublishAt), &private)
		if private {
			k.Private = key.Unopened{}
		}
		of := timelines[id] // a tenant without keys is in it too
		if k.ID != "" {
			of = append(of, k)
		}
		timelines[id] = of
		return struct{}{}, err
	})
	return timelines, err
}

func (t *Tenant) scanKey(s scanner) (key.Key, error) {
	var k key.Key
	var public, sealed []byte
	err := s.Scan(&k.ID, (*string)(&k.Alg), (*instant)(&k.PublishAt), (*instant)(&k.SignFrom),
		(*instant)(&k.SignUntil), (*instant)(&k.UnpublishAt), &public, &sealed)
	if err != nil {
		return key.Key{}, err
	}
	if k.Public, err = x509.ParsePKIXPublicKey(public); err != nil {
		return key.Key{}, fmt.Errorf("signing key %s: %w", k.ID, err)
	}
	der, err := t.unseal(sealed, "signing_keys", "private", k.ID)
	if err != nil || der == nil {
		return k, err
	}
	if k.Private, err = jose.ParsePrivate(der); err != nil {
		return key.Key{}, fmt.Errorf("signing key %s: %w", k.ID, err)
	}
	return k, nil
}

// ApplyKeys implements [key.Store].
func (t *Tenant) ApplyKeys(ctx context.Context, c key.Changes, now time.Time) error {
	return t.db.inTx(ctx, func(tx hand) error {
		if err := t.succeedKeys(ctx, tx, c, now); err != nil {
			return err
		}
		if err := t.dropKeys(ctx, tx, c.Destroy, audit.KeyDestroyed, now, `
			UPDATE signing_keys SET private = NULL
			WHERE tenant_id = $1 AND id = $2 AND private IS NOT NULL AND sign_until <= $3`); err != nil {
			return err
		}
		return t.dropKeys(ctx, tx, c.Remove, audit.KeyRemoved, now, `
			DELETE FROM signing_keys WHERE tenant_id = $1 AND id = $2 AND unpublish_at <= $3`)
	})
}

// succeedKeys writes the ends of keys, and their successors.
func (t *Tenant) succeedKeys(ctx context.Context, tx hand, c key.Changes, now time.Time) error {
	// First the ends, then the beginnings: of an algorithm one key has no end.
	for _, r := range c.Retire {
		n, err := tx.exec(ctx, `
			UPDATE signing_keys SET sign_until = $3, unpublish_at = $4
			WHERE tenant_id = $1 AND id = $2 AND sign_until IS NULL`,
			t.id, r.ID, instant(r.SignUntil), instant(r.UnpublishAt))
		if err := mustChange(n, err, errKeysMoved); err != nil {
			return err
		}
	}
	for _, k := range c.Create {
		if err := t.createKey(ctx, tx, k, now); err != nil {
			return err
		}
	}
	return nil
}

// LongestToken returns the longest life of a token that a client has of its own.
func (t *Tenant) LongestToken(ctx context.Context) (time.Duration, error) {
	rows, err := t.db.reader().query(ctx, `SELECT settings FROM clients WHERE tenant_id = $1`, t.id)
	all, err := collect(rows, err, func(s scanner) (c clientSettings, err error) { return c, s.Scan(document{&c}) })
	longest := time.Duration(0)
	for _, c := range all {
		longest = max(longest, c.AccessTTL, c.IDTTL)
	}
	return longest, err
}

// RotateKeys implements [key.Desk].
func (t *Tenant) RotateKeys(ctx context.Context, c key.Changes, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		if err := t.nextVersion(ctx, tx); err != nil {
			return err
		}
		if err := t.succeedKeys(ctx, tx, c, by.At); err != nil {
			return err
		}
		return t.witness(ctx, tx, by, by.Event(audit.KeyRotated))
	})
}

// CompromiseKey implements [key.Desk]. The row stays, without its private half and
// beyond its end, until the timeline removes it.
func (t *Tenant) CompromiseKey(ctx context.Context, e key.Emergency, by audit.By) error {
	err := t.changeConfiguration(ctx, func(tx hand) error {
		for _, step := range []struct{ id, query string }{
			{e.Compromised, `
				UPDATE signing_keys SET private = NULL, compromised_at = $3, unpublish_at = $3,
					sign_until = CASE WHEN sign_until < $3 THEN sign_until ELSE $3 END
				WHERE tenant_id = $1 AND id = $2 AND compromised_at IS NULL`},
			{e.Reopen, `
				UPDATE signing_keys SET sign_until = NULL, unpublish_at = NULL
				WHERE tenant_id = $1 AND id = $2 AND private IS NOT NULL AND sign_until > $3`},
			{e.Promote, `
				UPDATE signing_keys SET sign_from = $3
				WHERE tenant_id = $1 AND id = $2 AND private IS NOT NULL AND sign_from > $3`},
		} {
			if step.id == "" {
				continue
			}
			n, err := tx.exec(ctx, step.query, t.id, step.id, instant(by.At))
			if err := mustChange(n, err, errKeysMoved); err != nil {
				return err
			}
		}
		for _, k := range e.Create {
			if err := t.createKey(ctx, tx, k, by.At); err != nil {
				return err
			}
		}
		event := by.Event(audit.KeyCompromised)
		event.Detail = map[string]string{"key": e.Compromised}
		return t.witness(ctx, tx, by, event)
	})
	if err != nil {
		return err
	}
	// The rings of this process learn of it by the version, as all others do by their
	// looks at the database. It is done, whether this look succeeds or the next one.
	_, _ = t.Self(ctx)
	return nil
}

func (t *Tenant) createKey(ctx context.Context, tx hand, k key.Key, now time.Time) error {
	public, err := x509.MarshalPKIXPublicKey(k.Public)
	if err != nil {
		return fmt.Errorf("signing key %s: %w", k.ID, err)
	}
	private, err := jose.MarshalPrivate(k.Private)
	if err != nil {
		return fmt.Errorf("signing key %s: %w", k.ID, err)
	}
	_, err = tx.exec(ctx, `
		INSERT INTO signing_keys (tenant_id, id, alg, publish_at, sign_from, sign_until, unpublish_at, public, private, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		t.id, k.ID, string(k.Alg), instant(k.PublishAt), instant(k.SignFrom), instant(k.SignUntil), instant(k.UnpublishAt),
		public, t.seal(private, "signing_keys", "private", k.ID), instant(now))
	if t.db.engine.exists(err) {
		return errKeysMoved
	}
	if err != nil {
		return err
	}
	return t.recordKey(ctx, tx, audit.KeyCreated, k.ID, now)
}

func (t *Tenant) dropKeys(ctx context.Context, tx hand, ids []string, what audit.Kind, now time.Time, query string) error {
	for _, id := range ids {
		n, err := tx.exec(ctx, query, t.id, id, instant(now))
		if err := mustChange(n, err, errKeysMoved); err != nil {
			return err
		}
		if err := t.recordKey(ctx, tx, what, id, now); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tenant) recordKey(ctx context.Context, tx hand, what audit.Kind, id string, now time.Time) error {
	return t.record(ctx, tx, audit.Event{At: now, Kind: what, Actor: "keys", Detail: map[string]string{"key": id}})
}
