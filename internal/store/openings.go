package store

import (
	"context"
	"errors"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
)

// The length at which what a browser tells of itself is cut off.
const (
	maxUserAgent  = 256
	maxRemoteAddr = 64
)

// errRaced says that another opened the account of the same identity first.
var errRaced = fault.New(fault.Conflict, "Somebody logged in with this identity at the same moment. Please try again.")

// OpenSession implements [grant.Store]. For somebody who is known and has not
// changed it is two statements. It returns a fault of kind Conflict if the
// identity has come to lead to another account, or to one at all, since it was
// resolved: the caller resolves it again.
func (t *Tenant) OpenSession(ctx context.Context, p grant.Permit, o grant.Opening) (session.Session, error) {
	a, err := p.For(grant.OpenSession)
	if err != nil {
		return session.Session{}, err
	}
	if o.NewUser && o.User.ID == "" {
		o.User.ID = user.NewID()
	}
	if a.UserID != "" && a.UserID != o.User.ID {
		return session.Session{}, errors.New("a session of another than the gate was asked about")
	}
	if o.Session.ID == "" {
		o.Session.ID = session.NewID()
	}
	o.Session.UserID = o.User.ID
	o.Session.ConnectorID, o.Session.Subject = o.Identity.ConnectorID, o.Identity.Subject
	o.Session.UserAgent = remark(o.Session.UserAgent, maxUserAgent)
	o.Session.RemoteAddr = remark(o.Session.RemoteAddr, maxRemoteAddr)

	var opened session.Session
	err = t.db.inTx(ctx, func(tx hand) (err error) {
		opened, err = t.open(ctx, tx, o)
		return err
	})
	if err != nil {
		return session.Session{}, err
	}
	return opened, nil
}

func (t *Tenant) open(ctx context.Context, tx hand, o grant.Opening) (session.Session, error) {
	if err := t.saveAccount(ctx, tx, o); err != nil {
		return session.Session{}, err
	}
	opened, err := t.placeSession(ctx, tx, o)
	if err != nil {
		return session.Session{}, err
	}
	e := o.Event
	e.UserID, e.SessionID, e.ConnectorID = o.User.ID, opened.ID, o.Identity.ConnectorID
	return opened, t.record(ctx, tx, e)
}

// saveAccount keeps what the login has made or changed of account and identity.
func (t *Tenant) saveAccount(ctx context.Context, tx hand, o grant.Opening) error {
	switch {
	case o.NewUser:
		if err := t.createUser(ctx, tx, o.User); err != nil {
			return err
		}
		if err := t.record(ctx, tx, audit.Event{
			At: o.Event.At, Kind: audit.UserCreated, UserID: o.User.ID, ConnectorID: o.Identity.ConnectorID,
			SupportCode: o.Event.SupportCode, RemoteAddr: o.Event.RemoteAddr,
		}); err != nil {
			return err
		}
	case o.Changed:
		// Whether the account is disabled is not the login's to say, and the words it is
		// found by are written by a duty.
		n, err := tx.exec(ctx, `
			UPDATE users SET username = $3, email = $4, email_key = $5, email_verified = $6, name = $7, indexed = FALSE, updated_at = $8
			WHERE tenant_id = $1 AND id = $2`,
			t.id, o.User.ID, o.User.Username, o.User.Email, emailKey(o.User.Email), o.User.EmailVerified, o.User.Name, instant(o.User.UpdatedAt))
		if err := mustChange(n, err, errRaced); err != nil {
			return err
		}
	default:
		return nil
	}
	return t.saveIdentity(ctx, tx, o)
}

