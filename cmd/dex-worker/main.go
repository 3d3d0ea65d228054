// Command dex-worker is the public server: it logs people in to applications.
//
// Try it without anything else by
//
//	dex-worker --no-db
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"dex/internal/app/config"
	"dex/internal/app/worker"
)

// Exit codes.
const (
	exitFailed = 1
	exitBadUse = 2 // settings or arguments that cannot be
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	root, began := command(), false
	root.PersistentPreRun = func(*cobra.Command, []string) { began = true } // its flags and arguments are right
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "dex-worker: "+err.Error())
		if _, mistaken := errors.AsType[config.Mistakes](err); mistaken || !began {
			os.Exit(exitBadUse)
		}
		os.Exit(exitFailed)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "dex-worker",
		Short: "The server that logs people in to applications",
		Long: `dex-worker is the public server of dex: it speaks OpenID Connect and OAuth 2.0
to applications, and asks a password table or another provider who somebody is.

Try it, with no file, no database and no other program:

    dex-worker --no-db

Run it on one machine, or on Postgres:

    dex-worker --config dex.yaml --db sqlite:dex.db
    dex-worker --config dex.yaml --db postgres://dex@db.example.com/dex

Every flag is an environment variable too (--log-level is DEX_WORKER_LOG_LEVEL)
and a setting of the configuration file (log_level).`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := config.Load(config.Source{Flags: cmd.Flags(), Environ: os.Environ()})
			if err != nil {
				return err
			}
			return worker.Run(cmd.Context(), s, cmd.OutOrStdout(), os.Stderr)
		},
	}
	config.BindFlags(root.Flags())
	root.AddCommand(explain(), hashPassword(), keySecret(), version())
	return root
}
