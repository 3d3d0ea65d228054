package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dex/internal/app/config"
	"dex/internal/app/ctl"
	"dex/internal/app/doctor"
)

func (t *tool) doctor() *cobra.Command {
	var failOn string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Find what is wrong with an installation, or weaker than it need be",
		Long: `With --config, doctor looks at the configuration, the database and what is kept in it,
asks every connector whether it works, and looks at files, certificates, keys, secrets,
redirect URIs and the clock. Run it where a worker runs, with the same environment, so
that it sees what the worker sees.

Without it, doctor asks the administrators' API of the context: it looks at clients and
connectors, which the server tests, at signing keys, duties, and the database as the
server sees it, and at the certificates and clocks of the servers.

It changes nothing.

Each finding has a severity:

    broken   something does not work
    unsafe   somebody can do harm by it
    weak     weaker than it need be, or about to break
    note     worth knowing; a choice that may be right

It ends with exit code 3 if anything is found at or above --fail-on.`,
		Example: `  dexctl doctor
  dexctl doctor --config /etc/dex/dex.yaml
  dexctl doctor --config dex.yaml --fail-on unsafe -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			threshold, ok := doctor.ParseSeverity(failOn)
			if !ok {
				return badUse("--fail-on: %q is not one of %s", failOn, strings.Join(doctor.Severities(), ", "))
			}
			t.progress("looking …")
			facts, err := t.examine(cmd)
			t.clearProgress()
			if err != nil {
				return err
			}
			found := doctor.Findings(facts)
			if err := t.write(report(found)); err != nil {
				return err
			}
			if doctor.Worst(found) >= threshold {
				return ctl.EndWith(ctl.Found, "")
			}
			return nil
		},
	}
	bindConfig(c.Flags())
	c.Flags().StringVar(&failOn, "fail-on", doctor.Weak.String(), "end with 3 from this severity on: "+strings.Join(doctor.Severities(), ", "))
	_ = c.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions(doctor.Severities(), cobra.ShellCompDirectiveNoFileComp)) // the flag exists
	t.bindOutput(c, formTable)
	return c
}

// examine gathers the facts, from here or by the API.
func (t *tool) examine(cmd *cobra.Command) (doctor.Facts, error) {
	if cmd.Flags().Changed("config") || cmd.Flags().Changed("db") {
		return doctor.Examine(cmd.Context(), source(cmd), t.Clock), nil
	}
	target, err := t.target()
	if err != nil {
		return doctor.Facts{}, err
	}
	api, err := t.api()
	if err != nil {
		return doctor.Facts{}, err
	}
	leads, err := target.HTTP()
	if err != nil {
		return doctor.Facts{}, err
	}
	about, err := api.Discover(cmd.Context())
	if err != nil {
		return doctor.Facts{}, err
	}
	if len(about.Issuers) == 0 {
		return doctor.Facts{}, badUse("%s does not say whose tokens it takes; is it the administrators' API of dex?", target.API)
	}
	return doctor.Remote{API: api, URL: target.API, Issuer: about.Issuers[0], HTTP: leads, Clock: t.Clock}.Ask(cmd.Context()), nil
}

// bindConfig gives a command those settings of a worker that say where the rest is.
func bindConfig(to *pflag.FlagSet) {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.BindFlags(all)
	for _, name := range []string{"config", "db"} {
		to.AddFlag(all.Lookup(name))
	}
}

// report is what has been found, as an answer.
func report(found []doctor.Finding) answer {
	if found == nil {
		found = []doctor.Finding{}
	}
	a := answer{doc: found, story: func(w io.Writer) error { return tell(w, found) }}
	for _, f := range found {
		a.names = append(a.names, f.Code+" "+f.About)
	}
	return a
}

// tell writes findings for people, each with its cure.
func tell(w io.Writer, found []doctor.Finding) error {
	counts := map[doctor.Severity]int{}
	var b strings.Builder
	for _, f := range found {
		counts[f.Severity]++
		about := f.About
		if f.Place != "" {
			about += " (" + f.Place + ")"
		}
		fmt.Fprintf(&b, "%-7s %s\n%s%s\n", strings.ToUpper(f.Severity.String()), ctl.Plain(about), wrap(ctl.Plain(sentence(f.Says)), "        "), wrap("→ "+ctl.Plain(f.Cure), "        "))
	}
	if len(found) == 0 {
		b.WriteString("Nothing is wrong.\n")
	} else {
		var parts []string
		for _, s := range []doctor.Severity{doctor.Broken, doctor.Unsafe, doctor.Weak, doctor.Note} {
			if n := counts[s]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, s))
			}
		}
		fmt.Fprintf(&b, "Found: %s.\n", strings.Join(parts, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sentence begins a text with a capital, if it begins with a word.
func sentence(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// lineWidth is where lines for people are broken.
const lineWidth = 88

// wrap breaks a text into lines that begin with an indent.
func wrap(text, indent string) string {
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		if len([]rune(line))+1+len([]rune(word)) > lineWidth && line != indent {
			b.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}
