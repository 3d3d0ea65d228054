-- A provider says that somebody has signed out there: by its own name for the session,
-- by its name for the person, or both (OpenID Connect Back-Channel and Front-Channel
-- Logout).

-- +goose Up

ALTER TABLE sessions ADD COLUMN upstream_id BYTEA; -- SHA-256 of its name there; NULL if nobody knows
CREATE INDEX sessions_upstream ON sessions (tenant_id, connector_id, upstream_id) WHERE upstream_id IS NOT NULL;
