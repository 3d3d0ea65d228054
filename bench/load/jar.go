package load

import (
	"strings"
)

// jar keeps a browser's cookies for the one server that it visits, all for the
// path "/".
type jar []cookie

type cookie struct{ name, value string }

// keep takes the Set-Cookie lines of an answer in (RFC 6265, section 5.2).
func (j *jar) keep(lines []string) {
	for _, line := range lines {
		pair, attributes, _ := strings.Cut(line, ";")
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || name == "" {
			continue
		}
		j.remove(name)
		if !expired(attributes) {
			*j = append(*j, cookie{name, value})
		}
	}
}

// expired reports whether a cookie is set in order to be forgotten. A Max-Age of
// zero or less says so; an Expires alone is not looked at, because no server that
// is measured relies on it.
func expired(attributes string) bool {
	for attribute := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(attribute), "=")
		if strings.EqualFold(name, "Max-Age") {
			return value == "0" || strings.HasPrefix(value, "-")
		}
	}
	return false
}

func (j *jar) remove(name string) {
	for i, c := range *j {
		if c.name == name {
			*j = append((*j)[:i], (*j)[i+1:]...)
			return
		}
	}
}

// header is the value of the Cookie header, "" if there are none.
func (j jar) header() string {
	if len(j) == 0 {
		return ""
	}
	var b strings.Builder
	for i, c := range j {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.name)
		b.WriteByte('=')
		b.WriteString(c.value)
	}
	return b.String()
}
