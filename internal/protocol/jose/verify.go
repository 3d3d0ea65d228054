package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4/json"
)

// MaxToken is the largest token that is looked at, in bytes.
const MaxToken = 16 << 10

const (
	maxKeyID = 512 // bytes of a "kid" header
	maxTries = 16  // keys that are tried on one token
)

var (
	// ErrUnknownKey says that nobody knows a key for the token. It may have been
	// signed with one that is newer than our copy of the key set.
	ErrUnknownKey = errors.New("jose: no key for this token")
	// ErrSignature says that there are keys, and none of them signed the token.
	ErrSignature = errors.New("jose: the signature does not hold")
)

// Header is what a token says of itself. After [Verify] it is as true as the
// token's signature.
type Header struct {
	Algorithm Algorithm
	KeyID     string
	Type      string
}

// Verify returns the payload of a token in compact serialisation whose signature
// holds.
//
// The algorithm must be in algs, and the "typ" header in types, where an empty
// entry lets it be absent. The keys are those that find knows for the key id,
// which is empty if the token names none; a key that does not fit the algorithm
// is passed over. Keys within the header (jwk, jku, x5c, x5u) are never used.
// A token with a "crit", "b64" or "zip" header is refused, and so is one that is
// not encoded in exactly the way that we would have encoded it: each character of
// a token counts.
//
// Verify says nothing about what the payload claims.
func Verify(token string, algs []Algorithm, types []string, find func(kid string, alg Algorithm) []crypto.PublicKey) ([]byte, Header, error) {
	h, payload, err := split(token)
	if err != nil {
		return nil, Header{}, err
	}
	if !slices.Contains(algs, h.Algorithm) || !h.Algorithm.Known() {
		return nil, Header{}, fmt.Errorf("jose: algorithm %.20q is not accepted here", string(h.Algorithm))
	}
	if !slices.ContainsFunc(types, func(t string) bool { return sameType(t, h.Type) }) {
		return nil, Header{}, fmt.Errorf("jose: a token of type %.40q is not accepted here", h.Type)
	}
	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		return nil, Header{}, fmt.Errorf("jose: signature: %w", err)
	}
	digest := h.Algorithm.digest(token[:dot])
	tried := 0
	for _, key := range find(h.KeyID, h.Algorithm) {
		if h.Algorithm.Fits(key) != nil {
			continue
		}
		if tried++; tried > maxTries {
			break
		}
		if h.Algorithm.holds(key, digest, signature) {
			raw, err := base64.RawURLEncoding.DecodeString(payload)
			return raw, h, err
		}
	}
	if tried == 0 {
		return nil, Header{}, ErrUnknownKey
	}
	return nil, Header{}, ErrSignature
}

// digest returns what is signed: the hash of the input, or the input itself where
// the algorithm hashes by itself.
func (a Algorithm) digest(input string) []byte {
	if a == EdDSA {
		return []byte(input)
	}
	h := rules[a].hash.New()
	_, _ = io.WriteString(h, input) // a hash takes everything
	return h.Sum(nil)
}

// holds reports whether the signature of the digest is the key's, which fits the
// algorithm (RFC 7518, sections 3.3 to 3.5; RFC 8037, section 3.1).
func (a Algorithm) holds(key crypto.PublicKey, digest, signature []byte) bool {
	r := rules[a]
	switch key := key.(type) {
	case *rsa.PublicKey:
		if strings.HasPrefix(string(a), "PS") {
			return rsa.VerifyPSS(key, r.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(key, r.hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		// The two numbers stand side by side, each as long as the curve's order.
		size := (r.curve.Params().BitSize + 7) / 8
		if len(signature) != 2*size {
			return false
		}
		return ecdsa.Verify(key, digest, new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:]))
	case ed25519.PublicKey:
		return ed25519.Verify(key, digest, signature)
	default:
		return false
	}
}

// UnverifiedClaims returns what a token claims, without a look at its signature.
// It serves to find out whose keys to verify the token with, and nothing else.
func UnverifiedClaims(token string) (Claims, error) {
	var c Claims
	err := Unverified(token, &c)
	return c, err
}

// Unverified reads what a token claims, without a look at its signature. It serves to
// find what the token is to be verified with, and nothing else.
func Unverified(token string, claims any) error {
	_, payload, err := split(token)
	if err != nil {
		return err
	}
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return fmt.Errorf("jose: payload: %w", err)
	}
	return Unmarshal(raw, claims)
}

