package config

import (
	"maps"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dex/internal/base/strict"
)

// EnvPrefix begins the name of every environment variable that is a setting of
// dex-worker, OverlordPrefix of dex-overlord.
const (
	EnvPrefix      = "DEX_WORKER_"
	OverlordPrefix = "DEX_OVERLORD_"
)

// program is what the settings of one program are.
type program[S any] struct {
	prefix string    // of its environment variables
	table  []setting // those that are flags too
	usages map[string]string
	check  func(s *S, l *loader)
	keep   func(s *S, places map[string]strict.Place)
}

// The programs. Their flags follow from their structs.
var (
	worker = program[Settings]{
		prefix: EnvPrefix, table: tabulate(reflect.TypeFor[Settings](), EnvPrefix), usages: usages,
		check: (*Settings).check, keep: func(s *Settings, places map[string]strict.Place) { s.places = places },
	}
	overlord = program[Overlord]{
		prefix: OverlordPrefix, table: tabulate(reflect.TypeFor[Overlord](), OverlordPrefix), usages: overlordUsages,
		check: (*Overlord).check, keep: func(s *Overlord, places map[string]strict.Place) { s.places = places },
	}
)

// setting is a setting that is a flag and an environment variable too.
type setting struct {
	name   string   // as in the file, or as the flag where the file does not have it
	index  int      // of the field in the struct
	flags  []string // the first is its own name
	env    []string // the first that is set counts
	list   bool
	kind   string // how the help shows its value
	field  strict.Field
	hidden bool // not in the file
}

func (s setting) flag() string { return s.flags[0] }

func tabulate(t reflect.Type, prefix string) []setting {
	var table []setting
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || !strict.IsLeaf(f.Type) {
			continue
		}
		s := setting{name: f.Tag.Get("yaml"), index: i, field: strict.FieldOf(f), list: f.Type.Kind() == reflect.Slice}
		s.flags = []string{strings.ReplaceAll(s.name, "_", "-")}
		if own := f.Tag.Get("flag"); own != "" {
			s.name, s.flags, s.hidden = own, []string{own}, true
		}
		if alias := f.Tag.Get("alias"); alias != "" {
			s.flags = append(s.flags, alias)
		}
		for _, flag := range s.flags {
			s.env = append(s.env, prefix+strings.ToUpper(strings.ReplaceAll(flag, "-", "_")))
		}
		if shared := f.Tag.Get("shared"); shared != "" {
			s.env = append(s.env, shared)
		}
		s.kind = valueKind(f.Type, s.field)
		table = append(table, s)
	}
	return table
}

func valueKind(t reflect.Type, f strict.Field) string {
	item := t
	if t.Kind() == reflect.Slice {
		item = t.Elem()
	}
	var kind string
	switch {
	case item == reflect.TypeFor[netip.Prefix]():
		kind = "network"
	case item == reflect.TypeFor[time.Duration]():
		kind = "duration"
	case item.Kind() == reflect.Bool:
		kind = "bool"
	case item.Kind() == reflect.Int:
		kind = "int"
	case len(f.Enum) > 0:
		kind = strings.Join(f.Enum, "|")
	default:
		kind = "string"
	}
	if item != t {
		kind += "s"
	}
	return kind
}

// BindFlags adds a flag for each setting of dex-worker that can be one. Nothing is
// read from them before [Load], which sees those that were set.
func BindFlags(fs *pflag.FlagSet) { worker.bind(fs) }

// BindOverlordFlags adds a flag for each setting of dex-overlord that can be one.
func BindOverlordFlags(fs *pflag.FlagSet) { overlord.bind(fs) }

func (p *program[S]) bind(fs *pflag.FlagSet) {
	for _, s := range p.table {
		for i, name := range s.flags {
			usage := p.usages[s.name]
			if i > 0 {
				usage = "the same as --" + s.flag()
			}
			f := fs.VarPF(&flagValue{setting: s}, name, "", usage)
			if s.kind == "bool" {
				f.NoOptDefVal = "true"
			}
		}
	}
}

