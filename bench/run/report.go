package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is all that one run has measured.
type Report struct {
	Date       time.Time   `json:"date"`
	Machine    Machine     `json:"machine"`
	Clients    int         `json:"clients"`
	Rows       []Row       `json:"operations,omitempty"`
	Races      []Race      `json:"races,omitempty"`
	Footprints []Footprint `json:"footprints,omitempty"`
}

// Machine is what it was measured on.
type Machine struct {
	Processor  string  `json:"processor"`
	Processors int     `json:"processors"`
	System     string  `json:"system"`
	Go         string  `json:"go"`
	Postgres   string  `json:"postgres,omitempty"`
	Sync       float64 `json:"sync_ms"`  // one small durable write
	Pinned     bool    `json:"pinned"`   // whether the server had a processor to itself
	Measured   string  `json:"measured"` // which program stood in dex's place
}

func (b *bench) describe() Machine {
	m := Machine{
		Processor: processor(), Processors: runtime.NumCPU(),
		System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
		Pinned: len(b.processors.rest) > 0 && b.processors.rest[0] != b.processors.server[0], Measured: b.dex().name,
	}
	if b.cluster != nil {
		m.Postgres = b.cluster.version
	}
	if d, err := syncTime(b.dir); err == nil {
		m.Sync = milliseconds(d)
	}
	return m
}

// ok reports whether all was answered as it should be and, if the budgets are to
// be kept, whether they were.
func (r *Report) ok(gate bool) bool {
	for _, row := range r.Rows {
		if !row.Right() || gate && row.Engine == postgresEngine && !row.Within() {
			return false
		}
	}
	for _, race := range r.Races {
		if !race.Good() {
			return false
		}
	}
	for _, f := range r.Footprints {
		if f.Failures != "" || gate && !f.Within() {
			return false
		}
	}
	return true
}

// Within reports whether every budget is kept.
func (f Footprint) Within() bool {
	for _, l := range f.lines() {
		if l.value > l.allowed {
			return false
		}
	}
	return true
}

type line struct {
	what           string
	value, allowed float64
	unit           string
}

func (f Footprint) lines() []line {
	lines := []line{
		{fmt.Sprintf("memory, idle (%s MiB without the program's file)", number(f.Private)), f.Idle, allowedIdle, "MiB"},
		{"memory, peak of 64 logins at once", f.Peak, allowedPeak + f.Hashing, "MiB"},
		{"start to first answer", f.Start, allowedStart, "ms"},
		{"binary, stripped", f.Binary, allowedBinary, "MB"},
	}
	if f.Engine == postgresEngine {
		lines = append(lines, line{"idle database connections", float64(f.Connections), allowedConnections, ""})
	}
	return lines
}

// table is one with a head.
type table struct {
	title string
	rows  [][]string
}

// tables are the report as people read it.
func (r *Report) tables() []table {
	var tables []table
	for _, engine := range []string{postgresEngine, sqliteEngine} {
		t := table{title: "Operations on " + engine, rows: [][]string{{
			"operation", "ID token", "CPU ms", "floor ms", "× floor", "±", "budget", "st/commits", "budget", "floor's", "p50 ms", "p99 ms", "per s", "",
		}}}
		for _, row := range r.Rows {
			if row.Engine == engine {
				t.rows = append(t.rows, row.cells())
			}
		}
		tables = append(tables, t)
	}
	races := table{title: "At once", rows: [][]string{{
		"database", "processors", "what", "at once", "rounds", "right", "succeeded", "successors", "5xx", "broken", "",
	}}}
	for _, race := range r.Races {
		races.rows = append(races.rows, race.cells())
	}
	small := table{title: "Size and start", rows: [][]string{{"database", "what", "measured", "budget", ""}}}
	for _, f := range r.Footprints {
		for _, l := range f.lines() {
			small.rows = append(small.rows, []string{
				f.Engine, l.what, strings.TrimSpace(number(l.value) + " " + l.unit), number(l.allowed), verdict(l.value <= l.allowed, ""),
			})
		}
	}
	return append(tables, races, small)
}

