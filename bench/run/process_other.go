//go:build !linux

package main

import (
	"errors"
	"os/exec"
	"time"
)

var errLinux = errors.New("processors and their time are measured on Linux only")

type processors struct{ server, rest []int }

func settle() (processors, error)           { return processors{}, errLinux }
func startOn(_ *exec.Cmd, _, _ []int) error { return errLinux }
func cpuTime(int) (time.Duration, error)    { return 0, errLinux }
func memory(int) (resident, error)          { return resident{}, errLinux }
func processor() string                     { return "unknown" }
