package local

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"dex/internal/connector"
)

// elsewhere is a browser that no account knows, in another network than the
// stranger's.
var elsewhere = connector.Login{ID: "z", RemoteAddr: netip.MustParseAddr("203.0.113.1")}

func TestTenThousandWrongPasswordsDoNotKeepTheOwnerOut(t *testing.T) {
	// Requirement 111. A guess a second for nearly three hours, which takes every
	// moment at which one is let through, under both names of the account.
	h := quickHouse(t)
	looked := map[string]int{}
	for i := range 10_000 {
		for _, name := range []string{"ann", "ann@example.com"} {
			if h.try(stranger, name, "wrong").Said == saidWrong {
				looked[name]++
			}
		}
		if i%100 == 99 {
			h.expect(owner, "ann", password, saidRight)
			h.expect(elsewhere, "ann", password, saidRight)
			h.expect(elsewhere, "ann@example.com", password, saidRight)
		}
		h.clock.Advance(time.Second)
	}
	for name, n := range looked {
		if n < 10_000/60-2 || n > 10_000/60+20 {
			t.Errorf("%d guesses at %s were looked at, want about one a minute", n, name)
		}
	}
	// And on a new device in the guesser's own network nobody is told to wait for
	// more than a minute.
	neighbour := owner
	neighbour.Devices = nil
	step := h.try(neighbour, "ann", password)
	if step.Prompt == nil || step.Prompt.Form.Wait > time.Minute {
		t.Fatalf("%+v", step.Prompt)
	}
	h.clock.Advance(step.Prompt.Form.Wait)
	h.expect(neighbour, "ann", password, saidRight)
}

func TestTheOwnersMistakesElsewhereCountForThemselves(t *testing.T) {
	h := quickHouse(t)
	for range 30 {
		h.try(stranger, "ann", "wrong")
	}
	for range 5 {
		h.expect(elsewhere, "ann", "mistyped", saidWrong)
	}
	h.expect(elsewhere, "ann", password, saidThrottled)
	h.clock.Advance(time.Second)
	h.expect(elsewhere, "ann", password, saidRight)
}

func TestManyNetworksTogetherAreSlowedDownAtOneAccount(t *testing.T) {
	// 500 networks, each guessing under both names once a minute for three hours.
	h := quickHouse(t)
	const hours = 3
	looked := 0
	for range hours * 60 {
		for i := range 500 {
			from := connector.Login{RemoteAddr: netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1})}
			for _, name := range []string{"ann", "ann@example.com"} {
				if h.try(from, name, "wrong").Said == saidWrong {
					looked++
				}
			}
		}
		h.expect(owner, "ann", password, saidRight)
		h.clock.Advance(time.Minute)
	}
	// 200 in an hour are free; after that it is one a minute, for the account and
	// not for each of its names.
	if want := hours * (200 + 60); looked < hours*200 || looked > want+10 {
		t.Errorf("%d guesses were looked at, want %d at most", looked, want)
	}
}

func TestFromOneNetworkANameOfSomebodyIsLikeANameOfNobody(t *testing.T) {
	// What was tried under one name is not seen under the other, however long it went
	// on, or that would tell whose the other is.
	story := func(first, second string) (said []string) {
		h := quickHouse(t)
		for range 2 * 3600 {
			for _, name := range []string{first, second} {
				step := h.try(stranger, name, "wrong")
				said = append(said, fmt.Sprint(step.Said, step.Prompt.Form.Problem, step.Prompt.Form.Wait))
			}
			h.clock.Advance(time.Second)
		}
		return said
	}
	somebody, nobody := story("ann", "ann@example.com"), story("eve", "eve@example.com")
	for i := range somebody {
		if somebody[i] != nobody[i] {
			t.Fatalf("answer %d is %q for somebody, %q for nobody", i, somebody[i], nobody[i])
		}
	}
}
