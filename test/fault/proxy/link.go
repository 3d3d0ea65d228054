package proxy

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is one connection through the proxy.
type link struct {
	proxy          *Proxy
	number         uint64
	client, server *net.TCPConn
	over           chan struct{} // closed when the link has ended
	once           sync.Once
	forsaken       atomic.Bool // the server has gone, and the client does not know
}

func newLink(p *Proxy, client, server *net.TCPConn) *link {
	return &link{proxy: p, client: client, server: server, over: make(chan struct{})}
}

// carry carries both directions until one side has had enough.
func (l *link) carry() {
	var both sync.WaitGroup
	both.Go(func() { l.pump(l.client, l.server, 1, func(f Faults) int64 { return f.CutRequests }) })
	both.Go(func() { l.pump(l.server, l.client, 2, func(f Faults) int64 { return f.CutAnswers }) })
	both.Wait()
	l.end()
}

const piece = 32 << 10

// pump carries one direction. Its end is that of the direction alone, so that an
// answer still comes to somebody who has finished asking.
func (l *link) pump(from, to *net.TCPConn, direction uint64, limit func(Faults) int64) {
	chance := rand.New(rand.NewPCG(l.proxy.seed, l.number<<2|direction))
	buffer := make([]byte, piece)
	var passed int64
	for {
		n, err := from.Read(buffer)
		if n > 0 && (from != l.client || !l.forsaken.Load()) {
			f, ok := l.await(chance)
			if !ok {
				return
			}
			if most := limit(f); most > 0 && passed+int64(n) > most {
				_, _ = to.Write(buffer[:max(0, most-passed)]) // it ends in any case
				l.end()
				return
			}
			passed += int64(n)
			if _, err := to.Write(buffer[:n]); err != nil && !l.forsaken.Load() {
				l.end()
				return
			}
		}
		switch {
		case err == nil:
		case err == io.EOF && !l.forsaken.Load(): //nolint:errorlint // A connection returns it as it is.
			_ = to.CloseWrite() // the other side may have gone
			return
		case from == l.server && l.forsaken.Load():
			return // of which the client hears nothing
		default:
			l.end()
			return
		}
	}
}

// await holds a piece back for as long as the faults say. It reports false when the
// link has ended meanwhile.
func (l *link) await(chance *rand.Rand) (Faults, bool) {
	f, changed := l.proxy.now()
	if d := f.delay(chance); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-l.over:
			return f, false
		}
		f, changed = l.proxy.now()
	}
	for f.Stall {
		select {
		case <-changed:
			f, changed = l.proxy.now()
		case <-l.over:
			return f, false
		}
	}
	return f, true
}

// end closes both sides.
func (l *link) end() {
	l.once.Do(func() { close(l.over) })
	_ = l.client.Close()
	_ = l.server.Close()
}

// reset closes both sides with RST.
func (l *link) reset() {
	_ = l.client.SetLinger(0)
	_ = l.server.SetLinger(0)
	l.end()
}

// forsake lets the server go and keeps the client, whose words go nowhere.
func (l *link) forsake() {
	l.forsaken.Store(true)
	_ = l.server.Close()
}

// abandon closes a connection with RST.
func abandon(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
