package declare

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, email := range []string{"ann@example.com", "a.b+c@sub.example.co.uk", "user100@example.com"} {
		if !validEmail(email) {
			t.Errorf("%s does not pass", email)
		}
	}
	for _, email := range []string{"", "ann", "ann@", "@example.com", "Ann <ann@example.com>", "<ann@example.com>", "ann@example.com,ben@example.com", "ann@exa mple.com", "\"a b\"@example.com", "ann@example.com\n"} {
		if validEmail(email) {
			t.Errorf("%q passes", email)
		}
	}
	for _, name := range []string{"", " ann", "ann ", "a\x00b", "a\u202eb", "a\u200bb", strings.Repeat("x", 256)} {
		if printable(name) {
			t.Errorf("%q is printable", name)
		}
	}
	if !printable("Ännchen von Tharau") {
		t.Error("a name in another language is not printable")
	}
}
