//go:build !linux

package postgres

import "syscall"

// attributes puts the process in a group of its own. Elsewhere than on Linux a
// process cannot ask to end with its parent.
func attributes(*owner) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// children is known only on Linux. Elsewhere a killed server's backends notice
// by themselves that it is gone.
func children(int) []int { return nil }
