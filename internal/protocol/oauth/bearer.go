package oauth

import (
	"errors"
	"net/url"
	"strings"
)

// ErrNoToken says that a request brings no bearer token at all. The answer to it
// is a challenge without an error code (RFC 6750, section 3.1).
var ErrNoToken = errors.New("oauth: there is no bearer token")

// Presented is an access token as it was presented. A token that is bound to a key comes
// under the scheme DPoP (RFC 9449, section 7.1), any other under Bearer.
type Presented struct {
	Token string
	DPoP  bool
}

// ParseBearer returns the token of a request's Authorization headers (RFC 6750,
// section 2.1), for tokens that are never bound to a key: there must be one header,
// with one space behind the scheme.
func ParseBearer(authorization []string) (string, error) {
	p, err := ParseAccessToken(authorization)
	if p.DPoP {
		return "", ErrNoToken
	}
	return p.Token, err
}

// ParseAccessToken is [ParseBearer] for tokens that may be bound to a key.
func ParseAccessToken(authorization []string) (Presented, error) {
	if len(authorization) == 0 {
		return Presented{}, ErrNoToken
	}
	if len(authorization) > 1 {
		return Presented{}, Errorf(InvalidRequest, "There is more than one Authorization header.")
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	bound := strings.EqualFold(scheme, TokenTypeDPoP)
	if !bound && !strings.EqualFold(scheme, TokenTypeBearer) {
		return Presented{}, ErrNoToken
	}
	if len(token) > MaxToken || !b64token(token) {
		return Presented{}, Errorf(InvalidRequest, "The access token is malformed.")
	}
	return Presented{Token: token, DPoP: bound}, nil
}

// ParseAccessTokenForm is [ParseAccessToken] for a request that may have a bearer token
// in its body instead (RFC 6750, section 2.2). It may not be in both. The form is that
// of the body alone: a token in a URL would stand in every log on the way.
func ParseAccessTokenForm(authorization []string, body url.Values) (Presented, error) {
	presented, err := ParseAccessToken(authorization)
	if len(body["access_token"]) == 0 {
		return presented, err
	}
	if len(authorization) > 0 {
		return Presented{}, Errorf(InvalidRequest, "There is more than one access token.")
	}
	token, mistake := single(body, "access_token", MaxToken)
	switch {
	case mistake != nil:
		return Presented{}, mistake
	case token == "":
		return Presented{}, ErrNoToken
	case !b64token(token):
		return Presented{}, Errorf(InvalidRequest, "The access token is malformed.")
	}
	return Presented{Token: token}, nil
}

// b64token reports whether s is
// 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=".
func b64token(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && !strings.ContainsRune("-._~+/", rune(c)) {
			return false
		}
	}
	return s != ""
}
