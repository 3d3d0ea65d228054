package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
)

// who are the columns by which people are told apart.
func who() []column[resource.User] {
	return []column[resource.User]{
		{title: "ID", of: func(u resource.User) string { return u.ID }},
		{title: "USERNAME", of: func(u resource.User) string { return u.Username }},
		{title: "EMAIL", of: func(u resource.User) string { return u.Email }},
		{title: "NAME", of: func(u resource.User) string { return cut(u.Name, 40) }},
		{title: "ROLE", of: func(u resource.User) string { return u.Role }},
		{title: "STATE", of: func(u resource.User) string { return state(u.Disabled) }},
		{title: "GROUPS", of: func(u resource.User) string { return strings.Join(u.Groups, " ") }, wide: true},
		{title: "MANAGED BY", of: func(u resource.User) string { return u.ManagedBy }, wide: true},
		{title: "SINCE", of: func(u resource.User) string { return when(u.CreatedAt) }, wide: true},
	}
}

func (t *tool) users() *cobra.Command {
	n := noun[resource.User]{
		one: "user", many: "users", aliases: []string{"user"}, short: "People, and the accounts that they have here",
		path: "/users", id: func(u resource.User) string { return u.ID }, columns: who(),
		filters: []filter{
			{flag: "text", query: "text", usage: "words, each of which begins a word of user name, address or name"},
			{flag: "role", query: "role", usage: "those with a role", values: []string{"owner", "admin", "support", "auditor"}},
			{flag: "group", query: "group", usage: "those in a group of ours"},
			{flag: "connector", query: "connector", usage: "those with an identity of a connector"},
			{flag: "managed-by", query: "managed_by", usage: "those that somebody manages", values: []string{"file", "apply", "api"}},
			{flag: "state", query: "state", usage: "those who may log in, or may not", values: []string{"enabled", "disabled"}},
		},
		fields: []field{
			{flag: "username", member: "username", usage: "the name to log in with"},
			{flag: "email", member: "email", usage: "the mail address, to log in with, too"},
			{flag: "email-verified", member: "email_verified", usage: "say that the address is known to be theirs", kind: truth},
			{flag: "name", member: "name", usage: "the full name"},
			{flag: "locale", member: "locale", usage: "the preferred language, such as de"},
			{flag: "group", member: "groups", usage: "a group of ours; may be given several times", kind: list},
			{flag: "role", member: "role", usage: "what they may do to this service: owner, admin, support or auditor"},
		},
		example: `  dexctl users create --username jane --email jane@example.com --name "Jane Doe"
  dexctl users invite usr_…    # a link by which Jane chooses her password`,
		form: without[resource.User]("id", "groups", "role", "disabled", "disabled_by", "managed_by", "login_names", "connector_id",
			"identities", "password_set_at", "last_login_at", "version", "created_at", "updated_at"),
		removable: true, loses: "All that they have goes with the account, and its id is never given out again.",
		acts: []act{
			{verb: "disable", short: "Keep a user out, and end what they have", call: posts("users", "disable"), done: "%s is out: nothing of theirs counts any more."},
			{verb: "enable", short: "Let a user log in again", call: posts("users", "enable"), done: "%s can log in again."},
			{
				verb: "invite", short: "Make a link by which a new user chooses a password", call: func(id string) apiclient.Request { return linkRequest(id, "invite", false) },
				done: "%s has an invitation, which is good for a week, once.", once: []string{"url"},
			},
			{
				verb: "reset", short: "Make a link by which a user chooses another password", call: func(id string) apiclient.Request { return linkRequest(id, "reset", false) },
				done: "%s has a link, which is good for an hour, once.", once: []string{"url"},
			},
		},
		more: []*cobra.Command{t.mailLink(), t.setRole(), t.setLoginNames(), t.setPassword(), t.identities(), t.unlink()},
	}
	return n.command(t)
}

func linkRequest(id, purpose string, mail bool) apiclient.Request {
	return apiclient.Request{Method: http.MethodPost, Path: apiclient.Path("users", id, purpose), Once: true, Body: resource.SendLink{Mail: mail}}
}

// mailLink has a link sent, so that nobody but the person sees it.
func (t *tool) mailLink() *cobra.Command {
	var invite bool
	c := &cobra.Command{
		Use:   "mail-link USER",
		Short: "Mail a user a link by which they choose a password",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			purpose := "reset"
			if invite {
				purpose = "invite"
			}
			l, _, err := ask[resource.Link](cmd.Context(), t, linkRequest(args[0], purpose, true))
			if err == nil {
				t.say("A link for %s is on its way to %s.", ctl.Plain(args[0]), ctl.Plain(l.SentTo))
			}
			return err
		},
	}
	c.Flags().BoolVar(&invite, "invite", false, "an invitation, good for a week, instead of a reset, good for an hour")
	return c
}

