package rule

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ann is what a provider says of somebody, as it comes out of JSON.
func ann(t testing.TB) map[string]any {
	t.Helper()
	var claims map[string]any
	err := json.Unmarshal([]byte(`{
		"sub": "1", "email": "Ann@Example.com", "email_verified": true, "age": 42, "ratio": 0.5, "nothing": null,
		"groups": ["dev", "ops", "all staff"], "mixed": ["dev", 7],
		"address": {"country": "DE"}, "roles": [{"name": "admin"}, {"name": "auditor"}]}`), &claims)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestEval(t *testing.T) {
	tests := []struct {
		name, expression string
		kind             Kind
		want             any
	}{
		{"a claim", `claims.email`, String, "Ann@Example.com"},
		{"a claim by its name", `claims["email"]`, String, "Ann@Example.com"},
		{"strings can be worked on", `claims.email.lowerAscii().split("@")[0]`, String, "ann"},
		{"one of two claims", `has(claims.nickname) ? claims.nickname : claims.sub`, String, "1"},
		{"an optional claim", `claims.?nickname.orValue("none")`, String, "none"},
		{"a claim within a claim", `claims.address.country`, String, "DE"},
		{"an optional one within", `claims.?address.?city.orValue("")`, String, ""},
		{"a constant", `true`, Bool, true},
		{"a boolean claim", `claims.email_verified`, Bool, true},
		{"a comparison", `claims.age >= 18`, Bool, true},
		{"a test", `claims.email.endsWith("@Example.com") && "ops" in claims.groups`, Bool, true},
		{"a list", `claims.groups`, Strings, []string{"dev", "ops", "all staff"}},
		{"groups with a prefix, and not all of them", `claims.groups.filter(g, !g.contains(" ")).map(g, "corp:" + g)`, Strings, []string{"corp:dev", "corp:ops"}},
		{"groups out of objects", `claims.roles.map(r, r.name)`, Strings, []string{"admin", "auditor"}},
		{"a constant list", `["a", "b"]`, Strings, []string{"a", "b"}},
		{"no groups", `[]`, Strings, []string{}},
		{"anything: an object", `{"country": claims.address.country, "of_age": claims.age >= 18}`, Any, map[string]any{"country": "DE", "of_age": true}},
		{"anything: a list", `[1, "a", null]`, Any, []any{1.0, "a", nil}},
		{"anything: a claim as it is", `claims.roles`, Any, []any{map[string]any{"name": "admin"}, map[string]any{"name": "auditor"}}},
		{"anything: null", `claims.nothing`, Any, nil},
		{"anything: a number too large for JSON", `9007199254740993`, Any, "9007199254740993"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Compile(tt.expression, tt.kind)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Eval(t.Context(), ann(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatDoesNotCompile(t *testing.T) {
	tests := []struct {
		name, expression string
		kind             Kind
		says             string
	}{
		{"nothing", " ", String, "is empty"},
		{"half an expression", `claims.email +`, String, "line 1, column 15"},
		{"an unknown name", `claim.email`, String, "column 1: undeclared reference to 'claim'"},
		{"an unknown function", `claims.email.shout()`, String, "column 19"},
		{"on the second line", "claims.email +\n  user", String, "line 2, column 3"},
		{"a string for a boolean", `"yes"`, Bool, "must be a boolean"},
		{"a boolean for a string", `1 == 1`, String, "must be a string"},
		{"a string for a list", `"dev"`, Strings, "must be a list of strings"},
		{"a list of numbers for one of strings", `[1, 2]`, Strings, "must be a list of strings"},
		{"no kind at all", `"x"`, Kind(0), "must be"},
		{"longer than anybody reads", `"` + strings.Repeat("x", MaxExpression) + `"`, String, "size exceeds limit"},
		{"deeper than anybody reads", strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200), Any, "recursion"},
		{"a regular expression that is none", `claims.email.matches("(")`, Bool, "missing closing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Compile(tt.expression, tt.kind)
			if err == nil || r != nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want something with %q", err, tt.says)
			}
		})
	}
}

func TestWhatOnlyFailsOnceThereAreClaims(t *testing.T) {
	tests := []struct {
		name, expression string
		kind             Kind
	}{
		{"a claim that is missing", `claims.nickname`, String},
		{"a number for a string", `claims.age`, String},
		{"a string for a boolean", `claims.email`, Bool},
		{"a boolean as a string is not one", `claims.?verified.orValue("true")`, Bool},
		{"null for a string", `claims.nothing`, String},
		{"an object for a list", `claims.address`, Strings},
		{"a list with a number", `claims.mixed`, Strings},
		{"a string for a list", `claims.email`, Strings},
		{"a list out of bounds", `claims.groups[7]`, String},
		{"a division by zero", `1 / (claims.age - claims.age) == 1`, Bool},
		{"what JSON cannot say", `type(claims)`, Any},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Compile(tt.expression, tt.kind)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := r.Eval(t.Context(), ann(t)); err == nil {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestNoClaimsAreNoCrash(t *testing.T) {
	r, err := Compile(`size(claims) == 0`, Bool)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Eval(t.Context(), nil); err != nil || got != true {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAnExpressionThatCostsTooMuchIsStopped(t *testing.T) {
	ten := `[1,2,3,4,5,6,7,8,9,0]`
	dear := `claims.groups.map(z, "x")`
	for _, v := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		dear = ten + `.map(` + v + `, size(` + dear + `))`
	}
	r, err := Compile(dear, Any)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Eval(t.Context(), ann(t)); err == nil || !strings.Contains(err.Error(), "cost") {
		t.Errorf("%v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Eval(ctx, ann(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up still waits: %v", err)
	}
}

func TestALargeResultIsRefused(t *testing.T) {
	claims := map[string]any{"x": strings.Repeat("x", maxResult+1)}
	for kind, expression := range map[Kind]string{String: `claims.x`, Strings: `[claims.x]`, Any: `{"x": claims.x}`} {
		r, err := Compile(expression, kind)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Eval(t.Context(), claims); !errors.Is(err, errTooLarge) {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

func FuzzRule(f *testing.F) {
	for _, s := range []string{
		`claims.email`, `claims.groups.map(g, "p:" + g)`, `claims.?x.orValue("")`, `{"a": [1, 2.5, b"x", null]}`,
		`claims.email.matches("^a+$")`, `claims.email.replace("", claims.email)`, `"%s".format([claims.groups])`,
		`duration("1s")`, `timestamp("2026-01-01T00:00:00Z")`, `[[[[]]]]`, `optional.none()`, `type(1)`, `claims.x[claims.x]`,
	} {
		for kind := String; kind <= Any; kind++ {
			f.Add(s, uint8(kind))
		}
	}
	f.Fuzz(func(t *testing.T, expression string, kind uint8) {
		r, err := Compile(expression, Kind(kind))
		if err != nil {
			return
		}
		got, err := r.Eval(t.Context(), ann(t))
		if err != nil {
			return
		}
		if _, err := json.Marshal(got); err != nil {
			t.Fatalf("%q results in %v, which cannot be kept: %v", expression, got, err)
		}
		ok := true
		switch Kind(kind) {
		case String:
			_, ok = got.(string)
		case Bool:
			_, ok = got.(bool)
		case Strings:
			_, ok = got.([]string)
		}
		if !ok {
			t.Fatalf("%q results in a %T", expression, got)
		}
	})
}

func BenchmarkEval(b *testing.B) {
	r, err := Compile(`claims.groups.filter(g, g != "ops").map(g, "corp:" + g)`, Strings)
	if err != nil {
		b.Fatal(err)
	}
	claims := ann(b)
	for b.Loop() {
		if _, err := r.Eval(b.Context(), claims); err != nil {
			b.Fatal(err)
		}
	}
}
