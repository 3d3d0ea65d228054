// Package proxy is a TCP proxy that does to connections what networks, balancers
// and dying machines do: it delays, stalls, cuts and resets them, and leaves them
// half open.
//
// It stands between a program and its database, or a client and a program, and is
// told what to do while they work. It knows nothing of what it carries, and holds
// back what it delays, so it never changes the order of anything.
package proxy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Faults are what befalls every connection, from the moment they are set. The zero
// value lets all pass.
type Faults struct {
	// Latency holds back each piece that passes, in each direction; Jitter up to so
	// much more.
	Latency, Jitter time.Duration
	// Stall lets nothing pass until it is lifted. Nothing is lost by it.
	Stall bool
	// CutRequests and CutAnswers end a connection when so many bytes have passed since
	// it was opened, from the client or to it; zero never. The byte after is lost.
	CutRequests, CutAnswers int64
	// Refuse resets every new connection.
	Refuse bool
}

// Proxy carries connections to a target.
type Proxy struct {
	listener net.Listener
	seed     uint64
	all      sync.WaitGroup

	mu      sync.Mutex
	target  string
	faults  Faults
	changed chan struct{} // closed when faults are set
	links   map[*link]bool
	opened  uint64
	closed  bool
}

// Listen starts a proxy on a free port of this machine. What is left to chance
// follows from the seed.
func Listen(target string, seed uint64) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{listener: l, seed: seed, target: target, changed: make(chan struct{}), links: map[*link]bool{}}
	p.all.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// SetTarget says where new connections go.
func (p *Proxy) SetTarget(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = address
}

// Set says what befalls connections from now on, those that are open too.
func (p *Proxy) Set(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
	close(p.changed)
	p.changed = make(chan struct{})
}

// Open returns how many connections there are.
func (p *Proxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Opened returns how many connections there have been.
func (p *Proxy) Opened() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened
}

// Cut ends all connections in an orderly way, in the middle of whatever they carry.
func (p *Proxy) Cut() {
	for _, l := range p.current() {
		l.end()
	}
}

// Reset ends all connections as a machine does that knows nothing of them: with RST.
func (p *Proxy) Reset() {
	for _, l := range p.current() {
		l.reset()
	}
}

// HalfOpen makes the target end all connections without their clients' hearing of
// it: they stay open, take whatever is sent, and never answer.
func (p *Proxy) HalfOpen() {
	for _, l := range p.current() {
		l.forsake()
	}
}

// Close ends the proxy and all its connections.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.Cut()
	p.all.Wait()
	return err
}

func (p *Proxy) current() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*link
	for l := range p.links {
		all = append(all, l)
	}
	return all
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the next one may be luckier
		}
		p.all.Go(func() { p.serve(conn.(*net.TCPConn)) })
	}
}

// serve carries one connection until it ends.
func (p *Proxy) serve(client *net.TCPConn) {
	p.mu.Lock()
	target, refuse := p.target, p.faults.Refuse || p.closed
	p.mu.Unlock()
	if refuse {
		abandon(client)
		return
	}
	server, err := net.DialTimeout("tcp", target, dialTimeout)
	if err != nil {
		abandon(client) // as if nobody listened, as far as a proxy can tell
		return
	}
	l := newLink(p, client, server.(*net.TCPConn))
	if !p.add(l) {
		l.reset()
		return
	}
	defer p.remove(l)
	l.carry()
}

const dialTimeout = 10 * time.Second

func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.opened++
	l.number = p.opened
	p.links[l] = true
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// now returns the faults that are set, and what is closed when others are.
func (p *Proxy) now() (Faults, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults, p.changed
}

// delay returns for how long the next piece is held back.
func (f Faults) delay(chance *rand.Rand) time.Duration {
	d := f.Latency
	if f.Jitter > 0 {
		d += time.Duration(chance.Int64N(int64(f.Jitter) + 1))
	}
	return d
}
