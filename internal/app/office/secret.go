package office

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"dex/internal/base/secret"
	"dex/internal/connector/founding"
	"dex/internal/domain/audit"
	"dex/internal/store"
)

// Offer makes a new one-time secret by which the first administrator can be made, and
// tells until when it counts.
func Offer(ctx context.Context, db *store.DB, actor string) (secret.Value, time.Time, error) {
	value, now := secret.New(secret.FoundingPrefix), db.Clock().Now()
	until := now.Add(founding.Valid)
	return value, until, db.OfferFounding(ctx, value.Hash(), until, audit.By{Actor: actor, At: now})
}

// Greeting is how whoever installs dex gets the one-time secret.
type Greeting struct {
	DB       *store.DB
	Log      *slog.Logger
	Terminal io.Writer // nil if nobody looks
	File     string    // empty for none
	API      string    // where the administrators' API is
	Command  string    // that makes another secret
}

// Greet offers a one-time secret if there is no administrator yet, to one place: the
// file that the settings name, or the terminal. Of many processes that begin at once
// one does.
func (g Greeting) Greet(ctx context.Context) error {
	founded, err := g.DB.Founded(ctx)
	if err != nil || founded {
		return err
	}
	if g.File == "" && g.Terminal == nil {
		g.Log.Info("there is no administrator yet", "make_one_with", g.Command)
		return nil
	}
	now := g.DB.Clock().Now()
	mine, err := g.DB.TakeTurn(ctx, "offer the bootstrap secret", Name(), now.Add(founding.Valid), now)
	if err != nil || !mine {
		return err
	}
	value, until, err := Offer(ctx, g.DB, "server "+Name())
	if err != nil {
		return err
	}
	if g.File != "" {
		g.Log.Info("the one-time secret for the first administrator is in a file", "file", g.File, "until", until.Format(time.RFC3339))
		return writeSecret(g.File, string(value)+"\n")
	}
	_, err = fmt.Fprintf(g.Terminal, "\n  There is no administrator yet. With this secret the first one is made, once, until %s:\n\n    %s\n\n    dexctl bootstrap --api %s\n\n",
		until.Format("15:04 MST"), string(value), g.API)
	return err
}

// writeSecret writes a file that only we can read, in the place of one that may be
// there.
func writeSecret(name, text string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the bootstrap secret: %w", err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("the bootstrap secret: %w", err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("the bootstrap secret: %w", err)
	}
	return nil
}
