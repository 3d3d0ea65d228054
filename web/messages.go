package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// english is the language that every other one is held to, and that speaks
// where another has nothing to say.
const english = "en"

// tongue is one language with all its sentences, and all pages drawn in it.
type tongue struct {
	name      string // the file's name, and the page's lang: "de"
	tag       language.Tag
	direction string // "ltr" or "rtl"
	messages  map[string]message
	pages     map[string]*template.Template
	letters   map[LetterKind]letter
}

// message is a sentence with places to fill in: its pieces are text and slots in
// turn, beginning with text.
type message []string

// parseMessage reads a sentence such as "Sign in to {client}".
func parseMessage(s string) (message, error) {
	var m message
	for {
		text, rest, ok := strings.Cut(s, "{")
		if strings.Contains(text, "}") {
			return nil, errors.New("a } without its {")
		}
		m = append(m, text)
		if !ok {
			return m, nil
		}
		slot, after, ok := strings.Cut(rest, "}")
		if !ok || slot == "" || strings.Trim(slot, "abcdefghijklmnopqrstuvwxyz") != "" {
			return nil, errors.New("a { must be followed by a name in small letters and a }")
		}
		m = append(m, slot)
		s = after
	}
}

// slots returns the names that the message has places for, sorted.
func (m message) slots() []string {
	var names []string
	for i := 1; i < len(m); i += 2 {
		names = append(names, m[i])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// text fills the slots from pairs of name and value. The result is plain text:
// the template escapes it like any other. A value is never looked at again, so
// one that holds braces fills nothing.
func (m message) text(pairs []any) string {
	if len(m) == 1 {
		return m[0]
	}
	var b strings.Builder
	for i, piece := range m {
		if i%2 == 0 {
			b.WriteString(piece)
			continue
		}
		for p := 0; p+1 < len(pairs); p += 2 {
			if pairs[p] == piece {
				fmt.Fprint(&b, pairs[p+1])
				break
			}
		}
	}
	return b.String()
}

// parseMessages reads a file of sentences: one JSON object from key to sentence.
// A key that appears twice is an error, since one of the two would be lost.
func parseMessages(file string, data []byte) (map[string]message, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	fail := func(err error) error {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("%s:%d: %w", file, 1+bytes.Count(data[:d.InputOffset()], []byte("\n")), err)
	}
	if t, err := d.Token(); err != nil {
		return nil, fail(err)
	} else if t != json.Delim('{') {
		return nil, fail(errors.New("this is not an object of keys and sentences"))
	}
	messages := map[string]message{}
	for d.More() {
		var pair [2]string
		for i := range pair {
			t, err := d.Token()
			if err != nil {
				return nil, fail(err)
			}
			s, ok := t.(string)
			if !ok {
				return nil, fail(fmt.Errorf("%v: a sentence is a string", t))
			}
			pair[i] = s
		}
		if _, twice := messages[pair[0]]; twice {
			return nil, fail(fmt.Errorf("%q appears twice", pair[0]))
		}
		m, err := parseMessage(pair[1])
		if err != nil {
			return nil, fail(fmt.Errorf("%q: %w", pair[0], err))
		}
		messages[pair[0]] = m
	}
	if _, err := d.Token(); err != nil {
		return nil, fail(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fail(errors.New("there is something after the end"))
	}
	return messages, nil
}

// loadTongues reads every language, English first. A theme's sentence replaces
// ours of the same key, and a theme may add languages; what they do not say is
// said in English.
func loadTongues(files layers) ([]*tongue, error) {
	names, err := files.list("messages")
	if err != nil {
		return nil, err
	}
	ours, err := loadTongue(layers{embedded}, english)
	if err != nil {
		return nil, err
	}
	first, err := loadTongue(files, english)
	if err != nil {
		return nil, err
	}
	tongues := []*tongue{first}
	for _, file := range names {
		name, ok := strings.CutSuffix(path.Base(file), ".json")
		if !ok {
			return nil, fmt.Errorf("%s: the file must be named after a language, as in messages/de.json", file)
		}
		if name == english {
			continue
		}
		t, err := loadTongue(files, name)
		if err != nil {
			return nil, err
		}
		tongues = append(tongues, t)
	}
	for _, t := range tongues {
		if err := t.holdTo(ours); err != nil {
			return nil, err
		}
		for key, m := range first.messages {
			if _, ok := t.messages[key]; !ok {
				t.messages[key] = m
			}
		}
	}
	return tongues, nil
}

// holdTo refuses a sentence with a slot that ours does not have: no template
// would fill it.
func (t *tongue) holdTo(ours *tongue) error {
	for key, m := range t.messages {
		known, ok := ours.messages[key]
		for _, slot := range m.slots() {
			if ok && !slices.Contains(known.slots(), slot) {
				return fmt.Errorf("messages/%s.json: %q: there is no {%s} to fill in here", t.name, key, slot)
			}
		}
	}
	return nil
}

// loadTongue reads the files of one language, the theme's over ours.
func loadTongue(files layers, name string) (*tongue, error) {
	t := &tongue{name: name, messages: map[string]message{}}
	file := "messages/" + name + ".json"
	var err error
	if t.tag, err = language.Parse(name); err != nil {
		return nil, fmt.Errorf("%s: %q is no language: %w", file, name, err)
	}
	for _, layer := range slices.Backward(files) {
		data, err := fs.ReadFile(layer, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		messages, err := parseMessages(file, data)
		if err != nil {
			return nil, err
		}
		maps.Copy(t.messages, messages)
	}
	t.direction = "ltr"
	if t.messages["language.direction"].text(nil) == "rtl" {
		t.direction = "rtl"
	}
	return t, nil
}

// How much of a wish we listen to. Both lists come from outside.
const (
	maxWishes = 10
	maxHeader = 512
)

// wishes returns the languages somebody asks for, best first: ui_locales
// (OpenID Connect Core, 3.1.2.1), then Accept-Language (RFC 9110, 12.5.4).
func wishes(locales []string, accept string) []language.Tag {
	var tags []language.Tag
	for _, locale := range locales[:min(len(locales), maxWishes)] {
		if len(locale) > maxHeader {
			continue
		}
		if tag, err := language.Parse(locale); err == nil {
			tags = append(tags, tag)
		}
	}
	accept = accept[:min(len(accept), maxHeader)]
	for i, commas := 0, 0; i < len(accept); i++ {
		if accept[i] == ',' {
			if commas++; commas == maxWishes {
				accept = accept[:i]
			}
		}
	}
	more, _, err := language.ParseAcceptLanguage(accept)
	if err != nil {
		return tags
	}
	tags = append(tags, more...)
	return tags[:min(len(tags), maxWishes)]
}
