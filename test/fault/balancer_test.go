package fault

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// balancer gives each connection to the next worker that is ready, as far as it knows,
// and to any if none is. It knows nothing of what it carries.
type balancer struct {
	turn    atomic.Uint64
	workers []string
	ready   []atomic.Bool
	done    chan struct{}
	all     sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool
}

func balance(t testing.TB, l net.Listener, workers []string) *balancer {
	b := &balancer{workers: workers, ready: make([]atomic.Bool, len(workers)), done: make(chan struct{}), open: map[net.Conn]bool{}}
	for i := range workers {
		b.all.Go(func() { b.watch(i) })
	}
	b.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.all.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		close(b.done)
		b.cut()
		b.all.Wait()
	})
	return b
}

func (b *balancer) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.open {
		_ = c.Close()
	}
}

func (b *balancer) track(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[c] = true
}

func (b *balancer) drop(c net.Conn) {
	_ = c.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, c)
}

func (b *balancer) serve(client net.Conn) {
	b.track(client)
	defer b.drop(client)
	for try := range 2 * len(b.workers) {
		i := b.turn.Add(1) % uint64(len(b.workers))
		if try < len(b.workers) && !b.ready[i].Load() {
			continue
		}
		server, err := net.DialTimeout("tcp", b.workers[i], time.Second)
		if err != nil {
			continue
		}
		b.track(server)
		defer b.drop(server)
		var both sync.WaitGroup
		both.Go(func() { pass(client, server) })
		both.Go(func() { pass(server, client) })
		both.Wait()
		return
	}
}

// watch asks a worker now and then whether it is ready.
func (b *balancer) watch(i int) {
	probe := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		resp, err := probe.Get("http://" + b.workers[i] + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
		}
		b.ready[i].Store(err == nil && resp.StatusCode == http.StatusOK)
		select {
		case <-b.done:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// pass carries one direction, and ends both when it ends.
func pass(from, to net.Conn) {
	_, _ = io.Copy(to, from) // it ends in any case
	_ = to.Close()
	_ = from.Close()
}
