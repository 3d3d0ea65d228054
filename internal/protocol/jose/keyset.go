package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// The size of a key set that is read.
const (
	MaxKeySet     = 512 << 10 // bytes
	MaxKeySetKeys = 100
)

// Key is a public key that verifies signatures. In a key set of somebody else it
// may lack an id, or be for any algorithm that it fits.
type Key struct {
	KID    string
	Alg    Algorithm
	Public crypto.PublicKey
}

// jwk holds the public members of a key (RFC 7518, section 6; RFC 8037, section
// 2). It has no room for any other, so a private one cannot slip out.
type jwk struct {
	Type      string    `json:"kty"`
	Use       string    `json:"use,omitempty"`
	Algorithm Algorithm `json:"alg,omitempty"`
	KeyID     string    `json:"kid,omitempty"`
	Curve     string    `json:"crv,omitempty"`
	N         string    `json:"n,omitempty"`
	E         string    `json:"e,omitempty"`
	X         string    `json:"x,omitempty"`
	Y         string    `json:"y,omitempty"`
}

func publicJWK(public crypto.PublicKey) (jwk, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	switch key := public.(type) {
	case *rsa.PublicKey:
		if err := checkRSA(key); err != nil {
			return jwk{}, err
		}
		return jwk{Type: "RSA", N: b64(key.N.Bytes()), E: b64(big.NewInt(int64(key.E)).Bytes())}, nil
	case *ecdsa.PublicKey:
		if key == nil || key.Curve == nil {
			return jwk{}, errors.New("jose: an elliptic key without a curve")
		}
		point, err := key.Bytes() // 4, x, y: both as long as the curve's field
		if err != nil {
			return jwk{}, fmt.Errorf("jose: %w", err)
		}
		half := len(point) / 2
		return jwk{Type: "EC", Curve: key.Params().Name, X: b64(point[1 : 1+half]), Y: b64(point[1+half:])}, nil
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return jwk{}, errors.New("jose: an Ed25519 key of the wrong size")
		}
		return jwk{Type: "OKP", Curve: "Ed25519", X: b64(key)}, nil
	default:
		return jwk{}, fmt.Errorf("jose: a %T is no public key", public)
	}
}

// MarshalJWKS returns keys as a key set to publish. Each must have an id of its
// own and the one algorithm that it is used with.
func MarshalJWKS(keys []Key) ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: make([]jwk, 0, len(keys))}
	for _, k := range keys {
		if err := k.Alg.Fits(k.Public); err != nil {
			return nil, err
		}
		if k.KID == "" || slices.ContainsFunc(set.Keys, func(other jwk) bool { return other.KeyID == k.KID }) {
			return nil, fmt.Errorf("jose: key id %q is empty or taken", k.KID)
		}
		member, err := publicJWK(k.Public)
		if err != nil {
			return nil, err
		}
		member.Use, member.Algorithm, member.KeyID = "sig", k.Alg, k.KID
		set.Keys = append(set.Keys, member)
	}
	return stdjson.Marshal(set)
}

// MarshalForeignJWKS returns keys of somebody else as the key set that they came in,
// in which a key may have neither an id nor an algorithm.
func MarshalForeignJWKS(keys []Key) ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: make([]jwk, 0, len(keys))}
	for _, k := range keys {
		member, err := publicJWK(k.Public)
		if err != nil {
			return nil, err
		}
		member.Use, member.Algorithm, member.KeyID = "sig", k.Alg, k.KID
		set.Keys = append(set.Keys, member)
	}
	return stdjson.Marshal(set)
}

// ParseJWKS returns the keys of somebody's key set that verify signatures.
// Whatever else is in there is left out and does no harm: keys of unknown kinds
// or for encryption, weak and malformed ones, and any that comes with its private
// part, because then everybody can sign with it.
func ParseJWKS(data []byte) ([]Key, error) {
	if len(data) > MaxKeySet {
		return nil, fmt.Errorf("jose: a key set of more than %d bytes", MaxKeySet)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := Unmarshal(data, &set); err != nil {
		return nil, err
	}
	if set.Keys == nil {
		return nil, errors.New("jose: not a key set")
	}
	if len(set.Keys) > MaxKeySetKeys {
		return nil, fmt.Errorf("jose: a key set of more than %d keys", MaxKeySetKeys)
	}
	var keys []Key
	for _, raw := range set.Keys {
		if k, err := parseJWK(raw); err == nil {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func parseJWK(raw []byte) (Key, error) {
	var k struct {
		jwk
		Operations []string        `json:"key_ops"`
		D          json.RawMessage `json:"d"` // private, of all kinds
		K          json.RawMessage `json:"k"` // symmetric
	}
	if err := json.Unmarshal(raw, &k); err != nil {
		return Key{}, err
	}
	switch {
	case k.D != nil || k.K != nil:
		return Key{}, errors.New("jose: a key with its private part")
	case k.Use != "" && k.Use != "sig", k.Operations != nil && !slices.Contains(k.Operations, "verify"):
		return Key{}, errors.New("jose: a key for something else")
	case k.Type != "RSA" && k.Type != "EC" && k.Type != "OKP":
		return Key{}, fmt.Errorf("jose: a key of unknown kind %.20q", k.Type)
	case len(k.KeyID) > maxKeyID:
		return Key{}, errors.New("jose: a key with a very long id")
	}
	// The key is made of its public members alone: no certificate, and nothing
	// that we have not looked at.
	members, err := stdjson.Marshal(jwk{Type: k.Type, Curve: k.Curve, N: k.N, E: k.E, X: k.X, Y: k.Y})
	if err != nil {
		return Key{}, err
	}
	var made gojose.JSONWebKey
	if err := made.UnmarshalJSON(members); err != nil {
		return Key{}, err
	}
	if err := usable(made.Key, k.Algorithm.plain()); err != nil {
		return Key{}, err
	}
	return Key{KID: k.KeyID, Alg: k.Algorithm.plain(), Public: made.Key}, nil
}

// usable says why a key verifies nothing: with its algorithm, or with any if it
// has none.
func usable(public crypto.PublicKey, alg Algorithm) error {
	if alg != "" {
		return alg.Fits(public)
	}
	for a := range rules {
		if a.Fits(public) == nil {
			return nil
		}
	}
	return errors.New("jose: a key that fits no algorithm")
}

// Thumbprint returns the SHA-256 thumbprint of a key (RFC 7638), which makes a
// good key id: the same key has the same one, wherever it is met.
func Thumbprint(public crypto.PublicKey) (string, error) {
	k, err := publicJWK(public)
	if err != nil {
		return "", err
	}
	// The required members, in the order of their names.
	var text string
	switch k.Type {
	case "RSA":
		text = fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, k.E, k.N)
	case "EC":
		text = fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`, k.Curve, k.X, k.Y)
	default:
		text = fmt.Sprintf(`{"crv":"%s","kty":"OKP","x":"%s"}`, k.Curve, k.X)
	}
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}
