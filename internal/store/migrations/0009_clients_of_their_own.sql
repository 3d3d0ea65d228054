-- Clients that register themselves, RFC 7591 and RFC 7592.

-- +goose Up

-- Who may register clients in the tenant, and for what: JSON.
ALTER TABLE tenants ADD COLUMN registration TEXT NOT NULL DEFAULT '{}';

-- By what a client shows that its registration is its own.
CREATE TABLE client_registrations (
    tenant_id TEXT  NOT NULL,
    client_id TEXT  NOT NULL,
    token     BYTEA NOT NULL, -- SHA-256
    previous  BYTEA, -- SHA-256 of the one before, which counts until the new one is used
    PRIMARY KEY (tenant_id, client_id),
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
);

-- By what whoever registers a client shows that an operator lets them.
CREATE TABLE initial_tokens (
    tenant_id  TEXT        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id         TEXT        NOT NULL,
    token      BYTEA       NOT NULL, -- SHA-256
    note       TEXT        NOT NULL,
    profile    TEXT        NOT NULL, -- of the clients that are registered with it; empty: the tenant's
    uses_left  BIGINT      NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT        NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX initial_tokens_token ON initial_tokens (tenant_id, token);
CREATE INDEX initial_tokens_end ON initial_tokens (expires_at);
