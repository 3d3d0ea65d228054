package outbox

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestTheNextAttemptComesEverLaterUntilThereIsNone(t *testing.T) {
	total := time.Duration(0)
	for attempt, want := range map[int]time.Duration{
		0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 3: 4 * time.Minute, 9: 256 * time.Minute, 10: 6 * time.Hour, MaxAttempts - 1: 6 * time.Hour,
	} {
		if got, more := Pause(attempt, 0); got != want || !more {
			t.Errorf("after attempt %d: %v, %v; want %v", attempt, got, more, want)
		}
	}
	for attempt := 1; ; attempt++ {
		pause, more := Pause(attempt, 0.5)
		if !more {
			if attempt != MaxAttempts {
				t.Errorf("attempt %d is the last", attempt)
			}
			break
		}
		total += pause
	}
	if total < 24*time.Hour || total > 72*time.Hour {
		t.Errorf("a message is given up after %v", total)
	}
	if _, more := Pause(MaxAttempts+1, 0); more {
		t.Error("there are attempts after the last")
	}
}

func TestLuckSpreadsAndIsBounded(t *testing.T) {
	for _, test := range []struct {
		luck float64
		want time.Duration
	}{{-1, time.Minute}, {0, time.Minute}, {0.5, 75 * time.Second}, {1, 90 * time.Second}, {7, 90 * time.Second}} {
		if got, _ := Pause(1, test.luck); got != test.want {
			t.Errorf("luck %v: %v, want %v", test.luck, got, test.want)
		}
	}
}

func TestARefusalIsToldFromABadMoment(t *testing.T) {
	cause := errors.New("no such mailbox")
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"a bad moment", cause, false},
		{"a refusal", Refuse(cause), true},
		{"a refusal in an error", fmt.Errorf("mail: %w", Refuse(cause)), true},
		{"nothing refused", Refuse(nil), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := IsRefusal(test.err); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
	if !errors.Is(Refuse(cause), cause) || Refuse(cause).Error() != cause.Error() {
		t.Error("the cause is lost")
	}
}

func TestIDsSortByTime(t *testing.T) {
	at := time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)
	if a, b := NewID(at), NewID(at.Add(time.Microsecond)); a >= b {
		t.Errorf("%s comes before %s", b, a)
	}
	if first, second := NewID(at), NewID(at); first == second {
		t.Error("two messages have one id")
	}
}
