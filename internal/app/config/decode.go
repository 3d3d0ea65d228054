package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Limits of a document. Without the second, a page of aliases of aliases is a
// list of billions.
const (
	maxDepth   = 64
	maxAliased = 100_000 // nodes that are reached through an alias
)

// decoder turns the nodes of a YAML document into settings. It goes on after a
// mistake, and remembers where everything stands.
type decoder struct {
	*findings
	name    string // of the file
	expand  func(string) (string, error)
	aliased int
	inAlias int
	stopped bool
}

// document reads a whole file into v. It reports whether the file is at least
// YAML, so that something can be said of what it does not hold.
func (d *decoder) document(data []byte, v reflect.Value) bool {
	if at, ok := d.unreadable(data); ok {
		d.addAt(at, "", "is not text: here is a control character, or a byte that is not UTF-8")
		return false
	}
	// Duplicate keys are for us to find, since the library would stop at them.
	in, err := yaml.NewLoader(bytes.NewReader(data),
		yaml.WithUniqueKeys(false), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		d.addAt(place{file: d.name}, "", "%s", err)
		return false
	}
	var doc, second yaml.Node
	switch err := in.Load(&doc); {
	case errors.Is(err, io.EOF):
		return true // nothing in it, or comments only
	case err != nil:
		d.syntax(err)
		return false
	}
	switch err := in.Load(&second); {
	case err == nil:
		d.addAt(d.at(&second), "", "begins a second document; only one is read")
	case !errors.Is(err, io.EOF):
		d.syntax(err)
		return false
	}
	root := doc.Content[0]
	if root.ShortTag() != "!!null" {
		d.value(root, v, field{}, "")
	}
	return !d.stopped && !d.broken[""]
}

// unreadable finds the first character that no text has.
func (d *decoder) unreadable(data []byte) (place, bool) {
	at := place{file: d.name, line: 1, column: 1}
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f:
			return at, true
		case r == '\n':
			at.line, at.column = at.line+1, 1
		default:
			at.column++
		}
		rest = rest[size:]
	}
	return place{}, false
}

// syntax notes why the file is no YAML.
func (d *decoder) syntax(err error) {
	e, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		d.addAt(place{file: d.name}, "", "is no YAML: %s", err)
		return
	}
	message := e.Message
	if e.ContextMsg != "" {
		message += " " + e.ContextMsg
	}
	d.addAt(place{file: d.name, line: e.Mark.Line, column: e.Mark.Column}, "", "is no YAML: %s", message)
}

func (d *decoder) at(n *yaml.Node) place {
	return place{file: d.name, line: n.Line, column: n.Column}
}

// enter follows an alias to what it stands for, within the limits, and keeps the
// place of the path. The caller calls leave when it is done with the node.
func (d *decoder) enter(n *yaml.Node, path string) (*yaml.Node, func()) {
	at := d.at(n)
	d.places[path] = at
	leave := func() {}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
		d.inAlias++
		leave = func() { d.inAlias-- }
	}
	if d.inAlias > 0 {
		d.aliased++
	}
	if d.aliased > maxAliased || d.inAlias > maxDepth {
		if !d.stopped {
			d.addAt(at, path, "aliases make this document too large")
		}
		d.stopped = true
	}
	return n, leave
}

// value reads a node into v.
func (d *decoder) value(n *yaml.Node, v reflect.Value, f field, path string) {
	n, leave := d.enter(n, path)
	defer leave()
	if d.stopped {
		return
	}
	if !standardTag(n) {
		d.add(path, "the tag %s has no meaning here", n.ShortTag())
		return
	}
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.scalar(n, v.Elem(), f, path)
	case v.Type() == objectType:
		d.freeForm(n, v, path)
	case v.Kind() == reflect.Struct && v.Type() != prefixType:
		d.section(n, v, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, f, path)
	default:
		d.scalar(n, v, f, path)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, f field, path string) {
	text, err := d.text(n)
	if err == nil {
		err = setText(v, f, text)
	}
	if err != nil {
		d.add(path, "%s", err)
	}
}

