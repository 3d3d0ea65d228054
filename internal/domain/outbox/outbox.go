// Package outbox is what has to leave the house because of something that happened
// here: a mail with an invitation, a notice of a logout.
//
// A message is queued in the transaction of its cause, so that there is never one
// without the other. It is delivered at least once: whoever delivers takes it for a
// while, during which nobody else does, and it is gone when that has worked. What
// could not be delivered is tried again, ever more rarely, and in the end is dead: it
// stays, to be looked at, until an operator has it tried again or drops it.
package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"dex/internal/domain/audit"
)

// Kind says how a message travels.
type Kind string

// The kinds.
const (
	Mail   Kind = "mail"
	Notify Kind = "notify" // a [Notification]
	Push   Kind = "push"   // a [Delivery]
	// Farewell tells an application that a session has ended, OpenID Connect
	// Back-Channel Logout 1.0.
	Farewell Kind = "logout"
)

// Message is something that has to be delivered.
type Message struct {
	ID   string // sorts by time
	Kind Kind
	Body []byte // a secret: it may hold a link that opens an account
}

// Taken is a message in the hands of somebody who delivers it.
type Taken struct {
	TenantID string
	Message
	// Attempts counts this one. It tells the one who has the message from one who had
	// it before and was too slow.
	Attempts  int
	CreatedAt time.Time
}

// Letter is a message that waits, as an operator sees it: without what is in it.
type Letter struct {
	ID        string
	Kind      Kind
	Attempts  int
	Problem   string // of the last attempt
	CreatedAt time.Time
	NextAt    time.Time
	DeadAt    time.Time // zero as long as it is tried
}

// Backlog is how much waits, in all tenants.
type Backlog struct {
	Waiting int
	Dead    int
	Oldest  time.Time // of those that wait; zero if none does
}

// Queue is where whoever delivers takes from. It is of all tenants.
type Queue interface {
	// TakeDue takes up to so many messages of the given kinds that are due, until the
	// given time: if nothing has been heard of them by then, they are due again.
	TakeDue(ctx context.Context, kinds []Kind, most int, until, now time.Time) ([]Taken, error)
	// Delivered says that a message has arrived.
	Delivered(ctx context.Context, m Taken) error
	// PutOff says why a message did not arrive, and when to try again.
	PutOff(ctx context.Context, m Taken, problem string, next time.Time) error
	// GiveUp says why a message never will arrive.
	GiveUp(ctx context.Context, m Taken, problem string, now time.Time) error
}

// Desk is where an operator looks at what waits in a tenant.
type Desk interface {
	// Letters returns what waits, oldest first, from after an id on; only what is dead
	// if so asked.
	Letters(ctx context.Context, onlyDead bool, after string, most int) ([]Letter, error)
	// RetryLetter has a message tried again at once, as if for the first time. It
	// returns a fault of kind NotFound if there is none.
	RetryLetter(ctx context.Context, id string, by audit.By) error
	// DropLetter throws a message away. It returns a fault of kind NotFound if there is
	// none.
	DropLetter(ctx context.Context, id string, by audit.By) error
}

// Carrier delivers messages of one kind.
type Carrier interface {
	// Carry delivers a message. It may do so twice. An error that is made by [Refuse]
	// says that another attempt would change nothing.
	Carry(ctx context.Context, m Taken) error
}

// refusal is an error for good.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// Refuse marks an error as one that another attempt would not mend.
func Refuse(err error) error {
	if err == nil {
		return nil
	}
	return refusal{err}
}

// IsRefusal reports whether another attempt would change nothing.
func IsRefusal(err error) bool {
	_, ok := errors.AsType[refusal](err)
	return ok
}

// How often it is tried, and how far apart: a minute or two after the first time,
// because a greylisting server wants to see us again soon; then ever later, for a day
// and a half.
const (
	MaxAttempts = 14
	firstPause  = time.Minute
	longest     = 6 * time.Hour
)

// Pause returns how long to wait after an attempt, the first being 1, and false if it
// was the last. Luck, from 0 to 1, spreads out what has failed at the same time.
func Pause(attempt int, luck float64) (time.Duration, bool) {
	if attempt >= MaxAttempts {
		return 0, false
	}
	pause := firstPause
	for range max(0, attempt-1) {
		pause = min(2*pause, longest)
	}
	luck = min(max(luck, 0), 1)
	return pause + time.Duration(luck*float64(pause)/2), true
}

// NewID returns a fresh id that sorts by the given time.
func NewID(at time.Time) string {
	const digits = "0123456789abcdefghijklmnopqrstuv"
	var b [10]byte
	for i, n := len(b)-1, uint64(at.UnixMicro()); i >= 0; i, n = i-1, n>>5 {
		b[i] = digits[n&31]
	}
	return "out_" + string(b[:]) + strings.ToLower(rand.Text()[:16])
}
