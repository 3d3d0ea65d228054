package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/connector/connectortest"
	"dex/internal/domain/credential"
	"dex/internal/domain/user"
)

const password = "correct horse"

// hasher is shared by all tests.
var hasher = credential.NewArgon2(2)

// hashed is the hash of password.
var hashed = sync.OnceValue(func() string {
	h, err := hasher.Hash(context.Background(), password)
	if err != nil {
		panic(err)
	}
	return h
})

// table is a table of passwords in memory. It does what a store promises.
type table struct {
	mu       sync.Mutex
	accounts []*account
	counts   map[secret.Hash]credential.Throttle
	asked    int
	err      error
}

type account struct {
	user  user.User
	names []string
	hash  string
}

func (tb *table) find(name string) *account {
	for _, a := range tb.accounts {
		for _, n := range a.names {
			if n == name {
				return a
			}
		}
	}
	return nil
}

func (tb *table) Candidate(ctx context.Context, name string, buckets []credential.Bucket) (credential.Candidate, error) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.asked++
	if err := errors.Join(ctx.Err(), tb.err); err != nil {
		return credential.Candidate{}, err
	}
	var c credential.Candidate
	if a := tb.find(name); a != nil {
		c = credential.Candidate{User: a.user, Names: a.names, Hash: a.hash, Profile: user.Profile{Username: a.user.Username}}
	}
	for _, b := range buckets {
		c.Throttle = append(c.Throttle, tb.counts[b.Key])
	}
	return c, nil
}

func (tb *table) RecordFailure(_ context.Context, buckets []credential.Bucket, now time.Time) error {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for _, b := range buckets {
		tb.counts[b.Key] = tb.counts[b.Key].Next(b.Kind, now)
	}
	return nil
}

func (tb *table) Forgive(_ context.Context, buckets []credential.Bucket) error {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for _, b := range buckets {
		delete(tb.counts, b.Key)
	}
	return nil
}

func (tb *table) Rehash(_ context.Context, userID, old, fresh string) error {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for _, a := range tb.accounts {
		if a.user.ID == userID && a.hash == old {
			a.hash = fresh
		}
	}
	return nil
}

// house is a connector with what it stands on.
type house struct {
	connector.Connector
	t     *testing.T
	table *table
	clock *clock.Fake
	log   bytes.Buffer
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, table: &table{counts: map[secret.Hash]credential.Throttle{}}, clock: &clock.Fake{}}
	c, err := newConnector(nil, connector.Env{
		ID: "pw", Clock: h.clock, Log: slog.New(slog.NewTextHandler(&h.log, nil)), Credentials: h.table, Hasher: hasher,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Connector = c
	h.add("ann", hashed(), "ann@example.com")
	return h
}

func (h *house) add(name, hash string, others ...string) *account {
	a := &account{user: user.User{ID: "usr_" + name, Username: name}, names: append([]string{name}, others...), hash: hash}
	h.table.accounts = append(h.table.accounts, a)
	return a
}

func answer(name, password string) connector.Answer {
	return connector.Answer{Form: url.Values{LoginField: {name}, PasswordField: {password}}}
}

var (
	stranger = connector.Login{ID: "x", RemoteAddr: netip.MustParseAddr("198.51.100.1")}
	owner    = connector.Login{ID: "y", RemoteAddr: netip.MustParseAddr("198.51.100.2"), Devices: []string{"other", credential.DeviceMark("usr_ann")}}
)

// try returns what is said of one attempt.
func (h *house) try(l connector.Login, name, password string) connector.Step {
	h.t.Helper()
	step, err := h.Continue(h.t.Context(), l, answer(name, password))
	if err != nil {
		h.t.Fatal(err)
	}
	return step
}

func (h *house) expect(l connector.Login, name, password, said string) {
	h.t.Helper()
	if step := h.try(l, name, password); step.Said != said || (step.Identity != nil) != (said == saidRight) {
		h.t.Fatalf("%s with %q: %q, want %q", name, password, step.Said, said)
	}
}

func TestPromises(t *testing.T) {
	h := quickHouse(t)
	for n := range 300 {
		h.add(fmt.Sprintf("person%d", n), password)
	}
	connectortest.Run(t, connectortest.Subject{
		Connector: h,
		Answer: func(_ testing.TB, _ connector.Login, _ *connector.Prompt, n int) connector.Answer {
			return answer(fmt.Sprintf("person%d", n), password)
		},
		Identity: func(n int) (string, string, string) {
			return "pw", fmt.Sprintf("usr_person%d", n), fmt.Sprintf("person%d", n)
		},
	})
}

func TestBeginAsksForNameAndPassword(t *testing.T) {
	h := newHouse(t)
	step, err := h.Begin(t.Context(), connector.Login{Hint: "ann@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	want := &connector.Prompt{Form: &connector.Form{Fields: []connector.Field{
		{Name: "login", Label: "field.login", Type: "text", Value: "ann@example.com", Autocomplete: "username"},
		{Name: "password", Label: "field.password", Type: "password", Autocomplete: "current-password"},
	}}}
	if diff := cmp.Diff(want, step.Prompt); diff != "" {
		t.Error(diff)
	}
}

