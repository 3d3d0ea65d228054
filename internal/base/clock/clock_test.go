package clock

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnAnchoredClockTellsTheSystemsTimeUntilItHasAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a Anchored
		if got := a.Now(); !got.Equal(time.Now()) {
			t.Errorf("got %v, the system says %v", got, time.Now())
		}
		time.Sleep(time.Hour)
		if got := a.Now(); !got.Equal(time.Now()) {
			t.Errorf("an hour later: got %v, the system says %v", got, time.Now())
		}
	})
}

func TestAnAnchoredClockFollowsTheOther(t *testing.T) {
	distant := time.Date(2031, time.May, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name    string
		took    time.Duration // until the reading had arrived
		waits   time.Duration // since then
		reading time.Time
		want    time.Time
	}{
		{"at once", 0, 0, distant, distant},
		{"later by as much as our own clock has moved", 0, time.Hour, distant, distant.Add(time.Hour)},
		{"a reading stems from the middle of asking and arriving", 2 * time.Second, 0, distant, distant.Add(time.Second)},
		{"and from there it goes on", 2 * time.Second, time.Minute, distant, distant.Add(time.Minute + time.Second)},
		{"though the other is far behind us", 0, time.Second, time.Unix(0, 0), time.Unix(1, 0)},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var a Anchored
				asked := time.Now()
				time.Sleep(test.took)
				a.Anchor(test.reading, asked)
				time.Sleep(test.waits)
				if got := a.Now(); !got.Equal(test.want) {
					t.Errorf("got %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestALaterReadingTakesThePlaceOfAnEarlierOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a Anchored
		first, second := time.Unix(1000, 0), time.Unix(900, 0)
		a.Anchor(first, time.Now())
		time.Sleep(time.Minute)
		a.Anchor(second, time.Now())
		if got := a.Now(); !got.Equal(second) {
			t.Errorf("got %v, want %v", got, second)
		}
	})
}

// A reading may carry a monotonic part of this machine, which must not be taken
// for the other's.
func TestAReadingIsTakenAtItsWallTime(t *testing.T) {
	var a Anchored
	reading := time.Now()
	a.Anchor(reading, time.Now())
	if a.distant != reading.Round(0) {
		t.Errorf("got %v, want it without the monotonic part", a.distant)
	}
}

func TestAnAnchoredClockIsReadWhileItIsSet(t *testing.T) {
	var a Anchored
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				a.Anchor(time.Unix(1000, 0), time.Now())
				if now := a.Now(); now.Before(time.Unix(1000, 0)) {
					t.Errorf("the clock shows %v, before its reading", now)
				}
			}
		})
	}
	all.Wait()
}

func TestAFakeClockStandsUntilItIsMoved(t *testing.T) {
	var f Fake
	start := f.Now()
	if start.IsZero() || start.Year() != 2026 || !f.Now().Equal(start) {
		t.Errorf("it stands at %v, then %v", start, f.Now())
	}
	f.Advance(time.Hour)
	f.Advance(-time.Minute)
	if got := f.Now().Sub(start); got != 59*time.Minute {
		t.Errorf("moved by %v", got)
	}
	var moved Fake
	moved.Advance(time.Second)
	if got := moved.Now().Sub(start); got != time.Second {
		t.Errorf("moved before it was read: by %v", got)
	}
}

func TestAFakeClockMayBeMovedByMany(t *testing.T) {
	var f Fake
	start := f.Now()
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 100 {
				f.Advance(time.Second)
			}
		})
	}
	all.Wait()
	if got := f.Now().Sub(start); got != 6400*time.Second {
		t.Errorf("moved by %v, want %v", got, 6400*time.Second)
	}
}

func TestTheSystemsClockGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := System{}.Now()
		time.Sleep(time.Second)
		if got := (System{}).Now().Sub(before); got != time.Second {
			t.Errorf("a second took %v", got)
		}
	})
}
