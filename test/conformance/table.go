package conformance

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Row is a plan and what came of it.
type Row struct {
	Plan     Plan
	Outcomes []Outcome
	Err      error // why it could not be run to its end
}

// columns are the results in the order of the table.
var columns = []string{"PASSED", "REVIEW", "SKIPPED", "WARNING", "FAILED", "INTERRUPTED", "TIMEOUT"}

// Passed reports whether a plan was run to its end, and each of its modules is as it
// is to be.
func (r Row) Passed() bool {
	for _, o := range r.Outcomes {
		if !o.Passed() {
			return false
		}
	}
	return r.Err == nil && len(r.Outcomes) > 0
}

// Write prints plan × result, and beneath it what is not as it is to be.
func Write(out io.Writer, rows []Row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "plan\t%s\t\n", strings.ToLower(strings.Join(columns, "\t")))
	for _, r := range rows {
		fmt.Fprintf(w, "%s", r.Plan)
		for _, c := range columns {
			n := 0
			for _, o := range r.Outcomes {
				if o.Result == c {
					n++
				}
			}
			fmt.Fprintf(w, "\t%s", count(n))
		}
		fmt.Fprintf(w, "\t%s\n", verdict(r))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if err := complain(out, r); err != nil {
			return err
		}
	}
	return nil
}

func count(n int) string {
	if n == 0 {
		return "·"
	}
	return fmt.Sprint(n)
}

func verdict(r Row) string {
	if r.Passed() {
		return "ok"
	}
	return "NOT OK"
}

func complain(out io.Writer, r Row) error {
	if r.Err != nil {
		if _, err := fmt.Fprintf(out, "\n%s\n  was not run to its end: %v\n", r.Plan, r.Err); err != nil {
			return err
		}
	}
	for _, o := range r.Outcomes {
		if o.Passed() {
			continue
		}
		if _, err := fmt.Fprintf(out, "\n%s\n  %s: %s (%s)\n", r.Plan, o.Module, o.Result, o.ID); err != nil {
			return err
		}
		for _, why := range o.Why {
			if _, err := fmt.Fprintf(out, "    %s\n", why); err != nil {
				return err
			}
		}
	}
	return nil
}
