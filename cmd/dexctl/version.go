package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (t *tool) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text := "dexctl (devel)"
			if info, ok := debug.ReadBuildInfo(); ok {
				text = "dexctl " + info.Main.Version + " " + info.GoVersion
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						text += " " + s.Value
					}
				}
			}
			_, err := fmt.Fprintln(t.Out, text)
			return err
		},
	}
}
