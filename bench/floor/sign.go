package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// keys are the two that everything is signed with.
type keys struct {
	rsa   *rsa.PrivateKey
	ecdsa *ecdsa.PrivateKey
}

func newKeys() (keys, error) {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return keys{}, err
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return keys{r, e}, err
}

var b64 = base64.RawURLEncoding

// The headers of the tokens that we make.
var (
	headerRS256  = b64.EncodeToString([]byte(`{"alg":"RS256","kid":"r","typ":"JWT"}`)) + "."
	headerES256  = b64.EncodeToString([]byte(`{"alg":"ES256","kid":"e","typ":"JWT"}`)) + "."
	headerAccess = b64.EncodeToString([]byte(`{"alg":"ES256","kid":"e","typ":"at+jwt"}`)) + "."
)

func (k keys) sign(header string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	token := make([]byte, 0, 1024)
	token = append(token, header...)
	token = b64.AppendEncode(token, payload)
	digest := sha256.Sum256(token)
	var signature []byte
	if header == headerRS256 {
		signature, err = rsa.SignPKCS1v15(rand.Reader, k.rsa, crypto.SHA256, digest[:])
	} else {
		signature, err = k.signECDSA(digest[:])
	}
	if err != nil {
		return "", err
	}
	token = append(token, '.')
	return string(b64.AppendEncode(token, signature)), nil
}

// signECDSA returns the two numbers side by side (RFC 7518, section 3.4).
func (k keys) signECDSA(digest []byte) ([]byte, error) {
	der, err := ecdsa.SignASN1(rand.Reader, k.ecdsa, digest)
	if err != nil {
		return nil, err
	}
	var n struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &n); err != nil {
		return nil, err
	}
	raw := make([]byte, 64)
	n.R.FillBytes(raw[:32])
	n.S.FillBytes(raw[32:])
	return raw, nil
}

var errToken = errors.New("no access token of ours")

// readAccess reads an access token that we have signed.
func (k keys) readAccess(token string) (accessClaims, error) {
	var c accessClaims
	rest, ok := strings.CutPrefix(token, headerAccess)
	if !ok {
		return c, errToken
	}
	payload, encoded, ok := strings.Cut(rest, ".")
	signature, err := b64.DecodeString(encoded)
	if !ok || err != nil || len(signature) != 64 {
		return c, errToken
	}
	digest := sha256.Sum256([]byte(token[:len(headerAccess)+len(payload)]))
	if !ecdsa.Verify(&k.ecdsa.PublicKey, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return c, errToken
	}
	claims, err := b64.DecodeString(payload)
	if err != nil {
		return c, errToken
	}
	return c, json.Unmarshal(claims, &c)
}

// document is the key set.
func (k keys) document() ([]byte, error) {
	point, err := k.ecdsa.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"r","n":%q,"e":"AQAB"},`+
		`{"kty":"EC","use":"sig","alg":"ES256","kid":"e","crv":"P-256","x":%q,"y":%q}]}`,
		b64.EncodeToString(k.rsa.N.Bytes()), b64.EncodeToString(point[1:33]), b64.EncodeToString(point[33:])), nil
}
