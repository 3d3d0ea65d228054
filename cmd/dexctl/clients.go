package main

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/declare"
	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
)

// keptMembers are what is told of a part of the configuration and not declared of it.
var keptMembers = []string{"managed_by", "disabled_by", "version", "created_at", "updated_at", "secret_notes", "secret"}

func (t *tool) clients() *cobra.Command {
	n := noun[resource.Client]{
		one: "client", many: "clients", short: "Applications that people log in to", path: "/clients",
		id: func(c resource.Client) string { return c.ID },
		columns: []column[resource.Client]{
			{title: "ID", of: func(c resource.Client) string { return c.ID }},
			{title: "NAME", of: func(c resource.Client) string { return cut(cmp.Or(c.Declared.Name, c.ID), 40) }},
			{title: "TYPE", of: clientType},
			{title: "STATE", of: func(c resource.Client) string { return state(c.Declared.Disabled) }},
			{title: "MANAGED BY", of: func(c resource.Client) string { return c.ManagedBy }},
			{title: "CHANGED", of: func(c resource.Client) string { return when(c.UpdatedAt) }},
			{title: "REDIRECT URIS", of: func(c resource.Client) string { return strings.Join(c.Declared.RedirectURIs, " ") }, wide: true},
			{title: "GRANT TYPES", of: func(c resource.Client) string { return strings.Join(c.Declared.GrantTypes, " ") }, wide: true},
			{title: "SECRETS", of: func(c resource.Client) string { return times(len(c.SecretNotes)) }, wide: true},
		},
		filters: configuredFilters("registration"),
		fields:  clientFields(),
		example: `  dexctl clients create --id grafana --redirect-uri https://grafana.example.com/login/generic_oauth
  dexctl clients create --file client.yaml`,
		form: without[resource.Client](keptMembers...), once: []string{"secret"},
		removable: true, loses: "What people have allowed it is forgotten, and its tokens count no more.",
		acts: []act{
			{verb: "disable", short: "Disable a client, with all that it was given", done: "Client %s is disabled, everywhere.", call: posts("clients", "disable")},
			{verb: "enable", short: "Let a client work again", done: "Client %s is enabled.", call: posts("clients", "enable")},
			{
				verb: "add-secret", short: "Give a client one more secret, while the other still counts", done: "Client %s has one more secret.", once: []string{"secret"},
				call: func(id string) apiclient.Request {
					return apiclient.Request{Method: http.MethodPost, Path: apiclient.Path("clients", id, "secrets"), Once: true}
				},
			},
		},
		more: []*cobra.Command{t.removeSecret(), t.useOf("clients", "client")},
	}
	return n.command(t)
}

// clientFields are the flags of create: what operators alone say of a client, and all
// that is known of clients and can be said in a word.
func clientFields() []field {
	all := []field{
		{flag: "id", member: "id", usage: "the client_id"},
		{flag: "profile", member: "profile", usage: "standard, openid, fapi1 or fapi2"},
		{flag: "public", member: "public", usage: "it cannot keep a secret", kind: truth},
		{flag: "trusted", member: "trusted", usage: "it is your own: nobody is asked for consent", kind: truth},
	}
	for _, s := range declare.ClientSettings() {
		f := field{flag: strings.ReplaceAll(s.Name, "_", "-"), member: s.Name, usage: s.Is}
		switch {
		case s.List: // one at a time
			f.flag, f.kind = strings.TrimSuffix(f.flag, "s"), list
		case s.Truth:
			f.kind = truth
		}
		all = append(all, f)
	}
	return all
}

// configuredFilters are what every part of the configuration is looked for by. Some are
// declared in one more way.
func configuredFilters(more ...string) []filter {
	return []filter{
		{flag: "text", query: "text", usage: "only those with this in the id or the name"},
		{flag: "managed-by", query: "managed_by", usage: "only those that are declared by", values: append([]string{"file", "apply", "api"}, more...)},
		{flag: "state", query: "state", usage: "only those that are", values: []string{"enabled", "disabled"}},
	}
}

