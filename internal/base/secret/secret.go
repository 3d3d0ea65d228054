// Package secret makes opaque random values with a typed prefix, and the hashes
// that we keep of them.
package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Value is an opaque secret as its holder sends it. It is never stored, and it
// never appears in a log line.
type Value string

// The prefixes of everything that we hand out, so that a leaked secret can be
// recognised wherever it turns up, and none can be used in the place of another.
const (
	CodePrefix        = "dxc_" // authorization code
	AccessPrefix      = "dxa_" // access token that only we can read
	RefreshPrefix     = "dxr_" // refresh token
	SessionPrefix     = "dxs_" // session cookie
	ClientPrefix      = "dxk_" // client secret
	FoundingPrefix    = "dxb_" // makes the first administrator
	DevicePrefix      = "dxd_" // device code
	BackchannelPrefix = "dxq_" // auth_req_id of a request by the back channel
	LinkPrefix        = "dxl_" // link to choose a password by
	InitialPrefix     = "dxi_" // initial access token, to register clients
	EnrolPrefix       = "dxe_" // registration access token, a client's own
	PushedPrefix      = "dxp_" // handle of a pushed authorization request
	SharedPrefix      = "dxn_" // device secret, by which applications share a login (Native SSO)
)

// randomLength is the length of what follows the prefix: two texts of 26 base32
// characters, 260 random bits.
const randomLength = 52

// New returns a fresh secret of 260 random bits.
func New(prefix string) Value { return Value(prefix + rand.Text() + rand.Text()) }

// Is reports whether the value has the form of those that [New] makes with the
// prefix. It says nothing of whether we made it.
func (v Value) Is(prefix string) bool {
	random, ok := strings.CutPrefix(string(v), prefix)
	if !ok || len(random) != randomLength {
		return false
	}
	for _, c := range []byte(random) {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// Hash is what we store of a secret. A secret is random, so a plain SHA-256
// serves: there is nothing to guess.
type Hash [sha256.Size]byte

// Hash returns the hash under which v is stored and found again.
func (v Value) Hash() Hash { return sha256.Sum256([]byte(v)) }

// Equal compares two hashes in constant time.
func (h Hash) Equal(other Hash) bool {
	return subtle.ConstantTimeCompare(h[:], other[:]) == 1
}

// Format keeps the secret out of everything that is printed. Whoever means to
// hand it out writes string(v).
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// LogValue keeps the secret out of the log.
func (v Value) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalText keeps the secret out of everything that is encoded. The keys of a
// map are beyond its reach, for encoding/json writes keys that are strings as
// they are: the house test keeps secrets from being keys.
func (v Value) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }
