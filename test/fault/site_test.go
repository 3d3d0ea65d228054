package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/test/fault/proxy"
	"dex/test/postgres"
	"dex/test/program"
)

const (
	workers = 3
	persons = 6
)

// site is a whole deployment: three workers without duties and an overlord, each with a proxy of its own before Postgres, and a balancer before the
// workers.
type site struct {
	t         *testing.T
	seed      uint64
	chance    *rand.Rand
	url       string
	home      *url.URL
	transport *http.Transport
	ledger    *ledger
	file      string // the configuration

	primary, standby *postgres.Cluster
	places           []*place // of the workers, and last of the overlord
	persons          []*person
}

// place is where one process stands.
type place struct {
	site    *site
	program string
	address string
	admin   string
	line    *proxy.Proxy // to the database
	duties  bool
	process *program.Process
}

const keySecret = "ZGV4IGZhdWx0cyBkZXggZmF1bHRzIGRleCBmYXVsdHM="

// configuration is who and what there is.
func configuration(issuer string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "issuer: %s\nkey_secrets: [%q]\n", issuer, keySecret)
	fmt.Fprintf(&b, "clients:\n- {id: app, name: Application, secret: app-secret, redirect_uris: [%q], trusted: true}\nusers:\n", callback)
	for i := range persons {
		fmt.Fprintf(&b, "- {id: p%d, username: p%d, email: p%d@example.com, email_verified: true, password_hash: %q}\n", i, i, i,
			"$argon2id$v=19$m=19456,t=2,p=1$IX/u4M4qBgYypUO5WPor/w$QWnKczc15qwVOjNc6ZzrF7ZekdKjPJ4wOUuPXLra/Sc")
	}
	return b.String()
}

// built is the programs of one version.
type built struct{ worker, overlord string }

// newSite starts everything, and waits until it is ready.
func newSite(t *testing.T, seed uint64, o postgres.Options, programs built) *site {
	t.Helper()
	l := listen(t)
	s := &site{
		t: t, seed: seed, chance: rand.New(rand.NewPCG(seed, 0)), url: "http://" + l.Addr().String(), ledger: newLedger(),
		transport: &http.Transport{DisableKeepAlives: true}, file: filepath.Join(t.TempDir(), "dex.yaml"),
	}
	var err error
	if s.home, err = url.Parse(s.url); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.file, []byte(configuration(s.url)), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.primary, err = postgres.Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := s.primary.Stop()
		if s.standby != nil {
			err = errors.Join(err, s.standby.Stop())
		}
		if err != nil {
			t.Error(err)
		}
	})
	var addresses []string
	for i := range workers + 1 {
		p := s.place(programs, i == workers)
		s.places = append(s.places, p)
		if !p.duties {
			addresses = append(addresses, p.address)
		}
	}
	for _, p := range s.places { // in whatever order: nobody waits for anybody
		p.start()
	}
	for _, p := range s.places {
		p.process.AwaitReady()
	}
	balance(t, l, addresses)
	for i := range persons {
		s.persons = append(s.persons, &person{site: s, name: fmt.Sprintf("p%d", i), chance: rand.New(rand.NewPCG(seed, uint64(i+1)))})
	}
	return s
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (s *site) place(programs built, duties bool) *place {
	s.t.Helper()
	line, err := proxy.Listen(s.database(), s.seed)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = line.Close() })
	p := &place{site: s, program: programs.worker, address: program.FreeAddress(s.t), admin: program.FreeAddress(s.t), line: line, duties: duties}
	if duties {
		p.program = programs.overlord
	}
	s.t.Cleanup(func() {
		if p.process != nil {
			p.process.Kill()
			if s.t.Failed() {
				s.t.Logf("what went wrong by %s's account:\n%s", p.address, complaints(p.process.Log.String()))
			}
		}
	})
	return p
}

// complaints are the lines of a log that are no mere news. What is known of clients
// that have gone away tells nothing.
func complaints(log string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "level=INFO") && !strings.Contains(line, "status=503") && !strings.Contains(line, `error="context canceled"`) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// database is the address of the server that takes writes.
func (s *site) database() string {
	u, err := url.Parse(s.primary.URL("postgres"))
	if err != nil {
		s.t.Fatal(err)
	}
	return u.Host
}

func (p *place) start() {
	p.site.t.Helper()
	db := fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable&connect_timeout=5", p.line.Addr())
	if p.duties {
		p.process = program.Start(p.site.t, p.program, nil, "--db-url", db, "--key-secrets", keySecret, "--admin-listen", p.address)
	} else {
		p.process = program.Start(p.site.t, p.program, nil, "--config", p.site.file, "--listen", p.address, "--admin-listen", p.admin,
			"--db", db, "--duties=false", "--drain=2s")
	}
	p.process.URL = "http://" + p.address
}

// restart ends the process as a crash does, and starts it again.
func (p *place) restart() {
	p.site.t.Helper()
	p.process.Kill()
	p.start()
	p.process.AwaitReady()
}

// work lets everybody use the site while something happens, and for some rounds more.
func (s *site) work(happens func()) {
	s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, p := range s.persons {
		all.Go(func() { p.live(ctx) })
	}
	s.rounds(persons)
	happens()
	s.rounds(2 * persons)
	stop()
	all.Wait()
}

// rounds waits until clients have done so much more: there is no other measure of how
// long a fault goes on, so a slow machine has as much of it as a quick one.
func (s *site) rounds(n int) {
	s.t.Helper()
	goal, until := s.ledger.done("codes redeemed")+n, time.Now().Add(program.Patience)
	for s.ledger.done("codes redeemed") < goal {
		if time.Now().After(until) {
			s.t.Fatalf("nobody gets on any more\n%s\n%s", s.ledger.table(), strings.Join(s.ledger.wrong, "\n"))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// attempts waits until clients have asked for something so often, with whatever
// success: whoever keeps asking for one thing gets nowhere, and asks all the same.
func (s *site) attempts(n int) {
	s.t.Helper()
	goal, until := s.ledger.done("requests")+n, time.Now().Add(program.Patience)
	for s.ledger.done("requests") < goal {
		if time.Now().After(until) {
			s.t.Fatalf("nobody asks for anything any more\n%s", s.ledger.table())
		}
		time.Sleep(10 * time.Millisecond)
	}
}
