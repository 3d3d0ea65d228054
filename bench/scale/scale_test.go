package main

import (
	"strings"
	"testing"
	"time"

	"dex/internal/domain/user"
)

func TestAReportHoldsEachOperationAgainstTheSmallDatabase(t *testing.T) {
	r := report{
		small: &database{size: smallSize}, large: &database{size: largeSize},
		rows: []row{{name: "login", turns: 3, small: 2 * time.Millisecond, large: 3 * time.Millisecond}},
		cleared: [2]clearing{
			{rows: 2000, took: 20 * time.Millisecond},
			{
				rows: 4000, took: 100 * time.Millisecond, batches: []time.Duration{1e6, 2e6, 3e6, 4e6, 5e6, 1},
				before: []time.Duration{1e6, 1e6, 2e6}, during: []time.Duration{4e6}, after: []time.Duration{1e6},
			},
		},
	}
	var b strings.Builder
	if err := r.write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Large: 1000000 users, 100000 sessions, 10000 clients, 1000 tenants, 500000 expired rows",
		"| login | 3 | 2.00 | 3.00 | 1.50 |",
		"| clearing away a thousand rows, while logins go on | 6 | 10.0 | 25.0 | 2.50 |",
		"took 1.00 ms among the first tenth of them and 5.00 ms among the last",
		"| while it goes on | 1 | 4.00 | 4.00 | 4.00 | 2.00 |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[len(hundred)-1-i] = time.Duration(i + 1) // it need not be sorted
	}
	for _, tt := range []struct {
		took []time.Duration
		part float64
		want time.Duration
	}{
		{nil, 0.5, 0},
		{[]time.Duration{7}, 0.99, 7},
		{hundred, 0.5, 51},
		{hundred, 0.99, 100},
		{hundred, 1, 100},
	} {
		if got := quantile(tt.took, tt.part); got != tt.want {
			t.Errorf("of %d durations %v do not exceed %d, want %d", len(tt.took), tt.part, got, tt.want)
		}
	}
}

// The copies put another number and other names into the template's words, which is
// right only as long as those stand in them as they are.
func TestTheTemplateIsFoundByWhatCopiesReplace(t *testing.T) {
	p := firstPerson()
	got := strings.Join(user.Words(p), " ")
	if want := "corp given p0000000 p0000000@corp surname"; got != want {
		t.Errorf("its words are %q, want %q", got, want)
	}
	for _, name := range []string{surnameOf(1), surnameOf(999), surnameOf(1_000_000)} {
		if found := user.Search(name); len(found) != 1 || found[0] != name || len(name) != len(surnameOf(0)) {
			t.Errorf("the surname %q is searched for as %q", name, found)
		}
	}
	if surnameOf(1) == surnameOf(2) || surnameOf(1) != surnameOf(1001) {
		t.Error("there are not a thousand surnames")
	}
}

func TestAPartIsEnoughForEveryOperation(t *testing.T) {
	for _, n := range []int{1, 7, 50, 1_000_000_000} {
		s := largeSize.part(n)
		if s.users < 2*pageSize || s.clients < 2*pageSize || s.sessions < 1 || s.tenants < 1 || s.expired < clearBatch {
			t.Errorf("a part of %d is %s", n, s)
		}
	}
}
