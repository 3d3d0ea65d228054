package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"dex/internal/admin/apiclient"
	"dex/internal/app/ctl"
)

func (n noun[T]) editCommand(t *tool) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "edit ID",
		Short: fmt.Sprintf("Change %s in an editor, or by a file", n.any()),
		Long: fmt.Sprintf(`edit opens what can be written of a %s as YAML in $VISUAL or $EDITOR, and sends what
you leave there. If the server refuses it, the file is kept, and the message says where.
If somebody else has changed the %s meanwhile, nothing is overwritten.

With --file nothing is opened: the file takes the place of what there is.`, n.one, n.one),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: n.complete(t),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file != "" {
				return n.replace(cmd.Context(), t, args[0], file)
			}
			return n.edit(cmd.Context(), t, args[0])
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "take this file of YAML or JSON instead, - for standard input")
	return c
}

// replace puts what stands in a file in the place of a thing, as it is now.
func (n noun[T]) replace(ctx context.Context, t *tool, id, file string) error {
	forms, err := t.readForms(file)
	if err != nil {
		return err
	}
	if len(forms) != 1 {
		return badUse("%s holds %d things; one is to take the place of %s", file, len(forms), id)
	}
	_, etag, err := n.fetch(ctx, t, id)
	if err != nil {
		return err
	}
	return n.put(ctx, t, id, etag, forms[0])
}

// fetch gets a thing with its version.
func (n noun[T]) fetch(ctx context.Context, t *tool, id string) (item T, etag string, err error) {
	item, meta, err := ask[T](ctx, t, apiclient.Request{Method: http.MethodGet, Path: n.at(id)})
	return item, meta.ETag, err
}

// put sends a form in the place of the version that it was made from.
func (n noun[T]) put(ctx context.Context, t *tool, id, etag string, f ctl.Form) error {
	if _, _, err := ask[json.RawMessage](ctx, t, apiclient.Request{Method: http.MethodPut, Path: n.at(id), IfMatch: etag, Body: f.JSON}); err != nil {
		return f.Explain(err)
	}
	t.say("%s %s is changed.", title(n.one), ctl.Plain(id))
	return nil
}

// edit lets the person change a thing in their editor.
func (n noun[T]) edit(ctx context.Context, t *tool, id string) error {
	item, etag, err := n.fetch(ctx, t, id)
	if err != nil {
		return err
	}
	before, err := ctl.YAML(n.form(item))
	if err != nil {
		return err
	}
	before = append(fmt.Appendf(nil, "# This is %s %s. Save and leave to change it; leave it as it is to change nothing.\n", n.one, ctl.Plain(id)), before...)
	file, err := keepFor(n.one, id, before)
	if err != nil {
		return err
	}
	if err := t.openEditor(ctx, file); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	after, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if same(before, after) {
		t.say("Nothing has been changed.")
		return os.Remove(file)
	}
	if err := n.send(ctx, t, id, etag, file, after); err != nil {
		t.say("What you wrote is kept in %s. Mend it, and send it by: dexctl %s edit %s --file %s", file, n.many, id, file)
		return err
	}
	return os.Remove(file)
}

// same reports whether two texts say the same, whatever their comments.
func same(before, after []byte) bool {
	a, errA := ctl.ReadForms("", before)
	b, errB := ctl.ReadForms("", after)
	return errA == nil && errB == nil && len(a) == 1 && len(b) == 1 && bytes.Equal(a[0].JSON, b[0].JSON)
}

// send sends what the person has left in the file.
func (n noun[T]) send(ctx context.Context, t *tool, id, etag, file string, text []byte) error {
	forms, err := ctl.ReadForms(file, text)
	if err != nil {
		return err
	}
	if len(forms) != 1 {
		return badUse("%s holds %d things; one is to take the place of %s", file, len(forms), id)
	}
	return n.put(ctx, t, id, etag, forms[0])
}

// keepFor makes a file to edit, which only its owner can read.
func keepFor(noun, id string, text []byte) (file string, err error) {
	name := regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(noun+"-"+id, "-")
	f, err := os.CreateTemp("", "dexctl-"+name[:min(len(name), 60)]+"-*.yaml")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	return f.Name(), errors.Join(err, f.Close())
}

// openEditor lets the person edit a file. What $EDITOR says may have arguments.
func (t *tool) openEditor(ctx context.Context, file string) error {
	words := strings.Fields(t.Getenv("VISUAL"))
	if len(words) == 0 {
		words = strings.Fields(t.Getenv("EDITOR"))
	}
	if len(words) == 0 {
		return badUse("there is no editor: set EDITOR, or change it by --file")
	}
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], file)...) //nolint:gosec // the person's own editor
	cmd.Stdin, cmd.Stdout, cmd.Stderr = t.In, t.Out, t.Err
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the editor %s has failed, so that nothing is changed: %w", filepath.Base(words[0]), err)
	}
	return nil
}

// title begins a sentence with a word.
func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// without makes the form of a noun that has members which nobody writes: the thing as the
// API shows it, less the members of those names.
func without[T any](names ...string) func(T) any {
	return func(item T) any {
		text, err := json.Marshal(item)
		if err != nil {
			return item
		}
		rest, err := ctl.Without(text, names...)
		if err != nil {
			return item
		}
		return rest
	}
}
