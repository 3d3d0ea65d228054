package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dex/internal/base/fault"
	"dex/internal/store"
	"dex/test/fault/calls"
)

// deed is a verb of the store that changes something.
type deed struct {
	// verb is the method's name, with what is special about this case behind it.
	verb string
	// prepare makes what the deed needs, under names that nobody had before, and
	// returns the deed itself, which may be done again when it has failed.
	prepare func(w *world, n string) func(ctx context.Context) error
}

func allDeeds() []deed { return slices.Concat(deeds, operatorsDeeds, peoplesDeeds, backchannelDeeds) }

// Deeds returns the verbs of all deeds.
func Deeds() []string {
	var all []string
	for _, d := range allDeeds() {
		all = append(all, d.verb)
	}
	return all
}

// way is how a call fails.
type way struct {
	name string
	fate calls.Fate
	gone bool // not the call fails: whoever asked is gone
}

var ways = []way{
	{name: "it does not get there", fate: calls.Before},
	{name: "its answer is lost", fate: calls.After},
	{name: "whoever asked is gone", gone: true},
}

// RunNth lets each call fail that a verb makes of the database, one after the other,
// and holds every verb to this: it has happened wholly or not at all, it is never
// said to be done when it is not, and who tries again gets there.
func RunNth(t *testing.T, open Opener) {
	for _, d := range allDeeds() {
		t.Run(d.verb, func(t *testing.T) {
			t.Parallel() // most of the time goes into waiting for a disk
			tr := newTrial(t, open, d)
			for _, tr.way = range ways {
				tr.run()
			}
		})
	}
}

// goesOn are verbs that have something to look at, or to tidy up, when it is done, so
// that they can fail afterwards.
var goesOn = map[string]bool{"EnsureTenant": true, "DeleteClient": true}

// trial is one verb whose calls fail.
type trial struct {
	*world
	deed
	way
	line   *calls.Line
	round  int
	wholly string // what changes when it is done
}

func newTrial(t *testing.T, open Opener, d deed) *trial {
	line := &calls.Line{}
	w := newWorld(t, func(t testing.TB, options ...Option) *store.DB { return open(t, append(options, WithLine(line))...) })
	w.declare(basic("the first"))
	line.Lost = Lost(w, w.db)
	return &trial{world: w, deed: d, line: line}
}

