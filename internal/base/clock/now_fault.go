//go:build faultclock

package clock

import "time"

// faultOffset is by how much this machine's clock is wrong. The linker sets it, in
// programs that are built to be tested with a wrong clock and never released.
var faultOffset string

var offset = func() time.Duration {
	d, err := time.ParseDuration(faultOffset)
	if err != nil {
		panic("a program of the build tag faultclock has -X dex/internal/base/clock.faultOffset: " + err.Error())
	}
	return d
}()

// now is the time of a machine whose clock is wrong.
func now() time.Time { return time.Now().Add(offset) }