func TestWhoIsLetIn(t *testing.T) {
	tests := []struct {
		name, login, password string
		in                    bool
	}{
		{"by user name", "ann", password, true},
		{"by mail address", "ann@example.com", password, true},
		{"in another spelling", "  ANN@Example.COM ", password, true},
		{"with a wrong password", "ann", "correct hors", false},
		{"with no password", "ann", "", false},
		{"with NUL behind the password", "ann", password + "\x00", false},
		{"with a password of another name", "bob", password, false},
		{"with a name that nobody can have", "an\u200bn", password, false},
		{"with no name", "", password, false},
		{"with a very long name", strings.Repeat("a", 1<<20), password, false},
		{"with a very long password", "ann", strings.Repeat("a", 1<<20), false},
		{"who has no password", "nopassword", "", false},
		{"who has none, with one", "nopassword", password, false},
		{"whose account is disabled", "disabled", password, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			h.add("nopassword", "")
			h.add("disabled", hashed()).user.Disabled = true
			step := h.try(stranger, tt.login, tt.password)
			if !tt.in {
				refused := connector.Step{Prompt: form(field(answer(tt.login, ""), LoginField), ProblemWrong, 0), Said: saidWrong}
				if diff := cmp.Diff(refused, step); diff != "" {
					t.Error(diff)
				}
				return
			}
			now := h.clock.Now()
			want := connector.Step{
				Identity: &user.Identity{ConnectorID: "pw", Subject: "usr_ann", Profile: user.Profile{Username: "ann"}, CheckedAt: now},
				Account:  &user.User{ID: "usr_ann", Username: "ann"},
				Methods:  []credential.Method{credential.Password}, AuthTime: now, Said: saidRight,
			}
			if diff := cmp.Diff(want, step); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheStoreIsAskedOnceWhoeverLogsIn(t *testing.T) {
	for _, name := range []string{"ann", "nobody", "an\u200bn"} {
		h := newHouse(t)
		h.try(stranger, name, "wrong")
		if h.table.asked != 1 {
			t.Errorf("%s: %d times", name, h.table.asked)
		}
	}
}

func TestAnOutdatedHashIsMadeAnew(t *testing.T) {
	h := newHouse(t)
	old, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	bob := h.add("bob", string(old))
	h.expect(stranger, "bob", "wrong", saidWrong)
	if bob.hash != string(old) {
		t.Error("a wrong password was hashed anew")
	}
	h.expect(stranger, "bob", password, saidRight)
	if bob.hash == string(old) || hasher.Outdated(bob.hash) {
		t.Errorf("%q", bob.hash)
	}
	h.expect(stranger, "bob", password, saidRight)
}

func TestAHashThatNobodySupportsIsWrongAndToldToTheOperator(t *testing.T) {
	h := newHouse(t)
	h.add("bob", "{SSHA}AAAA")
	h.expect(stranger, "bob", password, saidWrong)
	if log := h.log.String(); !strings.Contains(log, "usr_bob") || strings.Contains(log, password) || strings.Contains(log, "AAAA") {
		t.Errorf("the log says %q", log)
	}
}

func TestAStoreThatIsDownIsNoWrongPassword(t *testing.T) {
	h := newHouse(t)
	h.table.err = fault.New(fault.Unavailable, "Down.")
	step, err := h.Continue(t.Context(), stranger, answer("ann", password))
	if !fault.Is(err, fault.Unavailable) || errors.Is(err, connector.ErrRefused) || step.Prompt != nil {
		t.Errorf("%+v, %v", step, err)
	}
}

func TestNoSettings(t *testing.T) {
	env := connector.Env{Clock: &clock.Fake{}, Credentials: &table{}, Hasher: hasher}
	for config, good := range map[string]bool{"": true, "{}": true, " {} ": true, "null": true, `{"x": 1}`: false, "[]": false, "{} {}": false} {
		if _, err := newConnector(json.RawMessage(config), env); (err == nil) != good {
			t.Errorf("%q: %v", config, err)
		}
	}
	if _, err := newConnector(nil, connector.Env{Clock: &clock.Fake{}}); err == nil {
		t.Error("it works without a table of passwords")
	}
}

func FuzzContinue(f *testing.F) {
	f.Add("ann", "x", []byte(nil))
	f.Add("ann@example.com", "\x00", []byte("{}"))
	f.Fuzz(func(t *testing.T, name, guess string, state []byte) {
		h := quickHouse(t)
		a := answer(name, guess)
		a.State = state
		step, err := h.Continue(t.Context(), stranger, a)
		if guess == password {
			return
		}
		if err != nil || step.Identity != nil || step.Prompt == nil || step.Prompt.Form == nil {
			t.Fatalf("%+v, %v", step, err)
		}
	})
}

// quickHasher takes the password itself for its hash, where hundreds log in and
// hashing is not what is looked at.
type quickHasher struct{ credential.Hasher }

func (quickHasher) Verify(ctx context.Context, password, hash string) (bool, error) {
	return password == hash, ctx.Err()
}

func (quickHasher) Outdated(string) bool { return false }
