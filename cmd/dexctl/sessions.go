package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
)

// What somebody is signed in with, and what came of it. All of these are a person's.

func (t *tool) sessions() *cobra.Command {
	n := noun[resource.Session]{
		one: "session", many: "sessions", short: "Browsers that people are signed in with",
		path: "/users/{user}/sessions", parent: "user",
		id: func(s resource.Session) string { return s.ID },
		columns: []column[resource.Session]{
			{title: "ID", of: func(s resource.Session) string { return s.ID }},
			{title: "SINCE", of: func(s resource.Session) string { return when(s.CreatedAt) }},
			{title: "CONNECTOR", of: func(s resource.Session) string { return s.ConnectorID }},
			{title: "ADDRESS", of: func(s resource.Session) string { return s.RemoteAddr }},
			{title: "BROWSER", of: func(s resource.Session) string { return cut(s.UserAgent, 60) }},
			{title: "PROVED", of: func(s resource.Session) string { return when(s.AuthTime) }, wide: true},
			{title: "BY", of: func(s resource.Session) string { return strings.Join(s.Methods, " ") }, wide: true},
			{title: "UNTIL", of: func(s resource.Session) string { return when(s.ExpiresAt) }, wide: true},
		},
		acts: []act{{
			verb: "end", short: "End a session, with what was granted in it", done: "%s has ended.", asks: "End the session %s?",
			call: func(id string) apiclient.Request {
				return apiclient.Request{Method: http.MethodDelete, Path: apiclient.Path("sessions", id)}
			},
		}},
		more: []*cobra.Command{t.ofSomebody("end-all", "End all sessions of a user", "All sessions of %s have ended.", "sessions")},
	}
	return n.command(t)
}

func (t *tool) grants() *cobra.Command {
	n := noun[resource.Grant]{
		one: "grant", many: "grants", short: "What applications may do for people: what tokens come of",
		path: "/users/{user}/grants", parent: "user",
		id: func(g resource.Grant) string { return g.ID },
		columns: []column[resource.Grant]{
			{title: "ID", of: func(g resource.Grant) string { return g.ID }},
			{title: "CLIENT", of: func(g resource.Grant) string { return g.ClientID }},
			{title: "SINCE", of: func(g resource.Grant) string { return when(g.IssuedAt) }},
			{title: "REFRESHED", of: func(g resource.Grant) string { return times(g.Refreshed) }},
			{title: "SCOPES", of: func(g resource.Grant) string { return strings.Join(g.Scopes, " ") }},
			{title: "SESSION", of: func(g resource.Grant) string { return g.SessionID }, wide: true},
			{title: "ATTEMPT", of: func(g resource.Grant) string { return g.SupportCode }, wide: true},
		},
		acts: []act{{
			verb: "revoke", short: "Revoke a grant, with every token that came of it", done: "%s is revoked.", asks: "Revoke the grant %s?",
			call: func(id string) apiclient.Request {
				return apiclient.Request{Method: http.MethodDelete, Path: apiclient.Path("grants", id)}
			},
		}},
		more: []*cobra.Command{t.ofSomebody("revoke-all", "Revoke all grants of a user", "All grants of %s are revoked.", "grants")},
	}
	return n.command(t)
}

func (t *tool) consents() *cobra.Command {
	var yes bool
	revoke := &cobra.Command{
		Use:   "revoke USER CLIENT",
		Short: "Take back what a user has allowed an application",
		Long:  "revoke takes back what a user has allowed an application, and revokes the grants that\nrest on it. The user is asked again the next time.",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.confirm(fmt.Sprintf("Take back what %s has allowed %s?", args[0], args[1]), yes); err != nil {
				return err
			}
			_, _, err := ask[struct{}](cmd.Context(), t, apiclient.Request{Method: http.MethodDelete, Path: apiclient.Path("users", args[0], "consents", args[1])})
			if err == nil {
				t.say("%s is asked again before %s gets anything.", ctl.Plain(args[0]), ctl.Plain(args[1]))
			}
			return err
		},
	}
	bindYes(revoke, &yes)
	n := noun[resource.Consent]{
		one: "consent", many: "consents", short: "What people have allowed applications",
		path: "/users/{user}/consents", parent: "user",
		id: func(c resource.Consent) string { return c.ClientID },
		columns: []column[resource.Consent]{
			{title: "CLIENT", of: func(c resource.Consent) string { return c.ClientID }},
			{title: "SCOPES", of: func(c resource.Consent) string { return strings.Join(c.Scopes, " ") }},
			{title: "SINCE", of: func(c resource.Consent) string { return when(c.UpdatedAt) }},
		},
		more: []*cobra.Command{revoke},
	}
	return n.command(t)
}

// ofSomebody is a verb that ends all things of a kind that somebody has.
func (t *tool) ofSomebody(verb, short, done, things string) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   verb + " USER",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.confirm(fmt.Sprintf("%s: %s?", short, args[0]), yes); err != nil {
				return err
			}
			_, _, err := ask[struct{}](cmd.Context(), t, apiclient.Request{Method: http.MethodDelete, Path: apiclient.Path("users", args[0], things)})
			if err == nil {
				t.say(done, ctl.Plain(args[0]))
			}
			return err
		},
	}
	bindYes(c, &yes)
	return c
}

// times is a count of what may not have happened.
func times(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// cut shortens a text for a table.
func cut(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}
