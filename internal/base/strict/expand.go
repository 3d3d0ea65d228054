package strict

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// MaxValue bounds a file that a value is read from.
const MaxValue = 1 << 20

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Expand replaces ${NAME} by the environment variable and ${file:PATH} by what
// the file holds, less one line break at its end. $${ is a literal ${, and any
// other $ stands for itself, so that the hash of a password needs no escapes.
//
// It works on a value that has been parsed, never on the text of the file:
// whatever a variable holds, it can neither add a setting nor be expanded again.
func Expand(text string, env func(string) (string, bool), read func(string, int64) ([]byte, error)) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), nil
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		end := strings.IndexByte(text[i:], '}')
		if end < 0 {
			return "", errors.New(`"${" without a "}"; write "$${" for the characters themselves`)
		}
		value, err := resolve(text[i+2:i+end], env, read)
		if err != nil {
			return "", err
		}
		b.WriteString(text[:i] + value)
		text = text[i+end+1:]
	}
}

// resolve returns what the reference between the braces stands for.
func resolve(ref string, env func(string) (string, bool), read func(string, int64) ([]byte, error)) (string, error) {
	if file, ok := strings.CutPrefix(ref, "file:"); ok && file != "" {
		return ReadValue(file, read)
	}
	if !envName.MatchString(ref) {
		return "", errors.New(`"${…}" must hold the name of an environment variable, or file: and a path`)
	}
	value, ok := env(ref)
	if !ok {
		return "", fmt.Errorf("the environment variable %s is not set", ref)
	}
	return value, nil
}

// ReadValue returns what a file holds, less one line break at its end: editors
// put it there, and nobody means it.
func ReadValue(file string, read func(string, int64) ([]byte, error)) (string, error) {
	data, err := read(file, MaxValue)
	if err != nil {
		return "", fmt.Errorf("cannot read %q: %w", file, Cause(err))
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}

// Cause returns what is wrong with a file, without its name, which the reader of
// the message has in front of them.
func Cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
