-- Read by both engines as it stands: SQLite keeps any declared type, and both
-- know TEXT, BIGINT, BOOLEAN, BYTEA and TIMESTAMPTZ. Times are whole
-- microseconds. "Sealed" marks a column whose content is encrypted under the
-- operator's key secrets and bound to its tenant, table, column and row.
--
-- Every key begins with the tenant. Foreign keys lead from what a person has to
-- the person, and no further: a reference to the tenant's or client's one row
-- would make each login of everybody lock the same row.

-- +goose Up

-- The lowest schema that a program must know to work with this database. A
-- migration that an older program could not live with raises it.
CREATE TABLE compatibility (
    oldest BIGINT NOT NULL
);
INSERT INTO compatibility (oldest) VALUES (1);

CREATE TABLE tenants (
    id          TEXT        NOT NULL PRIMARY KEY,
    issuer      TEXT        NOT NULL UNIQUE,
    disabled    BOOLEAN     NOT NULL DEFAULT FALSE,
    not_before  TIMESTAMPTZ,
    refresh_key BYTEA       NOT NULL, -- sealed
    version     BIGINT      NOT NULL DEFAULT 1, -- grows with each change of the configuration
    applied     TEXT        NOT NULL DEFAULT '', -- the digest of what was declared last
    created_at  TIMESTAMPTZ NOT NULL
);

