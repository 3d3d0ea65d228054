package connector

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Withheld says that a secret cannot stay, because it would be sent to somebody else.
type Withheld struct {
	Secret string // the setting to give again
	Moved  string // the setting that says where it is sent, and is another now
}

// Error implements error.
func (w *Withheld) Error() string {
	return fmt.Sprintf("must be given again, because %s is another: the secret that is kept was meant for the one before, and nobody who changes a connector has been told it", w.Moved)
}

// Keep returns a configuration with the secrets that it leaves out, as they were
// before: whoever changes a connector has not been told them. Nor shall they learn them,
// by having them sent to a place of their own: where a secret goes to somebody else it
// does not stay, and the error is a [*Withheld].
func (k Kind) Keep(before, after json.RawMessage) (json.RawMessage, error) {
	if len(before) == 0 {
		return after, nil
	}
	was, is := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if err := json.Unmarshal(before, &was); err != nil {
		return nil, err
	}
	if len(after) > 0 {
		if err := json.Unmarshal(after, &is); err != nil {
			return nil, err
		}
	}
	kept := ""
	for _, name := range k.Secrets {
		if secret, had := was[name]; had {
			if _, given := is[name]; !given {
				is[name], kept = secret, name
			}
		}
	}
	if kept == "" {
		return after, nil
	}
	for _, name := range k.SentTo {
		if !same(was[name], is[name]) {
			return nil, &Withheld{Secret: kept, Moved: name}
		}
	}
	return json.Marshal(is)
}

// same reports whether two settings say the same, however they are written.
func same(a, b json.RawMessage) bool {
	var x, y any
	if len(a) > 0 && json.Unmarshal(a, &x) != nil || len(b) > 0 && json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}
