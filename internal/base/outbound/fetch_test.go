package outbound

import (
	"testing"
	"time"
)

func TestHowLongADocumentIsGood(t *testing.T) {
	for control, want := range map[string]time.Duration{
		"": 0, "public": 0, "max-age=60": time.Minute, "public, Max-Age=60": time.Minute, `max-age="60"`: time.Minute,
		"no-store": time.Nanosecond, "no-cache, max-age=60": time.Nanosecond, "max-age=0": time.Nanosecond,
		"max-age=-1": 0, "max-age=x": 0, "max-age": 0, "s-maxage=60": 0,
	} {
		if got := freshness(control); got != want {
			t.Errorf("%q: %v, want %v", control, got, want)
		}
	}
}