func (t *tool) setRole() *cobra.Command {
	return &cobra.Command{
		Use:       "set-role USER ROLE",
		Short:     "Give a user a role: owner, admin, support, auditor, or none",
		Long:      "set-role says what a user may do to this service. It counts at their next request.\nYou cannot give a role that may do more than you.",
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{"owner", "admin", "support", "auditor", "none"},
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[1]
			if name == "none" {
				name = ""
			}
			_, _, err := ask[json.RawMessage](cmd.Context(), t, apiclient.Request{
				Method: http.MethodPut, Path: apiclient.Path("users", args[0], "role"), IfMatch: "*", Body: resource.RoleOf{Role: name},
			})
			if err == nil {
				t.say("The role of %s is %s.", ctl.Plain(args[0]), ctl.Plain(args[1]))
			}
			return err
		},
	}
}

func (t *tool) setLoginNames() *cobra.Command {
	return &cobra.Command{
		Use:   "set-login-names USER NAME...",
		Short: "Say what a user logs in with here",
		Long:  "set-login-names takes the place of the names there are. It also lets somebody who\nhas only come by another provider log in here, once they have a password.",
		Args:  cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			u, _, err := ask[resource.User](cmd.Context(), t, apiclient.Request{
				Method: http.MethodPut, Path: apiclient.Path("users", args[0], "login-names"), IfMatch: "*", Body: resource.LoginNames{LoginNames: args[1:]},
			})
			if err == nil {
				t.say("%s logs in as %s.", ctl.Plain(args[0]), ctl.Plain(strings.Join(u.LoginNames, " or ")))
			}
			return err
		},
	}
}

// setPassword sets a password outright, for whoever cannot be sent a link.
func (t *tool) setPassword() *cobra.Command {
	var file string
	var keep bool
	c := &cobra.Command{
		Use:   "set-password USER",
		Short: "Set a user's password outright",
		Long: `set-password sets a password that you choose, and ends the user's sessions and what
applications hold. You are asked for it twice, and it is not shown. A link is better, by
dexctl users reset: then nobody but the person knows it.`,
		Example: `  dexctl users set-password usr_…
  pwgen 24 1 | dexctl users set-password usr_… --password-file -`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := t.secret("New password for "+args[0]+": ", file, true)
			if err != nil {
				return err
			}
			_, _, err = ask[struct{}](cmd.Context(), t, apiclient.Request{
				Method: http.MethodPost, Path: apiclient.Path("users", args[0], "password"), Body: resource.NewPassword{Password: password, Keep: keep},
			})
			if err == nil {
				t.say("%s has another password.", ctl.Plain(args[0]))
			}
			return err
		},
	}
	c.Flags().StringVar(&file, "password-file", "", "a file with the password, which others cannot read; - for standard input")
	c.Flags().BoolVar(&keep, "keep-sessions", false, "leave their sessions, and what applications hold")
	return c
}

// identities are what somebody is known by elsewhere.
func (t *tool) identities() *cobra.Command {
	n := noun[resource.Identity]{
		one: "identity", many: "identities", short: "What a user is known by at connectors",
		path: "/users/{user}/identities", parent: "user",
		id: func(i resource.Identity) string { return i.Subject },
		columns: []column[resource.Identity]{
			{title: "CONNECTOR", of: func(i resource.Identity) string { return i.ConnectorID }},
			{title: "SUBJECT", of: func(i resource.Identity) string { return i.Subject }},
			{title: "USERNAME", of: func(i resource.Identity) string { return i.Username }},
			{title: "EMAIL", of: func(i resource.Identity) string { return i.Email }},
			{title: "GROUPS", of: func(i resource.Identity) string { return cut(strings.Join(i.Groups, " "), 60) }},
			{title: "CHECKED", of: func(i resource.Identity) string { return when(i.CheckedAt) }},
		},
	}
	return n.command(t)
}

func (t *tool) unlink() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "unlink USER CONNECTOR SUBJECT",
		Short: "Take an identity from a user, with what came of it",
		Args:  cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.confirm(fmt.Sprintf("Unlink %s at %s from %s?", args[2], args[1], args[0]), yes); err != nil {
				return err
			}
			_, _, err := ask[struct{}](cmd.Context(), t, apiclient.Request{
				Method: http.MethodDelete, Path: apiclient.Path("users", args[0], "identities", args[1]), Query: url.Values{"subject": {args[2]}},
			})
			if err == nil {
				t.say("%s is not let in by %s any more.", ctl.Plain(args[0]), ctl.Plain(args[1]))
			}
			return err
		},
	}
	bindYes(c, &yes)
	return c
}
