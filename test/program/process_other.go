//go:build !linux

package program

import "syscall"

// attributes are none: elsewhere than on Linux a process cannot ask to end with
// its parent.
func attributes() *syscall.SysProcAttr { return nil }
