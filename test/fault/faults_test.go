package fault

import (
	"testing"
	"time"

	"dex/test/fault/proxy"
	"dex/test/postgres"
)

// scenario is something that happens while everybody is at work.
type scenario struct {
	name    string
	happens func(s *site)
}

var scenarios = []scenario{
	{"a worker is killed", func(s *site) { s.anyWorker().restart() }},
	{"the overlord is killed", func(s *site) { s.places[workers].restart() }},
	{"a rolling restart of all workers", func(s *site) {
		before := s.ledger.failures()
		for _, p := range s.places[:workers] {
			p.process.Stop()
			p.start()
			p.process.AwaitReady()
			s.rounds(1) // the balancer hears of it
		}
		if after := s.ledger.failures(); after != before {
			s.t.Errorf("nobody may notice a rolling restart, and %d requests failed:\n%s", after-before, s.ledger.table())
		}
	}},
	{"the database is slow, stands still, and comes back", func(s *site) {
		s.lines(proxy.Faults{Latency: 20 * time.Millisecond, Jitter: 60 * time.Millisecond})
		s.rounds(2)
		s.lines(proxy.Faults{Stall: true})
		s.pause()
		s.lines(proxy.Faults{})
	}},
	{"connections to the database are cut", func(s *site) {
		for range 3 {
			p := s.anyWorker()
			switch s.chance.IntN(3) {
			case 0:
				p.line.Cut()
			case 1:
				p.line.Reset()
			default:
				p.line.Set(proxy.Faults{CutAnswers: 1 + s.chance.Int64N(40_000)})
			}
			s.rounds(2)
			p.line.Set(proxy.Faults{})
		}
	}},
	{"a connection is half open", func(s *site) {
		p := s.anyWorker()
		p.line.HalfOpen()
		s.rounds(2)
		p.line.Cut()
	}},
	{"the database cannot be reached", func(s *site) {
		s.lines(proxy.Faults{Refuse: true})
		for _, p := range s.places {
			p.line.Reset()
		}
		s.attempts(20 * persons)
		s.lines(proxy.Faults{})
	}},
	{"the database is killed and comes back", func(s *site) {
		s.must(s.primary.Kill9())
		s.attempts(10 * persons)
		s.must(s.primary.Restart())
	}},
	{"the clock of a worker is an hour late", func(s *site) {
		p := s.anyWorker()
		p.program = lateWorker
		p.restart()
		s.rounds(2 * persons)
		p.program = worker
		p.restart()
	}},
	{"the standby takes over", func(s *site) {
		standby, err := s.primary.Standby()
		s.must(err)
		s.standby = standby
		s.rounds(persons)
		s.must(s.primary.Kill9())
		s.attempts(10 * persons)
		s.must(standby.Promote())
		old := s.primary
		s.primary, s.standby = standby, nil
		for _, p := range s.places {
			p.line.SetTarget(s.database())
		}
		s.must(old.Stop())
	}},
}

// TestPromisesHoldWhileThingsFail goes through all faults, one after the other, in the
// same deployment and with sessions that outlive them.
func TestPromisesHoldWhileThingsFail(t *testing.T) {
	seed := seedOf(t)
	s := newSite(t, seed, postgres.Options{Durable: true}, built{worker, overlord})
	for _, sc := range scenarios {
		s.undergo(sc)
	}
	for until := time.Now().Add(*timeFlag); time.Now().Before(until); {
		s.undergo(scenarios[s.chance.IntN(len(scenarios))])
	}
	s.noGoroutineIsLeft()
}

// seedOf is what chance follows from.
func seedOf(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to begin in the same way again: go test ./test/fault -run %s -seed %d", t.Name(), seed)
	return seed
}

func (s *site) undergo(sc scenario) {
	s.t.Helper()
	began := time.Now()
	s.work(func() { sc.happens(s) })
	s.settled(sc.name)
	s.t.Logf("%s: %s", sc.name, time.Since(began).Round(time.Millisecond))
	if s.t.Failed() {
		s.t.FailNow()
	}
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) anyWorker() *place { return s.places[s.chance.IntN(workers)] }

// lines sets what befalls every connection to the database.
func (s *site) lines(f proxy.Faults) {
	for _, p := range s.places {
		p.line.Set(f)
	}
}

// pause lets a fault go on for a moment in which nobody can do anything.
func (s *site) pause() { time.Sleep(2 * time.Second) }

// maxGoroutines is how many a process has at most when it has nothing to do.
const maxGoroutines = 80

// noGoroutineIsLeft ends all processes in the way in which they tell of all that they
// were doing.
func (s *site) noGoroutineIsLeft() {
	s.t.Helper()
	for _, p := range s.places {
		if n := goroutines(p.process); n == 0 || n > maxGoroutines {
			s.t.Errorf("%s had %d goroutines with nothing to do", p.address, n)
		} else {
			s.t.Logf("%s had %d goroutines with nothing to do", p.address, n)
		}
	}
}
