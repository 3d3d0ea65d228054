package oidc

import (
	"context"
	"sync"
	"time"

	"dex/internal/base/clock"
)

const (
	// loadTimeout is how long the other side has to answer, whoever waits for it.
	loadTimeout = 8 * time.Second
	// holdOff is how long a provider that does not answer is left alone: logins fail
	// at once instead of each waiting in turn.
	holdOff = 5 * time.Second
	// maxStale is how old a document may be that serves while there is no newer one.
	maxStale = 24 * time.Hour
)

// cached is a document of the other side's. It is fetched when it is first needed
// and when it has become old, by one of those who need it; while the other side
// does not answer, the old one serves.
type cached[T any] struct {
	clock  clock.Clock
	maxAge time.Duration
	load   func(context.Context) (T, error)

	mu       sync.Mutex
	value    T
	loadedAt time.Time // zero if it never was
	err      error     // of the last attempt
	failedAt time.Time
	loading  chan struct{} // closed when the attempt under way ends; nil if none is
}

// get returns the document, fetching it if need be.
func (c *cached[T]) get(ctx context.Context) (T, error) {
	c.mu.Lock()
	now := c.clock.Now()
	if !c.loadedAt.IsZero() && now.Sub(c.loadedAt) < c.maxAge || c.err != nil && now.Sub(c.failedAt) < holdOff {
		defer c.mu.Unlock()
		return c.held(now)
	}
	return c.fetch(ctx)
}

// renew fetches the document, even if the one we have is not old.
func (c *cached[T]) renew(ctx context.Context) (T, error) {
	c.mu.Lock()
	return c.fetch(ctx)
}

// check says whether the other side answers. It asks, unless somebody just did.
func (c *cached[T]) check(ctx context.Context) error {
	c.mu.Lock()
	now, err := c.clock.Now(), c.err
	asked := c.loadedAt
	if c.failedAt.After(asked) {
		asked = c.failedAt
	}
	if !asked.IsZero() && now.Sub(asked) < holdOff {
		c.mu.Unlock()
		return err
	}
	if _, err := c.fetch(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err // an old document may still serve
}

// held returns what there is.
func (c *cached[T]) held(now time.Time) (T, error) {
	if c.err != nil && (c.loadedAt.IsZero() || now.Sub(c.loadedAt) >= max(maxStale, c.maxAge)) {
		var none T
		return none, c.err
	}
	return c.value, nil
}

// fetch joins the attempt that is under way, or begins one. It is called with the
// lock held and gives it back.
//
// The attempt belongs to all who wait for it, so that it goes on when the one who
// began it leaves.
func (c *cached[T]) fetch(ctx context.Context) (T, error) {
	if c.loading == nil {
		c.loading = make(chan struct{})
		go c.attempt(context.WithoutCancel(ctx), c.loading)
	}
	loading := c.loading
	c.mu.Unlock()
	select {
	case <-loading:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.held(c.clock.Now())
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (c *cached[T]) attempt(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	value, err := c.load(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	if c.err = err; err != nil {
		c.failedAt = now
	} else {
		c.value, c.loadedAt = value, now
	}
	c.loading = nil
	close(done)
}
