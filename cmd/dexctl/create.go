package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dex/internal/admin/apiclient"
	"dex/internal/app/ctl"
)

func (n noun[T]) createCommand(t *tool) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:     "create",
		Short:   fmt.Sprintf("Make %s, or several", n.any()),
		Example: n.example,
		Args:    cobra.NoArgs,
	}
	c.Flags().StringVarP(&file, "file", "f", "", "read what to make from a file of YAML or JSON, - for standard input; several documents make several")
	t.bindOutput(c, formTable)
	exclusive := []string{"file"}
	for _, f := range n.fields {
		f.bind(c.Flags())
		exclusive = append(exclusive, f.flag)
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		forms, err := t.forms(cmd.Flags(), file, exclusive, n.fields)
		if err != nil {
			return err
		}
		return n.create(cmd.Context(), t, forms)
	}
	return c
}

// forms are what create is to make: what stands in a file, or what the flags say.
func (t *tool) forms(set *pflag.FlagSet, file string, exclusive []string, fields []field) ([]ctl.Form, error) {
	given := map[string]any{}
	for _, f := range fields {
		if set.Changed(f.flag) {
			given[f.member] = f.value(set)
		}
	}
	switch {
	case file != "" && len(given) > 0:
		return nil, badUse("--file says all there is to say: leave out the other flags")
	case file != "":
		return t.readForms(file)
	case len(given) == 0:
		return nil, badUse("say what to make: by --file%s", alternatives(exclusive[1:]))
	}
	body, err := json.Marshal(given)
	return []ctl.Form{ctl.FormOf(body)}, err
}

func alternatives(flags []string) string {
	if len(flags) == 0 {
		return ""
	}
	return fmt.Sprintf(", or by flags such as --%s", flags[0])
}

// readForms reads a file, or standard input.
func (t *tool) readForms(file string) ([]ctl.Form, error) {
	if file != "-" {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, badUse("%s", err)
		}
		return ctl.ReadForms(file, content)
	}
	content, err := io.ReadAll(t.In)
	if err != nil {
		return nil, err
	}
	return ctl.ReadForms("standard input", content)
}

// create makes one thing after the other. What was made before one fails stays, and is
// told.
func (n noun[T]) create(ctx context.Context, t *tool, forms []ctl.Form) error {
	var made []json.RawMessage
	var failure error
	for _, f := range forms {
		one, _, err := ask[json.RawMessage](ctx, t, apiclient.Request{Method: http.MethodPost, Path: n.path, Body: f.JSON, Once: true})
		if err != nil {
			failure = f.Explain(err)
			break
		}
		made = append(made, one)
	}
	items, err := decode[T](made)
	if err != nil {
		return err
	}
	if t.output.forPeople() {
		for i, item := range items {
			t.say("%s %s is made.", title(n.one), ctl.Plain(n.id(item)))
			if err := t.showOnce(made[i], n.once); err != nil {
				return err
			}
		}
	} else if len(made) > 0 {
		a := n.table(t, items, made)
		if len(made) == 1 {
			a.doc = made[0]
		}
		if err := t.write(a); err != nil {
			return err
		}
	}
	return failure
}

// showOnce writes what is shown once, where a script can take it from.
func (t *tool) showOnce(answer json.RawMessage, members []string) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(answer, &all); err != nil {
		return err
	}
	for _, member := range members {
		var value string
		if err := json.Unmarshal(all[member], &value); err != nil || value == "" {
			continue
		}
		t.say("Keep its %s now: it is never shown again.", member)
		if _, err := fmt.Fprintln(t.Out, ctl.Plain(value)); err != nil {
			return err
		}
	}
	return nil
}

func (f field) bind(set *pflag.FlagSet) {
	switch f.kind {
	case truth:
		set.Bool(f.flag, false, f.usage)
	case list:
		set.StringSlice(f.flag, nil, f.usage)
	default:
		set.String(f.flag, "", f.usage)
	}
}

func (f field) value(set *pflag.FlagSet) any {
	switch f.kind {
	case truth:
		v, _ := set.GetBool(f.flag)
		return v
	case list:
		v, _ := set.GetStringSlice(f.flag)
		return v
	default:
		v, _ := set.GetString(f.flag)
		return v
	}
}
