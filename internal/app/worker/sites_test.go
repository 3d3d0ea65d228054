package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"

	"dex/internal/base/fault"
	"dex/internal/domain/tenant"
)

// hall is some sites, and how often one was put together.
type hall struct {
	*sites
	puts   atomic.Int64
	fails  atomic.Pointer[error]
	hides  []string
	gate   chan struct{} // if it is there, whoever puts one together waits for it
	tenant []tenant.Tenant
}

func newHall(t *testing.T, n int) *hall {
	t.Helper()
	h := &hall{tenant: []tenant.Tenant{{ID: tenant.Default, Issuer: "https://id.example.com"}}}
	home, err := newSite(h.tenant[0])
	if err != nil {
		t.Fatal(err)
	}
	h.sites = newSites(home, func(_ context.Context, s *site) (*parts, error) {
		h.puts.Add(1)
		if h.gate != nil {
			<-h.gate
		}
		if err := h.fails.Load(); err != nil {
			return nil, *err
		}
		return &parts{id: s.id}, nil
	}, func(id, _ string) { h.hides = append(h.hides, id) })
	for i := range n {
		h.tenant = append(h.tenant, tenant.Tenant{ID: fmt.Sprint("t", i), Issuer: fmt.Sprint("https://id.example.com/t", i)})
	}
	h.update(h.tenant)
	return h
}

func (h *hall) come(t *testing.T, id string) *parts {
	t.Helper()
	p, err := h.enter(t.Context(), h.current.Load().byID[id])
	if err != nil || p.id != id {
		t.Fatalf("%s: %+v, %v", id, p, err)
	}
	return p
}

// isOpen reports whether a tenant is put together.
func (h *hall) isOpen(id string) bool { return h.current.Load().byID[id].parts.Load() != nil }

func TestOfManyWhoComeToATenantOnePutsItTogether(t *testing.T) {
	h := newHall(t, 3)
	h.gate = make(chan struct{})
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			id := fmt.Sprint("t", i%3)
			if p, err := h.enter(t.Context(), h.current.Load().byID[id]); err != nil || p.id != id {
				t.Errorf("%s: %+v, %v", id, p, err)
			}
		})
	}
	close(h.gate)
	all.Wait()
	if n := h.puts.Load(); n != 3 {
		t.Errorf("three tenants were put together %d times", n)
	}
}

func TestWhoGoesAwayLeavesWhatTheOthersWaitFor(t *testing.T) {
	h := newHall(t, 1)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := h.enter(ctx, h.current.Load().byID["t0"]); err != nil {
		t.Fatalf("it ended with the one who asked: %v", err)
	}
	h.come(t, "t0")
	if n := h.puts.Load(); n != 1 {
		t.Errorf("it was put together %d times", n)
	}
}

func TestTheTenantThatWasAskedForLongestAgoMakesRoom(t *testing.T) {
	h := newHall(t, maxOpen+10)
	h.come(t, tenant.Default)
	for i := range maxOpen - 1 {
		h.come(t, fmt.Sprint("t", i))
	}
	h.come(t, fmt.Sprint("t", maxOpen)) // one more than there is room for: t0 goes
	h.come(t, "t1")
	h.come(t, fmt.Sprint("t", maxOpen+1)) // t1 has been asked for since: t2 goes
	for id, want := range map[string]bool{tenant.Default: true, "t0": false, "t1": true, "t2": false, "t3": true} {
		if h.isOpen(id) != want {
			t.Errorf("%s is open: %v", id, !want)
		}
	}
	for range 3 {
		for i := range maxOpen + 10 {
			h.come(t, fmt.Sprint("t", i))
		}
	}
	if n := len(h.all()); n != maxOpen || h.open != n {
		t.Errorf("%d are open, and %d are counted", n, h.open)
	}
	if !h.isOpen(tenant.Default) {
		t.Error("the default tenant had to make room")
	}
}

