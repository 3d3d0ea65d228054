package connector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// DecodeSettings reads a connector's configuration into fields, by their names. A
// setting that is not there, or null, leaves its field as it is. Unlike
// encoding/json it knows names in one spelling only, and returns every mistake it
// finds, joined.
func DecodeSettings(config json.RawMessage, fields map[string]any) error {
	if len(bytes.TrimSpace(config)) == 0 {
		return nil
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(config, &given); err != nil {
		return errors.New("the settings are not a JSON object")
	}
	var mistakes []error
	for _, name := range slices.Sorted(maps.Keys(given)) {
		field, known := fields[name]
		if !known {
			mistakes = append(mistakes, fmt.Errorf("%.64q: there is no such setting", name))
			continue
		}
		d := json.NewDecoder(bytes.NewReader(given[name]))
		d.DisallowUnknownFields()
		if err := d.Decode(field); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %s", name, plainly(err)))
		}
	}
	return errors.Join(mistakes...)
}

// plainly says what is wrong with a value to somebody who has not written Go.
func plainly(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("a %s does not fit here", wrong.Value)
	}
	return err.Error()
}

// Duration is a setting such as "1h30m".
type Duration time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed < 0 {
		return fmt.Errorf("%.32q is not a duration such as 30s or 1h", text)
	}
	*d = Duration(parsed)
	return nil
}
