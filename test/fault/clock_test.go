package fault

import (
	"os/exec"
	"strings"
	"testing"
)

// A clock that is wrong on purpose is in programs of the build tag faultclock alone.
func TestAReleaseHasNoClockThatCanBeMoved(t *testing.T) {
	const hook = "dex/internal/base/clock.faultOffset"
	symbols := func(program string) string {
		out, err := exec.Command("go", "tool", "nm", program).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if strings.Contains(symbols(worker), hook) {
		t.Errorf("%s is in a program without the tag", hook)
	}
	if !strings.Contains(symbols(lateWorker), hook) {
		t.Errorf("%s is not in a program with the tag, so nothing is shown by its absence", hook)
	}
}