func (t *Tenant) createUser(ctx context.Context, tx hand, u user.User) error {
	_, err := tx.exec(ctx, `
		INSERT INTO users (tenant_id, id, username, email, email_key, email_verified, name, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		t.id, u.ID, u.Username, u.Email, emailKey(u.Email), u.EmailVerified, u.Name, instant(u.CreatedAt), instant(u.UpdatedAt))
	if t.db.engine.exists(err) {
		return errRaced
	}
	return err
}

// saveIdentity links an identity or brings it up to date. It never moves one from
// another account: the update finds nothing to change then.
func (t *Tenant) saveIdentity(ctx context.Context, tx hand, o grant.Opening) error {
	i := o.Identity
	checked := i.CheckedAt
	if checked.IsZero() {
		checked = o.Event.At
	}
	n, err := tx.exec(ctx, `
		INSERT INTO identities (tenant_id, connector_id, subject, user_id, profile, data, checked_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (tenant_id, connector_id, subject) DO UPDATE SET
			profile = excluded.profile, data = excluded.data, checked_at = excluded.checked_at, refreshing_until = NULL
		WHERE identities.user_id = excluded.user_id`,
		t.id, i.ConnectorID, i.Subject, o.User.ID, document{i.Profile}, t.sealIdentity(i), instant(checked), instant(o.Event.At))
	return mustChange(n, err, errRaced)
}

// placeSession puts the session where it belongs: in the place of the browser's
// previous one if that is the same account's and still alive, else beside it.
func (t *Tenant) placeSession(ctx context.Context, tx hand, o grant.Opening) (session.Session, error) {
	if o.Previous.ID != "" {
		s, continued, err := t.continueSession(ctx, tx, o)
		if err != nil || continued {
			return s, err
		}
		if _, err := t.endSession(ctx, tx, audit.Event{At: o.Event.At, SessionID: o.Previous.ID}, time.Time{}); err != nil {
			return session.Session{}, err
		}
	}
	s := o.Session
	// The gate has seen the account a moment ago. What slips in beside whoever
	// disables it right now is stopped by the account's epoch.
	n, err := tx.exec(ctx, `
		INSERT INTO sessions (tenant_id, id, cookie, user_id, connector_id, subject, methods, auth_time,
			user_agent, remote_addr, created_at, idle_until, expires_at, ends_at, upstream, upstream_id)
		SELECT $1, $3, $4, $2, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
		FROM users WHERE tenant_id = $1 AND id = $2 AND NOT disabled`,
		t.id, s.UserID, s.ID, s.Cookie, s.ConnectorID, s.Subject, document{s.Methods}, instant(s.AuthTime),
		s.UserAgent, s.RemoteAddr, instant(s.CreatedAt), instant(s.IdleUntil), instant(s.ExpiresAt),
		instant(earlier(s.IdleUntil, s.ExpiresAt)), t.seal(s.Upstream, "sessions", "upstream", s.ID), orNoHash(s.UpstreamID))
	return s, mustChange(n, err, fault.New(fault.Denied, "This account is disabled."))
}

// continueSession gives a living session of the same account a new cookie and a
// new proof. It must not revive one that has ended: grants are bound to it.
func (t *Tenant) continueSession(ctx context.Context, tx hand, o grant.Opening) (session.Session, bool, error) {
	s := o.Session
	s.ID = o.Previous.ID
	var created time.Time
	err := tx.change(ctx, `
		UPDATE sessions SET cookie = $4, connector_id = $5, subject = $6, methods = $7, auth_time = $8,
			user_agent = $9, remote_addr = $10, idle_until = $11, expires_at = $12, ends_at = $13, upstream = $14,
			created_at = $16, upstream_id = $17
		WHERE tenant_id = $1 AND id = $2 AND user_id = $3 AND ends_at > $15
			AND EXISTS (SELECT 1 FROM users WHERE users.tenant_id = $1 AND users.id = $3 AND NOT users.disabled)
		RETURNING created_at`,
		t.id, s.ID, s.UserID, s.Cookie, s.ConnectorID, s.Subject, document{s.Methods}, instant(s.AuthTime),
		s.UserAgent, s.RemoteAddr, instant(s.IdleUntil), instant(s.ExpiresAt),
		instant(earlier(s.IdleUntil, s.ExpiresAt)), t.seal(s.Upstream, "sessions", "upstream", s.ID), instant(o.Event.At),
		instant(s.CreatedAt), orNoHash(s.UpstreamID),
	).Scan((*instant)(&created))
	if isNone(err) {
		return session.Session{}, false, nil
	}
	s.CreatedAt = created
	return s, err == nil, err
}
