package api

import (
	chain "container/list"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"dex/internal/base/fault"
)

// Rate is how much one caller may ask for.
type Rate struct {
	PerSecond float64
	Burst     int
}

// What callers may ask for where [Options] says nothing else. A whole configuration
// is applied in one request, so that nobody needs many.
var (
	defaultRate = Rate{PerSecond: 20, Burst: 200}
	// Of requests without a token that counts, together with all of their network.
	defaultStrangers = Rate{PerSecond: 1, Burst: 60}
)

// maxBuckets is of how many callers we remember how much they have asked for.
const maxBuckets = 4096

// limiter gives each caller a bucket of requests that fills up again. It remembers the
// callers that it has seen last, and no more of them than it was told.
type limiter struct {
	rate Rate

	mu     sync.Mutex
	known  map[string]*chain.Element
	recent *chain.List // of *bucket, the last one first
}

type bucket struct {
	caller string
	tokens *rate.Limiter
}

func newLimiter(r Rate) *limiter {
	return &limiter{rate: r, known: map[string]*chain.Element{}, recent: chain.New()}
}

// take takes a request out of the caller's bucket. It returns a fault of kind
// Throttled if the bucket is empty.
func (l *limiter) take(caller string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.known[caller]
	if !ok {
		e = l.recent.PushFront(&bucket{caller: caller, tokens: rate.NewLimiter(rate.Limit(l.rate.PerSecond), l.rate.Burst)})
		l.known[caller] = e
		if l.recent.Len() > maxBuckets {
			last := l.recent.Remove(l.recent.Back()).(*bucket)
			delete(l.known, last.caller)
		}
	}
	l.recent.MoveToFront(e)
	if e.Value.(*bucket).tokens.AllowN(now, 1) {
		return nil
	}
	f := fault.New(fault.Throttled, "These are too many requests in a short time. Please wait a moment.")
	f.RetryAfter = time.Duration(float64(time.Second) / l.rate.PerSecond)
	return f
}
