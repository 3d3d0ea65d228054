package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
)

func (t *tool) keys() *cobra.Command {
	n := signingKeys()
	n.more = []*cobra.Command{t.rotate(), t.compromise(n), t.reseal()}
	return n.command(t)
}

func signingKeys() noun[resource.Key] {
	return noun[resource.Key]{
		one: "key", many: "keys", short: "The keys that tokens are signed with",
		path: "/keys", listOnly: true, whole: true,
		id: func(k resource.Key) string { return k.ID },
		columns: []column[resource.Key]{
			{title: "ID", of: func(k resource.Key) string { return k.ID }},
			{title: "ALGORITHM", of: func(k resource.Key) string { return k.Algorithm }},
			{title: "STATE", of: func(k resource.Key) string { return k.State }},
			{title: "SIGNS FROM", of: func(k resource.Key) string { return when(k.SignFrom) }},
			{title: "UNTIL", of: func(k resource.Key) string { return when(k.SignUntil) }},
			{title: "ANNOUNCED", of: func(k resource.Key) string { return when(k.PublishAt) }, wide: true},
			{title: "REMOVED", of: func(k resource.Key) string { return when(k.UnpublishAt) }, wide: true},
		},
	}
}

func (t *tool) rotate() *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Announce successors of the signing keys now",
		Long: `rotate announces a successor of each signing key at once. The successors sign as soon as
every application can have fetched them, a day and an hour later unless keys.lead says
otherwise, so that nobody notices.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return t.answerKeys(cmd, apiclient.Request{Method: http.MethodPost, Path: "/keys/rotate"}, "The successors are announced.")
		},
	}
	t.bindOutput(c, formTable)
	return c
}

func (t *tool) compromise(n noun[resource.Key]) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "compromise ID",
		Short: "Say that others know a signing key",
		Long: `compromise removes a key at once: what it has signed counts no more, and people whose
applications hold such tokens log in again. Its successor signs at once, before every
application has fetched it, so that some refuse tokens until they fetch the keys anew.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: n.complete(t),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.confirm(fmt.Sprintf("Remove the key %s at once, with everything that it has signed?", args[0]), yes); err != nil {
				return err
			}
			return t.answerKeys(cmd, apiclient.Request{Method: http.MethodPost, Path: apiclient.Path("keys", args[0], "compromise")}, "The key "+ctl.Plain(args[0])+" is gone.")
		},
	}
	bindYes(c, &yes)
	t.bindOutput(c, formTable)
	return c
}

// answerKeys does something to the keys, and shows how they stand then.
func (t *tool) answerKeys(cmd *cobra.Command, r apiclient.Request, done string) error {
	got, _, err := ask[resource.List[json.RawMessage]](cmd.Context(), t, r)
	if err != nil {
		return err
	}
	items, err := decode[resource.Key](got.Items)
	if err != nil {
		return err
	}
	t.say("%s", done)
	return t.write(signingKeys().table(t, items, got.Items))
}

func (t *tool) reseal() *cobra.Command {
	return &cobra.Command{
		Use:   "reseal",
		Short: "Seal everything that is kept under the first key secret",
		Long: `reseal opens everything that the database keeps sealed, and seals it under the first of
key_secrets. Afterwards the other secrets can be taken out. It can be interrupted and
begun again at any time.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows := 0
			for {
				got, _, err := ask[resource.Resealed](cmd.Context(), t, apiclient.Request{Method: http.MethodPost, Path: "/keys/reseal"})
				if err != nil {
					t.clearProgress()
					return err
				}
				rows += got.Rows
				if !got.More {
					break
				}
				t.progress("%d sealed anew so far", rows)
			}
			t.clearProgress()
			t.say("Sealed anew: %d. Everything is under the first key secret.", rows)
			return nil
		},
	}
}
