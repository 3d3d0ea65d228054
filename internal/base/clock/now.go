//go:build !faultclock

package clock

import "time"

// now is this machine's time.
func now() time.Time { return time.Now() }