func TestATenantThatNobodyAsksForIsLetGoOf(t *testing.T) {
	h := newHall(t, 2)
	for _, id := range []string{tenant.Default, "t0", "t1"} {
		h.come(t, id)
	}
	for range idleRounds {
		h.nextRound()
		h.come(t, "t1")
	}
	if !h.isOpen("t0") {
		t.Error("it is gone already")
	}
	h.nextRound()
	if h.isOpen("t0") || !h.isOpen("t1") || !h.isOpen(tenant.Default) {
		t.Errorf("open are the idle one %v, the one in use %v, the default one %v", h.isOpen("t0"), h.isOpen("t1"), h.isOpen(tenant.Default))
	}
	if h.come(t, "t0"); h.puts.Load() != 4 || h.open != 3 {
		t.Errorf("put together %d times, %d counted", h.puts.Load(), h.open)
	}
}

func TestAFailureIsNotRepeatedForEverybodyWhoAsks(t *testing.T) {
	h := newHall(t, 1)
	failed := error(fault.New(fault.Unavailable, "There are no keys yet."))
	h.fails.Store(&failed)
	at := h.current.Load().byID["t0"]
	for range 50 {
		if _, err := h.enter(t.Context(), at); !errors.Is(err, failed) {
			t.Fatalf("got %v", err)
		}
	}
	if n := h.puts.Load(); n > 2 {
		t.Errorf("it was tried %d times", n)
	}
	h.fails.Store(nil)
	at.failed.Store(&failure{err: failed, at: now().Add(-notAgain)})
	h.come(t, "t0")
}

func TestWhatIsPutTogetherStaysWhileItsTenantStays(t *testing.T) {
	h := newHall(t, 3)
	kept, moved, gone := h.come(t, "t0"), h.come(t, "t1"), h.come(t, "t2")
	h.tenant[2].Issuer = "https://elsewhere.example.com"
	h.update(append([]tenant.Tenant{{ID: "broken", Issuer: "::"}, {ID: "thief", Issuer: "https://id.example.com:443"}}, h.tenant[:3]...))
	if h.come(t, "t0") != kept || h.come(t, "t1") == moved {
		t.Error("what stays is new, or what has moved is old")
	}
	if h.current.Load().byID["t2"] != nil || h.open != 2 {
		t.Errorf("%v is not gone; %d are open", gone, h.open)
	}
	if fmt.Sprint(h.hides) != "[broken thief]" {
		t.Errorf("not served are %v", h.hides)
	}
	if s, _, _ := h.current.Load().find("id.example.com", "/"); s == nil || s.id != tenant.Default {
		t.Errorf("the default tenant's place is %v's", s)
	}
}

func TestATenantThatGoesWhileItIsPutTogetherIsNotKept(t *testing.T) {
	h := newHall(t, 1)
	h.gate = make(chan struct{})
	at := h.current.Load().byID["t0"]
	done := make(chan error)
	go func() {
		_, err := h.enter(t.Context(), at)
		done <- err
	}()
	h.update(h.tenant[:1])
	close(h.gate)
	if err := <-done; err != nil || at.parts.Load() != nil || h.open != 0 {
		t.Errorf("%v; kept %v, counted %d", err, at.parts.Load(), h.open)
	}
}

// What a browser carries is sealed for one tenant: whoever adds a box names whose.
func TestNothingOfATenantIsSealedForAll(t *testing.T) {
	source, err := os.ReadFile("assemble.go")
	if err != nil {
		t.Fatal(err)
	}
	made := regexp.MustCompile(`keys\.(Box|MACKey)\([^"]*"`).FindAllString(string(source), -1)
	if len(made) < 6 {
		t.Errorf("only %d boxes are made: %q", len(made), made)
	}
	for _, m := range made {
		if !regexp.MustCompile(`\(s\.purpose\("$`).MatchString(m) {
			t.Errorf("%s… is not for one tenant", m)
		}
	}
}
