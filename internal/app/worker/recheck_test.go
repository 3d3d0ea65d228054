package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/domain/user"
)

// provider is a provider elsewhere that a test tells what to say of people.
type provider struct {
	workertest.Upstream
	mu    sync.Mutex
	asked int
	again func(ctx context.Context, id user.Identity) (user.Identity, error)
}

func newProvider() *provider {
	p := &provider{}
	p.Again = func(ctx context.Context, id user.Identity) (user.Identity, error) {
		p.mu.Lock()
		p.asked++
		answer := p.again
		p.mu.Unlock()
		if answer == nil {
			return id, nil
		}
		return answer(ctx, id)
	}
	return p
}

// says sets the answer, and returns how often it was asked before.
func (p *provider) says(again func(ctx context.Context, id user.Identity) (user.Identity, error)) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.again = again
	return p.asked
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func (p *provider) start(t testing.TB) *workertest.Server {
	t.Helper()
	return workertest.Start(t, workertest.Options{Config: workertest.UpstreamConfig, Kinds: p.Kinds()})
}

// obtain logs somebody in by the provider.
func obtain(t testing.TB, s *workertest.Server, name string) (*workertest.Client, workertest.Tokens) {
	t.Helper()
	c := s.Client(t, "app")
	return c, succeeds(t, "the first tokens", c.Redeem(c.CodeBy(s.Browser(t), name, "scope", "openid profile email groups offline_access")))
}

var errDown = errors.New("nobody answers")

func down(context.Context, user.Identity) (user.Identity, error) { return user.Identity{}, errDown }

func TestARefreshTellsWhatTheProviderSaysToday(t *testing.T) {
	p := newProvider()
	s := p.start(t)
	c, tokens := obtain(t, s, "eve")
	tokens = succeeds(t, "at once", c.Refresh(tokens.RefreshToken))
	if n := p.count(); n != 0 {
		t.Errorf("the provider is asked %d times about what it has just said", n)
	}
	s.Advance(t, 2*time.Minute)
	p.says(func(_ context.Context, id user.Identity) (user.Identity, error) {
		if string(id.Data) != workertest.UpstreamToken("eve") || id.Subject != "eve" {
			return id, fmt.Errorf("asked about %q with %q", id.Subject, id.Data)
		}
		id.Data = []byte("the next upstream token")
		id.Profile.Groups = []string{"leavers"}
		id.Profile.Name = "Eve Newname"
		id.Subject, id.ConnectorID = "mallory", "local" // not for a refresh to change
		return id, nil
	})
	tokens = succeeds(t, "two minutes later", c.Refresh(tokens.RefreshToken))
	for _, claims := range []map[string]any{workertest.Claims(t, tokens.IDToken), jsonOf(t, c.Userinfo(tokens.AccessToken))} {
		if fmt.Sprint(claims["groups"]) != "[leavers]" || claims["name"] != "Eve Newname" {
			t.Errorf("groups %v, name %v", claims["groups"], claims["name"])
		}
	}
	if n := p.count(); n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}
	s.Advance(t, 2*time.Minute)
	p.says(func(_ context.Context, id user.Identity) (user.Identity, error) {
		if string(id.Data) != "the next upstream token" {
			return id, fmt.Errorf("asked with %q", id.Data)
		}
		return id, nil
	})
	if got := succeeds(t, "with what it gave the last time", c.Refresh(tokens.RefreshToken)); got.IDToken == "" || p.count() != 2 {
		t.Errorf("the provider was asked %d times", p.count())
	}
}

func TestAProviderThatRefusesEndsTheGrant(t *testing.T) {
	p := newProvider()
	s := p.start(t)
	c, tokens := obtain(t, s, "eve")
	_, bystander := obtain(t, s, "fay")
	s.Advance(t, 2*time.Minute)
	p.says(func(_ context.Context, id user.Identity) (user.Identity, error) {
		if id.Subject == "eve" {
			return id, fmt.Errorf("%w: she has left", connector.ErrRefused)
		}
		return id, nil
	})
	refusedGrant(t, "somebody who has left", c.Refresh(tokens.RefreshToken))
	p.says(nil) // and it does not come back
	s.Advance(t, 2*time.Minute)
	dead(t, c, tokens)
	if n := timesRecorded(t, s, audit.UpstreamRefused); n != 1 {
		t.Errorf("the record has %d lines of it", n)
	}
	succeeds(t, "somebody else", c.Refresh(bystander.RefreshToken))
}

func TestAProviderThatIsDownIsTrustedForADay(t *testing.T) {
	p := newProvider()
	s := p.start(t)
	c, tokens := obtain(t, s, "eve")
	p.says(down)
	for range 4 {
		s.Advance(t, 5*time.Hour)
		tokens = succeeds(t, "in the course of the day", c.Refresh(tokens.RefreshToken))
	}
	if n := p.count(); n != 4 {
		t.Errorf("the provider was asked %d times", n)
	}
	s.Advance(t, 4*time.Hour)
	// After a day, whoever asks is told to come back: the one whose turn it is to ask
	// the provider, and those who meanwhile would not.
	for i := range 3 {
		got := c.Refresh(tokens.RefreshToken)
		if got.Status != http.StatusServiceUnavailable || got.Error != "temporarily_unavailable" || got.Header.Get("Retry-After") == "" {
			t.Errorf("request %d after a day: %d %s", i+1, got.Status, got.Error)
		}
	}
	if n := p.count(); n != 5 {
		t.Errorf("the provider was asked %d times", n)
	}
	p.says(nil)
	s.Advance(t, 20*time.Second)
	succeeds(t, "when it is back, with the same token", c.Refresh(tokens.RefreshToken))
}

