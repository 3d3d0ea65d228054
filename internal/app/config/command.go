package config

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"dex/internal/base/strict"
)

const (
	// commandPatience is how long a command may take that tells a secret.
	commandPatience = 10 * time.Second
	// maxComplaint is how much of what a command complains of is repeated.
	maxComplaint = 300
)

// runCommand runs a program and returns what it prints. There is no shell: nothing in
// a word means anything but itself. What the program prints is a secret, so that an
// error tells what it said beside it and nothing of that.
func runCommand(words []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandPatience)
	defer cancel()
	out, complaint := &bounded{most: strict.MaxValue}, &bounded{most: maxComplaint}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // The operator says what to run.
	cmd.Stdout, cmd.Stderr = out, complaint
	cmd.WaitDelay = time.Second // what it has started may hold on to what we read
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("it has not ended within %v", commandPatience)
	case err == nil && out.full:
		err = fmt.Errorf("it prints more than %d KiB", strict.MaxValue>>10)
	case err == nil:
		return out.kept, nil
	}
	if exit, ok := errors.AsType[*exec.Error](err); ok {
		err = exit.Err // the name stands in front of it
	}
	if said := strings.Join(strings.Fields(string(complaint.kept)), " "); said != "" {
		return nil, fmt.Errorf("%w: %s", err, said)
	}
	return nil, err
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	kept []byte
	most int
	full bool
}

// Write implements [io.Writer].
func (b *bounded) Write(p []byte) (int, error) {
	room := min(len(p), b.most-len(b.kept))
	b.kept = append(b.kept, p[:room]...)
	b.full = b.full || room < len(p)
	return len(p), nil
}
