-- Applications on one device may share a login, by a secret that the first of them is
-- given with its tokens (OpenID Connect Native SSO). It is the grant's, and so the session's.

-- +goose Up

ALTER TABLE grants ADD COLUMN device_secret BYTEA; -- SHA-256 of it; NULL if there is none, or another has come in its place
ALTER TABLE grants ADD COLUMN native_sso_group TEXT NOT NULL DEFAULT ''; -- whose clients share it
CREATE INDEX grants_device_secret ON grants (tenant_id, device_secret) WHERE device_secret IS NOT NULL;
