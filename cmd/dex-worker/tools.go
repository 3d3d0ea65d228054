package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"dex/internal/app/config"
	"dex/internal/app/worker"
)

func explain() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain CODE",
		Short: "Tell the story of an attempt to log in, by the support code on its page",
		Long: `explain tells what was decided in one attempt to log in, and why. The code is the
one that the person saw on an error page, such as K7QX-9WDM-3T; it stands in the log
too. It reads the database that --db or the configuration file names.

What failed before the person had acted is not kept: it stands in the log line with
the same code.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := config.Load(config.Source{Flags: cmd.Flags(), Environ: os.Environ()})
			if err != nil {
				return err
			}
			if s.NoDB {
				return errors.New("without a database nothing is kept: there is no story to tell")
			}
			return worker.Explain(cmd.Context(), s, args[0], cmd.OutOrStdout())
		},
	}
	config.BindFlags(c.Flags())
	return c
}

func hashPassword() *cobra.Command {
	return &cobra.Command{
		Use:   "hash-password",
		Short: "Make the hash of a password, for password_hash in the configuration file",
		Long: `hash-password asks for a password, or reads one line from standard input if that is
no terminal, and prints its argon2id hash for password_hash in the configuration file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			password, err := readPassword(cmd)
			if err != nil {
				return err
			}
			hash, err := worker.HashPassword(cmd.Context(), password)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), hash)
			return err
		},
	}
}

// readPassword asks for a password twice without showing it, or reads a line.
func readPassword(cmd *cobra.Command) (string, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		if err != nil && (!errors.Is(err, io.EOF) || line == "") {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		defer fmt.Fprintln(cmd.ErrOrStderr())
		b, err := term.ReadPassword(fd)
		return string(b), err
	}
	first, err := ask("Password: ")
	if err != nil {
		return "", err
	}
	again, err := ask("Again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", errors.New("the two passwords differ")
	}
	return first, nil
}

func keySecret() *cobra.Command {
	return &cobra.Command{
		Use:   "key-secret",
		Short: "Make a secret for key_secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), worker.NewKeySecret())
			return err
		},
	}
}
