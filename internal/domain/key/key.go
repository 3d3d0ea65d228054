// Package key is the signing keys and their rotation.
//
// The keys that others encrypt to are among them, and follow the same timeline: for
// "signs" read "is encrypted to".
//
// A key's life is four instants of absolute time: it is announced, it begins to
// sign, it ceases to sign, and it is removed. What a key is at any moment follows
// from the clock alone, so nobody has to act at the instant of a switch, and a key
// without a successor goes on signing for as long as it has none.
package key

import (
	"context"
	"crypto"
	"errors"
	"io"
	"time"

	"dex/internal/domain/audit"
	"dex/internal/protocol/jose"
)

// Key is a signing key.
type Key struct {
	ID          string // the "kid"
	Alg         jose.Algorithm
	PublishAt   time.Time // from here on it stands in the key set
	SignFrom    time.Time // from here on it signs
	SignUntil   time.Time // zero: until it has a successor
	UnpublishAt time.Time // from here on it counts no more; zero as long as SignUntil is
	Public      crypto.PublicKey
	Private     crypto.Signer // nil once it is destroyed
}

// Published reports whether the key stands in the key set. One that others encrypt to
// leaves the set as soon as it has a successor: nobody should begin to use it.
func (k Key) Published(now time.Time) bool {
	if k.Alg.Encrypts() && !k.SignUntil.IsZero() && !now.Before(k.SignUntil) {
		return false
	}
	return k.Counts(now)
}

// Counts reports whether what was signed by the key, or encrypted to it, is still good.
func (k Key) Counts(now time.Time) bool {
	return !now.Before(k.PublishAt) && (k.UnpublishAt.IsZero() || now.Before(k.UnpublishAt))
}

// signs reports whether it is the key's turn to sign.
func (k Key) signs(now time.Time) bool {
	return k.Private != nil && !now.Before(k.SignFrom) && (k.SignUntil.IsZero() || now.Before(k.SignUntil))
}

// Unopened stands for a private key that is there and has not been looked at. It
// signs nothing.
type Unopened struct{}

// Public implements [crypto.Signer].
func (Unopened) Public() crypto.PublicKey { return nil }

// Sign implements [crypto.Signer]. It fails.
func (Unopened) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the private key has not been opened")
}

// Store keeps the signing keys. Private keys are sealed in it.
type Store interface {
	// SigningKeys returns every key that is not removed, by algorithm and SignFrom.
	SigningKeys(ctx context.Context) ([]Key, error)
	// ApplyKeys makes the changes of a plan, all or none. It returns a fault of kind
	// Conflict if the keys are not as the plan found them.
	ApplyKeys(ctx context.Context, c Changes, now time.Time) error
}

// Desk is where operators look after a tenant's keys.
type Desk interface {
	SigningKeys(ctx context.Context) ([]Key, error)
	// RotateKeys makes the changes of [Rotate] in an operator's name.
	RotateKeys(ctx context.Context, c Changes, by audit.By) error
	// CompromiseKey does what [Compromise] has planned. When it returns, no worker
	// signs with the key or takes what it has signed. It returns a fault of kind
	// Conflict if the keys are not as the plan found them.
	CompromiseKey(ctx context.Context, e Emergency, by audit.By) error
}

// Timing is what the timeline of the keys is reckoned from. All clocks are the
// database's, as each worker follows it.
type Timing struct {
	Rotation   time.Duration // how long a key signs
	Verifiers  time.Duration // the longest cache of a verifier that never asks again in between
	MaxAge     time.Duration // of the key set, by HTTP; what caches on the way may add
	Snapshot   time.Duration // the age at which a worker's picture of the keys stops signing
	Serving    time.Duration // the age at which a worker's picture stops being served to verifiers through the balancer
	Skew       time.Duration // by which clocks may differ
	LongestJWT time.Duration // the longest life of anything that is signed
	Refresh    time.Duration // how often a worker looks at the keys
}

// DefaultTiming is the timing where nothing else is configured.
var DefaultTiming = Timing{
	Rotation:   30 * 24 * time.Hour,
	Verifiers:  24 * time.Hour,
	MaxAge:     5 * time.Minute,
	Snapshot:   10 * time.Minute,
	Serving:    50 * time.Minute,
	Skew:       time.Minute,
	LongestJWT: 10 * time.Minute,
	Refresh:    30 * time.Second,
}

// Lead returns how long before its first signature a key is announced: long enough
// that whoever fetched the key set before has fetched it again.
func (t Timing) Lead() time.Duration { return t.Verifiers + t.MaxAge + t.Serving + 2*t.Skew }

// Covering returns the timing for tokens that live at least so long.
func (t Timing) Covering(longest time.Duration) Timing {
	t.LongestJWT = max(t.LongestJWT, longest)
	return t
}

// keep returns how long a key counts after its last signature. To one that others
// encrypt to they do so for as long as they keep the key set, which is what the lead
// is reckoned from.
func (t Timing) keep(alg jose.Algorithm) time.Duration {
	if alg.Encrypts() {
		return t.Lead()
	}
	return t.Snapshot + t.LongestJWT + t.MaxAge + 2*t.Skew
}
