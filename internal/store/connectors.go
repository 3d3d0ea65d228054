package store

import (
	"context"
	"encoding/json"

	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/domain/user"
)

// connectorPolicy is how a connector's policy is kept.
type connectorPolicy struct {
	CreateOnFirstLogin bool     `json:"create_on_first_login,omitempty"`
	AuthoritativeFor   []string `json:"authoritative_for,omitempty"`
}

// Connectors implements [connector.Store].
func (t *Tenant) Connectors(ctx context.Context) ([]connector.Configured, error) {
	if all, ok := t.leased.allConnectors(t.db.options.Lease); ok {
		return all, nil
	}
	k := begin()
	rows, err := t.db.reader().query(ctx, `
		SELECT `+lookColumns+`, connectors.id, connectors.kind, connectors.name, connectors.disabled, connectors.policy, connectors.config
		FROM connectors JOIN tenants ON tenants.id = connectors.tenant_id
		WHERE connectors.tenant_id = $1
		ORDER BY connectors.position, connectors.id`, t.id)
	all, err := collect(rows, err, func(s scanner) (connector.Configured, error) {
		var c connector.Configured
		var policy connectorPolicy
		var sealed []byte
		if err := s.Scan(append(k.into(), &c.ID, &c.Kind, &c.Name, &c.Disabled, document{&policy}, &sealed)...); err != nil {
			return c, err
		}
		config, err := t.unseal(sealed, "connectors", "config", c.ID)
		c.Policy, c.Config = user.Policy(policy), json.RawMessage(config)
		return c, err
	})
	if err != nil {
		return nil, err
	}
	if len(all) > 0 { // with none of them the statement saw nothing of the tenant
		t.leased.keepConnectors(k, all)
	}
	return all, nil
}

// DisableConnector implements [connector.Switch].
func (t *Tenant) DisableConnector(ctx context.Context, id string, by audit.By) error {
	return t.setDisabled(ctx, "connectors", id, byOperator, by, audit.Event{Kind: audit.ConnectorDisabled, ConnectorID: id})
}

// EnableConnector implements [connector.Switch].
func (t *Tenant) EnableConnector(ctx context.Context, id string, by audit.By) error {
	return t.setDisabled(ctx, "connectors", id, "", by, audit.Event{Kind: audit.ConnectorEnabled, ConnectorID: id})
}
