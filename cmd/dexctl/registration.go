package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
)

func (t *tool) initialTokens() *cobra.Command {
	n := noun[resource.InitialToken]{
		one: "initial token", many: "initial-tokens", short: "Tokens by which applications register themselves", path: "/initial-tokens",
		listOnly: true,
		id:       func(i resource.InitialToken) string { return i.ID },
		columns: []column[resource.InitialToken]{
			{title: "ID", of: func(i resource.InitialToken) string { return i.ID }},
			{title: "NOTE", of: func(i resource.InitialToken) string { return cut(i.Note, 40) }},
			{title: "PROFILE", of: func(i resource.InitialToken) string { return i.Profile }},
			{title: "USES LEFT", of: func(i resource.InitialToken) string { return fmt.Sprint(i.UsesLeft) }},
			{title: "EXPIRES", of: func(i resource.InitialToken) string { return when(i.ExpiresAt) }},
			{title: "BY", of: func(i resource.InitialToken) string { return i.CreatedBy }, wide: true},
		},
		fields: []field{
			{flag: "note", member: "note", usage: "what it is for"},
			{flag: "profile", member: "profile", usage: "the profile of the applications: standard, openid, fapi1 or fapi2"},
		},
		example: "  dexctl initial-tokens create --note \"the build farm\" --profile standard",
		once:    []string{"token"}, removable: true, loses: "What was registered with it stays.",
	}
	return n.command(t)
}

// registration says what applications may register themselves for.
func (t *tool) registration() *cobra.Command {
	get := &cobra.Command{
		Use: "get", Short: "Say what applications may register themselves for", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, _, err := ask[resource.Registration](cmd.Context(), t, apiclient.Request{Method: http.MethodGet, Path: "/registration"})
			if err != nil {
				return err
			}
			return t.write(answer{
				doc: r, names: []string{r.Admission}, header: []string{"ADMISSION", "PROFILE", "SCOPES", "GRANT TYPES"},
				rows: [][]string{{r.Admission, r.Profile, strings.Join(r.Scopes, " "), strings.Join(r.GrantTypes, " ")}},
			})
		},
	}
	t.bindOutput(get, formTable)
	var r resource.Registration
	set := &cobra.Command{
		Use: "set", Short: "Say what applications may register themselves for from now on", Args: cobra.NoArgs,
		Long: `set says who may register applications, and for what. What is left out is as if it had
never been said:

    dexctl registration set --admission token --profile openid`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, _, err := ask[resource.Registration](cmd.Context(), t, apiclient.Request{
				Method: http.MethodPut, Path: "/registration", Body: r, IfMatch: "*",
			})
			if err == nil {
				t.say("Who may register applications from now on: %s.", ctl.Plain(r.Admission))
			}
			return err
		},
	}
	set.Flags().StringVar(&r.Admission, "admission", "", "off, token or open")
	set.Flags().StringVar(&r.Profile, "profile", "", "the profile of such applications")
	set.Flags().StringSliceVar(&r.Scopes, "scope", nil, "a scope that they may have")
	set.Flags().StringSliceVar(&r.GrantTypes, "grant-type", nil, "a grant type that they may have")
	set.Flags().IntVar(&r.Most, "most", 0, "how many there may be at once")
	_ = set.MarkFlagRequired("admission") // it is there
	return group("registration", "What applications may register themselves for", get, set)
}
