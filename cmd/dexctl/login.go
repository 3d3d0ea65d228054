package main

import (
	"cmp"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/app/ctl"
)

func (t *tool) login() *cobra.Command {
	var o ctl.LoginOptions
	c := &cobra.Command{
		Use:   "login",
		Short: "Log in to a server",
		Long: `login asks the API which issuer's tokens it takes, and lets you log in there with
your browser: by an authorization code with PKCE that comes back to this machine. It
always prints the address, so that you can open it yourself.

Where there is no browser, or with --device, it shows a code instead, which you enter
in a browser on any other machine.

What it gets is kept beside the file of contexts, in a file that only you can read,
and is refreshed by itself. The server becomes the current context.`,
		Example: `  dexctl login --api https://dex-admin.example.com
  dexctl login --api http://127.0.0.1:5558 --context laptop
  dexctl login --device`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := t.target()
			if err != nil {
				return err
			}
			token, err := t.Login(cmd.Context(), target, o)
			if err != nil {
				return err
			}
			t.say("You are logged in to %s by %s. The context is %s.", target.API, ctl.Plain(token.Issuer), target.Name)
			return nil
		},
	}
	c.Flags().BoolVar(&o.Device, "device", false, "log in by a code that you enter in a browser elsewhere")
	c.Flags().BoolVar(&o.NoBrowser, "no-browser", false, "open no browser, only print the address")
	c.MarkFlagsMutuallyExclusive("device", "no-browser")
	return c
}

func (t *tool) logout() *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "Log out of a server",
		Long: `logout revokes what you were given, and forgets it. The context stays, so that
dexctl login brings you back. Your browser may still be logged in to the issuer.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := t.target()
			if err != nil {
				return err
			}
			if err := t.Logout(cmd.Context(), target); err != nil {
				return err
			}
			t.say("You are logged out of %s.", target.API)
			return nil
		},
	}
}

func (t *tool) whoami() *cobra.Command {
	c := &cobra.Command{
		Use:   "whoami",
		Short: "Tell as whom you are logged in, where, and what you may do",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := t.target()
			if err != nil {
				return err
			}
			self, err := t.WhoAmI(cmd.Context(), target)
			if err != nil {
				return err
			}
			who := cmp.Or(self.Name, self.Email, self.Subject, "the client "+self.Client)
			a := answer{doc: self, names: []string{cmp.Or(self.Subject, self.Client)}}
			a.story = func(w io.Writer) error {
				return ctl.Table(w, nil, [][]string{
					{"who", who}, {"account", self.Subject}, {"server", self.API}, {"issuer", self.Issuer}, {"context", self.Context}, {"may", strings.Join(self.May, " ")},
				})
			}
			return t.write(a)
		},
	}
	t.bindOutput(c, formTable)
	return c
}
