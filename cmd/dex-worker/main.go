// Command dex-worker is the public server: it logs people in to applications.
//
// Try it without anything else by
//
//	dex-worker --no-db
package main

import (
	"os"

	"github.com/spf13/cobra"

	"dex/internal/app/config"
	"dex/internal/app/process"
	"dex/internal/app/worker"
)

func main() { process.Main(command()) }

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
	root.AddCommand(explain(), hashPassword(), keySecret(), process.Version())
	return root
}