-- managed_by says who declares the row; disabled_by, who disabled it, so that
-- a configuration that is applied again does not undo what an operator did.
CREATE TABLE clients (
    tenant_id   TEXT        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id          TEXT        NOT NULL,
    name        TEXT        NOT NULL,
    disabled    BOOLEAN     NOT NULL DEFAULT FALSE,
    disabled_by TEXT        NOT NULL DEFAULT '',
    settings    TEXT        NOT NULL, -- JSON
    secrets     BYTEA, -- sealed: the hashes
    managed_by  TEXT        NOT NULL,
    version     BIGINT      NOT NULL DEFAULT 1,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

-- The origins of clients' pages, to be found without reading every client.
CREATE TABLE client_origins (
    tenant_id TEXT NOT NULL,
    origin    TEXT NOT NULL,
    client_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, origin, client_id),
    FOREIGN KEY (tenant_id, client_id) REFERENCES clients (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX client_origins_client ON client_origins (tenant_id, client_id);

CREATE TABLE connectors (
    tenant_id   TEXT        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id          TEXT        NOT NULL,
    kind        TEXT        NOT NULL,
    name        TEXT        NOT NULL,
    position    BIGINT      NOT NULL,
    disabled    BOOLEAN     NOT NULL DEFAULT FALSE,
    disabled_by TEXT        NOT NULL DEFAULT '',
    policy      TEXT        NOT NULL, -- JSON
    config      BYTEA, -- sealed
    managed_by  TEXT        NOT NULL,
    version     BIGINT      NOT NULL DEFAULT 1,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE users (
    tenant_id      TEXT        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id             TEXT        NOT NULL,
    username       TEXT        NOT NULL DEFAULT '',
    email          TEXT        NOT NULL DEFAULT '',
    email_key      TEXT        NOT NULL DEFAULT '', -- as it is looked up
    email_verified BOOLEAN     NOT NULL DEFAULT FALSE,
    name           TEXT        NOT NULL DEFAULT '',
    disabled       BOOLEAN     NOT NULL DEFAULT FALSE,
    disabled_by    TEXT        NOT NULL DEFAULT '',
    not_before     TIMESTAMPTZ,
    managed_by     TEXT        NOT NULL DEFAULT '',
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX users_email ON users (tenant_id, email_key) WHERE email_verified;
CREATE INDEX users_managed ON users (tenant_id, managed_by) WHERE managed_by <> '';

CREATE TABLE identities (
    tenant_id        TEXT        NOT NULL,
    connector_id     TEXT        NOT NULL,
    subject          TEXT        NOT NULL,
    user_id          TEXT        NOT NULL,
    profile          TEXT        NOT NULL, -- JSON
    data             BYTEA, -- sealed
    checked_at       TIMESTAMPTZ NOT NULL,
    refreshing_until TIMESTAMPTZ, -- somebody is asking the connector
    created_at       TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, connector_id, subject),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX identities_user ON identities (tenant_id, user_id);

CREATE TABLE login_names (
    tenant_id    TEXT NOT NULL,
    name         TEXT NOT NULL, -- canonical
    user_id      TEXT NOT NULL,
    connector_id TEXT NOT NULL, -- whose identity of the user it leads to
    PRIMARY KEY (tenant_id, name),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX login_names_user ON login_names (tenant_id, user_id);

CREATE TABLE passwords (
    tenant_id  TEXT        NOT NULL,
    user_id    TEXT        NOT NULL,
    hash       TEXT        NOT NULL,
    declared   TEXT        NOT NULL DEFAULT '', -- the hash in the configuration that this one came of
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE throttles (
    tenant_id TEXT        NOT NULL,
    bucket    BYTEA       NOT NULL,
    failures  BIGINT      NOT NULL,
    last_at   TIMESTAMPTZ NOT NULL,
    forget_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, bucket)
);
CREATE INDEX throttles_forget ON throttles (forget_at);

CREATE TABLE sessions (
    tenant_id    TEXT        NOT NULL,
    id           TEXT        NOT NULL,
    cookie       BYTEA       NOT NULL, -- SHA-256
    user_id      TEXT        NOT NULL,
    connector_id TEXT        NOT NULL,
    subject      TEXT        NOT NULL,
    methods      TEXT        NOT NULL, -- JSON
    auth_time    TIMESTAMPTZ NOT NULL,
    user_agent   TEXT        NOT NULL DEFAULT '',
    remote_addr  TEXT        NOT NULL DEFAULT '',
    created_at   TIMESTAMPTZ NOT NULL,
    idle_until   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    ends_at      TIMESTAMPTZ NOT NULL, -- the earlier of the two
    upstream     BYTEA, -- sealed
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX sessions_cookie ON sessions (tenant_id, cookie);
CREATE INDEX sessions_user ON sessions (tenant_id, user_id);
CREATE INDEX sessions_end ON sessions (ends_at);

CREATE TABLE consents (
    tenant_id  TEXT        NOT NULL,
    user_id    TEXT        NOT NULL,
    client_id  TEXT        NOT NULL,
    scopes     TEXT        NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, user_id, client_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

-- One row from the code to the last token. None of the columns that a code's
-- redemption or a refresh changes is indexed, so that Postgres need not touch
-- an index for them; purge_at alone moves, once, if a refresh family begins.
CREATE TABLE grants (
    tenant_id       TEXT        NOT NULL,
    id              TEXT        NOT NULL,
    client_id       TEXT        NOT NULL,
    user_id         TEXT        NOT NULL,
    session_id      TEXT        NOT NULL,
    connector_id    TEXT        NOT NULL,
    subject         TEXT        NOT NULL,
    scopes          TEXT        NOT NULL,
    offline         BOOLEAN     NOT NULL, -- it outlives its session
    audience        TEXT        NOT NULL, -- JSON
    nonce           TEXT        NOT NULL,
    auth_time       TIMESTAMPTZ NOT NULL,
    methods         TEXT        NOT NULL, -- JSON
    issued_at       TIMESTAMPTZ NOT NULL,
    support_code    TEXT        NOT NULL,
    started_at      TIMESTAMPTZ, -- of the attempt
    steps           TEXT        NOT NULL, -- of its trace, a line of JSON each
    attempt         BYTEA, -- SHA-256 of its id: an attempt leads to one code
    code_hash       BYTEA       NOT NULL, -- SHA-256
    redirect_uri    TEXT        NOT NULL,
    challenge       TEXT        NOT NULL,
    code_expires_at TIMESTAMPTZ NOT NULL,
    attempts        BIGINT      NOT NULL DEFAULT 0, -- with the wrong proof
    redeemed_at     TIMESTAMPTZ,
    generation      BIGINT      NOT NULL DEFAULT 0, -- of the newest refresh token
    rotated_at      TIMESTAMPTZ,
    idle_until      TIMESTAMPTZ,
    expires_at      TIMESTAMPTZ,
    revoked_at      TIMESTAMPTZ,
    revoked_reason  TEXT        NOT NULL DEFAULT '',
    purge_at        TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX grants_code ON grants (tenant_id, code_hash);
CREATE UNIQUE INDEX grants_attempt ON grants (tenant_id, attempt);
CREATE INDEX grants_user ON grants (tenant_id, user_id, client_id);
CREATE INDEX grants_session ON grants (tenant_id, session_id);
CREATE INDEX grants_support_code ON grants (tenant_id, support_code);
CREATE INDEX grants_purge ON grants (purge_at);

CREATE TABLE revoked_tokens (
    tenant_id  TEXT        NOT NULL,
    token      TEXT        NOT NULL, -- its identifier
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, token)
);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);

CREATE TABLE used_assertions (
    tenant_id  TEXT        NOT NULL,
    client_id  TEXT        NOT NULL,
    jti        BYTEA       NOT NULL, -- SHA-256
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, client_id, jti)
);
CREATE INDEX used_assertions_expiry ON used_assertions (expires_at);

CREATE TABLE signing_keys (
    tenant_id    TEXT        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id           TEXT        NOT NULL,
    alg          TEXT        NOT NULL,
    publish_at   TIMESTAMPTZ NOT NULL,
    sign_from    TIMESTAMPTZ NOT NULL,
    sign_until   TIMESTAMPTZ,
    unpublish_at TIMESTAMPTZ,
    public       BYTEA       NOT NULL, -- SubjectPublicKeyInfo
    private      BYTEA, -- sealed: PKCS #8; gone once the key is destroyed
    created_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
-- Of each algorithm one key has no end yet. Who comes second with a successor
-- finds that out here.
CREATE UNIQUE INDEX signing_keys_head ON signing_keys (tenant_id, alg) WHERE sign_until IS NULL;

CREATE TABLE audit_events (
    tenant_id    TEXT        NOT NULL,
    id           TEXT        NOT NULL, -- sorts by time
    at           TIMESTAMPTZ NOT NULL,
    kind         TEXT        NOT NULL,
    actor        TEXT        NOT NULL,
    user_id      TEXT        NOT NULL,
    client_id    TEXT        NOT NULL,
    connector_id TEXT        NOT NULL,
    session_id   TEXT        NOT NULL,
    grant_id     TEXT        NOT NULL,
    support_code TEXT        NOT NULL,
    remote_addr  TEXT        NOT NULL,
    detail       TEXT        NOT NULL, -- JSON
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE traces (
    tenant_id    TEXT        NOT NULL,
    support_code TEXT        NOT NULL,
    started_at   TIMESTAMPTZ NOT NULL,
    steps        TEXT        NOT NULL, -- a line of JSON each
    expires_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, support_code)
);
CREATE INDEX traces_start ON traces (tenant_id, started_at);
CREATE INDEX traces_expiry ON traces (expires_at);

-- Whose turn it is to do what one at a time does. It is the one table that is of
-- the whole database.
CREATE TABLE leases (
    name     TEXT        NOT NULL PRIMARY KEY,
    holder   TEXT        NOT NULL,
    until_at TIMESTAMPTZ NOT NULL
);
