// Package story tells what happened in an attempt to log in, for people who have its
// support code: what was asked, what was decided and by which setting, and what became
// of it. The worker's own explain and dexctl tell the same.
package story

import (
	"fmt"
	"strings"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
	"dex/internal/domain/audit"
)

// Tell writes a trace as a story. Nothing that a terminal obeys is in it: what a
// provider has said of its failure may stand in a trace.
func Tell(t audit.Trace) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Attempt %s began %s.\n", ctl.Plain(t.SupportCode), stamp(t.StartedAt))
	fmt.Fprintf(&b, "%s\n\n", verdict(t))
	for _, s := range t.Steps {
		fmt.Fprintf(&b, "  %8s  %-10s %s\n", (time.Duration(s.At) * time.Millisecond).String(), ctl.Plain(s.What), ctl.Plain(s.Said))
		if s.Why != "" {
			fmt.Fprintf(&b, "  %8s  %-10s because: %s\n", "", "", ctl.Plain(s.Why))
		}
	}
	for _, g := range t.Grants {
		tellGrant(&b, g)
	}
	if len(t.Grants) == 0 {
		b.WriteString("\nNothing was granted.\n")
	}
	return b.String()
}

// Wire is a trace as the administrators' API tells it.
func Wire(w resource.Trace) audit.Trace {
	t := audit.Trace{SupportCode: w.SupportCode, StartedAt: w.StartedAt}
	for _, s := range w.Steps {
		t.Steps = append(t.Steps, audit.Step{At: s.Milliseconds, What: s.What, Said: s.Said, Why: s.Why})
	}
	for _, g := range w.Grants {
		t.Grants = append(t.Grants, audit.GrantStory{
			ID: g.ID, ClientID: g.ClientID, UserID: g.UserID, Scopes: g.Scopes, IssuedAt: g.IssuedAt, RedeemedAt: g.RedeemedAt,
			Generation: g.Refreshed, RotatedAt: g.RotatedAt, RevokedAt: g.RevokedAt, Reason: g.Reason,
		})
	}
	return t
}

// tellGrant tells what became of a grant.
func tellGrant(b *strings.Builder, g audit.GrantStory) {
	fmt.Fprintf(b, "\nGrant %s\n  client %s, account %s, scopes %s\n", ctl.Plain(g.ID), ctl.Plain(g.ClientID), ctl.Plain(g.UserID), ctl.Plain(g.Scopes))
	fmt.Fprintf(b, "  %s  code issued\n", stamp(g.IssuedAt))
	if !g.RedeemedAt.IsZero() {
		fmt.Fprintf(b, "  %s  code redeemed\n", stamp(g.RedeemedAt))
	}
	if g.Generation > 0 {
		times := "times"
		if g.Generation == 1 {
			times = "time"
		}
		fmt.Fprintf(b, "  %s  refreshed, %d %s so far\n", stamp(g.RotatedAt), g.Generation, times)
	}
	if !g.RevokedAt.IsZero() {
		fmt.Fprintf(b, "  %s  revoked: %s\n", stamp(g.RevokedAt), ctl.Plain(g.Reason))
	}
}

// verdict says in a sentence how it ended, and where to look on.
func verdict(t audit.Trace) string {
	if len(t.Grants) == 0 {
		return withoutGrant(t.Steps)
	}
	switch g := t.Grants[len(t.Grants)-1]; {
	case !g.RevokedAt.IsZero():
		return fmt.Sprintf("%s was let in, and what it got has been revoked since.", ctl.Plain(g.ClientID))
	case !g.RedeemedAt.IsZero():
		return fmt.Sprintf("%s was let in, and has got its tokens.", ctl.Plain(g.ClientID))
	default:
		return fmt.Sprintf("%s was let in, and has not come for its tokens. If it tried, the log says why its request to the token endpoint failed: its secret, redirect_uri or code_verifier may be wrong, or it came too late.", ctl.Plain(g.ClientID))
	}
}

// withoutGrant says what the way ended at.
func withoutGrant(steps []audit.Step) string {
	if len(steps) == 0 {
		return "Nothing more is known of it."
	}
	last, answer := steps[len(steps)-1], ""
	if last.What == "answer" && len(steps) > 1 { // it follows from what stands before it
		answer = fmt.Sprintf(" The application was told %s.", ctl.Plain(last.Said))
		last = steps[len(steps)-2]
	}
	text := fmt.Sprintf("It ended at the %s: %s.", ctl.Plain(last.What), strings.TrimRight(ctl.Plain(last.Said), "."))
	if last.Why != "" {
		text += fmt.Sprintf(" What decided it: %s.", ctl.Plain(last.Why))
	}
	return text + answer
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000Z") }
