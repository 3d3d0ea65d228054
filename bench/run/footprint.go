package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"dex/bench/load"
)

// Footprint is what dex takes beside processor time, on one database. Sizes are
// in MiB.
type Footprint struct {
	Engine      string  `json:"engine"`
	Idle        float64 `json:"idle_mib"`
	Private     float64 `json:"private_mib"` // of that, what is not the program's file
	Peak        float64 `json:"peak_mib"`    // under 64 logins at once
	Hashing     float64 `json:"hashing_mib"` // of that, what argon2id needs at once
	After       float64 `json:"after_mib"`   // some seconds later
	Start       float64 `json:"start_ms"`    // median, from start to the first answer
	Binary      float64 `json:"binary_mb"`   // stripped; in MB
	Connections int     `json:"connections"` // to the database, idle; 0 on SQLite
	Failures    string  `json:"failures,omitempty"`
}

// The budgets of DESIGN.md.
const (
	allowedIdle        = 25.0
	allowedPeak        = 64.0 // beside the hashing
	allowedStart       = 50.0
	allowedBinary      = 45.0
	allowedConnections = 16
)

const argon2MiB = 19.0

// measureFootprint measures on a fresh server with all processors, because the
// number of hashes at once goes by them.
func (b *bench) measureFootprint(ctx context.Context, engine string) (Footprint, error) {
	fmt.Fprintf(os.Stderr, "%s: memory and start\n", engine)
	f := Footprint{Engine: engine}
	info, err := os.Stat(b.worker)
	if err != nil {
		return f, err
	}
	f.Binary = float64(info.Size()) / 1e6
	database, err := b.database(ctx, engine)
	if err != nil {
		return f, err
	}
	// A database belongs to one issuer, so all starts are on the same address.
	listen, err := freeAddress()
	if err != nil {
		return f, err
	}
	s := &server{program: b.dex(), listen: listen, database: database}
	if err := b.measureMemory(ctx, s, &f); err != nil {
		return f, err
	}
	return f, b.measureStart(ctx, s, &f)
}

func (b *bench) measureMemory(ctx context.Context, s *server, f *Footprint) (err error) {
	cpus := slices.Concat(b.processors.server, b.processors.rest)
	slices.Sort(cpus)
	cpus = slices.Compact(cpus)
	if err := b.run(ctx, s, cpus); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	pause(ctx, 2*time.Second)
	idle, err := memory(s.pid())
	if err != nil {
		return err
	}
	o, _ := load.Find(load.FirstLogin)
	crowd, err := load.NewCrowd(s.target, o, 64)
	if err != nil {
		return err
	}
	defer crowd.Close()
	if result := crowd.Run(ctx, 6*b.options.slice); result.Failed > result.Waiting {
		f.Failures = result.Err().Error()
	}
	pause(ctx, 3*time.Second)
	after, err := memory(s.pid())
	if err != nil {
		return err
	}
	f.Idle, f.Private, f.Peak, f.After = mib(idle.now), mib(idle.private), mib(after.peak), mib(after.now)
	f.Hashing = argon2MiB * float64(len(cpus))
	if isPostgres(s.database) {
		f.Connections, err = b.cluster.connections(ctx, s.database)
	}
	return err
}

// measureStart starts the server again and again on a database that it knows.
func (b *bench) measureStart(ctx context.Context, s *server, f *Footprint) error {
	starts := 10
	if b.options.quick {
		starts = 3
	}
	took := make([]time.Duration, 0, starts)
	for range starts {
		begin := time.Now()
		if err := s.launch(b, b.processors.server); err != nil {
			return err
		}
		err := s.await(ctx)
		took = append(took, time.Since(begin))
		if err := errors.Join(err, s.stop()); err != nil {
			return fmt.Errorf("%w; its log ends in:\n%s", err, s.logEnd())
		}
	}
	slices.Sort(took)
	f.Start = milliseconds(took[len(took)/2])
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
