package proof

import (
	"encoding/base64"
	"strconv"
	"time"

	"dex/internal/base/seal"
)

// nonceTime is how long one nonce is handed out. It is taken for as long again, so
// that a client has that time at least to use it.
const nonceTime = 5 * time.Minute

// Nonces are what proofs must hold so that none can be made before its time (RFC 9449,
// section 8). Nothing is kept of them: each is the proof that we have said which five
// minutes it is for, and so every worker knows those of the others.
type Nonces struct {
	Key *seal.MACKey
}

// At returns the nonce of a moment.
func (n *Nonces) At(now time.Time) string {
	sum := n.Key.Sum("dpop nonce", strconv.FormatInt(span(now), 10))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Holds reports whether a nonce is one of this moment or the one before, or of the next
// by a worker whose clock is ahead, under any of the key secrets.
func (n *Nonces) Holds(nonce string, now time.Time) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil {
		return false
	}
	for _, at := range []int64{span(now), span(now) - 1, span(now) + 1} {
		if n.Key.Verify(raw, "dpop nonce", strconv.FormatInt(at, 10)) {
			return true
		}
	}
	return false
}

func span(t time.Time) int64 { return t.Unix() / int64(nonceTime/time.Second) }
