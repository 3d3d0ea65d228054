package device

import (
	"net/http/httptest"
	"testing"
	"time"

	"dex/internal/domain/credential"
)

func TestWhoseGuessesCountTogether(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name           string
		one, other     string
		later          time.Duration
		network, whole bool // whether they count together, in their network and among all
	}{
		{"one sender", "192.0.2.1:4000", "192.0.2.1:5000", 0, true, true},
		{"one network", "192.0.2.1:4000", "192.0.2.200:4000", 0, true, true},
		{"one customer's addresses of IPv6", "[2001:db8:1:2::1]:4000", "[2001:db8:1:ff::9]:4000", 0, true, true},
		{"an address of IPv4 however it is written", "192.0.2.1:4000", "[::ffff:192.0.2.1]:4000", 0, true, true},
		{"two networks", "192.0.2.1:4000", "198.51.100.1:4000", 0, false, true},
		{"all together for a span alone", "192.0.2.1:4000", "192.0.2.1:4000", credential.EverywhereSpan, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := func(address string, at time.Time) []credential.Bucket {
				r := httptest.NewRequest("POST", "/device", nil)
				r.RemoteAddr = address
				return guesses(r, at)
			}
			one, other := from(test.one, noon), from(test.other, noon.Add(test.later))
			if together := one[0] == other[0]; together != test.network {
				t.Errorf("in their network: together is %v", together)
			}
			if together := one[1] == other[1]; together != test.whole {
				t.Errorf("among all: together is %v", together)
			}
			if one[0].Key == one[1].Key {
				t.Error("a network and all have one count")
			}
		})
	}
}
