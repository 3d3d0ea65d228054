package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/app/ctl"
)

func (n noun[T]) deleteCommand(t *tool) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:               "delete ID...",
		Aliases:           []string{"rm"},
		Short:             fmt.Sprintf("Delete %s, or several", n.any()),
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: n.complete(t),
		RunE: func(cmd *cobra.Command, args []string) error {
			question := fmt.Sprintf("Delete %s %s?", n.one, strings.Join(args, ", "))
			if n.loses != "" {
				question += " " + n.loses
			}
			if err := t.confirm(question, yes); err != nil {
				return err
			}
			var failures []error
			for _, id := range args {
				_, _, err := ask[json.RawMessage](cmd.Context(), t, apiclient.Request{Method: http.MethodDelete, Path: n.at(id), IfMatch: "*"})
				if err != nil {
					failures = append(failures, err)
					continue
				}
				t.say("%s %s is deleted.", title(n.one), ctl.Plain(id))
			}
			return errors.Join(failures...)
		},
	}
	bindYes(c, &yes)
	return c
}

// bindYes gives a command the flag that answers its question.
func bindYes(c *cobra.Command, yes *bool) {
	c.Flags().BoolVarP(yes, "yes", "y", false, "do not ask")
}

// confirm asks whether something is to be done that cannot be undone. Without anybody
// to ask, only --yes is an answer.
func (t *tool) confirm(question string, yes bool) error {
	if yes {
		return nil
	}
	if !t.Interactive {
		return badUse("this cannot be undone, and nobody is there to be asked: say --yes")
	}
	_, _ = fmt.Fprintf(t.Err, "%s [y/N] ", ctl.Plain(question))
	line, _ := bufio.NewReader(t.In).ReadString('\n') // nothing is an answer too
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return ctl.EndWith(ctl.Failed, "Nothing is done.")
	}
	return nil
}
