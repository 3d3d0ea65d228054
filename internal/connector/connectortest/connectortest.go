// Package connectortest is what every connector promises, as a suite that each of
// them passes against a fake of its other side.
package connectortest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/connector"
)

// Subject is a connector under test, with people who log in through it.
type Subject struct {
	Connector connector.Connector
	// Answer returns what the browser of the n-th person comes back with after what
	// Begin or Continue said. It is called by many at once.
	Answer func(t testing.TB, l connector.Login, p *connector.Prompt, n int) connector.Answer
	// Identity says who the n-th person is: the connector's ID, their subject, and
	// their user name.
	Identity func(n int) (connectorID, subject, username string)
}

// together is how many people log in at once.
const together = 200

// patience is how long a step may go on after whoever waits for it has left. It
// finds what hangs and measures nothing.
const patience = 20 * time.Second

// Login returns the attempt of the n-th person.
func Login(n int) connector.Login {
	return connector.Login{
		ID:          "attempt" + strconv.Itoa(n) + "x" + strings.Repeat("0", 40),
		CallbackURL: "https://dex.example.com/callback/it",
		// Each from a network of their own, so that nobody is throttled for another.
		RemoteAddr: netip.AddrFrom4([4]byte{203, byte(n >> 8), byte(n), 7}),
	}
}

// Run tests that a connector keeps its promises.
func Run(t *testing.T, s Subject) {
	t.Run("begins with exactly one of redirect, post and form", s.begins)
	t.Run("says in the end who it is", func(t *testing.T) { s.logIn(t, 1) })
	t.Run("keeps apart whoever logs in at the same time", s.keepsApart)
	t.Run("asks nobody who must not be asked", s.staysSilent)
	t.Run("leaves alone what it is given", s.leavesAlone)
	t.Run("takes the state of no other login", s.bindsState)
	t.Run("makes nobody out of garbage", s.refusesGarbage)
	t.Run("goes on for nobody who has left", s.honoursCancellation)
}

func (s Subject) begin(t testing.TB, n int) (connector.Login, *connector.Prompt) {
	t.Helper()
	l := Login(n)
	step, err := s.Connector.Begin(t.Context(), l)
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	if problem := invalid(step); problem != "" || step.Prompt == nil {
		t.Fatalf("begin: %s %+v", problem, step)
	}
	return l, step.Prompt
}

func (s Subject) logIn(t testing.TB, n int) {
	t.Helper()
	l, prompt := s.begin(t, n)
	step, err := s.Connector.Continue(t.Context(), l, s.Answer(t, l, prompt, n))
	if err != nil {
		t.Errorf("person %d: %v", n, err)
		return
	}
	if problem := invalid(step); problem != "" || step.Identity == nil {
		t.Errorf("person %d: %s %+v", n, problem, step)
		return
	}
	connectorID, subject, username := s.Identity(n)
	got := step.Identity
	if got.ConnectorID != connectorID || got.Subject != subject || got.Profile.Username != username {
		t.Errorf("person %d is %s %s %s, want %s %s %s", n,
			got.ConnectorID, got.Subject, got.Profile.Username, connectorID, subject, username)
	}
	if got.CheckedAt.IsZero() || len(step.Methods) == 0 {
		t.Errorf("person %d: it is not said when (%v) and how (%v) that was found out", n, got.CheckedAt, step.Methods)
	}
}

// invalid says what is wrong with a step, whatever led to it.
func invalid(step connector.Step) string {
	switch {
	case (step.Prompt == nil) == (step.Identity == nil):
		return "a step is either something to do or the end:"
	case step.Said == "":
		return "nothing is said for the trace:"
	case step.Identity != nil:
		return ""
	}
	ways := 0
	for _, way := range []bool{step.Prompt.Redirect != "", step.Prompt.Post != nil, step.Prompt.Form != nil} {
		if way {
			ways++
		}
	}
	if ways != 1 {
		return "not exactly one of redirect, post and form:"
	}
	if form := step.Prompt.Form; form != nil {
		for _, f := range form.Fields {
			if f.Type == "password" && f.Value != "" {
				return "a form with the password in it:"
			}
		}
	}
	return ""
}

func (s Subject) begins(t *testing.T) { s.begin(t, 0) }

func (s Subject) keepsApart(t *testing.T) {
	var wg sync.WaitGroup
	for n := range together {
		wg.Go(func() { s.logIn(t, n) })
	}
	wg.Wait()
}

