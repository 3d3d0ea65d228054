package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
)

// What completion asks for, and how long a shell waits.
const (
	completionMost     = 200
	completionPatience = 2 * time.Second
)

// pageSize is how many things are asked for at once when all are wanted.
const pageSize = 500

// page is a part of a list.
type page[T any] struct {
	items []T
	raw   []json.RawMessage
	next  string
}

// page asks for a part of the list.
func (n noun[T]) page(ctx context.Context, t *tool, path string, query url.Values) (page[T], error) {
	got, _, err := ask[resource.List[json.RawMessage]](ctx, t, apiclient.Request{Method: http.MethodGet, Path: path, Query: query})
	if err != nil {
		return page[T]{}, err
	}
	items, err := decode[T](got.Items)
	return page[T]{items: items, raw: got.Items, next: got.Next}, err
}

// listing is what list was asked for.
type listing struct {
	path    string
	limit   int
	cursor  string
	all     bool
	filters map[string]*string // by the parameter of the query
}

func (n noun[T]) listCommand(t *tool) *cobra.Command {
	l := listing{filters: map[string]*string{}}
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List " + n.many,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			l.path = n.path
			if n.parent != "" {
				l.path = strings.ReplaceAll(n.path, "{"+n.parent+"}", url.PathEscape(args[0]))
			}
			found, err := n.list(cmd.Context(), t, l)
			if err != nil {
				return err
			}
			if err := t.write(n.table(t, found.items, found.raw)); err != nil {
				return err
			}
			switch {
			case found.next != "":
				t.say("There are more: --all lists them all, --cursor %s goes on from here.", found.next)
			case len(found.items) == 0 && t.output.forPeople():
				t.say("There are no %s.", n.many)
			}
			return nil
		},
	}
	if n.parent != "" {
		c.Use, c.Short, c.Args = "list "+strings.ToUpper(n.parent), fmt.Sprintf("List the %s of a %s", n.many, n.parent), cobra.ExactArgs(1)
	}
	t.bindOutput(c, formTable)
	if !n.whole {
		c.Flags().IntVar(&l.limit, "limit", 50, "how many to list at most, up to 500")
		c.Flags().StringVar(&l.cursor, "cursor", "", "where to go on: what the part before has told")
		c.Flags().BoolVar(&l.all, "all", false, "list all, however many")
		c.MarkFlagsMutuallyExclusive("all", "limit")
	}
	for _, f := range n.filters {
		usage := f.usage
		if f.values != nil {
			usage += ": " + strings.Join(f.values, ", ")
		}
		l.filters[f.query] = c.Flags().String(f.flag, "", usage)
		if f.values != nil {
			_ = c.RegisterFlagCompletionFunc(f.flag, cobra.FixedCompletions(f.values, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
		}
	}
	return c
}

// list asks for the part of the list that is wanted, or for part after part.
func (n noun[T]) list(ctx context.Context, t *tool, l listing) (page[T], error) {
	query := url.Values{}
	for name, value := range l.filters {
		if *value != "" {
			query.Set(name, *value)
		}
	}
	if l.all {
		l.limit = pageSize
	}
	if !n.whole {
		query.Set("limit", fmt.Sprint(l.limit))
	}
	var found page[T]
	for cursor := l.cursor; ; cursor = found.next {
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		some, err := n.page(ctx, t, l.path, query)
		if err != nil {
			return found, err
		}
		found.items, found.raw, found.next = append(found.items, some.items...), append(found.raw, some.raw...), some.next
		if !l.all || some.next == "" {
			t.clearProgress()
			return found, nil
		}
		t.progress("%d %s so far", len(found.items), n.many)
	}
}

func (n noun[T]) getCommand(t *tool) *cobra.Command {
	c := &cobra.Command{
		Use:               "get ID...",
		Short:             fmt.Sprintf("Show %s with everything that is known of it", n.any()),
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: n.complete(t),
		RunE: func(cmd *cobra.Command, args []string) error {
			var raw []json.RawMessage
			for _, id := range args {
				one, _, err := ask[json.RawMessage](cmd.Context(), t, apiclient.Request{Method: http.MethodGet, Path: n.at(id)})
				if err != nil {
					return err
				}
				raw = append(raw, one)
			}
			items, err := decode[T](raw)
			if err != nil {
				return err
			}
			a := n.table(t, items, raw)
			if len(raw) == 1 {
				a.doc = raw[0]
			}
			return t.write(a)
		},
	}
	t.bindOutput(c, formYAML)
	return c
}

// offer returns the ids that begin as what was typed, without those that stand there
// already.
func offer[T any](items []T, id func(T) string, args []string, prefix string) (ids []string) {
	for _, item := range items {
		if one := id(item); strings.HasPrefix(one, prefix) && !slices.Contains(args, one) {
			ids = append(ids, one)
		}
	}
	return ids
}
