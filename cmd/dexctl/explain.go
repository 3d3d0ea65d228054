package main

import (
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/app/story"
)

func (t *tool) explain() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain CODE",
		Short: "Tell the story of an attempt to log in, by the support code on its page",
		Long: `explain tells what was asked in one attempt to log in, what was decided and by which
setting, and what became of it. The code is the one that the person saw on an error
page, such as K7QX-9WDM-3T; it stands in the log and in the record too.

What failed before the person had acted is not kept: it stands in the log line with
the same code.`,
		Example: "  dexctl explain K7QX-9WDM-3T",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			code := strings.ToUpper(strings.TrimSpace(args[0]))
			trace, _, err := ask[resource.Trace](cmd.Context(), t, apiclient.Request{Method: http.MethodGet, Path: apiclient.Path("traces", code)})
			if err != nil {
				return err
			}
			return t.write(answer{doc: trace, names: []string{trace.SupportCode}, story: func(w io.Writer) error {
				_, err := io.WriteString(w, story.Tell(story.Wire(trace)))
				return err
			}})
		},
	}
	t.bindOutput(c, formTable)
	return c
}
