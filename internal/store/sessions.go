package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/outbox"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
)

const sessionColumns = `sessions.id, sessions.cookie, sessions.user_id, sessions.connector_id, sessions.subject,
	sessions.methods, sessions.auth_time, sessions.user_agent, sessions.remote_addr,
	sessions.created_at, sessions.idle_until, sessions.expires_at, sessions.upstream`

// sessionInto takes the sealed upstream apart: [Tenant.openSession] opens it.
func sessionInto(s *session.Session, cookie *[]byte) []any {
	return []any{
		&s.ID, cookie, &s.UserID, &s.ConnectorID, &s.Subject,
		document{&s.Methods}, (*instant)(&s.AuthTime), &s.UserAgent, &s.RemoteAddr,
		(*instant)(&s.CreatedAt), (*instant)(&s.IdleUntil), (*instant)(&s.ExpiresAt), &s.Upstream,
	}
}

func (t *Tenant) openSession(s *session.Session, cookie []byte) (err error) {
	copy(s.Cookie[:], cookie)
	s.Upstream, err = t.unseal(s.Upstream, "sessions", "upstream", s.ID)
	return err
}

// SessionByCookie implements [session.Store]. A session whose identity is not
// linked to its account any more is none.
func (t *Tenant) SessionByCookie(ctx context.Context, cookie secret.Hash, clientID string) (session.Known, error) {
	var k session.Known
	var held []byte
	var consent sql.Null[string]
	into := append(sessionInto(&k.Session, &held), userInto(&k.User)...)
	into = append(into, identityInto(&k.Identity)...)
	err := t.db.reader().row(ctx, `
		SELECT `+sessionColumns+`, `+userColumns+`, `+identityColumns+`, consents.scopes
		FROM sessions
		JOIN users ON users.tenant_id = sessions.tenant_id AND users.id = sessions.user_id
		JOIN identities ON identities.tenant_id = sessions.tenant_id AND identities.connector_id = sessions.connector_id
			AND identities.subject = sessions.subject AND identities.user_id = sessions.user_id
		LEFT JOIN consents ON consents.tenant_id = sessions.tenant_id AND consents.user_id = sessions.user_id
			AND consents.client_id = $3
		WHERE sessions.tenant_id = $1 AND sessions.cookie = $2`,
		t.id, cookie, clientID,
	).Scan(append(into, &consent)...)
	if err == nil {
		err = t.openSession(&k.Session, held)
	}
	if err == nil {
		err = t.openIdentity(&k.Identity)
	}
	if err != nil {
		return session.Known{}, notFound(err, "There is no such session.")
	}
	if consent.Valid {
		k.Consent = scopes(consent.V)
	}
	return k, nil
}

// scopes reads what [oauth.Scopes.String] wrote.
func scopes(text string) oauth.Scopes { return strings.Fields(text) }

// SessionsOf implements [session.Store].
func (t *Tenant) SessionsOf(ctx context.Context, userID string) ([]session.Session, error) {
	rows, err := t.db.reader().query(ctx, `
		SELECT `+sessionColumns+` FROM sessions
		WHERE tenant_id = $1 AND user_id = $2
		ORDER BY created_at DESC, id`, t.id, userID)
	return collect(rows, err, func(r scanner) (s session.Session, err error) {
		var cookie []byte
		if err := r.Scan(sessionInto(&s, &cookie)...); err != nil {
			return s, err
		}
		return s, t.openSession(&s, cookie)
	})
}

// TouchSession implements [session.Store]. A session that has ended stays so.
func (t *Tenant) TouchSession(ctx context.Context, id string, idleUntil time.Time) error {
	_, err := t.db.writer().exec(ctx, `
		UPDATE sessions SET idle_until = $3, ends_at = CASE WHEN expires_at < $3 THEN expires_at ELSE $3 END
		WHERE tenant_id = $1 AND id = $2 AND idle_until < $3`, t.id, id, instant(idleUntil))
	return err
}

// EndSession implements [session.Store].
func (t *Tenant) EndSession(ctx context.Context, id string, until, now time.Time) (session.Ended, error) {
	var ended session.Ended
	err := t.db.inTx(ctx, func(tx hand) (err error) {
		ended, err = t.endSession(ctx, tx, audit.Event{At: now, SessionID: id}, until)
		return err
	})
	if err != nil {
		return session.Ended{}, err
	}
	return ended, nil
}

// EndEverywhere implements [session.Store].
func (t *Tenant) EndEverywhere(ctx context.Context, userID, id string, until, now time.Time) (session.Ended, error) {
	var ended session.Ended
	err := t.db.inTx(ctx, func(tx hand) error {
		ended = session.Ended{}
		rows, err := tx.query(ctx, `
			DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2 RETURNING id, connector_id`, t.id, userID)
		all, err := collect(rows, err, func(r scanner) (audit.Event, error) {
			e := audit.Event{At: now, Kind: audit.SessionEnded, Actor: userID, UserID: userID, Detail: map[string]string{"everywhere": "true"}}
			return e, r.Scan(&e.SessionID, &e.ConnectorID)
		})
		if err != nil {
			return err
		}
		for _, e := range all {
			one, err := t.sayFarewell(ctx, tx, e.SessionID, userID, until, now)
			if err != nil {
				return err
			}
			if ended.Letters = append(ended.Letters, one.Letters...); e.SessionID == id {
				ended.Clients = one.Clients
			}
			if err := t.record(ctx, tx, e); err != nil {
				return err
			}
		}
		_, err = tx.exec(ctx, `
			UPDATE grants SET revoked_at = $3, revoked_reason = $4
			WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL`, t.id, userID, instant(now), string(audit.SessionEnded))
		return err
	})
	if err != nil {
		return session.Ended{}, err
	}
	return ended, nil
}

