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
	Type      string `json:"kty"`
	Use       string `json:"use,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	KeyID     string `json:"kid,omitempty"`
	Curve     string `json:"crv,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
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

// MarshalJWKS returns keys as a key set to publish. Each must have an id of its own,
// and the one algorithm that it is used with; one that others encrypt to is for every
// way of its kind, so the set names none.
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
		member.Use, member.Algorithm, member.KeyID = "sig", string(k.Alg), k.KID
		if k.Alg.Encrypts() {
			member.Use, member.Algorithm = "enc", ""
		}
		set.Keys = append(set.Keys, member)
	}
	return stdjson.Marshal(set)
}

// MarshalForeignJWKS returns keys of somebody else as the key set that they came in,
// in which a key may have neither an id nor an algorithm.
func MarshalForeignJWKS(keys []Key, encryption []EncryptionKey) ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: make([]jwk, 0, len(keys)+len(encryption))}
	add := func(use, alg, kid string, public crypto.PublicKey) error {
		member, err := publicJWK(public)
		member.Use, member.Algorithm, member.KeyID = use, alg, kid
		set.Keys = append(set.Keys, member)
		return err
	}
	for _, k := range keys {
		if err := add("sig", string(k.Alg), k.KID, k.Public); err != nil {
			return nil, err
		}
	}
	for _, k := range encryption {
		if err := add("enc", string(k.Alg), k.KID, k.Public); err != nil {
			return nil, err
		}
	}
	return stdjson.Marshal(set)
}

// ParseJWKS returns the keys of somebody's key set that verify signatures.
// Whatever else is in there is left out and does no harm: keys of unknown kinds
// or for encryption, weak and malformed ones, and any that comes with its private
// part, because then everybody can sign with it.
func ParseJWKS(data []byte) ([]Key, error) {
	var keys []Key
	err := eachJWK(data, func(raw []byte) {
		if k, err := parseJWK(raw); err == nil {
			keys = append(keys, k)
		}
	})
	return keys, err
}

// ParseEncryptionJWKS returns the keys of somebody's key set that things are encrypted
// to: those that say so. One that leaves open what it is for is for signatures alone,
// because a key should not do both. Whatever else is in there is left out.
func ParseEncryptionJWKS(data []byte) ([]EncryptionKey, error) {
	var keys []EncryptionKey
	err := eachJWK(data, func(raw []byte) {
		if k, err := parseEncryptionJWK(raw); err == nil {
			keys = append(keys, k)
		}
	})
	return keys, err
}

func eachJWK(data []byte, visit func(raw []byte)) error {
	if len(data) > MaxKeySet {
		return fmt.Errorf("jose: a key set of more than %d bytes", MaxKeySet)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := Unmarshal(data, &set); err != nil {
		return err
	}
	if set.Keys == nil {
		return errors.New("jose: not a key set")
	}
	if len(set.Keys) > MaxKeySetKeys {
		return fmt.Errorf("jose: a key set of more than %d keys", MaxKeySetKeys)
	}
	for _, raw := range set.Keys {
		visit(raw)
	}
	return nil
}

// foreignJWK is a key as somebody sends it.
type foreignJWK struct {
	jwk
	Operations []string        `json:"key_ops"`
	D          json.RawMessage `json:"d"` // private, of all kinds
	K          json.RawMessage `json:"k"` // symmetric
}

func parseJWK(raw []byte) (Key, error) {
	var k foreignJWK
	if err := json.Unmarshal(raw, &k); err != nil {
		return Key{}, err
	}
	if k.Use != "" && k.Use != "sig" || k.Operations != nil && !slices.Contains(k.Operations, "verify") {
		return Key{}, errors.New("jose: a key for something else")
	}
	public, err := k.public()
	if err != nil {
		return Key{}, err
	}
	alg := Algorithm(k.Algorithm).plain()
	if err := usable(public, alg); err != nil {
		return Key{}, err
	}
	return Key{KID: k.KeyID, Alg: alg, Public: public}, nil
}

// wrapping are the uses of a key to encrypt to (RFC 7517, section 4.3).
var wrapping = []string{"encrypt", "wrapKey", "deriveKey", "deriveBits"}

func parseEncryptionJWK(raw []byte) (EncryptionKey, error) {
	var k foreignJWK
	if err := json.Unmarshal(raw, &k); err != nil {
		return EncryptionKey{}, err
	}
	if k.Use != "enc" || k.Operations != nil && !slices.ContainsFunc(k.Operations, func(o string) bool { return slices.Contains(wrapping, o) }) {
		return EncryptionKey{}, errors.New("jose: a key for something else")
	}
	public, err := k.public()
	if err != nil {
		return EncryptionKey{}, err
	}
	alg := KeyManagement(k.Algorithm)
	if alg == "" && RSAOAEP.Fits(public) != nil && ECDHES.Fits(public) != nil {
		return EncryptionKey{}, errors.New("jose: a key that nothing can be encrypted to")
	}
	if alg != "" {
		err = alg.Fits(public)
	}
	return EncryptionKey{KID: k.KeyID, Alg: alg, Public: public}, err
}

// public returns the key itself. It is made of its public members alone: no
// certificate, and nothing that we have not looked at.
func (k foreignJWK) public() (crypto.PublicKey, error) {
	switch {
	case k.D != nil || k.K != nil:
		return nil, errors.New("jose: a key with its private part")
	case k.Type != "RSA" && k.Type != "EC" && k.Type != "OKP":
		return nil, fmt.Errorf("jose: a key of unknown kind %.20q", k.Type)
	case len(k.KeyID) > maxKeyID:
		return nil, errors.New("jose: a key with a very long id")
	}
	members, err := stdjson.Marshal(jwk{Type: k.Type, Curve: k.Curve, N: k.N, E: k.E, X: k.X, Y: k.Y})
	if err != nil {
		return nil, err
	}
	var made gojose.JSONWebKey
	if err := made.UnmarshalJSON(members); err != nil {
		return nil, err
	}
	return made.Key, nil
}

// usable says why a key verifies nothing: with its algorithm, or with any if it
// has none.
func usable(public crypto.PublicKey, alg Algorithm) error {
	if alg.Encrypts() {
		return errors.New("jose: a key for something else")
	}
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
