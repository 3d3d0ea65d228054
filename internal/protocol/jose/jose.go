// Package jose writes and reads signed tokens and sets of keys (RFC 7515, 7517,
// 7519), in the few forms that OpenID Connect needs of them.
//
// What it accepts is narrow on purpose: compact serialisation, one signature, an
// algorithm out of the caller's list, a key out of the caller's hands. Nothing
// that a token says of its own key is ever believed, and no token is read that
// could have been written in a second way.
package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // SHA-384 and SHA-512, for crypto.Hash
	"encoding/base64"
	"fmt"
	"math"
)

// Algorithm is a signature algorithm, by its name in the "alg" header
// (RFC 7518, section 3.1; RFC 8037, section 3.1).
type Algorithm string

// The algorithms. We verify all of them, and sign with RS256, PS256, ES256 and EdDSA.
// There is no "none" and nothing symmetric among them, so neither can be asked
// for by mistake.
const (
	RS256 Algorithm = "RS256"
	RS384 Algorithm = "RS384"
	RS512 Algorithm = "RS512"
	PS256 Algorithm = "PS256"
	PS384 Algorithm = "PS384"
	PS512 Algorithm = "PS512"
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	ES512 Algorithm = "ES512"
	EdDSA Algorithm = "EdDSA"
)

// rule is what an algorithm demands.
type rule struct {
	hash  crypto.Hash    // of the signature, and of at_hash and c_hash
	curve elliptic.Curve // for ECDSA
	rsa   bool
	signs bool // we sign with it, too
}

var rules = map[Algorithm]rule{
	RS256: {hash: crypto.SHA256, rsa: true, signs: true},
	RS384: {hash: crypto.SHA384, rsa: true},
	RS512: {hash: crypto.SHA512, rsa: true},
	PS256: {hash: crypto.SHA256, rsa: true, signs: true},
	PS384: {hash: crypto.SHA384, rsa: true},
	PS512: {hash: crypto.SHA512, rsa: true},
	ES256: {hash: crypto.SHA256, curve: elliptic.P256(), signs: true},
	ES384: {hash: crypto.SHA384, curve: elliptic.P384()},
	ES512: {hash: crypto.SHA512, curve: elliptic.P521()},
	EdDSA: {hash: crypto.SHA512, signs: true},
}

// plain returns the name under which we know an algorithm. RFC 9864 calls EdDSA
// with the one curve that we know by the curve's name.
func (a Algorithm) plain() Algorithm {
	if a == "Ed25519" {
		return EdDSA
	}
	return a
}

// Known reports whether we can verify the algorithm.
func (a Algorithm) Known() bool {
	_, ok := rules[a]
	return ok
}

// Signs reports whether we can sign with the algorithm.
func (a Algorithm) Signs() bool { return rules[a].signs }

// The sizes of RSA keys that we accept, in bits: below is weak (RFC 7518,
// section 3.3), above only costs time.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// Fits says why a key cannot be used with the algorithm, or returns nil.
func (a Algorithm) Fits(public crypto.PublicKey) error {
	if a.Encrypts() {
		return KeyManagement(a).Fits(public)
	}
	r, ok := rules[a]
	if !ok {
		return fmt.Errorf("jose: unknown algorithm %q", string(a))
	}
	switch key := public.(type) {
	case *rsa.PublicKey:
		if !r.rsa {
			return fmt.Errorf("jose: %s does not sign with an RSA key", a)
		}
		return checkRSA(key)
	case *ecdsa.PublicKey:
		if r.curve == nil || key == nil || key.Curve != r.curve {
			return fmt.Errorf("jose: %s does not sign with this kind of elliptic key", a)
		}
	case ed25519.PublicKey:
		if a != EdDSA || len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("jose: %s does not sign with an Ed25519 key", a)
		}
	default:
		return fmt.Errorf("jose: %s does not sign with a %T", a, public)
	}
	return nil
}

func checkRSA(key *rsa.PublicKey) error {
	if key == nil || key.N == nil {
		return fmt.Errorf("jose: an RSA key without a modulus")
	}
	if n := key.N.BitLen(); n < minRSABits || n > maxRSABits {
		return fmt.Errorf("jose: an RSA key of %d bits; from %d to %d are good", n, minRSABits, maxRSABits)
	}
	if key.E < 3 || key.E%2 == 0 || key.E > math.MaxInt32 {
		return fmt.Errorf("jose: an RSA key with the exponent %d", key.E)
	}
	if key.N.Bit(0) == 0 {
		return fmt.Errorf("jose: an RSA key with an even modulus")
	}
	return nil
}

// GenerateKey makes a new key for an algorithm that we sign with, or that others
// encrypt to us with.
func GenerateKey(alg Algorithm) (crypto.Signer, error) {
	switch alg {
	case RS256, PS256, EncryptRSA:
		return rsa.GenerateKey(rand.Reader, minRSABits)
	case ES256, EncryptEC:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	default:
		return nil, fmt.Errorf("jose: we do not sign with %q", string(alg))
	}
}

// HalfHash returns the left half of a value's hash, in base64url: the at_hash
// and c_hash of an ID token that is signed with alg (OpenID Connect Core,
// sections 3.1.3.6 and 3.3.2.11). For EdDSA with Ed25519 the hash is SHA-512.
// It is empty for an algorithm that we do not know.
func HalfHash(alg Algorithm, value string) string {
	r, ok := rules[alg]
	if !ok {
		return ""
	}
	if r.hash == crypto.SHA256 {
		sum := sha256.Sum256([]byte(value))
		return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	}
	h := r.hash.New()
	h.Write([]byte(value))
	sum := h.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
