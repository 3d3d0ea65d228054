package store

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
)

// seen is a look that begins now.
func seen(version int64) look {
	k := begin()
	k.version, k.tenant = version, tenant.Tenant{ID: "default"}
	return k
}

func TestALeaseRunsFromTheBeginningOfALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l leased
		k := seen(1)
		time.Sleep(2 * time.Second) // the database takes its time
		l.keepClient(k, client.Client{ID: "a"})
		if _, ok := l.client("a", 3*time.Second); !ok {
			t.Error("forgotten while the lease runs")
		}
		time.Sleep(time.Second)
		if _, ok := l.client("a", 3*time.Second); ok {
			t.Error("answered when the lease is over")
		}
		l.keepTenant(seen(1))
		if _, ok := l.client("a", 3*time.Second); !ok {
			t.Error("forgotten although nothing has changed")
		}
	})
}

func TestANewVersionMakesEverythingForgotten(t *testing.T) {
	var l leased
	l.keepClient(seen(1), client.Client{ID: "a"})
	l.keepConnectors(seen(1), []connector.Configured{{ID: "c"}})
	l.keepOrigin(seen(1), "https://a.example")
	l.keepTenant(seen(2))
	_, known := l.client("a", time.Hour)
	_, listed := l.allConnectors(time.Hour)
	if known || listed || l.allows("https://a.example", time.Hour) {
		t.Error("something of the old version is left")
	}
}

// TestALateAnswerIsNotKept is the race that would outlast every lease: somebody
// reads the old, is held up, and comes to keep it when others have seen the new.
func TestALateAnswerIsNotKept(t *testing.T) {
	var l leased
	late := seen(1)
	l.keepTenant(seen(2))
	l.keepClient(late, client.Client{ID: "a", Name: "old"})
	l.keepConnectors(late, []connector.Configured{{ID: "c"}})
	l.keepOrigin(late, "https://a.example")
	_, known := l.client("a", time.Hour)
	_, listed := l.allConnectors(time.Hour)
	if known || listed || l.allows("https://a.example", time.Hour) {
		t.Error("an answer of an old version was kept")
	}
}

func TestAnEarlierLookDoesNotShortenTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l leased
		early := seen(1)
		time.Sleep(2 * time.Second)
		l.keepClient(seen(1), client.Client{ID: "a"})
		l.keepTenant(early)
		time.Sleep(2 * time.Second)
		if _, ok := l.client("a", 3*time.Second); !ok {
			t.Error("forgotten while the later lease runs")
		}
	})
}

func TestOnlySoManyClientsAreKeptTheMostRecentOnes(t *testing.T) {
	var l leased
	for i := range maxClients {
		l.keepClient(seen(1), client.Client{ID: fmt.Sprint(i)})
	}
	l.client("0", time.Hour) // it is asked for, and so stays
	l.keepClient(seen(1), client.Client{ID: "one more"})
	for id, want := range map[string]bool{"0": true, "1": false, "2": true, "one more": true} {
		if _, got := l.client(id, time.Hour); got != want {
			t.Errorf("client %s kept: %v", id, got)
		}
	}
	if len(l.clients) != maxClients || l.recent.Len() != maxClients {
		t.Errorf("%d and %d are kept", len(l.clients), l.recent.Len())
	}
	for i := range 2 * maxOrigins {
		l.keepOrigin(seen(1), fmt.Sprint(i))
	}
	if len(l.origins) != maxOrigins {
		t.Errorf("%d origins are kept", len(l.origins))
	}
}
