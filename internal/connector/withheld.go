package connector

import "encoding/json"

// Keep returns a configuration with the secrets that it leaves out, as they were
// before: whoever changes a connector has not been told them.
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
	kept := false
	for _, name := range k.Secrets {
		if secret, had := was[name]; had {
			if _, given := is[name]; !given {
				is[name], kept = secret, true
			}
		}
	}
	if !kept {
		return after, nil
	}
	return json.Marshal(is)
}
