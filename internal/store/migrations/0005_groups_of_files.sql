-- Groups can be managed by files that an operator plans and applies.

-- +goose Up

ALTER TABLE user_groups ADD COLUMN managed_by TEXT NOT NULL DEFAULT 'api';
CREATE INDEX user_groups_managed ON user_groups (tenant_id, id) WHERE managed_by <> 'api';
