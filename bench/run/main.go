// Run measures dex against the budgets of its design, and against the floor.
//
//	go run ./bench/run            everything; about six minutes
//	go run ./bench/run -quick     a first impression; about a minute and a half
//	go run ./bench/run -races     only what single use is worth under a race
//	go run ./bench/run -only refresh -db postgres
//
// It builds the programs, starts a Postgres server of its own, gives the measured
// server one processor and itself and Postgres the others. See bench/README.md for
// what the numbers mean.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"dex/bench/load"
)

// options are what the command line says.
type options struct {
	clients   int
	rounds    int
	slice     time.Duration
	quick     bool
	raceOnly  bool
	raceTurns int
	only      string
	engines   []string
	worker    string
	config    string
	self      bool
	gate      bool
	results   string
	profile   string
}

func main() {
	o, err := parseFlags(os.Args[1:])
	if err != nil {
		os.Exit(2) // flag has said why
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func parseFlags(args []string) (options, error) {
	var o options
	var engines string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.clients, "clients", 16, "how many clients put the load on")
	f.IntVar(&o.rounds, "rounds", 5, "how often dex and the floor take turns at an operation")
	f.DurationVar(&o.slice, "slice", 600*time.Millisecond, "how long each turn is")
	f.BoolVar(&o.quick, "quick", false, "short turns and few rounds: a first impression")
	f.BoolVar(&o.raceOnly, "races", false, "only the races")
	f.StringVar(&o.only, "only", "", "only the operation whose name contains this")
	f.StringVar(&engines, "db", "postgres,sqlite", "on which databases")
	f.StringVar(&o.worker, "worker", "", "a dex-worker that is built already")
	f.StringVar(&o.config, "config", "bench/dex.yaml", "the worker's configuration")
	f.BoolVar(&o.self, "self", false, "measure the floor in dex's place: how far the ratios are from 1 is what the measurement is worth")
	f.BoolVar(&o.gate, "gate", false, "fail if a budget is exceeded")
	f.StringVar(&o.results, "results", "", "the folder for the results; bench/results if everything was measured, else none")
	f.StringVar(&o.profile, "profile", "", "with -only: the file in which perf records where dex spends its time")
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	o.engines = strings.Split(engines, ",")
	for _, e := range o.engines {
		if !slices.Contains([]string{postgresEngine, sqliteEngine}, e) {
			fmt.Fprintf(f.Output(), "there is no database %q; there are postgres and sqlite\n", e)
			return options{}, flag.ErrHelp
		}
	}
	o.raceTurns = 50
	if o.quick {
		o.rounds, o.slice, o.raceTurns = 1, 250*time.Millisecond, 5
	}
	complete := !o.quick && !o.raceOnly && !o.self && o.only == "" && len(o.engines) == 2
	if o.results == "" && complete {
		o.results = "bench/results"
	}
	return o, nil
}

const (
	postgresEngine = "postgres"
	sqliteEngine   = "sqlite"
)

// run measures what the options ask for, prints it, and reports whether all
// went right.
func run(ctx context.Context, o options) (ok bool, err error) {
	machine, err := settle()
	if err != nil {
		return false, err
	}
	b, err := newBench(ctx, o, machine)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	report := &Report{Date: time.Now().UTC(), Machine: b.describe(), Clients: o.clients}
	for _, engine := range o.engines {
		if err := b.measureEngine(ctx, engine, report); err != nil {
			return false, errors.Join(err, report.print(os.Stdout))
		}
	}
	if err := report.print(os.Stdout); err != nil {
		return false, err
	}
	if o.results != "" {
		if err := report.save(o.results); err != nil {
			return false, err
		}
	}
	return report.ok(o.gate), nil
}

// measureEngine adds to the report all that is asked for on one database.
func (b *bench) measureEngine(ctx context.Context, engine string, report *Report) error {
	if !b.options.raceOnly {
		rows, err := b.measureOperations(ctx, engine)
		report.Rows = append(report.Rows, rows...)
		if err != nil {
			return err
		}
	}
	if b.options.only != "" {
		return nil
	}
	races, err := b.measureRaces(ctx, engine)
	report.Races = append(report.Races, races...)
	if err != nil || b.options.raceOnly {
		return err
	}
	footprint, err := b.measureFootprint(ctx, engine)
	if err != nil {
		return err
	}
	report.Footprints = append(report.Footprints, footprint)
	return nil
}

// selected returns the operations to measure.
func (o options) selected() []load.Operation {
	return slices.DeleteFunc(slices.Clone(load.Operations), func(op load.Operation) bool {
		return !strings.Contains(op.Name, o.only)
	})
}
