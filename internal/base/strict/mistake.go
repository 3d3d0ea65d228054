package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// MaxMistakes bounds the report: whoever has more than this has one cause.
const MaxMistakes = 100

// Mistake is one thing that is wrong with the settings.
type Mistake struct {
	Place   string // "dex.yaml:14:5", "--listen" or "DEX_WORKER_LISTEN"; empty when nothing was set anywhere
	Path    string // the setting, such as "clients[2].redirect_uris[0]"
	Message string
}

// Error implements error.
func (m Mistake) Error() string {
	var parts []string
	if m.Place != "" {
		parts = append(parts, m.Place)
	}
	if m.Path != "" {
		parts = append(parts, m.Path)
	}
	return strings.Join(append(parts, m.Message), ": ")
}

// Mistakes is everything that is wrong with the settings, in the order in which
// it is met when reading: what was not set at all, flags, environment, file.
type Mistakes []Mistake

// Error implements error. It has a line for each mistake.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = mistake.Error()
	}
	return strings.Join(lines, "\n")
}

// Place is where a setting was made. The zero place is nowhere: a default.
type Place struct {
	file         string
	line, column int
	outer        string // the flag or the environment variable, instead of a file
}

// Outside is the place of what was set by a flag or in the environment.
func Outside(name string) Place { return Place{outer: name} }

// InFile is the place of a whole file.
func InFile(name string) Place { return Place{file: name} }

// String implements [fmt.Stringer]. In what is no file there are no lines to tell.
func (p Place) String() string {
	switch {
	case p.outer != "":
		return p.outer
	case p.line > 0 && p.file != "":
		return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.column)
	default:
		return p.file
	}
}

// Findings collects what was set where, and what is wrong with it.
type Findings struct {
	Places map[string]Place
	found  []finding
	flawed map[string]bool // paths that have their mistake already
	broken map[string]bool // sections and lists that could not be read at all
	more   int             // mistakes beyond [MaxMistakes]
}

type finding struct {
	at Place
	Mistake
}

// NewFindings returns an empty collection.
func NewFindings() *Findings {
	return &Findings{Places: map[string]Place{}, flawed: map[string]bool{}, broken: map[string]bool{}}
}

// Add notes a mistake in the setting at path, at the place where it was made. A
// setting has one mistake at most: what follows from the first helps nobody.
func (f *Findings) Add(path, format string, args ...any) {
	if f.flawed[path] {
		return
	}
	for around := path; around != ""; around = parent(around) {
		if f.broken[around] {
			return
		}
	}
	f.AddAt(f.Where(path), path, format, args...)
}

// breaks notes that a section or a list is nothing of the kind.
func (f *Findings) breaks(path, format string, args ...any) {
	f.Add(path, format, args...)
	f.broken[path] = true
}

// AddAt notes a mistake at a place of its own.
func (f *Findings) AddAt(at Place, path, format string, args ...any) {
	f.flawed[path] = true
	if f.Full() {
		f.more++
		return
	}
	m := Mistake{Place: at.String(), Path: path, Message: fmt.Sprintf(format, args...)}
	if at.outer != "" {
		m.Path = "" // the flag's own name says it
	}
	f.found = append(f.found, finding{at, m})
}

// Full reports whether further mistakes are only counted.
func (f *Findings) Full() bool { return len(f.found) == MaxMistakes }

// Given reports whether the setting at path was set, rightly or wrongly.
func (f *Findings) Given(path string) bool {
	_, ok := f.Places[path]
	return ok || f.flawed[path]
}

// Flawed reports whether the setting at path has its mistake already.
func (f *Findings) Flawed(path string) bool { return f.flawed[path] }

// Where returns the place of the setting at path, or of the closest thing around it.
func (f *Findings) Where(path string) Place { return Nearest(f.Places, path) }

// Err returns what was found, as [Mistakes], or nil.
func (f *Findings) Err() error {
	if all := f.Mistakes(); len(all) > 0 {
		return all
	}
	return nil
}

// Mistakes returns what was found.
func (f *Findings) Mistakes() Mistakes {
	slices.SortStableFunc(f.found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.at.line, b.at.line), cmp.Compare(a.at.column, b.at.column))
	})
	var all Mistakes
	for _, one := range f.found {
		all = append(all, one.Mistake)
	}
	if f.more > 0 {
		all = append(all, Mistake{Message: fmt.Sprintf("and %d more", f.more)})
	}
	return all
}

// Nearest returns the place of a path, or of the closest thing around it.
func Nearest(places map[string]Place, path string) Place {
	for at := path; ; at = parent(at) {
		if p, ok := places[at]; ok && (at != "" || path == "") {
			return p
		}
		if at == "" {
			return Place{}
		}
	}
}

// parent returns the path of what a setting is part of, or nothing at the top.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// formerly are names that settings have in the configuration of dexidp/dex, for
// those who come from there.
var formerly = map[string]string{
	"staticclients":     "clients",
	"staticpasswords":   "users",
	"storage":           "db",
	"secretenv":         "secret",
	"hash":              "password_hash",
	"userid":            "id",
	"type":              "kind",
	"allowedscopes":     "scopes",
	"allowedgranttypes": "grant_types",
}

// Suggest returns the known name that the unknown one was most likely meant to
// be, or nothing.
func Suggest(unknown string, known []string) string {
	if len(unknown) > 64 || len(known) > 200 {
		return "" // not worth the time
	}
	plain := plainName(unknown)
	best, least := "", 1+max(1, len(plain)/4)
	for _, name := range known {
		if d := distance(plain, plainName(name)); d < least {
			best, least = name, d
		}
	}
	if former := formerly[plain]; best == "" && slices.Contains(known, former) {
		return former
	}
	return best
}

// plainName is a name without what people spell differently: redirectURIs and
// redirect-uris are redirect_uris.
func plainName(name string) string { return strings.ToLower(separators.Replace(name)) }

var separators = strings.NewReplacer("_", "", "-", "", ".", "")

// distance is the number of letters to add, drop, change or swap with the next
// to turn a into b.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row := rows[(i-1)%3], rows[i%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}
