package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Crowd is a number of clients that are ready for one operation.
type Crowd struct {
	operation Operation
	workers   []*worker
}

// NewCrowd makes n clients ready: they have signed in, if the operation needs it.
func NewCrowd(t *Target, o Operation, n int) (*Crowd, error) {
	c := &Crowd{operation: o}
	for i := range n {
		w := newWorker(t, i)
		c.workers = append(c.workers, w)
		if o.prepare == nil {
			continue
		}
		if err := o.prepare(w); err != nil {
			c.Close()
			return nil, fmt.Errorf("make ready for %s: %w", o.Name, err)
		}
	}
	return c, nil
}

// Close closes all connections.
func (c *Crowd) Close() {
	for _, w := range c.workers {
		w.browser.Close()
	}
}

// Result is what a run of the crowd came to. Operations that failed are not among
// those counted.
type Result struct {
	Operations int
	Elapsed    time.Duration
	P50, P99   time.Duration
	Failed     int
	Waiting    int      // of those, who were told to come back later (429)
	Failures   []string // the first of each kind
}

// maxFailures ends a client that has nothing but failures to tell of.
const maxFailures = 50

// Run lets all clients do the operation again and again for a time, or until ctx
// is done, and returns when the last one has finished what it had begun. So all
// that the server spends in between it spends on the operations that are counted.
func (c *Crowd) Run(ctx context.Context, d time.Duration) Result {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	logs := make([]runLog, len(c.workers))
	start := time.Now()
	var wg sync.WaitGroup
	for i, w := range c.workers {
		wg.Go(func() { logs[i].run(ctx, w, c.operation) })
	}
	wg.Wait()
	return summarize(logs, time.Since(start))
}

// runLog is what one client has seen.
type runLog struct {
	took     []time.Duration
	failed   int
	waiting  int
	failures map[string]bool
}

func (l *runLog) run(ctx context.Context, w *worker, o Operation) {
	for ctx.Err() == nil && l.failed < maxFailures {
		start := time.Now()
		if err := o.do(w); err != nil {
			l.fail(err)
			continue
		}
		l.took = append(l.took, time.Since(start))
	}
}

func (l *runLog) fail(err error) {
	l.failed++
	if e, ok := errors.AsType[*statusError](err); ok && e.status == 429 {
		l.waiting++
	}
	if l.failures == nil {
		l.failures = map[string]bool{}
	}
	if len(l.failures) < 3 {
		l.failures[err.Error()] = true
	}
}

func summarize(logs []runLog, elapsed time.Duration) Result {
	r := Result{Elapsed: elapsed}
	var took []time.Duration
	failures := map[string]bool{}
	for _, l := range logs {
		took = append(took, l.took...)
		r.Failed += l.failed
		r.Waiting += l.waiting
		maps.Copy(failures, l.failures)
	}
	slices.Sort(took)
	r.Operations = len(took)
	r.P50, r.P99 = quantile(took, 50), quantile(took, 99)
	r.Failures = slices.Sorted(maps.Keys(failures))
	r.Failures = r.Failures[:min(3, len(r.Failures))]
	return r
}

// quantile returns the smallest of the sorted values that p percent of them do not
// exceed.
func quantile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}

// Err returns an error if anything failed or nothing was done.
func (r Result) Err() error {
	switch {
	case r.Failed > 0:
		return fmt.Errorf("%d of %d failed: %q", r.Failed, r.Failed+r.Operations, r.Failures)
	case r.Operations == 0:
		return errors.New("nothing was done in the time given")
	}
	return nil
}
