package strict

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// files are what there is to read in a test.
type files map[string]string

func (f files) read(name string, limit int64) ([]byte, error) {
	text, ok := f[name]
	switch {
	case !ok:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case int64(len(text)) > limit:
		return nil, fmt.Errorf("it is larger than %d KiB", limit>>10)
	}
	return []byte(text), nil
}

func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0s": 0, "90s": 90 * time.Second, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute,
		"30d": 30 * day, "1d12h": 36 * time.Hour, "0d": 0, "3650d": 3650 * day, "0": 0,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "10", "d", "-1s", "+1s", "1d-1h", "1d+1h", "1dd", "1w", "1 d", "500ms", "1.5s", "1ns", "3651d", "9999999h", "1.5d",
		"65536d", "99999999999999999999d", "10m0.5s", "٣s",
	} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestADurationIsWrittenAsPeopleWriteIt(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "90s": 90 * time.Second, "10m": 10 * time.Minute, "24h": 24 * time.Hour, "30d": 720 * time.Hour, "24h57m": 24*time.Hour + 57*time.Minute,
		"1h0m1s": time.Hour + time.Second, "10m30s": 10*time.Minute + 30*time.Second,
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
		if back, err := ParseDuration(want); err != nil || back != d {
			t.Errorf("%q is read as %v, %v", want, back, err)
		}
	}
}

func TestNetworks(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "127.0.0.1": "127.0.0.1/32", "::1": "::1/128", "fd00::/8": "fd00::/8", "::ffff:10.0.0.1": "10.0.0.1/32", "0.0.0.0/0": "0.0.0.0/0",
	} {
		if got, err := ParsePrefix(text); err != nil || got.String() != want {
			t.Errorf("%q is %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "10", "10.0.0.1/8", "10.0.0.0/33", "::ffff:10.0.0.0/104", "fe80::1%eth0", "fe80::%eth0/10", "localhost", "010.0.0.0/8"} {
		if got, err := ParsePrefix(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestExpansion(t *testing.T) {
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"A": "1", "EMPTY": "", "NESTED": "${A}"}[name]
		return value, ok
	}
	read := files{"/a": "one\n", "/b": "two\r\n", "/c": "three\n\n", "/large": strings.Repeat("x", MaxValue+1)}.read
	for text, want := range map[string]string{
		"": "", "plain": "plain", "${A}": "1", "x${A}y${A}z": "x1y1z", "${EMPTY}": "", "${NESTED}": "${A}",
		"${file:/a}": "one", "${file:/b}": "two", "${file:/c}": "three\n",
		"$${A}": "${A}", "$$${A}": "$${A}", "$${A}${A}": "${A}1", "${A}$${A}": "1${A}",
		"$A": "$A", "a$$b": "a$$b", "$": "$", "$2b$10$abc": "$2b$10$abc", "}": "}", "$ {A}": "$ {A}",
	} {
		if got, err := Expand(text, env, read); err != nil || got != want {
			t.Errorf("%q became %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"${", "${A", "${}", "${MISSING}", "${file:}", "${file:/none}", "${file:/large}", "${1A}", "${A B}", "${${A}}", "${A:-default}", "${FILE:/a}"} {
		if got, err := Expand(text, env, read); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestSuggestions(t *testing.T) {
	known := []string{"redirect_uris", "post_logout_redirect_uris", "id", "name", "secret", "secrets", "users", "kind", "log_level", "log_format"}
	for unknown, want := range map[string]string{
		"redirect_uri": "redirect_uris", "redirectURIs": "redirect_uris", "redirect-uris": "redirect_uris", "redirectUrl": "redirect_uris", "callbacks": "",
		"naem": "name", "ID": "id", "secert": "secret", "loglevel": "log_level", "type": "kind", "staticPasswords": "users", "zebra": "", "": "",
		strings.Repeat("x", 100): "",
	} {
		if got := Suggest(unknown, known); got != want {
			t.Errorf("for %q it suggests %q, want %q", unknown, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"name", "name", 0}, {"naem", "name", 1}, {"nam", "name", 1}, {"kitten", "sitting", 3},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("from %q to %q it is %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
