package config

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"testing"

	yaml "go.yaml.in/yaml/v4"
)

// validator checks a document against a schema, as far as the words of a schema
// go that we use. A word that it does not know is an error, so that it cannot
// pass over one.
type validator struct {
	root map[string]any
}

func (v validator) check(schema map[string]any, doc any, path string) error {
	for word, rule := range schema {
		if err := v.apply(schema, word, rule, doc, path); err != nil {
			return err
		}
	}
	return nil
}

func (v validator) apply(schema map[string]any, word string, rule, doc any, path string) error {
	wrong := func() error { return fmt.Errorf("%s: %v is not right by %s %v", path, doc, word, rule) }
	switch word {
	case "description", "default", "title", "$schema", "$defs", "format":
	case "$ref":
		name := filepath.Base(rule.(string))
		return v.check(v.root["$defs"].(map[string]any)[name].(map[string]any), doc, path)
	case "type":
		if !hasType(rule, doc) {
			return wrong()
		}
	case "enum":
		if !slices.Contains(rule.([]any), doc) {
			return wrong()
		}
	case "pattern":
		if text, ok := doc.(string); ok && !regexp.MustCompile(rule.(string)).MatchString(text) {
			return wrong()
		}
	case "minimum":
		if n, ok := doc.(float64); ok && n < rule.(float64) {
			return wrong()
		}
	case "maximum":
		if n, ok := doc.(float64); ok && n > rule.(float64) {
			return wrong()
		}
	case "anyOf":
		for _, one := range rule.([]any) {
			if v.check(one.(map[string]any), doc, path) == nil {
				return nil
			}
		}
		return wrong()
	case "items":
		list, _ := doc.([]any)
		for i, item := range list {
			if err := v.check(rule.(map[string]any), item, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case "required":
		object, _ := doc.(map[string]any)
		for _, name := range rule.([]any) {
			if _, ok := object[name.(string)]; !ok {
				return wrong()
			}
		}
	case "properties", "additionalProperties":
		return v.properties(schema, doc, path)
	default:
		return fmt.Errorf("the schema says %s, which nobody here understands", word)
	}
	return nil
}

func (v validator) properties(schema map[string]any, doc any, path string) error {
	known := schema["properties"].(map[string]any)
	object, _ := doc.(map[string]any)
	for name, value := range object {
		property, ok := known[name].(map[string]any)
		if !ok {
			return fmt.Errorf("%s has no property %s", path, name)
		}
		if err := v.check(property, value, path+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func hasType(rule, doc any) bool {
	if names, ok := rule.([]any); ok {
		return slices.ContainsFunc(names, func(name any) bool { return hasType(name, doc) })
	}
	switch d := doc.(type) {
	case nil:
		return rule == "null"
	case string:
		return rule == "string"
	case bool:
		return rule == "boolean"
	case float64:
		return rule == "number" || rule == "integer" && d == math.Trunc(d)
	case []any:
		return rule == "array"
	case map[string]any:
		return rule == "object"
	}
	return false
}

func newValidator(t *testing.T) validator {
	t.Helper()
	var v validator
	if err := json.Unmarshal(schemaDocument(t, comments(t)), &v.root); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v validator) yaml(t *testing.T, text []byte) error {
	t.Helper()
	var doc any
	if err := yaml.Load(text, &doc); err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(plain, &out); err != nil {
		t.Fatal(err)
	}
	return v.check(v.root, out, "")
}

func TestTheSchemaAcceptsWhatWeShip(t *testing.T) {
	v := newValidator(t)
	for _, name := range []string{"bench/dex.yaml", "examples/dex.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.yaml(t, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheSchema(t *testing.T) {
	v := newValidator(t)
	for _, test := range []struct {
		name, text string
		refused    bool
	}{
		{name: "what is filled in can be of any kind", text: "{duties: '${DUTIES}', db_max_open_conns: '${N}', log_level: '${LEVEL}', expiry: {codes: '${CODES}'}}"},
		{name: "an empty list of users", text: "{users: null}"},
		{name: "a setting that is not known", text: "{isuer: x}", refused: true},
		{name: "one that is not known in a client", text: "{clients: [{id: a, redirect_uri: x}]}", refused: true},
		{name: "a client without an id", text: "{clients: [{name: a}]}", refused: true},
		{name: "a value that is not among the names", text: "{log_level: loud}", refused: true},
		{name: "a grant type that is not among the names", text: "{clients: [{id: a, grant_types: [telepathy]}]}", refused: true},
		{name: "a number that is out of bounds", text: "{db_max_open_conns: 0}", refused: true},
		{name: "a duration that is none", text: "{expiry: {codes: soon}}", refused: true},
		{name: "a list where there is one value", text: "{name: [a]}", refused: true},
		{name: "one value where there is a list", text: "{trusted_proxies: 10.0.0.0/8}", refused: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := v.yaml(t, []byte(test.text)); (err != nil) != test.refused {
				t.Errorf("%v", err)
			}
		})
	}
}

// A reader of the struct has to be able to trust that each field is a setting.
func TestEveryFieldHasAName(t *testing.T) {
	for _, s := range append(sections(reflect.TypeFor[Settings]()), sections(reflect.TypeFor[Overlord]())...) {
		seen := map[string]bool{}
		for i := range s.Type.NumField() {
			f := s.Type.Field(i)
			name := f.Tag.Get("yaml")
			if f.IsExported() && (name == "" || seen[name]) {
				t.Errorf("%s.%s has the name %q", s.Type.Name(), f.Name, name)
			}
			seen[name] = true
		}
	}
	if reflect.TypeFor[Settings]().NumField() < 20 {
		t.Error("the settings have gone")
	}
}
