package grant

import "testing"

func TestWhichDevicesMayWait(t *testing.T) {
	for _, test := range []struct {
		name               string
		network            string
		waiting, ofNetwork int
		want               bool
	}{
		{"the first", "a", 0, 0, true},
		{"of a network that has room in its share", "a", 99, 99, true},
		{"of a network that has taken its share", "a", 100, 100, false},
		{"of another network, beside it", "b", 100, 0, true},
		{"half is taken, and the network has few", "a", 500, 9, true},
		{"half is taken, and the network has enough", "a", 500, 10, false},
		{"all is taken", "a", 1000, 0, false},
		{"of a client that has proven who it is", "", 999, 999, true},
		{"of such a client, and all is taken", "", 1000, 1000, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := (Device{Network: test.network}).MayWait(test.waiting, test.ofNetwork); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
