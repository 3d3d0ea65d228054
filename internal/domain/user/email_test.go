package user

import (
	"strings"
	"testing"
)

func TestParseEmail(t *testing.T) {
	for in, want := range map[string]string{
		"ann@example.com":                      "ann@example.com",
		"Ann.Smith+tag@Example.COM":            "Ann.Smith+tag@example.com",
		"o'hara=x/y@example.com":               "o'hara=x/y@example.com",
		"ann@bücher.example":                   "ann@xn--bcher-kva.example",
		"ann@BÜCHER.example":                   "ann@xn--bcher-kva.example",
		"ann@XN--BCHER-KVA.example":            "ann@xn--bcher-kva.example",
		"ann@faß.example":                      "ann@xn--fa-hia.example",
		"ännchen@example.com":                  "ännchen@example.com",
		"ann@localhost":                        "ann@localhost",
		"ann@1.example":                        "ann@1.example",
		strings.Repeat("a", 64) + "@b.example": strings.Repeat("a", 64) + "@b.example",
	} {
		if got, err := ParseEmail(in); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", in, got, err, want)
		}
	}
}

// The shapes that have let people past rules about domains, or that two readers
// understand in two ways.
func TestWhatIsNoAddress(t *testing.T) {
	for name, in := range map[string]string{
		"empty":                        "",
		"no @":                         "ann",
		"nothing before it":            "@example.com",
		"nothing after it":             "ann@",
		"two of them":                  "a@evil.example@corp.example",
		"two of them, one quoted":      `"a@evil.example"@corp.example`,
		"quoted":                       `"ann"@example.com`,
		"with a comment":               "ann(at work)@example.com",
		"with a comment in the domain": "ann@(evil)example.com",
		"with a name":                  "Ann <ann@example.com>",
		"in brackets":                  "<ann@example.com>",
		"two":                          "a@example.com,b@example.com",
		"with a space":                 "ann @example.com",
		"with a space around it":       " ann@example.com",
		"with a space in the domain":   "ann@example .com",
		"with a line break":            "ann@example.com\r\nBcc: x@example.com",
		"with NUL":                     "ann@example.com\x00.evil.example",
		"with a dot at the start":      ".ann@example.com",
		"with a dot at the end":        "ann.@example.com",
		"with two dots":                "a..b@example.com",
		"a domain with two dots":       "ann@example..com",
		"a domain that ends with one":  "ann@example.com.",
		"a domain that begins so":      "ann@.example.com",
		"a dot of another script":      "ann@example\u3002com",
		"a full-width dot":             "ann@example\uff0ecom",
		"a half-width dot":             "ann@example\uff61com",
		"a full-width @":               "ann\uff20example.com",
		"a slash in the domain":        "ann@example.com/evil",
		"a percent":                    "ann%evil.example@corp.example@x",
		"an underscore in the domain":  "ann@ex_ample.com",
		"a dash at the edge":           "ann@-example.com",
		"an address literal":           "ann@[127.0.0.1]",
		"an address of the network":    "ann@127.0.0.1",
		"a number for a domain":        "ann@1",
		"broken punycode":              "ann@xn--a.example",
		"punycode that is not needed":  "ann@xn--example-.com",
		"a zero-width space":           "an\u200bn@example.com",
		"… in the domain":              "ann@exam\u200bple.com@",
		"right to left override":       "ann\u202e@example.com",
		"not text":                     "ann\xff@example.com",
		"too long before the @":        strings.Repeat("a", 65) + "@example.com",
		"a label that is too long":     "ann@" + strings.Repeat("a", 64) + ".com",
		"too long":                     "ann@" + strings.Repeat(strings.Repeat("a", 60)+".", 5) + "com",
		"very long":                    strings.Repeat("a@", 1<<20),
	} {
		if got, err := ParseEmail(in); err == nil || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{"ann@example.com", "ä@ö.example", "a@xn--bcher-kva.example", "a@b@c", `"a"@b`, "a@ß.example", "a@\u212a.example", "a@1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := ParseEmail(s)
		if err != nil {
			return
		}
		if twice, err := ParseEmail(once); err != nil || twice != once {
			t.Fatalf("%q became %q, and that %q (%v)", s, once, twice, err)
		}
		local, domain, _ := strings.Cut(once, "@")
		was, _, _ := strings.Cut(s, "@")
		if local != was || len(once) > MaxEmail || strings.ContainsFunc(domain, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
		}) {
			t.Fatalf("%q became %q", s, once)
		}
	})
}