func clientType(c resource.Client) string {
	switch {
	case c.Declared.Public && c.Declared.Native:
		return "native"
	case c.Declared.Public:
		return "public"
	default:
		return "confidential"
	}
}

func state(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

// posts is the call of a verb that has an address of its own.
func posts(many, verb string) func(id string) apiclient.Request {
	return func(id string) apiclient.Request {
		return apiclient.Request{Method: http.MethodPost, Path: apiclient.Path(many, id, verb)}
	}
}

func (t *tool) removeSecret() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "remove-secret CLIENT SECRET",
		Short: "End a secret of a client, by the id that get shows",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.confirm(fmt.Sprintf("Let the secret %s of %s count no more?", args[1], args[0]), yes); err != nil {
				return err
			}
			_, _, err := ask[struct{}](cmd.Context(), t, apiclient.Request{Method: http.MethodDelete, Path: apiclient.Path("clients", args[0], "secrets", args[1])})
			if err == nil {
				t.say("The secret %s of %s counts nowhere any more.", ctl.Plain(args[1]), ctl.Plain(args[0]))
			}
			return err
		},
	}
	bindYes(c, &yes)
	return c
}

// useOf says how many people have used something lately.
func (t *tool) useOf(many, one string) *cobra.Command {
	c := &cobra.Command{
		Use:   "use ID",
		Short: fmt.Sprintf("Say how many people have used a %s lately", one),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			u, _, err := ask[resource.Use](cmd.Context(), t, apiclient.Request{Method: http.MethodGet, Path: apiclient.Path(many, args[0], "use")})
			if err != nil {
				return err
			}
			return t.write(answer{doc: u, names: []string{args[0]}, header: []string{"ID", "PEOPLE", "DAYS"}, rows: [][]string{{args[0], fmt.Sprint(u.People), fmt.Sprint(u.Days)}}})
		},
	}
	t.bindOutput(c, formTable)
	return c
}

// newClient is the first dex's way to register a client: what it writes can be taken
// into the environment of an application.
func (t *tool) newClient() *cobra.Command {
	var id, name string
	c := &cobra.Command{
		Use:   "new-client REDIRECT-URI...",
		Short: "Register a client, and write what its application needs as variables",
		Long: `new-client registers a client with these redirect URIs, and writes its id, its secret
and the URIs as variables for a shell:

    eval "$(dexctl new-client http://127.0.0.1:5555/callback)"

It is the same as "dexctl clients create" with another answer.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{"id": cmp.Or(id, "app-"+strings.ToLower(rand.Text()[:12])), "redirect_uris": args}
			if name != "" {
				body["name"] = name
			}
			made, _, err := ask[resource.Client](cmd.Context(), t, apiclient.Request{Method: http.MethodPost, Path: "/clients", Body: body, Once: true})
			if err != nil {
				return err
			}
			lines := []string{"DEX_APP_CLIENT_ID=" + quoted(made.ID), "DEX_APP_CLIENT_SECRET=" + quoted(made.Secret)}
			for i, uri := range args {
				lines = append(lines, fmt.Sprintf("DEX_APP_REDIRECTURL_%d=%s", i, quoted(uri)))
			}
			_, err = fmt.Fprintln(t.Out, strings.Join(lines, "\n"))
			return err
		},
	}
	c.Flags().StringVar(&id, "id", "", "the client_id; without one it is random")
	c.Flags().StringVar(&name, "name", "", "what people know it as")
	return c
}

// quoted writes a value as a shell reads it.
func quoted(value string) string {
	if strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:@%+,=") == "" && value != "" {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// declaredOf takes away what is told of something and not declared of it.
func declaredOf(raw json.RawMessage) (json.RawMessage, error) {
	return ctl.Without(raw, keptMembers...)
}
