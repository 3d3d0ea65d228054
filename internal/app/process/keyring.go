package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"dex/internal/base/seal"
	"dex/internal/base/secret"
)

// Keys returns the ring of the operator's key secrets. Without any, on one machine one is
// made and kept in a file beside the database; without a database it is forgotten at the
// end, like everything else.
func Keys(given []secret.Value, file string) (*seal.Ring, error) {
	var secrets []seal.Secret
	for i, text := range given {
		one, err := seal.ParseSecret(string(text))
		if err != nil {
			return nil, fmt.Errorf("key_secrets[%d]: %w", i, err)
		}
		secrets = append(secrets, one)
	}
	if len(secrets) == 0 {
		own, err := ownSecret(file)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, own)
	}
	return seal.NewRing(secrets...)
}

// ownSecret reads the secret in a file, which it makes if there is none.
func ownSecret(file string) (seal.Secret, error) {
	if file == "" {
		return seal.NewSecret(), nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return makeSecret(file)
	}
	if err != nil {
		return seal.Secret{}, fmt.Errorf("the key secret: %w", err)
	}
	secret, err := seal.ParseSecret(string(text))
	if err != nil {
		return seal.Secret{}, fmt.Errorf("the key secret in %s: %w", file, err)
	}
	return secret, nil
}

// makeSecret writes a fresh secret that only we can read. If another process has
// done so in between, it fails, and finds that one when it is started again.
func makeSecret(file string) (seal.Secret, error) {
	secret := seal.NewSecret()
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return secret, fmt.Errorf("keep the key secret: %w", err)
	}
	_, err = f.WriteString(secret.Reveal() + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return secret, fmt.Errorf("keep the key secret: %w", err)
	}
	return secret, nil
}
