package oidc

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"dex/internal/protocol/jose"
)

// ourKeys are the keys by which we prove to a provider who we are. The first signs.
// The others are published beside it, so that a provider knows a new key before
// it is the first, and an old one for as long as it is there.
type ourKeys struct{ signers []*jose.Signer }

func (k ourKeys) sign(typ string, claims any) (string, error) {
	token, err := k.signers[0].Sign(typ, claims)
	if err != nil {
		return "", fmt.Errorf("oidc: %w", err)
	}
	return token, nil
}

// parseOurKeys reads private keys in PEM. The id of a key is its thumbprint, so that
// nobody has to think of one. With an algorithm every key has to be good for it.
func parseOurKeys(text string, alg jose.Algorithm) (ourKeys, error) {
	private, err := parsePEM(text)
	if err != nil {
		return ourKeys{}, err
	}
	var k ourKeys
	for _, key := range private {
		with := alg
		if with == "" {
			with = usual(key.Public())
		}
		kid, err := jose.Thumbprint(key.Public())
		if err != nil {
			return ourKeys{}, err
		}
		signer, err := jose.NewSigner(key, with, kid)
		if err != nil {
			return ourKeys{}, err
		}
		k.signers = append(k.signers, signer)
	}
	return k, nil
}

// usual returns the algorithm that a key signs with where nobody says otherwise.
func usual(public crypto.PublicKey) jose.Algorithm {
	for _, alg := range []jose.Algorithm{jose.ES256, jose.EdDSA} {
		if alg.Fits(public) == nil {
			return alg
		}
	}
	return jose.RS256
}

var errNoPEM = errors.New("must be one or more private keys in PEM, as openssl genpkey writes them")

// parsePEM returns the private keys of a text. The error repeats nothing of it.
func parsePEM(text string) ([]crypto.Signer, error) {
	var keys []crypto.Signer
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		key, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 || len(keys) > maxOurKeys {
		return nil, errNoPEM
	}
	return keys, nil
}

// maxOurKeys is how many keys of one kind we have at most.
const maxOurKeys = 8

func parseBlock(block *pem.Block) (crypto.Signer, error) {
	var parsed any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, errNoPEM
	}
	key, ok := parsed.(crypto.Signer)
	if err != nil || !ok {
		return nil, errNoPEM
	}
	return key, nil
}

// PublicKeys implements [connector.KeyHolder].
func (p *provider) PublicKeys() ([]byte, error) {
	var keys []jose.Key
	for _, s := range p.ours.signers {
		keys = append(keys, s.Public())
	}
	if len(keys)+len(p.opener.keys) == 0 {
		return nil, nil
	}
	return jose.MarshalForeignJWKS(keys, p.opener.keys)
}

// opener opens what is encrypted for us: its keys are in nobody else's hands.
type opener struct {
	keys []jose.EncryptionKey // the public halves, by their thumbprints
	all  []crypto.PrivateKey
}

// parseOpener reads private keys in PEM, as [parseOurKeys] does.
func parseOpener(text string) (opener, error) {
	private, err := parsePEM(text)
	if err != nil {
		return opener{}, err
	}
	var o opener
	for _, key := range private {
		fits := slices.ContainsFunc(jose.KeyManagements(), func(m jose.KeyManagement) bool { return m.Fits(key.Public()) == nil })
		if !fits {
			return opener{}, errors.New("nothing can be encrypted to a key of this kind: it takes RSA or an elliptic curve")
		}
		kid, err := jose.Thumbprint(key.Public())
		if err != nil {
			return opener{}, err
		}
		o.keys = append(o.keys, jose.EncryptionKey{KID: kid, Public: key.Public()})
		o.all = append(o.all, key)
	}
	return o, nil
}

// open returns what is in a token if it is encrypted, and the token itself if it is
// not. What was encrypted to us anybody may have encrypted: the signature inside tells
// who wrote it.
func (o opener) open(token string) (inner string, encrypted bool, err error) {
	if !jose.Encrypted(token) {
		return token, false, nil
	}
	content, _, err := jose.Decrypt(token, jose.KeyManagements(), jose.ContentEncryptions(), o.among)
	return string(content), true, err
}

// among returns the keys that may open a token: that of its id, or all if it names
// none that we know.
func (o opener) among(kid string, _ jose.KeyManagement) []crypto.PrivateKey {
	for i, k := range o.keys {
		if k.KID == kid {
			return o.all[i : i+1]
		}
	}
	return o.all
}
