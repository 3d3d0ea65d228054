package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/domain/outbox"
	"dex/internal/protocol/oauth"
)

var (
	_ grant.DeviceStore = (*Tenant)(nil)
	_ grant.Approvals   = (*Tenant)(nil)
)

// deviceKeep is how long a device is kept after its time, so that it hears why it
// gets nothing.
const deviceKeep = time.Hour

// OpenDevice implements [grant.DeviceStore]. Those who come at once may be a few too
// many together: the bound is on what a flood can leave here, not a count.
func (t *Tenant) OpenDevice(ctx context.Context, d grant.Device) error {
	var waiting, alike int
	var who grant.Addressee
	if d.For != nil {
		who = *d.For
	}
	err := t.db.reader().row(ctx, `
		SELECT COUNT(*), COUNT(CASE WHEN network = $5 AND user_id = $6 THEN 1 END)
		FROM (SELECT network, user_id FROM devices WHERE tenant_id = $1 AND client_id = $2 AND expires_at > $3 LIMIT $4) waiting`,
		t.id, d.ClientID, instant(d.CreatedAt), grant.MaxDevices, d.Network, who.UserID).Scan(&waiting, &alike)
	if err != nil {
		return err
	}
	if !d.MayWait(waiting, alike) {
		return &fault.Error{
			Kind:    fault.Throttled,
			Message: "Too many devices of this application wait to be let in. Please try again later.", RetryAfter: time.Minute,
		}
	}
	if d.Notice == nil || !d.Notice.Push {
		return t.insertDevice(ctx, t.db.writer(), d)
	}
	return t.db.inTx(ctx, func(tx hand) error {
		if err := t.insertDevice(ctx, tx, d); err != nil {
			return err
		}
		return t.tellInTime(ctx, tx, d)
	})
}

// insertDevice writes the row of a device.
func (t *Tenant) insertDevice(ctx context.Context, tx hand, d grant.Device) error {
	var who grant.Addressee
	if d.For != nil {
		who = *d.For
	}
	notice, err := t.sealNotice(d)
	if err != nil {
		return err
	}
	var acr any // none, as usual
	if len(d.ACR) > 0 {
		acr = document{d.ACR}
	}
	_, err = tx.exec(ctx, `
		INSERT INTO devices (tenant_id, id, code, user_code, client_id, scopes, support_code, remote_addr, user_agent,
			created_at, expires_at, pause, next_poll_at, purge_at, network, user_id, connector_id, subject, message, acr, notice)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $10, $13, $14, $15, $16, $17, $18, $19, $20)`,
		t.id, d.ID, d.Code, d.UserCode, d.ClientID, d.Scopes.String(), d.SupportCode, remark(d.RemoteAddr, maxRemoteAddr),
		remark(d.UserAgent, maxUserAgent), instant(d.CreatedAt), instant(d.ExpiresAt), int64(grant.DevicePause/time.Second),
		instant(d.ExpiresAt.Add(deviceKeep)), d.Network, who.UserID, who.ConnectorID, who.Subject, d.Message, acr, notice)
	if t.db.engine.exists(err) {
		return fault.New(fault.Conflict, "Another device waits under this code.")
	}
	return err
}

// pushFor is how long a client is tried that is sent the answer: nobody can ask for it.
const pushFor = time.Hour

// sealedNotice is a notice as it is sealed.
type sealedNotice struct {
	Endpoint string        `json:"endpoint"`
	Token    string        `json:"token"`
	Code     string        `json:"code"`
	Push     bool          `json:"push,omitempty"`
	Family   *grant.Family `json:"family,omitempty"` // of what is sent
}

func (t *Tenant) sealNotice(d grant.Device) ([]byte, error) {
	if d.Notice == nil {
		return nil, nil
	}
	n := sealedNotice{Endpoint: d.Notice.Endpoint, Token: string(d.Notice.Token), Code: string(d.Notice.Code), Push: d.Notice.Push}
	if d.Notice.Push {
		n.Family = &d.Notice.Family
	}
	text, err := json.Marshal(n)
	return t.seal(text, "devices", "notice", d.ID), err
}

