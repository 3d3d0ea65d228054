package duty

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/sink"
	"dex/internal/domain/audit"
	"dex/internal/domain/system"
)

const (
	// exportBatch is how many events are handed on at once.
	exportBatch = 200
	// exportPause is how long the first wait is after a sink has failed, and
	// exportLongest the last.
	exportPause   = 5 * time.Second
	exportLongest = 5 * time.Minute
)

// Export hands on the record of what was done, oldest first: an event counts as
// handed on when every sink has taken it. A sink that fails is asked again ever more
// rarely, and until it answers nothing goes on to any; a sink that has taken what
// another has not is spared it while this process lives.
func Export(record audit.Exports, sinks []sink.Sink, c clock.Clock, every time.Duration) Duty {
	e := &exporter{record: record, sinks: sinks, clock: c, taken: make([]map[string]bool, len(sinks))}
	return Duty{Name: system.ExportAudit, Every: every, Do: e.all, Rests: e.resting}
}

type exporter struct {
	record audit.Exports
	sinks  []sink.Sink
	clock  clock.Clock

	mu       sync.Mutex        // an operator may ask for a run while one is under way
	taken    []map[string]bool // by sink: which events it has, though they are not marked
	failures int
	rests    atomic.Pointer[time.Time] // until then nobody is asked, but for an operator
}

// resting reports whether the sinks are left alone after a failure.
func (e *exporter) resting(now time.Time) bool {
	until := e.rests.Load()
	return until != nil && now.Before(*until)
}

// all hands on what there is, batch by batch. One run at a time goes on in a process.
func (e *exporter) all(ctx context.Context) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	total := 0
	for {
		n, err := e.batch(ctx)
		total += n
		if err != nil {
			until := e.clock.Now().Add(min(exportPause<<min(e.failures, 10), exportLongest))
			e.failures++
			e.rests.Store(&until)
			return exported(total), err
		}
		e.failures = 0
		e.rests.Store(nil)
		if n < exportBatch {
			return exported(total), nil
		}
	}
}

func exported(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("handed on %d events", n)
}

func (e *exporter) batch(ctx context.Context) (int, error) {
	events, err := e.record.Unexported(ctx, exportBatch)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	lines := make([]sink.Line, len(events))
	for i, event := range events {
		text, err := event.JSON()
		if err != nil {
			return 0, err
		}
		lines[i] = sink.Line{ID: event.ID, At: event.At, Kind: string(event.Kind), JSON: text}
	}
	for i, s := range e.sinks {
		if err := s.Write(ctx, e.missing(i, lines)); err != nil {
			return 0, fmt.Errorf("%s: %w", s.Name(), err)
		}
		e.note(i, lines)
	}
	if err := e.record.MarkExported(ctx, events, e.clock.Now()); err != nil {
		return 0, err
	}
	clear(e.taken)
	return len(events), nil
}

// missing returns the lines that a sink does not have yet.
func (e *exporter) missing(i int, lines []sink.Line) (rest []sink.Line) {
	for _, l := range lines {
		if !e.taken[i][l.ID] {
			rest = append(rest, l)
		}
	}
	return rest
}

func (e *exporter) note(i int, lines []sink.Line) {
	e.taken[i] = map[string]bool{}
	for _, l := range lines {
		e.taken[i][l.ID] = true
	}
}
