package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dex/internal/app/backup"
	"dex/internal/app/config"
	"dex/internal/app/ctl"
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
	c.AddCommand(t.finalize(), t.replayAudit())
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

func (t *tool) replayAudit() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "replay-audit --config FILE RECORD...",
		Short: "Do again what the exported record says was taken away after the backup",
		Long: `replay-audit reads the record that was handed on (audit.file, a line an event), and finds
what was done between the backup and the restore: who was disabled, deleted or lost a
role, which secrets, identities and memberships were removed, which keys were
compromised. It shows what it would do, and does it with --yes. What was given or changed
is not in the record; it says what to see to by hand.

Do it after the restore, and before the workers start. It never gives anybody more than
the backup does, does nothing that was taken back later, and can be done again.

It ends with exit code 3 if something is left to do.`,
		Example: `  dexctl restore replay-audit --config /etc/dex/dex.yaml /var/log/dex/audit.jsonl.1 /var/log/dex/audit.jsonl`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := backup.ReplayAudit(cmd.Context(), source(cmd), args, yes)
			if err != nil {
				return err
			}
			if err := t.write(replayed(r, yes)); err != nil {
				return err
			}
			if r.Count(backup.Due)+r.Count(backup.Left) > 0 {
				return ctl.EndWith(ctl.Found, "")
			}
			return nil
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do it")
	bindConfig(c.Flags())
	t.bindOutput(c, formTable)
	return c
}

func replayed(r backup.Replay, did bool) answer {
	a := answer{doc: r, story: func(w io.Writer) error { return tellReplay(w, r, did) }}
	for _, d := range r.Deeds {
		a.names = append(a.names, d.Event)
	}
	return a
}

func tellReplay(w io.Writer, r backup.Replay, did bool) error {
	var b strings.Builder
	since := "the beginning"
	if !r.Since.IsZero() {
		since = r.Since.UTC().Format(time.DateTime)
	}
	b.WriteString(wrap(fmt.Sprintf("Between %s, the last that the backup knows of, and the restore at %s the record has %s.",
		since, r.Until.UTC().Format(time.DateTime), counted(r.Events, "event", "events")), ""))
	for _, place := range r.Torn {
		b.WriteString(wrap(place+" is cut short, as by a full disk or a crash. The event comes again, whole.", ""))
	}
	for _, part := range []struct {
		state backup.State
		title string
	}{
		{backup.Due, "To be done:"}, {backup.Done, "Done:"}, {backup.Left, "Not possible:"}, {backup.Missing, "Not in the backup, so that nothing has to be done:"},
	} {
		if r.Count(part.state) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", part.title)
		for _, d := range r.Deeds {
			if d.State == part.state {
				tellDeed(&b, d)
			}
		}
	}
	if len(r.ByHand) > 0 {
		b.WriteString("\nTo be seen to by hand:\n")
	}
	for _, n := range r.ByHand {
		b.WriteString(wrap(fmt.Sprintf("%s %s: %s", n.Kind, ctl.Plain(strings.Join(n.About, " ")), n.Says), "  "))
	}
	if !did && r.Count(backup.Due) > 0 {
		b.WriteString("\nNothing is done yet. To do it, say --yes.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func tellDeed(b *strings.Builder, d backup.Deed) {
	what := []string{string(d.Act), d.ID}
	if d.Of != "" {
		what = append(what, d.Of)
	}
	if d.Act == backup.LessenRole {
		what = append(what, cmp.Or(d.Role, "none"))
	}
	fmt.Fprintf(b, "  %s  %s  (%s)\n", ctl.Plain(d.Tenant), ctl.Plain(strings.Join(what, " ")), d.At.UTC().Format(time.DateTime))
	if d.Says != "" {
		b.WriteString(wrap(ctl.Plain(d.Says), "    "))
	}
}

// source is where a command finds the configuration of the servers.
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