// openNotice returns how the client of a device hears of the answer. It has no code if
// the client asks by itself.
func (t *Tenant) openNotice(deviceID string, sealed []byte) (n sealedNotice, err error) {
	text, err := t.unseal(sealed, "devices", "notice", deviceID)
	if err != nil || len(text) == 0 {
		return n, err
	}
	if err := json.Unmarshal(text, &n); err != nil {
		return n, fmt.Errorf("the notice of a device: %w", err)
	}
	return n, nil
}

// notify queues what the client is told of its request, in the transaction that answers
// it: that it may ask now, whatever the answer is. CIBA section 10.2.
func (t *Tenant) notify(ctx context.Context, tx hand, n sealedNotice, until, now time.Time) error {
	if n.Code == "" {
		return nil
	}
	return t.say(ctx, tx, n, map[string]string{"auth_req_id": n.Code}, until, now)
}

// say queues what stands fast already.
func (t *Tenant) say(ctx context.Context, tx hand, n sealedNotice, what any, until, now time.Time) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	m, err := outbox.Notification{URL: n.Endpoint, Bearer: n.Token, ContentType: "application/json", Body: body, Until: until}.Message()
	if err != nil {
		return err
	}
	return t.enqueue(ctx, tx, m, now)
}

// push queues the tokens of a grant for the client that has called for it.
func (t *Tenant) push(ctx context.Context, tx hand, n sealedNotice, a grant.Authorization) error {
	if a.Offline() && n.Family != nil {
		if err := t.beginFamily(ctx, tx, a.ID, *n.Family); err != nil {
			return err
		}
	}
	m, err := outbox.Delivery{
		ClientID: a.ClientID, Bearer: n.Token, AuthReqID: n.Code, GrantID: a.ID, Until: a.IssuedAt.Add(pushFor),
	}.Message()
	if err != nil {
		return err
	}
	return t.enqueue(ctx, tx, m, a.IssuedAt)
}

// tellInTime queues what the client is told when the time of a request is up, if nobody
// has answered by then.
func (t *Tenant) tellInTime(ctx context.Context, tx hand, d grant.Device) error {
	m, err := outbox.Delivery{
		ClientID: d.ClientID, Bearer: string(d.Notice.Token), AuthReqID: string(d.Notice.Code), Until: d.ExpiresAt.Add(pushFor),
	}.Message()
	if err != nil {
		return err
	}
	_, err = t.enqueueFor(ctx, tx, m, d.ExpiresAt, d.CreatedAt)
	return err
}

const deviceColumns = `id, code, client_id, scopes, support_code, remote_addr, user_agent, created_at, expires_at,
	user_id, connector_id, subject, message, acr`

func scanDevice(s scanner) (grant.Device, error) {
	var d grant.Device
	var who grant.Addressee
	var text string
	var code []byte
	err := s.Scan(&d.ID, &code, &d.ClientID, &text, &d.SupportCode, &d.RemoteAddr, &d.UserAgent, (*instant)(&d.CreatedAt), (*instant)(&d.ExpiresAt),
		&who.UserID, &who.ConnectorID, &who.Subject, &d.Message, document{&d.ACR})
	if err != nil {
		return grant.Device{}, err
	}
	copy(d.Code[:], code)
	d.Scopes = scopes(text)
	if who.UserID != "" {
		d.For = &who
	}
	return d, nil
}

// stillWaiting is what holds for a device that waits at $2.
const stillWaiting = `tenant_id = $1 AND expires_at > $2 AND approved_at IS NULL AND denied_at IS NULL`

// DeviceByUserCode implements [grant.DeviceStore].
func (t *Tenant) DeviceByUserCode(ctx context.Context, userCode secret.Hash, now time.Time) (grant.Device, error) {
	d, err := scanDevice(t.db.reader().row(ctx, `
		SELECT `+deviceColumns+` FROM devices WHERE `+stillWaiting+` AND user_code = $3`, t.id, instant(now), userCode))
	if err != nil {
		return grant.Device{}, notFound(err, "No device waits under this code. It may be mistyped, used or too old.")
	}
	d.UserCode = userCode
	return d, nil
}