// text returns what a scalar says, as it stands in the file: a user name of 007
// is no number, and one of "no" is no boolean.
func (d *decoder) text(n *yaml.Node) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", fmt.Errorf("must be a single value, not a %s", kindName(n))
	case n.ShortTag() == "!!null":
		return "", errors.New("has no value; give it one or leave it out")
	}
	return d.expand(n.Value)
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, f field, path string) {
	switch {
	case n.ShortTag() == "!!null":
		return // "users:" with nothing below it yet
	case n.Kind != yaml.SequenceNode:
		d.breaks(path, "must be a list: each item on a line of its own, after a dash")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		target := v.Index(i)
		if target.Kind() == reflect.Struct && target.Type() != prefixType {
			setDefaults(target)
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		d.value(item, target, f, at)
		if d.flawed[at] && isLeaf(v.Type()) {
			d.flawed[path] = true // nothing follows from a list that is not as meant
		}
	}
}

// section reads a mapping into a struct.
func (d *decoder) section(n *yaml.Node, v reflect.Value, path string) {
	switch {
	case n.ShortTag() == "!!null" && path != "" && !strings.HasSuffix(path, "]"):
		return // "expiry:" with nothing below it yet
	case n.Kind != yaml.MappingNode:
		d.breaks(path, "must be a section of settings, not a %s", kindName(n))
		return
	}
	known := make([]string, 0, v.NumField())
	byName := make(map[string]int, v.NumField())
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			known = append(known, name)
			byName[name] = i
		}
	}
	for _, e := range d.entries(n, path) {
		i, ok := byName[e.name]
		if !ok {
			d.unknown(e, known, path)
			continue
		}
		d.value(e.value, v.Field(i), fieldOf(v.Type().Field(i)), join(path, e.name))
	}
}

// word is what the name of a setting looks like, if only roughly.
var word = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// unknown notes an entry that is no setting. What does not look like a name is
// not repeated: it is the rest of a value that was cut at a comma, and may be
// the hash of a password.
func (d *decoder) unknown(e entry, known []string, path string) {
	if !word.MatchString(e.name) {
		d.addAt(d.at(e.key), path, "here is something that is no name of a setting; a value that holds a comma, a colon or a # may need quotes")
		return
	}
	var meant string
	if !d.full() { // guessing is the one thing here that takes time
		meant = suggest(e.name, known)
	}
	if meant == "" {
		d.addAt(d.at(e.key), join(path, e.name), "unknown setting")
		return
	}
	d.addAt(d.at(e.key), join(path, e.name), "unknown setting; did you mean %q?", meant)
	d.flawed[join(path, meant)] = true // so that nobody complains that it is missing
}

// entry is one line of a mapping.
type entry struct {
	name       string
	key, value *yaml.Node
}

// entries returns what a mapping holds, with what is merged into it (<<) where it
// says nothing itself. A name that stands there twice is a mistake.
func (d *decoder) entries(n *yaml.Node, path string) []entry {
	var own, merged []entry
	first := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.ShortTag() == "!!merge":
			merged = append(merged, d.merge(value, path)...)
		case key.Kind != yaml.ScalarNode || !standardTag(key):
			d.addAt(d.at(key), path, "the name of a setting must be a word")
		case first[key.Value] != nil:
			d.addAt(d.at(key), join(path, key.Value), "is set twice, first on line %d", first[key.Value].Line)
		default:
			first[key.Value] = key
			own = append(own, entry{key.Value, key, value})
		}
	}
	for _, e := range merged {
		if first[e.name] == nil {
			first[e.name] = e.key
			own = append(own, e)
		}
	}
	return own
}

// merge returns the entries of the mappings that a << names.
func (d *decoder) merge(n *yaml.Node, path string) []entry {
	at := d.at(n)
	n, leave := d.enter(n, join(path, "<<"))
	defer leave()
	switch {
	case d.stopped:
		return nil
	case n.Kind == yaml.MappingNode:
		all := d.entries(n, path)
		if d.inAlias > 0 {
			d.aliased += len(all)
		}
		return all
	case n.Kind == yaml.SequenceNode:
		var all []entry
		for _, item := range n.Content {
			all = append(all, d.merge(item, path)...)
		}
		return all
	}
	d.addAt(at, path, "<< must name a section, or a list of them")
	d.broken[path] = true
	return nil
}

// standardTag reports whether a node is what it looks like. Everything else that
// a tag could ask for is for languages that make objects of it.
func standardTag(n *yaml.Node) bool {
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!seq", "!!map", "!!merge":
		return true
	}
	return false
}

func kindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "section"
	case n.Kind == yaml.SequenceNode:
		return "list"
	case n.ShortTag() == "!!null":
		return "blank"
	default:
		return "single value"
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
