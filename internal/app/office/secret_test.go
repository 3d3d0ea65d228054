package office

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestTheFileOfTheSecretIsForItsOwnerAloneWhateverWasThere(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(elsewhere, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		before func(file string) error
	}{
		{"nothing", func(string) error { return nil }},
		{"an older secret that all may read", func(file string) error {
			return os.WriteFile(file, []byte("a much longer secret from before\n"), 0o644)
		}},
		{"a link to a file of somebody else", func(file string) error { return os.Symlink(elsewhere, file) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "secret")
			if err := test.before(file); err != nil {
				t.Fatal(err)
			}
			if err := writeSecret(file, "dxb_1\n"); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(file)
			if err != nil || string(text) != "dxb_1\n" {
				t.Errorf("it holds %q (%v)", text, err)
			}
			if info, err := os.Lstat(file); err != nil || info.Mode() != fs.FileMode(0o600) {
				t.Errorf("it is %v (%v)", info.Mode(), err)
			}
		})
	}
	if text, err := os.ReadFile(elsewhere); err != nil || string(text) != "as it was" {
		t.Errorf("the other file holds %q (%v)", text, err)
	}
}
