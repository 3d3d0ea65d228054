// Package oauth is the vocabulary of OAuth 2.0 and OpenID Connect: what may be
// asked of a provider and what it answers, as values.
//
// Each parser is a pure function of the parameters, so that it can be fuzzed and
// read beside the standard. It decides whether a request makes sense, never
// whether it is allowed: what a client may ask is the client's policy, and
// decided by the flows.
package oauth

import (
	"net/url"
	"unicode"
	"unicode/utf8"

	"dex/internal/protocol/jose"
)

// The sizes up to which parameters are read, in bytes unless said otherwise.
// Beyond, a request is invalid.
const (
	MaxClientID    = 256
	MaxRedirectURI = 2 << 10
	MaxState       = 2 << 10
	MaxNonce       = 2 << 10
	MaxScope       = 256 // of one value
	MaxScopes      = 100 // values
	MaxLoginHint   = 512
	MaxIDTokenHint = 8 << 10
	MaxUILocales   = 10 // values
	MaxACRValues   = 20 // values
	MaxClaims      = 4 << 10
	MaxClaimNames  = 100 // in a claims request
	MaxValue       = 256 // of one in a list, or of a parameter with no size of its own
	MaxSecret      = 1 << 10
	// A reference to a pushed request may be the request itself, sealed.
	MaxRequestURI    = 8 << 10
	MaxRequestObject = jose.MaxEncrypted
	MaxToken         = 16 << 10
)

// form reads parameters by the rules that hold at each endpoint: one that comes
// twice is a mistake, and one without a value is absent (RFC 6749, section 3.1
// and 3.2). It keeps the first mistake and reads on, because what is wrong must
// often be answered by what is right.
type form struct {
	values url.Values
	err    *Error
}

// one returns the only value of a parameter, or nothing if there is a mistake.
func (f *form) one(name string, limit int) string {
	v, err := single(f.values, name, limit)
	if err != nil {
		f.fail(err)
		return ""
	}
	return v
}

func (f *form) fail(err *Error) {
	if f.err == nil {
		f.err = err
	}
}

// missing notes that a parameter has no value. Where that is because of another
// mistake in it, that one is kept.
func (f *form) missing(name string) {
	f.fail(Errorf(InvalidRequest, "The parameter %s is missing.", name))
}

// done returns the first mistake as an error that is nil if there was none.
func (f *form) done() error {
	if f.err != nil {
		return f.err
	}
	return nil
}

// single returns the only value of a parameter, or what is wrong with it.
func single(values url.Values, name string, limit int) (string, *Error) {
	v := values[name]
	switch {
	case len(v) == 0:
		return "", nil
	case len(v) > 1:
		return "", Errorf(InvalidRequest, "The parameter %s is given more than once.", name)
	case len(v[0]) > limit:
		return "", Errorf(InvalidRequest, "The parameter %s is longer than %d bytes.", name, limit)
	case !printable(v[0]):
		return "", Errorf(InvalidRequest, "The parameter %s holds characters that cannot be printed.", name)
	}
	return v[0], nil
}

// printable reports whether s is text without control characters, which have no
// place in any parameter and much harm to do in headers, logs and databases.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}
