package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// File appends lines to a file. It opens the file anew for each batch, so that
// whoever rotates it need only rename it; and a line is on the disk when it is said
// to be.
type File struct {
	Path string
}

// Name implements [Sink].
func (f File) Name() string { return "file " + f.Path }

// Write implements [Sink].
func (f File) Write(_ context.Context, lines []Line) (err error) {
	if len(lines) == 0 {
		return nil
	}
	file, created, err := f.open()
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	half, err := endsWithin(file)
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	var batch []byte
	if half {
		// A full disk or a crash cut the last line short. It will come again, whole.
		batch = append(batch, '\n')
	}
	for _, l := range lines {
		batch = append(append(batch, l.JSON...), '\n')
	}
	if _, err = file.Write(batch); err == nil {
		err = file.Sync()
	}
	if err == nil && created {
		err = syncFolder(filepath.Dir(f.Path))
	}
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	return nil
}

// open opens the file, and says whether it is new. Who may read it is for whoever
// rotates it to widen.
func (f File) open() (file *os.File, created bool, err error) {
	const flags = os.O_RDWR | os.O_APPEND
	file, err = os.OpenFile(f.Path, flags, 0)
	if errors.Is(err, os.ErrNotExist) {
		file, err = os.OpenFile(f.Path, flags|os.O_CREATE, 0o600)
		return file, true, err
	}
	return file, false, err
}

// endsWithin reports whether a file ends within a line.
func endsWithin(file *os.File) (bool, error) {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false, err
	}
	var last [1]byte
	_, err = file.ReadAt(last[:], size-1)
	return last[0] != '\n', err
}

// syncFolder writes down that a file is in a folder.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
