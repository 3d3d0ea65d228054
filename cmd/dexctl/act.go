package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/app/ctl"
)

// act is a verb that does something to a thing by one call, such as disable.
type act struct {
	verb, short string
	call        func(id string) apiclient.Request
	done        string   // what is said afterwards: "%s cannot log in any more."
	asks        string   // the question before what cannot be undone: "Delete the password of %s?"
	once        []string // members of the answer that are shown once, such as a link
}

// actCommand returns the command of an act.
func (n noun[T]) actCommand(t *tool, a act) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:               a.verb + " ID...",
		Short:             a.short,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: n.complete(t),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.asks != "" {
				if err := t.confirm(fmt.Sprintf(a.asks, strings.Join(args, ", ")), yes); err != nil {
					return err
				}
			}
			var failures []error
			for _, id := range args {
				answer, _, err := ask[json.RawMessage](cmd.Context(), t, a.call(id))
				if err != nil {
					failures = append(failures, err)
					continue
				}
				t.say(a.done, ctl.Plain(id))
				if len(a.once) > 0 {
					failures = append(failures, t.showOnce(answer, a.once))
				}
			}
			return errors.Join(failures...)
		},
	}
	if a.asks != "" {
		bindYes(c, &yes)
	}
	return c
}
