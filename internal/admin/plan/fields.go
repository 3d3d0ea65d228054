package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dex/internal/admin/declare"
	"dex/internal/connector"
	"dex/internal/domain/client"
)

// clientFields are what differs between two clients, as they are declared.
func clientFields(before, after client.Registered) []Field {
	fields := differences(members(declareClient(before.Client)), members(declareClient(after.Client)))
	if !slices.Equal(before.Secrets, after.Secrets) {
		f := Field{Name: "secrets", After: "(changed)"}
		switch {
		case len(after.Secrets) == 0:
			f.After = "(none)"
		case len(before.Secrets) == 0:
			f.After = "(set)"
		}
		fields = append(fields, f)
	}
	return fields
}

func declareClient(c client.Client) any {
	if c.ID == "" {
		return nil
	}
	d, err := declare.ClientOf(c)
	if err != nil {
		return map[string]string{"jwks": err.Error()} // keys that nobody can write
	}
	return d
}

// connectorFields are what differs between two connectors, as they are declared.
func connectorFields(before, after connector.Configured, kinds []connector.Kind) []Field {
	fields := differences(declareConnector(before, kinds), declareConnector(after, kinds))
	secrets := map[string]bool{}
	for _, k := range kinds {
		for _, name := range k.Secrets {
			if k.Name == after.Kind {
				secrets[name] = true
			}
		}
	}
	was, is := parsed(before.Config), parsed(after.Config)
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if !equal(was[name], is[name]) {
			f := Field{Name: "config." + name, After: "(changed)"}
			switch {
			case is[name] == nil:
				f.After = "(none)"
			case was[name] == nil:
				f.After = "(set)"
			}
			fields = append(fields, f)
		}
	}
	return fields
}

// declareConnector are the members of a connector as it is declared, with those of its
// config among them.
func declareConnector(c connector.Configured, kinds []connector.Kind) map[string]json.RawMessage {
	if c.ID == "" {
		return nil
	}
	d, err := declare.ConnectorOf(c, kinds)
	if err != nil {
		return map[string]json.RawMessage{"config": json.RawMessage(`"unreadable"`)}
	}
	all := members(d)
	config := parsed(all["config"])
	delete(all, "config")
	for name, value := range config {
		all["config."+name] = value
	}
	return all
}

// members are the members of a value's JSON.
func members(v any) map[string]json.RawMessage {
	if v == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return parsed(text)
}

func parsed(text json.RawMessage) map[string]json.RawMessage {
	var all map[string]json.RawMessage
	if len(text) > 0 && json.Unmarshal(text, &all) != nil {
		return nil
	}
	return all
}

// differences are the members that differ, in the order of their names, but for the id.
func differences(before, after map[string]json.RawMessage) (fields []Field) {
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	delete(names, "id")
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !equal(before[name], after[name]) {
			fields = append(fields, Field{Name: name, Before: shown(before[name]), After: shown(after[name])})
		}
	}
	return fields
}

// equal compares what two JSON texts say.
func equal(a, b json.RawMessage) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return bytes.Equal(canonical(a), canonical(b))
}

// canonical writes JSON in one way: the members of objects sorted, numbers as they are.
func canonical(text json.RawMessage) []byte {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return text
	}
	out, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return out
}

// shown is a value as people read it in a plan.
func shown(text json.RawMessage) string {
	if len(text) == 0 {
		return ""
	}
	var s string
	if json.Unmarshal(text, &s) == nil {
		return s
	}
	var all []string
	if json.Unmarshal(text, &all) == nil {
		return list(all)
	}
	return string(canonical(text))
}

// list is a list as people read it in a plan.
func list(all []string) string { return fmt.Sprintf("[%s]", strings.Join(all, ", ")) }
