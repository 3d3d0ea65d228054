package credential

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// ErrUnsupported says that a password hash is of a kind that we do not verify, or
// of a cost that we do not pay.
var ErrUnsupported = errors.New("credential: unsupported password hash")

// cost is what an argon2id hash costs. RFC 9106, section 3.1.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// The cost of what we hash, as OWASP advises for argon2id, and the most that we
// pay for a hash that was made elsewhere: whoever can write a hash into the
// database must not be able to stop the server with it.
var (
	ourCost  = cost{memory: 19456, passes: 2, threads: 1}
	mostCost = cost{memory: 256 << 10, passes: 10, threads: 4}
)

const (
	saltLength     = 16
	sumLength      = 32
	mostBcryptCost = 14
	// mostBcryptBytes is what bcrypt looks at of a password. It ignores the rest,
	// so that a long password would be as good as its beginning.
	mostBcryptBytes = 72
)

// hash is a password hash that has been read. Either argon2 or bcrypt is set.
type hash struct {
	cost   cost
	salt   []byte
	sum    []byte
	bcrypt []byte
}

// ParseHash says why a password hash cannot be used, or returns nil. It wraps
// [ErrUnsupported].
func ParseHash(s string) error {
	_, err := parseHash(s)
	return err
}

// parseHash reads a hash in PHC string format, or in that of bcrypt.
func parseHash(s string) (hash, error) {
	if strings.HasPrefix(s, "$2a$") || strings.HasPrefix(s, "$2b$") || strings.HasPrefix(s, "$2y$") {
		return parseBcrypt(s)
	}
	if strings.HasPrefix(s, "$argon2id$") {
		return parseArgon2(s)
	}
	return hash{}, fmt.Errorf("%w: neither argon2id nor bcrypt", ErrUnsupported)
}

func parseBcrypt(s string) (hash, error) {
	paid, err := bcrypt.Cost([]byte(s))
	if err != nil || len(s) != 60 || strings.ContainsFunc(s[7:], notBcryptText) {
		return hash{}, fmt.Errorf("%w: not a bcrypt hash", ErrUnsupported)
	}
	if paid > mostBcryptCost {
		return hash{}, fmt.Errorf("%w: bcrypt with cost %d; %d is the most", ErrUnsupported, paid, mostBcryptCost)
	}
	return hash{bcrypt: []byte(s)}, nil
}

func notBcryptText(c rune) bool {
	return c != '.' && c != '/' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}

func parseArgon2(s string) (hash, error) {
	malformed := fmt.Errorf("%w: not an argon2id hash in PHC string format", ErrUnsupported)
	parts := strings.Split(s, "$") // "", argon2id, version, cost, salt, sum
	if len(s) > 512 || len(parts) != 6 {
		return hash{}, malformed
	}
	if parts[2] != "v=19" {
		return hash{}, fmt.Errorf("%w: argon2id of another version than 19", ErrUnsupported)
	}
	c, ok := parseCost(parts[3])
	if !ok {
		return hash{}, malformed
	}
	if c.memory > mostCost.memory || c.passes > mostCost.passes || c.threads > mostCost.threads || c.memory < 8*uint32(c.threads) {
		return hash{}, fmt.Errorf("%w: argon2id with %s; m=%d,t=%d,p=%d is the most", ErrUnsupported,
			parts[3], mostCost.memory, mostCost.passes, mostCost.threads)
	}
	if strings.ContainsAny(s, "\r\n") { // which the decoder passes over
		return hash{}, malformed
	}
	salt, err1 := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	sum, err2 := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(salt) > 64 || len(sum) < 16 || len(sum) > 64 {
		return hash{}, malformed
	}
	return hash{cost: c, salt: salt, sum: sum}, nil
}

// parseCost reads "m=19456,t=2,p=1".
func parseCost(s string) (cost, bool) {
	var numbers [3]uint64
	parts := strings.Split(s, ",")
	if len(parts) != len(numbers) {
		return cost{}, false
	}
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(parts[i], name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n == 0 || strconv.FormatUint(n, 10) != digits {
			return cost{}, false
		}
		numbers[i] = n
	}
	if numbers[2] > 255 {
		return cost{}, false
	}
	return cost{memory: uint32(numbers[0]), passes: uint32(numbers[1]), threads: uint8(numbers[2])}, true
}

// String returns an argon2id hash in PHC string format.
func (h hash) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.memory, h.cost.passes, h.cost.threads, b64(h.salt), b64(h.sum))
}

// derive returns the argon2id sum of a password.
func derive(password string, salt []byte, c cost, length int) []byte {
	return argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.threads, uint32(length))
}

// matches reports whether the password has the hash.
func (h hash) matches(password string) bool {
	if h.bcrypt != nil {
		return len(password) <= mostBcryptBytes && bcrypt.CompareHashAndPassword(h.bcrypt, []byte(password)) == nil
	}
	return subtle.ConstantTimeCompare(derive(password, h.salt, h.cost, len(h.sum)), h.sum) == 1
}
