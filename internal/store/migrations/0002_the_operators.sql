-- What operators need: roles, groups, links to set a password by, receipts of what
-- they asked for, and what is on its way out. It only adds, and every column has
-- a default that a program of the version before can live with.

-- +goose Up

-- role names the scopes of the administrators' API that the person may be granted.
-- member_of repeats group_members, so that who logs in costs no further statement.
-- indexed says whether user_words is up to date; whoever changes a name and does
-- not write the words leaves that to a duty.
ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN member_of TEXT NOT NULL DEFAULT '[]'; -- JSON
ALTER TABLE users ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN indexed BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX users_unindexed ON users (tenant_id, id) WHERE NOT indexed;
CREATE INDEX users_role ON users (tenant_id, role, id) WHERE role <> '';

-- The words that somebody is found by, as bytes, because the order of texts differs
-- between databases and that of bytes does not.
CREATE TABLE user_words (
    tenant_id TEXT  NOT NULL,
    word      BYTEA NOT NULL,
    user_id   TEXT  NOT NULL,
    PRIMARY KEY (tenant_id, word, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX user_words_user ON user_words (tenant_id, user_id);

CREATE TABLE user_groups (
    tenant_id   TEXT        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id          TEXT        NOT NULL, -- its name, as it stands in tokens
    description TEXT        NOT NULL DEFAULT '',
    version     BIGINT      NOT NULL DEFAULT 1,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE group_members (
    tenant_id TEXT NOT NULL,
    group_id  TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    PRIMARY KEY (tenant_id, group_id, user_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES user_groups (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX group_members_user ON group_members (tenant_id, user_id);

-- A link by which somebody sets their password, once.
CREATE TABLE links (
    tenant_id  TEXT        NOT NULL,
    hash       BYTEA       NOT NULL, -- SHA-256
    purpose    TEXT        NOT NULL, -- "invite", "reset"
    user_id    TEXT        NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT        NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at    TIMESTAMPTZ,
    PRIMARY KEY (tenant_id, hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX links_user ON links (tenant_id, user_id);
CREATE INDEX links_expiry ON links (expires_at);

-- What was answered to whom for the key of a request, so that the request can be
-- sent again and happens once.
CREATE TABLE receipts (
    tenant_id  TEXT        NOT NULL,
    actor      TEXT        NOT NULL,
    key        BYTEA       NOT NULL, -- SHA-256
    request    BYTEA       NOT NULL, -- SHA-256
    answer     BYTEA       NOT NULL, -- sealed
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, actor, key)
);
CREATE INDEX receipts_expiry ON receipts (expires_at);

-- What has to be delivered, written in the transaction of its cause. What could not
-- be is dead, and stays until somebody looks at it.
CREATE TABLE outbox (
    tenant_id  TEXT        NOT NULL,
    id         TEXT        NOT NULL, -- sorts by time
    kind       TEXT        NOT NULL, -- "mail" …
    body       BYTEA       NOT NULL, -- sealed
    attempts   BIGINT      NOT NULL DEFAULT 0,
    problem    TEXT        NOT NULL DEFAULT '', -- of the last attempt
    created_at TIMESTAMPTZ NOT NULL,
    next_at    TIMESTAMPTZ NOT NULL,
    dead_at    TIMESTAMPTZ,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX outbox_due ON outbox (next_at) WHERE dead_at IS NULL;
CREATE INDEX outbox_dead ON outbox (tenant_id, dead_at) WHERE dead_at IS NOT NULL;

ALTER TABLE audit_events ADD COLUMN exported_at TIMESTAMPTZ;
CREATE INDEX audit_events_export ON audit_events (id) WHERE exported_at IS NULL;
CREATE INDEX audit_events_user ON audit_events (tenant_id, user_id, id) WHERE user_id <> '';

ALTER TABLE tenants ADD COLUMN name TEXT NOT NULL DEFAULT '';

-- When each secret of a client was made, in the order of the secrets.
ALTER TABLE clients ADD COLUMN secret_notes TEXT NOT NULL DEFAULT '[]'; -- JSON

-- How often a key was declared compromised is in the record; here stands that it
-- was, so that nobody publishes it again.
ALTER TABLE signing_keys ADD COLUMN compromised_at TIMESTAMPTZ;

-- Who used which client by which connector, and when last: what a change would
-- touch. A duty counts it from the grants.
CREATE TABLE client_use (
    tenant_id    TEXT        NOT NULL,
    client_id    TEXT        NOT NULL,
    connector_id TEXT        NOT NULL,
    user_id      TEXT        NOT NULL,
    last_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, client_id, connector_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX client_use_user ON client_use (tenant_id, user_id);
CREATE INDEX client_use_connector ON client_use (tenant_id, connector_id, last_at);
CREATE INDEX client_use_age ON client_use (last_at);
CREATE INDEX grants_issued ON grants (issued_at);

-- How each duty stands. It is of the whole database, like the leases.
CREATE TABLE duties (
    name       TEXT        NOT NULL PRIMARY KEY,
    holder     TEXT        NOT NULL DEFAULT '',
    began_at   TIMESTAMPTZ,
    done_at    TIMESTAMPTZ, -- when it last succeeded
    failed_at  TIMESTAMPTZ, -- when it last failed
    said       TEXT        NOT NULL DEFAULT '', -- what it last did
    problem    TEXT        NOT NULL DEFAULT '', -- why it last failed
    runs       BIGINT      NOT NULL DEFAULT 0,
    failures   BIGINT      NOT NULL DEFAULT 0,
    mark       TIMESTAMPTZ -- up to when it has counted, for those that count
);

-- The one-time secret by which the first administrator is made. Once closed_at is
-- set there is no other.
CREATE TABLE bootstrap (
    id         BIGINT      NOT NULL PRIMARY KEY CHECK (id = 1),
    secret     BYTEA, -- SHA-256
    expires_at TIMESTAMPTZ,
    attempts   BIGINT      NOT NULL DEFAULT 0,
    closed_at  TIMESTAMPTZ,
    closed_by  TEXT        NOT NULL DEFAULT ''
);
INSERT INTO bootstrap (id) VALUES (1);
