package web

import (
	"html/template"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/feature/plural"
)

// funcs are the words that a template may use beside its page's fields.
func (t *tongue) funcs(l *look, o Options) template.FuncMap {
	return template.FuncMap{
		"msg":      t.msg,
		"known":    t.known,
		"label":    t.label,
		"scope":    t.scope,
		"duration": t.duration,
		"asset":    l.statics.url,
		"icon":     l.icon,
		"home":     func() string { return o.Path + "/" },
		"host":     host,
		"initial":  initial,
		"appURL":   appURL,
		"line":     oneLine,
		"qr":       qrCode,
	}
}

// msg returns the sentence of a key, its slots filled from pairs of name and
// value. A key that nobody knows gives a sentence that fits most problems, since
// it can only have come from a page's Problem.
func (t *tongue) msg(key string, pairs ...any) string {
	return t.messages[t.known(key, "problem.unknown")].text(pairs)
}

// known returns key if there is a sentence for it, and instead if not.
func (t *tongue) known(key, instead string) string {
	if _, ok := t.messages[key]; ok {
		return key
	}
	return instead
}

// label returns what stands beside a field: the sentence of a key, or the text
// itself, where an operator has named the field.
func (t *tongue) label(text string) string {
	if m, ok := t.messages[text]; ok {
		return m.text(nil)
	}
	return text
}

// scope says in plain words what a scope allows. The client is the one that an
// audience scope names. A scope that we have no words for is shown as it is; so
// is one that is called "audience" or "other", whose words are not for it: they
// have slots.
func (t *tongue) scope(name, client string) string {
	key := "scope." + name
	switch {
	case client != "":
		key = "scope.audience"
	case len(t.messages[key]) != 1:
		key = "scope.other"
	}
	return t.msg(key, "client", client, "scope", name)
}

// duration says how long to wait. Never less than asked, as "1 minute" for 61
// seconds would be.
func (t *tongue) duration(seconds int) string {
	n, unit := max(seconds, 1), "seconds"
	if n > 90 {
		n, unit = (n+59)/60, "minutes"
		if n > 90 {
			n, unit = (n+59)/60, "hours"
		}
	}
	form := "other"
	switch plural.Cardinal.MatchPlural(t.tag, n, 0, 0, 0, 0) {
	case plural.Zero:
		form = "zero"
	case plural.One:
		form = "one"
	case plural.Two:
		form = "two"
	case plural.Few:
		form = "few"
	case plural.Many:
		form = "many"
	}
	key := "duration." + unit + "."
	return t.msg(t.known(key+form, key+"other"), "n", n)
}

// icon returns the picture for a kind of connector.
func (l *look) icon(kind string) template.HTML {
	if icon, ok := l.icons[kind]; ok {
		return icon
	}
	return l.icons["other"]
}

// initial returns the first letter of the first name that has one.
func initial(names ...string) string {
	for _, name := range names {
		if r, _ := utf8.DecodeRuneInString(strings.TrimSpace(name)); unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "?"
}

// host returns where an address leads, for a person to read.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "…"
	}
	return u.Host
}

// appURL lets a link lead into a native application. A template by itself lets
// only web addresses through; beside them we allow private-use schemes, which
// have a dot in them (RFC 8252, 7.1), as no scheme has that a browser runs.
func appURL(address string) template.URL {
	u, err := url.Parse(address)
	if err != nil {
		return "#"
	}
	switch {
	case u.Scheme == "https", u.Scheme == "http", strings.Contains(u.Scheme, "."):
		// The template still escapes it for the attribute.
		return template.URL(address) //nolint:gosec // see above
	}
	return "#"
}
