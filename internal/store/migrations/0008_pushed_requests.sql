-- Authorization requests that clients have left with us before they send the
-- browser, RFC 9126.

-- +goose Up

CREATE TABLE pushed_requests (
    tenant_id  TEXT        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    hash       BYTEA       NOT NULL, -- SHA-256 of the handle
    client_id  TEXT        NOT NULL,
    request    BYTEA       NOT NULL, -- sealed: a hint in it may be a token of ours
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    ended_at   TIMESTAMPTZ, -- the client has had its answer, and no code came of it
    purge_at   TIMESTAMPTZ NOT NULL, -- until then a browser that comes late is sent back to its client
    PRIMARY KEY (tenant_id, hash)
);
CREATE INDEX pushed_requests_purge ON pushed_requests (purge_at);
