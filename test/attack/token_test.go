package attack

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"testing"

	"dex/internal/protocol/jose"
)

// object is a JSON object in the making.
type object = map[string]any

// token is a signed token in the making. Package jose would not make most of what is
// made here, so this is written from the standard once more.
type token struct {
	head, body object
	key        key
	stranger   key // of the same kind, whom nobody knows
}

// key signs: a private key with its algorithm, or a secret of HS256.
type key struct {
	kid     string
	alg     jose.Algorithm
	private crypto.Signer
	secret  []byte
}

// The algorithm of those who sign with a secret.
const hs256 jose.Algorithm = jose.HS256

func (k key) kind() string {
	switch k.private.(type) {
	case *ecdsa.PrivateKey:
		return "EC"
	case *rsa.PrivateKey:
		return "RSA"
	case ed25519.PrivateKey:
		return "OKP"
	default:
		return "oct"
	}
}

// sign signs in a signature algorithm, which need not be the key's own.
func (k key) sign(alg jose.Algorithm, input string) []byte {
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[string(alg[2:])]
	switch private := k.private.(type) {
	case *ecdsa.PrivateKey:
		h := hash.New()
		h.Write([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, private, h.Sum(nil))
		if err != nil {
			panic(err)
		}
		size := (private.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case *rsa.PrivateKey:
		h := hash.New()
		h.Write([]byte(input))
		var options crypto.SignerOpts = hash
		if alg[0] == 'P' {
			options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
		}
		signature, err := private.Sign(rand.Reader, h.Sum(nil), options)
		if err != nil {
			panic(err)
		}
		return signature
	case ed25519.PrivateKey:
		return ed25519.Sign(private, []byte(input))
	default:
		return mac(k.secret, input)
	}
}

func mac(secret []byte, input string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(input))
	return h.Sum(nil)
}

// b64 is how the parts of a token are written.
func b64[T string | []byte](s T) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// clone returns the token to be changed.
func (t token) clone() token {
	t.head, t.body = maps.Clone(t.head), maps.Clone(t.body)
	return t
}

// input returns what is signed of the token.
func (t token) input() string { return b64(text(t.head)) + "." + b64(text(t.body)) }

// sealed returns an input with the signature of the token's key.
func (t token) sealed(input string) string { return input + "." + b64(t.key.sign(t.key.alg, input)) }

// signed returns the token as its sender signs it.
func (t token) signed() string { return t.sealed(t.input()) }

// forged returns the token as a stranger signs it.
func (t token) forged() string {
	input := t.input()
	return input + "." + b64(t.stranger.sign(t.stranger.alg, input))
}

// bears returns the token with a signature.
func (t token) bears(signature []byte) string { return t.input() + "." + b64(signature) }

// newKey makes a key.
func newKey(t testing.TB, alg jose.Algorithm, kid string) key {
	t.Helper()
	private, err := jose.GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	return key{kid: kid, alg: alg, private: private}
}

// public returns the public half of a key as a JWK.
func (k key) public() object { return publicJWK(k.private.Public(), k.kid) }

func publicJWK(public crypto.PublicKey, kid string) object {
	var jwk object
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic(err)
		}
		half := len(point) / 2
		jwk = object{"kty": "EC", "crv": public.Params().Name, "x": b64(point[1 : 1+half]), "y": b64(point[1+half:])}
	case *rsa.PublicKey:
		jwk = object{"kty": "RSA", "n": b64(public.N.Bytes()), "e": b64(big.NewInt(int64(public.E)).Bytes())}
	case ed25519.PublicKey:
		jwk = object{"kty": "OKP", "crv": "Ed25519", "x": b64([]byte(public))}
	}
	if kid != "" {
		jwk["kid"] = kid
	}
	return jwk
}

// set is a key set.
func set(keys ...object) object { return object{"keys": keys} }
