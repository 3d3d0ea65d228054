package credential

import (
	"slices"
	"strings"
	"testing"
)

func TestWhichPasswordsCanBeChosen(t *testing.T) {
	context := []string{"ann.smith", "ann.smith@corp.example", "Ann Smith", "Acme Login"}
	for _, tt := range []struct {
		name, password string
		want           Weakness
	}{
		{"four words", "violet rope climbs gently", ""},
		{"twelve characters by chance", "k7#vQ2mZx9!t", ""},
		{"letters of another script", "семьдесят синих ворон", ""},
		{"signs that count as one each", strings.Repeat("ä", 3) + "tzfqwölkj", ""},
		{"a word that is common among others that are not", "password rope climbs gently", ""},
		{"eleven characters", "k7#vQ2mZx9!", TooShort},
		{"eleven characters of two bytes each", "äöüßéèêàâáó", TooShort},
		{"twelve that are eleven once they are one form", "k7#vQ2mZx9a\u0308", TooShort},
		{"what is no text", "k7#vQ2mZx9!t\xff", TooShort},
		{"a NUL", "k7#vQ2mZx9!t\x00", TooShort},
		{"nothing", "", TooShort},
		{"more than is hashed", strings.Repeat("violet rope ", 100), TooLong},
		{"a common word with a year", "Password2024!", Common},
		{"… in disguise", "P@ssw0rd2024", Common},
		{"a row of keys", "qwertyuiop123", Common},
		{"a row backwards", "poiuytrewq098", Common},
		{"one letter", "aaaaaaaaaaaaaaaa", Common},
		{"three letters again and again", "abcabcabcabcabc", Common},
		{"common words alone", "iloveyousunshine", Common},
		{"a famous one", "correcthorsebatterystaple", Common},
		{"the user name with a number", "ann.smith1234", Personal},
		{"the address", "ann.smith@corp.example", Personal},
		{"the name and a year", "Smith Ann 2024", Personal},
		{"the service", "AcmeLogin!!Acme", Personal},
		{"the service in disguise", "@cm3 l0g1n 2024", Personal},
	} {
		if got := Weak(tt.password, context...); got != tt.want {
			t.Errorf("%s: %q is %q, want %q", tt.name, tt.password, got, tt.want)
		}
	}
}

func TestCommonWordsAreFoldedSortedAndNotShort(t *testing.T) {
	if len(commonWords) < 100 || !slices.IsSorted(commonWords) {
		t.Errorf("%d words, or not in order", len(commonWords))
	}
	for _, w := range commonWords {
		if fold(w) != w || len(w) < 3 {
			t.Errorf("%q is not as it is looked for", w)
		}
	}
}

func FuzzWeak(f *testing.F) {
	f.Add("Password2024!", "ann")
	f.Add("\xff", "")
	f.Add("ẞẞẞẞẞẞẞẞẞẞẞẞ", "ß")
	f.Fuzz(func(t *testing.T, password, context string) {
		if Weak(password, context) != "" {
			return
		}
		if _, ok := normal(password); !ok {
			t.Fatalf("%q can be chosen, and not be hashed", password)
		}
		if Weak(password) != "" {
			t.Fatalf("%q is weak, and not if more is known", password)
		}
	})
}
