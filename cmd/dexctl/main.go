// Command dexctl is the administrator's command line: it speaks to the API of a worker
// or an overlord, as whoever has logged in.
//
// Begin by
//
//	dexctl login --api https://dex-admin.example.com
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"dex/internal/app/ctl"
	"dex/internal/app/process"
)

func main() {
	ctx, stop := process.Context()
	defer stop()
	t := &tool{
		World: ctl.System(os.Getenv), In: os.Stdin, Out: os.Stdout,
		Interactive: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())),
		Progress:    term.IsTerminal(int(os.Stderr.Fd())),
	}
	os.Exit(int(t.run(ctx, t.command(), os.Args[1:])))
}

// run runs a command line, and returns how to end.
func (t *tool) run(ctx context.Context, root *cobra.Command, args []string) ctl.Status {
	root.SetArgs(args)
	root.SetIn(t.In)
	root.SetOut(t.Out)
	root.SetErr(t.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ctl.Done
	}
	if text := ctl.Message(err); text != "" {
		t.say("dexctl: %s", text)
	}
	if !t.began {
		return ctl.BadUse
	}
	return ctl.StatusOf(err)
}
