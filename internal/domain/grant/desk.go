package grant

import (
	"context"
	"fmt"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
)

// ConnectorStates tells how connectors stand.
type ConnectorStates interface {
	// ConnectorState returns how a connector stands; nil if there is none.
	ConnectorState(ctx context.Context, id string) (*Connector, error)
}

// Desk completes cases with what stands in the configuration, and lets the gate
// decide them. Every flow brings its cases here.
type Desk struct {
	Tenants    tenant.Store
	Clients    client.Store
	Connectors ConnectorStates
	Clock      clock.Clock
}

// Decide completes the case and decides it. The case says which path is asked
// for, by which client, and what the store knows of the person and the grant.
func (d Desk) Decide(ctx context.Context, c Case) (Permit, error) {
	var err error
	c.Now = d.Clock.Now()
	if c.Tenant, err = d.Tenants.Self(ctx); err != nil {
		return Permit{}, fmt.Errorf("gate: %w", err)
	}
	if id := c.Authorization.ConnectorID; id != "" {
		if c.Connector, err = d.Connectors.ConnectorState(ctx, id); err != nil {
			return Permit{}, fmt.Errorf("gate: %w", err)
		}
	}
	if c.Path != AssertIdentity { // whose audience is no client
		if c.Peers, err = d.peers(ctx, c.Authorization.Audience); err != nil {
			return Permit{}, fmt.Errorf("gate: %w", err)
		}
	}
	return Decide(c)
}

// peers returns the clients in an audience, as far as there are such.
func (d Desk) peers(ctx context.Context, audience []string) (map[string]client.Client, error) {
	if len(audience) == 0 {
		return nil, nil
	}
	peers := make(map[string]client.Client, len(audience))
	for _, id := range audience {
		peer, err := d.Clients.Client(ctx, id)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		peers[id] = peer
	}
	return peers, nil
}

// Case returns the case of a grant as it stands in the store.
func (k Known) Case(path Path, c client.Client) Case {
	return Case{
		Path: path, Client: c,
		User: k.User, Identity: k.Identity, Session: k.Session,
		Authorization: k.Authorization,
		RevokedAt:     k.RevokedAt, TokenRevoked: k.TokenRevoked,
	}
}
