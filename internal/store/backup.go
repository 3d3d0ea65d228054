package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
)

// Backup writes a copy of a SQLite database into a new file, as it is at one moment,
// while everybody works on. It overwrites nothing, and says that it is done only when
// the copy is on the disk and whole.
func (db *DB) Backup(ctx context.Context, file string) (err error) {
	if db.engine.ownTime || !db.engine.shared {
		return fault.New(fault.Invalid, "A backup of this kind is for a SQLite file. Postgres has its own: see docs/operate/backup.md.")
	}
	// SQLite would let everybody read the copy; into an empty file of ours it writes.
	made, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	defer func() {
		err = errors.Join(err, made.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(file)) // half a copy is none
		}
	}()
	if _, err := db.writer().exec(ctx, `VACUUM INTO $1`, file); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	if err := CheckFile(ctx, file); err != nil {
		return err
	}
	return errors.Join(made.Sync(), syncFolder(filepath.Dir(file)))
}

// CheckFile reports what is wrong with a file that should be a whole database of ours.
func CheckFile(ctx context.Context, file string) (err error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&immutable=1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var said string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&said); err != nil {
		return fmt.Errorf("%s is no database: %w", file, err)
	}
	if said != "ok" {
		return fmt.Errorf("%s is damaged: %s", file, said)
	}
	var tenants int
	if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM tenants`).Scan(&tenants); err != nil {
		return fmt.Errorf("%s is no database of dex: %w", file, err)
	}
	return nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Restored is what came of making a database safe that was restored.
type Restored struct {
	Tenants  int `json:"tenants"`
	Sessions int `json:"sessions"` // that ended
	Grants   int `json:"grants"`   // that were revoked, with their codes and refresh tokens
	Links    int `json:"links"`    // devices and pushed requests, that count no more
}

// FinishRestore makes a database safe that was restored from a backup. What was
// revoked, used up or disabled since the backup is not known to it, and would count
// again; so nothing counts that was issued before now: codes, links, devices and
// pushed requests are void, sessions are over, and grants are revoked with their refresh tokens.
func (db *DB) FinishRestore(ctx context.Context, by audit.By) (Restored, error) {
	rows, err := db.reader().query(ctx, `SELECT id FROM tenants ORDER BY id`)
	ids, err := collect(rows, err, func(s scanner) (id string, err error) { return id, s.Scan(&id) })
	if err != nil {
		return Restored{}, err
	}
	var total Restored
	for _, id := range ids {
		t, err := db.Tenant(ctx, id)
		if err != nil {
			return total, err
		}
		if err := t.finishRestore(ctx, by, &total); err != nil {
			return total, err
		}
		total.Tenants++
	}
	return total, nil
}

func (t *Tenant) finishRestore(ctx context.Context, by audit.By, total *Restored) error {
	var here Restored
	err := t.changeConfiguration(ctx, func(tx hand) error {
		here = Restored{}
		for _, do := range []struct {
			count *int
			query string
		}{
			{nil, `UPDATE tenants SET not_before = $2 WHERE id = $1 AND (not_before IS NULL OR not_before < $2)`},
			{&here.Sessions, `DELETE FROM sessions WHERE tenant_id = $1 AND created_at <= $2`},
			{&here.Grants, `UPDATE grants SET revoked_at = $2, revoked_reason = 'restored' WHERE tenant_id = $1 AND revoked_at IS NULL AND issued_at <= $2`},
			{&here.Links, `UPDATE links SET used_at = $2 WHERE tenant_id = $1 AND used_at IS NULL AND created_at <= $2`},
			{&here.Links, `UPDATE devices SET denied_at = $2 WHERE tenant_id = $1 AND denied_at IS NULL AND created_at <= $2`},
			{&here.Links, `UPDATE pushed_requests SET ended_at = $2 WHERE tenant_id = $1 AND ended_at IS NULL AND created_at <= $2`},
		} {
			n, err := tx.exec(ctx, do.query, t.id, instant(by.At))
			if err != nil {
				return err
			}
			if do.count != nil {
				*do.count += int(n)
			}
		}
		e := by.Event(audit.DatabaseRestored)
		e.Detail = map[string]string{"sessions": fmt.Sprint(here.Sessions), "grants": fmt.Sprint(here.Grants), "links": fmt.Sprint(here.Links)}
		return t.witness(ctx, tx, by, e)
	})
	if err != nil {
		return fmt.Errorf("the tenant %s: %w", t.id, err)
	}
	total.Sessions, total.Grants, total.Links = total.Sessions+here.Sessions, total.Grants+here.Grants, total.Links+here.Links
	return nil
}
