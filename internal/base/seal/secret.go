package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const (
	keySize = 32
	idSize  = 4 // of the sum over the key, 8 hex digits when written
)

// Secret is one of the operator's key secrets: 256 random bits that are kept
// outside the database. Printed, logged or encoded it shows nothing of itself.
type Secret struct {
	id  [idSize]byte
	key [keySize]byte
}

// NewSecret returns a fresh secret.
func NewSecret() Secret {
	var key [keySize]byte
	_, _ = rand.Read(key[:]) // it never fails: the program would be ended instead
	return newSecret(key)
}

// errSecret says what a secret has to be, and nothing of what was given.
var errSecret = errors.New("a key secret is 32 random bytes in base64; `openssl rand -base64 32` makes one")

// ParseSecret reads a secret as the operator has written it down: 32 bytes in
// base64, of either alphabet, padded or not.
func ParseSecret(s string) (Secret, error) {
	s = strings.TrimSuffix(strings.TrimSpace(s), "=")
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	raw, err := decode(base64.RawStdEncoding, s)
	if err != nil || len(raw) != keySize {
		return Secret{}, errSecret
	}
	key := [keySize]byte(raw)
	if key == [keySize]byte{} {
		return Secret{}, errSecret // all zero: nobody has chosen it
	}
	return newSecret(key), nil
}

func newSecret(key [keySize]byte) Secret {
	sum := sha256.Sum256(append([]byte("dex key secret id\x00"), key[:]...))
	return Secret{id: [idSize]byte(sum[:]), key: key}
}

// ID returns the secret's name, which may be shown to everybody.
func (s Secret) ID() string { return hex.EncodeToString(s.id[:]) }

// Reveal returns the secret as [ParseSecret] reads it, for the one who keeps it.
func (s Secret) Reveal() string { return base64.StdEncoding.EncodeToString(s.key[:]) }

// Format keeps the secret out of everything that is printed.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// LogValue keeps the secret out of the log.
func (s Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalText keeps the secret out of everything that is encoded.
func (s Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// decode is strict where encoding/base64 is not: it skips no line breaks, and
// takes no unused bits at the end. So a text has one spelling.
func decode(encoding *base64.Encoding, s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break in base64")
	}
	return encoding.Strict().DecodeString(s)
}
