package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/outbox"
	"dex/internal/domain/session"
)

// Farewells tells applications that sessions have ended, OpenID Connect Back-Channel
// Logout 1.0. It implements [outbox.Carrier].
type Farewells struct {
	// Of returns what a tenant's logout tokens are made with.
	Of     func(ctx context.Context, tenantID string) (Party, error)
	Client *http.Client
	Clock  clock.Clock
	// Documents are where clients publish their keys. They also say where one that has
	// registered itself may be called.
	Documents *client.Documents
}

// Party is one tenant, as far as its applications are told something.
type Party struct {
	Clients client.Store
	Mint    *mint.Mint

	// What an application is sent beside, it is sent by whoever has the duties.
	Grants  grant.Store
	Devices grant.DeviceStore
	Desk    grant.Desk
	Refresh mint.RefreshTokens
}

// Carry implements [outbox.Carrier].
func (f Farewells) Carry(ctx context.Context, m outbox.Taken) error {
	var said session.Farewell
	if err := json.Unmarshal(m.Body, &said); err != nil {
		return outbox.Refuse(fmt.Errorf("a farewell that makes no sense: %w", err))
	}
	party, err := f.Of(ctx, m.TenantID)
	if err != nil {
		return err
	}
	c, err := party.Clients.Client(ctx, said.ClientID)
	if fault.Is(err, fault.NotFound) || err == nil && (c.Disabled || c.BackchannelLogoutURI == "") {
		return nil // it does not want to be told any more
	}
	if err != nil {
		return err
	}
	if c.SelfRegistered && !f.Documents.MayName(c.BackchannelLogoutURI) {
		return outbox.Refuse(fmt.Errorf("the client %q has registered itself, and its backchannel_logout_uri is on no host of client_documents_allow", c.ID))
	}
	if c, err = f.Documents.ToEncrypt(ctx, c, c.IDTokenEncryption); err != nil {
		return err
	}
	token, err := party.Mint.LogoutToken(c, said, f.Clock.Now())
	if err != nil {
		return err
	}
	return f.post(ctx, c, token)
}

// post sends a logout token, Back-Channel Logout section 2.5. An answer of 400 may mean
// that the application could not do it just now, so it is tried again like any other:
// section 2.8.
func (f Farewells) post(ctx context.Context, c client.Client, token string) error {
	form := url.Values{"logout_token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BackchannelLogoutURI, strings.NewReader(form.Encode()))
	if err != nil {
		return outbox.Refuse(fmt.Errorf("tell the client %q: %w", c.ID, err))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := f.Client.Do(req)
	if err != nil {
		return fmt.Errorf("tell the client %q: %w", c.ID, err)
	}
	defer func() { _ = resp.Body.Close() }() // nothing is lost: only the status counts
	_, _ = io.Copy(io.Discard, resp.Body)    // so that the connection serves again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("tell the client %q: it answers with status %d", c.ID, resp.StatusCode)
	}
	return nil
}
