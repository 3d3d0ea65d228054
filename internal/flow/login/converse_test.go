package login

import (
	"net/url"
	"strings"
	"testing"

	"dex/internal/protocol/jose"
)

func TestWhatNamesTheAttemptInAnAnswer(t *testing.T) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(claims map[string]any) string {
		token, err := jose.Sign(key, jose.ES256, "k", jose.TypeJWT, claims)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for name, tt := range map[string]struct {
		answer url.Values
		want   string
	}{
		"the state":                    {url.Values{"state": {"a.b"}}, "a.b"},
		"the state of SAML":            {url.Values{"RelayState": {"a.b"}}, "a.b"},
		"the state of a signed answer": {url.Values{"response": {signed(map[string]any{"state": "a.b"})}}, "a.b"},
		"twice":                        {url.Values{"state": {"a.b", "c.d"}}, ""},
		"a signed answer twice":        {url.Values{"response": {signed(map[string]any{"state": "a.b"}), "x"}}, ""},
		"a signed answer without one":  {url.Values{"response": {signed(map[string]any{"code": "c"})}}, ""},
		"a state that is no text":      {url.Values{"response": {signed(map[string]any{"state": 5})}}, ""},
		"no token":                     {url.Values{"response": {"a.b.c"}}, ""},
		"a very long one":              {url.Values{"response": {strings.Repeat("x", jose.MaxToken+1)}}, ""},
		"nothing":                      {url.Values{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := stateOf(tt.answer); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