// flagValue keeps what a flag was given, unread, so that its mistakes are
// reported with all others.
type flagValue struct {
	setting
	texts []string
}

// String implements [pflag.Value].
func (v *flagValue) String() string {
	if v.texts == nil {
		return v.field.Fallback
	}
	return strings.Join(v.texts, ",")
}

// Set implements [pflag.Value]. A flag for a list may be repeated; of any other,
// the last counts.
func (v *flagValue) Set(text string) error {
	if !v.list {
		v.texts = nil
	}
	v.texts = append(v.texts, text)
	return nil
}

// Type implements [pflag.Value].
func (v *flagValue) Type() string { return v.kind }

// override is a setting that was made by a flag or in the environment.
type override struct {
	setting
	texts []string
	at    strict.Place
}

// overrides returns what the environment and the flags say; a flag takes the
// setting from the environment. An environment variable that is empty counts as
// not set, because many programs that start others can empty one but not drop it.
func (l *loader) overrides(flags *pflag.FlagSet) []override {
	var all []override
	for _, s := range l.table {
		if o := l.override(s, flags); o.texts != nil {
			l.Places[s.name] = o.at
			all = append(all, o)
		}
	}
	l.strangers()
	return all
}

func (l *loader) override(s setting, flags *pflag.FlagSet) (o override) {
	for _, name := range s.flags {
		if flags == nil || !flags.Changed(name) {
			continue
		}
		if v, ok := flags.Lookup(name).Value.(*flagValue); ok {
			if o.texts != nil {
				l.AddAt(strict.Outside("--"+name), s.name, "is the same setting as %s, which is set too", o.at)
				continue
			}
			o = override{s, v.texts, strict.Outside("--" + name)}
		}
	}
	for _, name := range s.env {
		if text := l.env[name]; text != "" && o.texts == nil {
			o = override{s, []string{text}, strict.Outside(name)}
		}
	}
	return o
}

// apply gives a setting what a flag or the environment says. A list replaces what
// the file says; nothing is merged.
func (l *loader) apply(settings reflect.Value, o override) {
	maps.DeleteFunc(l.Places, func(path string, _ strict.Place) bool { return strings.HasPrefix(path, o.name+"[") })
	l.Places[o.name] = o.at
	v := settings.Field(o.index)
	if !o.list {
		if err := strict.SetText(v, o.field, o.texts[len(o.texts)-1]); err != nil {
			l.AddAt(o.at, o.name, "%s", err)
		}
		return
	}
	v.SetZero()
	for _, text := range o.texts {
		for one := range strings.SplitSeq(text, ",") {
			item := reflect.New(v.Type().Elem()).Elem()
			if err := strict.SetText(item, o.field, strings.TrimSpace(one)); err != nil {
				l.AddAt(o.at, o.name, "%s", err)
			}
			v.Set(reflect.Append(v, item))
		}
	}
}

// linked matches the variables that Kubernetes and Docker set for a service that
// is called as the program is. They are about its address, and nobody means them as
// settings.
var linked = regexp.MustCompile(`^(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// strangers notes the environment variables that have our prefix and are no
// setting.
func (l *loader) strangers() {
	var known, unknown []string
	for _, s := range l.table {
		for _, name := range s.env {
			if strings.HasPrefix(name, l.prefix) {
				known = append(known, name)
			}
		}
	}
	for name := range l.env {
		rest, ours := strings.CutPrefix(name, l.prefix)
		if ours && !slices.Contains(known, name) && !linked.MatchString(rest) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		at := strict.Outside(name)
		if meant := strict.Suggest(name, known); meant != "" {
			l.AddAt(at, name, "unknown setting; did you mean %s?", meant)
		} else {
			l.AddAt(at, name, "unknown setting")
		}
	}
}
