package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"dex/internal/app/backup"
	"dex/internal/app/config"
)

func (t *tool) backup() *cobra.Command {
	c := &cobra.Command{
		Use:   "backup --config FILE TO",
		Short: "Copy a SQLite database while everybody works on",
		Long: `backup writes a copy of the SQLite database into a new file, as it is at one moment,
while workers go on. The copy is checked, and readable by its owner alone; an existing
file is never overwritten.

The key secret is not in it, and without the secret the copy is worth nothing: that
is so for a thief, and for you. Keep the file dex.db.key, or what key_secrets names,
somewhere else than the backups.

Postgres has its own means: see docs/operate/backup.md.`,
		Example: `  dexctl backup --config /etc/dex/dex.yaml /var/backups/dex-$(date +%F).db`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := backup.Take(cmd.Context(), source(cmd), args[0]); err != nil {
				return err
			}
			t.say("The database is in %s. The key secret is not: keep it elsewhere.", args[0])
			return nil
		},
	}
	bindConfig(c.Flags())
	return c
}

func (t *tool) restore() *cobra.Command {
	c := &cobra.Command{
		Use:   "restore --config FILE FROM",
		Short: "Put a backup of a SQLite database back, so that nothing revoked counts again",
		Long: `restore puts a backup where the configuration wants the database, which must not be
there any more. Stop every program that uses it first.

What was revoked, used up or disabled since the backup is not known to the backup. So
nothing counts that was issued before: everybody logs in again, and applications get
new tokens. Accounts, clients and connectors are as they were when the backup was
taken: disable again what you had disabled since.`,
		Example: `  dexctl restore --config /etc/dex/dex.yaml /var/backups/dex-2026-11-28.db`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := backup.Restore(cmd.Context(), source(cmd), args[0])
			if err != nil {
				return err
			}
			return t.write(restored(r))
		},
	}
	bindConfig(c.Flags())
	t.bindOutput(c, formTable)
	c.AddCommand(t.finalize())
	return c
}

func (t *tool) finalize() *cobra.Command {
	c := &cobra.Command{
		Use:   "finalize --config FILE",
		Short: "Make a database safe that was restored by other means, such as Postgres's own",
		Long: `finalize does the second half of a restore, for a database that is back already: nothing
counts any more that was issued before now. Do it before the workers start; if they run,
they know of it when finalize ends.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := backup.Finish(cmd.Context(), source(cmd))
			if err != nil {
				return err
			}
			return t.write(restored(r))
		},
	}
	bindConfig(c.Flags())
	t.bindOutput(c, formTable)
	return c
}

func source(cmd *cobra.Command) config.Source {
	return config.Source{Flags: cmd.Flags(), Environ: os.Environ()}
}

func restored(r backup.Restored) answer {
	return answer{doc: r, story: func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "Nothing counts that was issued before now, in %d tenants: %d sessions ended, %d grants were revoked, %d links and devices are void.\n",
			r.Tenants, r.Sessions, r.Grants, r.Links)
		return err
	}}
}
