package mint

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"dex/internal/base/seal"
	"dex/internal/base/secret"
)

// Opaque are access tokens that nobody can read but us, for clients that want them so:
// the same claims as in the others, sealed instead of signed, so that nothing is kept of
// them either. A token says in clear only whose it is, for whoever knows several issuers.
type Opaque struct {
	Box    *seal.Box
	Issuer string
}

// NewOpaque returns the opaque tokens of an issuer. The key is its tenant's own.
func NewOpaque(key []byte, issuer string) Opaque {
	return Opaque{Box: seal.BoxOf(key, "access token"), Issuer: issuer}
}

func (o Opaque) head() string {
	return secret.AccessPrefix + base64.RawURLEncoding.EncodeToString([]byte(o.Issuer)) + "."
}

// token seals the claims of an access token.
func (o Opaque) token(claims AccessClaims) (string, error) {
	text, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return o.head() + o.Box.SealText(text, o.Issuer), nil
}

// open returns the claims in an opaque token, as they were sealed.
func (o Opaque) open(token string) ([]byte, error) {
	sealed, ours := strings.CutPrefix(token, o.head())
	if !ours {
		return nil, seal.ErrTampered
	}
	return o.Box.OpenText(sealed, o.Issuer)
}

// isOpaque reports whether a token has the form of those that only we can read.
func isOpaque(token string) bool { return strings.HasPrefix(token, secret.AccessPrefix) }

// issuerOfOpaque returns whose an opaque token says that it is.
func issuerOfOpaque(token string) string {
	head, _, ok := strings.Cut(strings.TrimPrefix(token, secret.AccessPrefix), ".")
	issuer, err := base64.RawURLEncoding.DecodeString(head)
	if !ok || err != nil {
		return ""
	}
	return string(issuer)
}
