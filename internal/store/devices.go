package store

import (
	"context"
	"errors"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
)

// deviceKeep is how long a device is kept after its time, so that it hears why it
// gets nothing.
const deviceKeep = time.Hour

// OpenDevice implements [grant.DeviceStore]. Those who come at once may be a few too
// many together: the bound is on what a flood can leave here, not a count.
func (t *Tenant) OpenDevice(ctx context.Context, d grant.Device) error {
	var waiting, ofNetwork int
	err := t.db.reader().row(ctx, `
		SELECT COUNT(*), COUNT(CASE WHEN network = $5 THEN 1 END)
		FROM (SELECT network FROM devices WHERE tenant_id = $1 AND client_id = $2 AND expires_at > $3 LIMIT $4) waiting`,
		t.id, d.ClientID, instant(d.CreatedAt), grant.MaxDevices, d.Network).Scan(&waiting, &ofNetwork)
	if err != nil {
		return err
	}
	if !d.MayWait(waiting, ofNetwork) {
		return &fault.Error{
			Kind:    fault.Throttled,
			Message: "Too many devices of this application wait to be let in. Please try again later.", RetryAfter: time.Minute,
		}
	}
	_, err = t.db.writer().exec(ctx, `
		INSERT INTO devices (tenant_id, id, code, user_code, client_id, scopes, support_code, remote_addr, user_agent,
			created_at, expires_at, pause, next_poll_at, purge_at, network)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $10, $13, $14)`,
		t.id, d.ID, d.Code, d.UserCode, d.ClientID, d.Scopes.String(), d.SupportCode, remark(d.RemoteAddr, maxRemoteAddr),
		remark(d.UserAgent, maxUserAgent), instant(d.CreatedAt), instant(d.ExpiresAt), int64(grant.DevicePause/time.Second),
		instant(d.ExpiresAt.Add(deviceKeep)), d.Network)
	if t.db.engine.exists(err) {
		return fault.New(fault.Conflict, "Another device waits under this code.")
	}
	return err
}

// DeviceByUserCode implements [grant.DeviceStore].
func (t *Tenant) DeviceByUserCode(ctx context.Context, userCode secret.Hash, now time.Time) (grant.Device, error) {
	d := grant.Device{UserCode: userCode}
	var text string
	var code []byte
	err := t.db.reader().row(ctx, `
		SELECT id, code, client_id, scopes, support_code, remote_addr, user_agent, created_at, expires_at
		FROM devices
		WHERE tenant_id = $1 AND user_code = $2 AND expires_at > $3 AND approved_at IS NULL AND denied_at IS NULL`,
		t.id, userCode, instant(now),
	).Scan(&d.ID, &code, &d.ClientID, &text, &d.SupportCode, &d.RemoteAddr, &d.UserAgent, (*instant)(&d.CreatedAt), (*instant)(&d.ExpiresAt))
	if err != nil {
		return grant.Device{}, notFound(err, "No device waits under this code. It may be mistyped, used or too old.")
	}
	copy(d.Code[:], code)
	d.Scopes = scopes(text)
	return d, nil
}

// ApproveDevice implements [grant.DeviceStore]. The device code becomes the code of a
// grant, so that it is redeemed, and its replay found, by the very statement that
// does so for every other.
func (t *Tenant) ApproveDevice(ctx context.Context, p grant.Permit, deviceID string, steps []audit.Step, startedAt time.Time) error {
	a, err := p.For(grant.ApproveDevice)
	if err != nil {
		return err
	}
	if a.ID == "" || a.UserID == "" || a.IssuedAt.IsZero() {
		return errors.New("a device for a grant without an id, an account or a date")
	}
	return t.db.inTx(ctx, func(tx hand) error {
		code := grant.Code{}
		var hash []byte
		err := tx.change(ctx, `
			UPDATE devices SET approved_at = $3
			WHERE tenant_id = $1 AND id = $2 AND client_id = $4 AND expires_at > $3 AND approved_at IS NULL AND denied_at IS NULL
			RETURNING code, expires_at`,
			t.id, deviceID, instant(a.IssuedAt), a.ClientID).Scan(&hash, (*instant)(&code.ExpiresAt))
		if isNone(err) {
			return fault.New(fault.Conflict, "The device has been answered already, or its code is too old.")
		}
		if err != nil {
			return err
		}
		copy(code.Hash[:], hash)
		return t.insertGrant(ctx, tx, a, code, steps, startedAt)
	})
}

// DenyDevice implements [grant.DeviceStore].
func (t *Tenant) DenyDevice(ctx context.Context, deviceID string, now time.Time) error {
	return t.db.inTx(ctx, func(tx hand) error {
		e := audit.Event{At: now, Kind: audit.DeviceDenied}
		err := tx.change(ctx, `
			UPDATE devices SET denied_at = $3
			WHERE tenant_id = $1 AND id = $2 AND approved_at IS NULL AND denied_at IS NULL
			RETURNING client_id, support_code, remote_addr`, t.id, deviceID, instant(now)).Scan(&e.ClientID, &e.SupportCode, &e.RemoteAddr)
		if isNone(err) {
			return nil // it has been answered before
		}
		if err != nil {
			return err
		}
		return t.record(ctx, tx, e)
	})
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
