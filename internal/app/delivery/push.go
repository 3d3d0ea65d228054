package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/outbox"
	"dex/internal/protocol/oauth"
)

// Pushes sends applications the tokens that they have asked for by the back channel, or
// why they get none: CIBA sections 10.3 and 12. It implements [outbox.Carrier].
type Pushes struct {
	// Of returns what a tenant's tokens are made with.
	Of        func(ctx context.Context, tenantID string) (Party, error)
	Client    *http.Client
	Clock     clock.Clock
	Documents *client.Documents
}

// Carry implements [outbox.Carrier]. Who is sent something is asked for anew each time, and
// so is whether the gate lets it pass: it may have been tried for a while.
func (p Pushes) Carry(ctx context.Context, m outbox.Taken) error {
	d, err := outbox.ReadDelivery(m.Message)
	if err != nil {
		return outbox.Refuse(err)
	}
	now := p.Clock.Now()
	if !now.Before(d.Until) {
		return outbox.Refuse(errNothingToAsk)
	}
	party, err := p.Of(ctx, m.TenantID)
	if err != nil {
		return err
	}
	c, err := party.Clients.Client(ctx, d.ClientID)
	if fault.Is(err, fault.NotFound) || err == nil && c.Backchannel.Mode != oauth.DeliveryPush {
		return nil // it does not want to be sent anything any more
	}
	if err != nil {
		return err
	}
	if c.SelfRegistered && !p.Documents.MayName(c.Backchannel.Endpoint) {
		return outbox.Refuse(fmt.Errorf("the client %q has registered itself, and its ciba_notification_endpoint is on no host of client_documents_allow", c.ID))
	}
	what, err := p.answer(ctx, party, c, d, now)
	if what == nil || err != nil {
		return err
	}
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return tell(ctx, p.Client, outbox.Notification{
		URL: c.Backchannel.Endpoint, Bearer: d.Bearer, ContentType: "application/json", Body: body, Until: d.Until,
	})
}

// answer returns what the client is sent; nil if there is nothing to send.
func (p Pushes) answer(ctx context.Context, party Party, c client.Client, d outbox.Delivery, now time.Time) (any, error) {
	request := secret.Value(d.AuthReqID)
	if d.GrantID == "" {
		standing, err := party.Devices.PollDevice(ctx, request.Hash(), c.ID, now)
		if err != nil || standing != grant.DeviceExpired {
			return nil, err
		}
		return oauth.PushError(d.AuthReqID, oauth.Errorf(oauth.ExpiredToken, "The person has not answered in time. Please start again.")), nil
	}
	known, err := party.Grants.Grant(ctx, d.GrantID, "")
	if fault.Is(err, fault.NotFound) || err == nil && known.Authorization.ClientID != c.ID {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if known.Family.Generation > 1 {
		return nil, nil // it has refreshed what it was sent, so that it only did not say so
	}
	if c, err = p.Documents.ToEncrypt(ctx, c, c.IDTokenEncryption); err != nil {
		return nil, err
	}
	permit, err := party.Desk.Decide(ctx, known.Case(grant.RedeemBackchannel, c))
	if _, denied := errors.AsType[*grant.Denial](err); denied {
		// What it may have been sent before counts as little.
		if err := party.Grants.Revoke(ctx, d.GrantID, audit.GrantDenied, now); err != nil {
			return nil, err
		}
		return oauth.PushError(d.AuthReqID, oauth.Errorf(oauth.AccessDenied, "The grant is not valid any more.")), nil
	}
	if err != nil {
		return nil, err
	}
	var refresh secret.Value
	if known.Family.Generation > 0 {
		refresh = party.Refresh.Token(mint.RefreshToken{GrantID: d.GrantID, Generation: known.Family.Generation})
	}
	return party.Mint.Pushed(permit, c, *known.Profile(), request, refresh, now)
}
