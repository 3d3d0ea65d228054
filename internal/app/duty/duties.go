package duty

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dex/internal/base/clock"
	"dex/internal/domain/key"
	"dex/internal/protocol/jose"
)

// Rotation is how the signing keys of all tenants are kept on their timeline.
type Rotation struct {
	// Timelines tells of every tenant when its keys are announced, sign and go.
	Timelines func(ctx context.Context) (map[string][]key.Key, error)
	// Store returns where a tenant's keys are kept.
	Store func(ctx context.Context, tenantID string) (key.Store, error)
	// Longest returns the longest life of a token that a client of the tenant has of
	// its own; nil if there is none.
	Longest    func(ctx context.Context, tenantID string) (time.Duration, error)
	Algorithms []jose.Algorithm
	Timing     key.Timing
	Clock      clock.Clock
}

// RotateKeys keeps the timelines of the signing keys of all tenants. Only those
// that have something to do are opened; one that cannot be turned holds up no
// other.
func RotateKeys(r Rotation) Duty {
	return Duty{Name: "rotate keys", Every: r.Timing.Refresh, Do: r.turn}
}

func (r Rotation) turn(ctx context.Context) (string, error) {
	timelines, err := r.Timelines(ctx)
	if err != nil {
		return "", err
	}
	var turned []string
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(timelines)) {
		if ctx.Err() != nil {
			break
		}
		if key.Plan(timelines[id], r.Algorithms, r.Timing, r.Clock.Now()).Empty() {
			continue
		}
		did, err := r.turnOne(ctx, id)
		if err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", id, err))
		}
		if did {
			turned = append(turned, id)
		}
	}
	return describeTurn(turned), errors.Join(errs...)
}

func (r Rotation) turnOne(ctx context.Context, id string) (bool, error) {
	s, err := r.Store(ctx, id)
	if err != nil {
		return false, err
	}
	timing := r.Timing
	if r.Longest != nil {
		longest, err := r.Longest(ctx, id)
		if err != nil {
			return false, err
		}
		timing = timing.Covering(longest)
	}
	return (&key.Ring{Store: s, Clock: r.Clock, Timing: timing}).Turn(ctx, r.Algorithms)
}

// maxNamed is how many tenants are named in what a duty says it did.
const maxNamed = 5

func describeTurn(turned []string) string {
	switch n := len(turned); {
	case n == 0:
		return ""
	case n > maxNamed:
		return fmt.Sprintf("the timelines of the signing keys went on, of %d tenants", n)
	default:
		return "the timeline of the signing keys went on, of " + strings.Join(turned, ", ")
	}
}

// Clearer deletes what has expired.
type Clearer interface {
	// ClearAway deletes up to a batch of rows of each table that have expired, and
	// says how many of which.
	ClearAway(ctx context.Context, now time.Time, batch int) (map[string]int, error)
}

// clearBatch bounds one statement, so that clearing away never holds anybody up.
const clearBatch = 1000

// ClearAway deletes what has expired, batch by batch, until nothing is left.
func ClearAway(store Clearer, c clock.Clock, every time.Duration) Duty {
	return Duty{
		Name:  "clear away",
		Every: every,
		Do: func(ctx context.Context) (string, error) {
			total := map[string]int{}
			for ctx.Err() == nil {
				cleared, err := store.ClearAway(ctx, c.Now(), clearBatch)
				if err != nil {
					return describe(total), err
				}
				more := false
				for table, n := range cleared {
					total[table] += n
					more = more || n >= clearBatch
				}
				if !more {
					break
				}
			}
			return describe(total), nil
		},
	}
}

func describe(cleared map[string]int) string {
	var parts []string
	for _, table := range slices.Sorted(maps.Keys(cleared)) {
		if n := cleared[table]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, table))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "cleared away " + strings.Join(parts, ", ")
}

// UseCounter knows who has used which client.
type UseCounter interface {
	// CountUse takes down a batch of what has happened since it was last called, and
	// reports whether there is more.
	CountUse(ctx context.Context, now time.Time, batch int) (more bool, err error)
}

// CountUse takes down who has used which client by which connector, so that a plan
// can say whom a change concerns.
func CountUse(store UseCounter, c clock.Clock, every time.Duration) Duty {
	return Duty{
		Name:  "count client use",
		Every: every,
		Do: func(ctx context.Context) (string, error) {
			for more := true; more && ctx.Err() == nil; {
				var err error
				if more, err = store.CountUse(ctx, c.Now(), clearBatch); err != nil {
					return "", err
				}
			}
			return "", nil
		},
	}
}
