package jose

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// HS256 is the one symmetric algorithm that we know, and no [Algorithm]: nothing that
// takes keys can be made to take a secret, or the other way round.
const HS256 = "HS256"

// minSecret is the length of the shortest secret that something is signed with, in
// bytes: as long as the hash (RFC 7518, section 3.2).
const minSecret = sha256.Size

var errSecret = fmt.Errorf("jose: a secret of less than %d bytes", minSecret)

// VerifySecret returns the payload of a token that is signed in HS256 with one of the
// secrets, which sender and recipient share. All else is as in [Verify].
func VerifySecret(token string, types []string, secrets ...[]byte) ([]byte, Header, error) {
	h, payload, err := split(token)
	if err != nil {
		return nil, Header{}, err
	}
	if h.Algorithm != HS256 {
		return nil, Header{}, fmt.Errorf("jose: algorithm %.20q is not accepted here", string(h.Algorithm))
	}
	if !slices.ContainsFunc(types, func(t string) bool { return sameType(t, h.Type) }) {
		return nil, Header{}, fmt.Errorf("jose: a token of type %.40q is not accepted here", h.Type)
	}
	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		return nil, Header{}, fmt.Errorf("jose: signature: %w", err)
	}
	holds := false
	for _, secret := range secrets {
		if len(secret) < minSecret {
			return nil, Header{}, errSecret
		}
		if hmac.Equal(signature, mac(secret, token[:dot])) {
			holds = true // and go on, so that it takes as long whichever it was
		}
	}
	if !holds {
		return nil, Header{}, ErrSignature
	}
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	return raw, h, err
}

// SignSecret signs claims in HS256 with a secret that we share with another provider:
// it is how we prove ourselves to it. None of our own tokens is made so.
func SignSecret(secret []byte, typ string, claims any) (string, error) {
	if len(secret) < minSecret {
		return "", errSecret
	}
	header, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		Type      string `json:"typ,omitempty"`
	}{HS256, typ})
	if err != nil {
		return "", fmt.Errorf("jose: encode header: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("jose: encode claims: %w", err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64(header) + "." + b64(payload)
	return input + "." + b64(mac(secret, input)), nil
}

func mac(secret []byte, input string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(input))
	return h.Sum(nil)
}

// ReadUnsigned returns the payload of a token that nobody has signed, which says so:
// its algorithm is "none", and where the signature would be there is nothing (RFC 7518,
// section 3.6). It is worth what a parameter in the query is. Only a request object of
// a client that may send such ones is read so.
func ReadUnsigned(token string, types []string) ([]byte, error) {
	unsigned, ok := strings.CutSuffix(token, ".")
	header, payload, ok2 := strings.Cut(unsigned, ".")
	switch {
	case len(token) > MaxToken:
		return nil, fmt.Errorf("jose: a token of more than %d bytes", MaxToken)
	case !ok, !ok2, header == "", payload == "", !canonical(header), !canonical(payload): // a dot in the payload is not canonical
		return nil, errors.New("jose: not an unsigned token in compact serialisation")
	}
	h, err := readHeader(header)
	if err != nil {
		return nil, err
	}
	if h.Algorithm != "none" {
		return nil, fmt.Errorf("jose: algorithm %.20q is not accepted here", string(h.Algorithm))
	}
	if !slices.ContainsFunc(types, func(t string) bool { return sameType(t, h.Type) }) {
		return nil, fmt.Errorf("jose: a token of type %.40q is not accepted here", h.Type)
	}
	return base64.RawURLEncoding.DecodeString(payload)
}

// Unsigned reports whether a token says that nobody has signed it.
func Unsigned(token string) bool {
	header, _, _ := strings.Cut(token, ".")
	h, err := readHeader(header)
	return err == nil && h.Algorithm == "none"
}
