// Package strict reads what people write: YAML or JSON into structs, as it is
// meant or not at all.
//
// A setting that does not exist, one that stands there twice and a value of the
// wrong kind are mistakes. All of them are found in one reading, each with its place,
// because whoever mends one at a time reads once for each.
package strict

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

// Decoder turns the nodes of a YAML document into settings. It goes on after a
// mistake, and remembers where everything stands.
type Decoder struct {
	*Findings
	Name string // of the file; none for what came some other way
	// Expand fills in what a value refers to; nil leaves values as they stand.
	Expand func(string) (string, error)
	// Lenient passes over what it does not know: for what a newer program has written.
	Lenient bool

	aliased int
	inAlias int
	stopped bool
}

// Decode reads a whole document into the struct that v points to. It reports whether
// it is at least YAML, so that something can be said of what it does not hold.
func (d *Decoder) Decode(data []byte, v any) bool {
	if at, ok := d.unreadable(data); ok {
		d.AddAt(at, "", "is not text: here is a control character, or a byte that is not UTF-8")
		return false
	}
	root, ok := d.parse(data)
	if root == nil {
		return ok
	}
	if root.ShortTag() != "!!null" {
		d.value(root, reflect.ValueOf(v).Elem(), Field{}, "")
	}
	return !d.stopped && !d.broken[""]
}

// parse returns the root of the one document that there is. There is none in an
// empty one, which is well, and in what is no YAML.
func (d *Decoder) parse(data []byte) (root *yaml.Node, ok bool) {
	if isJSON(data) {
		root, err := readJSON(data)
		if err != nil {
			d.AddAt(InFile(d.Name), "", "is no JSON that can be read: %s", err)
			return nil, false
		}
		return root, true
	}
	// Duplicate keys are for us to find, since the library would stop at them.
	in, err := yaml.NewLoader(bytes.NewReader(data),
		yaml.WithUniqueKeys(false), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		d.AddAt(Place{file: d.Name}, "", "%s", err)
		return nil, false
	}
	var doc, second yaml.Node
	switch err := in.Load(&doc); {
	case errors.Is(err, io.EOF):
		return nil, true // nothing in it, or comments only
	case err != nil:
		d.syntax(err)
		return nil, false
	}
	switch err := in.Load(&second); {
	case err == nil:
		d.AddAt(d.at(&second), "", "begins a second document; only one is read")
	case !errors.Is(err, io.EOF):
		d.syntax(err)
		return nil, false
	}
	return doc.Content[0], true
}

// unreadable finds the first character that no text has.
func (d *Decoder) unreadable(data []byte) (Place, bool) {
	at := Place{file: d.Name, line: 1, column: 1}
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
	return Place{}, false
}

// syntax notes why the file is no YAML.
func (d *Decoder) syntax(err error) {
	e, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		d.AddAt(Place{file: d.Name}, "", "is no YAML: %s", err)
		return
	}
	message := e.Message
	if e.ContextMsg != "" {
		message += " " + e.ContextMsg
	}
	d.AddAt(Place{file: d.Name, line: e.Mark.Line, column: e.Mark.Column}, "", "is no YAML: %s", message)
}

func (d *Decoder) at(n *yaml.Node) Place {
	return Place{file: d.Name, line: n.Line, column: n.Column}
}

// enter follows an alias to what it stands for, within the limits, and keeps the
// place of the path. The caller calls leave when it is done with the node.
func (d *Decoder) enter(n *yaml.Node, path string) (*yaml.Node, func()) {
	at := d.at(n)
	d.Places[path] = at
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
			d.AddAt(at, path, "aliases make this document too large")
		}
		d.stopped = true
	}
	return n, leave
}

