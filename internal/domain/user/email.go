package user

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// MaxEmail is the length of the longest mail address, in bytes: what fits into
// the path of RFC 5321, section 4.5.3.1.3.
const MaxEmail = 254

var errEmail = errors.New("not a mail address")

// domains brings a domain into its ASCII form: lower case, punycode. UTS 46.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// ParseEmail reads a bare mail address and returns it with its domain in ASCII
// and lower case. It is the only reader of addresses, so that nobody decides by
// one domain and writes to another.
//
// It takes the addresses that people have (a dot-atom, one @, a domain: RFC 5322,
// section 3.4.1, with the letters of RFC 6531) and none of the forms that readers
// disagree about: no quotes, comments, display names, address literals, nor dots
// of other scripts. The part before the @ stays as it is.
func ParseEmail(s string) (string, error) {
	if len(s) > 2*MaxEmail || !utf8.ValidString(s) {
		return "", errEmail
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok || !dotAtom(local) || domain == "" || strings.ContainsAny(domain, "@。．｡") || strings.HasSuffix(domain, ".") {
		return "", errEmail
	}
	domain, err := domains.ToASCII(domain)
	if err != nil {
		return "", errEmail
	}
	last := domain[strings.LastIndexByte(domain, '.')+1:]
	if strings.Trim(last, "0123456789") == "" { // an address of the network, not of a person
		return "", errEmail
	}
	if len(local)+1+len(domain) > MaxEmail {
		return "", errEmail
	}
	return local + "@" + domain, nil
}

// dotAtom reports whether s is one, of 64 bytes at most. RFC 5322, section 3.2.3.
func dotAtom(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		switch {
		case r >= utf8.RuneSelf:
			return !unicode.In(r, unicode.L, unicode.Mn, unicode.Mc, unicode.Nd) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) ||
				unicode.Is(unicode.Variation_Selector, r)
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r == '.':
			return false
		default:
			return !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
		}
	})
}
