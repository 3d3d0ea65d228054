package resource

import "testing"

func TestAVersionIsReadAsItWasWritten(t *testing.T) {
	for _, v := range []int64{1, 7, 1 << 62} {
		if got, ok := ParseETag(ETag(v)); !ok || got != v {
			t.Errorf("%d is read as %d, %v", v, got, ok)
		}
	}
	for _, odd := range []string{"", "7", `"7`, `7"`, `"0"`, `"-1"`, `"07"`, `"+7"`, `W/"7"`, `"7" `, `"99999999999999999999"`, `""7""`} {
		if got, ok := ParseETag(odd); ok {
			t.Errorf("%q is read as %d", odd, got)
		}
	}
}

func FuzzParseETag(f *testing.F) {
	f.Add(`"7"`)
	f.Add(`W/"7"`)
	f.Fuzz(func(t *testing.T, tag string) {
		if v, ok := ParseETag(tag); ok && ETag(v) != tag {
			t.Errorf("%q is another spelling of %d", tag, v)
		}
	})
}

func TestAProblemSaysEachMistakeInALine(t *testing.T) {
	p := NewProblem(422, Invalid, "It breaks rules.")
	p.Errors = []Mistake{{Location: "body.name", Message: "is missing"}, {Location: "body.clients[0]", Place: "a.yaml:3:1", Message: "is there twice"}, {Message: "and so on"}}
	if got, want := p.Error(), "It breaks rules.\nbody.name: is missing\na.yaml:3:1: is there twice\nand so on"; got != want {
		t.Errorf("got %q", got)
	}
}