// value reads a node into v.
func (d *Decoder) value(n *yaml.Node, v reflect.Value, f Field, path string) {
	n, leave := d.enter(n, path)
	defer leave()
	if d.stopped {
		return
	}
	if !standardTag(n) {
		d.Add(path, "the tag %s has no meaning here", n.ShortTag())
		return
	}
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.scalar(n, v.Elem(), f, path)
	case v.Type() == objectType:
		d.freeForm(n, v, path)
	case isSection(v.Type()):
		d.section(n, v, path)
	case v.Kind() == reflect.Slice:
		d.list(n, v, f, path)
	default:
		d.scalar(n, v, f, path)
	}
}

func (d *Decoder) scalar(n *yaml.Node, v reflect.Value, f Field, path string) {
	text, err := d.text(n)
	if err == nil {
		err = SetText(v, f, text)
	}
	if err != nil {
		d.Add(path, "%s", err)
	}
}

// text returns what a scalar says, as it stands in the file: a user name of 007
// is no number, and one of "no" is no boolean.
func (d *Decoder) text(n *yaml.Node) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", fmt.Errorf("must be a single value, not a %s", kindName(n))
	case n.ShortTag() == "!!null":
		return "", errors.New("has no value; give it one or leave it out")
	}
	return d.filled(n.Value)
}

// filled is a value with what it refers to filled in.
func (d *Decoder) filled(text string) (string, error) {
	if d.Expand == nil {
		return text, nil
	}
	return d.Expand(text)
}

func (d *Decoder) list(n *yaml.Node, v reflect.Value, f Field, path string) {
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
		if isSection(target.Type()) {
			SetDefaults(target)
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		d.value(item, target, f, at)
		if d.flawed[at] && IsLeaf(v.Type()) {
			d.flawed[path] = true // nothing follows from a list that is not as meant
		}
	}
}

// section reads a mapping into a struct.
func (d *Decoder) section(n *yaml.Node, v reflect.Value, path string) {
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
		switch {
		case !ok && d.Lenient:
			continue
		case !ok:
			d.unknown(e, known, path)
			continue
		}
		d.value(e.value, v.Field(i), FieldOf(v.Type().Field(i)), Join(path, e.name))
	}
}

// word is what the name of a setting looks like, if only roughly.
var word = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// unknown notes an entry that is no setting. What does not look like a name is
// not repeated: it is the rest of a value that was cut at a comma, and may be
// the hash of a password.
func (d *Decoder) unknown(e entry, known []string, path string) {
	if !word.MatchString(e.name) {
		d.AddAt(d.at(e.key), path, "here is something that is no name of a setting; a value that holds a comma, a colon or a # may need quotes")
		return
	}
	var meant string
	if !d.Full() { // guessing is the one thing here that takes time
		meant = Suggest(e.name, known)
	}
	if meant == "" {
		d.AddAt(d.at(e.key), Join(path, e.name), "unknown setting")
		return
	}
	d.AddAt(d.at(e.key), Join(path, e.name), "unknown setting; did you mean %q?", meant)
	d.flawed[Join(path, meant)] = true // so that nobody complains that it is missing
}

// entry is one line of a mapping.
type entry struct {
	name       string
	key, value *yaml.Node
}

// entries returns what a mapping holds, with what is merged into it (<<) where it
// says nothing itself. A name that stands there twice is a mistake.
func (d *Decoder) entries(n *yaml.Node, path string) []entry {
	var own, merged []entry
	first := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.ShortTag() == "!!merge":
			merged = append(merged, d.merge(value, path)...)
		case key.Kind != yaml.ScalarNode || !standardTag(key):
			d.AddAt(d.at(key), path, "the name of a setting must be a word")
		case first[key.Value] != nil:
			d.AddAt(d.at(key), Join(path, key.Value), "is set twice, first on line %d", first[key.Value].Line)
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
func (d *Decoder) merge(n *yaml.Node, path string) []entry {
	at := d.at(n)
	n, leave := d.enter(n, Join(path, "<<"))
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
	d.AddAt(at, path, "<< must name a section, or a list of them")
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

// Join is the path of a setting in the section at a path.
func Join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
