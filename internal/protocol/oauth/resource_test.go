package oauth

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestTheResourcesOfARequest(t *testing.T) {
	var many []string
	for i := range MaxResources + 1 {
		many = append(many, fmt.Sprintf("https://api.example/%d", i))
	}
	for _, test := range []struct {
		name    string
		given   []string
		want    []string
		refused bool
	}{
		{"none", nil, nil, false},
		{"one", []string{"https://api.example/v1"}, []string{"https://api.example/v1"}, false},
		{"two", []string{"https://a.example", "urn:example:b"}, []string{"https://a.example", "urn:example:b"}, false},
		{"one twice", []string{"https://a.example", "https://a.example"}, []string{"https://a.example"}, false},
		{"an empty one is absent", []string{""}, nil, false},
		{"with a query", []string{"https://a.example/?x=1"}, []string{"https://a.example/?x=1"}, false},
		{"with a fragment", []string{"https://a.example/#x"}, nil, true},
		{"a path", []string{"/v1"}, nil, true},
		{"a name", []string{"api"}, nil, true},
		{"a scheme alone", []string{"https:"}, nil, true},
		{"with a line break", []string{"https://a.example/\n"}, nil, true},
		{"too long", []string{"https://a.example/" + strings.Repeat("a", MaxRedirectURI)}, nil, true},
		{"as many as may be", many[1:], many[1:], false},
		{"more", many, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := good()
			values["resource"] = test.given
			a, err := ParseAuthorization(values)
			r, also := ParseTokenRequest(url.Values{"grant_type": {"client_credentials"}, "resource": test.given})
			for _, err := range []error{err, also} {
				if told, _ := errors.AsType[*Error](err); (told != nil) != test.refused || told != nil && told.Code != InvalidTarget {
					t.Errorf("got %v", err)
				}
			}
			if !test.refused && (!slices.Equal(a.Resources, test.want) || !slices.Equal(r.Resources, test.want)) {
				t.Errorf("got %q and %q", a.Resources, r.Resources)
			}
		})
	}
}
