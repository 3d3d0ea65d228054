package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// script writes a program and returns where it is.
func script(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "tell")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAKeySecretOfAProgram(t *testing.T) {
	base := []string{"--db=postgres://db/dex", "--issuer=https://a.example"}
	secretOf := func(text string, words ...string) (string, error) {
		s, err := load(t, nil, append(base, "--key-secrets=command:"+strings.Join(append([]string{script(t, text)}, words...), " ")), nil)
		if err != nil {
			return "", err
		}
		return string(s.KeySecrets[0]), nil
	}
	if got, err := secretOf("echo " + testKey); err != nil || got != testKey {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := secretOf(`[ "$1" = '$HOME;x' ] && [ "$#" = 2 ] && echo `+testKey, "$HOME;x", "two"); err != nil || got != testKey {
		t.Errorf("a shell has been at the words: %q, %v", got, err)
	}
	for name, test := range map[string]struct{ text, want string }{
		"one that fails":           {"echo " + testKey + "; echo 'permission denied: vault' >&2; exit 3", "exit status 3: permission denied: vault"},
		"one that tells nonsense":  {"echo hunter2", "must be 32 random bytes"},
		"one that tells nothing":   {"exit 0", "must be 32 random bytes"},
		"one that tells too much":  {"head -c 2000000 /dev/zero", "prints more than 1024 KiB"},
		"one that complains a lot": {"head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1", "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := secretOf(test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), testKey) || strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 600 {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
	for _, command := range []string{"command:", "command:/nowhere/at/all"} {
		_, err := load(t, nil, append(base, "--key-secrets="+command), nil)
		if err == nil || !strings.Contains(err.Error(), "--key-secrets: ") {
			t.Errorf("%s: %v", command, err)
		}
	}
}
