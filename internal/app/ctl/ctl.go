// Package ctl is what dexctl does around its commands: which server it speaks to,
// who it is there, and how it stays logged in.
//
// A context names a server. [World.Find] puts together what flags, the environment and
// the file of contexts say of it; [World.Login] gets tokens for it, and a [Source]
// keeps them fresh, however many dexctl run at the same time.
package ctl

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"dex/internal/base/clock"
)

// World is all that the command line meets outside itself. A test puts its own there.
type World struct {
	Getenv func(string) string
	Clock  clock.Clock
	// Wait returns after a while, or when the context ends.
	Wait func(ctx context.Context, d time.Duration) error
	// Browse opens an address in the person's browser. It is nil where there is none.
	Browse func(ctx context.Context, address string) error
	// Err is where a person is told what goes on.
	Err io.Writer
}

// System returns the world as this machine has it, with the environment given.
func System(getenv func(string) string) World {
	w := World{Getenv: getenv, Clock: clock.System{}, Wait: wait, Err: os.Stderr}
	if opener := opener(runtime.GOOS, getenv, exec.LookPath); opener != nil {
		w.Browse = func(ctx context.Context, address string) error {
			return exec.CommandContext(ctx, opener[0], append(opener[1:], address)...).Start() //nolint:gosec // the address has been checked to be http or https
		}
	}
	return w
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// opener returns the command that opens an address in a browser, or nil if there is
// none, or no screen to show it on.
func opener(system string, getenv func(string) string, lookPath func(string) (string, error)) []string {
	var command []string
	switch system {
	case "darwin":
		command = []string{"open"}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler"}
	default:
		if getenv("DISPLAY") == "" && getenv("WAYLAND_DISPLAY") == "" {
			return nil
		}
		command = []string{"xdg-open"}
	}
	if _, err := lookPath(command[0]); err != nil {
		return nil
	}
	return command
}

// Folder is where dexctl keeps its files: the contexts, and below it the tokens.
func (w World) Folder() (string, error) {
	if file := w.Getenv(EnvConfig); file != "" {
		return filepath.Dir(file), nil
	}
	if base := w.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "dexctl"), nil
	}
	home := w.Getenv("HOME")
	if runtime.GOOS == "windows" {
		home = w.Getenv("USERPROFILE")
	}
	if home == "" {
		return "", fmt.Errorf("there is no home directory to keep files in: set HOME, or %s to the file of contexts", EnvConfig)
	}
	return filepath.Join(home, ".config", "dexctl"), nil
}

// say tells the person something.
func (w World) say(format string, args ...any) { _, _ = fmt.Fprintf(w.Err, format+"\n", args...) }
