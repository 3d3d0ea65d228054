package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deeply a body may be nested.
const maxDepth = 32

// plain says what is wrong with a JSON text that encoding/json would read all the
// same: a member that comes twice, of which another reader might see the other; bytes
// that are no text; depth that serves nobody; something after the end.
func plain(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("it is not text in UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := value(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows after its end")
	}
	if halved(text) {
		return errors.New("it holds half of a character, \\ud800 to \\udfff without the other half")
	}
	return nil
}

// halved reports whether a JSON text, which is known to be one, writes half of a pair of
// surrogates. encoding/json reads each such half as the same replacement character: of two
// names that differ it would make one.
func halved(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if i++; text[i] != 'u' {
			continue
		}
		first := unit(text[i+1:])
		if i += 4; !utf16.IsSurrogate(first) {
			continue
		}
		if !bytes.HasPrefix(text[i+1:], []byte(`\u`)) || utf16.DecodeRune(first, unit(text[i+3:])) == unicode.ReplacementChar {
			return true
		}
		i += 6
	}
	return false
}

// unit reads the four digits of an escape.
func unit(digits []byte) rune {
	n, _ := strconv.ParseUint(string(digits[:4]), 16, 16) // they are digits
	return rune(n)
}

// value reads the next value.
func value(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		return errors.New("it ends too early")
	}
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == maxDepth {
		return fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			if seen[name.(string)] {
				return fmt.Errorf("the member %q comes twice", name)
			}
			seen[name.(string)] = true
		}
		if err := value(d, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errors.New("it ends too early")
	}
	return nil
}
