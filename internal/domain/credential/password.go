package credential

import (
	"strings"
	"unicode/utf8"

	"dex/internal/base/fault"
)

// MinPassword is the length of the shortest password that somebody may choose, in
// characters (NIST SP 800-63B asks for 8 where there is a second factor).
const MinPassword = 12

// CheckPassword says why a password cannot be somebody's who is called by these
// names. There are no rules of composition: they make passwords that people forget
// and guessers do not mind.
func CheckPassword(password string, names ...string) error {
	switch {
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return fault.New(fault.Invalid, "A password must be text.")
	case utf8.RuneCountInString(password) < MinPassword:
		return fault.New(fault.Invalid, "A password must have %d characters at least. Several words that have nothing to do with each other make a good one.", MinPassword)
	case len(password) > MaxPassword:
		return fault.New(fault.Invalid, "A password must have %d bytes at most.", MaxPassword)
	case strings.Trim(password, string([]rune(password)[:1])) == "":
		return fault.New(fault.Invalid, "A password must not be one character again and again.")
	}
	for _, name := range names {
		local, _, _ := strings.Cut(name, "@")
		for _, guess := range []string{name, local} {
			if guess != "" && fold(password) == fold(guess) {
				return fault.New(fault.Invalid, "A password must not be the name of its owner.")
			}
		}
	}
	return nil
}
