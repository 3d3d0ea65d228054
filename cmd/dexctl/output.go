package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/app/ctl"
)

// outputFlags say how an answer is written.
type outputFlags struct {
	form      string
	noHeaders bool
}

// The forms of an answer.
const (
	formTable = "table"
	formWide  = "wide" // a table with every column
	formJSON  = "json"
	formYAML  = "yaml"
	formName  = "name" // an id a line, for xargs
)

var forms = []string{formTable, formWide, formJSON, formYAML, formName}

// forPeople reports whether the answer is written for people to read.
func (o outputFlags) forPeople() bool { return o.form == formTable || o.form == formWide }

// bindOutput gives a command the flags of its output; without them it is written in the
// given form.
func (t *tool) bindOutput(c *cobra.Command, form string) {
	var o outputFlags
	c.Flags().StringVarP(&o.form, "output", "o", form, "how to write the answer: "+strings.Join(forms, ", "))
	c.Flags().BoolVar(&o.noHeaders, "no-headers", false, "leave out the line above a table")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(forms, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
	c.PreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains(forms, o.form) {
			return badUse("--output: %q is not one of %s", o.form, strings.Join(forms, ", "))
		}
		t.output = o
		return nil
	}
}

// answer is what a command has found, in every form.
type answer struct {
	doc    any // for json and yaml
	names  []string
	header []string
	rows   [][]string
	// story is written instead of a table where a person reads sentences.
	story func(w io.Writer) error
}

// write writes an answer in the form that was asked for.
func (t *tool) write(a answer) error {
	switch t.output.form {
	case formJSON:
		text, err := ctl.JSON(a.doc)
		if err != nil {
			return err
		}
		_, err = t.Out.Write(text)
		return err
	case formYAML:
		text, err := ctl.YAML(a.doc)
		if err != nil {
			return err
		}
		_, err = t.Out.Write(text)
		return err
	case formName:
		for _, name := range a.names {
			if _, err := fmt.Fprintln(t.Out, ctl.Plain(name)); err != nil {
				return err
			}
		}
		return nil
	}
	if a.story != nil {
		return a.story(t.Out)
	}
	header := a.header
	if t.output.noHeaders {
		header = nil
	}
	return ctl.Table(t.Out, header, a.rows)
}
