-- A client may ask for somebody by name, who answers elsewhere: such a request waits as
-- a device does, for this person instead of whoever types a code (CIBA).

-- +goose Up

ALTER TABLE devices ADD COLUMN user_id TEXT NOT NULL DEFAULT ''; -- whom it waits for; empty: whoever types its code
ALTER TABLE devices ADD COLUMN connector_id TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN message TEXT NOT NULL DEFAULT ''; -- that both screens show
ALTER TABLE devices ADD COLUMN acr TEXT; -- JSON; any of which was asked for
ALTER TABLE devices ADD COLUMN notice BYTEA; -- sealed; how its client hears of the answer
CREATE INDEX devices_user ON devices (tenant_id, user_id, id) WHERE user_id <> '';
