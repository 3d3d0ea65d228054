package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"dex/bench/load"
)

// sample is what one turn at an operation came to.
type sample struct {
	load.Result
	cpu  time.Duration
	work work
}

// contender is a server with a crowd that is ready for the operation.
type contender struct {
	server  *server
	crowd   *load.Crowd
	samples []sample
}

// contenders are those that take turns. The floors are the same server without
// and with a password hash, which only the first login asks for.
type contenders struct{ dex, floor, hashing *contender }

// measureOperations measures every operation on one database: dex and the floor in
// turn, so that both see the machine in the same mood.
func (b *bench) measureOperations(ctx context.Context, engine string) (rows []Row, err error) {
	servers, err := b.startAll(ctx, engine)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.stop())
		}
	}()
	for _, o := range b.options.selected() {
		for _, c := range load.Clients {
			if c.ID != load.Clients[0].ID && !o.Alg {
				continue
			}
			fmt.Fprintf(os.Stderr, "%s: %s %s\n", engine, o.Name, c.IDTokenAlg)
			row, err := b.measureOperation(ctx, servers, engine, o, c)
			if ctx.Err() != nil {
				return rows, ctx.Err()
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, "  failed:", err)
				row = []Row{{Engine: engine, Operation: o.Name, Alg: c.IDTokenAlg, Failure: err.Error()}}
			}
			rows = append(rows, row...)
		}
	}
	return rows, nil
}

// startAll starts dex and both floors, in this order.
func (b *bench) startAll(ctx context.Context, engine string) (servers []*server, err error) {
	for _, p := range []program{b.dex(), b.floor("none"), b.floor("argon2id")} {
		database, err := b.database(ctx, engine)
		if err == nil {
			var s *server
			if s, err = b.start(ctx, p, database, b.processors.server); err == nil {
				servers = append(servers, s)
				continue
			}
		}
		for _, s := range servers {
			err = errors.Join(err, s.stop())
		}
		return nil, err
	}
	return servers, nil
}

func (b *bench) measureOperation(ctx context.Context, servers []*server, engine string, o load.Operation, c load.Client) ([]Row, error) {
	all := make([]*contender, 0, len(servers))
	defer func() {
		for _, c := range all {
			c.crowd.Close()
		}
	}()
	for i, s := range servers {
		if i == 2 && o.Name != load.FirstLogin {
			break
		}
		crowd, err := load.NewCrowd(s.target.For(c), o, b.options.clients)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; its log ends in:\n%s", s.program.name, err, s.logEnd())
		}
		all = append(all, &contender{server: s, crowd: crowd})
	}
	rounds, slice := b.options.rounds, b.options.slice
	if o.Name == load.FirstLogin {
		// Most of it is the hash, and a small change of the processor's pace is much
		// of the rest. Many short turns see the same pace; each must still be long
		// enough for all clients to get theirs.
		rounds, slice = 2*rounds, 3*slice/2
	}
	for round := range rounds + 1 { // the first is to get warm
		for i, c := range all {
			d := slice
			if round == 0 {
				d = slice / 3
			}
			s, err := b.turn(ctx, c, d, i == 0 && round == 1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.server.program.name, err)
			}
			if round > 0 {
				c.samples = append(c.samples, s)
			}
		}
	}
	t := contenders{dex: all[0], floor: all[1]}
	if len(all) > 2 {
		t.hashing = all[2]
	}
	return rowsOf(engine, o, c, t, b.cluster != nil && b.cluster.counts), nil
}

// turn lets the crowd work for a time and returns what it cost the server.
func (b *bench) turn(ctx context.Context, c *contender, d time.Duration, profiled bool) (sample, error) {
	pid := c.server.pid()
	if profiled && b.options.profile != "" {
		stop := b.perf(pid)
		defer stop()
	}
	before, err := b.workOf(ctx, c.server)
	if err != nil {
		return sample{}, err
	}
	start, err := cpuTime(pid)
	if err != nil {
		return sample{}, err
	}
	s := sample{Result: c.crowd.Run(ctx, d)}
	end, err := cpuTime(pid)
	if err != nil {
		return sample{}, err
	}
	after, err := b.workOf(ctx, c.server)
	if err != nil {
		return sample{}, err
	}
	s.cpu = end - start
	s.work = work{after.statements - before.statements, after.commits - before.commits}
	if s.Operations == 0 {
		return s, s.Err()
	}
	return s, nil
}

// workOf returns what the server's database has done, if it can tell.
func (b *bench) workOf(ctx context.Context, s *server) (work, error) {
	if b.cluster == nil || !b.cluster.counts || !isPostgres(s.database) {
		return work{}, nil
	}
	return b.cluster.work(ctx, s.database)
}

// perf records where a process spends its time until stop is called.
func (b *bench) perf(pid int) (stop func()) {
	cmd := exec.Command("perf", "record", "-q", "-F", "1999", "-g", "-o", b.options.profile, "-p", strconv.Itoa(pid))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "  no profile:", err)
		return func() {}
	}
	return func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // perf says on its standard error what went wrong
	}
}
