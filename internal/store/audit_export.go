package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dex/internal/domain/audit"
)

var _ audit.Exports = (*DB)(nil)

// Unexported implements [audit.Exports].
func (db *DB) Unexported(ctx context.Context, most int) ([]audit.Exported, error) {
	rows, err := db.reader().query(ctx, fmt.Sprintf(`
		SELECT tenant_id, id, at, kind, actor, user_id, client_id, connector_id, session_id, grant_id, support_code,
			remote_addr, detail
		FROM audit_events WHERE exported_at IS NULL ORDER BY id LIMIT %d`, most))
	return collect(rows, err, func(s scanner) (audit.Exported, error) {
		var e audit.Exported
		err := s.Scan(&e.TenantID, &e.ID, (*instant)(&e.At), (*string)(&e.Kind), &e.Actor, &e.UserID, &e.ClientID, &e.ConnectorID,
			&e.SessionID, &e.GrantID, &e.SupportCode, &e.RemoteAddr, document{&e.Detail})
		return e, err
	})
}

// MarkExported implements [audit.Exports].
func (db *DB) MarkExported(ctx context.Context, events []audit.Exported, now time.Time) error {
	ids := map[string][]any{}
	for _, e := range events {
		ids[e.TenantID] = append(ids[e.TenantID], e.ID)
	}
	return db.inTx(ctx, func(tx hand) error {
		for tenant, all := range ids {
			places := make([]string, len(all))
			for i := range all {
				places[i] = fmt.Sprintf("$%d", i+3)
			}
			_, err := tx.exec(ctx, fmt.Sprintf(`
				UPDATE audit_events SET exported_at = $1 WHERE tenant_id = $2 AND id IN (%s)`, strings.Join(places, ", ")),
				append([]any{instant(now), tenant}, all...)...)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// OldestUnexported returns since when the oldest event waits to be handed on: the zero
// time if none does.
func (db *DB) OldestUnexported(ctx context.Context) (since time.Time, err error) {
	err = db.reader().row(ctx, `
		SELECT MIN(at) FROM (SELECT at FROM audit_events WHERE exported_at IS NULL ORDER BY id LIMIT 1) AS oldest`).
		Scan((*instant)(&since))
	return since, err
}
