// Command dex-overlord does what has to be done now and then beside the workers:
// migrations, key rotation, clearing away, deliveries. It may be down for days.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"dex/internal/app/config"
	"dex/internal/app/overlord"
	"dex/internal/app/process"
)

func main() { process.Main(command()) }

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "dex-overlord",
		Short: "What has to be done now and then beside the workers",
		Long: `dex-overlord brings the database up to date, rotates signing keys, clears away what
has expired, delivers what is queued, and serves the administrators' API of the whole.
It may be down for days, and any number may run: each duty is done by one at a time.

    dex-overlord --db-url postgres://dex@db.example.com/dex --key-secrets file:/etc/dex/key-secret

Every flag is an environment variable too (--gc-interval is DEX_OVERLORD_GC_INTERVAL)
and a setting of the configuration file (gc_interval).`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := settings(cmd)
			if err != nil {
				return err
			}
			return overlord.Run(cmd.Context(), s, cmd.OutOrStdout(), os.Stderr)
		},
	}
	config.BindOverlordFlags(root.Flags())
	root.AddCommand(bootstrapSecret(), recoverAdmin(), process.Version())
	return root
}

func settings(cmd *cobra.Command) (*config.Overlord, error) {
	return config.LoadOverlord(config.Source{Flags: cmd.Flags(), Environ: os.Environ()})
}

func bootstrapSecret() *cobra.Command {
	c := &cobra.Command{
		Use:   "bootstrap-secret",
		Short: "Make a new one-time secret for the first administrator",
		Long: `bootstrap-secret prints a secret by which the first administrator can be made within an
hour, with dexctl bootstrap. The one before does not count any more. Once there has been
a first administrator there is no other; see recover-admin.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := settings(cmd)
			if err != nil {
				return err
			}
			value, until, err := overlord.BootstrapSecret(cmd.Context(), s)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "It counts until %s.\n", until.Format(time.RFC3339))
			_, err = fmt.Fprintln(cmd.OutOrStdout(), string(value))
			return err
		},
	}
	config.BindOverlordFlags(c.Flags())
	return c
}

func recoverAdmin() *cobra.Command {
	var email string
	c := &cobra.Command{
		Use:   "recover-admin --email ADDRESS",
		Short: "Make somebody an owner again, when nobody can log in who is",
		Long: `recover-admin gives the account of a mail address or a user name the role owner, and lets
it log in again. It takes the database and its key secrets, and stands in the record.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := settings(cmd)
			if err != nil {
				return err
			}
			id, err := overlord.RecoverAdmin(cmd.Context(), s, email)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s (%s) is an owner.\n", email, id)
			return err
		},
	}
	config.BindOverlordFlags(c.Flags())
	c.Flags().StringVar(&email, "email", "", "the mail address or user name that the person logs in with")
	_ = c.MarkFlagRequired("email") // it is there
	return c
}
