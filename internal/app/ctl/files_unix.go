//go:build !windows

package ctl

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openToOthers reports whether anybody but its owner may read a file.
func openToOthers(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// tryLock takes the lock of a file, unless somebody has it.
func tryLock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
