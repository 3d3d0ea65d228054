package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"dex/internal/app/config"
	"dex/internal/base/seal"
)

// keyRing returns the ring of the operator's key secrets. On one machine one is
// made and kept beside the database; without a database it is forgotten at the
// end, like everything else.
func keyRing(s *config.Settings) (*seal.Ring, error) {
	var secrets []seal.Secret
	for i, text := range s.KeySecrets {
		secret, err := seal.ParseSecret(string(text))
		if err != nil {
			return nil, fmt.Errorf("key_secrets[%d]: %w", i, err)
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		secret, err := ownSecret(s.KeyFile())
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, secret)
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
