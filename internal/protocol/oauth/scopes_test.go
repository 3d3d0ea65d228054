package oauth

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParseScopes(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Scopes
		bad        bool
	}{
		{name: "none", text: ""},
		{name: "spaces alone", text: "   "},
		{name: "one", text: "openid", want: Scopes{"openid"}},
		{name: "several, in their order", text: "profile openid email", want: Scopes{"profile", "openid", "email"}},
		{name: "each counts once", text: "openid profile openid", want: Scopes{"openid", "profile"}},
		{name: "in other letters it is another", text: "openid OpenID", want: Scopes{"openid", "OpenID"}},
		{name: "spaces around are forgiven", text: " openid  profile ", want: Scopes{"openid", "profile"}},
		{name: "a URI", text: "https://api.example/read!#[]~", want: Scopes{"https://api.example/read!#[]~"}},
		{name: "a tab", text: "openid\tprofile", bad: true},
		{name: "a line break", text: "openid\nprofile", bad: true},
		{name: "a quote", text: `open"id`, bad: true},
		{name: "a backslash", text: `open\id`, bad: true},
		{name: "a letter beyond ASCII", text: "öffnen", bad: true},
		{name: "a space that is none", text: "openid\u00a0profile", bad: true},
		{name: "DEL", text: "openid\x7f", bad: true},
		{name: "a zero byte", text: "openid\x00", bad: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseScopes(test.text)
			if e, ok := errors.AsType[*Error](err); test.bad != (err != nil) || ok && e.Code != InvalidScope || !slices.Equal(got, test.want) {
				t.Errorf("%q, error %v", got, err)
			}
		})
	}
}

// A scope of a megabyte must not cost more than one of a kilobyte.
func TestAHugeScopeIsRefusedUnread(t *testing.T) {
	huge := strings.Repeat("a ", 8<<20)
	if allocs := testing.AllocsPerRun(10, func() { _, _ = ParseScopes(huge) }); allocs > 10 {
		t.Errorf("%v allocations", allocs)
	}
	if _, err := ParseScopes(huge); err == nil {
		t.Error("it was read")
	}
}

func TestScopesAreSets(t *testing.T) {
	a, b := Scopes{"x", "y", "z"}, Scopes{"z", "w", "x"}
	for name, test := range map[string]struct{ got, want Scopes }{
		"without":           {a.Without(b), Scopes{"y"}},
		"without nothing":   {a.Without(nil), a},
		"nothing without":   {Scopes(nil).Without(b), nil},
		"intersect":         {a.Intersect(b), Scopes{"x", "z"}},
		"intersect nothing": {a.Intersect(nil), nil},
		"union":             {a.Union(b), Scopes{"x", "y", "z", "w"}},
		"union of nothing":  {Scopes(nil).Union(a), a},
		"union is unique":   {Scopes{"x", "x"}.Union(Scopes{"x"}), Scopes{"x"}},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("%s: %q, want %q", name, test.got, test.want)
		}
	}
	if !slices.Equal(a, Scopes{"x", "y", "z"}) || !slices.Equal(b, Scopes{"z", "w", "x"}) {
		t.Error("the operands have changed")
	}
	if !a.Contains("y") || a.Contains("w") || a.Contains("") {
		t.Error("contains")
	}
	if a.String() != "x y z" || Scopes(nil).String() != "" {
		t.Error("string")
	}
	if grown := append(a.Union(nil), "more"); slices.Contains(a[:cap(a)], "more") {
		t.Errorf("%q shares its memory", grown)
	}
}

func TestCrossClientAudience(t *testing.T) {
	for scope, want := range map[string]string{
		"audience:server:client_id:kube":     "kube",
		"audience:server:client_id:a:b":      "a:b",
		"audience:server:client_id:":         "",
		"audience:server:client_id":          "",
		"Audience:server:client_id:kube":     "",
		"x audience:server:client_id:kube":   "",
		"openid":                             "",
		"audience:server:client_secret:kube": "",
	} {
		if got, ok := CrossClientAudience(scope); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", scope, got, ok)
		}
	}
}

func FuzzParseScopes(f *testing.F) {
	f.Add("openid profile email groups offline_access audience:server:client_id:kube")
	f.Add(strings.Repeat("a ", MaxScopes))
	f.Add("\t\"\\\x00é")
	f.Fuzz(func(t *testing.T, text string) {
		scopes, err := ParseScopes(text)
		if err != nil {
			return
		}
		if len(scopes) > MaxScopes {
			t.Fatalf("%d scopes", len(scopes))
		}
		again, err := ParseScopes(scopes.String())
		if err != nil || !slices.Equal(scopes, again) {
			t.Fatalf("%q comes back as %q, %v", scopes, again, err)
		}
	})
}
