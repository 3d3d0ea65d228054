package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each file is bad in many ways, and what is said of it stands beside it.
func TestEveryMistakeIsReportedWithItsPlace(t *testing.T) {
	names, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(names) < 20 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Base(name)
			s, err := Load(Source{
				Environ:  []string{"DEX_WORKER_CONFIG=" + file},
				ReadFile: files{file: string(text)}.read,
			})
			if err == nil {
				t.Fatalf("loaded as %+v", s)
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".golden", []byte(err.Error()+"\n"))
		})
	}
}