// WaitingRequest implements [grant.Approvals].
func (t *Tenant) WaitingRequest(ctx context.Context, id string, now time.Time) (grant.Device, error) {
	d, err := scanDevice(t.db.reader().row(ctx, `
		SELECT `+deviceColumns+` FROM devices WHERE `+stillWaiting+` AND id = $3 AND user_id <> ''`, t.id, instant(now), id))
	if err != nil {
		return grant.Device{}, noRequest(err)
	}
	return d, nil
}

// RequestByCode implements [grant.Approvals].
func (t *Tenant) RequestByCode(ctx context.Context, code secret.Hash, now time.Time) (grant.Device, error) {
	d, err := scanDevice(t.db.reader().row(ctx, `
		SELECT `+deviceColumns+` FROM devices WHERE `+stillWaiting+` AND code = $3 AND user_id <> ''`, t.id, instant(now), code))
	if err != nil {
		return grant.Device{}, noRequest(err)
	}
	return d, nil
}

func noRequest(err error) error {
	return notFound(err, "No such request waits. It may have been answered, or be too old.")
}

// RequestsFor implements [grant.Approvals].
func (t *Tenant) RequestsFor(ctx context.Context, userID, after string, most int, now time.Time) ([]grant.Device, error) {
	rows, err := t.db.reader().query(ctx, fmt.Sprintf(`
		SELECT %s FROM devices WHERE %s AND user_id = $3 AND user_id <> '' AND id > $4
		ORDER BY id LIMIT %d`, deviceColumns, stillWaiting, most), t.id, instant(now), userID, after)
	return collect(rows, err, scanDevice)
}

// ApproveDevice implements [grant.DeviceStore]. The device code becomes the code of a
// grant, so that it is redeemed, and its replay found, by the very statement that
// does so for every other.
func (t *Tenant) ApproveDevice(ctx context.Context, p grant.Permit, deviceID string, steps []audit.Step, startedAt time.Time) error {
	return t.db.inTx(ctx, func(tx hand) error { return t.approveDevice(ctx, tx, p, deviceID, steps, startedAt) })
}

// ApproveRequest implements [grant.Approvals].
func (t *Tenant) ApproveRequest(ctx context.Context, p grant.Permit, id string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		if err := t.approveDevice(ctx, tx, p, id, nil, by.At); err != nil {
			return err
		}
		a, err := p.For(grant.ApproveBackchannel)
		if err != nil {
			return err
		}
		e := by.Event(audit.BackchannelApproved)
		e.UserID, e.ClientID, e.ConnectorID, e.GrantID, e.SupportCode = a.UserID, a.ClientID, a.ConnectorID, a.ID, a.SupportCode
		return t.witness(ctx, tx, by, e)
	})
}

func (t *Tenant) approveDevice(ctx context.Context, tx hand, p grant.Permit, deviceID string, steps []audit.Step, startedAt time.Time) error {
	a, err := p.For(grant.ApproveDevice, grant.ApproveBackchannel)
	if err != nil {
		return err
	}
	if a.ID == "" || a.UserID == "" || a.IssuedAt.IsZero() {
		return errors.New("a device for a grant without an id, an account or a date")
	}
	waitsFor := "" // anybody who types its code
	if _, err := p.For(grant.ApproveBackchannel); err == nil {
		waitsFor = a.UserID
	}
	code := grant.Code{}
	var hash, notice []byte
	err = tx.change(ctx, `
		UPDATE devices SET approved_at = $3
		WHERE tenant_id = $1 AND id = $2 AND client_id = $4 AND user_id = $5 AND expires_at > $3 AND approved_at IS NULL AND denied_at IS NULL
		RETURNING code, expires_at, notice`,
		t.id, deviceID, instant(a.IssuedAt), a.ClientID, waitsFor).Scan(&hash, (*instant)(&code.ExpiresAt), &notice)
	if isNone(err) {
		return fault.New(fault.Conflict, "The device has been answered already, or its code is too old.")
	}
	if err != nil {
		return err
	}
	copy(code.Hash[:], hash)
	n, err := t.openNotice(deviceID, notice)
	if err != nil {
		return err
	}
	code.Spent = n.Push // the client is sent what it would be redeemed for
	if err := t.insertGrant(ctx, tx, a, code, steps, startedAt); err != nil {
		return err
	}
	if n.Push {
		return t.push(ctx, tx, n, a)
	}
	return t.notify(ctx, tx, n, code.ExpiresAt, a.IssuedAt)
}

