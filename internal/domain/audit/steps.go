package audit

import "slices"

// skew is by how many milliseconds the times of two workers may differ.
const skew = 2000

// InOrder puts the steps of an attempt into the order in which they were taken: those
// that were kept while it went on, and those that led to each of its grants, both as they
// were written. Their times come from the clocks of several workers, so that within what
// was written by one after the other they say nothing; what led to a grant stands before
// what was kept clearly later, by somebody who went back and tried again.
func InOrder(kept []Step, granted ...[]Step) []Step {
	all, from := slices.Clone(kept), 0
	for _, run := range granted {
		if len(run) == 0 {
			continue
		}
		end := run[len(run)-1].At + skew
		at := slices.IndexFunc(all[from:], func(s Step) bool { return s.At > end })
		if at < 0 {
			at = len(all) - from
		}
		all = slices.Insert(all, from+at, run...)
		from += at + len(run)
	}
	return all
}
