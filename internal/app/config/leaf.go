package config

import (
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
	databaseType = reflect.TypeFor[Database]()
)

// field is what the tags of a struct field say about its setting.
type field struct {
	name     string
	enum     []string
	min, max string
	fallback string // the default, lists with commas
}

func fieldOf(f reflect.StructField) field {
	out := field{
		name:     f.Tag.Get("yaml"),
		min:      f.Tag.Get("min"),
		max:      f.Tag.Get("max"),
		fallback: f.Tag.Get("default"),
	}
	if enum := f.Tag.Get("enum"); enum != "" {
		out.enum = strings.Split(enum, "|")
	}
	return out
}

// setText gives a setting the value that the text says. Its errors never repeat
// the text, which may be a secret in the wrong place.
func setText(v reflect.Value, f field, text string) error {
	switch v.Type() {
	case durationType:
		d, err := parseDuration(text)
		v.SetInt(int64(d))
		return err
	case prefixType:
		p, err := parsePrefix(text)
		v.Set(reflect.ValueOf(p))
		return err
	case databaseType:
		v.SetString(text)
		return Database(text).valid()
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return oneOf(text, f.enum)
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
		panic("config: no way to read a " + v.Type().String())
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
	if s := suggest(text, allowed); s != "" {
		return fmt.Errorf("must be one of %s; did you mean %q?", strings.Join(allowed, ", "), s)
	}
	return fmt.Errorf("must be one of %s", strings.Join(allowed, ", "))
}

func between(n int, err error, f field) error {
	low, _ := strconv.Atoi(f.min)
	high, _ := strconv.Atoi(f.max)
	if err != nil || n < low || n > high {
		return fmt.Errorf("must be a whole number from %d to %d", low, high)
	}
	return nil
}

// maxDuration is longer than anything sensible and far from an overflow.
const maxDuration = 3650 * 24 * time.Hour

// parseDuration reads 90s, 10m, 1h30m or 30d. What tokens say of time is in whole
// seconds, so that a fraction would be a promise that is not kept.
func parseDuration(text string) (time.Duration, error) {
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

// formatDuration writes a duration as people would: 10m, not 10m0s.
func formatDuration(d time.Duration) string {
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

// parsePrefix reads a network such as 10.0.0.0/8, or a single address.
func parsePrefix(text string) (netip.Prefix, error) {
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

// setDefaults gives every setting of a struct its default.
func setDefaults(v reflect.Value) {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		if !sf.IsExported() {
			continue
		}
		f, target := fieldOf(sf), v.Field(i)
		switch {
		case target.Kind() == reflect.Struct && target.Type() != prefixType:
			setDefaults(target)
		case f.fallback == "":
		case target.Kind() == reflect.Slice:
			for text := range strings.SplitSeq(f.fallback, ",") {
				item := reflect.New(target.Type().Elem()).Elem()
				mustSet(item, f, text)
				target.Set(reflect.Append(target, item))
			}
		default:
			mustSet(target, f, f.fallback)
		}
	}
}

func mustSet(v reflect.Value, f field, text string) {
	if err := setText(v, f, text); err != nil {
		panic("config: the default of " + f.name + " " + err.Error())
	}
}
