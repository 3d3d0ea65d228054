// Package sink is where a record is handed on to: a file, the system's log, a
// webhook.
//
// A sink takes lines in batches, and says that it has them only when it has: on the
// disk, on the wire, or by the word of the other side. Whoever hands them on may do so
// twice; each line has an id by which the other side can tell.
package sink

import (
	"context"
	"time"
)

// Line is one entry of a record.
type Line struct {
	ID   string
	At   time.Time
	Kind string
	JSON []byte // an object, without line breaks
}

// Sink takes lines.
type Sink interface {
	// Name says in a word or two where the lines go, for the log.
	Name() string
	// Write takes all lines, in order, or returns why not. Then it may have taken some.
	Write(ctx context.Context, lines []Line) error
}

// patience is how long another side may take for a batch.
const patience = 15 * time.Second
