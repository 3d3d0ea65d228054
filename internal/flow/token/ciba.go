package token

import (
	"context"
	"errors"

	"dex/internal/base/clock"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/oauth"
)

// CIBA serves clients that ask whether somebody has let them in for whom they have
// called by the back channel: CIBA section 10.1.
type CIBA struct {
	Devices   grant.DeviceStore
	Grants    grant.Store
	Desk      grant.Desk
	Lifetimes tenant.Lifetimes
	Clock     clock.Clock
}

// Type implements [Grant].
func (CIBA) Type() string { return client.CIBA }

// calls says what a client is told whose person has not let it in, CIBA section 11.
var calls = map[grant.Standing]*oauth.Error{
	grant.NoSuchDevice:  invalidGrant(errors.New("there is no such request, or it is another client's")),
	grant.Waiting:       oauth.Errorf(oauth.AuthorizationPending, "The person has not answered yet."),
	grant.TooSoon:       oauth.Errorf(oauth.SlowDown, "Please wait five seconds longer between two requests."),
	grant.DeviceDenied:  oauth.Errorf(oauth.AccessDenied, "The person has refused."),
	grant.DeviceExpired: oauth.Errorf(oauth.ExpiredToken, "The person has not answered in time. Please start again."),
}

// Redeem implements [Grant].
func (g CIBA) Redeem(ctx context.Context, c client.Client, req oauth.TokenRequest) (Entitlement, error) {
	if c.Backchannel.Mode == oauth.DeliveryPush {
		return Entitlement{}, oauth.Errorf(oauth.UnauthorizedClient, "This client is sent its tokens, and may not ask for them.")
	}
	if !req.AuthReqID.Is(secret.BackchannelPrefix) {
		return Entitlement{}, invalidGrant(errors.New("this is no auth_req_id of ours"))
	}
	return waited{g.Devices, g.Grants, g.Desk, g.Lifetimes, g.Clock, grant.RedeemBackchannel, calls}.redeem(ctx, c, req, req.AuthReqID)
}
