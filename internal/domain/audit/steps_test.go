package audit

import (
	"slices"
	"strings"
	"testing"
)

func TestStepsAreToldAsTheyWereTaken(t *testing.T) {
	steps := func(at ...int64) (all []Step) {
		for _, ms := range at {
			all = append(all, Step{At: ms, What: string(rune('a' + len(all)))})
		}
		return all
	}
	upper := func(all []Step) []Step {
		for i := range all {
			all[i].What = strings.ToUpper(all[i].What)
		}
		return all
	}
	for _, test := range []struct {
		name    string
		kept    []Step
		granted [][]Step
		want    string
	}{
		{"nothing was kept", nil, [][]Step{steps(1, 2)}, "ab"},
		{"nothing was granted", steps(1, 2, 3), nil, "abc"},
		{"the second worker is late", steps(5, 900, 897), nil, "abc"},
		{"the worker that granted it is late", upper(steps(5, 900)), [][]Step{steps(890, 895)}, "ABab"},
		{"somebody went back and tried again", upper(steps(5, 60_000)), [][]Step{steps(900, 950)}, "AabB"},
		{"two grants", upper(steps(5, 60_000)), [][]Step{steps(900), steps(61_000, 60_990)}, "AaBab"},
		{"two grants at once", nil, [][]Step{steps(900), steps(880)}, "aa"},
		{"a grant without steps", upper(steps(5)), [][]Step{nil, steps(6)}, "Aa"},
	} {
		kept := slices.Clone(test.kept)
		var got strings.Builder
		for _, s := range InOrder(test.kept, test.granted...) {
			got.WriteString(s.What)
		}
		if got.String() != test.want || !slices.Equal(kept, test.kept) {
			t.Errorf("%s: %s, want %s", test.name, got.String(), test.want)
		}
	}
}
