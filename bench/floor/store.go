package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite
)

// store keeps sessions, grants and refresh families. Each method is one
// statement; on SQLite they go to one connection that writes or to several that
// read, on Postgres to one pool.
type store struct{ write, read *sql.DB }

const schema = `
CREATE TABLE sessions (cookie BYTEA PRIMARY KEY, user_id TEXT NOT NULL, auth_time BIGINT NOT NULL, expires_at BIGINT NOT NULL);
CREATE TABLE grants (
	code BYTEA PRIMARY KEY, client_id TEXT NOT NULL, redirect_uri TEXT NOT NULL, challenge TEXT NOT NULL,
	user_id TEXT NOT NULL, scope TEXT NOT NULL, nonce TEXT NOT NULL, auth_time BIGINT NOT NULL,
	expires_at BIGINT NOT NULL, redeemed SMALLINT NOT NULL, revoked SMALLINT NOT NULL);
CREATE TABLE families (
	code BYTEA PRIMARY KEY, client_id TEXT NOT NULL, user_id TEXT NOT NULL, scope TEXT NOT NULL,
	auth_time BIGINT NOT NULL, generation BIGINT NOT NULL, expires_at BIGINT NOT NULL, revoked SMALLINT NOT NULL);
CREATE TABLE used (jti BYTEA PRIMARY KEY, expires_at BIGINT NOT NULL);
CREATE TABLE pushed (handle BYTEA PRIMARY KEY, client_id TEXT NOT NULL, request TEXT NOT NULL, expires_at BIGINT NOT NULL);`

// openStore opens a database, which must be new, and makes the tables.
func openStore(ctx context.Context, dsn string) (*store, error) {
	var s store
	var err error
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		s, err = openSQLite(file)
	} else {
		s, err = openPostgres(dsn)
	}
	if err != nil {
		return nil, err
	}
	if _, err := s.write.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return &s, nil
}

func openPostgres(dsn string) (store, error) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return store{}, err
	}
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	return store{write: db, read: db}, nil
}

// openSQLite opens a file that keeps what has been committed, like dex's.
func openSQLite(file string) (store, error) {
	name := "file:" + (&url.URL{Path: file}).EscapedPath() + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)"
	write, err := sql.Open("sqlite", name)
	if err != nil {
		return store{}, err
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", name+"&_pragma=query_only(1)")
	if err != nil {
		return store{}, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(4)
	read.SetMaxIdleConns(4)
	return store{write: write, read: read}, nil
}

func (s *store) close() error {
	if s.read == s.write {
		return s.write.Close()
	}
	return errors.Join(s.read.Close(), s.write.Close())
}

// grant is what a person let a client do.
type grant struct {
	code                                                   []byte // its hash
	clientID, redirectURI, challenge, userID, scope, nonce string
	authTime, expiresAt                                    int64
	boundTo                                                string // the thumbprint of a key
}

func (s *store) openSession(ctx context.Context, cookie []byte, userID string, now, expiresAt int64) error {
	_, err := s.write.ExecContext(ctx, `INSERT INTO sessions (cookie, user_id, auth_time, expires_at) VALUES ($1, $2, $3, $4)`,
		cookie, userID, now, expiresAt)
	return err
}

func (s *store) keepCode(ctx context.Context, g grant) error {
	_, err := s.write.ExecContext(ctx, `INSERT INTO grants
		(code, client_id, redirect_uri, challenge, user_id, scope, nonce, auth_time, expires_at, redeemed, revoked)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0)`,
		g.code, g.clientID, g.redirectURI, g.challenge, g.userID, g.scope, g.nonce, g.authTime, g.expiresAt)
	return err
}

// keepCodeOfSession keeps a code for whoever the session is of, and reports
// whether there is such a session.
func (s *store) keepCodeOfSession(ctx context.Context, g grant, cookie []byte, now int64) (bool, error) {
	result, err := s.write.ExecContext(ctx, `INSERT INTO grants
		(code, client_id, redirect_uri, challenge, user_id, scope, nonce, auth_time, expires_at, redeemed, revoked)
		SELECT $1, $2, $3, $4, user_id, $5, $6, auth_time, $7, 0, 0 FROM sessions WHERE cookie = $8 AND expires_at > $9`,
		g.code, g.clientID, g.redirectURI, g.challenge, g.scope, g.nonce, g.expiresAt, cookie, now)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// redeem takes a code, once.
func (s *store) redeem(ctx context.Context, g *grant, now int64) error {
	return s.write.QueryRowContext(ctx, `UPDATE grants SET redeemed = 1
		WHERE code = $1 AND client_id = $2 AND redirect_uri = $3 AND challenge = $4 AND redeemed = 0 AND revoked = 0 AND expires_at > $5
		RETURNING user_id, scope, nonce, auth_time`,
		g.code, g.clientID, g.redirectURI, g.challenge, now).Scan(&g.userID, &g.scope, &g.nonce, &g.authTime)
}

func (s *store) openFamily(ctx context.Context, g grant, expiresAt int64) error {
	_, err := s.write.ExecContext(ctx, `INSERT INTO families
		(code, client_id, user_id, scope, auth_time, generation, expires_at, revoked) VALUES ($1, $2, $3, $4, $5, 1, $6, 0)`,
		g.code, g.clientID, g.userID, g.scope, g.authTime, expiresAt)
	return err
}

// rotate takes a family from a generation to the next.
func (s *store) rotate(ctx context.Context, g *grant, generation, now int64) error {
	return s.write.QueryRowContext(ctx, `UPDATE families SET generation = generation + 1
		WHERE code = $1 AND client_id = $2 AND generation = $3 AND revoked = 0 AND expires_at > $4
		RETURNING user_id, scope, auth_time`,
		g.code, g.clientID, generation, now).Scan(&g.userID, &g.scope, &g.authTime)
}

// use marks an identifier used, once.
func (s *store) use(ctx context.Context, jti []byte, expiresAt int64) error {
	_, err := s.write.ExecContext(ctx, `INSERT INTO used (jti, expires_at) VALUES ($1, $2)`, jti, expiresAt)
	return err
}

func (s *store) push(ctx context.Context, handle []byte, clientID, request string, expiresAt int64) error {
	_, err := s.write.ExecContext(ctx, `INSERT INTO pushed (handle, client_id, request, expires_at) VALUES ($1, $2, $3, $4)`, handle, clientID, request, expiresAt)
	return err
}

// alive returns whose and for what a grant is, unless it has been revoked.
func (s *store) alive(ctx context.Context, g *grant) error {
	err := s.read.QueryRowContext(ctx, `SELECT user_id, client_id, scope FROM grants WHERE code = $1 AND revoked = 0`, g.code).
		Scan(&g.userID, &g.clientID, &g.scope)
	if err != nil {
		return fmt.Errorf("the token's grant: %w", err)
	}
	return nil
}
