package user

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// The bounds of what somebody is found by.
const (
	maxWords = 48       // of one text, and of one account
	maxWord  = 256      // bytes of one word
	maxText  = 4 * 1024 // bytes that are looked at of a text
	// MaxSearch is how many words are looked at of what is searched for.
	MaxSearch = 8
)

// Words returns what an account is found by: the words of its user name, mail address
// and name, folded, sorted, each once. A text that stands together is a word as a
// whole and by its parts, so that "Ann-Marie.Smith@example.com" is found by all of it,
// by "marie" and by "example".
func Words(u User) []string {
	var words []string
	for _, text := range []string{u.Email, u.Username, u.Name} {
		words = append(words, wordsOf(text)...)
	}
	words = words[:min(len(words), maxWords)] // what counts most came first
	slices.Sort(words)
	return slices.Compact(words)
}

// Search returns the words of what somebody searches for, each of which has to be the
// beginning of a word of the account. What has no letter or digit is left out.
func Search(text string) []string {
	var words []string
	for word := range strings.FieldsSeq(fold(text)) {
		if len(words) == MaxSearch {
			break
		}
		if word = shorten(word, maxWord); strings.ContainsFunc(word, inWord) && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

// wordsOf returns the words of a text, not sorted, the whole before its parts.
func wordsOf(text string) []string {
	var words []string
	for whole := range strings.FieldsSeq(fold(text)) {
		if len(words) >= maxWords {
			break
		}
		local, domain, isAddress := strings.Cut(whole, "@")
		all := []string{whole}
		if isAddress {
			all = append(all, local, domain)
		}
		all = append(all, strings.FieldsFunc(whole, func(r rune) bool { return !inWord(r) })...)
		for _, word := range all {
			if word = shorten(word, maxWord); strings.ContainsFunc(word, inWord) && !slices.Contains(words, word) {
				words = append(words, word)
			}
		}
	}
	return words
}

// inWord reports whether a character is of a word, and not between two.
func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) }

// fold folds case and compatibility forms, and makes a space of what cannot be kept.
// Each can bring about what the other folds, so it goes on until nothing changes.
func fold(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(shorten(s, maxText), " "))
	for range 4 {
		folded := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
		if folded == s {
			break
		}
		s = folded
	}
	return s
}

// shorten cuts a text off where it gets too long, between two characters.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
