package ctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"

	yaml "go.yaml.in/yaml/v4"
)

// JSON returns a value as indented JSON. What a terminal would obey is escaped, which
// changes nothing for whoever parses it.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return escape(b.Bytes(), `\u%04x`, `\u%04x\u%04x`), nil
}

// escape writes characters that do not print as escapes. They stand in quoted texts
// alone: there are none outside of strings but line breaks.
func escape(text []byte, short, long string) []byte {
	if bytes.IndexFunc(text, unprintable) < 0 {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		switch {
		case !unprintable(r):
			b.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&b, short, r)
		case strings.Count(long, "%") == 2:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, long, high, low)
		default:
			fmt.Fprintf(&b, long, r)
		}
	}
	return b.Bytes()
}

func unprintable(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

// YAML returns a value as YAML, with the members in the order that its JSON has.
func YAML(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	node, err := yamlNode(in)
	if err != nil {
		return nil, err
	}
	out, err := yaml.Dump(node, yaml.WithLineWidth(-1))
	return escape(out, `\u%04x`, `\U%08x`), err
}

// yamlNode reads the next value of a JSON document as a node of YAML.
func yamlNode(in *json.Decoder) (*yaml.Node, error) {
	token, err := in.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if token == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		for in.More() { // names of members are values here as any other
			below, err := yamlNode(in)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, below)
		}
		if len(n.Content) == 0 {
			n.Style = yaml.FlowStyle
		}
		_, err := in.Token()
		return n, err
	case string:
		n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: token}
		if lookAlike[strings.ToLower(token)] || strings.ContainsFunc(token, unprintable) {
			n.Style = yaml.DoubleQuotedStyle
		}
		return n, nil
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(token.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: token.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(token)}, nil
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	}
}

// lookAlike are texts that an older reader of YAML takes for a truth value.
var lookAlike = map[string]bool{"yes": true, "no": true, "on": true, "off": true, "y": true, "n": true}
