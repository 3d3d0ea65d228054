package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// KeyManagement is how the key of something encrypted reaches its recipient, by its
// name in the "alg" header of it (RFC 7518, section 4.1).
type KeyManagement string

// The ways that we know. RSA1_5 is not among them, because whoever can ask whether
// something was decrypted can decrypt it (RFC 8725, section 3.2), and nothing is
// symmetric.
const (
	RSAOAEP      KeyManagement = "RSA-OAEP"
	RSAOAEP256   KeyManagement = "RSA-OAEP-256"
	ECDHES       KeyManagement = "ECDH-ES"
	ECDHESA128KW KeyManagement = "ECDH-ES+A128KW"
	ECDHESA256KW KeyManagement = "ECDH-ES+A256KW"
)

// ContentEncryption is what something is encrypted with, by its name in the "enc"
// header (RFC 7518, section 5.1).
type ContentEncryption string

// The ciphers that we know. All of them authenticate what they encrypt.
const (
	A128CBCHS256 ContentEncryption = "A128CBC-HS256"
	A256CBCHS512 ContentEncryption = "A256CBC-HS512"
	A128GCM      ContentEncryption = "A128GCM"
	A256GCM      ContentEncryption = "A256GCM"
)

var (
	managements = []KeyManagement{RSAOAEP, RSAOAEP256, ECDHES, ECDHESA128KW, ECDHESA256KW}
	encryptions = []ContentEncryption{A128CBCHS256, A256CBCHS512, A128GCM, A256GCM}
)

// KeyManagements returns the ways that we know.
func KeyManagements() []KeyManagement { return slices.Clone(managements) }

// ContentEncryptions returns the ciphers that we know.
func ContentEncryptions() []ContentEncryption { return slices.Clone(encryptions) }

// Known reports whether we know the way.
func (m KeyManagement) Known() bool { return slices.Contains(managements, m) }

// Known reports whether we know the cipher.
func (e ContentEncryption) Known() bool { return slices.Contains(encryptions, e) }

// rsa reports whether the way is one of RSA keys.
func (m KeyManagement) rsa() bool { return strings.HasPrefix(string(m), "RSA-") }

// Fits says why nothing can be encrypted to a key in this way, or returns nil.
func (m KeyManagement) Fits(public crypto.PublicKey) error {
	if !m.Known() {
		return fmt.Errorf("jose: unknown key management %.20q", string(m))
	}
	switch key := public.(type) {
	case *rsa.PublicKey:
		if !m.rsa() {
			return fmt.Errorf("jose: %s does not encrypt to an RSA key", m)
		}
		return checkRSA(key)
	case *ecdsa.PublicKey:
		if m.rsa() || key == nil || key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return fmt.Errorf("jose: %s does not encrypt to this kind of elliptic key", m)
		}
		return nil
	default:
		return fmt.Errorf("jose: %s does not encrypt to a %T", m, public)
	}
}

// EncryptRSA and EncryptEC are the kinds of our own keys that others encrypt to. They
// stand among the algorithms of our keys, each for every [KeyManagement] of its kind
// of key, and neither signs or verifies anything.
const (
	EncryptRSA Algorithm = "RSA-OAEP"
	EncryptEC  Algorithm = "ECDH-ES"
)

// Encrypts reports whether keys of the algorithm are for others to encrypt to.
func (a Algorithm) Encrypts() bool { return a == EncryptRSA || a == EncryptEC }

// Managements returns the ways in which others can encrypt to keys of our own of some
// algorithms, in the order of their names.
func Managements(algs []Algorithm) []KeyManagement {
	var of []KeyManagement
	for _, m := range managements {
		if m.rsa() && slices.Contains(algs, EncryptRSA) || !m.rsa() && slices.Contains(algs, EncryptEC) {
			of = append(of, m)
		}
	}
	return of
}

// EncryptionKey is a public key of somebody that things are encrypted to. It may lack
// an id, or be for any way of key management that it fits.
type EncryptionKey struct {
	KID    string
	Alg    KeyManagement
	Public crypto.PublicKey
}

// EncryptTo returns the key of somebody to encrypt to in a way: the first that is good
// for it, because whoever changes keys puts the new one in front.
func EncryptTo(keys []EncryptionKey, m KeyManagement) (EncryptionKey, error) {
	for _, k := range keys {
		if (k.Alg == "" || k.Alg == m) && m.Fits(k.Public) == nil {
			return EncryptionKey{KID: k.KID, Alg: m, Public: k.Public}, nil
		}
	}
	return EncryptionKey{}, fmt.Errorf("jose: no key to encrypt to with %s", m)
}

// MaxEncrypted is the largest encrypted token that is looked at, in bytes: a token of
// [MaxToken] in base64url, and a header.
const MaxEncrypted = 24 << 10