// split checks the form of a token and reads its header.
func split(token string) (h Header, payload string, err error) {
	if len(token) > MaxToken {
		return Header{}, "", fmt.Errorf("jose: a token of more than %d bytes", MaxToken)
	}
	header, rest, ok := strings.Cut(token, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 {
		return Header{}, "", errors.New("jose: not a token in compact serialisation")
	}
	// A fourth part has a dot in what we took for the signature, which is then
	// not canonical either.
	for _, segment := range []string{header, payload, signature} {
		if segment == "" || !canonical(segment) {
			return Header{}, "", errors.New("jose: not a token in compact serialisation")
		}
	}
	h, err = readHeader(header)
	return h, payload, err
}

func readHeader(segment string) (Header, error) {
	raw, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return Header{}, fmt.Errorf("jose: header: %w", err)
	}
	if err := legible(raw); err != nil {
		return Header{}, err
	}
	// This decoder takes no member twice, and none in other letters than ours.
	var h struct {
		Algorithm Algorithm       `json:"alg"`
		KeyID     string          `json:"kid"`
		Type      string          `json:"typ"`
		Critical  json.RawMessage `json:"crit"`
		Base64    json.RawMessage `json:"b64"`
		Zip       json.RawMessage `json:"zip"`
		Encrypted json.RawMessage `json:"enc"`
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return Header{}, fmt.Errorf("jose: header: %w", err)
	}
	if h.Critical != nil || h.Base64 != nil || h.Zip != nil || h.Encrypted != nil {
		return Header{}, errors.New("jose: a header that changes how the token is read")
	}
	if len(h.KeyID) > maxKeyID {
		return Header{}, fmt.Errorf("jose: a key id of more than %d bytes", maxKeyID)
	}
	return Header{Algorithm: h.Algorithm.plain(), KeyID: h.KeyID, Type: h.Type}, nil
}

// sameType compares media types as RFC 7515, section 4.1.9, has them: in any
// case, and with "application/" left out or not.
func sameType(a, b string) bool {
	return strings.EqualFold(shortType(a), shortType(b))
}

func shortType(t string) string {
	const prefix = "application/"
	if len(t) > len(prefix) && strings.EqualFold(t[:len(prefix)], prefix) {
		return t[len(prefix):]
	}
	return t
}

// canonical reports whether s is unpadded base64url as an encoder writes it.
// A decoder is more generous: it skips line breaks, and ignores the bits of the
// last character that encode nothing. Either would give one token many spellings.
func canonical(s string) bool {
	for i := range len(s) {
		if sextets[s[i]] == none {
			return false
		}
	}
	switch len(s) % 4 {
	case 0:
		return true
	case 2:
		return sextets[s[len(s)-1]]&0b1111 == 0
	case 3:
		return sextets[s[len(s)-1]]&0b11 == 0
	default:
		return false
	}
}

// none marks in sextets what is no character of base64url.
const none = 0xff

// sextets maps the characters of base64url to the six bits that they stand for.
var sextets = func() (t [256]byte) {
	for i := range t {
		t[i] = none
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		t[c] = byte(i)
	}
	return t
}()

// OfType reports whether a token says that it is of a type: it serves to tell what to
// verify it as, and says nothing of who signed it.
func OfType(token, typ string) bool {
	h, _, err := split(token)
	return err == nil && sameType(h.Type, typ)
}

// NamedKey returns the id of the key that a token names, or nothing: it serves to find
// keys, and says nothing of who signed the token.
func NamedKey(token string) string {
	h, _, err := split(token)
	if err != nil {
		return ""
	}
	return h.KeyID
}
