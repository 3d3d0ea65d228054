package load

import (
	"bytes"
	"errors"
	"html"
	"net/url"
	"strings"
)

// form is a form of a page, as far as it is sent without anybody's doing.
type form struct {
	Action string
	Fields []field
}

type field struct {
	Name, Value, Type string
}

var errNoForm = errors.New("the page has no form with a password")

// findForm returns the first form of a page that asks for a password. It reads
// what servers write, with every attribute in quotes, and not HTML at large.
func findForm(page []byte) (form, error) {
	for {
		tag, rest, ok := nextTag(page, "form")
		if !ok {
			return form{}, errNoForm
		}
		page = rest
		inner := rest
		if end := bytes.Index(rest, []byte("</form")); end >= 0 {
			inner = rest[:end]
		}
		f := form{Action: attribute(tag, "action"), Fields: inputs(inner)}
		for _, in := range f.Fields {
			if in.Type == "password" {
				return f, nil
			}
		}
	}
}

func inputs(page []byte) []field {
	var fields []field
	for {
		tag, rest, ok := nextTag(page, "input")
		if !ok {
			return fields
		}
		page = rest
		if name := attribute(tag, "name"); name != "" {
			fields = append(fields, field{Name: name, Value: attribute(tag, "value"), Type: attribute(tag, "type")})
		}
	}
}

// nextTag returns the attributes of the next start tag of this name, and what
// follows it.
func nextTag(page []byte, name string) (tag, rest []byte, ok bool) {
	for {
		i := bytes.IndexByte(page, '<')
		if i < 0 {
			return nil, nil, false
		}
		page = page[i+1:]
		if len(page) <= len(name) || !is(page[:len(name)], name) || !isSpace(page[len(name)]) {
			continue
		}
		end := tagEnd(page)
		if end < 0 {
			return nil, nil, false
		}
		return page[len(name):end], page[end+1:], true
	}
}

// tagEnd returns where the tag's ">" is that stands in no quotes.
func tagEnd(page []byte) int {
	var quote byte
	for i, c := range page {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"', c == '\'':
			quote = c
		case c == '>':
			return i
		}
	}
	return -1
}

// attribute returns the value of an attribute, or "" if the tag has none.
func attribute(tag []byte, name string) string {
	for {
		tag = bytes.TrimLeft(tag, " \t\r\n/")
		i := bytes.IndexAny(tag, "= \t\r\n")
		if i < 0 || i == len(tag)-1 {
			return ""
		}
		key := tag[:i]
		if tag[i] != '=' { // an attribute without a value
			tag = tag[i:]
			continue
		}
		quote := tag[i+1]
		if quote != '"' && quote != '\'' {
			return ""
		}
		tag = tag[i+2:]
		end := bytes.IndexByte(tag, quote)
		if end < 0 {
			return ""
		}
		if is(key, name) {
			return html.UnescapeString(string(tag[:end]))
		}
		tag = tag[end+1:]
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// fill returns the form as it is sent when these fields have been filled in.
func (f form) fill(filled ...string) (string, error) {
	var b strings.Builder
	for _, in := range f.Fields {
		switch in.Type {
		case "submit", "button", "reset", "checkbox", "radio", "image", "file":
			continue
		}
		value := in.Value
		for i := 0; i+1 < len(filled); i += 2 {
			if filled[i] == in.Name {
				value = filled[i+1]
			}
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(in.Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(value))
	}
	for i := 0; i < len(filled); i += 2 {
		if !f.has(filled[i]) {
			return "", errors.New("the form has no field " + filled[i])
		}
	}
	return b.String(), nil
}

func (f form) has(name string) bool {
	for _, in := range f.Fields {
		if in.Name == name {
			return true
		}
	}
	return false
}
