package main

import "github.com/spf13/cobra"

// topics are pages of the help that are about no command.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{
			Use:   "exit-codes",
			Short: "What dexctl's exit codes mean",
			Long: `dexctl ends with one of these codes. They do not change, so that scripts can rely on
them:

    0  It is done.
    1  It failed: the server could not be reached, something is not there, or the server
       refused what was asked for. The message says which.
    2  The command line was wrong: an unknown command or flag, an argument too many, a
       file that cannot be read as what it should be.
    3  There is something to see: dexctl plan shows changes, dexctl doctor has findings
       at or above --fail-on.
    4  You are not logged in, your login has ended, or your role may not do this.
    5  A conflict: it exists already, or somebody has changed it since you read it.`,
		},
		{
			Use:   "environment",
			Short: "The environment variables that dexctl reads",
			Long: `A flag on the command line comes before the environment, and the environment before
the file of contexts:

    DEXCTL_CONFIG              the file of contexts, instead of
                               $XDG_CONFIG_HOME/dexctl/config.yaml or
                               ~/.config/dexctl/config.yaml; tokens are kept beside it
    DEXCTL_CONTEXT             --context
    DEXCTL_API                 --api
    DEXCTL_TENANT              --tenant
    DEXCTL_CA_FILE             --ca-file
    DEXCTL_CLIENT_ID           --client-id
    DEXCTL_CLIENT_SECRET_FILE  --client-secret-file
    DEXCTL_TOKEN               an access token to use as it is, instead of logging in
    EDITOR, VISUAL             what dexctl edit opens

With --context or --api on the command line neither DEXCTL_CONTEXT nor DEXCTL_API is
looked at. A machine has its own client with the grant type client_credentials, and
needs no login: name it by --client-id and --client-secret-file.`,
		},
	}
}
