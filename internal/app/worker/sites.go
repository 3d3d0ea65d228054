package worker

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/domain/tenant"
)

const (
	// maxOpen is how many tenants are kept put together; the one that was asked for
	// longest ago makes room. It costs some milliseconds to put one together.
	maxOpen = 256
	// maxOpening is how many are put together at once.
	maxOpening = 4
	// idleRounds is after how many rounds a tenant that nobody asks for is let go of.
	// A round is as long as the keys are not looked at.
	idleRounds = 20
	// openingPatience is how long putting one together may take.
	openingPatience = 10 * time.Second
	// notAgain is for how long a tenant that could not be put together is not tried.
	notAgain = time.Second
)

// failure is why a tenant could not be put together, and when.
type failure struct {
	err error
	at  time.Time
}

// sites are the tenants that this worker serves, each put together when it is
// first asked for.
type sites struct {
	// put puts one together.
	put func(ctx context.Context, s *site) (*parts, error)
	// hidden is told of tenants that cannot be served, and why not.
	hidden func(id, why string)

	current atomic.Pointer[directory]
	count   atomic.Int64  // grows with each round, and with each that is put together
	opening chan struct{} // a seat for each that is put together

	mu    sync.Mutex // held by whoever changes the directory, or how many are open
	open  int
	marks [idleRounds]int64 // the count at which each of the last rounds began
	mark  int
}

func newSites(first *site, put func(context.Context, *site) (*parts, error), hidden func(id, why string)) *sites {
	s := &sites{put: put, hidden: hidden, opening: make(chan struct{}, maxOpening)}
	d, _ := newDirectory([]*site{first})
	s.current.Store(d)
	return s
}

// find returns the tenant that a request is for, as [directory.find] does.
func (s *sites) find(r *http.Request) (found *site, below string, known bool) {
	return s.current.Load().find(r.Host, r.URL.Path)
}

// update takes the tenants as they are now. What has been put together for one that
// stays where it was is kept.
func (s *sites) update(list []tenant.Tenant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.current.Load()
	all := make([]*site, 0, len(list))
	for _, t := range list {
		if old := before.byID[t.ID]; old != nil && old.issuer == t.Issuer {
			all = append(all, old)
			continue
		}
		fresh, err := newSite(t)
		if err != nil {
			s.hidden(t.ID, err.Error())
			continue
		}
		all = append(all, fresh)
	}
	// The default one is served whoever else wants its place.
	slices.SortStableFunc(all, func(a, b *site) int { return rank(a) - rank(b) })
	after, hidden := newDirectory(all)
	for _, h := range hidden {
		s.hidden(h.id, "the issuer "+h.issuer+" leads to another tenant too, which came first")
	}
	s.current.Store(after)
	for _, old := range before.sites {
		if after.byID[old.id] != old {
			s.close(old)
		}
	}
}

func rank(s *site) int {
	if s.id == tenant.Default {
		return 0
	}
	return 1
}

// enter returns what has been put together for a tenant, and puts it together if
// nothing has been. Of many who ask at once one does, and the others wait.
func (s *sites) enter(ctx context.Context, at *site) (*parts, error) {
	if count := s.count.Load(); at.usedAt.Load() != count {
		at.usedAt.Store(count)
	}
	if p := at.parts.Load(); p != nil {
		return p, nil
	}
	if f := at.failed.Load(); f != nil && now().Sub(f.at) < notAgain {
		return nil, f.err
	}
	// Who asked first may go away; those who wait shall not have to begin anew.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openingPatience)
	defer cancel()
	at.mu.Lock()
	defer at.mu.Unlock()
	if p := at.parts.Load(); p != nil {
		return p, nil
	}
	if f := at.failed.Load(); f != nil && now().Sub(f.at) < notAgain {
		return nil, f.err
	}
	select {
	case s.opening <- struct{}{}:
		defer func() { <-s.opening }()
	case <-ctx.Done():
		return nil, fault.New(fault.Unavailable, "There is too much to do at the moment.")
	}
	p, err := s.put(ctx, at)
	if err != nil {
		at.failed.Store(&failure{err: err, at: now()})
		return nil, err
	}
	at.failed.Store(nil)
	s.keep(at, p)
	return p, nil
}

// now is the time by which it is reckoned how long something may be believed. It
// decides nothing that anybody sees.
func now() time.Time { return clock.System{}.Now() }

// keep notes what has been put together, and lets go of another if there are too
// many. What belongs to a tenant that has gone or moved meanwhile is not kept.
func (s *sites) keep(at *site, p *parts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.Load().byID[at.id] != at {
		return
	}
	at.usedAt.Store(s.count.Add(1))
	at.parts.Store(p)
	s.open++
	for s.open > maxOpen {
		oldest := s.longestUnused(at)
		if oldest == nil {
			return
		}
		s.close(oldest)
	}
}

// longestUnused returns the open site that was asked for longest ago, but for the
// default one and the one given.
func (s *sites) longestUnused(but *site) *site {
	var oldest *site
	for _, o := range s.current.Load().sites {
		if o != but && o.id != tenant.Default && o.parts.Load() != nil && (oldest == nil || o.usedAt.Load() < oldest.usedAt.Load()) {
			oldest = o
		}
	}
	return oldest
}

// close lets go of what has been put together. Requests that are under way end as
// they would.
func (s *sites) close(at *site) {
	if at.parts.Swap(nil) != nil {
		s.open--
	}
}

// all returns what is put together at the moment.
func (s *sites) all() []*parts {
	var open []*parts
	for _, o := range s.current.Load().sites {
		if p := o.parts.Load(); p != nil {
			open = append(open, p)
		}
	}
	return open
}

// nextRound begins a round, and lets go of those whom nobody has asked for in as
// many as there are marks.
func (s *sites) nextRound() {
	s.mu.Lock()
	defer s.mu.Unlock()
	longAgo := s.marks[s.mark]
	for _, o := range s.current.Load().sites {
		if o.id != tenant.Default && o.usedAt.Load() < longAgo {
			s.close(o)
		}
	}
	s.marks[s.mark] = s.count.Add(1)
	s.mark = (s.mark + 1) % idleRounds
}
