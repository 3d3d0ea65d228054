package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"dex/internal/app/ctl"
)

func (t *tool) contexts() *cobra.Command {
	return group("context", "The servers that dexctl knows", t.listContexts(), t.useContext(), t.removeContext())
}

func (t *tool) listContexts() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the servers that dexctl knows",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			all, err := t.Contexts()
			if err != nil {
				return err
			}
			type item struct {
				Name    string `json:"name"`
				API     string `json:"api"`
				Tenant  string `json:"tenant,omitempty"`
				Client  string `json:"client_id,omitempty"`
				Current bool   `json:"current"`
			}
			a := answer{header: []string{"CURRENT", "NAME", "API", "TENANT"}}
			items := []item{}
			for _, one := range all.All {
				current := " "
				if one.Name == all.Current {
					current = "*"
				}
				items = append(items, item{one.Name, one.API, one.Tenant, one.ClientID, one.Name == all.Current})
				a.names = append(a.names, one.Name)
				a.rows = append(a.rows, []string{current, one.Name, one.API, one.Tenant})
			}
			a.doc = items
			return t.write(a)
		},
	}
	t.bindOutput(c, formTable)
	return c
}

func (t *tool) useContext() *cobra.Command {
	return &cobra.Command{
		Use:               "use NAME",
		Short:             "Make a server the one that commands speak to",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: t.completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := t.known(args[0])
			if err != nil {
				return err
			}
			all.Current = args[0]
			return t.SaveContexts(all)
		},
	}
}

func (t *tool) removeContext() *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		Short:             "Forget a server, after logging out there",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: t.completeContexts,
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := t.known(args[0])
			if err != nil {
				return err
			}
			target, err := t.Find(ctl.Flags{Context: args[0]})
			if err != nil {
				return err
			}
			if _, err := t.LoggedIn(target); err == nil {
				if err := t.Logout(cmd.Context(), target); err != nil {
					t.say("dexctl: %s", ctl.Message(err))
				}
			}
			all.Remove(args[0])
			return t.SaveContexts(all)
		},
	}
}

// known returns the contexts, of which one must have the name.
func (t *tool) known(name string) (ctl.Contexts, error) {
	all, err := t.Contexts()
	if err != nil {
		return all, err
	}
	if _, ok := all.Named(name); !ok {
		return all, fmt.Errorf("there is no context %q; dexctl context list shows those that there are", name)
	}
	return all, nil
}

func (t *tool) completeContexts(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
	all, err := t.Contexts()
	if err == nil && len(args) == 0 {
		for _, one := range all.All {
			names = append(names, one.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
