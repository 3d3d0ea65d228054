package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// tokenKeep is how long a grant is kept after the last moment at which something
// could be issued from it: longer than any token that says its id lives. Until
// then a replay of its code is known for one, and its story can be told.
const tokenKeep = 25 * time.Hour

const grantColumns = `grants.id, grants.client_id, grants.user_id, grants.session_id, grants.connector_id, grants.subject,
	grants.scopes, grants.audience, grants.nonce, grants.auth_time, grants.methods, grants.issued_at, grants.support_code,
	grants.generation, grants.rotated_at, grants.idle_until, grants.expires_at, grants.revoked_at, grants.terms, grants.bound_to`

// beside is what the gate must look at beside the grant. It is read by the very
// statement that reads or changes the grant.
var beside = []struct {
	table, on string
	columns   []string
}{
	{"users", `users.tenant_id = grants.tenant_id AND users.id = grants.user_id`, []string{
		"username", "email", "email_verified", "name", "disabled", "not_before", "role", "member_of", "version", "created_at", "updated_at",
	}},
	// An identity that leads to another account by now is not the grant's.
	{"identities", `identities.tenant_id = grants.tenant_id AND identities.connector_id = grants.connector_id
		AND identities.subject = grants.subject AND identities.user_id = grants.user_id`, []string{
		"profile", "data", "checked_at",
	}},
	{"sessions", `sessions.tenant_id = grants.tenant_id AND sessions.id = grants.session_id
		AND sessions.user_id = grants.user_id`, []string{
		"connector_id", "subject", "methods", "auth_time", "created_at", "idle_until", "expires_at",
	}},
}

var (
	besideColumns, besideJoins = joined()
	// besideSelects are the same columns for a statement that changes a grant:
	// what it returns can come from other tables by subqueries alone.
	besideSelects = selected()
)

func joined() (columns, joins string) {
	var all []string
	for _, b := range beside {
		for _, c := range b.columns {
			all = append(all, b.table+"."+c)
		}
		joins += " LEFT JOIN " + b.table + " ON " + b.on
	}
	return strings.Join(all, ", "), joins
}

func selected() string {
	var all []string
	for _, b := range beside {
		for _, c := range b.columns {
			all = append(all, "(SELECT "+b.table+"."+c+" FROM "+b.table+" WHERE "+b.on+")")
		}
	}
	return strings.Join(all, ", ")
}

// knownRow is a grant as it is read, with what stands beside it, which may be
// missing.
type knownRow struct {
	known  grant.Known
	scopes string

	username, email, name, role sql.Null[string]
	verified, disabled          sql.Null[bool]
	notBefore, created, updated instant
	memberOf                    []string
	version                     sql.Null[int64]

	profile sql.Null[string]
	data    []byte
	checked instant

	connectorID, subject, methods                       sql.Null[string]
	authTime, sessionCreated, idleUntil, sessionExpires instant
}

// ofGrant takes what [grantColumns] names.
func (r *knownRow) ofGrant() []any {
	a, f := &r.known.Authorization, &r.known.Family
	return []any{
		&a.ID, &a.ClientID, &a.UserID, &a.SessionID, &a.ConnectorID, &a.Subject,
		&r.scopes, document{&a.Audience}, &a.Nonce, (*instant)(&a.AuthTime), document{&a.Methods}, (*instant)(&a.IssuedAt), &a.SupportCode,
		&f.Generation, (*instant)(&f.RotatedAt), (*instant)(&f.IdleUntil), (*instant)(&f.ExpiresAt), (*instant)(&r.known.RevokedAt), document{&a.Terms},
		&r.known.BoundTo,
	}
}

func (r *knownRow) into() []any {
	return append(r.ofGrant(),
		&r.username, &r.email, &r.verified, &r.name, &r.disabled, &r.notBefore, &r.role, document{&r.memberOf}, &r.version, &r.created, &r.updated,
		&r.profile, &r.data, &r.checked,
		&r.connectorID, &r.subject, &r.methods, &r.authTime, &r.sessionCreated, &r.idleUntil, &r.sessionExpires,
	)
}

