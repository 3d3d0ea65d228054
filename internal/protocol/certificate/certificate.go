// Package certificate is what the certificates of clients say: whose they are, and by
// what name a token is bound to one (RFC 8705).
package certificate

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
)

// Thumbprint is what the "x5t#S256" of a token says of a certificate (RFC 8705,
// section 3.1).
func Thumbprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
