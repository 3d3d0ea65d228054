package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"dex/internal/app/config"
	"dex/internal/app/story"
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
	_, err = io.WriteString(out, story.Tell(trace))
	return err
}
