// Package process is what every program of ours begins with: its command line, a log,
// listeners, and the key secrets of the operator.
package process

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	logEvery = 100 * time.Millisecond // how long a line may wait to be written
	logFull  = 32 << 10               // bytes after which nothing waits any more
)

// Log returns a log of the given level and format, and what writes the last lines of
// it before the program ends.
func Log(level, format string, to io.Writer) (log *slog.Logger, flush func()) {
	buffer := &logBuffer{out: to}
	return newLog(level, format, buffer), buffer.Flush
}

func newLog(level, format string, to *logBuffer) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo // it has been checked
	}
	o := &slog.HandlerOptions{Level: least}
	if format == "json" {
		return slog.New(promptly{slog.NewJSONHandler(to, o), to})
	}
	return slog.New(promptly{slog.NewTextHandler(to, o), to})
}

// logBuffer gathers lines of the log, because a system call for each would cost a
// busy server more than all the rest of logging. What matters, a warning or worse,
// is written at once, with all that came before it.
type logBuffer struct {
	out io.Writer

	mu      sync.Mutex
	pending []byte
	waiting bool // somebody will write what is pending
}

// Write implements [io.Writer].
func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = append(b.pending, line...)
	switch {
	case len(b.pending) >= logFull:
		b.flush()
	case !b.waiting:
		b.waiting = true
		time.AfterFunc(logEvery, b.Flush)
	}
	return len(line), nil
}

// Flush writes what is pending.
func (b *logBuffer) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = false
	b.flush()
}

func (b *logBuffer) flush() {
	if len(b.pending) > 0 {
		_, _ = b.out.Write(b.pending) // there is nowhere else to say that it failed
		b.pending = b.pending[:0]
	}
}

// promptly is a handler that has warnings, and what is worse, written at once.
type promptly struct {
	slog.Handler
	buffer *logBuffer
}

// Handle implements [slog.Handler].
func (p promptly) Handle(ctx context.Context, r slog.Record) error {
	err := p.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		p.buffer.Flush()
	}
	return err
}

// WithAttrs implements [slog.Handler].
func (p promptly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return promptly{p.Handler.WithAttrs(attrs), p.buffer}
}

// WithGroup implements [slog.Handler].
func (p promptly) WithGroup(name string) slog.Handler {
	return promptly{p.Handler.WithGroup(name), p.buffer}
}
