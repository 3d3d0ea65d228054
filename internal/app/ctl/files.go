package ctl

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// replaceFile writes a file that only its owner may read, whole or not at all.
func replaceFile(name string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// ReadSecret reads the one secret that a file holds, which others must not be able to read.
func ReadSecret(name string) (string, error) {
	text, err := readPrivate(name, maxToken)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s is empty", name)
	}
	return secret, nil
}

// readPrivate reads a file that holds a secret. One that others may read is refused:
// they may have read it.
func readPrivate(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() && info.Mode()&os.ModeNamedPipe == 0:
		return nil, fmt.Errorf("%s is no file", name)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s is larger than what it should hold", name)
	case openToOthers(info):
		return nil, fmt.Errorf("%s can be read by others on this machine (its mode is %04o). Take that away by chmod 600 %s; if others may have read it, have another made", name, info.Mode().Perm(), name)
	}
	return os.ReadFile(name)
}
