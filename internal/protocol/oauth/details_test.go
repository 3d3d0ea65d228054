package oauth

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseDetails(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []Detail
		refused    bool
	}{
		{name: "none"},
		{name: "one", text: `[{"type":"payment","amount":{"value": 5},"to":"Ben <b>","urgent":true,"note":null}]`, want: []Detail{
			{Type: "payment", Members: []DetailMember{{"amount.value", "5"}, {"note", "null"}, {"to", "Ben <b>"}, {"urgent", "true"}}},
		}},
		{name: "with much within", text: `[{"type":"account","accounts":[{"iban":"DE02"},{"iban":"DE03","limits":{}}],"actions":["read","list"],"none":[]}]`, want: []Detail{
			{Type: "account", Members: []DetailMember{
				{"accounts.iban", "DE02"}, {"accounts.iban", "DE03"}, {"accounts.limits", "{}"}, {"actions", "read"}, {"actions", "list"}, {"none", "[]"},
			}},
		}},
		{name: "nested very deep", text: `[{"type":"a","b":[[[[["c"]]]]]}]`, want: []Detail{{Type: "a", Members: []DetailMember{{"b", `["c"]`}}}}},
		{name: "two", text: `[{"type":"a"},{"type":"b"}]`, want: []Detail{{Type: "a"}, {Type: "b"}}},
		{name: "an object", text: `{"type":"a"}`, refused: true},
		{name: "an empty array", text: `[]`, refused: true},
		{name: "null", text: `null`, refused: true},
		{name: "no object", text: `["a"]`, refused: true},
		{name: "no type", text: `[{"to":"a"}]`, refused: true},
		{name: "an empty type", text: `[{"type":""}]`, refused: true},
		{name: "a type that is no text", text: `[{"type":1}]`, refused: true},
		{name: "a member twice", text: `[{"type":"a","type":"b"}]`, refused: true},
		{name: "too many", text: "[" + strings.TrimSuffix(strings.Repeat(`{"type":"a"},`, maxDetailItems+1), ",") + "]", refused: true},
		{name: "too long", text: `[{"type":"a","x":"` + strings.Repeat("x", MaxDetails) + `"}]`, refused: true},
		{name: "no JSON", text: `[{`, refused: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseDetails(test.text)
			if test.refused {
				if told, _ := errors.AsType[*Error](err); told == nil || told.Code != InvalidAuthorizationDetails {
					t.Errorf("got %s, %v", got, err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(DetailsOf(got), test.want) {
				t.Errorf("got %+v, %v", DetailsOf(got), err)
			}
		})
	}
}

func FuzzParseDetails(f *testing.F) {
	f.Add(`[{"type":"payment","amount":{"value":5},"to":"Ben <b>"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDetails(text)
		if err != nil {
			return
		}
		kept, err := json.Marshal(struct{ D Details }{d})
		var back struct{ D Details }
		if err != nil || json.Unmarshal(kept, &back) != nil || len(d) > 0 && string(back.D) != string(d) {
			t.Fatalf("%s comes back as %s", d, back.D)
		}
		for _, one := range DetailsOf(d) {
			if one.Type == "" || !printable(one.Type) {
				t.Fatalf("the type %q passed", one.Type)
			}
		}
	})
}

func TestDetailsAreNarrowedToWhatWasGranted(t *testing.T) {
	const granted = `[{"type":"a","n":1,"to":{"x":"1","y":[1,2]}},{"type":"b"}]`
	for _, tt := range []struct {
		name, granted, asked, want string
		ok                         bool
	}{
		{"one of them", granted, `[{"type":"b"}]`, `[{"type":"b"}]`, true},
		{"in another order", granted, `[{"to":{"y":[1,2],"x":"1"},"type":"a","n":1}]`, `[{"type":"a","n":1,"to":{"x":"1","y":[1,2]}}]`, true},
		{"nothing", granted, ``, ``, true},
		{"a text in place of a number", granted, `[{"type":"a","n":"1","to":{"x":"1","y":[1,2]}}]`, ``, false},
		{"another number", granted, `[{"type":"a","n":1.0,"to":{"x":"1","y":[1,2]}}]`, ``, false},
		{"a list in another order", granted, `[{"type":"a","n":1,"to":{"x":"1","y":[2,1]}}]`, ``, false},
		{"a part of one", granted, `[{"type":"a"}]`, ``, false},
		{"one of nothing", ``, `[{"type":"b"}]`, ``, false},
	} {
		got, ok := NarrowDetails(Details(tt.granted), Details(tt.asked))
		if string(got) != tt.want || ok != tt.ok {
			t.Errorf("%s: %s, %v", tt.name, got, ok)
		}
	}
}
