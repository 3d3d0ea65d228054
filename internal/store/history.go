package store

import (
	"context"

	"dex/internal/domain/audit"
)

var _ audit.History = (*Tenant)(nil)

// lookThrough is how many events one question looks through, whatever it looks for.
const lookThrough = 2000

const eventColumns = `id, at, kind, actor, user_id, client_id, connector_id, session_id, grant_id, support_code, remote_addr, detail`

// afterEvents sorts after the id of every event: their times are written in the
// letters up to v.
const afterEvents = "evt_w"

// Events implements [audit.History].
func (t *Tenant) Events(ctx context.Context, f audit.Filter, before string, most int) ([]audit.Event, string, error) {
	first, last := "", afterEvents
	if !f.Since.IsZero() {
		first = audit.FirstEventID(f.Since)
	}
	if !f.Until.IsZero() {
		last = audit.FirstEventID(f.Until)
	}
	if before != "" && before < last {
		last = before
	}
	args := []any{t.id, first, last, lookThrough}
	of := ""
	if f.UserID != "" { // by its own index
		of = ` AND user_id = $5 AND user_id <> ''`
		args = append(args, f.UserID)
	}
	recent := `
		SELECT ` + eventColumns + ` FROM audit_events
		WHERE tenant_id = $1 AND id >= $2 AND id < $3` + of + `
		ORDER BY id DESC LIMIT $4`
	rows, err := t.db.reader().query(ctx, recent, args...)
	seen, end := 0, ""
	found, err := gather(rows, err, most, func(s scanner) (audit.Event, bool, error) {
		var e audit.Event
		err := s.Scan(&e.ID, (*instant)(&e.At), (*string)(&e.Kind), &e.Actor, &e.UserID, &e.ClientID, &e.ConnectorID, &e.SessionID,
			&e.GrantID, &e.SupportCode, &e.RemoteAddr, document{&e.Detail})
		seen, end = seen+1, e.ID
		return e, (f.Kind == "" || e.Kind == f.Kind) && (f.ClientID == "" || e.ClientID == f.ClientID), err
	})
	if err != nil || seen < lookThrough && len(found) < most {
		end = ""
	}
	return found, end, err
}

// gather reads rows until it has found as many as are wanted.
func gather[T any](rows rows, err error, most int, scan func(scanner) (T, bool, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what matters of it is in rows.Err
	var found []T
	for len(found) < most && rows.Next() {
		one, wanted, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if wanted {
			found = append(found, one)
		}
	}
	return found, rows.Err()
}
