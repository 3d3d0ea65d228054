// Package fault says what went wrong, by kind, so that each face of the program
// (a page, JSON for clients, a terminal) can translate it in its own way.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the coarse class of a fault. A face decides by kind alone.
type Kind uint8

// The kinds.
const (
	Internal    Kind = iota // our own failure; the details go to the log, never to the caller
	Invalid                 // the input breaks a rule; Field may say which
	NotFound                // there is no such thing
	Conflict                // it exists already, or changed under the caller's feet
	Denied                  // the caller may not do this
	Throttled               // too many attempts; RetryAfter may say when to come back
	Unavailable             // try again later
)

var kindNames = [...]string{"internal", "invalid", "not found", "conflict", "denied", "throttled", "unavailable"}

// String returns the kind's name, for logs.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// ErrChanged is the cause of a fault of kind [Conflict] if what the caller wants to
// change is not any more what they have seen: they look again, and decide anew.
var ErrChanged = errors.New("it has changed meanwhile")

// Error is a fault with a message that is fit for the person who asked.
type Error struct {
	Kind    Kind
	Field   string // the input field at fault, if one is
	Message string // a whole sentence without internals
	Err     error  // the cause, for the log
	// RetryAfter says of a fault of kind Throttled or Unavailable when to come back;
	// zero if nobody knows.
	RetryAfter time.Duration
}

// New returns a fault of a kind with a message for the person who asked.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns a fault of a kind with a message for the person who asked and the
// cause for the log.
func Wrap(kind Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Err: cause}
}

// Error implements error. It is for the log: it holds the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Of returns the kind of the first fault in err's chain. An error that is no
// fault is [Internal].
func Of(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is a fault of the kind.
func Is(err error, kind Kind) bool {
	return err != nil && Of(err) == kind
}
