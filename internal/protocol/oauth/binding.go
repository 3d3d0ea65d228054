package oauth

// Binding is the key whose holder alone may use a token, as the claim "cnf" says it.
// Its zero value is a bearer token.
type Binding struct {
	JKT string `json:"jkt,omitempty"`      // SHA-256 thumbprint of a JWK, RFC 9449 section 6.1
	X5T string `json:"x5t#S256,omitempty"` // SHA-256 of a certificate, RFC 8705 section 3.1
}

// TokenType returns the token_type of a token that is bound so. A certificate does not
// change how a token is presented (RFC 8705, section 3).
func (b Binding) TokenType() string {
	if b.JKT != "" {
		return TokenTypeDPoP
	}
	return TokenTypeBearer
}
