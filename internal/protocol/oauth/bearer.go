package oauth

import (
	"errors"
	"net/url"
	"strings"
)

// ErrNoToken says that a request brings no bearer token at all. The answer to it
// is a challenge without an error code (RFC 6750, section 3.1).
var ErrNoToken = errors.New("oauth: there is no bearer token")

// ParseBearer returns the token of a request's Authorization headers (RFC 6750,
// section 2.1): there must be one of them, with one space behind the scheme.
func ParseBearer(authorization []string) (string, error) {
	if len(authorization) == 0 {
		return "", ErrNoToken
	}
	if len(authorization) > 1 {
		return "", Errorf(InvalidRequest, "There is more than one Authorization header.")
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", ErrNoToken
	}
	if len(token) > MaxToken || !b64token(token) {
		return "", Errorf(InvalidRequest, "The bearer token is malformed.")
	}
	return token, nil
}

// ParseBearerForm is [ParseBearer] for a request that may have the token in its
// body instead (RFC 6750, section 2.2). It may not be in both. The form is that
// of the body alone: a token in a URL would stand in every log on the way.
func ParseBearerForm(authorization []string, body url.Values) (string, error) {
	token, err := ParseBearer(authorization)
	if len(body["access_token"]) == 0 {
		return token, err
	}
	if len(authorization) > 0 {
		return "", Errorf(InvalidRequest, "There is more than one access token.")
	}
	token, mistake := single(body, "access_token", MaxToken)
	switch {
	case mistake != nil:
		return "", mistake
	case token == "":
		return "", ErrNoToken
	case !b64token(token):
		return "", Errorf(InvalidRequest, "The bearer token is malformed.")
	}
	return token, nil
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
