package ctl

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// openToOthers reports whether anybody but its owner may read a file. A profile's
// folder is its owner's on Windows, and the mode says nothing.
func openToOthers(fs.FileInfo) bool { return false }

// tryLock takes the lock of a file, unless somebody has it.
func tryLock(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
