-- Of the devices that may wait for a public client one network has a share.

-- +goose Up

ALTER TABLE devices ADD COLUMN network TEXT NOT NULL DEFAULT '';