// Lost is what a database's engine says when it cannot be reached.
func Lost(t testing.TB, db *store.DB) error {
	t.Helper()
	if isPostgres(t, db) {
		return &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	// Only the engine makes its errors.
	nowhere, err := sql.Open("sqlite", "file:/nowhere/to/be/found?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nowhere.Close() }()
	err = nowhere.PingContext(context.Background())
	if err == nil {
		t.Fatal("there is a database where none should be")
	}
	return err
}

// next prepares the deed once more.
func (t *trial) next() (do func(context.Context) error, before state) {
	t.round++
	do = t.prepare(t.world, fmt.Sprintf("name-%d", t.round))
	return do, t.look()
}

func (t *trial) run() {
	do, _ := t.next()
	t.ok(do(t.ctx)) // the first time is unlike all others: it finds what was declared
	do, before := t.next()
	t.ok(do(t.ctx))
	t.wholly = before.change(t.look())
	if t.wholly == "" {
		t.Fatal("the deed changes nothing")
	}
	for n := 1; t.fail(n); n++ {
		if n == 200 {
			t.Fatal("there is no end of calls")
		}
	}
}

// fail lets the n-th call fail. It reports false if there is none.
func (t *trial) fail(n int) bool {
	do, before := t.next()
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	nth := &calls.Nth{N: n, Fate: t.fate}
	if t.gone {
		nth.Leave = cancel
	}
	t.line.SetJudge(nth.Judge)
	err := do(ctx)
	t.line.SetJudge(nil)
	call, hit := nth.Hit()
	now := before.change(t.look())
	where := fmt.Sprintf("%s, call %d (%s)", t.name, n, call)
	switch {
	case !hit:
		if n == 1 {
			t.Error("the deed asks nothing of the database")
		}
		if err != nil || now != t.wholly {
			t.Errorf("without a failure: %v, and this has changed:\n%s", err, now)
		}
		return false
	case now != "" && now != t.wholly:
		t.Errorf("%s: it is half done:\n%s\nwanted nothing, or\n%s", where, now, t.wholly)
	case err == nil && now == "":
		t.Errorf("%s: it is not done, and nobody was told", where)
	case err != nil && now != "" && t.fate == calls.Before && !goesOn[t.verb]:
		t.Errorf("%s: it is done, though the call never got there: %v", where, err)
	case err != nil && !t.honest(err):
		t.Errorf("%s: the error is %v", where, err)
	}
	if err != nil {
		t.again(where, do, before, now != "")
	}
	return !t.Failed()
}

// honest reports whether an error says what has happened.
func (t *trial) honest(err error) bool {
	if t.gone {
		return errors.Is(err, context.Canceled)
	}
	return fault.Is(err, fault.Unavailable)
}

// again does the deed once more, with nothing in its way. If it was done and nobody
// heard of it, it may be refused as one that was done.
func (t *trial) again(where string, do func(context.Context) error, before state, done bool) {
	err := do(t.ctx)
	now := before.change(t.look())
	switch {
	case !done && err != nil:
		t.Errorf("%s: tried again: %v", where, err)
	case !done && now != t.wholly:
		t.Errorf("%s: tried again, this has changed:\n%s\nwanted\n%s", where, now, t.wholly)
	case done && err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.NotFound):
		t.Errorf("%s: tried again after it was done: %v", where, err)
	}
}

// state is all that a database holds: how often each row is there.
type state map[string]int

// look reads everything.
func (t *trial) look() state {
	t.Helper()
	all := state{}
	for _, table := range tables(t, t.db) {
		rows, err := store.Raw(t.db).QueryContext(t.ctx, `SELECT * FROM "`+table+`"`)
		t.ok(err)
		each(t, rows, func(row string) { all[table+": "+row]++ })
	}
	return all
}

// each reads rows, each as a line.
func each(t *trial, rows *sql.Rows, see func(row string)) {
	t.Helper()
	defer func() { _ = rows.Close() }() // what matters of it is in rows.Err
	columns, err := rows.Columns()
	t.ok(err)
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		t.ok(rows.Scan(into...))
		var line strings.Builder
		for i, column := range columns {
			if b, ok := values[i].([]byte); ok {
				values[i] = fmt.Sprintf("bytes(%x)", b)
			}
			fmt.Fprintf(&line, " %s=%v", column, values[i])
		}
		see(line.String())
	}
	t.ok(rows.Err())
}

// change tells what has come and gone, with all taken out that differs from one
// time to the next: names, numbers and what is sealed.
func (s state) change(after state) string {
	var lines []string
	for _, row := range slices.Sorted(maps.Keys(s)) {
		for range s[row] - after[row] {
			lines = append(lines, "- "+anonymous(row))
		}
	}
	for _, row := range slices.Sorted(maps.Keys(after)) {
		for range after[row] - s[row] {
			lines = append(lines, "+ "+anonymous(row))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

var particular = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`bytes\([0-9a-f]+\)`), "bytes"},
	{regexp.MustCompile(`(^|[^0-9A-Za-z_-])[0-9A-Za-z_-]{43}($|[^0-9A-Za-z_-])`), "${1}thumbprint${2}"},
	{regexp.MustCompile(`\b([a-z]{2,4})_[0-9A-Za-z_-]{8,}`), "${1}_"},
	{regexp.MustCompile(`\d+`), "#"},
}

func anonymous(row string) string {
	for _, p := range particular {
		row = p.pattern.ReplaceAllString(row, p.instead)
	}
	return row
}
