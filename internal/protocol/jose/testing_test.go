package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"sync"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// keys are made once for all tests, because RSA keys take their time.
var keys = sync.OnceValue(func() map[Algorithm]crypto.Signer {
	made := map[Algorithm]crypto.Signer{
		// Always the same one, so that the processes of a fuzz test agree on
		// which tokens are good.
		EdDSA: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)),
	}
	for _, alg := range []Algorithm{RS256, ES256} {
		key, err := GenerateKey(alg)
		if err != nil {
			panic(err)
		}
		made[alg] = key
	}
	for _, alg := range []Algorithm{RS384, RS512, PS256, PS384, PS512} {
		made[alg] = made[RS256]
	}
	for alg, curve := range map[Algorithm]elliptic.Curve{ES384: elliptic.P384(), ES512: elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		made[alg] = key
	}
	return made
})

// weakRSA is a key below the size that we accept.
var weakRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return key
})

// foreign signs a payload as another implementation does, with any header.
func foreign(t testing.TB, alg Algorithm, key any, payload string, header map[gojose.HeaderKey]any) string {
	t.Helper()
	signer, err := gojose.NewSigner(
		gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(alg), Key: key},
		&gojose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// raw signs a payload under a header that no library would write.
func raw(t testing.TB, key crypto.Signer, header, payload string) string {
	t.Helper()
	input := encode(header) + "." + encode(payload)
	s := &Signer{key: key, alg: EdDSA}
	switch key.Public().(type) {
	case *ecdsa.PublicKey:
		s.alg, s.size = ES256, 64
	case *rsa.PublicKey:
		s.alg = RS256
	case ed25519.PublicKey:
	}
	signature, err := s.signature([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// only answers with the same keys for each token.
func only(public ...crypto.PublicKey) func(string, Algorithm) []crypto.PublicKey {
	return func(string, Algorithm) []crypto.PublicKey { return public }
}