// assemble returns what was read. What was not there stays nil.
func (r *knownRow) assemble(t *Tenant) (grant.Known, error) {
	k := r.known
	a := &k.Authorization
	a.Scopes = scopes(r.scopes)
	if r.disabled.Valid {
		k.User = &user.User{
			ID: a.UserID, Username: r.username.V, Email: r.email.V, EmailVerified: r.verified.V, Name: r.name.V, Disabled: r.disabled.V,
			NotBefore: time.Time(r.notBefore), Role: r.role.V, MemberOf: r.memberOf, Version: r.version.V,
			CreatedAt: time.Time(r.created), UpdatedAt: time.Time(r.updated),
		}
	}
	if r.profile.Valid {
		k.Identity = &user.Identity{ConnectorID: a.ConnectorID, Subject: a.Subject, Data: r.data, CheckedAt: time.Time(r.checked)}
		if err := (document{&k.Identity.Profile}).Scan(r.profile.V); err != nil {
			return grant.Known{}, fmt.Errorf("the profile of an identity: %w", err)
		}
		if err := t.openIdentity(k.Identity); err != nil {
			return grant.Known{}, err
		}
	}
	if r.methods.Valid {
		k.Session = &session.Session{
			ID: a.SessionID, UserID: a.UserID, ConnectorID: r.connectorID.V, Subject: r.subject.V, AuthTime: time.Time(r.authTime),
			CreatedAt: time.Time(r.sessionCreated), IdleUntil: time.Time(r.idleUntil), ExpiresAt: time.Time(r.sessionExpires),
		}
		if err := (document{&k.Session.Methods}).Scan(r.methods.V); err != nil {
			return grant.Known{}, fmt.Errorf("the methods of a session: %w", err)
		}
	}
	return k, nil
}

// KeepCode implements [grant.Store].
func (t *Tenant) KeepCode(ctx context.Context, p grant.Permit, c grant.Code, steps []audit.Step, startedAt time.Time) error {
	a, err := p.For(grant.IssueCode, grant.IssueTokens)
	if err != nil {
		return err
	}
	if a.ID == "" || a.UserID == "" || a.IssuedAt.IsZero() {
		return errors.New("a code for a grant without an id, an account or a date")
	}
	return t.insertGrant(ctx, t.db.writer(), a, c, steps, startedAt)
}

// KeepGrant implements [grant.Store]. The grant is born with a code that nobody has, and
// that counts as redeemed.
func (t *Tenant) KeepGrant(ctx context.Context, p grant.Permit, o grant.Opening, by grant.Token, steps []audit.Step) error {
	a, err := p.For(grant.TakeAssertion, grant.ExchangeForeign, grant.TakePassword, grant.ShareLogin)
	if err != nil {
		return err
	}
	if a.ID == "" || a.UserID == "" || a.UserID != o.User.ID || a.IssuedAt.IsZero() {
		return errors.New("a grant without an id, an account or a date, or for another than the gate was asked about")
	}
	return t.db.inTx(ctx, func(tx hand) error {
		if by.ID != (secret.Hash{}) {
			// No client is called so: whoever brings the token, it has come.
			err := t.consume(ctx, tx, "", by.ID, by.Expires, o.Event.At)
			if fault.Is(err, fault.Conflict) {
				err = grant.ErrTokenUsed
			}
			if err != nil {
				return err
			}
		}
		if err := t.saveAccount(ctx, tx, o); err != nil {
			return err
		}
		if a.SessionID != "" {
			// Whoever ends the session waits for this, or this finds it ended.
			n, err := tx.exec(ctx, `
				UPDATE sessions SET idle_until = idle_until
				WHERE tenant_id = $1 AND id = $2 AND user_id = $3 AND ends_at > $4`, t.id, a.SessionID, a.UserID, instant(o.Event.At))
			if err := mustChange(n, err, fault.New(fault.NotFound, "The session has ended.")); err != nil {
				return err
			}
		}
		code := grant.Code{Hash: secret.New(secret.CodePrefix).Hash(), BoundTo: o.Holder, ExpiresAt: o.Event.At, Spent: true}
		if err := t.insertGrant(ctx, tx, a, code, steps, o.Event.At); err != nil {
			return err
		}
		if err := t.beginFamily(ctx, tx, a.ID, o.Family); err != nil {
			return err
		}
		e := o.Event
		e.UserID, e.ConnectorID, e.SessionID, e.GrantID = o.User.ID, o.Identity.ConnectorID, a.SessionID, a.ID
		return t.record(ctx, tx, e)
	})
}

// KeepDeviceSecret implements [grant.Store].
func (t *Tenant) KeepDeviceSecret(ctx context.Context, p grant.Permit, s grant.DeviceSecret, before secret.Hash) error {
	a, err := p.For(grant.RedeemCode)
	if err != nil {
		return err
	}
	if a.SessionID == "" || s.Group == "" || s.Hash == (secret.Hash{}) {
		return errors.New("a device secret without a session, a group or a value")
	}
	return t.db.inTx(ctx, func(tx hand) error {
		if before != (secret.Hash{}) {
			if _, err := tx.exec(ctx, `
				UPDATE grants SET device_secret = NULL
				WHERE tenant_id = $1 AND device_secret = $2 AND session_id = $3 AND native_sso_group = $4`,
				t.id, before, a.SessionID, s.Group); err != nil {
				return err
			}
		}
		n, err := tx.exec(ctx, `
			UPDATE grants SET device_secret = $3, native_sso_group = $4, purge_at = CASE WHEN $5 > purge_at THEN $5 ELSE purge_at END
			WHERE tenant_id = $1 AND id = $2 AND device_secret IS NULL`,
			t.id, a.ID, s.Hash, s.Group, instant(s.ExpiresAt.Add(tokenKeep)))
		return mustChange(n, err, fault.New(fault.NotFound, "There is no such grant."))
	})
}

