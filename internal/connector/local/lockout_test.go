package local

import (
	"testing"
	"time"
)

func TestTenThousandWrongPasswordsDoNotKeepTheOwnerOut(t *testing.T) {
	// Requirement 111. A guess a second for nearly three hours.
	h := quickHouse(t)
	looked := 0
	for i := range 10_000 {
		if h.try(stranger, "ann", "wrong").Said == saidWrong {
			looked++
		}
		h.clock.Advance(time.Second)
		if i%1000 == 999 {
			h.expect(owner, "ann", password, saidRight)
		}
	}
	if looked < 10_000/60-2 || looked > 10_000/60+20 {
		t.Errorf("%d guesses were looked at, want about one a minute", looked)
	}
	// And on a new device the owner waits for a minute at most.
	elsewhere := owner
	elsewhere.Devices = nil
	step := h.try(elsewhere, "ann", password)
	if step.Prompt == nil || step.Prompt.Form.Wait > time.Minute {
		t.Fatalf("%+v", step.Prompt)
	}
	h.clock.Advance(step.Prompt.Form.Wait)
	h.expect(elsewhere, "ann", password, saidRight)
}
