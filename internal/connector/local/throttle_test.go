package local

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/domain/credential"
)

// quickHouse is a house in which hashing costs nothing, since counting is what is
// looked at.
func quickHouse(t *testing.T) *house {
	t.Helper()
	h := newHouse(t)
	h.Connector.(*local).env.Hasher = quickHasher{}
	h.table.accounts = nil
	h.add("ann", password, "ann@example.com")
	return h
}

func TestGuessingIsSlowedDown(t *testing.T) {
	for _, name := range []string{"ann", "nobody"} {
		t.Run(name, func(t *testing.T) {
			h := quickHouse(t)
			for range 5 {
				h.expect(stranger, name, "wrong", saidWrong)
			}
			step := h.try(stranger, name, password)
			if step.Said != saidThrottled || step.Prompt.Form.Wait != time.Second || step.Prompt.Form.Problem != ProblemThrottled {
				t.Fatalf("%+v", step)
			}
			h.clock.Advance(time.Second)
			h.expect(stranger, name, "wrong", saidWrong)
			if step := h.try(stranger, name, "wrong"); step.Prompt.Form.Wait != 2*time.Second {
				t.Errorf("%+v", step.Prompt.Form)
			}
		})
	}
}

func TestAnotherSpellingOfANameIsNoOtherName(t *testing.T) {
	h := quickHouse(t)
	for _, name := range []string{"ann", "ANN", " ann ", "Ann", "ａｎｎ"} {
		h.expect(stranger, name, "wrong", saidWrong)
	}
	for _, name := range []string{"ann", "aNN"} {
		h.expect(stranger, name, password, saidThrottled)
	}
}

func TestTheFirstTryAtAnotherNameIsLookedAtWhoseverItIs(t *testing.T) {
	for _, name := range []string{"ann", "nobody"} {
		h := quickHouse(t)
		for range 6 {
			h.try(stranger, name, "wrong")
		}
		h.expect(stranger, name, "wrong", saidThrottled)
		h.expect(stranger, name+"@example.com", "wrong", saidWrong)
	}
}

func TestAGuesserDoesNotLockTheOwnerOut(t *testing.T) {
	h := quickHouse(t)
	for range 30 {
		h.try(stranger, "ann", "wrong")
	}
	h.expect(stranger, "ann", password, saidThrottled)
	h.expect(owner, "ann", "mistyped", saidWrong)
	h.expect(owner, "ann", password, saidRight)
	// Nor does the owner's login give the guesser a fresh start.
	h.expect(stranger, "ann", "wrong", saidThrottled)
	// And the owner's mark is of no use for another account.
	h.add("bob", password)
	for range 5 {
		h.expect(stranger, "bob", "wrong", saidWrong)
	}
	h.expect(owner, "bob", password, saidThrottled)
}

func TestGuessingFromTheOwnersBrowserIsSlowedDownToo(t *testing.T) {
	h := quickHouse(t)
	for range 5 {
		h.expect(owner, "ann", "wrong", saidWrong)
	}
	h.expect(owner, "ann", password, saidThrottled)
	h.expect(stranger, "ann", password, saidRight)
}

func TestTriesAtManyAccountsFromOneNetworkAreSlowedDown(t *testing.T) {
	tests := []struct{ name, attacker, neighbour, elsewhere string }{
		{"IPv4", "192.0.2.%d", "192.0.2.250", "192.0.3.1"},
		{"IPv4 in IPv6", "::ffff:192.0.2.%d", "192.0.2.250", "192.0.3.1"},
		{"IPv6", "2001:db8:1:%d::1", "2001:db8:1:ffff::1", "2001:db8:2::1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := quickHouse(t)
			for i := range 100 {
				from := connector.Login{RemoteAddr: netip.MustParseAddr(fmt.Sprintf(tt.attacker, i%200))}
				h.expect(from, fmt.Sprintf("nobody%d", i), "Password1", saidWrong)
			}
			neighbour := connector.Login{RemoteAddr: netip.MustParseAddr(tt.neighbour)}
			h.expect(neighbour, "ann", password, saidThrottled)
			neighbour.Devices = owner.Devices
			h.expect(neighbour, "ann", password, saidRight)
			h.expect(connector.Login{RemoteAddr: netip.MustParseAddr(tt.elsewhere)}, "ann", password, saidRight)
		})
	}
}

