package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"dex/internal/protocol/jose"
)

// TypeDPoP is the "typ" header of a DPoP proof (RFC 9449, section 4.2).
const TypeDPoP = "dpop+jwt"

// TokenTypeDPoP is the token_type of a token that is bound to the key of a proof, and
// the scheme under which it is presented (RFC 9449, sections 5 and 7.1).
const TokenTypeDPoP = "DPoP"

const (
	// MaxProof is the longest proof that is looked at, in bytes.
	MaxProof = 8 << 10
	// ProofAge is how old a proof may be, and so how long one has to be remembered.
	ProofAge = time.Minute
	// proofSkew is how far ahead the sender's clock may be.
	proofSkew  = 30 * time.Second
	maxProofID = 256
)

// ProofAlgs are the algorithms of DPoP proofs, for metadata. They are those of FAPI 2.0
// (section 5.4.1): whoever makes a key for proofs alone has no reason to take another.
func ProofAlgs() []jose.Algorithm { return slices.Clone(proofAlgs) }

var proofAlgs = []jose.Algorithm{jose.ES256, jose.EdDSA, jose.PS256}

// Proof is what a DPoP proof says, once its signature holds and it is for the request
// that brought it. Whether it was seen before is for whoever remembers. Its zero value
// is a request that brings none.
type Proof struct {
	Thumbprint string // of the key that signed it, RFC 7638
	ID         string
	Nonce      string
	IssuedAt   time.Time
}

// ProofTarget is the request that a proof has to be for.
type ProofTarget struct {
	Method string
	URLs   []string // any of which leads here
	Token  string   // the access token that comes with it; empty at the endpoints of clients
}

// ParseProof reads the DPoP headers of a request (RFC 9449, section 4.3). It is a pure
// function of them and the time. Everything that is wrong is [InvalidDPoPProof], with
// the reason for the log.
func ParseProof(headers []string, at ProofTarget, now time.Time) (Proof, error) {
	switch {
	case len(headers) == 0:
		return Proof{}, nil
	case len(headers) > 1:
		return Proof{}, badProof(errors.New("there is more than one proof"))
	case len(headers[0]) > MaxProof:
		return Proof{}, badProof(errors.New("the proof is too long"))
	}
	payload, key, err := jose.VerifyEmbedded(headers[0], proofAlgs, []string{TypeDPoP})
	if err != nil {
		return Proof{}, badProof(err)
	}
	var claims proofClaims
	if err := jose.Unmarshal(payload, &claims); err != nil {
		return Proof{}, badProof(err)
	}
	if err := claims.check(at, now); err != nil {
		return Proof{}, badProof(err)
	}
	thumbprint, err := jose.Thumbprint(key)
	if err != nil {
		return Proof{}, badProof(err)
	}
	return Proof{Thumbprint: thumbprint, ID: claims.ID, Nonce: claims.Nonce, IssuedAt: claims.IssuedAt.Time()}, nil
}

func badProof(cause error) *Error {
	return Wrap(InvalidDPoPProof, cause, "The DPoP proof is not valid for this request.")
}

// proofClaims are the claims of a proof (RFC 9449, section 4.2).
type proofClaims struct {
	ID        string           `json:"jti"`
	Method    string           `json:"htm"`
	URL       string           `json:"htu"`
	IssuedAt  jose.NumericDate `json:"iat"`
	Expiry    jose.NumericDate `json:"exp"`
	NotBefore jose.NumericDate `json:"nbf"`
	TokenHash string           `json:"ath"`
	Nonce     string           `json:"nonce"`
}

func (c proofClaims) check(at ProofTarget, now time.Time) error {
	leadsHere := func(address string) bool { return sameTarget(c.URL, address) }
	switch {
	case c.ID == "" || len(c.ID) > maxProofID:
		return errors.New("the proof has no usable jti")
	case c.Method != at.Method:
		return errors.New("the proof is for another method")
	case !slices.ContainsFunc(at.URLs, leadsHere):
		return errors.New("the proof is for another address")
	case c.IssuedAt == 0:
		return errors.New("the proof does not say when it was made")
	case c.IssuedAt.Time().Before(now.Add(-ProofAge)), c.Expiry != 0 && !now.Before(c.Expiry.Time().Add(proofSkew)):
		return errors.New("the proof is too old")
	case c.IssuedAt.Time().After(now.Add(proofSkew)), c.NotBefore.Time().After(now.Add(proofSkew)):
		return errors.New("the proof is of the future")
	case at.Token != "" && c.TokenHash != TokenHash(at.Token):
		return errors.New("the proof is for another access token")
	default:
		return nil
	}
}

// TokenHash is the "ath" of a proof that comes with an access token.
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sameTarget reports whether two addresses are of one resource, after they have been
// normalised (RFC 3986, sections 6.2.2 and 6.2.3). Query and fragment do not count
// (RFC 9449, section 4.3).
func sameTarget(claimed, ours string) bool {
	a, ok := normalTarget(claimed)
	b, known := normalTarget(ours)
	return ok && known && a == b
}

// target is an address in its normal form.
type target struct{ scheme, host, path string }

func normalTarget(address string) (target, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" || strings.Contains(strings.ToLower(u.RawPath), "%2f") {
		return target{}, false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return target{}, false
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return target{scheme, host, u.Path}, true
}
