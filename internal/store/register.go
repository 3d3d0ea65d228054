package store

import (
	"context"
	"strconv"

	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
)

// Sessions implements [session.Register].
func (t *Tenant) Sessions(ctx context.Context, userID, after string, most int) ([]session.Session, error) {
	rows, err := t.db.reader().query(ctx, `
		SELECT `+sessionColumns+` FROM sessions
		WHERE tenant_id = $1 AND user_id = $2 AND id > $3 AND ends_at > $4
		ORDER BY id LIMIT $5`, t.id, userID, after, instant(t.db.clock.Now()), most)
	return collect(rows, err, func(r scanner) (s session.Session, err error) {
		var cookie []byte
		if err := r.Scan(sessionInto(&s, &cookie)...); err != nil {
			return s, err
		}
		return s, t.openSession(&s, cookie)
	})
}

// TerminateSession implements [session.Register].
func (t *Tenant) TerminateSession(ctx context.Context, id string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		e := by.Event(audit.SessionEnded)
		e.SessionID = id
		err := tx.change(ctx, `
			DELETE FROM sessions WHERE tenant_id = $1 AND id = $2
			RETURNING user_id, connector_id`, t.id, id).Scan(&e.UserID, &e.ConnectorID)
		if absent(err) {
			return nil // it has ended before
		}
		if err != nil {
			return err
		}
		if err := t.endWithSession(ctx, tx, e); err != nil {
			return err
		}
		if err := t.sayFarewells(ctx, tx, e.UserID, []string{id}, by.At); err != nil {
			return err
		}
		return t.witness(ctx, tx, by, e)
	})
}

// endWithSession revokes what does not outlive the session that an event says has
// ended.
func (t *Tenant) endWithSession(ctx context.Context, tx hand, e audit.Event) error {
	_, err := tx.exec(ctx, `
		UPDATE grants SET revoked_at = $3, revoked_reason = $4
		WHERE tenant_id = $1 AND session_id = $2 AND NOT offline AND revoked_at IS NULL`,
		t.id, e.SessionID, instant(e.At), string(audit.SessionEnded))
	return err
}

// TerminateSessions implements [session.Register].
func (t *Tenant) TerminateSessions(ctx context.Context, userID string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		if err := t.mustBeUser(ctx, tx, userID); err != nil {
			return err
		}
		rows, err := tx.query(ctx, `
			DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2
			RETURNING id, connector_id`, t.id, userID)
		ended, err := collect(rows, err, func(r scanner) (audit.Event, error) {
			e := by.Event(audit.SessionEnded)
			e.UserID = userID
			return e, r.Scan(&e.SessionID, &e.ConnectorID)
		})
		if err != nil {
			return err
		}
		for _, e := range ended {
			if err := t.endWithSession(ctx, tx, e); err != nil {
				return err
			}
			if err := t.sayFarewells(ctx, tx, userID, []string{e.SessionID}, by.At); err != nil {
				return err
			}
		}
		return t.witness(ctx, tx, by, ended...)
	})
}

// mustBeUser returns the fault if there is no such account.
func (t *Tenant) mustBeUser(ctx context.Context, tx hand, id string) error {
	var found string
	err := tx.row(ctx, `SELECT id FROM users WHERE tenant_id = $1 AND id = $2`, t.id, id).Scan(&found)
	return notFound(err, "There is no user %q.", id)
}

// Holder implements [user.Holders].
func (t *Tenant) Holder(ctx context.Context, userID string) (user.User, error) {
	return t.holder(ctx, `$2`, userID)
}

// SessionHolder implements [user.Holders].
func (t *Tenant) SessionHolder(ctx context.Context, sessionID string) (user.User, error) {
	return t.holder(ctx, `(SELECT user_id FROM sessions WHERE tenant_id = $1 AND id = $2)`, sessionID)
}

// GrantHolder implements [user.Holders].
func (t *Tenant) GrantHolder(ctx context.Context, grantID string) (user.User, error) {
	return t.holder(ctx, `(SELECT user_id FROM grants WHERE tenant_id = $1 AND id = $2)`, grantID)
}

