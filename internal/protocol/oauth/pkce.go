package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// Challenge is the SHA-256 of a secret that only the client which began a login
// knows, so that nobody else can end it (RFC 7636). It is empty if there is none.
type Challenge string

// MethodS256 is the only code_challenge_method: with "plain", whoever sees the
// challenge has the secret.
const MethodS256 = "S256"

// ParseChallenge reads a code_challenge and its method. A challenge without a
// method would be "plain" (RFC 7636, section 4.3), which is refused.
func ParseChallenge(challenge, method string) (Challenge, error) {
	switch {
	case challenge == "" && method == "":
		return "", nil
	case challenge == "":
		return "", Errorf(InvalidRequest, "There is a code_challenge_method, but no code_challenge.")
	case method != MethodS256:
		return "", Errorf(InvalidRequest, "The code_challenge_method must be S256.")
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	if err != nil || len(sum) != sha256.Size || strings.ContainsAny(challenge, "\r\n") {
		return "", Errorf(InvalidRequest, "The code_challenge must be a SHA-256 in base64url, which has 43 characters.")
	}
	return Challenge(challenge), nil
}

// ChallengeOf returns the challenge of a verifier, as a client makes it.
func ChallengeOf(verifier string) Challenge {
	sum := sha256.Sum256([]byte(verifier))
	return Challenge(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// Verify reports whether the verifier is the secret behind the challenge. An
// empty challenge has no secret.
func (c Challenge) Verify(verifier string) bool {
	if !validVerifier(verifier) {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(c), []byte(ChallengeOf(verifier))) == 1
}

// validVerifier reports whether s has 43 to 128 unreserved characters (RFC 7636,
// section 4.1).
func validVerifier(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !alphanumeric(c) && c != '-' && c != '.' && c != '_' && c != '~' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
