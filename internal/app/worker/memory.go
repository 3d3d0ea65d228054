package worker

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// smallHeap is what a worker needs under a burst of logins, each of which makes
	// 19 MiB of garbage for its password's hash.
	smallHeap = 96 << 20
	// roomToBreathe is by how much the limit stays above what lives, so that the
	// collector of a worker with much in memory is not kept busy by the limit.
	roomToBreathe = 2
	// ease is how much garbage may gather beside what lives, in per cent: what lives
	// is small, and the limit above is what bounds the heap.
	ease = 400
)

// boundMemory keeps the garbage of password hashes from piling up: left alone, the
// collector waits until the heap has doubled, and with such buffers that is late.
// An operator who has set GOMEMLIMIT knows better.
func boundMemory(ctx context.Context) {
	if os.Getenv("GOMEMLIMIT") != "" { //nolint:forbidigo // It is a setting of the Go runtime, not of ours.
		return
	}
	debug.SetGCPercent(ease)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		limit := int64(smallHeap)
		if metrics.Read(live); live[0].Value.Kind() == metrics.KindUint64 {
			limit = max(limit, roomToBreathe*int64(min(live[0].Value.Uint64(), 1<<40)))
		}
		debug.SetMemoryLimit(limit)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
