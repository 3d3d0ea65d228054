package oauth

import (
	"strings"
	"testing"
)

func TestAUserCodeIsReadHoweverItIsTyped(t *testing.T) {
	for _, tt := range []struct {
		name, typed string
		want        UserCode
	}{
		{"as it is shown", "BCDF-GHJK", "BCDF-GHJK"},
		{"in small letters", "bcdf-ghjk", "BCDF-GHJK"},
		{"without a dash", "bcdfghjk", "BCDF-GHJK"},
		{"with blanks", "  BCDF GHJK ", "BCDF-GHJK"},
		{"with the dash of a phone's keyboard", "BCDF–GHJK", "BCDF-GHJK"},
		{"too short", "BCDF-GHJ", ""},
		{"too long", "BCDF-GHJK-L", ""},
		{"with a vowel", "ACDF-GHJK", ""},
		{"with a digit", "BCDF-GH1K", ""},
		{"with a letter that only looks like one", "ВCDF-GHJK", ""},
		{"with a sign that becomes a letter", "BCDF-GHJſ", ""},
		{"nothing", "", ""},
		{"something endless", strings.Repeat("-", 1<<16), ""},
	} {
		got, ok := ParseUserCode(tt.typed)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: %q is read as %q, %v", tt.name, tt.typed, got, ok)
		}
	}
}

func TestEveryLetterOfAUserCodeIsAsLikely(t *testing.T) {
	counts := map[rune]int{}
	b := byte(0)
	next := func() byte { b++; return b }
	for range 300 { // 2,400 letters: ten times round all fair bytes
		code := NewUserCode(next)
		if again, ok := ParseUserCode(string(code)); !ok || again != code {
			t.Fatalf("%q is read as %q, %v", code, again, ok)
		}
		for _, r := range strings.ReplaceAll(string(code), "-", "") {
			counts[r]++
		}
	}
	for _, r := range userCodeAlphabet {
		if counts[r] != 120 {
			t.Errorf("%c comes %d times of 2,400", r, counts[r])
		}
	}
}

func FuzzParseUserCode(f *testing.F) {
	f.Add("BCDF-GHJK")
	f.Add("bcdf ghjk")
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := ParseUserCode(typed)
		if !ok {
			return
		}
		if again, ok := ParseUserCode(string(code)); !ok || again != code || len(code) != userCodeLength+1 {
			t.Errorf("%q is read as %q, and that as %q", typed, code, again)
		}
	})
}
