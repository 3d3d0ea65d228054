package jose

import (
	"crypto"
	"crypto/x509"
	"fmt"
)

// MarshalPrivate returns a private key in PKCS #8. It is in the clear: whoever
// keeps it seals it first.
func MarshalPrivate(key crypto.Signer) ([]byte, error) {
	if err := signable(key); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("jose: encode private key: %w", err)
	}
	return der, nil
}

// ParsePrivate reads what [MarshalPrivate] wrote. A key that we would not sign
// with is refused.
func ParsePrivate(der []byte) (crypto.Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("jose: decode private key: %w", err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("jose: a %T does not sign", parsed)
	}
	if err := signable(key); err != nil {
		return nil, err
	}
	return key, nil
}

// signable says why we would not sign with a key, whatever the algorithm.
func signable(key crypto.Signer) error {
	if key == nil {
		return fmt.Errorf("jose: no private key")
	}
	public := key.Public()
	for _, alg := range []Algorithm{ES256, EdDSA} {
		if alg.Fits(public) == nil {
			return nil
		}
	}
	return RS256.Fits(public)
}
