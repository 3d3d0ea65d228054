package main

import (
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
)

func (t *tool) bootstrap() *cobra.Command {
	var b resource.Bootstrap
	var secretFile, passwordFile, resources string
	c := &cobra.Command{
		Use:   "bootstrap --email ADDRESS",
		Short: "Make the first administrator of a new installation",
		Long: `bootstrap makes the first administrator, who may do everything, and the client that
dexctl logs in by. It takes the one-time secret that the overlord, or a worker that does
the duties itself, has shown on its terminal or written to a file when it found that
there was no administrator. It works once.

The secret and the password are asked for, unless files hold them. With --file the first
clients and connectors are made too, from the same YAML that dexctl apply takes.`,
		Example: `  dexctl bootstrap --api http://127.0.0.1:5557 --email ann@example.com
  dexctl bootstrap --email ann@example.com --secret-file /var/lib/dex/bootstrap-secret \
      --password-file admin-password --file first.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			open, err := t.anybody()
			if err != nil {
				return err
			}
			var form ctl.Form
			if resources != "" {
				forms, err := t.readForms(resources)
				if err != nil {
					return err
				}
				if len(forms) != 1 {
					return badUse("%s: one document with clients and connectors is expected", resources)
				}
				form = forms[0].Below("resources")
				b.Resources = form.JSON
			}
			if b.Secret, err = t.secret("One-time secret: ", secretFile, false); err != nil {
				return err
			}
			b.Secret = strings.TrimSpace(b.Secret) // it was copied from a terminal
			if b.Password, err = t.secret("Password for "+b.Email+": ", passwordFile, true); err != nil {
				return err
			}
			made, _, err := apiclient.Do[resource.Bootstrapped](cmd.Context(), open, apiclient.Request{Method: http.MethodPost, Path: "/bootstrap", Body: b})
			if err != nil {
				return form.Explain(err)
			}
			t.say("The first administrator is %s (%s). Bootstrapping is closed for good; go on with: dexctl login", ctl.Plain(b.Email), ctl.Plain(made.UserID))
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&b.Email, "email", "", "the administrator's mail address, by which they log in")
	f.StringVar(&b.Username, "username", "", "their user name, if it is not the mail address")
	f.StringVar(&b.Name, "name", "", "their full name")
	f.StringVar(&secretFile, "secret-file", "", "the file with the one-time secret, which others cannot read; - for standard input")
	f.StringVar(&passwordFile, "password-file", "", "a file with the password, which others cannot read; - for standard input")
	f.StringVarP(&resources, "file", "f", "", "the first clients and connectors, as YAML; - for standard input")
	_ = c.MarkFlagRequired("email") // the flag exists
	return c
}

// maxSecret is how long a secret from standard input may be.
const maxSecret = 4096

// secret reads a secret from a file or from standard input, or asks for it without
// showing it; one that is chosen now is asked for twice.
func (t *tool) secret(prompt, file string, chosen bool) (string, error) {
	switch file {
	case "":
	case "-":
		text, err := io.ReadAll(io.LimitReader(t.In, maxSecret+1))
		secret := strings.TrimRight(string(text), "\r\n")
		switch {
		case err != nil:
			return "", err
		case secret == "":
			return "", badUse("standard input is empty")
		case len(text) > maxSecret:
			return "", badUse("what stands in standard input is too long")
		}
		return secret, nil
	default:
		return ctl.ReadSecret(file)
	}
	if !t.Interactive {
		return "", badUse("nobody is there to be asked for %q: name a file that holds it", strings.TrimRight(prompt, ": "))
	}
	first, err := t.askHidden(prompt)
	if err != nil || !chosen {
		return first, err
	}
	again, err := t.askHidden("Again: ")
	if err == nil && again != first {
		return "", badUse("the two differ")
	}
	return first, err
}

// askHidden asks for a line that is not shown.
func (t *tool) askHidden(prompt string) (string, error) {
	_, _ = t.Err.Write([]byte(ctl.Plain(prompt)))
	line, err := term.ReadPassword(int(os.Stdin.Fd()))
	t.say("")
	return string(line), err
}