// SharedLogin implements [grant.Store].
func (t *Tenant) SharedLogin(ctx context.Context, device secret.Hash) (grant.Known, string, error) {
	var r knownRow
	var group string
	err := t.db.reader().row(ctx, `
		SELECT `+grantColumns+`, `+besideColumns+`, grants.native_sso_group
		FROM grants`+besideJoins+`
		WHERE grants.tenant_id = $1 AND grants.device_secret = $2`, t.id, device,
	).Scan(append(r.into(), &group)...)
	if err != nil {
		return grant.Known{}, "", notFound(err, "There is no such device secret.")
	}
	k, err := r.assemble(t)
	return k, group, err
}

// beginFamily begins the family of a grant, if it has one.
func (t *Tenant) beginFamily(ctx context.Context, tx hand, id string, f grant.Family) error {
	if f.Generation == 0 {
		return nil
	}
	_, err := tx.exec(ctx, `
		UPDATE grants SET generation = $3, rotated_at = $4, idle_until = $5, expires_at = $6, purge_at = $7
		WHERE tenant_id = $1 AND id = $2`,
		t.id, id, f.Generation, instant(f.RotatedAt), instant(f.IdleUntil), instant(f.ExpiresAt), instant(f.ExpiresAt.Add(tokenKeep)))
	return err
}

// Consent implements [grant.Store].
func (t *Tenant) Consent(ctx context.Context, userID, clientID string) (oauth.Scopes, error) {
	var text string
	err := t.db.reader().row(ctx, `
		SELECT scopes FROM consents WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3`, t.id, userID, clientID).Scan(&text)
	if isNone(err) {
		return nil, nil
	}
	return scopes(text), err
}

// insertGrant writes the row of a grant, with the code that it begins with.
func (t *Tenant) insertGrant(ctx context.Context, tx hand, a grant.Authorization, c grant.Code, steps []audit.Step, startedAt time.Time) error {
	text, err := lines(steps)
	if err != nil {
		return err
	}
	var attempt any // none, where no browser took part
	if c.Attempt != (secret.Hash{}) {
		attempt = c.Attempt
	}
	var terms any // none, as usual
	if !a.Terms.IsZero() {
		terms = document{a.Terms}
	}
	var redeemed any // not yet
	if c.Spent {
		redeemed = instant(a.IssuedAt)
	}
	_, err = tx.exec(ctx, `
		INSERT INTO grants (tenant_id, id, client_id, user_id, session_id, connector_id, subject, scopes, offline, audience,
			nonce, auth_time, methods, issued_at, support_code, started_at, steps, code_hash, redirect_uri, challenge,
			code_expires_at, purge_at, attempt, bound_to, terms, redeemed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)`,
		t.id, a.ID, a.ClientID, a.UserID, a.SessionID, a.ConnectorID, a.Subject, a.Scopes.String(), a.Offline(), document{a.Audience},
		a.Nonce, instant(a.AuthTime), document{a.Methods}, instant(a.IssuedAt), a.SupportCode, instant(startedAt), text, c.Hash,
		c.RedirectURI, string(c.Challenge), instant(c.ExpiresAt), instant(a.IssuedAt.Add(tokenKeep)), attempt,
		c.BoundTo, terms, redeemed)
	if t.db.engine.exists(err) {
		return fault.New(fault.Conflict, "This attempt has been answered already.")
	}
	return err
}

// Grant implements [grant.Store].
func (t *Tenant) Grant(ctx context.Context, id, token string) (grant.Known, error) {
	var r knownRow
	var revoked bool
	err := t.db.reader().row(ctx, `
		SELECT `+grantColumns+`, `+besideColumns+`,
			EXISTS (SELECT 1 FROM revoked_tokens WHERE revoked_tokens.tenant_id = $1 AND revoked_tokens.token = $3)
		FROM grants`+besideJoins+`
		WHERE grants.tenant_id = $1 AND grants.id = $2`, t.id, id, token,
	).Scan(append(r.into(), &revoked)...)
	if err != nil {
		return grant.Known{}, notFound(err, "There is no such grant.")
	}
	k, err := r.assemble(t)
	k.TokenRevoked = revoked
	return k, err
}

