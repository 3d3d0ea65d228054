package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
)

// isJSON reports whether a document is JSON. YAML is nearly a superset of it, but
// knows no pair of surrogates in "\ud83d\ude00".
func isJSON(data []byte) bool {
	text := bytes.TrimLeft(data, " \t\r\n")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[') && json.Valid(text)
}

var errTooDeep = errors.New("it is nested too deeply")

// jsonReader turns JSON into the nodes that YAML would make of it.
type jsonReader struct {
	in     *json.Decoder
	data   []byte
	seen   int // up to where lines and columns have been counted
	line   int
	column int
}

func readJSON(data []byte) (*yaml.Node, error) {
	r := &jsonReader{in: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1, column: 1}
	r.in.UseNumber()
	return r.node(0)
}

// node reads the next value.
func (r *jsonReader) node(depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	n := &yaml.Node{Kind: yaml.ScalarNode}
	n.Line, n.Column = r.place()
	token, err := r.in.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		if t == '{' {
			n.Kind, n.Tag = yaml.MappingNode, "!!map"
		}
		return n, r.inside(n, depth)
	case string:
		n.Tag, n.Value = "!!str", t
	case json.Number:
		n.Tag, n.Value = "!!int", t.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Tag, n.Value = "!!bool", "false"
		if t {
			n.Value = "true"
		}
	default:
		n.Tag, n.Value = "!!null", "null"
	}
	return n, nil
}

// inside reads what stands between the brackets; the names of an object are values
// among the others.
func (r *jsonReader) inside(n *yaml.Node, depth int) error {
	for r.in.More() {
		item, err := r.node(depth + 1)
		if err != nil {
			return err
		}
		n.Content = append(n.Content, item)
	}
	_, err := r.in.Token()
	return err
}

// place is where the next value begins.
func (r *jsonReader) place() (line, column int) {
	at := int(r.in.InputOffset())
	for at < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[at]) >= 0 {
		at++
	}
	for ; r.seen < at; r.seen++ {
		switch b := r.data[r.seen]; {
		case b == '\n':
			r.line, r.column = r.line+1, 1
		case utf8.RuneStart(b):
			r.column++
		}
	}
	return r.line, r.column
}
