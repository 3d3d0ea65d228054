package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// row is an operation on both databases, in the median of its turns.
type row struct {
	name         string
	turns        int
	small, large time.Duration
}

// warmUp is how many turns are not counted: statements are prepared in them, and
// pages read that everybody needs.
const warmUp = 10

// measure lets an operation take turns on both databases, so that what disturbs the
// machine disturbs both.
func measure(ctx context.Context, o operation, small, large *database, turns int) (row, error) {
	r := row{name: o.name, turns: turns}
	took := map[*database][]time.Duration{}
	for i := range warmUp + turns {
		for _, d := range []*database{small, large} {
			one, err := o.turn(ctx, d)
			if err != nil {
				return r, fmt.Errorf("%s, among %d users: %w", o.name, d.users, err)
			}
			if i >= warmUp {
				took[d] = append(took[d], one)
			}
		}
	}
	r.small, r.large = quantile(took[small], 0.5), quantile(took[large], 0.5)
	return r, nil
}

func (o operation) turn(ctx context.Context, d *database) (time.Duration, error) {
	if o.before != nil {
		if err := o.before(ctx, d); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	err := o.do(ctx, d)
	return time.Since(began), err
}

// quantile is what so large a part of the durations does not exceed.
func quantile(took []time.Duration, part float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(len(sorted)-1, int(part*float64(len(sorted))))]
}

// clearing is how expired rows went while people logged in.
type clearing struct {
	rows    int
	batches []time.Duration
	took    time.Duration
	// logins one after another: before it began, while it went on, and after it.
	before, during, after []time.Duration
}

// clearBatch is that of the duty, see internal/app/duty.
const clearBatch = 1000

// clearAway clears away all that has expired, and logs in before, meanwhile and
// afterwards.
func clearAway(ctx context.Context, d *database, logins int) (c clearing, err error) {
	some := func(more func(done int) bool) (took []time.Duration, err error) {
		for more(len(took)) {
			began := time.Now()
			if err := d.login(ctx, "p"+d.somebody()); err != nil {
				return nil, err
			}
			took = append(took, time.Since(began))
		}
		return took, nil
	}
	few := func(done int) bool { return done < logins }
	if c.before, err = some(few); err != nil {
		return c, err
	}
	over := make(chan error, 1)
	go func() { over <- c.batchwise(ctx, d) }()
	var failed error
	c.during, err = some(func(int) bool {
		select {
		case failed = <-over:
			return false
		default:
			return true
		}
	})
	if err != nil {
		return c, err
	}
	if failed != nil {
		return c, failed
	}
	c.after, err = some(few)
	return c, err
}

// batchwise clears away batch by batch, as the duty does.
func (c *clearing) batchwise(ctx context.Context, d *database) error {
	start := time.Now()
	for more := true; more; {
		began := time.Now()
		deleted, err := d.db.ClearAway(ctx, d.db.Clock().Now(), clearBatch)
		if err != nil {
			return err
		}
		c.batches = append(c.batches, time.Since(began))
		more = false
		for _, n := range deleted {
			c.rows += n
			more = more || n >= clearBatch
		}
	}
	c.took = time.Since(start)
	if c.rows < d.expired {
		return fmt.Errorf("%d rows were cleared away of %d", c.rows, d.expired)
	}
	return nil
}

// perThousand is what a thousand rows took.
func (c clearing) perThousand() time.Duration {
	if c.rows == 0 {
		return 0
	}
	return c.took * 1000 / time.Duration(c.rows)
}
