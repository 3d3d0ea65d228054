package roster

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/connector/mock"
	"dex/internal/domain/user"
)

// table is the configuration of a test. It may be changed at any time.
type table struct {
	mu   sync.Mutex
	list []connector.Configured
	err  error
}

func (t *table) Connectors(context.Context) ([]connector.Configured, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]connector.Configured(nil), t.list...), t.err
}

// script is a connector whose every call does the same.
type script func(ctx context.Context) error

func (f script) Begin(ctx context.Context, _ connector.Login) (connector.Step, error) {
	return connector.Step{Said: "begun"}, f(ctx)
}

func (f script) Continue(ctx context.Context, _ connector.Login, _ connector.Answer) (connector.Step, error) {
	return connector.Step{Said: "continued"}, f(ctx)
}

// house is a roster over connectors of the kinds mock and script.
type house struct {
	*Roster
	t      *testing.T
	table  *table
	clock  *clock.Fake
	made   []string // what was opened, in order
	script script
}

func newHouse(t *testing.T, list ...connector.Configured) *house {
	h := &house{t: t, table: &table{list: list}, clock: &clock.Fake{}, script: func(context.Context) error { return nil }}
	scripted := connector.Kind{Name: "script", TrustsHeader: true, New: func(config json.RawMessage, env connector.Env) (connector.Connector, error) {
		h.made = append(h.made, env.ID+" "+string(config))
		if string(config) == `"broken"` {
			return nil, errors.New("the address is missing")
		}
		return script(func(ctx context.Context) error { return h.script(ctx) }), nil
	}}
	h.Roster = &Roster{
		Store: h.table, Kinds: []connector.Kind{mock.Kind, scripted}, Clock: h.clock,
		Env: connector.Env{Issuer: "https://issuer.example.com", Clock: h.clock},
	}
	return h
}

func scripted(id string) connector.Configured {
	return connector.Configured{ID: id, Kind: "script", Name: "The " + id, Config: json.RawMessage(`"` + id + `"`)}
}

var healthy = connector.Configured{
	ID: "healthy", Kind: "mock", Name: "Healthy", Config: json.RawMessage(`{"users": [{"login": "ann", "name": "Ann"}]}`),
}