// Encrypt returns something encrypted in compact serialisation (RFC 7516, section
// 7.1). What is signed, as most is, has the content type "JWT".
func Encrypt(content []byte, contentType string, to EncryptionKey, enc ContentEncryption) (string, error) {
	if err := to.Alg.Fits(to.Public); err != nil {
		return "", err
	}
	if !enc.Known() {
		return "", fmt.Errorf("jose: unknown content encryption %.20q", string(enc))
	}
	options := &gojose.EncrypterOptions{}
	if contentType != "" {
		options = options.WithContentType(gojose.ContentType(contentType))
	}
	recipient := gojose.Recipient{Algorithm: gojose.KeyAlgorithm(to.Alg), Key: to.Public, KeyID: to.KID}
	encrypter, err := gojose.NewEncrypter(gojose.ContentEncryption(enc), recipient, options)
	if err != nil {
		return "", fmt.Errorf("jose: encrypt: %w", err)
	}
	encrypted, err := encrypter.Encrypt(content)
	if err != nil {
		return "", fmt.Errorf("jose: encrypt: %w", err)
	}
	return encrypted.CompactSerialize()
}

// Encrypted reports whether a token has the form of one that is encrypted: five parts.
func Encrypted(token string) bool { return strings.Count(token, ".") == 4 }

// EncryptedHeader is what an encrypted token says of itself. After [Decrypt] nobody
// else has written it, though anybody may have: it was encrypted to a public key.
type EncryptedHeader struct {
	Alg         KeyManagement
	Enc         ContentEncryption
	KeyID       string
	ContentType string
}

// ErrDecrypt says that none of the keys decrypts a token. It never says why, because
// whoever sends many would learn from that.
var ErrDecrypt = errors.New("jose: it was not encrypted to a key of ours")

// Decrypt returns what is encrypted in a token in compact serialisation.
//
// How its key is encrypted must be in algs, and what it is encrypted with in encs. The
// private keys are those that find knows for the key id, which is empty if the token
// names none; one that does not fit is passed over. Keys within the header, "crit" and
// compression are refused: a few bytes of it could be much to read.
//
// That something was decrypted says nothing about who wrote it.
func Decrypt(token string, algs []KeyManagement, encs []ContentEncryption, find func(kid string, alg KeyManagement) []crypto.PrivateKey) ([]byte, EncryptedHeader, error) {
	h, err := splitEncrypted(token)
	if err != nil {
		return nil, EncryptedHeader{}, err
	}
	if !slices.Contains(algs, h.Alg) || !h.Alg.Known() {
		return nil, EncryptedHeader{}, fmt.Errorf("jose: key management %.20q is not accepted here", string(h.Alg))
	}
	if !slices.Contains(encs, h.Enc) || !h.Enc.Known() {
		return nil, EncryptedHeader{}, fmt.Errorf("jose: content encryption %.20q is not accepted here", string(h.Enc))
	}
	parsed, err := gojose.ParseEncryptedCompact(token, []gojose.KeyAlgorithm{gojose.KeyAlgorithm(h.Alg)},
		[]gojose.ContentEncryption{gojose.ContentEncryption(h.Enc)})
	if err != nil {
		return nil, EncryptedHeader{}, fmt.Errorf("jose: %w", err)
	}
	tried := 0
	for _, private := range find(h.KeyID, h.Alg) {
		if !decrypts(h.Alg, private) {
			continue
		}
		if tried++; tried > maxTries {
			break
		}
		if content, err := parsed.Decrypt(private); err == nil {
			return content, h, nil
		}
	}
	return nil, EncryptedHeader{}, ErrDecrypt
}

// decrypts reports whether a private key is one to decrypt with.
func decrypts(m KeyManagement, private crypto.PrivateKey) bool {
	switch key := private.(type) {
	case *rsa.PrivateKey:
		return key != nil && m.Fits(&key.PublicKey) == nil
	case *ecdsa.PrivateKey:
		return key != nil && m.Fits(&key.PublicKey) == nil
	default:
		return false
	}
}

// splitEncrypted checks the form of an encrypted token and reads its header.
func splitEncrypted(token string) (EncryptedHeader, error) {
	malformed := errors.New("jose: not an encrypted token in compact serialisation")
	if len(token) > MaxEncrypted {
		return EncryptedHeader{}, fmt.Errorf("jose: an encrypted token of more than %d bytes", MaxEncrypted)
	}
	if !Encrypted(token) {
		return EncryptedHeader{}, malformed
	}
	parts := strings.Split(token, ".")
	for i, part := range parts {
		if part == "" && i != 1 || !canonical(part) {
			return EncryptedHeader{}, malformed
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || legible(raw) != nil {
		return EncryptedHeader{}, malformed
	}
	var h struct {
		Alg         KeyManagement     `json:"alg"`
		Enc         ContentEncryption `json:"enc"`
		KeyID       string            `json:"kid"`
		ContentType string            `json:"cty"`
		Critical    json.RawMessage   `json:"crit"`
		Zip         json.RawMessage   `json:"zip"`
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return EncryptedHeader{}, fmt.Errorf("jose: header: %w", err)
	}
	if h.Critical != nil || h.Zip != nil {
		return EncryptedHeader{}, errors.New("jose: a header that changes how the token is read")
	}
	if len(h.KeyID) > maxKeyID {
		return EncryptedHeader{}, fmt.Errorf("jose: a key id of more than %d bytes", maxKeyID)
	}
	// Where a key is agreed on, none is sent; and nothing else may stand there, which
	// nobody would look at.
	if (h.Alg == ECDHES) != (parts[1] == "") {
		return EncryptedHeader{}, malformed
	}
	return EncryptedHeader{Alg: h.Alg, Enc: h.Enc, KeyID: h.KeyID, ContentType: h.ContentType}, nil
}
