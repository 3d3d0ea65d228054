package store

import (
	"context"
	"time"

	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/protocol/oauth"
)

// noProof is what no code holds as its challenge or redirect URI.
const noProof = "\x01"

// proof is what a client has presented, as the columns hold it.
type proof struct {
	grant.Proof
	challenge string
}

// proofOf makes of the verifier the challenge that it answers to, RFC 7636 section
// 4.6. A code without a challenge is for clients that send no verifier: one that
// sends it believes that it is needed, and something has taken the challenge out
// on the way (RFC 9700 section 4.8.2).
func proofOf(p grant.Proof) proof {
	out := proof{Proof: p}
	if p.Verifier != "" {
		challenge := oauth.ChallengeOf(p.Verifier)
		out.challenge = string(challenge)
		if !challenge.Verify(p.Verifier) {
			out.challenge = noProof // the verifier is none
		}
	}
	if !storable(p.RedirectURI) {
		out.RedirectURI = noProof
	}
	if !storable(p.ClientID) {
		out.ClientID = noProof
	}
	return out
}

// Redeem implements [grant.Store]. Success is one statement, which is a
// transaction by itself: of all who come at once it finds the code unused for one.
// Only when it finds nothing a second look says why.
func (t *Tenant) Redeem(ctx context.Context, p grant.Proof, f grant.Family, now time.Time) (grant.Known, grant.Outcome, error) {
	given := proofOf(p)
	var r knownRow
	err := t.db.writer().change(ctx, `
		UPDATE grants SET redeemed_at = $6,
			generation = CASE WHEN offline THEN 1 ELSE 0 END,
			rotated_at = CASE WHEN offline THEN $6 ELSE rotated_at END,
			idle_until = CASE WHEN offline THEN $7 ELSE idle_until END,
			expires_at = CASE WHEN offline THEN $8 ELSE expires_at END,
			purge_at   = CASE WHEN offline AND $9 > purge_at THEN $9 ELSE purge_at END,
			bound_to   = CASE WHEN $12 <> '' THEN $12 ELSE bound_to END
		WHERE tenant_id = $1 AND code_hash = $2 AND client_id = $3 AND redirect_uri = $4 AND challenge = $5
			AND redeemed_at IS NULL AND revoked_at IS NULL AND attempts < $10 AND code_expires_at > $6
			AND (bound_to = '' OR bound_to = $11)
		RETURNING `+grantColumns+`, `+besideSelects,
		t.id, given.Hash, given.ClientID, given.RedirectURI, given.challenge, instant(now),
		instant(f.IdleUntil), instant(f.ExpiresAt), instant(f.ExpiresAt.Add(tokenKeep)), grant.MaxAttempts, given.BoundTo, given.Holder,
	).Scan(r.into()...)
	switch {
	case isNone(err):
		outcome, err := t.refuse(ctx, given, now)
		return grant.Known{}, outcome, err
	case err != nil:
		return grant.Known{}, 0, err
	}
	k, err := r.assemble(t)
	return k, grant.Redeemed, err
}

// refused is why a code was not redeemed.
type refused struct {
	grantID  string
	stands   bool // it could be redeemed with the right proof
	redeemed bool // it was
	right    bool // the proof is right
}

// refuse finds out why a code was not redeemed, and does what follows from it.
func (t *Tenant) refuse(ctx context.Context, p proof, now time.Time) (outcome grant.Outcome, err error) {
	err = t.db.inTx(ctx, func(tx hand) error {
		var r refused
		err := tx.row(ctx, `
			SELECT id,
				redeemed_at IS NULL AND revoked_at IS NULL AND attempts < $7 AND code_expires_at > $6,
				redeemed_at IS NOT NULL,
				client_id = $3 AND redirect_uri = $4 AND challenge = $5 AND (bound_to = '' OR bound_to = $8)
			FROM grants WHERE tenant_id = $1 AND code_hash = $2`,
			t.id, p.Hash, p.ClientID, p.RedirectURI, p.challenge, instant(now), grant.MaxAttempts, p.BoundTo,
		).Scan(&r.grantID, &r.stands, &r.redeemed, &r.right)
		switch {
		case isNone(err):
			outcome = grant.NoSuchCode
			return nil
		case err != nil:
			return err
		case r.redeemed && r.right:
			// Somebody has a copy of code and proof: what it led to cannot be trusted.
			// RFC 6749 section 4.1.2.
			outcome = grant.Replayed
			return t.revoke(ctx, tx, r.grantID, audit.CodeReplayed, now)
		case r.redeemed:
			// Who cannot prove anything must not end somebody's grant either.
			outcome = grant.WrongProof
			return nil
		case r.stands && !r.right:
			outcome = grant.WrongProof
			return t.countAttempt(ctx, tx, r.grantID, now)
		default:
			outcome = grant.NoSuchCode
			return nil
		}
	})
	return outcome, err
}

// countAttempt counts a presentation with the wrong proof. The last one burns the
// code.
func (t *Tenant) countAttempt(ctx context.Context, tx hand, grantID string, now time.Time) error {
	e := audit.Event{At: now, Kind: audit.CodeBurned, GrantID: grantID}
	var attempts int
	err := tx.change(ctx, `
		UPDATE grants SET attempts = attempts + 1
		WHERE tenant_id = $1 AND id = $2 AND redeemed_at IS NULL AND attempts < $3
		RETURNING attempts, client_id, user_id, connector_id, session_id, support_code`,
		t.id, grantID, grant.MaxAttempts,
	).Scan(&attempts, &e.ClientID, &e.UserID, &e.ConnectorID, &e.SessionID, &e.SupportCode)
	if isNone(err) || err == nil && attempts < grant.MaxAttempts {
		return nil
	}
	if err != nil {
		return err
	}
	return t.record(ctx, tx, e)
}
