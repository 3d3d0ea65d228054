package credential

import (
	_ "embed"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"dex/internal/base/fault"
)

// MinPassword is how many characters a password has that somebody chooses. There are
// no rules about their kinds: length is what counts. NIST SP 800-63B, section 3.1.1.2.
const MinPassword = 12

// Weakness says why a password cannot be chosen.
type Weakness string

// The weaknesses. None is the empty one.
const (
	TooShort Weakness = "short"
	TooLong  Weakness = "long"
	Common   Weakness = "common"  // among the first that a guesser tries
	Personal Weakness = "context" // made of what everybody knows of the person or the place
)

// common are words that passwords are made of more often than of others, one a line.
//
//go:embed common.txt
var commonText string

var commonWords = strings.Fields(commonText)

// runs are the characters that lie beside one another, on a keyboard or in a list.
var runs = []string{
	"01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop",
	"qsdfghjklm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
}

// enough is how many different characters have to be left of a password when all that
// was to be expected is taken out of it.
const enough = 5

// Weak says why somebody should not choose a password, and nothing if they may. The
// context is what everybody knows: names and addresses of the person, the name of the
// service.
//
// It takes out what a guesser tries first, which are common words, what is known of
// the person, and characters that lie beside one another, in disguise or not, and
// looks at what is left.
func Weak(password string, context ...string) Weakness {
	if len(password) > MaxPassword {
		return TooLong
	}
	password, ok := normal(password)
	switch {
	case !ok:
		return TooShort // it is no text
	case utf8.RuneCountInString(password) < MinPassword:
		return TooShort
	}
	plain := fold(password)
	var known []string
	for _, text := range context {
		known = append(known, partsOf(text)...)
	}
	for _, form := range []string{plain, undisguised.Replace(plain)} {
		if little(without(form, commonWords)) {
			return Common
		}
		if little(without(form, slices.Concat(commonWords, known))) {
			return Personal
		}
	}
	return ""
}

// CheckPassword says in a sentence why somebody cannot choose a password: see [Weak].
func CheckPassword(password string, context ...string) error {
	var why string
	switch Weak(password, context...) {
	case TooShort:
		return weak("A password must have %d characters at least. Several words that have nothing to do with each other make a good one.", MinPassword)
	case TooLong:
		return weak("A password must have %d bytes at most.", MaxPassword)
	case Common:
		why = "Passwords like this one are what guessers try first. Several words that have nothing to do with each other make a good one."
	case Personal:
		why = "This password is made of a name or an address that others know. Several words that have nothing to do with each other make a good one."
	default:
		return nil
	}
	return weak("%s", why)
}

func weak(format string, args ...any) *fault.Error {
	f := fault.New(fault.Invalid, format, args...)
	f.Field = "password"
	return f
}

// undisguised puts letters in the place of the signs that stand for them.
var undisguised = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

// little reports whether too little is left.
func little(rest string) bool {
	different := map[rune]bool{}
	for _, r := range rest {
		if !unicode.IsSpace(r) {
			different[r] = true
		}
	}
	return len(different) < enough
}

// without takes words and runs out of a password, the longest first.
func without(s string, words []string) string {
	words = slices.SortedFunc(slices.Values(words), func(a, b string) int { return len(b) - len(a) })
	for _, word := range words {
		s = strings.ReplaceAll(s, word, " ")
	}
	for _, run := range runs {
		for _, way := range []string{run, backwards(run)} {
			for n := len(way); n >= 4; n-- {
				for i := 0; i+n <= len(way); i++ {
					s = strings.ReplaceAll(s, way[i:i+n], " ")
				}
			}
		}
	}
	return s
}

func backwards(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// partsOf returns what of a text may stand in a password: the whole of it and its
// words, unless they are so short that they stand in any.
func partsOf(text string) []string {
	text = fold(strings.TrimSpace(text))
	parts := append(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), text)
	return slices.DeleteFunc(parts, func(p string) bool { return utf8.RuneCountInString(p) < 3 })
}