func (s Subject) staysSilent(t *testing.T) {
	l := Login(0)
	l.Silent = true
	step, err := s.Connector.Begin(t.Context(), l)
	if err != nil {
		if !errors.Is(err, connector.ErrRefused) {
			t.Errorf("that nobody may be asked is a failure: %v", err)
		}
		return
	}
	if step.Prompt == nil || step.Prompt.Form != nil {
		t.Errorf("somebody is asked: %+v", step)
	}
}

func (s Subject) leavesAlone(t *testing.T) {
	l, prompt := s.begin(t, 2)
	a := s.Answer(t, l, prompt, 2)
	state, form := bytes.Clone(a.State), cloneForm(a.Form)
	if _, err := s.Connector.Continue(t.Context(), l, a); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(state, a.State) || !maps.EqualFunc(form, a.Form, slices.Equal) {
		t.Error("the answer was changed")
	}
}

func cloneForm(form url.Values) url.Values {
	copied := url.Values{}
	for name, values := range form {
		copied[name] = slices.Clone(values)
	}
	return copied
}

func (s Subject) bindsState(t *testing.T) {
	mine, prompt := s.begin(t, 3)
	if len(prompt.State) == 0 {
		t.Skip("it keeps no state")
	}
	a := s.Answer(t, mine, prompt, 3)
	other, otherPrompt := s.begin(t, 4)
	for name, swapped := range map[string]struct {
		login connector.Login
		state []byte
	}{
		"my answer in another login":                {other, prompt.State},
		"my answer with another login's state":      {mine, otherPrompt.State},
		"my answer in another login with its state": {other, otherPrompt.State},
	} {
		got := connector.Answer{Form: cloneForm(a.Form), State: swapped.state}
		if step, err := s.Connector.Continue(t.Context(), swapped.login, got); err == nil {
			t.Errorf("%s: %+v", name, step)
		}
	}
}

// garbage is what browsers come back with that were never asked.
func garbage() map[string]url.Values {
	huge := strings.Repeat("x", 1<<20)
	all := map[string]url.Values{"nothing": nil}
	for name, value := range map[string]string{
		"empty": "", "NUL": "a\x00b", "not text": "\xff\xfe", "huge": huge, "markup": "<script>alert(1)</script>",
		"line breaks": "a\r\nSet-Cookie: b=c", "JSON": `{"a":[{}]}`, "a quote": "' OR 1=1 --", "format": "%s%n%d",
	} {
		form := url.Values{}
		for _, field := range []string{"state", "code", "iss", "error", "login", "password", "SAMLResponse", "RelayState"} {
			form.Set(field, value)
		}
		all[name] = form
		twice := cloneForm(form)
		for field := range twice {
			twice.Add(field, value)
		}
		all[name+", twice"] = twice
	}
	return all
}

func (s Subject) refusesGarbage(t *testing.T) {
	l, prompt := s.begin(t, 5)
	right := s.Answer(t, l, prompt, 5)
	for name, form := range garbage() {
		for what, a := range map[string]connector.Answer{
			"an answer": {Form: form, State: prompt.State}, "an answer and no state": {Form: form},
			"an answer and state": {Form: form, State: []byte(`{"l":1}garbage`)},
		} {
			step, err := s.Connector.Continue(t.Context(), l, a)
			if err == nil && (invalid(step) != "" || step.Identity != nil) {
				t.Errorf("%s that is %s: %s %+v", what, name, invalid(step), step)
			}
		}
	}
	// What is right but for one field that comes twice is not right.
	for field := range right.Form {
		form := cloneForm(right.Form)
		form.Add(field, form.Get(field))
		if step, err := s.Connector.Continue(t.Context(), l, connector.Answer{Form: form, State: right.State}); err == nil && step.Identity != nil {
			t.Errorf("the field %s came twice: %+v", field, step)
		}
	}
}

func (s Subject) honoursCancellation(t *testing.T) {
	l, prompt := s.begin(t, 6)
	a := s.Answer(t, l, prompt, 6)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if step, err := s.Connector.Continue(ctx, l, a); err == nil && step.Identity != nil {
			t.Errorf("somebody who has left is logged in: %+v", step)
		}
		_, _ = s.Connector.Begin(ctx, l) // it may say what to do without asking anybody
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
}
