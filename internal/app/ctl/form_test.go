package ctl

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestWhatAnOperatorWritesIsSentAsItIs(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"one thing", "id: app\nredirect_uris: [https://a.example.com/cb]\n", []string{`{"id":"app","redirect_uris":["https://a.example.com/cb"]}`}},
		{"JSON", `{"id": "app", "n": 12345678901234567890, "f": 1.50}`, []string{`{"id":"app","n":12345678901234567890,"f":1.50}`}},
		{"several documents", "id: a\n---\nid: b\n---\n# nothing\n", []string{`{"id":"a"}`, `{"id":"b"}`}},
		{"a list", "- id: a\n- {id: b}\n", []string{`{"id":"a"}`, `{"id":"b"}`}},
		{"texts that look like something else", "a: '1'\nb: \"true\"\nc: 2026-01-02\nd: 10m\ne: yes\n", []string{`{"a":"1","b":"true","c":"2026-01-02","d":"10m","e":"yes"}`}},
		{"values of each kind", "a: 1\nb: -0.5\nc: true\nd: null\ne:\nf: 0x10\ng: <b>\n", []string{`{"a":1,"b":-0.5,"c":true,"d":null,"e":null,"f":16,"g":"<b>"}`}},
		{"what an alias stands for", "a: &x [1]\nb: *x\n", []string{`{"a":[1],"b":[1]}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			forms, err := ReadForms("f.yaml", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range forms {
				got = append(got, string(f.JSON))
			}
			if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestWhatCannotBeReadSaysWhere(t *testing.T) {
	for name, tt := range map[string]struct{ text, says string }{
		"nothing":                 {"", "nothing in it"},
		"comments alone":          {"# x\n", "nothing in it"},
		"no YAML":                 {"a: [1\n", "f.yaml"},
		"a text":                  {"hello\n", "f.yaml:1:1"},
		"a list with a text":      {"- id: a\n- b\n", "f.yaml:2:3"},
		"a name twice":            {"a: 1\nb: 2\na: 3\n", "f.yaml"},
		"a name that is no text":  {"[a, b]: 1\n", "f.yaml:1:1"},
		"a number that is none":   {"a: .inf\n", "f.yaml:1:4"},
		"a tag of somebody else":  {"a: !secret x\n", "f.yaml:1:4"},
		"an alias within itself":  {"a: &a [*a]\n", "f.yaml"},
		"deeper than anybody has": {strings.Repeat("[", 200) + strings.Repeat("]", 200), "f.yaml"},
		"a bomb of aliases":       {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", "too much"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadForms("f.yaml", []byte(tt.text))
			mustSay(t, err, tt.says)
			if StatusOf(err) != BadUse {
				t.Errorf("status %d", StatusOf(err))
			}
		})
	}
}

func TestAMistakeIsFoundInTheFile(t *testing.T) {
	forms, err := ReadForms("f.yaml", []byte("id: app\nredirect_uris:\n- https://a.example.com\n- http://b\nconfig: {a: {b: 1}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"redirect_uris[1]": "f.yaml:4:3", "redirect_uris": "f.yaml:3:1", "config.a.b": "f.yaml:5:17", "config.a.c": "f.yaml:5:13", "nowhere": "f.yaml:1:1", "": "f.yaml:1:1",
	} {
		if got := forms[0].Place(path); got != want {
			t.Errorf("%s stands at %s, want %s", path, got, want)
		}
	}
}

func FuzzReadForms(f *testing.F) {
	for _, seed := range []string{"id: a\n", "- a: 1\n---\n{}", "a: &a [*a]", "? [x]\n: 1", "a: !!binary x", "<<: {a: 1}", "a: 1e999", "a: 1_000", "a: 0o17"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		forms, err := ReadForms("f.yaml", text)
		if err != nil {
			return
		}
		for _, form := range forms {
			if !json.Valid(form.JSON) {
				t.Errorf("%q became %s", text, form.JSON)
			}
		}
	})
}
