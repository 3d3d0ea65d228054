package jose

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// The types of token that we issue, as their "typ" header says it. A token of
// one type is never taken for another (RFC 8725, section 3.11).
const (
	TypeJWT         = "JWT"              // an ID token
	TypeAccessToken = "at+jwt"           // RFC 9068
	TypeIDJAG       = "oauth-id-jag+jwt" // draft-ietf-oauth-identity-assertion-authz-grant
	TypeLogoutToken = "logout+jwt"       // OpenID Connect Back-Channel Logout 1.0
	// What is signed for whoever has asked, and proves nothing to anybody else.
	TypeUserinfo      = "userinfo+jwt"
	TypeIntrospection = "token-introspection+jwt" // RFC 9701
)

// Signer signs claims with one key. It may be used by many at once.
type Signer struct {
	key     crypto.Signer
	alg     Algorithm
	kid     string
	size    int               // of a signature, in bytes
	headers map[string]string // by type: encoded, with the dot that follows
}

// NewSigner returns a signer for the key, which may live in this process or in
// a device that answers for it. The key must fit the algorithm.
func NewSigner(key crypto.Signer, alg Algorithm, kid string) (*Signer, error) {
	if !alg.Signs() {
		return nil, fmt.Errorf("jose: we do not sign with %q", string(alg))
	}
	if key == nil || kid == "" {
		return nil, errors.New("jose: a signer needs a key and its id")
	}
	if err := alg.Fits(key.Public()); err != nil {
		return nil, err
	}
	s := &Signer{key: key, alg: alg, kid: kid, size: 64, headers: map[string]string{}}
	if public, ok := key.Public().(*rsa.PublicKey); ok {
		s.size = public.Size()
	}
	for _, typ := range []string{TypeJWT, TypeAccessToken, TypeLogoutToken} {
		header, err := s.encodeHeader(typ)
		if err != nil {
			return nil, err
		}
		s.headers[typ] = header
	}
	return s, nil
}

// Algorithm returns the algorithm that the signer signs with.
func (s *Signer) Algorithm() Algorithm { return s.alg }

// KeyID returns the id of the signer's key.
func (s *Signer) KeyID() string { return s.kid }

// Public returns the key that verifies what the signer signs.
func (s *Signer) Public() Key { return Key{KID: s.kid, Alg: s.alg, Public: s.key.Public()} }

// Format keeps the private key out of everything that is printed.
func (s *Signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[signer "+s.kid+"]") }

// LogValue keeps the private key out of the log.
func (s *Signer) LogValue() slog.Value { return slog.StringValue("[signer " + s.kid + "]") }

// Sign returns the claims as a signed token in compact serialisation (RFC 7515,
// section 7.1). The type is the token's "typ" header.
func (s *Signer) Sign(typ string, claims any) (string, error) {
	header, ok := s.headers[typ]
	if !ok {
		var err error
		if header, err = s.encodeHeader(typ); err != nil {
			return "", err
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("jose: encode claims: %w", err)
	}
	b64 := base64.RawURLEncoding
	token := make([]byte, 0, len(header)+b64.EncodedLen(len(payload))+1+b64.EncodedLen(s.size))
	token = append(token, header...)
	token = b64.AppendEncode(token, payload)
	signature, err := s.signature(token)
	if err != nil {
		return "", fmt.Errorf("jose: sign with key %s: %w", s.kid, err)
	}
	token = append(token, '.')
	token = b64.AppendEncode(token, signature)
	return string(token), nil
}

// Sign signs a single token. Who signs more than one with a key makes a
// [Signer], which remembers what does not change.
func Sign(key crypto.Signer, alg Algorithm, kid, typ string, claims any) (string, error) {
	s, err := NewSigner(key, alg, kid)
	if err != nil {
		return "", err
	}
	return s.Sign(typ, claims)
}

func (s *Signer) encodeHeader(typ string) (string, error) {
	header, err := json.Marshal(struct {
		Algorithm Algorithm `json:"alg"`
		KeyID     string    `json:"kid"`
		Type      string    `json:"typ,omitempty"`
	}{s.alg, s.kid, typ})
	if err != nil {
		return "", fmt.Errorf("jose: encode header: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(header) + ".", nil
}

func (s *Signer) signature(input []byte) ([]byte, error) {
	if s.alg == EdDSA { // signs the message itself, not its hash
		return s.key.Sign(rand.Reader, input, crypto.Hash(0))
	}
	digest := sha256.Sum256(input) // of all others alike
	var options crypto.SignerOpts = crypto.SHA256
	if s.alg == PS256 {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	signature, err := s.key.Sign(rand.Reader, digest[:], options)
	if err != nil || s.alg != ES256 {
		return signature, err
	}
	return rawECDSA(signature, s.size/2)
}

var errASN1 = errors.New("the key answered with a malformed signature")

// rawECDSA turns the ASN.1 form of an ECDSA signature, which every crypto.Signer
// gives, into the two numbers side by side that a token carries (RFC 7518,
// section 3.4). Each takes size bytes.
func rawECDSA(der []byte, size int) ([]byte, error) {
	body, rest, ok := readASN1(der, 0x30) // SEQUENCE
	if !ok || len(rest) != 0 {
		return nil, errASN1
	}
	out := make([]byte, 2*size)
	for _, half := range [][]byte{out[:size], out[size:]} {
		var number []byte
		if number, body, ok = readASN1(body, 0x02); !ok || len(number) == 0 || number[0]&0x80 != 0 { // INTEGER, not negative
			return nil, errASN1
		}
		if number[0] == 0 { // it keeps a large number from being negative, and stands before no other
			if number = number[1:]; len(number) == 0 || number[0]&0x80 == 0 {
				return nil, errASN1
			}
		}
		if len(number) > size {
			return nil, errASN1
		}
		copy(half[size-len(number):], number)
	}
	if len(body) != 0 {
		return nil, errASN1
	}
	return out, nil
}

// readASN1 reads one element with the tag and a length of a single byte, which
// is all that a signature on P-256 needs.
func readASN1(data []byte, tag byte) (body, rest []byte, ok bool) {
	if len(data) < 2 || data[0] != tag || data[1] >= 0x80 || int(data[1]) > len(data)-2 {
		return nil, nil, false
	}
	end := 2 + int(data[1])
	return data[2:end], data[end:], true
}
