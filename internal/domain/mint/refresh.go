package mint

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"dex/internal/base/secret"
)

// RefreshTokens makes refresh tokens and reads them back. A token is the grant, the
// generation and a MAC over both: it can be made again whenever it is needed, so
// nothing of it is stored, and a lost answer is answered again with the very same
// token.
type RefreshTokens struct {
	Key    []byte // of the tenant; sealed wherever it is stored
	Tenant string
}

// RefreshToken is a refresh token that is ours.
type RefreshToken struct {
	GrantID    string
	Generation int
}

// Token returns the refresh token of a grant's generation.
func (r RefreshTokens) Token(t RefreshToken) secret.Value {
	id := strings.TrimPrefix(t.GrantID, "gra_")
	head := id + "." + strconv.Itoa(t.Generation) + "."
	return secret.Value(secret.RefreshPrefix + head + base64.RawURLEncoding.EncodeToString(r.mac(head)))
}

// Read returns what a refresh token says, and whether it is ours to the last bit.
func (r RefreshTokens) Read(v secret.Value) (RefreshToken, bool) {
	rest, ok := strings.CutPrefix(string(v), secret.RefreshPrefix)
	id, rest, ok1 := strings.Cut(rest, ".")
	number, code, ok2 := strings.Cut(rest, ".")
	gen, err := strconv.Atoi(number)
	if !ok || !ok1 || !ok2 || err != nil || gen < 1 {
		return RefreshToken{}, false
	}
	t := RefreshToken{GrantID: "gra_" + id, Generation: gen}
	// Comparing the whole text leaves no second spelling of the same token.
	if len(code) != base64.RawURLEncoding.EncodedLen(sha256.Size) || !hmac.Equal([]byte(v), []byte(r.Token(t))) {
		return RefreshToken{}, false
	}
	return t, true
}

func (r RefreshTokens) mac(head string) []byte {
	h := hmac.New(sha256.New, r.Key)
	for _, part := range []string{"refresh token", r.Tenant, head} {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return h.Sum(nil)
}
