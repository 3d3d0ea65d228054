package credential

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func TestWait(t *testing.T) {
	tests := []struct {
		name     string
		kind     BucketKind
		failures int
		ago      time.Duration
		want     time.Duration
	}{
		{"nothing has failed", Account, 0, 0, 0},
		{"the first failures are free", Account, 4, 0, 0},
		{"then it takes a second", Account, 5, 0, time.Second},
		{"of which some is over", Account, 5, 400 * time.Millisecond, 600 * time.Millisecond},
		{"or all", Account, 5, time.Second, 0},
		{"then two", Account, 6, 0, 2 * time.Second},
		{"then four", Account, 7, 0, 4 * time.Second},
		{"up to a minute", Account, 11, 0, time.Minute},
		{"and never more", Account, 1 << 40, 0, time.Minute},
		{"until it is forgotten", Account, 1 << 40, time.Hour, 0},
		{"which takes an hour", Account, 1 << 40, time.Hour - time.Second, 0},
		{"a known device waits the same for its own failures", KnownDevice, 7, 0, 4 * time.Second},
		{"an account may fail more often if that is not all from one network", Everywhere, 199, 0, 0},
		{"and then it slows down too", Everywhere, 200, 0, time.Second},
		{"up to a minute as well", Everywhere, 1 << 40, 0, time.Minute},
		{"a network may fail more often", Network, 99, 0, 0},
		{"and waits less", Network, 1 << 40, 0, 10 * time.Second},
		{"a failure that is yet to come makes nobody wait longer than the longest", Account, 50, -time.Hour, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			state := Throttle{Failures: tt.failures, LastAt: noon.Add(-tt.ago)}
			if got := state.Wait(tt.kind, noon); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestSpent(t *testing.T) {
	tests := []struct {
		name     string
		kind     BucketKind
		failures int
		ago      time.Duration
		want     bool
	}{
		{"not while failures are free", Network, 99, 0, false},
		{"when the last free one is used", Network, 100, 0, true},
		{"also when the wait is over", Network, 100, 9 * time.Minute, true},
		{"until all is forgotten", Network, 1 << 40, 10 * time.Minute, false},
		{"each kind by its own number", Account, 5, 0, true},
		{"and no other's", Everywhere, 100, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			state := Throttle{Failures: tt.failures, LastAt: noon.Add(-tt.ago)}
			if got := state.Spent(tt.kind, noon); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// One network, which asks for both names of an account as often as it may, does
// not use up in a span what all networks together have free.
func TestOneNetworkDoesNotFillTheBucketOfAll(t *testing.T) {
	const names = 2
	var state Throttle
	failures := 0
	for now := noon; now.Before(noon.Add(EverywhereSpan)); {
		state = state.Next(Account, now)
		failures += names
		now = now.Add(state.Wait(Account, now))
	}
	if free := paces[Everywhere].free; failures >= free || failures < free/2 {
		t.Errorf("%d failures, of which %d are free", failures, free)
	}
	if Everywhere.Forget() < EverywhereSpan {
		t.Error("it is forgotten before its span is over")
	}
}

func TestNext(t *testing.T) {
	tests := []struct {
		name  string
		state Throttle
		want  int
	}{
		{"the first", Throttle{}, 1},
		{"one more", Throttle{Failures: 3, LastAt: noon.Add(-time.Minute)}, 4},
		{"the first again after an hour", Throttle{Failures: 3, LastAt: noon.Add(-time.Hour)}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.state.Next(Account, noon)
			if got.Failures != tt.want || !got.LastAt.Equal(noon) {
				t.Errorf("%+v", got)
			}
		})
	}
	if Account.Forget() != time.Hour || Network.Forget() != 10*time.Minute {
		t.Error("what is forgotten is not what is cleared away")
	}
}

// An attacker who fails ten thousand times, as fast as they are let, slows nobody
// down by more than a minute, and gets no more tries than one a minute in the
// long run. The owner's own browser has a bucket that they cannot fill.
func TestAGuesserIsSlowedDownAndTheOwnerIsNotLockedOut(t *testing.T) {
	var attacked, own Throttle
	now := noon
	for i := range 10_000 {
		wait := attacked.Wait(Account, now)
		if wait > time.Minute {
			t.Fatalf("attempt %d waits %v", i, wait)
		}
		now = now.Add(wait)
		attacked = attacked.Next(Account, now)
		if own.Wait(KnownDevice, now) != 0 {
			t.Fatalf("after attempt %d the owner waits", i)
		}
	}
	if spent := now.Sub(noon); spent < 9_900*time.Minute {
		t.Errorf("10,000 guesses took %v only", spent)
	}
}

func TestNoHistoryMakesAnybodyWaitLongerThanTheLongest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]BucketKind{KnownDevice, Account, Everywhere, Network}).Draw(t, "kind")
		state, now := Throttle{}, noon
		for range rapid.IntRange(0, 200).Draw(t, "failures") {
			// The clocks of workers differ a little.
			now = now.Add(time.Duration(rapid.Int64Range(int64(-time.Second), int64(2*time.Hour)).Draw(t, "pause")))
			state = state.Next(kind, now)
		}
		wait := state.Wait(kind, now)
		if wait < 0 || wait > paces[kind].longest {
			t.Fatalf("%v", wait)
		}
		if again := state.Wait(kind, now.Add(wait)); again != 0 {
			t.Fatalf("after waiting %v there are %v more", wait, again)
		}
	})
}
