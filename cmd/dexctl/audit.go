package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
)

func (t *tool) audit() *cobra.Command {
	n := noun[resource.Event]{
		one: "event", many: "events", short: "The record of what was done",
		path: "/audit", parent: "",
		id: func(e resource.Event) string { return e.ID },
		columns: []column[resource.Event]{
			{title: "AT", of: func(e resource.Event) string { return e.At.UTC().Format(time.DateTime) }},
			{title: "WHAT", of: func(e resource.Event) string { return e.Kind }},
			{title: "BY", of: func(e resource.Event) string { return e.Actor }},
			{title: "ABOUT", of: about},
			{title: "FROM", of: func(e resource.Event) string { return e.RemoteAddr }},
			{title: "ATTEMPT", of: func(e resource.Event) string { return e.SupportCode }, wide: true},
			{title: "DETAIL", of: detail, wide: true},
			{title: "ID", of: func(e resource.Event) string { return e.ID }, wide: true},
		},
		filters: []filter{
			{flag: "kind", query: "kind", usage: "only this kind of event, such as user.disabled"},
			{flag: "user", query: "user", usage: "only what was about this user"},
			{flag: "client", query: "client", usage: "only what was about this client"},
			{flag: "since", query: "since", usage: "from this moment on, such as 2026-06-01T12:00:00Z"},
			{flag: "until", query: "until", usage: "before this moment"},
		},
	}
	return group("audit", n.short, n.followed(t))
}

// about says whom or what an event was about.
func about(e resource.Event) string {
	var parts []string
	for _, one := range []struct{ what, id string }{
		{"user", e.UserID}, {"client", e.ClientID}, {"session", e.SessionID}, {"grant", e.GrantID}, {"connector", e.ConnectorID},
	} {
		if one.id != "" && len(parts) < 2 {
			parts = append(parts, one.what+" "+one.id)
		}
	}
	return strings.Join(parts, ", ")
}

func detail(e resource.Event) string {
	var parts []string
	for name, value := range e.Detail {
		parts = append(parts, name+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// followPause is how long follow waits before it asks again.
const followPause = 2 * time.Second

// followed is the list of events, which can go on with those that are yet to come.
func (n noun[T]) followed(t *tool) *cobra.Command {
	c, follow := n.listCommand(t), false
	c.Short = "List what was done, the last first"
	c.Long = `list shows the record, the last event first. With --follow it shows what is done from
now on instead, the last at the end, until it is interrupted; with -o json each event is
a line then.`
	c.Flags().BoolVarP(&follow, "follow", "f", false, "show what is done from now on, as it is done")
	for _, other := range []string{"all", "limit", "cursor", "until", "since"} {
		c.MarkFlagsMutuallyExclusive("follow", other)
	}
	list := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if !follow {
			return list(cmd, args)
		}
		f := follower{tool: t, query: url.Values{"limit": {"500"}}, seen: map[string]time.Time{}}
		for _, one := range n.filters {
			if value, _ := cmd.Flags().GetString(one.flag); value != "" {
				f.query.Set(one.query, value)
			}
		}
		return f.follow(cmd.Context())
	}
	return c
}

// follower remembers what it has seen.
type follower struct {
	tool  *tool
	query url.Values
	since time.Time            // of the last event
	seen  map[string]time.Time // the events of late, by their ids
}

// overlap is how far back each question goes beyond what has been seen: an event is
// written in the transaction of its deed, which may end after a later one's.
const overlap = 30 * time.Second

// follow shows events until it is interrupted. Those before it began are passed over.
func (f *follower) follow(ctx context.Context) error {
	began, err := f.last(ctx)
	if err != nil {
		return err
	}
	f.since = began
	for first := true; ; first = false {
		events, err := f.news(ctx)
		if errors.Is(err, context.Canceled) {
			return nil // that is how it ends
		}
		if err != nil {
			return err
		}
		for _, e := range events {
			if first && !e.At.After(began) {
				continue
			}
			if err := f.show(e); err != nil {
				return err
			}
		}
		if err := f.tool.Wait(ctx, followPause); errors.Is(err, context.Canceled) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// last returns when the last event was; zero if there was none.
func (f *follower) last(ctx context.Context) (time.Time, error) {
	for e, err := range f.events(ctx, f.query) {
		return e.At, err
	}
	return time.Time{}, nil
}

// events goes through the record, the last event first.
func (f *follower) events(ctx context.Context, query url.Values) iter.Seq2[resource.Event, error] {
	c, err := f.tool.api()
	if err != nil {
		return func(yield func(resource.Event, error) bool) { yield(resource.Event{}, err) }
	}
	return apiclient.All[resource.Event](ctx, c, "/audit", query)
}

// news returns the events that were not seen yet, the oldest first.
func (f *follower) news(ctx context.Context) ([]resource.Event, error) {
	query := maps.Clone(f.query)
	if !f.since.IsZero() {
		query.Set("since", f.since.Add(-overlap).UTC().Format(time.RFC3339Nano))
	}
	var fresh []resource.Event
	for e, err := range f.events(ctx, query) {
		if err != nil {
			return nil, err
		}
		if _, known := f.seen[e.ID]; !known {
			fresh = append(fresh, e)
			f.seen[e.ID] = e.At
		}
	}
	for _, e := range fresh {
		if e.At.After(f.since) {
			f.since = e.At
		}
	}
	maps.DeleteFunc(f.seen, func(_ string, at time.Time) bool { return at.Before(f.since.Add(-overlap)) })
	slices.SortFunc(fresh, func(a, b resource.Event) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return fresh, nil
}

// show writes one event on a line of its own.
func (f *follower) show(e resource.Event) error {
	line := fmt.Sprintf("%s  %-24s %-28s %s", e.At.UTC().Format(time.DateTime), ctl.Plain(e.Kind), ctl.Plain(cmp.Or(e.Actor, "-")), ctl.Plain(about(e)))
	if d := detail(e); d != "" {
		line += "  " + ctl.Plain(d)
	}
	if f.tool.output.form == formJSON {
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		line = string(text)
	}
	_, err := fmt.Fprintln(f.tool.Out, line)
	return err
}
