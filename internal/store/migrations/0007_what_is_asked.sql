-- What few authorizations say stands in one document: claims asked for one by one,
-- resources, authorization details, the key that tokens are bound to. What a code is
-- bound to is part of the statement that redeems it, and so a column.

-- +goose Up

ALTER TABLE grants ADD COLUMN terms TEXT; -- JSON
ALTER TABLE grants ADD COLUMN bound_to TEXT NOT NULL DEFAULT '';