// DenyDevice implements [grant.DeviceStore].
func (t *Tenant) DenyDevice(ctx context.Context, deviceID string, now time.Time) error {
	return t.db.inTx(ctx, func(tx hand) error {
		e, denied, err := t.denyDevice(ctx, tx, deviceID, audit.Event{At: now})
		if err != nil || !denied { // it has been answered before
			return err
		}
		return t.record(ctx, tx, e)
	})
}

// DenyRequest implements [grant.Approvals].
func (t *Tenant) DenyRequest(ctx context.Context, id string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error {
		e, denied, err := t.denyDevice(ctx, tx, id, by.Event(audit.BackchannelDenied))
		switch {
		case err != nil:
			return err
		case !denied || e.Kind != audit.BackchannelDenied:
			return noRequest(sql.ErrNoRows)
		}
		return t.witness(ctx, tx, by, e)
	})
}

// denyDevice turns a device away, and completes the event that tells of it. It reports
// false if the device does not wait.
func (t *Tenant) denyDevice(ctx context.Context, tx hand, deviceID string, e audit.Event) (audit.Event, bool, error) {
	var notice []byte
	var expiresAt time.Time
	err := tx.change(ctx, `
		UPDATE devices SET denied_at = $3
		WHERE tenant_id = $1 AND id = $2 AND approved_at IS NULL AND denied_at IS NULL
		RETURNING client_id, user_id, connector_id, support_code, remote_addr, notice, expires_at`, t.id, deviceID, instant(e.At),
	).Scan(&e.ClientID, &e.UserID, &e.ConnectorID, &e.SupportCode, &e.RemoteAddr, &notice, (*instant)(&expiresAt))
	if isNone(err) {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	e.Kind = audit.DeviceDenied
	if e.UserID != "" {
		e.Kind = audit.BackchannelDenied
	}
	n, err := t.openNotice(deviceID, notice)
	switch {
	case err != nil:
		return e, false, err
	case n.Push:
		refused := oauth.PushError(n.Code, oauth.Errorf(oauth.AccessDenied, "The person has refused."))
		return e, true, t.say(ctx, tx, n, refused, e.At.Add(pushFor), e.At)
	default:
		return e, true, t.notify(ctx, tx, n, expiresAt, e.At)
	}
}

// PollDevice implements [grant.DeviceStore]. It is one transaction, so that devices
// which ask many workers at once are slowed down all the same.
func (t *Tenant) PollDevice(ctx context.Context, code secret.Hash, clientID string, now time.Time) (standing grant.Standing, err error) {
	if !storable(clientID) {
		return grant.NoSuchDevice, nil
	}
	err = t.db.inTx(ctx, func(tx hand) error {
		var id string
		var expiresAt, nextAt, approvedAt, deniedAt time.Time
		var seconds int64
		// The update takes the row for as long as we look at it.
		err := tx.change(ctx, `
			UPDATE devices SET pause = pause
			WHERE tenant_id = $1 AND code = $2 AND client_id = $3
			RETURNING id, expires_at, next_poll_at, approved_at, denied_at, pause`, t.id, code, clientID,
		).Scan(&id, (*instant)(&expiresAt), (*instant)(&nextAt), (*instant)(&approvedAt), (*instant)(&deniedAt), &seconds)
		switch {
		case isNone(err):
			standing = grant.NoSuchDevice
			return nil
		case err != nil:
			return err
		case !approvedAt.IsZero():
			standing = grant.Approved // and whether the code is still good the redemption says
			return nil
		case !deniedAt.IsZero():
			standing = grant.DeviceDenied
			return nil
		case !now.Before(expiresAt):
			standing = grant.DeviceExpired
			return nil
		}
		pause := time.Duration(seconds) * time.Second
		standing = grant.Waiting
		if now.Before(nextAt) {
			standing = grant.TooSoon
			pause += grant.DevicePause
		}
		_, err = tx.exec(ctx, `UPDATE devices SET pause = $3, next_poll_at = $4 WHERE tenant_id = $1 AND id = $2`,
			t.id, id, int64(pause/time.Second), instant(now.Add(pause)))
		return err
	})
	return standing, err
}