// A connector that cannot even be opened is as good as one that is down.
func TestAProviderThatCannotBeAskedIsTrustedNoLonger(t *testing.T) {
	p := newProvider()
	s := p.start(t)
	_, tokens := obtain(t, s, "eve")
	broken := p.Kinds()
	broken[len(broken)-1].New = func(json.RawMessage, connector.Env) (connector.Connector, error) { return nil, errDown }
	c := workertest.Start(t, workertest.Options{
		Config: workertest.UpstreamConfig, Kinds: broken, DB: s.DB, Clock: s.Clock, Issuer: s.URL,
	}).Client(t, "app")
	s.Clock.Advance(5 * time.Minute)
	tokens = succeeds(t, "within a day", c.Refresh(tokens.RefreshToken))
	again := workertest.Start(t, workertest.Options{
		Config: workertest.UpstreamConfig, Kinds: broken, DB: s.DB, Clock: s.Clock, Issuer: s.URL,
	})
	again.Advance(t, 24*time.Hour)
	got := again.Client(t, "app").Refresh(tokens.RefreshToken)
	if got.Status != http.StatusServiceUnavailable || got.Error != "temporarily_unavailable" {
		t.Errorf("after a day: %d %s", got.Status, got.Error)
	}
}

func TestOfManyOneAsksTheProvider(t *testing.T) {
	p := newProvider()
	s := p.start(t)
	workers := []*workertest.Server{s, workertest.Start(t, workertest.Options{
		Config: workertest.UpstreamConfig, Kinds: p.Kinds(), DB: s.DB, Clock: s.Clock, Issuer: s.URL,
	})}
	var families []workertest.Tokens
	for range 6 {
		_, tokens := obtain(t, s, "eve")
		families = append(families, tokens)
	}
	s.Advance(t, 2*time.Minute)
	asked, answer := make(chan struct{}), make(chan struct{})
	p.says(func(_ context.Context, id user.Identity) (user.Identity, error) {
		close(asked) // a second time is a panic
		<-answer
		id.Profile.Groups = []string{"late"}
		return id, nil
	})
	var slow workertest.Tokens
	var wait sync.WaitGroup
	first := workers[0].Client(t, "app")
	wait.Go(func() { slow = first.Refresh(families[0].RefreshToken) })
	<-asked
	// Nobody else asks, and nobody waits for the one who does.
	for i, tokens := range families[1:] {
		got := succeeds(t, "meanwhile", workers[i%2].Client(t, "app").Refresh(tokens.RefreshToken))
		if groups := fmt.Sprint(workertest.Claims(t, got.IDToken)["groups"]); groups != "[staff]" {
			t.Errorf("meanwhile the groups are %s", groups)
		}
	}
	close(answer)
	wait.Wait()
	if groups := fmt.Sprint(workertest.Claims(t, succeeds(t, "the one who asked", slow).IDToken)["groups"]); groups != "[late]" {
		t.Errorf("the one who asked is told %s", groups)
	}
	next := succeeds(t, "afterwards", workers[1].Client(t, "app").Refresh(slow.RefreshToken))
	if groups := fmt.Sprint(workertest.Claims(t, next.IDToken)["groups"]); groups != "[late]" || p.count() != 1 {
		t.Errorf("afterwards the groups are %s, and the provider was asked %d times", groups, p.count())
	}
}

// A login by password has nobody to ask, and a connector that is switched off has
// no say.
func TestWhoIsNotAskedAgain(t *testing.T) {
	p := newProvider()
	s := p.start(t)
	c := s.Client(t, "app")
	local := succeeds(t, "by password", c.Redeem(c.Code(s.Browser(t), "connector_id", "local")))
	s.Advance(t, 2*time.Hour)
	succeeds(t, "by password", c.Refresh(local.RefreshToken))
	if n := p.count(); n != 0 {
		t.Errorf("the provider was asked %d times about somebody else's", n)
	}
	_, tokens := obtain(t, s, "eve")
	s.Advance(t, 2*time.Hour)
	without := strings.Replace(workertest.UpstreamConfig, "kind: oidc,", "kind: oidc, disabled: true,", 1)
	workertest.Start(t, workertest.Options{Config: without, Kinds: p.Kinds(), DB: s.DB, Clock: s.Clock, Issuer: s.URL})
	refusedGrant(t, "by a connector that is switched off", c.Refresh(tokens.RefreshToken))
	if n := p.count(); n != 0 {
		t.Errorf("a connector that is switched off was asked %d times", n)
	}
}
