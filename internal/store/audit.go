package store

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
)

const (
	// traceKeep is how long the trace of an attempt is kept.
	traceKeep = 7 * 24 * time.Hour
	// maxTrace is the size at which an attempt's trace takes no more steps.
	maxTrace = 16 << 10
	// maxSaid is the length at which one step's text is cut off.
	maxSaid = 300
	// maxDetail is the length at which a detail of an event is cut off. The longest id fits,
	// which has 255 characters of four bytes: what is left of one may be the id of another.
	maxDetail = 1024
)

// Record implements [audit.Store].
func (t *Tenant) Record(ctx context.Context, e audit.Event) error {
	return t.record(ctx, t.db.writer(), e)
}

// record writes an event with its deed. What it holds was stored before, or
// looked at; only what may come from outside as it is must be made fit.
func (t *Tenant) record(ctx context.Context, tx hand, e audit.Event) error {
	if e.ID == "" {
		e.ID = audit.NewEventID(e.At)
	}
	detail := map[string]string{}
	for name, text := range e.Detail {
		detail[name] = remark(text, maxDetail)
	}
	_, err := tx.exec(ctx, `
		INSERT INTO audit_events (tenant_id, id, at, kind, actor, user_id, client_id, connector_id, session_id,
			grant_id, support_code, remote_addr, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		t.id, e.ID, instant(e.At), string(e.Kind), remark(e.Actor, maxDetail), remark(e.UserID, maxDetail),
		remark(e.ClientID, maxDetail), remark(e.ConnectorID, maxDetail), remark(e.SessionID, maxDetail),
		remark(e.GrantID, maxDetail), remark(e.SupportCode, maxDetail), remark(e.RemoteAddr, maxRemoteAddr), document{detail})
	return err
}

// lines writes steps as a line each, so that appending to them is appending text.
func lines(steps []audit.Step) (string, error) {
	var b strings.Builder
	for _, s := range steps[:min(len(steps), audit.MaxSteps)] {
		s.What, s.Said = remark(s.What, maxSaid), remark(s.Said, maxSaid)
		line, err := json.Marshal(s)
		if err != nil {
			return "", err
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String(), nil
}

func stepsOf(text string) ([]audit.Step, error) {
	var steps []audit.Step
	for line := range strings.Lines(text) {
		var s audit.Step
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// KeepTrace implements [audit.Store].
func (t *Tenant) KeepTrace(ctx context.Context, supportCode string, startedAt time.Time, steps []audit.Step) error {
	text, err := lines(steps)
	if err != nil || text == "" {
		return err
	}
	_, err = t.db.writer().exec(ctx, `
		INSERT INTO traces (tenant_id, support_code, started_at, steps, expires_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id, support_code) DO UPDATE SET steps = traces.steps || excluded.steps
		WHERE LENGTH(traces.steps) + LENGTH(excluded.steps) <= $6`,
		t.id, supportCode, instant(startedAt), text, instant(startedAt.Add(traceKeep)), maxTrace)
	return err
}

// Trace implements [audit.Store]. What led to a grant stands with the grant.
func (t *Tenant) Trace(ctx context.Context, supportCode string) (audit.Trace, error) {
	tr := audit.Trace{SupportCode: supportCode}
	var text string
	err := t.db.reader().row(ctx, `
		SELECT started_at, steps FROM traces WHERE tenant_id = $1 AND support_code = $2`, t.id, supportCode,
	).Scan((*instant)(&tr.StartedAt), &text)
	if err != nil && !absent(err) {
		return audit.Trace{}, err
	}
	found := err == nil
	kept, err := stepsOf(text)
	if err != nil {
		return audit.Trace{}, err
	}
	granted, err := t.addGrants(ctx, &tr)
	if err != nil {
		return audit.Trace{}, err
	}
	if !found && len(tr.Grants) == 0 {
		return audit.Trace{}, fault.New(fault.NotFound, "Nothing is known of %q. It may be mistyped, too long ago, or have failed before anybody did anything; then the log has it.", supportCode)
	}
	tr.Steps = audit.InOrder(kept, granted...)
	return tr, nil
}

// addGrants adds what became of the attempt, and returns the steps that led to each
// grant, which are kept there.
func (t *Tenant) addGrants(ctx context.Context, tr *audit.Trace) (granted [][]audit.Step, err error) {
	if !storable(tr.SupportCode) {
		return nil, nil
	}
	rows, err := t.db.reader().query(ctx, `
		SELECT id, client_id, user_id, scopes, issued_at, redeemed_at, generation, rotated_at, revoked_at, revoked_reason,
			started_at, steps
		FROM grants WHERE tenant_id = $1 AND support_code = $2
		ORDER BY issued_at, id`, t.id, tr.SupportCode)
	tr.Grants, err = collect(rows, err, func(s scanner) (audit.GrantStory, error) {
		var g audit.GrantStory
		var startedAt time.Time
		var text string
		if err := s.Scan(&g.ID, &g.ClientID, &g.UserID, &g.Scopes, (*instant)(&g.IssuedAt), (*instant)(&g.RedeemedAt),
			&g.Generation, (*instant)(&g.RotatedAt), (*instant)(&g.RevokedAt), &g.Reason, (*instant)(&startedAt), &text); err != nil {
			return g, err
		}
		g.Generation = max(0, g.Generation-1) // the first token is no refresh
		if tr.StartedAt.IsZero() {
			tr.StartedAt = startedAt
		}
		steps, err := stepsOf(text)
		granted = append(granted, steps)
		return g, err
	})
	return granted, err
}
