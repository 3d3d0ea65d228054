package grant

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPresentingARefreshToken(t *testing.T) {
	live := Family{Generation: 3, RotatedAt: now.Add(-30 * time.Second), IdleUntil: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour)}
	idle, expired, justNow := live, live, live
	justNow.RotatedAt = now
	idle.IdleUntil, expired.ExpiresAt = now, now
	for _, tt := range []struct {
		name   string
		family Family
		gen    int
		grace  time.Duration
		want   Verdict
	}{
		{"the newest rotates", live, 3, time.Minute, Rotate},
		{"the one before, within the grace, is answered again", live, 2, time.Minute, Repeat},
		{"to the last moment of it", live, 2, 30 * time.Second, Repeat},
		{"after the grace it was stolen", live, 2, 29 * time.Second, Reuse},
		{"without a grace it was stolen at once", live, 2, -1, Reuse},
		{"and a grace of nothing is none, at the very same instant either", justNow, 2, 0, Reuse},
		{"an older one was stolen, grace or not", live, 1, time.Hour, Reuse},
		{"one that we have not issued yet is none", live, 4, time.Minute, Dead},
		{"there is no generation zero", live, 0, time.Minute, Dead},
		{"nobody used it for too long", idle, 3, time.Minute, Dead},
		{"it is too old, however much it was used", expired, 3, time.Minute, Dead},
		{"a family that never began", Family{}, 1, time.Minute, Dead},
	} {
		if got := tt.family.Present(tt.gen, tt.grace, now); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// An honest client that keeps the last token it received, and asks again whenever
// an answer is lost, is never refused, in whatever order things happen.
func TestAnHonestClientNeverLosesItsFamily(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := now
		f := Family{Generation: 1, RotatedAt: at, IdleUntil: at.Add(time.Hour), ExpiresAt: at.Add(time.Hour)}
		held := 1
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 59).Draw(t, "seconds")) * time.Second)
			if !at.Before(f.ExpiresAt) {
				return
			}
			switch f.Present(held, time.Minute, at) {
			case Rotate:
				f.Generation, f.RotatedAt = held+1, at
			case Repeat:
			default:
				t.Fatalf("generation %d of %d was refused", held, f.Generation)
			}
			if rapid.Bool().Draw(t, "answer arrives") {
				held = f.Generation
			} else if rapid.Bool().Draw(t, "client retries at once") {
				if v := f.Present(held, time.Minute, at); v != Repeat {
					t.Fatalf("the retry of generation %d of %d got %d", held, f.Generation, v)
				}
				held = f.Generation
			} else {
				held = f.Generation // it asked again within the grace, and got the same successor
			}
		}
	})
}
