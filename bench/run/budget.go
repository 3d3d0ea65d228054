package main

import (
	"slices"
	"strings"
	"time"

	"dex/bench/load"
)

// budget is what an operation may cost: so many times what it costs the floor,
// and so many statements and commits.
type budget struct {
	ratio               float64
	statements, commits float64
}

// lessHash is added to the name of the first login's row without the password hash.
const lessHash = ", less the hash"

// budgets are the table of DESIGN.md, and for what it does not name as much as for the
// like. It binds on Postgres; on SQLite the same SQL
// runs inside the server and weighs more, so there it is for comparison.
var budgets = map[string]budget{
	load.Discovery:             {1.5, 0, 0},
	load.Keys:                  {1.5, 0, 0},
	load.ClientCredentials:     {1.5, 0, 0},
	load.SignedCredentials:     {1.5, 1, 1},
	load.BoundCredentials:      {1.5, 1, 1},
	load.PushedRequest:         {1.5, 1, 1},
	load.FirstLogin:            {1.05, 6, 3},
	load.FirstLogin + lessHash: {2, 6, 3},
	load.SessionLogin:          {2, 3, 2},
	load.Refresh:               {1.5, 2, 1},
	load.Userinfo:              {1.4, 1, 0},
	load.Introspection:         {1.4, 1, 0},
}

// Row is one operation on one database. Times are in milliseconds.
type Row struct {
	Engine    string  `json:"engine"`
	Operation string  `json:"operation"`
	Alg       string  `json:"alg,omitempty"` // of ID tokens, where there are any
	CPU       float64 `json:"cpu_ms"`
	Floor     float64 `json:"floor_ms"`
	Ratio     float64 `json:"ratio"`
	Spread    float64 `json:"ratio_spread"` // half of what lies between the least and the most of a round
	Allowed   float64 `json:"allowed_ratio"`

	// Per operation, where they could be counted.
	Counted           bool    `json:"counted"`
	Statements        float64 `json:"statements"`
	AllowedStatements float64 `json:"allowed_statements"`
	Commits           float64 `json:"commits"`
	AllowedCommits    float64 `json:"allowed_commits"`
	FloorStatements   float64 `json:"floor_statements"`
	FloorCommits      float64 `json:"floor_commits"`

	P50      float64  `json:"p50_ms"`
	P99      float64  `json:"p99_ms"`
	Rate     float64  `json:"per_second"`
	Failed   int      `json:"failed"`
	Failures []string `json:"failures,omitempty"`
	Failure  string   `json:"failure,omitempty"` // why there is no measurement
}

// slack is what a count per operation may be beside a whole number.
const slack = 0.1

// duties are how many statements a second the server sends on its own account: it
// asks whether the configuration has changed, and looks after its keys.
const duties = 2

// Within reports whether the row keeps its budget.
func (r Row) Within() bool {
	return r.Right() && r.Ratio <= r.Allowed && (!r.Counted || r.Commits <= r.AllowedCommits+slack &&
		r.Statements <= r.AllowedStatements+max(slack, duties/r.Rate))
}

// Right reports whether everything that was asked for was answered as it should.
func (r Row) Right() bool { return r.Failure == "" && r.Failed == 0 }

// rowsOf turns what the contenders did into rows: one, or two for the first login.
func rowsOf(engine string, o load.Operation, c load.Client, t contenders, counts bool) []Row {
	row := Row{Engine: engine, Operation: o.Name, Counted: counts && engine == postgresEngine}
	if o.Alg {
		row.Alg = c.IDTokenAlg
	}
	row.observe(t)
	dex, floor := costs(t.dex.samples), costs(t.floor.samples)
	if t.hashing == nil {
		return []Row{row.price(dex, floor)}
	}
	hashing := costs(t.hashing.samples)
	without := row
	without.Operation += lessHash
	// What the hash costs is what it makes the floor cost more.
	hash := slices.Min(hashing) - slices.Min(floor)
	less := make([]float64, len(dex))
	for i := range dex {
		less[i] = dex[i] - hash
	}
	return []Row{without.price(less, floor), row.price(dex, hashing)}
}

// price fills in what the operation cost and what it may cost. The cheapest turn
// of each counts: whatever else the machine does can only add to it.
func (r Row) price(dex, floor []float64) Row {
	ratios := make([]float64, len(dex))
	for i := range dex {
		ratios[i] = dex[i] / floor[i]
	}
	r.CPU, r.Floor = slices.Min(dex), slices.Min(floor)
	r.Ratio = r.CPU / r.Floor
	r.Spread = (slices.Max(ratios) - slices.Min(ratios)) / 2
	b := budgets[r.Operation]
	r.Allowed, r.AllowedStatements, r.AllowedCommits = b.ratio, b.statements, b.commits
	return r
}

// costs are a server's milliseconds per operation, turn by turn.
func costs(samples []sample) []float64 {
	ms := make([]float64, len(samples))
	for i, s := range samples {
		ms[i] = milliseconds(s.cpu) / float64(s.Operations)
	}
	return ms
}

// observe fills in what can be seen from outside.
func (r *Row) observe(t contenders) {
	samples := t.dex.samples
	var p50, p99, rate []float64
	for _, s := range samples {
		p50 = append(p50, milliseconds(s.P50))
		p99 = append(p99, milliseconds(s.P99))
		rate = append(rate, float64(s.Operations)/s.Elapsed.Seconds())
	}
	r.P50, r.P99, r.Rate = median(p50), median(p99), median(rate)
	if r.Counted {
		r.Statements, r.Commits = perOperation(samples)
		r.FloorStatements, r.FloorCommits = perOperation(t.floor.samples)
	}
	for _, s := range slices.Concat(samples, t.floor.samples) {
		r.Failed += s.Failed
		r.Failures = append(r.Failures, s.Failures...)
	}
	r.Failures = r.Failures[:min(3, len(r.Failures))]
}

func perOperation(samples []sample) (statements, commits float64) {
	var sum work
	var n int
	for _, s := range samples {
		sum.statements += s.work.statements
		sum.commits += s.work.commits
		n += s.Operations + s.Failed
	}
	return float64(sum.statements) / float64(n), float64(sum.commits) / float64(n)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func isPostgres(database string) bool { return strings.HasPrefix(database, "postgres") }
