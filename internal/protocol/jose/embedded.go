package jose

import (
	"crypto"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4/json"
)

// privateMembers are the members of a JWK that its owner keeps (RFC 7518, sections
// 6.2.2, 6.3.2 and 6.4).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// VerifyEmbedded returns the payload of a token that brings the key it is signed with
// in its header, and that key. It is for proofs of possession (RFC 9449), in which
// the key is what is proven, and for nothing else: it says who signed, never that we
// know them.
//
// Everything else is as [Verify] has it. A key that comes with a private member is
// refused: everybody who has seen the token could sign with it.
func VerifyEmbedded(token string, algs []Algorithm, types []string) ([]byte, crypto.PublicKey, error) {
	if _, _, err := split(token); err != nil {
		return nil, nil, err
	}
	key, err := embeddedKey(token)
	if err != nil {
		return nil, nil, err
	}
	payload, _, err := Verify(token, algs, types, func(_ string, alg Algorithm) []crypto.PublicKey {
		if key.Alg != "" && key.Alg != alg {
			return nil
		}
		return []crypto.PublicKey{key.Public}
	})
	return payload, key.Public, err
}

// embeddedKey returns the key in the header of a token whose form has been checked.
func embeddedKey(token string) (Key, error) {
	segment, _, _ := strings.Cut(token, ".")
	header, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return Key{}, fmt.Errorf("jose: header: %w", err)
	}
	var h struct {
		Key json.RawMessage `json:"jwk"`
	}
	if err := Unmarshal(header, &h); err != nil {
		return Key{}, err
	}
	var members map[string]json.RawMessage
	if err := Unmarshal(h.Key, &members); err != nil {
		return Key{}, errors.New("jose: no key in the header")
	}
	for _, name := range privateMembers {
		if _, ok := members[name]; ok {
			return Key{}, errors.New("jose: a key with its private part")
		}
	}
	return parseJWK(h.Key)
}

// SignEmbedded signs a single token that brings the public part of the key it is
// signed with: what [VerifyEmbedded] reads.
func SignEmbedded(key crypto.Signer, alg Algorithm, typ string, claims any) (string, error) {
	s, err := NewSigner(key, alg, "embedded")
	if err != nil {
		return "", err
	}
	public, err := publicJWK(key.Public())
	if err != nil {
		return "", err
	}
	header, err := stdjson.Marshal(struct {
		Algorithm Algorithm `json:"alg"`
		Type      string    `json:"typ"`
		Key       jwk       `json:"jwk"`
	}{alg, typ, public})
	if err != nil {
		return "", fmt.Errorf("jose: encode header: %w", err)
	}
	s.headers[typ] = base64.RawURLEncoding.EncodeToString(header) + "."
	return s.Sign(typ, claims)
}