// Rotate implements [grant.Store]. Of any number who ask at once the statement
// finds the generation as asked for one of them.
func (t *Tenant) Rotate(ctx context.Context, p grant.Permit, gen int, idleUntil, now time.Time) (bool, error) {
	a, err := p.For(grant.Refresh)
	if err != nil {
		return false, err
	}
	n, err := t.db.writer().exec(ctx, `
		UPDATE grants SET generation = generation + 1, rotated_at = $4, idle_until = $5
		WHERE tenant_id = $1 AND id = $2 AND generation = $3 AND generation > 0 AND revoked_at IS NULL
			AND idle_until > $4 AND expires_at > $4`,
		t.id, a.ID, gen, instant(now), instant(idleUntil))
	return n == 1, err
}

// Revoke implements [grant.Store]. Revoking what is revoked already, or is not
// there, changes nothing.
func (t *Tenant) Revoke(ctx context.Context, id string, reason audit.Kind, now time.Time) error {
	return t.db.inTx(ctx, func(tx hand) error { return t.revoke(ctx, tx, id, reason, now) })
}

func (t *Tenant) revoke(ctx context.Context, tx hand, id string, reason audit.Kind, now time.Time) error {
	e := audit.Event{At: now, Kind: reason, GrantID: id}
	err := tx.change(ctx, `
		UPDATE grants SET revoked_at = $3, revoked_reason = $4
		WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL
		RETURNING client_id, user_id, connector_id, session_id, support_code`,
		t.id, id, instant(now), string(reason),
	).Scan(&e.ClientID, &e.UserID, &e.ConnectorID, &e.SessionID, &e.SupportCode)
	if isNone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return t.record(ctx, tx, e)
}

// RevokeToken implements [grant.Store].
func (t *Tenant) RevokeToken(ctx context.Context, token string, expires, now time.Time) error {
	if !expires.After(now) {
		return nil
	}
	return t.db.inTx(ctx, func(tx hand) error {
		n, err := tx.exec(ctx, `
			INSERT INTO revoked_tokens (tenant_id, token, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (tenant_id, token) DO NOTHING`, t.id, token, instant(expires))
		if err != nil || n == 0 {
			return err
		}
		return t.record(ctx, tx, audit.Event{At: now, Kind: audit.TokenRevoked, Detail: map[string]string{"token": token}})
	})
}

// TokenRevoked implements [grant.Store].
func (t *Tenant) TokenRevoked(ctx context.Context, token string) (revoked bool, err error) {
	err = t.db.reader().row(ctx, `
		SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE tenant_id = $1 AND token = $2)`, t.id, token).Scan(&revoked)
	return revoked, err
}

// KeepConsent implements [grant.Store]. What was allowed before stays allowed.
func (t *Tenant) KeepConsent(ctx context.Context, userID, clientID string, allowed oauth.Scopes, now time.Time) error {
	return t.db.inTx(ctx, func(tx hand) error {
		var text string
		// The row is locked by being written, so of two tabs neither is forgotten.
		err := tx.change(ctx, `
			INSERT INTO consents (tenant_id, user_id, client_id, scopes, updated_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant_id, user_id, client_id) DO UPDATE SET updated_at = excluded.updated_at
			RETURNING scopes`, t.id, userID, clientID, allowed.String(), instant(now)).Scan(&text)
		if err != nil {
			return err
		}
		before := scopes(text)
		if all := before.Union(allowed); !slices.Equal(all, before) {
			if _, err := tx.exec(ctx, `
				UPDATE consents SET scopes = $4 WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3`,
				t.id, userID, clientID, all.String()); err != nil {
				return err
			}
		}
		return t.record(ctx, tx, audit.Event{
			At: now, Kind: audit.ConsentGranted, Actor: userID, UserID: userID, ClientID: clientID,
			Detail: map[string]string{"scopes": allowed.String()},
		})
	})
}

// RevokeConsent implements [grant.Store].
func (t *Tenant) RevokeConsent(ctx context.Context, userID, clientID string, now time.Time) error {
	return t.db.inTx(ctx, func(tx hand) error {
		changed, err := t.forgetConsent(ctx, tx, userID, clientID, now)
		if err != nil || !changed {
			return err
		}
		return t.record(ctx, tx, audit.Event{At: now, Kind: audit.ConsentRevoked, Actor: userID, UserID: userID, ClientID: clientID})
	})
}

// forgetConsent forgets a consent, and revokes the grants that rest on it. It reports
// whether there was anything.
func (t *Tenant) forgetConsent(ctx context.Context, tx hand, userID, clientID string, now time.Time) (bool, error) {
	forgotten, err := tx.exec(ctx, `
		DELETE FROM consents WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3`, t.id, userID, clientID)
	if err != nil {
		return false, err
	}
	revoked, err := tx.exec(ctx, `
		UPDATE grants SET revoked_at = $4, revoked_reason = $5
		WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3 AND revoked_at IS NULL`,
		t.id, userID, clientID, instant(now), string(audit.ConsentRevoked))
	return forgotten+revoked > 0, err
}
