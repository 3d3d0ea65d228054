package grant

import "time"

// Verdict says what presenting a refresh token leads to.
type Verdict uint8

// The verdicts.
const (
	Dead   Verdict = iota // the family has ended, or never began
	Rotate                // the newest token: it is spent, and the next one is issued
	Repeat                // the one before, within the grace: the answer is the same successor again
	Reuse                 // an older one: somebody has a copy, and the family ends
)

// Present decides what a refresh token of generation gen leads to. The grace is
// what lets a client that lost our answer, or asked twice, ask again: it gets the
// same successor and no second branch grows. Zero or less is no grace at all. RFC
// 9700 section 4.14.2.
func (f Family) Present(gen int, grace time.Duration, now time.Time) Verdict {
	switch {
	case f.Generation == 0, gen < 1, gen > f.Generation, !now.Before(f.IdleUntil), !now.Before(f.ExpiresAt):
		return Dead
	case gen == f.Generation:
		return Rotate
	case gen == f.Generation-1 && grace > 0 && now.Sub(f.RotatedAt) <= grace:
		return Repeat
	default:
		return Reuse
	}
}
