package oauth

import (
	"net/url"
	"strings"

	"dex/internal/base/secret"
)

// DeviceRequest is what a device asks that has no browser (RFC 8628, section 3.1).
// Who asks is read by [ParseCredentials].
type DeviceRequest struct{ Scopes Scopes }

// ParseDeviceRequest reads a device authorization request. The form is that of the
// body alone.
func ParseDeviceRequest(body url.Values) (DeviceRequest, error) {
	f := &form{values: body}
	return DeviceRequest{Scopes: f.scopes()}, f.done()
}

// DeviceResponse is what the device is told (RFC 8628, section 3.2). It can be
// encoded, but not printed.
type DeviceResponse struct {
	DeviceCode              string   `json:"device_code"`
	UserCode                UserCode `json:"user_code"`
	VerificationURI         string   `json:"verification_uri"`
	VerificationURIComplete string   `json:"verification_uri_complete"`
	ExpiresIn               Seconds  `json:"expires_in"`
	Interval                Seconds  `json:"interval"`
}

// userCodeAlphabet has no vowels, so that no code is a word, and nothing that is
// mistaken for something else (RFC 8628, section 6.1).
const userCodeAlphabet = "BCDFGHJKLMNPQRSTVWXZ"

// userCodeLength makes 34 bits. They are good for ten minutes, and who guesses is
// slowed down.
const userCodeLength = 8

// UserCode is what a person types to say which device they mean, such as
// "BCDF-GHJK". In this form it is shown; every other that means it is read.
type UserCode string

// NewUserCode makes a code of random bytes. It takes as many as it needs from next,
// leaving out those that would make some letters likelier than others.
func NewUserCode(next func() byte) UserCode {
	const fair = 256 - 256%len(userCodeAlphabet)
	var b strings.Builder
	for b.Len() < userCodeLength {
		if c := int(next()); c < fair {
			b.WriteByte(userCodeAlphabet[c%len(userCodeAlphabet)])
		}
	}
	return grouped(b.String())
}

// ParseUserCode reads what a person has typed: in small letters, with other dashes or
// none. It reports false if it can be no code.
func ParseUserCode(typed string) (UserCode, bool) {
	if len(typed) > 64 {
		return "", false
	}
	var b strings.Builder
	for _, r := range typed {
		if 'a' <= r && r <= 'z' {
			r += 'A' - 'a' // and no other letter: some become one of ours
		}
		switch {
		case r == ' ' || r == '-' || r == '_' || r == '.' || r == '–' || r == '—' || r == '\u00a0':
		case r < 0x80 && strings.IndexByte(userCodeAlphabet, byte(r)) >= 0:
			b.WriteRune(r)
		default:
			return "", false
		}
	}
	if b.Len() != userCodeLength {
		return "", false
	}
	return grouped(b.String()), true
}

func grouped(letters string) UserCode {
	return UserCode(letters[:userCodeLength/2] + "-" + letters[userCodeLength/2:])
}

// deviceCode is the device code of a token request.
func deviceCode(f *form) secret.Value { return secret.Value(f.one("device_code", MaxSecret)) }
