package oauth

import (
	"errors"
	"testing"
)

func TestParsePrompt(t *testing.T) {
	for _, test := range []struct {
		text, want string
		bad        bool
	}{
		{text: ""},
		{text: "none", want: "none"},
		{text: "none none", want: "none"},
		{text: "login", want: "login"},
		{text: "select_account consent login", want: "login consent select_account"},
		{text: " login  ", want: "login"},
		{text: "none login", bad: true},
		{text: "consent none", bad: true},
		{text: "select_account none", bad: true},
		{text: "None", bad: true},
		{text: "create", bad: true},
		{text: "login\tconsent", bad: true},
	} {
		got, err := ParsePrompt(test.text)
		if e, ok := errors.AsType[*Error](err); got.String() != test.want || test.bad != (err != nil) || ok && e.Code != InvalidRequest {
			t.Errorf("%q: %q, error %v", test.text, got, err)
		}
	}
}
