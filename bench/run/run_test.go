package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"dex/bench/load"
)

func TestABudgetIsKeptInEveryRespectOrNotAtAll(t *testing.T) {
	kept := Row{
		Ratio: 1.9, Allowed: 2, Counted: true, Rate: 1000,
		Statements: 6.05, AllowedStatements: 6, Commits: 3, AllowedCommits: 3,
	}
	for _, tt := range []struct {
		name   string
		change func(*Row)
		want   bool
	}{
		{"all kept", func(*Row) {}, true},
		{"slower", func(r *Row) { r.Ratio = 2.01 }, false},
		{"a statement more", func(r *Row) { r.Statements = 7 }, false},
		{"every fourth time a statement more", func(r *Row) { r.Statements = 6.25 }, false},
		{"a statement of its own now and then", func(r *Row) { r.Statements, r.Rate = 6.15, 10 }, true},
		{"a commit more", func(r *Row) { r.Commits = 4 }, false},
		{"a commit more that nobody counted", func(r *Row) { r.Commits, r.Counted = 4, false }, true},
		{"one failed", func(r *Row) { r.Failed = 1 }, false},
		{"not measured", func(r *Row) { r.Failure = "no answer" }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := kept
			tt.change(&r)
			if got := r.Within(); got != tt.want {
				t.Errorf("within: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestEveryOperationHasABudget(t *testing.T) {
	for _, o := range load.Operations {
		if budgets[o.Name].ratio == 0 {
			t.Errorf("%s has none", o.Name)
		}
	}
}

func TestTheCheapestTurnsCountAndTheHashIsTakenOff(t *testing.T) {
	of := func(ms ...int) *contender {
		c := &contender{}
		for _, n := range ms {
			c.samples = append(c.samples, sample{
				Result: load.Result{Operations: 10, Elapsed: time.Second}, cpu: 10 * time.Duration(n) * time.Millisecond,
				work: work{60, 30},
			})
		}
		return c
	}
	o, _ := load.Find(load.FirstLogin)
	// In the second round the machine had something else to do.
	rows := rowsOf(postgresEngine, o, load.Clients[0], contenders{dex: of(29, 56, 28), floor: of(2, 5, 2), hashing: of(26, 52, 27)}, true)
	if len(rows) != 2 {
		t.Fatalf("%d rows", len(rows))
	}
	less, all := rows[0], rows[1]
	if less.Operation != load.FirstLogin+lessHash || less.CPU != 4 || less.Floor != 2 || less.Ratio != 2 || less.Spread == 0 {
		t.Errorf("less the hash: %+v", less)
	}
	if all.CPU != 28 || all.Floor != 26 || math.Abs(all.Ratio-28.0/26) > 1e-9 {
		t.Errorf("with the hash: %+v", all)
	}
	if all.Statements != 6 || all.Commits != 3 || all.Alg != "RS256" {
		t.Errorf("counted %v and %v, %s", all.Statements, all.Commits, all.Alg)
	}
}

func TestARaceIsRightIfEveryRoundIs(t *testing.T) {
	code := Race{Kind: raceCode, Requests: 20}
	code.add(load.Round{Succeeded: 1, Refused: 19, Successors: 1})
	if !code.Good() {
		t.Errorf("one of twenty: %+v", code)
	}
	for _, round := range []load.Round{
		{Succeeded: 2, Refused: 18, Successors: 2},
		{Refused: 20},
		{Succeeded: 1, Refused: 18, ServerErrors: 1, Successors: 1},
		{Succeeded: 1, Refused: 18, Broken: 1, Successors: 1},
	} {
		r := code
		if r.add(round); r.Good() {
			t.Errorf("%+v passed", round)
		}
	}
	refresh := Race{Kind: raceRefresh, Requests: 20}
	refresh.add(load.Round{Succeeded: 20, Successors: 1})
	if !refresh.Good() {
		t.Errorf("twenty of twenty: %+v", refresh)
	}
	if refresh.add(load.Round{Succeeded: 20, Successors: 2}); refresh.Good() {
		t.Error("two successors passed")
	}
	if (Race{}).Good() {
		t.Error("a race that never took place passed")
	}
}

func TestOnlyWhatWentWrongFailsARunUnlessTheBudgetsMustBeKept(t *testing.T) {
	slow := Row{Engine: postgresEngine, Ratio: 3, Allowed: 2}
	for _, tt := range []struct {
		name      string
		report    Report
		ok, gated bool
	}{
		{"slow", Report{Rows: []Row{slow}}, true, false},
		{"slow on SQLite, where no budget binds", Report{Rows: []Row{{Engine: sqliteEngine, Ratio: 3, Allowed: 2}}}, true, true},
		{"failed", Report{Rows: []Row{{Failed: 1}}}, false, false},
		{"a race lost", Report{Races: []Race{{Rounds: 2, Right: 1}}}, false, false},
		{"too big", Report{Footprints: []Footprint{{Idle: 26}}}, true, false},
		{"a login refused", Report{Footprints: []Footprint{{Failures: "1 of 9"}}}, false, false},
	} {
		if got := tt.report.ok(false); got != tt.ok {
			t.Errorf("%s: ok %v, want %v", tt.name, got, tt.ok)
		}
		if got := tt.report.ok(true); got != tt.gated {
			t.Errorf("%s, gated: ok %v, want %v", tt.name, got, tt.gated)
		}
	}
}

func TestTablesAreAsWideAsTheirHeads(t *testing.T) {
	r := Report{
		Rows: []Row{
			{Engine: postgresEngine, Operation: load.Refresh, Counted: true},
			{Engine: postgresEngine, Failure: "no answer"}, {Engine: sqliteEngine},
		},
		Races:      []Race{{Kind: raceCode}, {Kind: raceCrowd + ": " + load.Refresh}},
		Footprints: []Footprint{{Engine: postgresEngine}, {Engine: sqliteEngine}},
	}
	for _, table := range r.tables() {
		if len(table.rows) < 2 {
			t.Errorf("%s: empty", table.title)
		}
		for _, row := range table.rows {
			if len(row) != len(table.rows[0]) {
				t.Errorf("%s: %q has %d cells of %d", table.title, row, len(row), len(table.rows[0]))
			}
		}
	}
	if page := r.markdown(); !strings.Contains(page, "no answer") || !strings.Contains(page, "| refresh |") {
		t.Errorf("the page is\n%s", page)
	}
}

func TestNumbersHaveThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.0123: "0.012", 1.5: "1.50", 2: "2", 26.31: "26.3", 1234.5: "1234"} {
		if got := number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 3.02: "3", 2.95: "3", 3.5: "3.5"} {
		if got := count(v); got != want {
			t.Errorf("%v operations: %s, want %s", v, got, want)
		}
	}
}