// holder returns the account that the text of a statement leads to.
func (t *Tenant) holder(ctx context.Context, whose, id string) (u user.User, err error) {
	err = t.db.reader().row(ctx, `SELECT `+userColumns+` FROM users WHERE tenant_id = $1 AND id = `+whose, t.id, id).Scan(userInto(&u)...)
	return u, notFound(err, "There is nobody whose %q is.", id)
}

// Grants implements [grant.Register].
func (t *Tenant) Grants(ctx context.Context, userID, after string, most int) ([]grant.Kept, error) {
	rows, err := t.db.reader().query(ctx, `
		SELECT `+grantColumns+` FROM grants
		WHERE grants.tenant_id = $1 AND grants.user_id = $2 AND grants.id > $3 AND grants.revoked_at IS NULL AND (
			grants.redeemed_at IS NULL AND grants.code_expires_at > $4
			OR grants.offline AND grants.idle_until > $4 AND grants.expires_at > $4
			OR NOT grants.offline AND grants.redeemed_at IS NOT NULL AND EXISTS (
				SELECT 1 FROM sessions WHERE sessions.tenant_id = grants.tenant_id AND sessions.id = grants.session_id AND sessions.ends_at > $4))
		ORDER BY grants.id LIMIT $5`, t.id, userID, after, instant(t.db.clock.Now()), most)
	return collect(rows, err, func(s scanner) (grant.Kept, error) {
		var g knownRow
		if err := s.Scan(g.ofGrant()...); err != nil {
			return grant.Kept{}, err
		}
		a := g.known.Authorization
		a.Scopes = scopes(g.scopes)
		return grant.Kept{Authorization: a, Family: g.known.Family}, nil
	})
}

// WithdrawGrant implements [grant.Register].
func (t *Tenant) WithdrawGrant(ctx context.Context, id string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		e := by.Event(audit.GrantRevoked)
		e.GrantID = id
		err := tx.change(ctx, `
			UPDATE grants SET revoked_at = $3, revoked_reason = $4
			WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL
			RETURNING client_id, user_id, connector_id, session_id, support_code`,
			t.id, id, instant(by.At), string(audit.GrantRevoked),
		).Scan(&e.ClientID, &e.UserID, &e.ConnectorID, &e.SessionID, &e.SupportCode)
		if absent(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return t.witness(ctx, tx, by, e)
	})
}

// WithdrawGrants implements [grant.Register].
func (t *Tenant) WithdrawGrants(ctx context.Context, userID string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		if err := t.mustBeUser(ctx, tx, userID); err != nil {
			return err
		}
		n, err := tx.exec(ctx, `
			UPDATE grants SET revoked_at = $3, revoked_reason = $4
			WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL`,
			t.id, userID, instant(by.At), string(audit.GrantRevoked))
		if err != nil || n == 0 {
			return err
		}
		e := by.Event(audit.GrantRevoked)
		e.UserID, e.Detail = userID, map[string]string{"grants": strconv.FormatInt(n, 10)}
		return t.witness(ctx, tx, by, e)
	})
}

// Consents implements [grant.Register].
func (t *Tenant) Consents(ctx context.Context, userID, after string, most int) ([]grant.Consent, error) {
	rows, err := t.db.reader().query(ctx, `
		SELECT client_id, scopes, updated_at FROM consents
		WHERE tenant_id = $1 AND user_id = $2 AND client_id > $3
		ORDER BY client_id LIMIT $4`, t.id, userID, after, most)
	return collect(rows, err, func(r scanner) (grant.Consent, error) {
		c, text := grant.Consent{UserID: userID}, ""
		err := r.Scan(&c.ClientID, &text, (*instant)(&c.UpdatedAt))
		c.Scopes = scopes(text)
		return c, err
	})
}

// WithdrawConsent implements [grant.Register].
func (t *Tenant) WithdrawConsent(ctx context.Context, userID, clientID string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		changed, err := t.forgetConsent(ctx, tx, userID, clientID, by.At)
		if err != nil || !changed {
			return err
		}
		e := by.Event(audit.ConsentRevoked)
		e.UserID, e.ClientID = userID, clientID
		return t.witness(ctx, tx, by, e)
	})
}

// What the tenant's store is to operators.
var (
	_ session.Register = (*Tenant)(nil)
	_ grant.Register   = (*Tenant)(nil)
	_ user.Holders     = (*Tenant)(nil)
)
