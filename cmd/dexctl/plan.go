package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
)

// reconciliation is what a plan is asked of.
type reconciliation struct {
	resources json.RawMessage
	prune     bool
}

func (r reconciliation) body() map[string]any {
	return map[string]any{"resources": r.resources, "prune": r.prune}
}

// planned asks what would change.
func (t *tool) planned(ctx context.Context, r reconciliation) (resource.Plan, error) {
	p, _, err := ask[resource.Plan](ctx, t, apiclient.Request{Method: http.MethodPost, Path: "/plan", Body: r.body()})
	return p, err
}

// applied changes what a plan has said.
func (t *tool) applied(ctx context.Context, r reconciliation, basis string) (resource.Applied, error) {
	body := r.body()
	body["basis"] = basis
	done, _, err := ask[resource.Applied](ctx, t, apiclient.Request{Method: http.MethodPost, Path: "/apply", Body: body, Once: true})
	return done, err
}

// files are the flags of what reads files of resources.
type files struct {
	names []string
	prune bool
}

func (f *files) bind(c *cobra.Command) {
	c.Flags().StringArrayVarP(&f.names, "file", "f", nil, "a file of YAML or JSON, a folder of them, or - for standard input; may be given several times")
	c.Flags().BoolVar(&f.prune, "prune", false, "let go what such files have made and these do not name: clients and groups are deleted, connectors and users disabled")
	_ = c.MarkFlagRequired("file") // the flag exists
}

// read reads the files.
func (f *files) read(t *tool) (reconciliation, error) {
	all, err := t.Resources(f.names, t.In)
	if err != nil {
		return reconciliation{}, err
	}
	text, err := all.Handover()
	return reconciliation{resources: text, prune: f.prune}, err
}

func (t *tool) plan() *cobra.Command {
	var f files
	c := &cobra.Command{
		Use:   "plan -f FILE...",
		Short: "Show what would change so that there is what files say",
		Long: `plan reads files of clients, connectors, users and groups and shows what "dexctl apply"
would change, with how many people have used each client and connector in the last 30
days. Nothing is changed.
It ends with 0 if there is nothing to change, and with 3 if there is.

In the files, ${NAME} stands for a variable of the environment and ${file:PATH} for what
a file holds, so that no secret has to stand in them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := f.read(t)
			if err != nil {
				return err
			}
			p, err := t.planned(cmd.Context(), r)
			if err != nil {
				return err
			}
			if err := t.write(answer{doc: p, names: changed(p), story: func(w io.Writer) error { return tellPlan(w, p) }}); err != nil {
				return err
			}
			if len(p.Changes) > 0 {
				return ctl.EndWith(ctl.Found, "")
			}
			return nil
		},
	}
	f.bind(c)
	t.bindOutput(c, formTable)
	return c
}

func (t *tool) apply() *cobra.Command {
	var f files
	var yes bool
	var basis string
	c := &cobra.Command{
		Use:   "apply -f FILE...",
		Short: "Change what has to change so that there is what files say",
		Long: `apply plans, shows the plan, asks, and then does all of it in one step, or nothing. If
the server changes in between, nothing is done. With --basis it does only what the plan
of this basis has said, which "dexctl plan -o json" shows.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := f.read(t)
			if err != nil {
				return err
			}
			p, err := t.planned(cmd.Context(), r)
			if err != nil {
				return err
			}
			if basis != "" && basis != p.Basis {
				return ctl.EndWith(ctl.Conflict, "The server has changed since the plan of this basis, or the files have. Nothing is done: plan again.")
			}
			if len(p.Changes) == 0 {
				t.say("Nothing has to be changed.")
				return t.writeApplied(resource.Applied{})
			}
			if t.output.forPeople() {
				if err := tellPlan(t.Err, p); err != nil {
					return err
				}
			}
			if basis == "" {
				if err := t.confirm("Do this?", yes); err != nil {
					return err
				}
			}
			done, err := t.applied(cmd.Context(), r, p.Basis)
			if err != nil {
				return err
			}
			t.say("%s.", title(counted(len(done.Changes), "change is made", "changes are made")))
			return t.writeApplied(done)
		},
	}
	f.bind(c)
	bindYes(c, &yes)
	c.Flags().StringVar(&basis, "basis", "", "do it without asking if the plan has this basis still")
	t.bindOutput(c, formTable)
	return c
}

// writeApplied writes what came of it: for people the secrets that were made.
func (t *tool) writeApplied(done resource.Applied) error {
	if !t.output.forPeople() {
		return t.write(answer{doc: done})
	}
	if len(done.Secrets) == 0 {
		return nil
	}
	t.say("Keep these secrets now: they are never shown again.")
	a := answer{header: []string{"CLIENT", "SECRET"}}
	for _, s := range done.Secrets {
		a.rows = append(a.rows, []string{s.ClientID, s.Secret})
	}
	return t.write(a)
}

func (t *tool) export() *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "Write everything that is configured as a file that can be planned and applied",
		Long: `export writes clients and connectors as YAML, and the users and groups that files manage:
not who came by a login or was made by hand. A plan of it finds nothing to change.
Secrets and passwords are not in it; a comment says where there is one, and a plan that
leaves one out leaves it as it is.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			got, _, err := ask[resource.Export](cmd.Context(), t, apiclient.Request{Method: http.MethodGet, Path: "/export"})
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(t.Out, got.YAML)
			return err
		},
	}
}

// changed names what a plan changes.
func changed(p resource.Plan) (names []string) {
	for _, c := range p.Changes {
		names = append(names, c.Noun+"/"+c.ID)
	}
	return names
}

// signs stand before what happens to something.
var signs = map[string]string{"create": "+", "update": "~", "disable": "!", "delete": "-", "reorder": "~"}

// tellPlan tells people what would change.
func tellPlan(w io.Writer, p resource.Plan) error {
	if len(p.Changes) == 0 {
		_, err := fmt.Fprintln(w, "There is nothing to change.")
		return err
	}
	count := map[string]int{}
	for _, c := range p.Changes {
		action := string(c.Action)
		count[action]++
		line := fmt.Sprintf("%s %s %s %s", signs[action], action, c.Noun, ctl.Plain(c.ID))
		if action == "reorder" {
			line = signs[action] + " reorder the " + c.Noun + "s"
		}
		if c.People != nil {
			line += fmt.Sprintf("  (%s in the last 30 days)", counted(*c.People, "person", "people"))
		}
		if c.Why != "" {
			line += "  (" + ctl.Plain(c.Why) + ")"
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
		for _, f := range c.Fields {
			if _, err := fmt.Fprintln(w, "    "+ctl.Plain(becoming(f.Name, f.Before, f.After))); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%d to create, %d to change, %d to disable, %d to delete.\n",
		count["create"], count["update"]+count["reorder"], count["disable"], count["delete"])
	return err
}

// becoming tells what becomes of a member.
func becoming(name, before, after string) string {
	switch {
	case before == "":
		return name + ": " + after
	case after == "":
		return name + ": " + before + " → (left out)"
	default:
		return name + ": " + before + " → " + after
	}
}

// counted is a number of things.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
