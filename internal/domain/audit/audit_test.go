package audit

import (
	"regexp"
	"slices"
	"testing"
	"time"
)

func TestASupportCodeCanBeReadAloud(t *testing.T) {
	form := regexp.MustCompile(`^[2-9A-HJKMNP-TV-Z]{4}-[2-9A-HJKMNP-TV-Z]{4}-[2-9A-HJKMNP-TV-Z]{2}$`)
	seen := map[string]bool{}
	for range 1000 {
		code := NewSupportCode()
		if !form.MatchString(code) {
			t.Fatalf("%q has a letter that is mistaken for another", code)
		}
		if seen[code] {
			t.Fatalf("%q came twice", code)
		}
		seen[code] = true
	}
}

func TestEventIDsSortByTime(t *testing.T) {
	at := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	var ids []string
	for range 200 {
		ids = append(ids, NewEventID(at))
		at = at.Add(37 * time.Hour).Add(time.Microsecond)
	}
	if !slices.IsSorted(ids) {
		t.Error("ids of later events sort before those of earlier ones")
	}
}
