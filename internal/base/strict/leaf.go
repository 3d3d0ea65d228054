package strict

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
	objectType   = reflect.TypeFor[Object]()
	unmarshaler  = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// Field is what the tags of a struct field say about its setting.
type Field struct {
	Name     string
	Enum     []string
	Min, Max string
	Fallback string // the default, lists with commas
}

// reads reports whether a type reads its own text.
func reads(t reflect.Type) bool {
	return t != prefixType && reflect.PointerTo(t).Implements(unmarshaler)
}

// isSection reports whether a type is a section of settings.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != prefixType && !reads(t)
}

// IsLeaf reports whether a type is a single value or a list of such.
func IsLeaf(t reflect.Type) bool {
	if t.Kind() == reflect.Slice && t != objectType {
		t = t.Elem()
	}
	return !isSection(t)
}

// FieldOf reads the tags of a struct field.
func FieldOf(f reflect.StructField) Field {
	out := Field{
		Name:     f.Tag.Get("yaml"),
		Min:      f.Tag.Get("min"),
		Max:      f.Tag.Get("max"),
		Fallback: f.Tag.Get("default"),
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		out.Enum = strings.Split(enum, "|")
	}
	return out
}

// SetText gives a setting the value that the text says. Its errors never repeat
// the text, which may be a secret in the wrong place.
func SetText(v reflect.Value, f Field, text string) error {
	switch v.Type() {
	case durationType:
		d, err := ParseDuration(text)
		v.SetInt(int64(d))
		return err
	case prefixType:
		p, err := ParsePrefix(text)
		v.Set(reflect.ValueOf(p))
		return err
	}
	if reads(v.Type()) {
		return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return oneOf(text, f.Enum)
	case reflect.Bool:
		v.SetBool(text == "true")
		if text != "true" && text != "false" {
			return errors.New("must be true or false")
		}
		return nil
	case reflect.Int:
		n, err := strconv.Atoi(text)
		v.SetInt(int64(n))
		return between(n, err, f)
	default:
		panic("strict: no way to read a " + v.Type().String())
	}
}

func oneOf(text string, allowed []string) error {
	if len(allowed) == 0 {
		return nil
	}
	for _, a := range allowed {
		if text == a {
			return nil
		}
	}
	if s := Suggest(text, allowed); s != "" {
		return fmt.Errorf("must be one of %s; did you mean %q?", strings.Join(allowed, ", "), s)
	}
	return fmt.Errorf("must be one of %s", strings.Join(allowed, ", "))
}

func between(n int, err error, f Field) error {
	low, _ := strconv.Atoi(f.Min)
	high, _ := strconv.Atoi(f.Max)
	if err != nil || n < low || n > high {
		return fmt.Errorf("must be a whole number from %d to %d", low, high)
	}
	return nil
}

// maxDuration is longer than anything sensible and far from an overflow.
const maxDuration = 3650 * 24 * time.Hour

// ParseDuration reads 90s, 10m, 1h30m or 30d. What tokens say of time is in whole
// seconds, so that a fraction would be a promise that is not kept.
func ParseDuration(text string) (time.Duration, error) {
	wrong := errors.New("must be a duration such as 90s, 10m, 24h or 30d")
	days, rest, hasDays := strings.Cut(text, "d")
	var d time.Duration
	if hasDays {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, wrong
		}
		d = time.Duration(n) * 24 * time.Hour
	} else {
		rest = text
	}
	if rest != "" || !hasDays {
		more, err := time.ParseDuration(rest)
		if err != nil || more < 0 || more > math.MaxInt64-d || strings.HasPrefix(rest, "+") {
			return 0, wrong
		}
		d += more
	}
	switch {
	case d%time.Second != 0:
		return 0, errors.New("must be in whole seconds")
	case d > maxDuration:
		return 0, errors.New("must be ten years at most")
	}
	return d, nil
}

// FormatDuration writes a duration as people would: 10m, not 10m0s.
func FormatDuration(d time.Duration) string {
	switch {
	case d == 0:
		return "0s"
	case d%(24*time.Hour) == 0 && d > 24*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		text, _ := strings.CutSuffix(d.String(), "0s")
		return text
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	default:
		return d.String()
	}
}

// ParsePrefix reads a network such as 10.0.0.0/8, or a single address.
func ParsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, errors.New("must be a network such as 10.0.0.0/8 or fd00::/8, or an address")
	case p.Addr().Is4In6():
		return netip.Prefix{}, errors.New("must be written as an IPv4 network")
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("has bits beyond its length; did you mean %s?", p.Masked())
	}
	return p, nil
}

// SetDefaults gives every setting of a struct its default.
func SetDefaults(v reflect.Value) {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		if !sf.IsExported() {
			continue
		}
		f, target := FieldOf(sf), v.Field(i)
		switch {
		case isSection(target.Type()):
			SetDefaults(target)
		case f.Fallback == "":
		case target.Kind() == reflect.Slice:
			for text := range strings.SplitSeq(f.Fallback, ",") {
				item := reflect.New(target.Type().Elem()).Elem()
				mustSet(item, f, text)
				target.Set(reflect.Append(target, item))
			}
		default:
			mustSet(target, f, f.Fallback)
		}
	}
}

func mustSet(v reflect.Value, f Field, text string) {
	if err := SetText(v, f, text); err != nil {
		panic("strict: the default of " + f.Name + " " + err.Error())
	}
}