func TestSuccessForgivesTheAccountButNotTheNetwork(t *testing.T) {
	h := quickHouse(t)
	for range 4 {
		h.expect(stranger, "ann", "wrong", saidWrong)
	}
	h.expect(stranger, "ann", password, saidRight)
	var failures int
	for _, state := range h.table.counts {
		failures += state.Failures
	}
	if failures != 3*4 {
		t.Errorf("%d failures are remembered, want 4 of the network and 4 of all networks under either name", failures)
	}
	for range 5 {
		h.expect(stranger, "ann", "wrong", saidWrong)
	}
}

// atOnce makes many attempts in parallel and returns what is said how often.
func (h *house) atOnce(many int, from func(i int) (connector.Login, string)) map[string]int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	said := map[string]int{}
	for i := range many {
		wg.Go(func() {
			l, name := from(i)
			step, err := h.Continue(h.t.Context(), l, answer(name, "wrong"))
			if err != nil {
				h.t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			said[step.Said]++
		})
	}
	wg.Wait()
	if open := len(h.Connector.(*local).lanes.open); open != 0 {
		h.t.Errorf("%d lanes are left open", open)
	}
	return said
}

func TestGuessesInParallelAtManyNamesDoNotOutrunTheNetworksPace(t *testing.T) {
	h := quickHouse(t)
	for i := range 100 {
		h.expect(stranger, fmt.Sprint("nobody", i), "wrong", saidWrong)
	}
	h.Connector.(*local).env.Hasher = hasher // which takes long enough for all to meet
	for round := range 3 {
		h.clock.Advance(10 * time.Second)
		said := h.atOnce(60, func(i int) (connector.Login, string) { return stranger, fmt.Sprintf("somebody%d-%d", round, i) })
		if said[saidWrong] != 1 || said[saidThrottled] != 59 {
			t.Errorf("%v", said)
		}
	}
}

func TestTheMarksOfOtherAccountsAreNoLanesOfTheirOwn(t *testing.T) {
	h := newHouse(t)
	for range 5 {
		h.expect(stranger, "ann", "wrong", saidWrong)
	}
	h.clock.Advance(time.Second)
	said := h.atOnce(20, func(i int) (connector.Login, string) {
		l := stranger
		l.Devices = []string{credential.DeviceMark(fmt.Sprint("usr_mallory", i))}
		return l, "ann"
	})
	if said[saidWrong] != 1 || said[saidThrottled] != 19 {
		t.Errorf("%v", said)
	}
}

func TestGuessesInParallelDoNotOutrunTheCount(t *testing.T) {
	h := newHouse(t) // a real hash takes long enough for all to meet
	said := h.atOnce(60, func(int) (connector.Login, string) { return stranger, "ann" })
	if said[saidWrong] != 5 || said[saidThrottled] != 55 {
		t.Errorf("%v", said)
	}
}

type busyHasher struct{ credential.Hasher }

func (busyHasher) Verify(context.Context, string, string) (bool, error) {
	err := fault.New(fault.Throttled, "Busy.")
	err.RetryAfter = 3 * time.Second
	return false, err
}

func TestWhoComesWhenThereIsTooMuchToDoIsToldToComeBack(t *testing.T) {
	h := quickHouse(t)
	h.Connector.(*local).env.Hasher = busyHasher{}
	step := h.try(stranger, "ann", password)
	if step.Said != saidThrottled || step.Prompt.Form.Wait != 3*time.Second || len(h.table.counts) != 0 {
		t.Errorf("%+v, counted %v", step, h.table.counts)
	}
}

func TestAFullLaneIsThrottledAndOthersAreNot(t *testing.T) {
	h := quickHouse(t)
	lanes := &h.Connector.(*local).lanes
	name, _ := credential.Canonical("ann")
	key := h.Connector.(*local).laneOf(name, stranger)
	leave, ok, err := lanes.enter(t.Context(), key)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	lanes.mu.Lock()
	lanes.open[key].users = maxInOneLane
	lanes.mu.Unlock()
	h.expect(stranger, "ann", password, saidThrottled)
	h.expect(owner, "ann", password, saidRight)

	lanes.mu.Lock()
	lanes.open[key].users = 1
	lanes.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Continue(ctx, stranger, answer("ann", password)); !errors.Is(err, context.Canceled) {
		t.Errorf("who has left: %v", err)
	}
	leave()
	if len(lanes.open) != 0 {
		t.Errorf("%d lanes are left open", len(lanes.open))
	}
}
