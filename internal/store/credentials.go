package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"dex/internal/domain/credential"
	"dex/internal/domain/user"
)

// maxBuckets is of how many buckets a candidate may ask the state.
const maxBuckets = 4

// Candidate implements [credential.Store]. One statement answers with one row,
// whether anybody has the name or not.
func (t *Tenant) Candidate(ctx context.Context, name string, buckets []credential.Bucket) (credential.Candidate, error) {
	if len(buckets) > maxBuckets {
		return credential.Candidate{}, fmt.Errorf("a candidate has at most %d buckets", maxBuckets)
	}
	if !storable(name) {
		name = "" // nobody has it
	}
	args := []any{t.id, name, nil, nil, nil, nil, nameSeparator}
	for i, b := range buckets {
		args[2+i] = b.Key
	}
	var r candidateRow
	err := t.db.reader().row(ctx, `
		SELECT `+userColumns+`, passwords.hash, identities.profile,
			(SELECT string_agg(n.name, $7) FROM login_names n WHERE n.tenant_id = users.tenant_id AND n.user_id = users.id),
			t1.failures, t1.last_at, t2.failures, t2.last_at, t3.failures, t3.last_at, t4.failures, t4.last_at
		FROM (SELECT 1 AS one) always
		LEFT JOIN login_names ON login_names.tenant_id = $1 AND login_names.name = $2
		LEFT JOIN users ON users.tenant_id = login_names.tenant_id AND users.id = login_names.user_id
		LEFT JOIN passwords ON passwords.tenant_id = login_names.tenant_id AND passwords.user_id = login_names.user_id
		LEFT JOIN identities ON identities.tenant_id = login_names.tenant_id
			AND identities.connector_id = login_names.connector_id AND identities.subject = login_names.user_id
		LEFT JOIN throttles t1 ON t1.tenant_id = $1 AND t1.bucket = $3
		LEFT JOIN throttles t2 ON t2.tenant_id = $1 AND t2.bucket = $4
		LEFT JOIN throttles t3 ON t3.tenant_id = $1 AND t3.bucket = $5
		LEFT JOIN throttles t4 ON t4.tenant_id = $1 AND t4.bucket = $6`, args...,
	).Scan(r.into()...)
	if err != nil {
		return credential.Candidate{}, err
	}
	return r.candidate(len(buckets)), nil
}

// nameSeparator stands in no login name: none has control characters.
const nameSeparator = "\n"

// candidateRow is a candidate as it is read. All of it may be missing.
type candidateRow struct {
	id, username, email, name, role sql.Null[string]
	verified, disabled              sql.Null[bool]
	notBefore, created, updated     instant
	memberOf                        []string
	version                         sql.Null[int64]

	hash, names sql.Null[string]
	profile     user.Profile
	failures    [maxBuckets]sql.Null[int64]
	last        [maxBuckets]instant
}

func (r *candidateRow) into() []any {
	return []any{
		&r.id, &r.username, &r.email, &r.verified, &r.name, &r.disabled, &r.notBefore,
		&r.role, document{&r.memberOf}, &r.version, &r.created, &r.updated,
		&r.hash, document{&r.profile}, &r.names,
		&r.failures[0], &r.last[0], &r.failures[1], &r.last[1], &r.failures[2], &r.last[2],
		&r.failures[3], &r.last[3],
	}
}

func (r *candidateRow) candidate(buckets int) credential.Candidate {
	c := credential.Candidate{
		User: user.User{
			ID: r.id.V, Username: r.username.V, Email: r.email.V, EmailVerified: r.verified.V, Name: r.name.V, Disabled: r.disabled.V,
			NotBefore: time.Time(r.notBefore), Role: r.role.V, MemberOf: r.memberOf, Version: r.version.V,
			CreatedAt: time.Time(r.created), UpdatedAt: time.Time(r.updated),
		},
		Hash: r.hash.V, Profile: r.profile,
	}
	if r.names.Valid {
		c.Names = strings.Split(r.names.V, nameSeparator)
		slices.Sort(c.Names)
	}
	for i := range buckets {
		c.Throttle = append(c.Throttle, credential.Throttle{Failures: int(r.failures[i].V), LastAt: time.Time(r.last[i])})
	}
	return c
}

// RecordFailure implements [credential.Store]. The arithmetic is that of
// [credential.Throttle.Next], done where nothing can come between.
func (t *Tenant) RecordFailure(ctx context.Context, buckets []credential.Bucket, now time.Time) error {
	if len(buckets) == 0 {
		return nil
	}
	args := []any{t.id, instant(now)}
	var rows []string
	for _, b := range inOrder(buckets) {
		n := len(args)
		rows = append(rows, fmt.Sprintf("($1, $%d, 1, $2, $%d)", n+1, n+2))
		args = append(args, b.Key, instant(now.Add(b.Kind.Forget())))
	}
	_, err := t.db.writer().exec(ctx, `
		INSERT INTO throttles (tenant_id, bucket, failures, last_at, forget_at) VALUES `+strings.Join(rows, ", ")+`
		ON CONFLICT (tenant_id, bucket) DO UPDATE SET
			failures = CASE WHEN throttles.forget_at <= excluded.last_at THEN 1 ELSE throttles.failures + 1 END,
			last_at = excluded.last_at, forget_at = excluded.forget_at`, args...)
	return err
}

// inOrder returns the buckets, each once, in the order in which everybody locks
// them.
func inOrder(buckets []credential.Bucket) []credential.Bucket {
	sorted := slices.Clone(buckets)
	slices.SortFunc(sorted, func(a, b credential.Bucket) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return slices.CompactFunc(sorted, func(a, b credential.Bucket) bool { return a.Key == b.Key })
}

// Forgive implements [credential.Store].
func (t *Tenant) Forgive(ctx context.Context, buckets []credential.Bucket) error {
	if len(buckets) == 0 {
		return nil
	}
	args := []any{t.id}
	var places []string
	for _, b := range inOrder(buckets) {
		args = append(args, b.Key)
		places = append(places, fmt.Sprintf("$%d", len(args)))
	}
	_, err := t.db.writer().exec(ctx, `
		DELETE FROM throttles WHERE tenant_id = $1 AND bucket IN (`+strings.Join(places, ", ")+`)`, args...)
	return err
}

// Rehash implements [credential.Store].
func (t *Tenant) Rehash(ctx context.Context, userID, old, fresh string) error {
	_, err := t.db.writer().exec(ctx, `
		UPDATE passwords SET hash = $4, updated_at = $5
		WHERE tenant_id = $1 AND user_id = $2 AND hash = $3`,
		t.id, userID, old, fresh, instant(t.db.clock.Now()))
	return err
}
