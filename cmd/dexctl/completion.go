package main

import (
	"github.com/spf13/cobra"
)

// completion writes what a shell needs to complete commands, flags, and the ids of what
// the server has.
func (t *tool) completion() *cobra.Command {
	shells := map[string]func(root *cobra.Command) error{
		"bash": func(root *cobra.Command) error { return root.GenBashCompletionV2(t.Out, true) },
		"zsh":  func(root *cobra.Command) error { return root.GenZshCompletion(t.Out) },
		"fish": func(root *cobra.Command) error { return root.GenFishCompletion(t.Out, true) },
	}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Write the completion for a shell",
		Long: `completion writes a script for your shell. With it, the Tab key completes commands,
flags, and the ids of clients, users and whatever else the server has.

    bash    dexctl completion bash > /etc/bash_completion.d/dexctl
    zsh     dexctl completion zsh > "${fpath[1]}/_dexctl"
    fish    dexctl completion fish > ~/.config/fish/completions/dexctl.fish`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE:      func(cmd *cobra.Command, args []string) error { return shells[args[0]](cmd.Root()) },
	}
}
