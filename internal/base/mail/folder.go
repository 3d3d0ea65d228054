package mail

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"dex/internal/base/clock"
)

// Folder puts mail into a folder instead of sending it, a file each, as mail programs
// open them. It is for trying things out: what leads to somebody's account lies there.
type Folder struct {
	Path  string
	From  From
	Clock clock.Clock
}

// Send implements [Sender]. A message that is sent again takes its own place.
func (f Folder) Send(_ context.Context, id string, m Message) error {
	built, err := build(f.From, f.Clock, id, m)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	file, err := os.CreateTemp(f.Path, ".new-*") // it is readable by its owner alone
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // nothing is there any more if all went well
	_, err = built.WriteTo(file)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(f.Path, id+".eml"))
	}
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	return nil
}
