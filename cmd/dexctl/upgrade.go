package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/app/ctl"
	"dex/internal/app/upgrade"
)

func (t *tool) upgrade() *cobra.Command { return group("upgrade", "Upgrades", t.upgradeCheck()) }

func (t *tool) upgradeCheck() *cobra.Command {
	c := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Say whether the database can be upgraded while workers go on",
		Long: `check compares the schema of the database with the one that this version of dex
brings, and says whether workers of both versions can run side by side meanwhile. It
changes nothing. Ask it with the dexctl of the version that you are about to install.

It ends with exit code 3 if a rolling upgrade is not possible.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			facts, err := upgrade.Examine(cmd.Context(), source(cmd))
			if err != nil {
				return err
			}
			j := upgrade.Judge(facts)
			a := answer{doc: j, story: func(w io.Writer) error { return tellUpgrade(w, j) }}
			for _, m := range j.Pending {
				a.names = append(a.names, fmt.Sprint(m.Version))
			}
			if err := t.write(a); err != nil {
				return err
			}
			if !j.Rolling {
				return ctl.EndWith(ctl.Found, "")
			}
			return nil
		},
	}
	bindConfig(c.Flags())
	t.bindOutput(c, formTable)
	return c
}

func tellUpgrade(w io.Writer, j upgrade.Judgement) error {
	var b strings.Builder
	for _, s := range j.Says {
		b.WriteString(wrap(s, ""))
	}
	if len(j.Pending) > 0 {
		b.WriteString("\nTo be migrated:\n")
	}
	for _, m := range j.Pending {
		fmt.Fprintf(&b, "  %4d  %s\n", m.Version, m.Name)
		for _, s := range m.Takes {
			fmt.Fprintf(&b, "        takes away: %s\n", ctl.Plain(s))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
