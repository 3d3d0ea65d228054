package ctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"dex/internal/admin/resource"
	"dex/internal/base/strict"
)

// Form is something that an operator has written: what is sent, and where each part of
// it stands.
type Form struct {
	JSON   json.RawMessage
	name   string
	places map[string]spot
}

type spot struct{ line, column int }

// Limits of what is read.
const (
	maxForms = 8 << 20
	maxDepth = 64
	maxNodes = 200_000 // with those that aliases stand for
)

// ReadForms reads the things that stand in a file: documents of YAML, or lists of them,
// or JSON. The name is the file's, for messages.
func ReadForms(name string, text []byte) ([]Form, error) {
	if len(text) > maxForms {
		return nil, EndWith(BadUse, "%s is larger than %d MiB", name, maxForms>>20)
	}
	in, err := yaml.NewLoader(bytes.NewReader(text), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		return nil, err
	}
	r := formReader{name: name}
	var all []Form
	for {
		var doc yaml.Node
		switch err := in.Load(&doc); {
		case errors.Is(err, io.EOF):
			if len(all) == 0 {
				return nil, EndWith(BadUse, "%s: there is nothing in it", name)
			}
			return all, nil
		case err != nil:
			return nil, EndWith(BadUse, "%s: %s", name, err)
		case len(doc.Content) == 0:
			continue
		}
		some, err := r.forms(doc.Content[0])
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
}

// formReader turns nodes of YAML into JSON, and remembers where they stood.
type formReader struct {
	name  string
	nodes int
}

// forms reads one document: a thing, or a list of things.
func (r *formReader) forms(root *yaml.Node) ([]Form, error) {
	items := []*yaml.Node{root}
	if root.Kind == yaml.SequenceNode {
		items = root.Content
	}
	var all []Form
	for _, item := range items {
		if item.ShortTag() == "!!null" {
			continue
		}
		if item.Kind != yaml.MappingNode && item.Kind != yaml.AliasNode {
			return nil, r.wrong(item, "this is no section of names and values")
		}
		f := Form{name: r.name, places: map[string]spot{}}
		var b bytes.Buffer
		if err := r.write(&b, item, "", 0, &f); err != nil {
			return nil, err
		}
		f.JSON = b.Bytes()
		all = append(all, f)
	}
	return all, nil
}

func (r *formReader) wrong(n *yaml.Node, format string, args ...any) error {
	return EndWith(BadUse, "%s:%d:%d: %s", r.name, n.Line, n.Column, fmt.Sprintf(format, args...))
}

// write writes a node as JSON. The path is as the API's mistakes name it.
func (r *formReader) write(b *bytes.Buffer, n *yaml.Node, path string, depth int, f *Form) error {
	if r.nodes++; r.nodes > maxNodes || depth > maxDepth {
		return r.wrong(n, "there is too much in it")
	}
	f.places[path] = spot{n.Line, n.Column}
	switch n.Kind {
	case yaml.AliasNode:
		return r.write(b, n.Alias, path, depth+1, f)
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := r.write(b, item, fmt.Sprintf("%s[%d]", path, i), depth+1, f); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	case yaml.MappingNode:
		return r.section(b, n, path, depth, f)
	default:
		return r.value(b, n)
	}
}

func (r *formReader) section(b *bytes.Buffer, n *yaml.Node, path string, depth int, f *Form) error {
	b.WriteByte('{')
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		switch {
		case name.Kind != yaml.ScalarNode || name.ShortTag() == "!!merge":
			return r.wrong(name, "a name is expected here")
		case seen[name.Value]:
			return r.wrong(name, "%s stands here twice", name.Value)
		}
		seen[name.Value] = true
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(strict.Quote(name.Value))
		b.WriteByte(':')
		if err := r.write(b, value, strings.TrimPrefix(path+"."+name.Value, "."), depth+1, f); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

// value writes a single value. Whole numbers stay as they are written, so that none
// loses a digit.
func (r *formReader) value(b *bytes.Buffer, n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!null":
		b.WriteString("null")
	case "!!bool":
		var truth bool
		if err := n.Decode(&truth); err != nil {
			return r.wrong(n, "%q is neither true nor false", n.Value)
		}
		b.WriteString(strconv.FormatBool(truth))
	case "!!int", "!!float":
		if !jsonNumber.MatchString(n.Value) {
			var number float64
			if err := n.Decode(&number); err != nil || math.IsInf(number, 0) || math.IsNaN(number) {
				return r.wrong(n, "%q is no number that can be sent", n.Value)
			}
			text, err := json.Marshal(number)
			b.Write(text)
			return err
		}
		b.WriteString(n.Value)
	case "!!str", "!!timestamp":
		b.Write(strict.Quote(n.Value))
	default:
		return r.wrong(n, "the tag %s has no meaning here", n.ShortTag())
	}
	return nil
}

// jsonNumber is a number as JSON writes it, RFC 8259 section 6.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// FormOf is a form that stands in no file.
func FormOf(text json.RawMessage) Form { return Form{JSON: text} }

// Below returns the form as it is sent: as a member of something larger, of which the
// server's mistakes speak.
func (f Form) Below(member string) Form {
	moved := make(map[string]spot, len(f.places))
	for path, at := range f.places {
		switch {
		case path == "":
			moved[member] = at
		case strings.HasPrefix(path, "["):
			moved[member+path] = at
		default:
			moved[member+"."+path] = at
		}
	}
	return Form{JSON: f.JSON, name: f.name, places: moved}
}

// Explain tells of each mistake that the server has found where it stands.
func (f Form) Explain(err error) error {
	p, ok := errors.AsType[*resource.Problem](err)
	if !ok || f.name == "" {
		return err
	}
	placed := *p
	placed.Errors = nil
	for _, m := range p.Errors {
		if path, ok := strings.CutPrefix(m.Location, "body"); ok {
			path = strings.TrimPrefix(path, ".")
			m.Location = strings.TrimSuffix(f.Place(path)+": "+path, ": ")
		}
		placed.Errors = append(placed.Errors, m)
	}
	return &placed
}

// Without takes members out of a JSON object, and leaves the others in their order.
func Without(text json.RawMessage, names ...string) (json.RawMessage, error) {
	in := json.NewDecoder(bytes.NewReader(text))
	if open, err := in.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("this is no JSON object")
	}
	b := bytes.NewBufferString("{")
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return nil, err
		}
		text, _ := name.(string) // the name of a member is nothing else
		if slices.Contains(names, text) {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(strict.Quote(text))
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Place says where a part of the form stands, as file:line:column: the part itself, or
// the closest thing around it.
func (f Form) Place(path string) string {
	for {
		if at, ok := f.places[path]; ok {
			return fmt.Sprintf("%s:%d:%d", f.name, at.line, at.column)
		}
		if path == "" {
			return f.name
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}
