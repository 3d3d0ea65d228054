package oauth

import (
	"fmt"
	"strings"
)

// Challenges returns the WWW-Authenticate headers of a resource server's answer to a
// request that failed (RFC 6750, section 3; RFC 9449, section 7.1), of which the sender
// brought the given Authorization headers. Whoever brought no token is told by which
// schemes one is taken and no more; the error is nil then. The parameters are more that
// the sender is told, such as max_age="60".
func Challenges(authorization []string, e *Error, params ...string) []string {
	algs := make([]string, len(proofAlgs))
	for i, a := range proofAlgs {
		algs[i] = string(a)
	}
	dpop := fmt.Sprintf(`DPoP algs="%s"`, strings.Join(algs, " "))
	bearer := `Bearer realm="dex"`
	if e == nil {
		return []string{strings.Join(append([]string{bearer}, params...), ", "), dpop}
	}
	challenge := bearer
	if e.Code == InvalidDPoPProof || e.Code == UseDPoPNonce || presentedByDPoP(authorization) {
		challenge = dpop
	}
	told := fmt.Sprintf(`error="%s", error_description="%s"`, e.Code, describe(e.Description))
	return []string{strings.Join(append([]string{challenge, told}, params...), ", ")}
}

func presentedByDPoP(authorization []string) bool {
	if len(authorization) != 1 {
		return false
	}
	scheme, _, _ := strings.Cut(authorization[0], " ")
	return strings.EqualFold(scheme, TokenTypeDPoP)
}
