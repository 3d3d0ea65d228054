package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/app/ctl"
)

// noun is a kind of thing that the API manages under one path. What dexctl can do to it
// follows from this table: a noun that says how it is written has create and edit, one
// whose things can go has delete. T is how the API shows one.
type noun[T any] struct {
	one, many string // "client", "clients": the second is the command's name …
	name      string // … unless it has another
	aliases   []string
	short     string // of the help

	path string // below /api/v1, such as "/clients"
	// parent is whose things these are, such as "user": list is told which one, and the
	// path has a place for it, as "/users/{user}/sessions" has. Such things are shown
	// by list alone.
	parent string
	// listOnly says that there is no route to get one by its id.
	listOnly bool
	// whole says that the list comes in one part: it knows no limit and no cursor.
	whole   bool
	id      func(T) string
	columns []column[T]
	filters []filter // flags of list

	// fields are flags of create, for those who write no file; none keeps things from
	// being made.
	fields []field
	// example is a file for create, for the help.
	example string
	// form is what an operator may write of a thing, to be edited; nil if nothing.
	form func(T) any
	// once are members of the answer to create that are shown once and never again.
	once []string
	// removable says that delete is one of the verbs.
	removable bool
	// loses says what else goes when a thing is deleted, for the question.
	loses string

	acts []act            // verbs that are one call
	more []*cobra.Command // verbs of any other kind
}

// column is a column of a noun's table.
type column[T any] struct {
	title string
	of    func(T) string
	wide  bool // shown by -o wide only
}

// filter is a flag of list, and the parameter of the query that it becomes.
type filter struct {
	flag, query, usage string
	values             []string // those that there are; nil for any
}

// field is a flag of create, and the member that it becomes.
type field struct {
	flag, member, usage string
	kind                fieldKind
}

type fieldKind int

const (
	text  fieldKind = iota
	truth           // true or false
	list            // may be given several times, or with commas
)

// command returns the noun's command with all its verbs.
func (n noun[T]) command(t *tool) *cobra.Command {
	verbs := []*cobra.Command{n.listCommand(t)}
	if n.parent == "" && !n.listOnly {
		verbs = append(verbs, n.getCommand(t))
	}
	if n.fields != nil || n.example != "" {
		verbs = append(verbs, n.createCommand(t))
	}
	if n.form != nil {
		verbs = append(verbs, n.editCommand(t))
	}
	if n.removable {
		verbs = append(verbs, n.deleteCommand(t))
	}
	for _, a := range n.acts {
		verbs = append(verbs, n.actCommand(t, a))
	}
	c := group(cmp.Or(n.name, n.many), n.short, append(verbs, n.more...)...)
	c.Aliases = n.aliases
	return c
}

// any is one of them, whichever: "a client", "an initial token".
func (n noun[T]) any() string {
	if strings.ContainsRune("aeiou", rune(n.one[0])) && n.one != "user" {
		return "an " + n.one
	}
	return "a " + n.one
}

// at is the path of one thing.
func (n noun[T]) at(id string) string { return n.path + "/" + url.PathEscape(id) }

// table turns things into an answer of every form.
func (n noun[T]) table(t *tool, items []T, raw []json.RawMessage) answer {
	a := answer{doc: raw}
	if raw == nil {
		a.doc = []json.RawMessage{}
	}
	shown := n.shown(t)
	for _, c := range shown {
		a.header = append(a.header, c.title)
	}
	for _, item := range items {
		a.names = append(a.names, n.id(item))
		var row []string
		for _, c := range shown {
			row = append(row, c.of(item))
		}
		a.rows = append(a.rows, row)
	}
	return a
}

// shown are the columns of the form that was asked for.
func (n noun[T]) shown(t *tool) (shown []column[T]) {
	for _, c := range n.columns {
		if !c.wide || t.output.form == formWide {
			shown = append(shown, c)
		}
	}
	return shown
}

// complete offers the ids of things that there are.
func (n noun[T]) complete(t *tool) cobra.CompletionFunc {
	if n.parent != "" { // nobody knows yet whose
		return cobra.NoFileCompletions
	}
	return func(cmd *cobra.Command, args []string, prefix string) (ids []string, _ cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		query := url.Values{}
		if !n.whole {
			query.Set("limit", fmt.Sprint(completionMost))
		}
		page, err := n.page(ctx, t, n.path, query)
		if err != nil { // a shell has no place for it
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offer(page.items, n.id, args, prefix), cobra.ShellCompDirectiveNoFileComp
	}
}

// decode reads things out of what the API has answered.
func decode[T any](raw []json.RawMessage) ([]T, error) {
	items := make([]T, len(raw))
	for i, text := range raw {
		if err := json.Unmarshal(text, &items[i]); err != nil {
			return nil, fmt.Errorf("the server's answer is not what this version of dexctl expects: %w", err)
		}
	}
	return items, nil
}

// badUse is an error of the command line.
func badUse(format string, args ...any) error { return ctl.EndWith(ctl.BadUse, format, args...) }
