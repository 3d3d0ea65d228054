package main

import (
	"cmp"
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

func (t *tool) connectors() *cobra.Command {
	n := noun[resource.Connector]{
		one: "connector", many: "connectors", short: "Ways to find out who somebody is", path: "/connectors",
		id: func(c resource.Connector) string { return c.ID },
		columns: []column[resource.Connector]{
			{title: "ID", of: func(c resource.Connector) string { return c.ID }},
			{title: "KIND", of: func(c resource.Connector) string { return c.Declared.Kind }},
			{title: "NAME", of: func(c resource.Connector) string { return cut(cmp.Or(c.Declared.Name, c.ID), 40) }},
			{title: "STATE", of: func(c resource.Connector) string { return state(c.Declared.Disabled) }},
			{title: "MANAGED BY", of: func(c resource.Connector) string { return c.ManagedBy }},
			{title: "CHANGED", of: func(c resource.Connector) string { return when(c.UpdatedAt) }},
			{title: "DOMAINS", of: func(c resource.Connector) string { return strings.Join(c.Declared.AuthoritativeDomains, " ") }, wide: true},
		},
		filters: append(configuredFilters(), filter{flag: "kind", query: "kind", usage: "only those of a kind"}),
		example: "  dexctl connectors create --file connector.yaml",
		form:    without[resource.Connector](keptMembers...),
		acts: []act{
			{verb: "disable", short: "Disable a connector, with all that came by it", done: "Connector %s is disabled, everywhere.", call: posts("connectors", "disable")},
			{verb: "enable", short: "Let people in by a connector again", done: "Connector %s is enabled.", call: posts("connectors", "enable")},
		},
		more: []*cobra.Command{t.deleteConnector(), t.testConnector(), t.useOf("connectors", "connector")},
	}
	return n.command(t)
}

func (t *tool) deleteConnector() *cobra.Command {
	var yes, forget bool
	c := &cobra.Command{
		Use:     "delete ID",
		Aliases: []string{"rm"},
		Short:   "Delete a connector",
		Long: `delete removes a connector. If people are known by it, it is refused, unless you say
--forget-people: their accounts stay, and they cannot log in by it any more. Another
connector of the same id would speak for people that the first has known.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			question, query := fmt.Sprintf("Delete connector %s?", args[0]), url.Values{}
			if forget {
				question += " Whoever is known by it cannot log in by it again."
				query.Set("people", "forget")
			}
			if err := t.confirm(question, yes); err != nil {
				return err
			}
			_, _, err := ask[json.RawMessage](cmd.Context(), t, apiclient.Request{Method: http.MethodDelete, Path: apiclient.Path("connectors", args[0]), Query: query, IfMatch: "*"})
			if err == nil {
				t.say("Connector %s is deleted.", ctl.Plain(args[0]))
			}
			return err
		},
	}
	bindYes(c, &yes)
	c.Flags().BoolVar(&forget, "forget-people", false, "forget who is known by it")
	return c
}

func (t *tool) testConnector() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "test [ID]",
		Short: "Try a connector out: one that there is, or one in a file",
		Long: `test opens a connector and asks whether it works. It ends with 0 if it does, and with 1
if not. With --file nothing is kept: it is for before you create or change one.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r apiclient.Request
			var form ctl.Form
			switch {
			case len(args) == 1 && file == "":
				r = apiclient.Request{Method: http.MethodPost, Path: apiclient.Path("connectors", args[0], "test")}
			case len(args) == 0 && file != "":
				forms, err := t.readForms(file)
				if err != nil {
					return err
				}
				if len(forms) != 1 {
					return badUse("%s holds %d things; one connector is tried out at a time", file, len(forms))
				}
				form = forms[0]
				r = apiclient.Request{Method: http.MethodPost, Path: "/connectors/test", Body: form.JSON}
			default:
				return badUse("say which connector: by its id, or by --file")
			}
			got, _, err := ask[resource.ConnectorTest](cmd.Context(), t, r)
			if err != nil {
				return form.Explain(err)
			}
			return t.tested(got)
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "try out what stands in this file of YAML or JSON, - for standard input")
	t.bindOutput(c, formTable)
	return c
}

// tested tells what came of a test.
func (t *tool) tested(got resource.ConnectorTest) error {
	if !t.output.forPeople() {
		if err := t.write(answer{doc: got}); err != nil {
			return err
		}
	}
	switch {
	case !got.Works:
		return ctl.EndWith(ctl.Failed, "It does not work: %s", got.Problem)
	case !got.Tested:
		t.say("Its settings are right. Whether it works shows when somebody logs in: its kind cannot be asked.")
	default:
		t.say("It works.")
	}
	return nil
}

// getConnectorConfigs is the first dex's way to read all connectors.
func (t *tool) getConnectorConfigs() *cobra.Command {
	c := &cobra.Command{
		Use:   "get-connector-configs",
		Short: "Write all connectors as set-connector-configs reads them, without secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := t.api()
			if err != nil {
				return err
			}
			all := []json.RawMessage{}
			for raw, err := range apiclient.All[json.RawMessage](cmd.Context(), client, "/connectors", nil) {
				if err != nil {
					return err
				}
				one, err := declaredOf(raw)
				if err != nil {
					return err
				}
				all = append(all, one)
			}
			return t.write(answer{doc: all})
		},
	}
	t.bindOutput(c, formJSON)
	return c
}

// setConnectorConfigs is the first dex's way to write connectors.
func (t *tool) setConnectorConfigs() *cobra.Command {
	return &cobra.Command{
		Use:   "set-connector-configs FILE",
		Short: "Create or change the connectors in a file, - for standard input",
		Long: `set-connector-configs takes a list of connectors, in JSON or YAML, and makes it so in one
step: those that there are not are created, the others changed. One that the list does
not name stays; "dexctl connectors delete" removes it. It is the same as "dexctl apply"
of a file with a section "connectors".`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			forms, err := t.readForms(args[0])
			if err != nil {
				return err
			}
			list := make([]json.RawMessage, len(forms))
			for i, f := range forms {
				list[i] = f.JSON
			}
			resources, err := json.Marshal(map[string]any{"connectors": list})
			if err != nil {
				return err
			}
			r := reconciliation{resources: resources}
			p, err := t.planned(cmd.Context(), r)
			if err != nil {
				return err
			}
			if len(p.Changes) == 0 {
				t.say("Nothing has to be changed.")
				return nil
			}
			done, err := t.applied(cmd.Context(), r, p.Basis)
			if err == nil {
				t.say("%s.", title(counted(len(done.Changes), "change is made", "changes are made")))
			}
			return err
		},
	}
}
