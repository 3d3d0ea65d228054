package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/app/ctl"
	"dex/internal/app/process"
)

// tool is one run of dexctl: the world it runs in, and what was said for every command.
type tool struct {
	ctl.World
	In          io.Reader
	Out         io.Writer
	Interactive bool // somebody is there to be asked
	Progress    bool // somebody watches

	client *apiclient.Client // once it is needed
	flags  ctl.Flags
	output outputFlags
	began  bool // the flags and arguments were right
}

// commands are all commands, in the order of the help. To add one, write its file and
// name it here.
func (t *tool) commands() []*cobra.Command {
	return []*cobra.Command{
		t.login(), t.logout(), t.whoami(), t.contexts(),
		t.clients(), t.registration(), t.initialTokens(), t.connectors(), t.tenants(), t.plan(), t.apply(), t.export(),
		t.newClient(), t.setConnectorConfigs(), t.getConnectorConfigs(),
		t.keys(), t.state(), t.duties(), t.outbox(), t.bootstrap(),
		t.users(), t.groups(), t.sessions(), t.grants(), t.consents(), t.audit(), t.explain(),
		t.doctor(), t.upgrade(), t.backup(), t.restore(),
		t.completion(), process.Version(),
	}
}

func (t *tool) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "dexctl",
		Short: "The administrator's command line of dex",
		Long: `dexctl manages who may log in to what: people and their groups, applications,
connectors, keys and sessions. It speaks to the administrators' API of a worker or an
overlord, as the person who has logged in:

    dexctl login --api https://dex-admin.example.com
    dexctl clients list
    dexctl explain K7QX-9WDM-3T

Every command knows --help. What it prints is a table for people; -o json and -o yaml
are for scripts, and "dexctl help exit-codes" says how it ends.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: t.begin,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	f := root.PersistentFlags()
	f.StringVar(&t.flags.Context, "context", "", "the context to use, by its name; DEXCTL_CONTEXT")
	f.StringVar(&t.flags.API, "api", "", "the address of the administrators' API; DEXCTL_API")
	f.StringVar(&t.flags.Tenant, "tenant", "", "the tenant to act on, if it is not the token's own; DEXCTL_TENANT")
	f.StringVar(&t.flags.CAFile, "ca-file", "", "certificates in PEM to trust beside the system's; DEXCTL_CA_FILE")
	f.StringVar(&t.flags.ClientID, "client-id", "", "the client to be, instead of dexctl; DEXCTL_CLIENT_ID")
	f.StringVar(&t.flags.ClientSecretFile, "client-secret-file", "", "a file with the secret of --client-id, for machines; DEXCTL_CLIENT_SECRET_FILE")
	asGroup(root)
	root.AddCommand(t.commands()...)
	root.AddCommand(topics()...)
	return root
}

// begin notes that the command line is right, as far as cobra can tell.
func (t *tool) begin(cmd *cobra.Command, _ []string) error {
	if err := cmd.ValidateRequiredFlags(); err != nil {
		return err
	}
	if err := cmd.ValidateFlagGroups(); err != nil {
		return err
	}
	t.began = true
	return nil
}

// group returns a command that only has others below it.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	asGroup(c)
	c.AddCommand(below...)
	return c
}

// asGroup makes a command that only has others below it say so: without it a mistyped
// command would print the help and end as if all were well.
func asGroup(c *cobra.Command) {
	c.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		cmd.SuggestionsMinimumDistance = 2
		text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += fmt.Sprintf("; did you mean %q?", near[0])
		} else {
			text += fmt.Sprintf("; %s --help lists them", cmd.CommandPath())
		}
		return ctl.EndWith(ctl.BadUse, "%s", text)
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// target says which server is meant.
func (t *tool) target() (ctl.Target, error) { return t.Find(t.flags) }

// api returns what calls the server that is meant.
func (t *tool) api() (*apiclient.Client, error) {
	if t.client != nil {
		return t.client, nil
	}
	target, err := t.target()
	if err != nil {
		return nil, err
	}
	t.client, err = t.Client(target)
	return t.client, err
}

// anybody returns what calls the server for what anybody may ask.
func (t *tool) anybody() (*apiclient.Client, error) {
	target, err := t.target()
	if err != nil {
		return nil, err
	}
	return t.Anybody(target)
}

// ask calls the API.
func ask[T any](ctx context.Context, t *tool, r apiclient.Request) (T, apiclient.Meta, error) {
	c, err := t.api()
	if err != nil {
		var none T
		return none, apiclient.Meta{}, err
	}
	return apiclient.Do[T](ctx, c, r)
}

// progress shows how far long work is, where somebody watches, on a line that is
// written over.
func (t *tool) progress(text string, args ...any) {
	if t.Progress {
		_, _ = fmt.Fprintf(t.Err, "\r\x1b[K"+text, args...)
	}
}

// clearProgress takes that line away.
func (t *tool) clearProgress() { t.progress("") }

// say tells the person something beside the answer.
func (t *tool) say(text string, args ...any) { _, _ = fmt.Fprintf(t.Err, text+"\n", args...) }
