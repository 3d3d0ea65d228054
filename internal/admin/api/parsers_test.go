package api

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/seal"
)

func TestABodyIsPlain(t *testing.T) {
	for _, tt := range []struct{ name, text, wrong string }{
		{"an object", `{"a":1,"b":{"a":[1,2,{"c":null}]}}`, ""},
		{"a text", `"x"`, ""},
		{"the same name in two objects", `[{"a":1},{"a":1}]`, ""},
		{"a name twice", `{"a":1,"a":2}`, "twice"},
		{"a name twice further in", `{"x":[{"a":1,"b":2,"a":3}]}`, "twice"},
		{"a name twice, spelt differently", `{"a":1,"\u0061":2}`, "twice"},
		{"nothing", ``, "too early"},
		{"half an object", `{"a":`, "too early"},
		{"half a list", `[1`, "too early"},
		{"two values", `{} {}`, "after its end"},
		{"no text", "{\"a\":\"\xff\"}", "UTF-8"},
		{"a character of two halves", `{"\ud83d\ude00":"\\ud800 \uD83D\uDE00\ufffd"}`, ""},
		{"the first half", `{"id":"a\ud83d"}`, "half"},
		{"the first half, and something else", `{"id":"\ud83d\u0061"}`, "half"},
		{"the second half", `{"id":"\ude00a"}`, "half"},
		{"two first halves", `["\ud83d\ud83d\ude00"]`, "half"},
		{"halves that an escape comes between", `["\ud83d\\ude00"]`, "half"},
		{"as deep as it may be", strings.Repeat("[", 32) + strings.Repeat("]", 32), ""},
		{"deeper", strings.Repeat("[", 33) + strings.Repeat("]", 33), "nested"},
		{"a comma too many", `{"a":1,}`, "invalid"},
		{"words", `yes`, "invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := plain([]byte(tt.text))
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
				t.Errorf("got %v, want %q", err, tt.wrong)
			}
		})
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,{"b":"c"}]}`, `{"a":1,"a":2}`, `[[[[`, `"\ud800"`, `1e999`, "{} "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if plain(text) == nil && !json.Valid(text) {
			t.Errorf("%q is no JSON, and nothing is said against it", text)
		}
	})
}

func box(t testing.TB) cursors {
	t.Helper()
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	return cursors{ring.Box("cursor")}
}

func TestACursorOpensWhereItWasMade(t *testing.T) {
	c := box(t)
	cursor := c.seal("usr_ann", "default", "list-users", "role=admin")
	if got, err := c.open(cursor, "default", "list-users", "role=admin"); err != nil || got != "usr_ann" {
		t.Errorf("got %q, %v", got, err)
	}
	if strings.Contains(cursor, "usr_ann") {
		t.Error("anybody can read it")
	}
	for name, binding := range map[string][]string{
		"another tenant": {"acme", "list-users", "role=admin"}, "another list": {"default", "list-groups", "role=admin"},
		"another filter": {"default", "list-users", "role=owner"}, "no filter": {"default", "list-users", ""},
		"parts that are cut elsewhere": {"default", "list-usersrole=admin", ""},
	} {
		if _, err := c.open(cursor, binding...); err == nil {
			t.Errorf("it opens for %s", name)
		}
	}
	if _, err := box(t).open(cursor, "default", "list-users", "role=admin"); err == nil {
		t.Error("it opens under another key")
	}
}

func FuzzCursor(f *testing.F) {
	c := box(f)
	good := c.seal("usr_ann", "default", "list-users", "")
	f.Add(good)
	f.Add("")
	f.Add(good + "=")
	f.Add(good[1:])
	f.Fuzz(func(t *testing.T, cursor string) {
		if after, err := c.open(cursor, "default", "list-users", ""); err == nil && (cursor != good || after != "usr_ann") {
			t.Errorf("%q opens to %q", cursor, after)
		}
	})
}

func TestABucketFillsUpAgainAndEachCallerHasOne(t *testing.T) {
	l := newLimiter(Rate{PerSecond: 2, Burst: 3})
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	empty := func(caller string, at time.Time) bool { return fault.Is(l.take(caller, at), fault.Throttled) }
	for i := range 3 {
		if empty("ann", now) {
			t.Fatalf("empty after %d", i)
		}
	}
	if !empty("ann", now) || empty("ben", now) {
		t.Error("the bucket of one is not theirs alone")
	}
	if later := now.Add(500 * time.Millisecond); empty("ann", later) || !empty("ann", later) {
		t.Error("after half a second there is not one more")
	}
}

func TestOfMoreCallersThanFitTheOldestIsForgotten(t *testing.T) {
	l := newLimiter(Rate{PerSecond: 1, Burst: 1})
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range maxBuckets * 2 {
		if err := l.take(strconv.Itoa(i), now); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.known) != maxBuckets || l.recent.Len() != maxBuckets {
		t.Errorf("%d and %d callers are remembered", len(l.known), l.recent.Len())
	}
	if l.take(strconv.Itoa(maxBuckets*2-1), now) == nil {
		t.Error("the last one is forgotten")
	}
}
