package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

// report is all that a run has measured.
type report struct {
	date         time.Time
	postgres     string
	small, large *database
	rows         []row
	cleared      [2]clearing // of the small one, and of the large
}

// write writes the report for people, as Markdown.
func (r report) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# A small database and a large one, measured %s\n\n", r.date.Format(time.DateOnly))
	b.WriteString("Written by `make bench-scale`. [README.md](../README.md) tells what is measured, and what the numbers are worth:\n" +
		"the machine was shared and noisy, so look at ratios of two and more, and at nothing smaller.\n\n")
	fmt.Fprintf(&b, "%d processors, %s/%s, %s, PostgreSQL %s with durable commits and 128 MiB of shared buffers, on the same machine.\n\n",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), r.postgres)
	for _, d := range []struct {
		name string
		*database
	}{{"Small", r.small}, {"Large", r.large}} {
		fmt.Fprintf(&b, "- %s: %s; %d MiB, filled in %s\n", d.name, d.size, d.bytes>>20, d.filled.Round(time.Second/10))
	}
	b.WriteString("\n## Operations\n\nThe median of the turns, in milliseconds, with the store's verbs in one process, one after another.\n\n")
	b.WriteString("| operation | turns | small | large | ratio |\n|---|---:|---:|---:|---:|\n")
	for _, o := range append(r.rows, row{"clearing away a thousand rows, while logins go on", len(r.cleared[1].batches), r.cleared[0].perThousand(), r.cleared[1].perThousand()}) {
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s |\n", o.name, o.turns, ms(o.small), ms(o.large), ratio(o.small, o.large))
	}
	c := r.cleared[1]
	fmt.Fprintf(&b, "\n## Clearing away while logins go on\n\nIn the large database %d rows went in %d batches and %s. "+
		"A batch took %s ms among the first tenth of them and %s ms among the last.\n\n",
		c.rows, len(c.batches), c.took.Round(time.Second/10), ms(quantile(c.tenth(false), 0.5)), ms(quantile(c.tenth(true), 0.5)))
	b.WriteString("| logins, one after another | number | p50 ms | p99 ms | ratio of p50 | of p99 |\n|---|---:|---:|---:|---:|---:|\n")
	for _, l := range []struct {
		when string
		took []time.Duration
	}{{"before", c.before}, {"while it goes on", c.during}, {"after", c.after}} {
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s |\n", l.when, len(l.took), ms(quantile(l.took, 0.5)), ms(quantile(l.took, 0.99)),
			ratio(quantile(c.before, 0.5), quantile(l.took, 0.5)), ratio(quantile(c.before, 0.99), quantile(l.took, 0.99)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tenth are the batches of the first tenth, or of the last but the one that found
// next to nothing.
func (c clearing) tenth(last bool) []time.Duration {
	whole := c.batches[:max(0, len(c.batches)-1)]
	n := (len(whole) + 9) / 10
	if last {
		return whole[len(whole)-n:]
	}
	return whole[:n]
}

// ms is a duration in milliseconds, to three digits.
func ms(d time.Duration) string {
	v := float64(d) / float64(time.Millisecond)
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// ratio is how many times the one the other is.
func ratio(one, other time.Duration) string {
	if one <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", float64(other)/float64(one))
}
