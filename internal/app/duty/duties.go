package duty

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dex/internal/base/clock"
	"dex/internal/domain/key"
	"dex/internal/protocol/jose"
)

// RotateKeys keeps the timeline of a tenant's signing keys.
func RotateKeys(tenantID string, ring *key.Ring, algs []jose.Algorithm) Duty {
	return Duty{
		Name:  "rotate keys of " + tenantID,
		Every: ring.Timing.Refresh,
		Do: func(ctx context.Context) (string, error) {
			did, err := ring.Turn(ctx, algs)
			if err != nil || !did {
				return "", err
			}
			return "the timeline of the signing keys went on", ring.Refresh(ctx)
		},
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
