package rule

import (
	"fmt"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"google.golang.org/protobuf/types/known/structpb"
)

// jsonOf returns a value as JSON says it, in the types that encoding/json decodes
// into. An integer that a JSON number cannot hold becomes a text.
func jsonOf(value ref.Val) (any, error) {
	native, err := value.ConvertToNative(types.JSONValueType)
	if err != nil {
		return nil, fmt.Errorf("rule: the value cannot be said in JSON: %w", err)
	}
	said, ok := native.(*structpb.Value)
	if !ok {
		return nil, fmt.Errorf("rule: the value is %s, which JSON cannot say", value.Type().TypeName())
	}
	result := said.AsInterface()
	if size(result) > maxResult {
		return nil, errTooLarge
	}
	return result, nil
}

// size is about how many bytes a value takes.
func size(v any) int {
	total := 8
	switch v := v.(type) {
	case string:
		total += len(v)
	case []any:
		for _, e := range v {
			total += size(e)
		}
	case map[string]any:
		for k, e := range v {
			total += len(k) + size(e)
		}
	}
	return total
}