func (h *house) get(id string) *Connector {
	h.t.Helper()
	c, err := h.Connector(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func TestOnlyWhatIsConfiguredAndNotDisabledIsThere(t *testing.T) {
	off := scripted("off")
	off.Disabled = true
	h := newHouse(t, scripted("b"), off, healthy, scripted("a"))
	list, err := h.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	if got := strings.Join(ids, " "); got != "b healthy a" {
		t.Errorf("the list is %q, want the order of the configuration", got)
	}
	for _, id := range []string{"off", "unknown", ""} {
		if _, err := h.Connector(t.Context(), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("connector %q: %v", id, err)
		}
	}
	for _, test := range []struct {
		id             string
		there, enabled bool
	}{{"a", true, true}, {"off", true, false}, {"unknown", false, false}} {
		s, err := h.ConnectorState(t.Context(), test.id)
		if err != nil || (s != nil) != test.there || s != nil && s.Disabled == test.enabled {
			t.Errorf("the gate is told %+v, %v of %s", s, err, test.id)
		}
	}
}

func TestAStoreThatIsDownIsNotAnEmptyConfiguration(t *testing.T) {
	h := newHouse(t, healthy)
	h.table.err = fault.New(fault.Unavailable, "away")
	if _, err := h.List(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("list: %v", err)
	}
	if _, err := h.Connector(t.Context(), "healthy"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("connector: %v", err)
	}
	if s, err := h.ConnectorState(t.Context(), "healthy"); !fault.Is(err, fault.Unavailable) || s != nil {
		t.Errorf("the gate is told %v, %v", s, err)
	}
}

func TestAConnectorIsOpenedOnceAndAnewWhenItsConfigurationChanges(t *testing.T) {
	h := newHouse(t, scripted("a"))
	first := h.get("a")
	if h.get("a") != first || len(h.made) != 1 {
		t.Errorf("opened %q", h.made)
	}
	change := func(name string, opens bool, with func(*connector.Configured)) {
		t.Helper()
		before, opened := h.get("a"), len(h.made)
		h.table.mu.Lock()
		with(&h.table.list[0])
		h.table.mu.Unlock()
		after := h.get("a")
		if (after != before) != opens || len(h.made) > opened != opens {
			t.Errorf("%s: opened anew %v, want %v", name, after != before, opens)
		}
	}
	change("nothing", false, func(*connector.Configured) {})
	change("its settings", true, func(c *connector.Configured) { c.Config = json.RawMessage(`"b"`) })
	change("its name", true, func(c *connector.Configured) { c.Name = "Other" })
	change("who may come", true, func(c *connector.Configured) { c.Policy.CreateOnFirstLogin = true })
	change("whose domains it knows", true, func(c *connector.Configured) { c.Policy.AuthoritativeFor = []string{"example.com"} })
	if got := h.get("a"); got.Policy.AuthoritativeFor[0] != "example.com" || got.Name != "Other" {
		t.Errorf("what is known of it is old: %+v", got.Configured)
	}
}

func TestAConnectorIsNotOpenedBeforeItIsNeeded(t *testing.T) {
	h := newHouse(t, scripted("a"), scripted("b"))
	h.get("b")
	if len(h.made) != 1 || h.made[0] != `b "b"` {
		t.Errorf("opened %q", h.made)
	}
}

func TestOneThatCannotBeOpenedIsOutAndTheOthersWork(t *testing.T) {
	unknown := connector.Configured{ID: "unknown", Kind: "kerberos", Name: "Unknown"}
	h := newHouse(t, scripted("broken"), unknown, healthy)
	list, err := h.List(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatalf("%d connectors, %v", len(list), err)
	}
	for _, c := range list[:2] {
		if !c.Out() {
			t.Errorf("%s is not known to be out", c.ID)
		}
		if _, err := c.Begin(t.Context(), connector.Login{}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s begins: %v", c.ID, err)
		}
		if err := c.Check(t.Context()); err == nil {
			t.Errorf("%s is healthy", c.ID)
		}
	}
	if got := list[0].err.Error(); got != "connector broken: the address is missing" {
		t.Errorf("the operator is told %q", got)
	}
	if step, err := list[2].Begin(t.Context(), connector.Login{}); list[2].Out() || err != nil || step.Prompt == nil {
		t.Errorf("the healthy one: out %v, %v", list[2].Out(), err)
	}
}

func TestACallHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, scripted("slow"), healthy)
		h.script = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		began := time.Now()
		if _, err := h.get("slow").Begin(t.Context(), connector.Login{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != deadline {
			t.Errorf("it took %v of the bubble's time, want %v", took, deadline)
		}
	})
}

func TestNoConnectorTakesMoreThanItsSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, scripted("slow"), healthy, connector.Configured{ID: "bounded", Kind: "bounded", Name: "Bounded"})
		h.Kinds = append(h.Kinds, connector.Kind{Name: "bounded", BoundsItself: true, New: h.Kinds[1].New})
		release := make(chan struct{})
		h.script = func(context.Context) error { <-release; return nil }
		slow := h.get("slow")
		var busy sync.WaitGroup
		for range atOnce {
			busy.Go(func() {
				if _, err := slow.Begin(t.Context(), connector.Login{}); err != nil {
					t.Errorf("one with a seat: %v", err)
				}
			})
		}
		synctest.Wait() // all seats are taken
		if _, err := slow.Begin(t.Context(), connector.Login{}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("one too many: %v", err)
		}
		if slow.Out() {
			t.Error("that there is much to do counts as a failure")
		}
		if _, err := h.get("healthy").Begin(t.Context(), connector.Login{}); err != nil {
			t.Errorf("its neighbour: %v", err)
		}
		bounded := h.get("bounded")
		for range 2 * atOnce {
			busy.Go(func() {
				if _, err := bounded.Begin(t.Context(), connector.Login{}); err != nil {
					t.Errorf("one of a kind that sees to it itself: %v", err)
				}
			})
		}
		synctest.Wait()
		close(release)
		busy.Wait()
		if _, err := slow.Begin(t.Context(), connector.Login{}); err != nil {
			t.Errorf("when there is room again: %v", err)
		}
	})
}

func TestAConnectorThatPanicsFailsAndGivesItsSeatBack(t *testing.T) {
	h := newHouse(t, scripted("a"))
	h.script = func(context.Context) error { panic("a mistake in a connector") }
	c := h.get("a")
	for range 2 * atOnce {
		func() {
			defer func() { _ = recover() }() // the server turns it into an error page
			_, _ = c.Begin(t.Context(), connector.Login{})
		}()
	}
	h.script = func(context.Context) error { return nil }
	if _, err := c.Begin(t.Context(), connector.Login{}); err != nil {
		t.Errorf("its seats are gone: %v", err)
	}
}