func (r Row) cells() []string {
	if r.Failure != "" {
		return []string{r.Operation, r.Alg, "–", "–", "–", "–", "–", "–", "–", "–", "–", "–", "–", "failed"}
	}
	counts, allowed, floor := "same SQL", "", ""
	switch {
	case r.Counted:
		counts = count(r.Statements) + "/" + count(r.Commits)
		allowed = count(r.AllowedStatements) + "/" + count(r.AllowedCommits)
		floor = count(r.FloorStatements) + "/" + count(r.FloorCommits)
	case r.Engine == postgresEngine:
		counts = "no pg_stat_statements"
	}
	failed := ""
	if r.Failed > 0 {
		failed = fmt.Sprintf("%d failed", r.Failed)
	}
	return []string{
		r.Operation, r.Alg, number(r.CPU), number(r.Floor), strconv.FormatFloat(r.Ratio, 'f', 2, 64), strconv.FormatFloat(r.Spread, 'f', 2, 64), number(r.Allowed),
		counts, allowed, floor, number(r.P50), number(r.P99), strconv.FormatFloat(r.Rate, 'f', 0, 64), verdict(r.Within(), failed),
	}
}

func (r Race) cells() []string {
	succeeded := strconv.Itoa(r.FewestSucceeded)
	if r.MostSucceeded != r.FewestSucceeded {
		succeeded += "–" + strconv.Itoa(r.MostSucceeded)
	}
	v := "right"
	if !r.Good() {
		v = "WRONG"
	}
	if strings.HasPrefix(r.Kind, raceCrowd) {
		if r.Good() && r.Waiting > 0 {
			v = fmt.Sprintf("right; %d told to wait", r.Waiting)
		}
		return []string{r.Engine, strconv.Itoa(r.Processors), r.Kind, strconv.Itoa(r.Requests), "", "", "", "", "", "", v}
	}
	return []string{
		r.Engine, strconv.Itoa(r.Processors), r.Kind, strconv.Itoa(r.Requests), strconv.Itoa(r.Rounds), strconv.Itoa(r.Right),
		succeeded, strconv.Itoa(r.MostSuccessors), strconv.Itoa(r.ServerErrors), strconv.Itoa(r.Broken), v,
	}
}

func verdict(within bool, failed string) string {
	switch {
	case failed != "":
		return failed
	case within:
		return "within"
	}
	return "OVER"
}

// failures are all that went wrong, in words.
func (r *Report) failures() []string {
	var all []string
	for _, row := range r.Rows {
		if !row.Right() {
			all = append(all, fmt.Sprintf("%s, %s %s: %s %q", row.Engine, row.Operation, row.Alg, row.Failure, row.Failures))
		}
	}
	for _, race := range r.Races {
		if race.Failure != "" {
			all = append(all, fmt.Sprintf("%s, %s by %d on %d processors: %s", race.Engine, race.Kind, race.Requests, race.Processors, race.Failure))
		}
	}
	for _, f := range r.Footprints {
		if f.Failures != "" {
			all = append(all, f.Engine+", 64 logins at once: "+f.Failures)
		}
	}
	return all
}

func (m Machine) String() string {
	s := fmt.Sprintf("%s; %d × %s, %s, %s", m.Measured, m.Processors, m.Processor, m.System, m.Go)
	if m.Postgres != "" {
		s += ", PostgreSQL " + m.Postgres
	}
	s += fmt.Sprintf("; a durable write takes %s ms", number(m.Sync))
	if !m.Pinned {
		s += "; there is one processor only, so the server shared it"
	}
	return s
}

// print shows the report on a terminal.
func (r *Report) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s\n%d clients\n", r.Machine, r.Clients)
	for _, t := range r.tables() {
		if len(t.rows) == 1 {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", t.title)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, row := range t.rows {
			fmt.Fprintln(tw, "  "+strings.Join(row, "\t"))
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	for _, f := range r.failures() {
		fmt.Fprintln(w, "failed:", f)
	}
	return nil
}

// save keeps the report in dir: the latest for programs, each day's for people.
func (r *Report) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	document, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "latest.json"), append(document, '\n'), 0o644); err != nil {
		return err
	}
	name := r.Date.Format(time.DateOnly) + ".md"
	return os.WriteFile(filepath.Join(dir, name), []byte(r.markdown()), 0o644)
}

func (r *Report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Measured %s\n\n%s; %d clients.\n", r.Date.Format(time.DateOnly), r.Machine, r.Clients)
	for _, t := range r.tables() {
		if len(t.rows) == 1 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n", t.title)
		for i, row := range t.rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
			if i == 0 {
				b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
			}
		}
	}
	for i, f := range r.failures() {
		if i == 0 {
			b.WriteString("\n## Failed\n\n")
		}
		fmt.Fprintf(&b, "- %s\n", f)
	}
	return b.String()
}

// number shows three digits of a quantity, and no more than whole units.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a == math.Trunc(a), a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// count shows a number per operation, whole if it is but for the slack.
func count(v float64) string {
	if whole := math.Round(v); math.Abs(v-whole) <= slack {
		return strconv.FormatFloat(whole, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}
