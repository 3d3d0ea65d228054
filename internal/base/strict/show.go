package strict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v4"

	"dex/internal/base/secret"
)

// Show writes what [Decoder] reads: only what differs from the defaults, in the
// order of the struct. Its zero value tells no secret.
type Show struct {
	Secrets bool // for whoever hands them over to where they are kept
}

// Reserved is implemented by a struct of which not everything is told.
type Reserved interface {
	// Withheld names the settings that are set and not told. Told says that
	// what is left in its free-form parts may be.
	Withheld() (names []string, told bool)
}

var secretType = reflect.TypeFor[secret.Value]()

// YAML writes a struct, or a map or a list of such, as YAML for a file: what stands in
// it stays as it is where [Expand] fills in values.
func (s Show) YAML(v any) ([]byte, error) {
	n, err := s.node(reflect.ValueOf(v))
	if err != nil {
		return nil, err
	}
	literal(n)
	var b bytes.Buffer
	out := yaml.NewEncoder(&b)
	out.SetIndent(2)
	if err := out.Encode(n); err != nil {
		return nil, err
	}
	err = out.Close()
	return b.Bytes(), err
}

// literal escapes in each value what [Expand] would take for a reference. Somebody else
// may have called a thing ${file:…}: whoever applies the file must not be made to read
// one of their own out to the server.
func literal(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		n.Value = strings.ReplaceAll(n.Value, "${", "$${")
	}
	for i, below := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue // a name, which nothing is filled in for
		}
		literal(below)
	}
}

// JSON writes the same as JSON, for a server, which fills in nothing.
func (s Show) JSON(v any) ([]byte, error) {
	n, err := s.node(reflect.ValueOf(v))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	d := Decoder{Findings: NewFindings()}
	d.json(&b, n, "")
	return b.Bytes(), d.Err()
}

// node makes a node of a value.
func (s Show) node(v reflect.Value) (*yaml.Node, error) {
	switch {
	case v.Kind() == reflect.Pointer:
		return s.node(v.Elem())
	case v.Type() == objectType:
		return objectNode(v.Bytes())
	case isSection(v.Type()):
		return s.section(v)
	case v.Kind() == reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for i := range v.Len() {
			item, err := s.node(v.Index(i))
			if err != nil {
				return nil, err
			}
			list.Content = append(list.Content, item)
		}
		return list, nil
	}
	return scalar(v), nil
}

func (s Show) section(v reflect.Value) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	usual := reflect.New(v.Type()).Elem()
	SetDefaults(usual)
	r, reserved := v.Interface().(Reserved)
	var withheld []string
	told := true
	if reserved {
		withheld, told = r.Withheld()
	}
	for i := range v.NumField() {
		f, value := v.Type().Field(i), v.Field(i)
		name := f.Tag.Get("yaml")
		switch {
		case !f.IsExported() || name == "" || name == "-":
			continue
		case reflect.DeepEqual(value.Interface(), usual.Field(i).Interface()) && f.Tag.Get("required") == "":
			continue
		case value.Kind() == reflect.Slice && value.Len() == 0 && usual.Field(i).Len() == 0:
			continue
		case !s.Secrets && isSecret(value.Type()):
			continue
		case !s.Secrets && value.Type() == objectType && !told:
			continue
		}
		item, err := s.node(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		n.Content = append(n.Content, text(name), item)
	}
	if last := len(n.Content) - 2; last >= 0 && !s.Secrets {
		for _, name := range withheld {
			n.Content[last].HeadComment += "# " + name + " is set, and not told.\n"
		}
	}
	return n, nil
}

func isSecret(t reflect.Type) bool {
	return t == secretType || t.Kind() == reflect.Slice && t.Elem() == secretType
}

// scalar makes a node of a single value, written as it is read.
func scalar(v reflect.Value) *yaml.Node {
	switch value := v.Interface().(type) {
	case time.Duration:
		return text(FormatDuration(value))
	case netip.Prefix:
		return text(value.String())
	}
	switch v.Kind() {
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v.Bool())}
	case reflect.Int:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(v.Int(), 10)}
	case reflect.String:
		return text(v.String())
	default:
		panic("strict: no way to write a " + v.Type().String())
	}
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

func objectNode(data []byte) (*yaml.Node, error) {
	if len(data) == 0 {
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, nil
	}
	if !json.Valid(data) {
		return nil, fmt.Errorf("is no JSON")
	}
	return readJSON(data)
}
