package oauth

import (
	"bytes"
	stdjson "encoding/json"
	"maps"
	"reflect"
	"slices"

	"github.com/go-jose/go-jose/v4/json"
)

// The bounds of authorization details.
const (
	MaxDetails     = 4 << 10 // bytes
	maxDetailDepth = 4
	maxDetailItems = 20
)

// Details are the authorization details that a client asks for, an array of JSON as it
// is kept and handed on (RFC 9396, section 2). What their members mean is for the
// resource server. Empty is none.
type Details = stdjson.RawMessage

// Detail is one of them, for people to read.
type Detail struct {
	Type    string
	Members []DetailMember // but for the type, by their names
}

// DetailMember is a member of an authorization detail. Those of objects within stand by
// themselves, with a dot before their names, and each item of an array does; what is
// nested very deep is JSON.
type DetailMember struct{ Name, Value string }

// ParseDetails reads an authorization_details parameter: objects, each of a type.
func ParseDetails(text string) (Details, error) {
	if text == "" {
		return nil, nil
	}
	all, ok := readDetails([]byte(text))
	if !ok || len(text) > MaxDetails || len(all) == 0 || len(all) > maxDetailItems {
		return nil, Errorf(InvalidAuthorizationDetails, "The authorization_details are an array of up to %d objects with a type each, %d bytes in all.", maxDetailItems, MaxDetails)
	}
	kept, err := stdjson.Marshal(stdjson.RawMessage(text)) // as it comes back from where it is kept
	if err != nil {
		return nil, Wrap(InvalidAuthorizationDetails, err, "The authorization_details are malformed.")
	}
	return kept, nil
}

// DetailsOf returns authorization details for people to read.
func DetailsOf(d Details) []Detail {
	all, ok := readDetails(d)
	if !ok {
		return nil
	}
	return all
}

// NarrowDetails returns those of the granted details that a client asks for, and whether
// all that it asks for were granted (RFC 9396, section 6). What is the same in JSON is the
// same here, and no detail is part of another: what would be less of one only its resource
// server knows.
func NarrowDetails(granted, asked Details) (Details, bool) {
	had, wants := itemsOf(granted), itemsOf(asked)
	var left []stdjson.RawMessage
	for _, want := range wants {
		i := slices.IndexFunc(had, func(one item) bool { return reflect.DeepEqual(one.value, want.value) })
		if i < 0 {
			return nil, false
		}
		left = append(left, had[i].text)
	}
	if len(left) == 0 {
		return nil, true
	}
	text, err := stdjson.Marshal(left)
	return text, err == nil
}

// item is an authorization detail as it stands, and as it compares.
type item struct {
	text  stdjson.RawMessage
	value any
}

func itemsOf(d Details) []item {
	var texts []stdjson.RawMessage
	if len(d) == 0 || stdjson.Unmarshal(d, &texts) != nil {
		return nil
	}
	all := make([]item, len(texts))
	for i, text := range texts {
		all[i].text = text
		decoder := stdjson.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber() // 1 and 1.0 may be two things to whoever reads them
		if decoder.Decode(&all[i].value) != nil {
			return nil
		}
	}
	return all
}

func readDetails(text []byte) (all []Detail, ok bool) {
	var items []map[string]json.RawMessage // this decoder takes no member twice
	if len(text) == 0 || json.Unmarshal(text, &items) != nil {
		return nil, false
	}
	for _, item := range items {
		var d Detail
		if json.Unmarshal(item["type"], &d.Type) != nil || d.Type == "" || len(d.Type) > MaxValue || !printable(d.Type) {
			return nil, false
		}
		for _, name := range slices.Sorted(maps.Keys(item)) {
			if name == "type" {
				continue
			}
			d.Members = appendMembers(d.Members, name, item[name], maxDetailDepth)
		}
		all = append(all, d)
	}
	return all, true
}

// appendMembers appends what a member holds, for people to read.
func appendMembers(to []DetailMember, name string, value json.RawMessage, depth int) []DetailMember {
	var object map[string]json.RawMessage
	var array []json.RawMessage
	var text string
	switch {
	case string(value) == "null" || depth == 0:
	case json.Unmarshal(value, &text) == nil:
		return append(to, DetailMember{name, text})
	case json.Unmarshal(value, &object) == nil && len(object) > 0:
		for _, inner := range slices.Sorted(maps.Keys(object)) {
			to = appendMembers(to, name+"."+inner, object[inner], depth-1)
		}
		return to
	case json.Unmarshal(value, &array) == nil && len(array) > 0:
		for _, item := range array {
			to = appendMembers(to, name, item, depth-1)
		}
		return to
	}
	return append(to, DetailMember{name, string(value)})
}
