package strict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"reflect"

	yaml "go.yaml.in/yaml/v4"
)

// Object is a JSON object whose meaning is known elsewhere. It may hold secrets,
// so that it does not print; whoever reads it writes json.RawMessage(o).
type Object []byte

// Format keeps what is inside out of everything that is printed.
func (o Object) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[section]") }

// LogValue keeps what is inside out of the log.
func (o Object) LogValue() slog.Value { return slog.StringValue("[section]") }

// MarshalText keeps what is inside out of everything that is encoded.
func (o Object) MarshalText() ([]byte, error) { return []byte("[section]"), nil }

// freeForm keeps a part whose meaning is known elsewhere as the JSON object that
// it amounts to. A text that is a JSON object serves too, so that a whole part
// can be ${file:…}.
func (d *Decoder) freeForm(n *yaml.Node, v reflect.Value, path string) {
	switch {
	case n.ShortTag() == "!!null":
		return // "config:" with nothing below it
	case n.Kind == yaml.ScalarNode:
		text, err := d.text(n)
		if err != nil {
			d.Add(path, "%s", err)
			return
		}
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &object) != nil || object == nil {
			d.Add(path, "must be a section of settings, or a text that is a JSON object")
			return
		}
		v.SetBytes([]byte(text))
	case n.Kind == yaml.MappingNode:
		var b bytes.Buffer
		d.object(&b, n, path)
		v.SetBytes(b.Bytes())
	default:
		d.Add(path, "must be a section of settings, not a %s", kindName(n))
	}
}

// json writes a node as JSON.
func (d *Decoder) json(b *bytes.Buffer, n *yaml.Node, path string) {
	n, leave := d.enter(n, path)
	defer leave()
	switch {
	case d.stopped:
	case !standardTag(n):
		d.Add(path, "the tag %s has no meaning here", n.ShortTag())
	case n.Kind == yaml.MappingNode:
		d.object(b, n, path)
	case n.Kind == yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			d.json(b, item, fmt.Sprintf("%s[%d]", path, i))
		}
		b.WriteByte(']')
	default:
		d.jsonScalar(b, n, path)
	}
}

func (d *Decoder) object(b *bytes.Buffer, n *yaml.Node, path string) {
	b.WriteByte('{')
	for i, e := range d.entries(n, path) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(Quote(e.name))
		b.WriteByte(':')
		d.json(b, e.value, Join(path, e.name))
	}
	b.WriteByte('}')
}

// jsonScalar writes a single value. What has been expanded is a text, whatever
// it looks like: a variable must not change the type of a setting.
func (d *Decoder) jsonScalar(b *bytes.Buffer, n *yaml.Node, path string) {
	switch n.ShortTag() {
	case "!!null":
		b.WriteString("null")
	case "!!bool", "!!int", "!!float":
		var value any
		err := n.Decode(&value)
		if err == nil {
			var text []byte
			if text, err = json.Marshal(value); err == nil {
				b.Write(text)
				return
			}
		}
		d.Add(path, "is no number that can be kept")
	default:
		text, err := d.filled(n.Value)
		if err != nil {
			d.Add(path, "%s", err)
			return
		}
		b.Write(Quote(text))
	}
}

// Quote quotes a text. Unlike json.Marshal it leaves <, > and & as they are.
func Quote(text string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string can always be encoded
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
