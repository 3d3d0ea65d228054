// Package acceptance_test shows what dex promises with several workers at one
// database: what is used once is used once, rotation fails no token, a flood
// stores nothing, and a copy of the database is worth nothing.
package acceptance_test

import (
	"sync"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/store"
	"dex/internal/store/storetest"
)

// cluster starts workers at one database, each with connections of its own, as
// processes have them. On SQLite they share a file.
func cluster(t *testing.T, n int, o workertest.Options, options ...storetest.Option) []*workertest.Server {
	t.Helper()
	if o.Clock == nil {
		o.Clock = &clock.Fake{}
	}
	options = append(options, storetest.WithClock(o.Clock))
	o.DB = shared(t, options...)
	servers := []*workertest.Server{workertest.Start(t, o)}
	for len(servers) < n {
		next := o
		next.DB, next.Issuer = storetest.Again(t, o.DB), servers[0].URL
		servers = append(servers, workertest.Start(t, next))
	}
	return servers
}

// shared opens a database that can be opened again: the one that the tests run on,
// and a file in the place of memory.
func shared(t *testing.T, options ...storetest.Option) *store.DB {
	t.Helper()
	db := storetest.Open(t, options...)
	if storetest.URL(t, db) == "sqlite::memory:" {
		db = storetest.OpenFile(t, options...)
	}
	return db
}

// connections bounds how many connections to the database each worker has.
func connections(n int) storetest.Option {
	return func(o *store.Options) { o.MaxOpen = n }
}

// atOnce does something many times at the same moment.
func atOnce(n int, do func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	wg.Wait()
}
