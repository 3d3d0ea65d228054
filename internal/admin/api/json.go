package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	return nil
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
