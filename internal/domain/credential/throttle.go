package credential

import (
	"time"

	"dex/internal/base/secret"
)

// Bucket is one place where failures are counted. Its key is a hash, so that the
// store holds no names of accounts that may not exist.
type Bucket struct {
	Key  secret.Hash
	Kind BucketKind
}

// BucketKind says what a bucket counts, and so how quickly it slows down.
type BucketKind uint8

// The kinds of buckets.
const (
	// KnownDevice counts failures on one account from a browser that has logged in
	// to it before. A stranger cannot fill it, so the owner is never locked out.
	KnownDevice BucketKind = iota + 1
	// Account counts failures on one login name from one network, other than those
	// from known devices. Whoever guesses fills their own network's, so the owner is
	// let in from any other.
	Account
	// Everywhere counts failures on one account from all networks together, an
	// [EverywhereSpan] at a time. It bounds what many networks can guess.
	Everywhere
	// Network counts failures from one network, whatever the account.
	Network
	// Newcomers counts the applications that one network has registered without being
	// invited, which are no failures, and yet not for anybody to have without an end.
	Newcomers
)

// EverywhereSpan is for how long failures are counted in one bucket of the kind
// [Everywhere], before the next begins at zero. In that time one network fails at
// most 71 times at one name. An account has two, a user name and a mail address,
// and both together do not use up what is free, however long it goes on. A bucket
// that forgot only when nobody fails would be filled by whoever keeps asking.
const EverywhereSpan = time.Hour

// Throttle is the state of one bucket.
type Throttle struct {
	Failures int
	LastAt   time.Time
}

// pace is how a kind of bucket slows down: so many failures are free, then the
// wait doubles from one second up to the longest; when nothing has failed for
// as long as forget, all is forgotten.
type pace struct {
	free    int
	longest time.Duration
	forget  time.Duration
}

var paces = map[BucketKind]pace{
	KnownDevice: {free: 5, longest: time.Minute, forget: time.Hour},
	Account:     {free: 5, longest: time.Minute, forget: time.Hour},
	Everywhere:  {free: 200, longest: time.Minute, forget: EverywhereSpan},
	Network:     {free: 100, longest: 10 * time.Second, forget: 10 * time.Minute},
	Newcomers:   {free: 200, longest: time.Minute, forget: 10 * time.Minute},
}

// Wait returns how long an attempt has to wait, zero if it may go on. It slows
// down and never stops: a wait has an upper bound, so that a guesser cannot turn
// the throttle into a weapon against the owner.
func (t Throttle) Wait(kind BucketKind, now time.Time) time.Duration {
	p := paces[kind]
	over := t.Failures - p.free
	// The failure may have been counted by a clock that is ahead of ours.
	since := max(0, now.Sub(t.LastAt))
	if over < 0 || since >= p.forget {
		return 0
	}
	wait := p.longest
	if over < 10 { // 17 minutes and more than any longest wait; far beyond, a shift would overflow
		wait = min(time.Second<<over, p.longest)
	}
	return max(0, wait-since)
}

// Spent reports whether the free failures are used up, so that every further
// attempt has to take its turn.
func (t Throttle) Spent(kind BucketKind, now time.Time) bool {
	p := paces[kind]
	return t.Failures >= p.free && now.Sub(t.LastAt) < p.forget
}

// Next returns the state after one more failure.
func (t Throttle) Next(kind BucketKind, now time.Time) Throttle {
	if now.Sub(t.LastAt) >= paces[kind].forget {
		t.Failures = 0
	}
	return Throttle{Failures: t.Failures + 1, LastAt: now}
}

// Forget returns how long the kind remembers failures, for clearing away.
func (k BucketKind) Forget() time.Duration { return paces[k].forget }
