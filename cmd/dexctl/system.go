package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
)

// How the installation stands, and what it does now and then.

func (t *tool) state() *cobra.Command {
	c := &cobra.Command{
		Use:   "state",
		Short: "Say how the installation stands, and how it does",
		Long: `state says whether there has been a first administrator and which schema the database
has, which anybody may know; and to whoever may see it, what is not well: duties that
fail and messages that could not be delivered.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			open, err := t.anybody()
			if err != nil {
				return err
			}
			now, _, err := apiclient.Do[resource.State](cmd.Context(), open, apiclient.Request{Method: http.MethodGet, Path: "/state"})
			if err != nil {
				return err
			}
			found := standing{State: now}
			if now.Bootstrapped {
				health, _, err := ask[resource.Health](cmd.Context(), t, apiclient.Request{Method: http.MethodGet, Path: "/health"})
				if found.Health = &health; err != nil {
					found.Health, found.Unseen = nil, ctl.Message(err)
				}
			}
			return t.write(answer{doc: found, names: []string{fmt.Sprint(now.Schema)}, story: found.tell})
		},
	}
	t.bindOutput(c, formTable)
	return c
}

// standing is all that state tells.
type standing struct {
	resource.State
	Health *resource.Health `json:"health,omitempty"`
	Unseen string           `json:"unseen,omitempty"` // why the health is not told
}

func (s standing) tell(w io.Writer) error {
	var b strings.Builder
	switch {
	case s.Schema < s.Needs:
		fmt.Fprintf(&b, "The database has schema %d, and this server waits for schema %d.\n", s.Schema, s.Needs)
	default:
		fmt.Fprintf(&b, "The database has schema %d.\n", s.Schema)
	}
	if !s.Bootstrapped {
		b.WriteString("There is no administrator yet: run dexctl bootstrap.\n")
	}
	if h := s.Health; h != nil {
		for _, p := range h.Problems {
			b.WriteString(ctl.Plain(p) + "\n")
		}
		if h.Well {
			b.WriteString("All is well.\n")
		}
		if h.Waiting > 0 {
			fmt.Fprintf(&b, "%d messages wait to be delivered.\n", h.Waiting)
		}
	}
	if s.Unseen != "" {
		fmt.Fprintf(&b, "How it does is not told to you: %s\n", s.Unseen)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *tool) duties() *cobra.Command {
	n := noun[resource.Duty]{
		one: "duty", many: "duties", short: "What is done now and then, by one process at a time",
		path: "/duties", listOnly: true, whole: true,
		id: func(d resource.Duty) string { return d.Name },
		columns: []column[resource.Duty]{
			{title: "NAME", of: func(d resource.Duty) string { return d.Name }},
			{title: "STATE", of: func(d resource.Duty) string { return d.State }},
			{title: "DONE", of: func(d resource.Duty) string { return when(d.DoneAt) }},
			{title: "DID", of: func(d resource.Duty) string { return cut(d.Did, 60) }},
			{title: "PROBLEM", of: func(d resource.Duty) string { return cut(d.Problem, 60) }},
			{title: "FAILED", of: func(d resource.Duty) string { return when(d.FailedAt) }, wide: true},
			{title: "BY", of: func(d resource.Duty) string { return d.Holder }, wide: true},
			{title: "RUNS", of: func(d resource.Duty) string { return fmt.Sprint(d.Runs) }, wide: true},
			{title: "FAILURES", of: func(d resource.Duty) string { return fmt.Sprint(d.Failures) }, wide: true},
		},
	}
	run := &cobra.Command{
		Use:               "run NAME",
		Short:             "Do a duty at once",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: n.complete(t),
		RunE: func(cmd *cobra.Command, args []string) error {
			got, _, err := ask[resource.DutyDone](cmd.Context(), t, apiclient.Request{Method: http.MethodPost, Path: apiclient.Path("duties", args[0], "run")})
			if err != nil {
				return err
			}
			if got.Did == "" {
				got.Did = "There was nothing to do."
			}
			t.say("%s", ctl.Plain(got.Did))
			return nil
		},
	}
	n.more = []*cobra.Command{run}
	return n.command(t)
}

func (t *tool) outbox() *cobra.Command {
	return noun[resource.Letter]{
		one: "message", many: "messages", name: "outbox", short: "What waits to be delivered: mail and notices",
		path: "/outbox", listOnly: true,
		id: func(l resource.Letter) string { return l.ID },
		columns: []column[resource.Letter]{
			{title: "ID", of: func(l resource.Letter) string { return l.ID }},
			{title: "KIND", of: func(l resource.Letter) string { return l.Kind }},
			{title: "SINCE", of: func(l resource.Letter) string { return when(l.CreatedAt) }},
			{title: "TRIED", of: func(l resource.Letter) string { return times(l.Attempts) }},
			{title: "NEXT", of: func(l resource.Letter) string {
				if !l.DeadAt.IsZero() {
					return "given up"
				}
				return when(l.NextAt)
			}},
			{title: "PROBLEM", of: func(l resource.Letter) string { return cut(l.Problem, 60) }},
		},
		filters: []filter{{flag: "dead", query: "dead", usage: "only those that were given up", values: []string{"true", "false"}}},
		acts: []act{
			{verb: "retry", short: "Try to deliver a message at once, as if for the first time", done: "%s is tried again.", call: posts("outbox", "retry")},
			{verb: "drop", short: "Throw a message away", done: "%s is gone.", asks: "Throw %s away, undelivered?", call: func(id string) apiclient.Request {
				return apiclient.Request{Method: http.MethodDelete, Path: apiclient.Path("outbox", id)}
			}},
		},
	}.command(t)
}
