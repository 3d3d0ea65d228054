package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"dex/bench/load"
)

// Race is what came of some rounds in which one code, or one refresh token, was
// presented many times at the same moment.
type Race struct {
	Engine     string `json:"engine"`
	Processors int    `json:"processors"` // of the server
	Kind       string `json:"kind"`
	Requests   int    `json:"requests"`
	Rounds     int    `json:"rounds"`
	Right      int    `json:"right"` // rounds that came out as they must

	FewestSucceeded int    `json:"fewest_succeeded"`
	MostSucceeded   int    `json:"most_succeeded"`
	MostSuccessors  int    `json:"most_successors"`
	ServerErrors    int    `json:"server_errors"`     // 5xx, over all rounds
	Broken          int    `json:"broken"`            // no answer, or none of the protocol's
	Waiting         int    `json:"waiting,omitempty"` // who were told to come back later
	Failure         string `json:"failure,omitempty"`
}

// The kinds of race.
const (
	raceCode    = "one code"
	raceRefresh = "one refresh token"
	raceCrowd   = "no 5xx" // not a race for one thing, but as many clients, each for itself
)

// Good reports whether every round came out as it must.
func (r Race) Good() bool { return r.Failure == "" && r.Rounds > 0 && r.Right == r.Rounds }

// crowds are how many requests there are at once.
var crowds = []int{20, 64}

// measureRaces runs the races with the server on one processor and on two: where
// it is interrupted, and what truly runs at once, opens different windows.
func (b *bench) measureRaces(ctx context.Context, engine string) ([]Race, error) {
	var races []Race
	both := append(append([]int{}, b.processors.server...), b.processors.rest...)
	for _, cpus := range [][]int{b.processors.server, both[:min(2, len(both))]} {
		fmt.Fprintf(os.Stderr, "%s: races on %d processors\n", engine, len(cpus))
		more, err := b.racesOn(ctx, engine, cpus)
		races = append(races, more...)
		if err != nil {
			return races, err
		}
	}
	return races, nil
}

func (b *bench) racesOn(ctx context.Context, engine string, cpus []int) (races []Race, err error) {
	database, err := b.database(ctx, engine)
	if err != nil {
		return nil, err
	}
	s, err := b.start(ctx, b.dex(), database, cpus)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	for _, n := range crowds {
		for _, kind := range []string{raceCode, raceRefresh} {
			r := Race{Engine: engine, Processors: len(cpus), Kind: kind, Requests: n}
			r.run(ctx, s, b.options.raceTurns)
			races = append(races, r)
		}
	}
	races = append(races, b.noServerErrors(ctx, s, engine, len(cpus))...)
	return races, ctx.Err()
}

func (r *Race) run(ctx context.Context, s *server, rounds int) {
	race, err := load.NewRace(s.target, r.Requests)
	if err != nil {
		r.Failure = err.Error()
		return
	}
	defer race.Close()
	turn := race.Code
	if r.Kind == raceRefresh {
		turn = race.Refresh
	}
	for range rounds {
		if ctx.Err() != nil {
			return
		}
		round, err := turn()
		if err != nil {
			r.Failure = err.Error()
			return
		}
		r.add(round)
	}
}

// add counts one round.
func (r *Race) add(round load.Round) {
	if r.Rounds == 0 {
		r.FewestSucceeded = round.Succeeded
	}
	r.Rounds++
	r.FewestSucceeded = min(r.FewestSucceeded, round.Succeeded)
	r.MostSucceeded = max(r.MostSucceeded, round.Succeeded)
	r.MostSuccessors = max(r.MostSuccessors, round.Successors)
	r.ServerErrors += round.ServerErrors
	r.Broken += round.Broken
	want := load.Round{Succeeded: 1, Refused: r.Requests - 1, Successors: 1}
	if r.Kind == raceRefresh {
		want = load.Round{Succeeded: r.Requests, Successors: 1}
	}
	if round == want {
		r.Right++
	}
}

// noServerErrors lets 64 clients do each of the operations that write, for a
// moment. Nothing may fail; but where passwords are hashed more slowly than people
// come, some of them may be told to come back later.
func (b *bench) noServerErrors(ctx context.Context, s *server, engine string, cpus int) []Race {
	var races []Race
	for _, name := range []string{load.FirstLogin, load.SessionLogin, load.Refresh} {
		o, _ := load.Find(name)
		r := Race{Engine: engine, Processors: cpus, Kind: raceCrowd + ": " + name, Requests: 64, Rounds: 1}
		crowd, err := load.NewCrowd(s.target, o, r.Requests)
		if err != nil {
			r.Failure = err.Error()
			races = append(races, r)
			continue
		}
		result := crowd.Run(ctx, 2*b.options.slice)
		crowd.Close()
		r.Waiting = result.Waiting
		if result.Failed > result.Waiting || result.Operations == 0 {
			r.Failure = result.Err().Error()
		} else {
			r.Right = 1
		}
		races = append(races, r)
	}
	return races
}
