package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"dex/internal/app/config"
)

// How a server ends that could not do its work.
const (
	Failed = 1
	BadUse = 2 // settings or arguments that cannot be
)

// Main runs the command line of a server, and ends the program by [Failed] or [BadUse] if
// it fails.
func Main(root *cobra.Command) {
	ctx, stop := Context()
	defer stop()
	began := false
	root.PersistentPreRun = func(*cobra.Command, []string) { began = true } // its flags and arguments are right
	err := root.ExecuteContext(ctx)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, root.Name()+": "+err.Error())
	if _, mistaken := errors.AsType[config.Mistakes](err); mistaken || !began {
		os.Exit(BadUse)
	}
	os.Exit(Failed)
}

// Context returns one that is done when the program is asked to end. Whoever asks
// twice ends it at once.
func Context() (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// Version returns the command that says which program this is.
func Version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), cmd.Root().Name()+" "+build())
			return err
		},
	}
}

// build says what the program was built from, and with what.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	text := info.Main.Version + " " + info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			text += " " + s.Value
		}
	}
	return text
}
