package ctl

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	yaml "go.yaml.in/yaml/v4"

	"dex/internal/base/fault"
)

func TestATableIsAligned(t *testing.T) {
	var b strings.Builder
	err := Table(&b, []string{"ID", "NAME", "STATE"}, [][]string{
		{"app", "Application", "on"},
		{"日本", "日本語アプリ", "on"},
		{"e\u0301", "", "off"},
		{"x\x1b[31mred", "two\nlines", "on\u202e"},
	})
	want := "" +
		"ID         NAME          STATE\n" +
		"app        Application   on\n" +
		"日本       日本語アプリ  on\n" +
		"e\u0301          -             off\n" +
		"x�[31mred  two�lines     on�\n"
	if err != nil || b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestWhatATerminalObeysIsEscaped(t *testing.T) {
	value := map[string]any{"name": "a\x1b[31m\u009b\u202e\U000e0001b", "text": "<&>", "number": "0123", "yes": "yes", "empty": []string{}, "none": nil, "deep": map[string]any{"a": []any{1, "x: y"}}}
	text, err := JSON(value)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := YAML(value)
	if err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string][]byte{"JSON": text, "YAML": asYAML} {
		for _, r := range string(out) {
			if r != '\n' && unprintable(r) {
				t.Errorf("%s holds %U:\n%s", name, r, out)
			}
		}
	}
	var back map[string]any
	if err := json.Unmarshal(text, &back); err != nil || back["name"] != value["name"] || !strings.Contains(string(text), "<&>") {
		t.Errorf("got %v, %v", back, err)
	}
	back = nil
	if err := yaml.Load(asYAML, &back); err != nil || back["name"] != value["name"] || back["number"] != "0123" || back["yes"] != "yes" {
		t.Errorf("YAML gives %v, %v\n%s", back, err, asYAML)
	}
}

func TestYAMLKeepsTheOrder(t *testing.T) {
	got, err := YAML(struct {
		ID    string   `json:"id"`
		Name  string   `json:"name"`
		URIs  []string `json:"redirect_uris"`
		About struct {
			On bool `json:"on"`
		} `json:"about"`
	}{ID: "app", Name: "yes", URIs: []string{"https://a.example.com/cb?x=1", "https://b.example.com"}})
	want := "id: app\nname: \"yes\"\nredirect_uris:\n- https://a.example.com/cb?x=1\n- https://b.example.com\nabout:\n  \"on\": false\n"
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestAnErrorSaysHowToEnd(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want Status
	}{
		{nil, Done},
		{errors.New("x"), Failed},
		{fault.New(fault.Denied, "x"), Denied},
		{fmt.Errorf("x: %w", fault.New(fault.Conflict, "x")), Conflict},
		{fault.New(fault.NotFound, "x"), Failed},
		{EndWith(Found, ""), Found},
		{fmt.Errorf("x: %w", EndWith(BadUse, "y")), BadUse},
	} {
		if got := StatusOf(tt.err); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.err, got, tt.want)
		}
	}
	if got := Message(errors.New("a\x1bb\nc\rd")); got != "a�b\nc�d" {
		t.Errorf("got %q", got)
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a\x1b", "b")
	f.Fuzz(func(t *testing.T, a, b string) {
		text, err := JSON(map[string]string{"v": a, "w": b})
		if err != nil {
			t.Fatal(err)
		}
		plain, _ := json.Marshal(map[string]string{"v": a, "w": b})
		var got, want map[string]string
		if json.Unmarshal(text, &got) != nil || json.Unmarshal(plain, &want) != nil || got["v"] != want["v"] || got["w"] != want["w"] {
			t.Errorf("%q came back as %q", want, got)
		}
		if out, err := YAML(map[string]string{"v": a, "w": b}); err == nil {
			for _, r := range string(out) {
				if unprintable(r) {
					t.Fatalf("YAML holds %U: %q", r, out)
				}
			}
			var back map[string]string
			if err := yaml.Load(out, &back); err != nil || back["v"] != want["v"] || back["w"] != want["w"] {
				t.Errorf("YAML came back as %q, want %q: %v\n%s", back, want, err, out)
			}
		} else {
			t.Errorf("%q: %v", text, err)
		}
	})
}
