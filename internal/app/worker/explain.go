package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"dex/internal/app/config"
	"dex/internal/domain/audit"
	"dex/internal/domain/tenant"
)

// Explain tells the story of an attempt, by its support code.
func Explain(ctx context.Context, s *config.Settings, code string, out io.Writer) (err error) {
	// Opening a database that is not there would make one, and a key for it.
	if file := s.DB.File(); file != "" {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("there is no database to read: %w", err)
		}
	}
	w, err := New(s, Options{})
	if err != nil {
		return err
	}
	db, err := w.openStore(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Check(ctx); err != nil {
		return err
	}
	t, err := db.Tenant(ctx, tenant.Default)
	if err != nil {
		return err
	}
	trace, err := t.Trace(ctx, strings.ToUpper(strings.TrimSpace(code)))
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, tell(trace))
	return err
}

// tell writes a trace as a story.
func tell(t audit.Trace) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Attempt %s began %s.\n\n", t.SupportCode, stamp(t.StartedAt))
	for _, s := range t.Steps {
		fmt.Fprintf(&b, "  %8s  %-10s %s\n", (time.Duration(s.At) * time.Millisecond).String(), plain(s.What), plain(s.Said))
	}
	if len(t.Grants) == 0 {
		b.WriteString("\nNothing was granted.\n")
	}
	for _, g := range t.Grants {
		fmt.Fprintf(&b, "\nGrant %s\n  client %s, account %s, scopes %s\n", g.ID, plain(g.ClientID), g.UserID, plain(g.Scopes))
		fmt.Fprintf(&b, "  %s  code issued\n", stamp(g.IssuedAt))
		if !g.RedeemedAt.IsZero() {
			fmt.Fprintf(&b, "  %s  code redeemed\n", stamp(g.RedeemedAt))
		}
		if g.Generation > 0 {
			times := "times"
			if g.Generation == 1 {
				times = "time"
			}
			fmt.Fprintf(&b, "  %s  refreshed, %d %s so far\n", stamp(g.RotatedAt), g.Generation, times)
		}
		if !g.RevokedAt.IsZero() {
			fmt.Fprintf(&b, "  %s  revoked: %s\n", stamp(g.RevokedAt), g.Reason)
		}
	}
	return b.String()
}

// plain takes out of a text what a terminal would obey. What a provider has said of
// its failure may stand in it.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000Z") }
