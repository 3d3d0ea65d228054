package credential

import (
	"strings"
	"testing"

	"dex/internal/base/fault"
)

func TestCanonical(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"as it is", "ann", "ann"},
		{"case does not matter", "Ann.SMITH", "ann.smith"},
		{"spaces around it do not matter", "  ann\t\n", "ann"},
		{"a mail address", "Ann.Smith@Example.COM", "ann.smith@example.com"},
		{"a tag is part of the address", "ann+tag@example.com", "ann+tag@example.com"},
		{"a domain is in its ASCII form", "ann@BÜCHER.example", "ann@xn--bcher-kva.example"},
		{"the same domain, written out", "ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"},
		{"full width", "ａｎｎ", "ann"},
		{"the sharp s is folded", "straße", "strasse"},
		{"the final sigma is a sigma", "ΝΊΚΟΣ", "νίκοσ"},
		{"composed", "Rene\u0301", "ren\u00e9"},
		{"the Kelvin sign is a k", "\u212Aate", "kate"},
		{"the Kelvin sign in an address", "\u212Aate@example.com", "kate@example.com"},
		{"the dotless i is a letter of its own", "m\u0131ke@example.com", "m\u0131ke@example.com"},
		{"a ligature is its letters", "o\uFB03ce", "office"},
		{"Japanese in three scripts and Latin", "田中たろうタロウX", "田中たろうタロウx"},
		{"Korean and Latin", "김abc", "김abc"},
		{"Cyrillic", "Иван", "иван"},
		{"digits and signs belong to all scripts", "иван-2.0_x"[:len("иван-2.0_")], "иван-2.0_"},
		{"ASCII signs", "corp\\ann", "corp\\ann"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := Canonical(tt.in); err != nil || got != tt.want {
				t.Errorf("%q: %q, %v, want %q", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestWhatCannotBeALoginName(t *testing.T) {
	tests := map[string]string{
		"empty":                          "",
		"nothing but spaces":             " \t ",
		"a space within":                 "ann smith",
		"a space of another kind":        "ann\u00a0smith",
		"a line break within":            "ann\nsmith",
		"NUL":                            "ann\x00",
		"DEL":                            "ann\x7f",
		"a control character":            "ann\u0085x",
		"a zero-width space":             "an\u200bn",
		"a zero-width joiner":            "an\u200dn",
		"a soft hyphen":                  "an\u00adn",
		"a byte order mark":              "\ufeffann",
		"right to left override":         "ann\u202egpj",
		"an isolate":                     "ann\u2066x",
		"a variation selector":           "ann\ufe0f",
		"a Hangul filler":                "ann\u3164",
		"an emoji":                       "ann😀",
		"a private character":            "ann\ue000",
		"not text":                       "ann\xff",
		"a Cyrillic a among Latin ones":  "\u0430nn",
		"a Greek o among Latin ones":     "b\u03bfb",
		"a Cyrillic a in an address":     "\u0430nn@example.com",
		"two @":                          "a@evil.example@corp.example",
		"a full-width @":                 "a＠evil.example@corp.example",
		"a full-width @ and no other":    "a＠corp.example",
		"nothing before the @":           "@example.com",
		"nothing after the @":            "ann@",
		"a quoted local part":            `"a b"@example.com`,
		"a comment":                      "ann(x)@example.com",
		"a dot of another script":        "ann@example。com",
		"two dots":                       "ann@example..com",
		"a space in the domain":          "ann@exa mple.com",
		"an address literal":             "ann@[127.0.0.1]",
		"an address of the network":      "ann@127.0.0.1",
		"too long":                       strings.Repeat("a", MaxName+1),
		"too long by what it folds into": strings.Repeat("\ufb03", MaxName/3+1),
		"very long":                      strings.Repeat("a", 1<<20),
		"too long an address":            strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 60)+".", 4) + "com",
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := Canonical(in); !fault.Is(err, fault.Invalid) || got != "" {
				t.Errorf("%.40q: %q, %v", in, got, err)
			}
		})
	}
}

func TestConfusableNamesAreOneOrStayApart(t *testing.T) {
	mike, _ := Canonical("mike@example.com")
	for _, other := range []string{"m\u0131ke@example.com", "mike@example.org", "mike", "mi\u0307ke@example.com"} {
		if got, err := Canonical(other); err == nil && got == mike {
			t.Errorf("%q is taken for %q", other, mike)
		}
	}
	for _, same := range []string{"MIKE@example.com", "mi\u212Ae@example.com", "mike@exa\u1d39ple.com"} {
		if got, err := Canonical(same); err != nil || got != mike {
			t.Errorf("%q is %q, %v: a second account could have the name", same, got, err)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"ann", "Ann@Example.com", "ẞ@x.example", "ﬃ", "İ", "K", "ΐ", "ǰ", "ß.ſ", "a＠b", "ͅα", "ᾳ", "a@xn--a", "\u1e9b\u0323"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := Canonical(s)
		if err != nil {
			return
		}
		if twice, err := Canonical(once); err != nil || twice != once {
			t.Fatalf("%q became %q, and that %q (%v)", s, once, twice, err)
		}
		if once == "" || len(once) > MaxName || strings.Count(once, "@") > 1 {
			t.Fatalf("%q became %q", s, once)
		}
	})
}
