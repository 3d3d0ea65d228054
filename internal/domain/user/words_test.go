package user

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWhatSomebodyIsFoundBy(t *testing.T) {
	for _, tt := range []struct {
		name string
		user User
		want string
	}{
		{"by the address as a whole, before and after the @, and by its parts", User{Email: "Ann.Smith@mail.Example.com"},
			"ann ann.smith ann.smith@mail.example.com com example mail mail.example.com smith"},
		{"by the user name, and by its parts", User{Username: "ann-marie"}, "ann ann-marie marie"},
		{"by each name", User{Name: "  Ann   O'Hara "}, "ann hara o o'hara"},
		{"once by what comes twice", User{Username: "ann", Name: "Ann", Email: "ann@ann"}, "ann ann@ann"},
		{"whatever the case", User{Name: "STRAẞE Ünal"}, "strasse ünal"},
		{"whatever the form of the letters", User{Name: "A\u0308nn Ｋim \u212Aim"}, "kim änn"},
		{"in every script", User{Name: "Юлия 山田 太郎"}, "юлия 太郎 山田"},
		{"not by what has neither letter nor digit", User{Name: "-- . Ann !"}, "ann"},
		{"not across what is no character", User{Name: "ann\x00bob\xffcy"}, "ann bob cy"},
		{"by nothing, if there is nothing", User{}, ""},
	} {
		if got := strings.Join(Words(tt.user), " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestWhatIsSearchedFor(t *testing.T) {
	for in, want := range map[string]string{
		"Ann Smith":               "ann smith",
		"ann ANN":                 "ann",
		"ann.smith@Exa":           "ann.smith@exa",
		"  ":                      "",
		"!!! ann":                 "ann",
		"a b c d e f g h i j k l": "a b c d e f g h",
		"ann\x00bob":              "ann bob",
	} {
		if got := strings.Join(Search(in), " "); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add("ann", "Ann.Smith@example.com", "Ann O'Hara")
	f.Add("\xff\x00", "a@b@c", "ﬃ ẞ \u0345")
	f.Add(strings.Repeat("ä", 400), strings.Repeat("a ", 400), "\u1E9E")
	f.Fuzz(func(t *testing.T, username, email, name string) {
		words := Words(User{Username: username, Email: email, Name: name})
		if !slices.IsSorted(words) || len(slices.Compact(slices.Clone(words))) != len(words) || len(words) > maxWords {
			t.Fatalf("not sorted, not each once, or too many: %q", words)
		}
		for _, w := range words {
			if w == "" || len(w) > maxWord || !utf8.ValidString(w) || strings.ContainsAny(w, "\x00\n ") {
				t.Fatalf("%q is no word", w)
			}
		}
		// Whoever is found by a text is found when it is typed.
		for _, typed := range Search(username) {
			if whole := wordsOf(username); len(whole) <= maxWords && len(words) < maxWords && !slices.Contains(words, typed) {
				t.Fatalf("%q is not among %q", typed, words)
			}
		}
	})
}
