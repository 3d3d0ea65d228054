package acceptance_test

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/user"
)

// tally counts the answers of many clients.
type tally struct {
	mu      sync.Mutex
	answers []workertest.Tokens
}

func (c *tally) add(a workertest.Tokens) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = append(c.answers, a)
}

// good returns the answers that brought tokens, and holds the others to an error.
func (c *tally) good(t *testing.T, wanted string) []workertest.Tokens {
	t.Helper()
	var good []workertest.Tokens
	for _, a := range c.answers {
		switch {
		case a.Status == http.StatusOK:
			good = append(good, a)
		case a.Status != http.StatusBadRequest || a.Error != wanted:
			t.Errorf("got %d %s %s, want %s", a.Status, a.Error, a.Description, wanted)
		}
	}
	return good
}

// Security requirements 26 and 27: of any number of redemptions one succeeds, and
// since the others were replays nothing that came of the code is honoured.
func TestOneCodeManyRedemptionsOneSuccess(t *testing.T) {
	const rounds, redemptions = 200, 64
	workers := cluster(t, 3, workertest.Options{})
	var clients []*workertest.Client
	for _, w := range workers {
		clients = append(clients, w.Client(t, "app"))
	}
	b := workers[0].Browser(t)
	for round := range rounds {
		code := clients[0].Code(b)
		verifier := clients[0].Verifier
		var c tally
		atOnce(redemptions, func(i int) {
			c.add(clients[i%len(clients)].Redeem(code, "code_verifier", verifier))
		})
		good := c.good(t, "invalid_grant")
		if len(good) != 1 || len(c.answers) != redemptions {
			t.Fatalf("round %d: %d of %d redemptions succeeded", round, len(good), len(c.answers))
		}
		nothingIsHonoured(t, clients, good[0])
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

// nothingIsHonoured holds every worker to refusing tokens whose grant is revoked.
func nothingIsHonoured(t *testing.T, clients []*workertest.Client, tokens workertest.Tokens) {
	t.Helper()
	for i, c := range clients {
		if a := c.Userinfo(tokens.AccessToken); a.Status != http.StatusUnauthorized {
			t.Errorf("userinfo of worker %d: %d %s", i, a.Status, a.Body)
		}
		if c.Active(tokens.AccessToken) || c.Active(tokens.RefreshToken) {
			t.Errorf("worker %d says that a token is active", i)
		}
		if again := c.Refresh(tokens.RefreshToken); again.Error != "invalid_grant" {
			t.Errorf("refresh at worker %d: %d %s", i, again.Status, again.Error)
		}
	}
}

// Security requirement 54, with two connections to the database for each worker.
func TestOneRefreshTokenManyClientsOneSuccessor(t *testing.T) {
	const rounds, presentations = 50, 30
	workers := cluster(t, 3, workertest.Options{}, connections(2))
	var clients []*workertest.Client
	for _, w := range workers {
		clients = append(clients, w.Client(t, "app"))
	}
	token := clients[0].Obtain().RefreshToken
	for round := range rounds {
		var c tally
		atOnce(presentations, func(i int) { c.add(clients[i%len(clients)].Refresh(token)) })
		for _, a := range c.answers {
			switch {
			case a.Status != http.StatusOK:
				t.Errorf("a client lost its session: %d %s %s", a.Status, a.Error, a.Description)
			case a.RefreshToken != c.answers[0].RefreshToken:
				t.Error("two clients got two successors")
			case a.RefreshToken == token:
				t.Error("the successor is the token itself")
			}
		}
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		token = c.answers[0].RefreshToken
	}
	for i, c := range clients {
		if !c.Active(token) {
			t.Errorf("worker %d has lost the session", i)
		}
	}
}

// A worker with two connections serves everybody while thirty of its requests wait
// for another provider: nobody who waits for something else holds one.
func TestNoRequestWaitsOnAnothersConnection(t *testing.T) {
	const waiting = 30
	entered, release := make(chan string, waiting), make(chan struct{})
	wait := func(ctx context.Context, name string) error {
		entered <- name
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	up := &workertest.Upstream{}
	up.Again = func(ctx context.Context, id user.Identity) (user.Identity, error) { return id, wait(ctx, id.Subject) }
	s := cluster(t, 1, workertest.Options{Kinds: up.Kinds(), Config: workertest.UpstreamConfig}, connections(2))[0]
	app := s.Client(t, "app")
	free := app.Obtain("connector_id", "local")
	held := make([]workertest.Tokens, waiting)
	for i := range held {
		held[i] = app.Redeem(app.CodeBy(s.Browser(t), "person-"+strconv.Itoa(i)))
	}
	s.Clock.Advance(2 * time.Minute) // what the provider has said is old now
	var c tally
	var wg sync.WaitGroup
	for _, h := range held {
		wg.Go(func() { c.add(app.Refresh(h.RefreshToken)) })
	}
	for range waiting {
		<-entered
	}
	// All thirty wait for the provider. Everything else goes on: another's refresh, a
	// login by password, and even the very token that one of them has presented.
	for range 3 {
		if free = app.Refresh(free.RefreshToken); free.Status != http.StatusOK {
			t.Fatalf("a refresh meanwhile: %d %s", free.Status, free.Error)
		}
		if a := app.Userinfo(held[0].AccessToken); a.Status != http.StatusOK {
			t.Fatalf("userinfo meanwhile: %d %s", a.Status, a.Body)
		}
		app.Code(s.Browser(t), "connector_id", "local")
	}
	same := app.Refresh(held[0].RefreshToken)
	close(release)
	wg.Wait()
	if good := c.good(t, ""); len(good) != waiting {
		t.Fatalf("%d of %d were served in the end", len(good), waiting)
	}
	found := false
	for _, a := range c.answers {
		found = found || a.RefreshToken == same.RefreshToken
	}
	if same.Status != http.StatusOK || !found {
		t.Errorf("who came twice did not get the same successor: %d %s", same.Status, same.Error)
	}
}
