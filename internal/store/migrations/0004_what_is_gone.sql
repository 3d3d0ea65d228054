-- What is left when clients and tenants are deleted.

-- +goose Up

-- What people have allowed a client goes with the client.
CREATE INDEX consents_client ON consents (tenant_id, client_id);

-- The id of a tenant that was deleted never comes back: tokens and backups out there
-- name it.
CREATE TABLE deleted_tenants (
    id         TEXT        NOT NULL PRIMARY KEY,
    issuer     TEXT        NOT NULL,
    deleted_at TIMESTAMPTZ NOT NULL
);
