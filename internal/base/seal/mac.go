package seal

import (
	"crypto/hmac"
	"crypto/sha256"
)

// MACKey makes short proofs that we have said something, for one purpose. Many
// may use it at once.
type MACKey struct {
	keys []purposeKey // the first makes
}

// MACKey returns the key of a purpose. Make it once and keep it.
func (r *Ring) MACKey(purpose string) *MACKey { return &MACKey{keys: r.keys("mac", purpose)} }

// Sum returns the proof of a message in parts. Which part a byte stands in
// counts.
func (m *MACKey) Sum(parts ...string) [sha256.Size]byte { return m.keys[0].sum(parts) }

// Verify reports whether sum is the proof of the message, under any of the
// secrets.
func (m *MACKey) Verify(sum []byte, parts ...string) bool {
	for _, k := range m.keys {
		if want := k.sum(parts); hmac.Equal(sum, want[:]) {
			return true
		}
	}
	return false
}

func (k purposeKey) sum(parts []string) [sha256.Size]byte {
	message := make([]byte, 0, 256)
	for _, part := range parts {
		message = appendPart(message, part)
	}
	mac := hmac.New(sha256.New, k.key)
	mac.Write(message)
	return [sha256.Size]byte(mac.Sum(nil))
}
