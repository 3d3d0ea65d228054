package credential

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"dex/internal/base/fault"
)

// ofPassword is argon2id of "password", from the tests of the reference
// implementation.
const ofPassword = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

func bcryptOf(t testing.TB, password string, cost int) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func TestVerify(t *testing.T) {
	hasher := NewArgon2(2)
	ours, err := hasher.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	umlaut, err := hasher.Hash(t.Context(), "Zürich-Übung")
	if err != nil {
		t.Fatal(err)
	}
	imported := bcryptOf(t, "correct horse", bcrypt.MinCost)
	seventyTwo := strings.Repeat("x", 72)
	tests := []struct {
		name, password, hash string
		want                 bool
		unsupported          bool
	}{
		{name: "right", password: "correct horse", hash: ours, want: true},
		{name: "wrong", password: "correct hors", hash: ours},
		{name: "longer than right", password: "correct horse ", hash: ours},
		{name: "empty", password: "", hash: ours},
		{name: "with NUL", password: "correct horse\x00", hash: ours},
		{name: "not text", password: "correct horse\xff", hash: ours},
		{name: "too long", password: strings.Repeat("x", MaxPassword+1), hash: ours},
		{name: "too long once it is in normal form", password: strings.Repeat("\u0344", MaxPassword/2), hash: ours},
		{name: "typed on a keyboard that composes", password: "Z\u00fcrich-\u00dcbung", hash: umlaut, want: true},
		{name: "typed on a keyboard that does not", password: "Zu\u0308rich-U\u0308bung", hash: umlaut, want: true},
		{name: "made by the reference implementation", password: "password", hash: ofPassword, want: true},
		{name: "bcrypt, right", password: "correct horse", hash: imported, want: true},
		{name: "bcrypt of PHP, right", password: "correct horse", hash: "$2y$" + imported[4:], want: true},
		{name: "bcrypt, wrong", password: "correct horsf", hash: imported},
		{name: "bcrypt of 72 bytes", password: seventyTwo, hash: bcryptOf(t, seventyTwo, bcrypt.MinCost), want: true},
		{name: "bcrypt looks at 72 bytes only, so a longer password has no such hash", password: seventyTwo + "y", hash: bcryptOf(t, seventyTwo, bcrypt.MinCost)},
		{name: "nobody's", password: "correct horse", hash: ""},
		{name: "argon2id without a sum", password: "", hash: "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$", unsupported: true},
		{name: "argon2i", password: "password", hash: strings.Replace(ofPassword, "argon2id", "argon2i", 1), unsupported: true},
		{name: "an older argon2id", password: "password", hash: strings.Replace(ofPassword, "v=19", "v=16", 1), unsupported: true},
		{name: "in clear", password: "password", hash: "password", unsupported: true},
		{name: "DES crypt", password: "password", hash: "ab/lTW0.Q5mFo", unsupported: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := hasher.Verify(t.Context(), tt.password, tt.hash)
			if got != tt.want || errors.Is(err, ErrUnsupported) != tt.unsupported || err != nil && !tt.unsupported {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestWhatCannotBeAPasswordIsNotHashed(t *testing.T) {
	hasher := NewArgon2(1)
	for _, password := range []string{"", "a\x00b", "\xff", strings.Repeat("x", MaxPassword+1)} {
		if h, err := hasher.Hash(t.Context(), password); !fault.Is(err, fault.Invalid) || h != "" {
			t.Errorf("%.20q: %q, %v", password, h, err)
		}
	}
	longest := strings.Repeat("x", MaxPassword)
	h, err := hasher.Hash(t.Context(), longest)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := hasher.Verify(t.Context(), longest, h); !ok || err != nil {
		t.Errorf("the longest password: %v, %v", ok, err)
	}
	if ok, err := hasher.Verify(t.Context(), longest[1:]+"y", h); ok || err != nil {
		t.Errorf("the longest password with another end: %v, %v", ok, err)
	}
}

func TestTheSamePasswordNeverHasTheSameHashTwice(t *testing.T) {
	hasher := NewArgon2(1)
	a, _ := hasher.Hash(t.Context(), "correct horse")
	b, _ := hasher.Hash(t.Context(), "correct horse")
	if a == "" || a == b {
		t.Errorf("%q, %q", a, b)
	}
}

func TestOutdated(t *testing.T) {
	hasher := NewArgon2(1)
	ours, err := hasher.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, hash string
		want       bool
	}{
		{"ours", ours, false},
		{"of another cost", ofPassword, true},
		{"with a short salt", strings.Replace(ofPassword, "m=65536", "m=19456", 1), true},
		{"bcrypt", bcryptOf(t, "correct horse", bcrypt.MinCost), true},
		{"garbage", "garbage", true},
	}
	for _, tt := range tests {
		if got := hasher.Outdated(tt.hash); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestAHashThatCostsTooMuchIsRefusedBeforeItIsPaid(t *testing.T) {
	for _, costs := range []string{
		"m=262145,t=2,p=1", "m=4294967295,t=2,p=1", "m=65536,t=11,p=1", "m=65536,t=2,p=5", "m=65536,t=2,p=257",
		"m=31,t=2,p=4", "m=0,t=2,p=1", "m=65536,t=0,p=1", "m=65536,t=2,p=0", "m=-1,t=2,p=1", "m=065536,t=2,p=1",
		"m=65536,t=2", "t=2,m=65536,p=1", "m=65536,t=2,p=1,x=1", "m=18446744073709551616,t=2,p=1",
	} {
		if err := ParseHash(strings.Replace(ofPassword, "m=65536,t=2,p=1", costs, 1)); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", costs, err)
		}
	}
	for cost, good := range map[string]bool{"04": true, "14": true, "15": false, "31": false, "03": false, "99": false} {
		err := ParseHash("$2b$" + cost + "$" + strings.Repeat("a", 53))
		if good != (err == nil) {
			t.Errorf("bcrypt cost %s: %v", cost, err)
		}
	}
	if err := ParseHash("$argon2id$v=19$m=262144,t=10,p=4$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"); err != nil {
		t.Errorf("the most expensive one: %v", err)
	}
}

func TestNoMoreHashesRunAtOnceThanAllowed(t *testing.T) {
	hasher := NewArgon2(3)
	var running, most atomic.Int32
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			err := hasher.inTurn(t.Context(), func() {
				n := running.Add(1)
				for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
				}
				derive("x", make([]byte, saltLength), cost{memory: 64, passes: 1, threads: 1}, sumLength)
				running.Add(-1)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := most.Load(); got < 1 || got > 3 {
		t.Errorf("%d ran at once", got)
	}
}

func TestWhoDoesNotFitInTheLineIsToldToComeBack(t *testing.T) {
	hasher := NewArgon2(1)
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { _ = hasher.inTurn(context.Background(), func() { close(held); <-hold }) })
	<-held
	for range cap(hasher.line) - 1 { // the line is full
		hasher.line <- struct{}{}
	}
	for name, ask := range map[string]func() error{
		"to verify": func() error { _, err := hasher.Verify(t.Context(), "x", ""); return err },
		"to hash":   func() error { _, err := hasher.Hash(t.Context(), "x"); return err },
	} {
		err := ask()
		f, _ := errors.AsType[*fault.Error](err)
		if !fault.Is(err, fault.Throttled) || f.RetryAfter <= 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	<-hasher.line // one may wait, and gives up
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() { gaveUp <- hasher.inTurn(ctx, func() { t.Error("it ran") }) }()
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up: %v", err)
	}
	close(hold)
	wg.Wait()
}

func TestClass(t *testing.T) {
	for want, methods := range map[string][]Method{SingleFactor: {Password}, MultiFactor: {Federated, MultiStep}} {
		if got := Class(methods); got != want {
			t.Errorf("%v: %s", methods, got)
		}
	}
	if Class(nil) != SingleFactor {
		t.Error("no method at all is worth more than one")
	}
}

func TestADeviceMarkTellsNothingOfTheAccount(t *testing.T) {
	mark := DeviceMark("usr_1")
	if mark != DeviceMark("usr_1") || mark == DeviceMark("usr_2") || strings.Contains(mark, "usr") || len(mark) != 16 {
		t.Errorf("%q", mark)
	}
}

func FuzzParseHash(f *testing.F) {
	for _, s := range []string{ofPassword, "$2b$10$" + strings.Repeat("a", 53), "$argon2id$v=19$m=8,t=1,p=1$$", "$2a$", "", "$$$$$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHash(s)
		if err != nil {
			if !errors.Is(err, ErrUnsupported) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if h.bcrypt != nil {
			if string(h.bcrypt) != s {
				t.Fatalf("%q became %q", s, h.bcrypt)
			}
			return
		}
		if h.String() != s {
			t.Fatalf("%q became %q", s, h)
		}
		if h.cost.memory > mostCost.memory || h.cost.passes > mostCost.passes || h.cost.threads > mostCost.threads {
			t.Fatalf("%q costs too much", s)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	hasher := NewArgon2(1)
	h, err := hasher.Hash(b.Context(), "correct horse")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := hasher.Verify(b.Context(), "correct horse", h); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
