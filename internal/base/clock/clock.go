// Package clock tells the time, so that tests can move it.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time.
type Clock interface {
	Now() time.Time
}

// System is the clock of this machine.
type System struct{}

// Now implements [Clock].
func (System) Now() time.Time { return now() }

// Anchored follows a clock that is read from elsewhere, such as the database's.
// Between two readings it advances by this machine's monotonic clock, so that
// neither a wall clock that is wrong nor one that jumps is ever believed. Until
// the first reading it tells the system's time.
type Anchored struct {
	mu       sync.RWMutex
	distant  time.Time // what the other clock showed …
	observed time.Time // … at this moment of our own, which carries the monotonic reading
}

// Now implements [Clock].
func (a *Anchored) Now() time.Time {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.observed.IsZero() {
		return now()
	}
	return a.distant.Add(now().Sub(a.observed))
}

// Anchor records a reading of the other clock that was asked for at asked and
// had arrived now. It takes the reading to stem from the middle of the two.
func (a *Anchored) Anchor(reading, asked time.Time) {
	took := now().Sub(asked)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.distant = reading.Round(0)
	a.observed = asked.Add(took / 2)
}

// Fake is a clock that stands still until it is moved. Its zero value stands at
// the beginning of 2026.
type Fake struct {
	mu  sync.Mutex
	now time.Time
}

var fakeStart = time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)

// Now implements [Clock].
func (f *Fake) Now() time.Time { return f.move(0) }

// Advance moves the clock.
func (f *Fake) Advance(d time.Duration) { f.move(d) }

func (f *Fake) move(d time.Duration) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now.IsZero() {
		f.now = fakeStart
	}
	f.now = f.now.Add(d)
	return f.now
}
