package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseClaims(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", ``, `null`},
		{"nothing in particular", `{}`, `null`},
		{"empty places", `{"id_token":{},"userinfo":null}`, `null`},
		{"a place that we do not know", `{"somewhere":{"name":null}}`, `null`},
		{"a claim in the usual way", `{"userinfo":{"name":null}}`, `{"userinfo":{"name":null}}`},
		{"said at length", `{"userinfo":{"name":{"essential":false,"ours":1}}}`, `{"userinfo":{"name":null}}`},
		{"the example of section 5.5", `{"userinfo":{"given_name":{"essential":true},"http://example.info/claims/groups":null},"id_token":{"auth_time":{"essential":true},"acr":{"values":["urn:mace:incommon:iap:silver"]}}}`,
			`{"id_token":{"acr":{"values":["urn:mace:incommon:iap:silver"]},"auth_time":{"essential":true}},"userinfo":{"given_name":{"essential":true},"http://example.info/claims/groups":null}}`},
		{"a language", `{"userinfo":{"name#ja-Hani-JP":null}}`, `{"userinfo":{"name#ja-Hani-JP":null}}`},
	} {
		c, err := ParseClaims(tt.text)
		if got, _ := json.Marshal(c); err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v", tt.name, got, err)
		}
	}
	many := make([]string, MaxClaimNames+1)
	for i := range many {
		many[i] = fmt.Sprintf(`"c%d":null`, i)
	}
	for name, text := range map[string]string{
		"no JSON": `{`, "a text": `"x"`, "null": `null`, "a list": `[]`, "two objects": `{}{}`,
		"a place that is no object": `{"userinfo":["name"]}`, "a claim that is no object": `{"userinfo":{"name":true}}`,
		"essential in words": `{"userinfo":{"name":{"essential":"yes"}}}`, "values that are none": `{"userinfo":{"name":{"values":"x"}}}`,
		"a member twice": `{"userinfo":{"name":null},"userinfo":{}}`, "a claim twice": `{"userinfo":{"name":null,"name":null}}`,
		"a claim without a name": `{"userinfo":{"":null}}`, "a claim with a line break": `{"userinfo":{"a\nb":null}}`,
		"a claim of a long name": `{"userinfo":{"` + strings.Repeat("c", MaxValue+1) + `":null}}`,
		"too many":               `{"id_token":{` + strings.Join(many, ",") + `}}`, "too deep": strings.Repeat(`{"userinfo":`, 300) + strings.Repeat("}", 300),
		"too long": `{"userinfo":{"a":{"value":"` + strings.Repeat("x", MaxClaims) + `"}}}`,
	} {
		if e, ok := errors.AsType[*Error](second(ParseClaims(text))); !ok || e.Code != InvalidRequest || e.Description == "" {
			t.Errorf("%s: error %v, want %s", name, e, InvalidRequest)
		}
	}
}

func TestWhatClaimsDemandOfALogin(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		classes    []string
		essential  bool
		subject    string
	}{
		{"nothing", `{}`, nil, false, ""},
		{"a class, whichever", `{"id_token":{"acr":{"essential":true}}}`, nil, false, ""},
		{"a wish", `{"id_token":{"acr":{"values":["aal2","aal1"]}}}`, []string{"aal2", "aal1"}, false, ""},
		{"a demand", `{"id_token":{"acr":{"essential":true,"value":"aal2"}}}`, []string{"aal2"}, true, ""},
		{"a demand for one of two", `{"id_token":{"acr":{"essential":true,"values":["aal2","phr"]}}}`, []string{"aal2", "phr"}, true, ""},
		{"userinfo tells no class", `{"userinfo":{"acr":{"essential":true,"value":"aal2"}}}`, nil, false, ""},
		{"classes that are no text", `{"id_token":{"acr":{"essential":true,"values":[1,null,{}]}}}`, nil, false, ""},
		{"somebody", `{"id_token":{"sub":{"value":"usr_1"}}}`, nil, false, "usr_1"},
		{"somebody, of userinfo", `{"userinfo":{"sub":{"value":"usr_1"}}}`, nil, false, "usr_1"},
		{"a subject, whoever", `{"id_token":{"sub":null}}`, nil, false, ""},
	} {
		c, err := ParseClaims(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		classes, essential := c.ACR()
		if !slices.Equal(classes, tt.classes) || essential != tt.essential || c.Subject() != tt.subject {
			t.Errorf("%s: %q, essential %v, subject %q", tt.name, classes, essential, c.Subject())
		}
	}
}

func FuzzParseClaims(f *testing.F) {
	for _, text := range []string{`{"userinfo":{"name":{"essential":true}}}`, `{"id_token":{"acr":{"values":["1", 2 ,null]},"sub":{"value":"<&>"}}}`, `{"id_token":null}`, `{}`, `[]`, `{"id_token":{"a":{"value":{"b":[1,2]}}}}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseClaims(text)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != InvalidRequest {
				t.Fatalf("%q: error %#v", text, err)
			}
			return
		}
		if c == nil {
			return
		}
		classes, essential := c.ACR()
		if essential && len(classes) == 0 {
			t.Fatalf("%q demands a class and names none", text)
		}
		first, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back ClaimsRequest
		if err := json.Unmarshal(first, &back); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(&back); err != nil || string(again) != string(first) {
			t.Fatalf("%s comes back as %s, %v", first, again, err)
		}
	})
}
