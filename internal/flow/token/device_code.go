package token

import (
	"context"
	"errors"

	"dex/internal/base/clock"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/proof"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/oauth"
)

// DeviceCode serves devices that ask whether somebody has let them in, RFC 8628
// section 3.4.
type DeviceCode struct {
	Devices   grant.DeviceStore
	Grants    grant.Store
	Desk      grant.Desk
	Lifetimes tenant.Lifetimes
	Clock     clock.Clock
}

// Type implements [Grant].
func (DeviceCode) Type() string { return client.DeviceCode }

// standings says what a device is told that is not let in, RFC 8628 section 3.5.
var standings = map[grant.Standing]*oauth.Error{
	grant.NoSuchDevice:  invalidGrant(errors.New("there is no such device, or it is another client's")),
	grant.Waiting:       oauth.Errorf(oauth.AuthorizationPending, "Nobody has answered yet."),
	grant.TooSoon:       oauth.Errorf(oauth.SlowDown, "Please wait five seconds longer between two requests."),
	grant.DeviceDenied:  oauth.Errorf(oauth.AccessDenied, "The device was turned away."),
	grant.DeviceExpired: oauth.Errorf(oauth.ExpiredToken, "Nobody has answered in time. Please start again."),
}

// Redeem implements [Grant].
func (g DeviceCode) Redeem(ctx context.Context, c client.Client, req oauth.TokenRequest) (Entitlement, error) {
	if !req.DeviceCode.Is(secret.DevicePrefix) {
		return Entitlement{}, invalidGrant(errors.New("this is no device code of ours"))
	}
	return waited{g.Devices, g.Grants, g.Desk, g.Lifetimes, g.Clock, grant.RedeemDevice, standings}.redeem(ctx, c, req, req.DeviceCode)
}

// waited serves whoever has waited for a person to answer: the device that shows a code,
// and the client that has called.
type waited struct {
	devices   grant.DeviceStore
	grants    grant.Store
	desk      grant.Desk
	lifetimes tenant.Lifetimes
	clock     clock.Clock
	path      grant.Path
	told      map[grant.Standing]*oauth.Error
}

func (g waited) redeem(ctx context.Context, c client.Client, req oauth.TokenRequest, code secret.Value) (Entitlement, error) {
	now := g.clock.Now()
	standing, err := g.devices.PollDevice(ctx, code.Hash(), c.ID, now)
	if err != nil {
		return Entitlement{}, err
	}
	if standing != grant.Approved {
		return Entitlement{}, g.told[standing]
	}
	known, outcome, err := g.grants.Redeem(ctx, grant.Proof{
		Hash: code.Hash(), ClientID: c.ID, BoundTo: req.Binding.JKT, Holder: proof.Holder(c, req.Binding),
	}, newFamily(g.lifetimes, now), now)
	if err != nil {
		return Entitlement{}, err
	}
	if outcome != grant.Redeemed {
		return Entitlement{}, invalidGrant(failures[outcome])
	}
	permit, err := g.desk.Decide(ctx, known.Case(g.path, c))
	return begin(ctx, g.grants, known, permit, err, now)
}
