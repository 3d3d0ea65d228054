package main

import (
	"errors"
	"net/http"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
)

func (t *tool) groups() *cobra.Command {
	members := noun[resource.User]{
		one: "member", many: "members", short: "Who is in a group",
		path: "/groups/{group}/members", parent: "group",
		id: func(u resource.User) string { return u.ID }, columns: who(),
	}
	n := noun[resource.Group]{
		one: "group", many: "groups", aliases: []string{"group"}, short: "Groups of ours, which stand in tokens beside those that connectors name",
		path: "/groups", id: func(g resource.Group) string { return g.ID },
		columns: []column[resource.Group]{
			{title: "ID", of: func(g resource.Group) string { return g.ID }},
			{title: "DESCRIPTION", of: func(g resource.Group) string { return cut(g.Description, 60) }},
			{title: "MANAGED BY", of: func(g resource.Group) string { return g.ManagedBy }, wide: true},
			{title: "SINCE", of: func(g resource.Group) string { return when(g.CreatedAt) }, wide: true},
		},
		fields: []field{
			{flag: "id", member: "id", usage: "the name, as it stands in tokens"},
			{flag: "description", member: "description", usage: "what it is for"},
		},
		example: `  dexctl groups create --id oncall --description "Who may be woken"
  dexctl groups add oncall usr_…`,
		form:      without[resource.Group]("managed_by", "version", "created_at", "updated_at"),
		removable: true, loses: "Nobody is in it any more.",
		more: []*cobra.Command{members.command(t), t.addMembers(), t.removeMembers()},
	}
	return n.command(t)
}

func (t *tool) addMembers() *cobra.Command {
	return &cobra.Command{
		Use:   "add GROUP USER...",
		Short: "Put users into a group",
		Args:  cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, _, err := ask[struct{}](cmd.Context(), t, apiclient.Request{
				Method: http.MethodPost, Path: apiclient.Path("groups", args[0], "members"), Body: resource.Members{Users: args[1:]},
			})
			if err == nil {
				t.say("%d in %s; their next token says so.", len(args)-1, ctl.Plain(args[0]))
			}
			return err
		},
	}
}

func (t *tool) removeMembers() *cobra.Command {
	return &cobra.Command{
		Use:   "remove GROUP USER...",
		Short: "Take users out of a group",
		Args:  cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var failures []error
			for _, id := range args[1:] {
				_, _, err := ask[struct{}](cmd.Context(), t, apiclient.Request{Method: http.MethodDelete, Path: apiclient.Path("groups", args[0], "members", id)})
				if err != nil {
					failures = append(failures, err)
					continue
				}
				t.say("%s is not in %s any more.", ctl.Plain(id), ctl.Plain(args[0]))
			}
			return errors.Join(failures...)
		},
	}
}
