package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dex/internal/base/strict"
)

// FuzzLoad holds that whatever a file says, reading it ends: with settings, or
// with mistakes that have a place and hold no more lines than there are mistakes.
func FuzzLoad(f *testing.F) {
	seeds, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(seeds, filepath.Join("..", "..", "..", "examples", "dex.yaml")) {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("no_db: true\nclients: [{id: a, secret: ${A}, redirect_uris: [https://a.example/cb]}]\n")
	f.Add("no_db: true\nconnectors: [{id: a, kind: oidc, config: {a: 0x1f, b: 1e400, c: 0o7, d: .nan, ? {} : x}}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Load(Source{
			Environ:  []string{"DEX_WORKER_CONFIG=dex.yaml", "A=1"},
			ReadFile: files{"dex.yaml": text, "/a": "1"}.read,
			Run:      func([]string) ([]byte, error) { return nil, nil }, // nobody's words are run here
		})
		if err == nil {
			if len(s.Connectors) == 0 || s.Name == "" || s.NoDB == (s.DB != "") {
				t.Errorf("%+v passed", s)
			}
			return
		}
		all, ok := errors.AsType[Mistakes](err)
		if !ok || len(all) == 0 || len(all) > strict.MaxMistakes+1 {
			t.Fatalf("a %T: %v", err, err)
		}
		for _, m := range all {
			if m.Message == "" || m.Place != "" && !strings.HasPrefix(m.Place, "dex.yaml") {
				t.Errorf("%+v", m)
			}
		}
	})
}
