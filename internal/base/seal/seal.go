// Package seal is authenticated encryption under the operator's key secrets, for
// what we keep in places that others can read or write: a browser's cookie, a
// backup of the database.
//
// A [Ring] holds the secrets; the first seals, all open, so that one can follow
// another without anything being lost. A [Box] seals for one purpose, and each
// message is bound to where it belongs, such as a table, column and row. What
// was sealed for one purpose and place opens at no other.
//
// # Format
//
//	version   1 byte, 1
//	secret    4 bytes, the id of the key secret
//	salt     24 bytes, random
//	rest      the ciphertext and the 16 bytes of its tag
//
// The key of a purpose is HKDF-SHA-256 (RFC 5869) of the key secret. From it and
// the salt HMAC-SHA-256 makes the key of the one message, which is sealed by
// AES-256-GCM. Why not simply GCM under the purpose's key: its nonces have 96
// bits, and drawn at random they may be used for no more than 2³² messages under
// one key (NIST SP 800-38D, section 8.3). A busy server seals as many cookies in
// a year, and a nonce that comes twice gives the key away. With a salt of 192
// bits there is nothing to count; and as each key serves for one message, the
// nonce may be constant.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

const (
	version    = 1
	saltSize   = 24
	headerSize = 1 + idSize + saltSize
	tagSize    = 16

	// Overhead is by how many bytes a sealed message is longer than the plain one.
	Overhead = headerSize + tagSize
)

// ErrTampered says that a message was not sealed by us, or not for this purpose
// and place, or was changed since.
var ErrTampered = errors.New("seal: the message is not authentic")

// MissingKeyError says that a message was sealed under a key secret that the
// ring does not hold. For one that we keep ourselves this means that the
// operator removed a secret too early; one that a browser brings may be invented.
type MissingKeyError struct {
	ID string
}

// Error implements error.
func (e *MissingKeyError) Error() string {
	return fmt.Sprintf("seal: sealed under the key secret %s, which is not among the configured ones", e.ID)
}

// Ring holds the operator's key secrets.
type Ring struct {
	secrets []Secret
}

// NewRing returns a ring of at least one secret. The first seals, all open.
func NewRing(secrets ...Secret) (*Ring, error) {
	if len(secrets) == 0 {
		return nil, errors.New("seal: there is no key secret")
	}
	seen := map[[idSize]byte]bool{}
	for i, s := range secrets {
		switch {
		case s.key == [keySize]byte{}:
			return nil, fmt.Errorf("seal: key secret %d is empty", i+1)
		case seen[s.id]:
			return nil, fmt.Errorf("seal: the key secret %s is given twice", s.ID())
		}
		seen[s.id] = true
	}
	return &Ring{secrets: append([]Secret(nil), secrets...)}, nil
}

// IDs returns the names of the secrets, the sealing one first.
func (r *Ring) IDs() []string {
	ids := make([]string, 0, len(r.secrets))
	for _, s := range r.secrets {
		ids = append(ids, s.ID())
	}
	return ids
}

// purposeKey is what a key secret is for one purpose.
type purposeKey struct {
	id  [idSize]byte
	key []byte
}

func (r *Ring) keys(use, purpose string) []purposeKey {
	keys := make([]purposeKey, 0, len(r.secrets))
	for _, s := range r.secrets {
		key, err := hkdf.Key(sha256.New, s.key[:], nil, "dex "+use+"\x00"+purpose, keySize)
		if err != nil {
			panic("seal: " + err.Error()) // it can only be asked for too many bytes
		}
		keys = append(keys, purposeKey{id: s.id, key: key})
	}
	return keys
}

// Box returns the box of a purpose. Make it once and keep it.
func (r *Ring) Box(purpose string) *Box { return &Box{keys: r.keys("seal", purpose)} }

// BoxOf returns the box of a purpose under a key of 32 random bytes that is kept
// elsewhere, such as a tenant's own.
func BoxOf(key []byte, purpose string) *Box {
	return (&Ring{secrets: []Secret{newSecret([keySize]byte(key))}}).Box(purpose)
}

// Box seals and opens messages of one purpose. Many may use it at once.
type Box struct {
	keys []purposeKey // the first seals
}

// Seal returns the plaintext sealed and bound to the place that binding names.
func (b *Box) Seal(plaintext []byte, binding ...string) []byte {
	first := b.keys[0]
	sealed := make([]byte, headerSize, headerSize+len(plaintext)+tagSize)
	sealed[0] = version
	copy(sealed[1:], first.id[:])
	_, _ = rand.Read(sealed[1+idSize:]) // it never fails: the program would be ended instead
	//nolint:gosec // A constant nonce serves: no two messages have the same key.
	return first.aead(sealed).Seal(sealed, nonce[:], plaintext, additional(sealed, binding))
}

// Open returns what was sealed, if it was sealed by [Box.Seal] of the same
// purpose and binding. The error is [ErrTampered] or a [*MissingKeyError].
func (b *Box) Open(sealed []byte, binding ...string) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != version {
		return nil, ErrTampered
	}
	key, ok := b.find([idSize]byte(sealed[1:]))
	if !ok {
		return nil, &MissingKeyError{ID: hex.EncodeToString(sealed[1 : 1+idSize])}
	}
	header := sealed[:headerSize:headerSize]
	plaintext, err := key.aead(header).Open(nil, nonce[:], sealed[headerSize:], additional(header, binding))
	if err != nil {
		return nil, ErrTampered
	}
	return plaintext, nil
}

// Stale reports whether a message should be sealed anew, because it was not
// sealed under the first secret.
func (b *Box) Stale(sealed []byte) bool {
	return len(sealed) < Overhead || sealed[0] != version || [idSize]byte(sealed[1:]) != b.keys[0].id
}

func (b *Box) find(id [idSize]byte) (purposeKey, bool) {
	for _, k := range b.keys {
		if k.id == id {
			return k, true
		}
	}
	return purposeKey{}, false
}

// SealText is Seal for places that hold text: base64url without padding.
func (b *Box) SealText(plaintext []byte, binding ...string) string {
	return base64.RawURLEncoding.EncodeToString(b.Seal(plaintext, binding...))
}

// OpenText opens what [Box.SealText] returned. The text has exactly one
// spelling: each of its characters counts.
func (b *Box) OpenText(sealed string, binding ...string) ([]byte, error) {
	raw, err := decode(base64.RawURLEncoding, sealed)
	if err != nil {
		return nil, ErrTampered
	}
	return b.Open(raw, binding...)
}

// nonce is constant because each message has a key of its own.
var nonce [12]byte

// aead returns the cipher of the one message that the header begins.
func (k purposeKey) aead(header []byte) cipher.AEAD {
	mac := hmac.New(sha256.New, k.key)
	mac.Write(header[1+idSize : headerSize])
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic("seal: " + err.Error()) // it can only be given a key of a wrong length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("seal: " + err.Error()) // AES is what it is made for
	}
	return aead
}

// additional returns what is authenticated beside the message: its header and
// its place. The header has one length and each part follows its own, so no two
// places read the same.
func additional(header []byte, binding []string) []byte {
	out := make([]byte, 0, 256)
	out = append(out, header[:headerSize]...)
	for _, part := range binding {
		out = appendPart(out, part)
	}
	return out
}

func appendPart(to []byte, part string) []byte {
	to = binary.BigEndian.AppendUint64(to, uint64(len(part)))
	return append(to, part...)
}
