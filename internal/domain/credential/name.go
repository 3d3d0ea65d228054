package credential

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"dex/internal/base/fault"
	"dex/internal/domain/user"
)

// MaxName is the length of the longest login name, in bytes.
const MaxName = 254

// Canonical returns the one form of a login name under which it is kept, looked
// up and counted, or a fault of kind Invalid if it cannot be one.
//
// It is what the profile UsernameCaseMapped of RFC 8265 does, and a little
// stricter: compatibility forms and case are folded, so that the Kelvin sign is a
// k; the dotless i stays a letter of its own; whatever is invisible, controls
// the line or is a space is refused; and the letters of a name are of one script,
// so that a Cyrillic letter cannot stand in a Latin name. A name with an @ is a
// mail address, whose domain is in its ASCII form.
func Canonical(name string) (string, error) {
	name = strings.TrimSpace(name)
	if len(name) > 4*MaxName || !utf8.ValidString(name) {
		return "", badName()
	}
	local, domain, address := strings.Cut(name, "@")
	local = fold(local)
	if local == "" || len(local) > MaxName || strings.ContainsFunc(local, notInName) || !oneScript(local) {
		return "", badName()
	}
	if !address {
		if strings.Contains(local, "@") { // the full-width one, folded
			return "", badName()
		}
		return local, nil
	}
	email, err := user.ParseEmail(local + "@" + domain)
	if err != nil || len(email) > MaxName {
		return "", badName()
	}
	return email, nil
}

func badName() error { return fault.New(fault.Invalid, "This cannot be a login name.") }

// fold folds compatibility forms and case. Each can bring about what the other
// folds, so it goes on until nothing changes, which is the second time at most
// for all but a few characters.
func fold(s string) string {
	for range 4 {
		folded := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
		if folded == s {
			break
		}
		s = folded
	}
	return s
}

// notInName reports whether a character has no place in a name: it is neither a
// letter, a mark of one, a digit, nor visible ASCII. RFC 8264, section 4.2.
func notInName(r rune) bool {
	if r < utf8.RuneSelf {
		return r <= ' ' || r == 0x7f
	}
	return !unicode.In(r, unicode.L, unicode.Mn, unicode.Mc, unicode.Nd) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) ||
		unicode.Is(unicode.Variation_Selector, r)
}

// together are the scripts that one language writes at once. Unicode Technical
// Standard 39, section 5.2, "highly restrictive".
var together = [][]*unicode.RangeTable{
	{unicode.Latin, unicode.Han, unicode.Hiragana, unicode.Katakana},
	{unicode.Latin, unicode.Han, unicode.Bopomofo},
	{unicode.Latin, unicode.Han, unicode.Hangul},
}

// oneScript reports whether the letters of a name are of one script, or of those
// that go together.
func oneScript(name string) bool {
	var letters []*unicode.RangeTable // the scripts of the letters
	for _, r := range name {
		if script := scriptOf(r); script != nil && !slices.Contains(letters, script) {
			letters = append(letters, script)
		}
	}
	return len(letters) <= 1 || slices.ContainsFunc(together, func(scripts []*unicode.RangeTable) bool {
		return !slices.ContainsFunc(letters, func(s *unicode.RangeTable) bool { return !slices.Contains(scripts, s) })
	})
}

// scriptOf returns the script of a letter, nil for what all scripts share.
func scriptOf(r rune) *unicode.RangeTable {
	if r < utf8.RuneSelf {
		if unicode.IsLetter(r) {
			return unicode.Latin
		}
		return nil
	}
	if unicode.In(r, unicode.Common, unicode.Inherited) {
		return nil
	}
	for _, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return table
		}
	}
	return nil
}