// endSession ends a session and what does not outlive it. What was made in it and
// does, a grant with offline access, stays: a code for it is never redeemed
// without its session, and a refresh token is meant to work without one. Which it is,
// and why, is in the event.
func (t *Tenant) endSession(ctx context.Context, tx hand, e audit.Event, until time.Time) (session.Ended, error) {
	e.Kind = audit.SessionEnded
	err := tx.change(ctx, `
		DELETE FROM sessions WHERE tenant_id = $1 AND id = $2
		RETURNING user_id, connector_id`, t.id, e.SessionID).Scan(&e.UserID, &e.ConnectorID)
	if isNone(err) {
		return session.Ended{}, nil // it has ended before
	}
	if err != nil {
		return session.Ended{}, err
	}
	if err := t.endWithSession(ctx, tx, e); err != nil {
		return session.Ended{}, err
	}
	ended, err := t.sayFarewell(ctx, tx, e.SessionID, e.UserID, until, e.At)
	if err != nil {
		return session.Ended{}, err
	}
	return ended, t.record(ctx, tx, e)
}

// EndByNotice implements [session.Upstreams]. Which sessions are meant is looked up
// before anything is written: a notice about nobody costs no turn to write.
func (t *Tenant) EndByNotice(ctx context.Context, n session.Notice, until, now time.Time) (session.Ended, error) {
	meant, err := t.sessionsMeant(ctx, n)
	if err != nil || len(meant) == 0 && n.Token == (secret.Hash{}) {
		return session.Ended{}, err
	}
	var ended session.Ended
	err = t.db.inTx(ctx, func(tx hand) error {
		ended = session.Ended{}
		if n.Token != (secret.Hash{}) {
			if err := t.consume(ctx, tx, "connector "+n.ConnectorID, n.Token, n.Expires, now); err != nil {
				return err
			}
		}
		for _, id := range meant {
			one, err := t.endSession(ctx, tx, audit.Event{At: now, SessionID: id, Detail: map[string]string{"by": "provider"}}, until)
			if err != nil {
				return err
			}
			ended.Clients, ended.Letters = append(ended.Clients, one.Clients...), append(ended.Letters, one.Letters...)
		}
		return nil
	})
	if err != nil {
		return session.Ended{}, err
	}
	return ended, nil
}

// sessionsMeant returns the sessions that a notice means. One of the named person of
// which nobody knows how it is called there is meant as well: to sign in once more costs
// little.
func (t *Tenant) sessionsMeant(ctx context.Context, n session.Notice) ([]string, error) {
	const of = `
		SELECT sessions.id FROM identities
		JOIN sessions ON sessions.tenant_id = identities.tenant_id AND sessions.user_id = identities.user_id
			AND sessions.connector_id = identities.connector_id AND sessions.subject = identities.subject
		WHERE identities.tenant_id = $1 AND identities.connector_id = $2 AND identities.subject = $3`
	query, args := of+` ORDER BY sessions.id`, []any{t.id, n.ConnectorID, n.Subject}
	switch known := n.UpstreamID != (secret.Hash{}); {
	case n.Subject == "" && !known:
		return nil, errors.New("a notice that means nobody")
	case n.Subject == "":
		query, args = `SELECT id FROM sessions WHERE tenant_id = $1 AND connector_id = $2 AND upstream_id = $3 ORDER BY id`, []any{t.id, n.ConnectorID, n.UpstreamID}
	case known:
		query, args = of+` AND (sessions.upstream_id IS NULL OR sessions.upstream_id = $4) ORDER BY sessions.id`, append(args, n.UpstreamID)
	}
	rows, err := t.db.reader().query(ctx, query, args...)
	return collect(rows, err, func(r scanner) (id string, err error) { return id, r.Scan(&id) })
}

// orNoHash is what a column holds of a hash that need not be there.
func orNoHash(h secret.Hash) any {
	if h == (secret.Hash{}) {
		return nil
	}
	return h
}

// sayFarewell queues what the clients of a session are told when it ends.
func (t *Tenant) sayFarewell(ctx context.Context, tx hand, id, userID string, until, now time.Time) (session.Ended, error) {
	rows, err := tx.query(ctx, `
		SELECT clients.id, clients.settings
		FROM (SELECT DISTINCT client_id FROM grants WHERE tenant_id = $1 AND session_id = $2) AS had
		JOIN clients ON clients.tenant_id = $1 AND clients.id = had.client_id
		WHERE NOT clients.disabled`, t.id, id)
	var ended session.Ended
	told, err := collect(rows, err, func(r scanner) (bool, error) {
		var client string
		var wants struct {
			URI string `json:"backchannel_logout_uri"`
		}
		err := r.Scan(&client, document{&wants})
		ended.Clients = append(ended.Clients, client)
		return wants.URI != "", err
	})
	if err != nil {
		return session.Ended{}, err
	}
	for i, client := range ended.Clients {
		if !told[i] {
			continue
		}
		body, err := json.Marshal(session.Farewell{ClientID: client, SessionID: id, UserID: userID})
		if err != nil {
			return session.Ended{}, err
		}
		letter, err := t.enqueueFor(ctx, tx, outbox.Message{Kind: outbox.Farewell, Body: body}, until, now)
		if err != nil {
			return session.Ended{}, err
		}
		ended.Letters = append(ended.Letters, letter)
	}
	return ended, nil
}

// sayFarewells queues what clients are told when several sessions of an account end.
// It has to be done before these and their grants are gone.
func (t *Tenant) sayFarewells(ctx context.Context, tx hand, userID string, sessions []string, now time.Time) error {
	for _, id := range sessions {
		if _, err := t.sayFarewell(ctx, tx, id, userID, time.Time{}, now); err != nil {
			return err
		}
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
