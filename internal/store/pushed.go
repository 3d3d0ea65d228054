package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/grant"
)

// pushedKeep is how long a pushed request is kept after its time, so that whoever
// comes late can be sent back to the client.
const pushedKeep = 10 * time.Minute

// KeepPushed implements [grant.PushedStore]. All of the request is sealed: a hint in it
// may be a token of ours.
func (t *Tenant) KeepPushed(ctx context.Context, p grant.Pushed) error {
	plain, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = t.db.writer().exec(ctx, `
		INSERT INTO pushed_requests (tenant_id, hash, client_id, request, created_at, expires_at, purge_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		t.id, p.Hash, p.ClientID, t.seal(plain, "pushed_requests", "request", hex.EncodeToString(p.Hash[:])),
		instant(p.CreatedAt), instant(p.ExpiresAt), instant(p.ExpiresAt.Add(pushedKeep)))
	if t.db.engine.exists(err) {
		return fault.New(fault.Conflict, "There is a pushed request under this handle.")
	}
	return err
}

// Pushed implements [grant.PushedStore]. Whether a code has come of the request its
// grant says, whose row is the one that says so for every attempt.
func (t *Tenant) Pushed(ctx context.Context, handle secret.Hash, clientID string) (grant.Pushed, error) {
	p := grant.Pushed{Hash: handle, ClientID: clientID}
	var sealed []byte
	err := t.db.reader().row(ctx, `
		SELECT request, ended_at IS NOT NULL OR EXISTS (
			SELECT 1 FROM grants WHERE grants.tenant_id = $1 AND grants.attempt = $2)
		FROM pushed_requests WHERE tenant_id = $1 AND hash = $2 AND client_id = $3`, t.id, handle, clientID,
	).Scan(&sealed, &p.Ended)
	if err != nil {
		return grant.Pushed{}, notFound(err, "The client has pushed no such request.")
	}
	plain, err := t.unseal(sealed, "pushed_requests", "request", hex.EncodeToString(handle[:]))
	if err != nil {
		return grant.Pushed{}, err
	}
	if err := json.Unmarshal(plain, &p); err != nil {
		return grant.Pushed{}, fmt.Errorf("a pushed request: %w", err)
	}
	return p, nil
}

// EndPushed implements [grant.PushedStore].
func (t *Tenant) EndPushed(ctx context.Context, handle secret.Hash, now time.Time) error {
	_, err := t.db.writer().exec(ctx, `
		UPDATE pushed_requests SET ended_at = $3 WHERE tenant_id = $1 AND hash = $2 AND ended_at IS NULL`,
		t.id, handle, instant(now))
	return err
}
