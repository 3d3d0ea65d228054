package duty

import (
	"context"
	"errors"
	"testing"
	"time"
)

// crowd is people of whom so many wait for their words.
type crowd struct {
	waiting int
	asked   int
	failing error // at the second time
}

func (c *crowd) IndexPeople(_ context.Context, batch int) (int, error) {
	if c.asked++; c.asked == 2 && c.failing != nil {
		return 0, c.failing
	}
	n := min(batch, c.waiting)
	c.waiting -= n
	return n, nil
}

func TestPeopleAreIndexedUntilNobodyIsLeft(t *testing.T) {
	for _, tt := range []struct {
		waiting, asked int
		did            string
	}{
		{0, 1, ""},
		{7, 1, "7 people are found by other words now"},
		{2 * indexBatch, 3, "400 people are found by other words now"},
	} {
		c := &crowd{waiting: tt.waiting}
		did, err := IndexPeople(c, time.Minute).Do(t.Context())
		if err != nil || did != tt.did || c.waiting != 0 || c.asked != tt.asked {
			t.Errorf("of %d: %q, %v, asked %d times, %d left", tt.waiting, did, err, c.asked, c.waiting)
		}
	}
}

func TestWhatWasIndexedBeforeAFailureIsTold(t *testing.T) {
	c := &crowd{waiting: 3 * indexBatch, failing: errors.New("no")}
	did, err := IndexPeople(c, time.Minute).Do(t.Context())
	if !errors.Is(err, c.failing) || did != "200 people are found by other words now" {
		t.Errorf("%q, %v", did, err)
	}
}

func TestWhoeverIsStoppedIndexesNobody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &crowd{waiting: 10}
	if did, err := IndexPeople(c, time.Minute).Do(ctx); did != "" || err != nil || c.asked != 0 {
		t.Errorf("%q, %v, asked %d times", did, err, c.asked)
	}
}
