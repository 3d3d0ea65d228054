package connector

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestASecretStaysOnlyWhereItGoesToWhomItWasMeantFor(t *testing.T) {
	kind := Kind{Secrets: []string{"secret", "pin"}, SentTo: []string{"issuer", "hosts"}}
	const before = `{"issuer": "https://a.example", "hosts": ["a", "b"], "secret": "s3cret", "name": "x"}`
	for _, test := range []struct {
		name, after, want string
		withheld          Withheld
	}{
		{name: "nothing else", after: `{"issuer": "https://a.example", "hosts": ["a", "b"]}`, want: `{"hosts":["a","b"],"issuer":"https://a.example","secret":"s3cret"}`},
		{name: "the same, written otherwise", after: `{"issuer": "https:\/\/a.example", "hosts": [ "a","b" ]}`, want: `{"hosts":["a","b"],"issuer":"https:\/\/a.example","secret":"s3cret"}`},
		{name: "another issuer", after: `{"issuer": "https://evil.example", "hosts": ["a", "b"]}`, withheld: Withheld{"secret", "issuer"}},
		{name: "another host among them", after: `{"issuer": "https://a.example", "hosts": ["a", "evil"]}`, withheld: Withheld{"secret", "hosts"}},
		{name: "a default instead", after: `{"issuer": "https://a.example"}`, withheld: Withheld{"secret", "hosts"}},
		{name: "nothing at all", after: ``, withheld: Withheld{"secret", "issuer"}},
		{name: "another issuer with the secret", after: `{"issuer": "https://b.example", "secret": "new"}`, want: `{"issuer": "https://b.example", "secret": "new"}`},
		{name: "another issuer without a secret", after: `{"issuer": "https://b.example", "secret": null}`, want: `{"issuer": "https://b.example", "secret": null}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := kind.Keep(json.RawMessage(before), json.RawMessage(test.after))
			withheld, _ := errors.AsType[*Withheld](err)
			switch {
			case test.withheld != Withheld{}:
				if withheld == nil || *withheld != test.withheld {
					t.Errorf("%s, %v", got, err)
				}
			case err != nil:
				t.Error(err)
			case string(got) != test.want && !jsonEqual(got, test.want):
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	if got, err := kind.Keep(json.RawMessage(`{"issuer": "a"}`), json.RawMessage(`{"issuer": "b"}`)); err != nil || string(got) != `{"issuer": "b"}` {
		t.Errorf("without a secret to keep: %s, %v", got, err)
	}
}

func jsonEqual(got json.RawMessage, want string) bool { return same(got, json.RawMessage(want)) }