func TestWhatCountsAsOutOfOrder(t *testing.T) {
	failure := errors.New("connection refused")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name  string
		ctx   context.Context
		calls []error
		out   bool
	}{
		{name: "nothing has failed", calls: []error{nil}, out: false},
		{name: "two failures may be chance", calls: []error{failure, failure}, out: false},
		{name: "three in a row", calls: []error{failure, failure, failure}, out: true},
		{name: "a success in between", calls: []error{failure, failure, nil, failure}, out: false},
		{name: "a success after", calls: []error{failure, failure, failure, nil}, out: false},
		{name: "that people are refused says nothing of it", calls: []error{connector.ErrRefused, connector.ErrRefused, connector.ErrRefused}, out: false},
		{name: "nor that they are throttled", calls: []error{fault.New(fault.Throttled, "later"), fault.New(fault.Throttled, "later"), fault.New(fault.Throttled, "later")}, out: false},
		{name: "nor that they go away", ctx: canceled, calls: []error{failure, failure, failure}, out: false},
		{name: "a refusal does not make it well", calls: []error{failure, failure, failure, connector.ErrRefused}, out: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t, scripted("a"))
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			c := h.get("a")
			for _, err := range test.calls {
				h.script = func(context.Context) error { return err }
				if _, got := c.Continue(ctx, connector.Login{}, connector.Answer{}); !errors.Is(got, err) {
					t.Errorf("got %v, want %v", got, err)
				}
			}
			if c.Out() != test.out {
				t.Errorf("out: %v, want %v", c.Out(), test.out)
			}
			h.clock.Advance(outFor)
			if c.Out() {
				t.Error("it is not tried again")
			}
		})
	}
}

func TestOneThatIsOutMayBeTriedAndComesBack(t *testing.T) {
	h := newHouse(t, scripted("a"))
	h.script = func(context.Context) error { return errors.New("down") }
	c := h.get("a")
	for range outAfter {
		_, _ = c.Begin(t.Context(), connector.Login{})
	}
	h.script = func(context.Context) error { return nil }
	if step, err := c.Begin(t.Context(), connector.Login{}); err != nil || step.Said != "begun" || c.Out() {
		t.Errorf("%q, %v, out %v", step.Said, err, c.Out())
	}
}

func TestWhatAConnectorCannotDoIsSaid(t *testing.T) {
	h := newHouse(t, scripted("a"))
	c := h.get("a")
	if _, err := c.Refresh(t.Context(), user.Identity{}); !errors.Is(err, ErrUnsupported) || c.Refreshes() {
		t.Errorf("refresh: %v", err)
	}
	if to, err := c.EndURL(t.Context(), []byte("x"), "https://x", "s"); to != "" || err != nil {
		t.Errorf("end: %q, %v", to, err)
	}
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

func TestOnlyAKindThatTrustsTheProxySeesTheHeader(t *testing.T) {
	h := newHouse(t)
	header := http.Header{"Cookie": {"secret"}, "X-Remote-User": {"ann"}}
	if got := h.Headers("script", header); got.Get("X-Remote-User") != "ann" {
		t.Errorf("one that trusts it sees %v", got)
	}
	for _, kind := range []string{"mock", "unknown", ""} {
		if got := h.Headers(kind, header); got != nil {
			t.Errorf("kind %q sees %v", kind, got)
		}
	}
}

func TestTwoHundredPeopleAtOnceEachGetTheirOwnAnswer(t *testing.T) {
	// Requirement 155: a connector has no state that one person could leave for
	// another. The race detector looks on.
	var list strings.Builder
	list.WriteString(`{"users": [`)
	const people = 50
	name := func(i int) string { return "person-" + string(rune('a'+i/26)) + string(rune('a'+i%26)) }
	for i := range people {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(`{"login": "` + name(i) + `", "name": "` + name(i) + `"}`)
	}
	list.WriteString(`]}`)
	h := newHouse(t, connector.Configured{ID: "m", Kind: "mock", Name: "M", Config: json.RawMessage(list.String())})
	c := h.get("m")
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() {
			for range 4 {
				step, err := c.Continue(t.Context(), connector.Login{}, connector.Answer{Form: map[string][]string{"login": {name(i)}}})
				if err != nil || step.Identity == nil || step.Identity.Subject != name(i) {
					t.Errorf("%s got %+v, %v", name(i), step.Identity, err)
				}
			}
		})
	}
	all.Wait()
}
