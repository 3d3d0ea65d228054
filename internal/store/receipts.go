package store

import (
	"context"
	"encoding/hex"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
)

// Receipt implements [audit.Receipts]. One that has expired is not there any more.
func (t *Tenant) Receipt(ctx context.Context, actor string, key [32]byte) (audit.Receipt, error) {
	r := audit.Receipt{Actor: actor, Key: key}
	var request, sealed []byte
	err := t.db.reader().row(ctx, `
		SELECT request, answer, expires_at FROM receipts
		WHERE tenant_id = $1 AND actor = $2 AND key = $3 AND expires_at > $4`,
		t.id, actor, key[:], instant(t.db.clock.Now()),
	).Scan(&request, &sealed, (*instant)(&r.ExpiresAt))
	if err != nil {
		return audit.Receipt{}, notFound(err, "Nothing was asked under this key.")
	}
	copy(r.Request[:], request)
	if r.Answer, err = t.unseal(sealed, "receipts", "answer", actor, hex.EncodeToString(key[:])); err != nil {
		return audit.Receipt{}, err
	}
	return r, nil
}

// keepReceipt keeps what is being answered to a request that may be sent again, in
// the transaction of its deed. If the request was sent before, it returns a fault
// of kind Conflict, so that the deed does not happen a second time; of two that
// come at once the second waits here for the first.
func (t *Tenant) keepReceipt(ctx context.Context, tx hand, r *audit.Receipt) error {
	if r == nil {
		return nil
	}
	n, err := tx.exec(ctx, `
		INSERT INTO receipts (tenant_id, actor, key, request, answer, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, actor, key) DO UPDATE
		SET request = excluded.request, answer = excluded.answer, expires_at = excluded.expires_at
		WHERE receipts.expires_at <= $7`,
		t.id, r.Actor, r.Key[:], r.Request[:],
		// Nothing is an answer too, and the column must hold something.
		t.db.box.Seal(r.Answer, t.id, "receipts", "answer", r.Actor, hex.EncodeToString(r.Key[:])),
		instant(r.ExpiresAt), instant(t.db.clock.Now()))
	return mustChange(n, err, fault.New(fault.Conflict, "This request was sent before."))
}

// witness writes the events of an operator's deed and keeps its receipt, in the
// deed's transaction.
func (t *Tenant) witness(ctx context.Context, tx hand, by audit.By, events ...audit.Event) error {
	for _, e := range events {
		if err := t.record(ctx, tx, e); err != nil {
			return err
		}
	}
	return t.keepReceipt(ctx, tx, by.Receipt)
}
