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

// setting is a setting that is a flag and an environment variable too.
type setting struct {
	name   string // as in the file, or as the flag where the file does not have it
	index  int    // of the field in [Settings]
	flag   string
	env    []string // the first that is set counts
	list   bool
	kind   string // how the help shows its value
	field  strict.Field
	hidden bool // not in the file
}

// settings is the one table of flags and environment variables. It follows from
// the struct.
var settings = tabulate(reflect.TypeFor[Settings]())

func tabulate(t reflect.Type) []setting {
	var table []setting
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || !strict.IsLeaf(f.Type) {
			continue
		}
		s := setting{name: f.Tag.Get("yaml"), index: i, field: strict.FieldOf(f), list: f.Type.Kind() == reflect.Slice}
		s.flag = strings.ReplaceAll(s.name, "_", "-")
		if own := f.Tag.Get("flag"); own != "" {
			s.name, s.flag, s.hidden = own, own, true
		}
		s.env = []string{EnvPrefix + strings.ToUpper(strings.ReplaceAll(s.flag, "-", "_"))}
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

// BindFlags adds a flag for each setting that can be one. Nothing is read from
// them before [Load], which sees those that were set.
func BindFlags(fs *pflag.FlagSet) {
	for _, s := range settings {
		f := fs.VarPF(&flagValue{setting: s}, s.flag, "", usages[s.name])
		if s.kind == "bool" {
			f.NoOptDefVal = "true"
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
	for _, s := range settings {
		if o := l.override(s, flags); o.texts != nil {
			l.Places[s.name] = o.at
			all = append(all, o)
		}
	}
	l.strangers()
	return all
}

func (l *loader) override(s setting, flags *pflag.FlagSet) override {
	if flags != nil && flags.Changed(s.flag) {
		if v, ok := flags.Lookup(s.flag).Value.(*flagValue); ok {
			return override{s, v.texts, strict.Outside("--" + s.flag)}
		}
	}
	for _, name := range s.env {
		if text := l.env[name]; text != "" {
			return override{s, []string{text}, strict.Outside(name)}
		}
	}
	return override{}
}

// apply gives a setting what a flag or the environment says. A list replaces what
// the file says; nothing is merged.
func (l *loader) apply(s *Settings, o override) {
	maps.DeleteFunc(l.Places, func(path string, _ strict.Place) bool { return strings.HasPrefix(path, o.name+"[") })
	l.Places[o.name] = o.at
	v := reflect.ValueOf(s).Elem().Field(o.index)
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
// is called dex-worker. They are about its address, and nobody means them as
// settings.
var linked = regexp.MustCompile(`^(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// strangers notes the environment variables that have our prefix and are no
// setting.
func (l *loader) strangers() {
	var known, unknown []string
	for _, s := range settings {
		known = append(known, s.env[0])
	}
	for name := range l.env {
		rest, ours := strings.CutPrefix(name, EnvPrefix)
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
