-- Devices that wait until somebody has allowed them in, RFC 8628.

-- +goose Up

CREATE TABLE devices (
    tenant_id    TEXT        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id           TEXT        NOT NULL,
    code         BYTEA       NOT NULL, -- SHA-256 of the device code
    user_code    BYTEA       NOT NULL, -- a MAC of the user code, which is too short for a hash
    client_id    TEXT        NOT NULL,
    scopes       TEXT        NOT NULL,
    support_code TEXT        NOT NULL,
    remote_addr  TEXT        NOT NULL,
    user_agent   TEXT        NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    pause        BIGINT      NOT NULL, -- seconds that the device has to wait between two polls
    next_poll_at TIMESTAMPTZ NOT NULL,
    approved_at  TIMESTAMPTZ,
    denied_at    TIMESTAMPTZ,
    purge_at     TIMESTAMPTZ NOT NULL, -- until then a device that comes late is told that it does
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX devices_code ON devices (tenant_id, code);
CREATE UNIQUE INDEX devices_user_code ON devices (tenant_id, user_code);
CREATE INDEX devices_client ON devices (tenant_id, client_id, expires_at);
CREATE INDEX devices_purge ON devices (purge_at);
