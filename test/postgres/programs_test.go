package postgres

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestMajorVersion(t *testing.T) {
	tests := []struct {
		name, answer string
		want         int
		ok           bool
	}{
		{name: "Debian's", answer: "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", want: 15, ok: true},
		{name: "plain", answer: "postgres (PostgreSQL) 14.2\n", want: 14, ok: true},
		{name: "a beta has no point", answer: "postgres (PostgreSQL) 19beta1\n", want: 19, ok: true},
		{name: "of old, with three parts", answer: "postgres (PostgreSQL) 9.6.24\n", want: 9, ok: true},
		{name: "another program", answer: "postgres-wrapper 15\n"},
		{name: "nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := majorVersion(tt.answer)
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %d, %t; want %d, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestNewest(t *testing.T) {
	found := func(name string, version int) programs { return programs{postgres: name, version: version} }
	tests := []struct {
		name string
		all  []programs
		want string // empty: none
	}{
		{name: "none is there"},
		{name: "all are too old", all: []programs{found("a", 9), found("b", 13)}},
		{name: "the newest of several", all: []programs{found("a", 15), found("b", 17), found("c", 13)}, want: "b"},
		{name: "of equals the one in PATH, which comes first", all: []programs{found("a", 15), found("b", 15)}, want: "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := newest(tt.all)
			if got.postgres != tt.want || errors.Is(err, ErrMissing) != (tt.want == "") {
				t.Errorf("got %q, %v; want %q", got.postgres, err, tt.want)
			}
		})
	}
}

func TestAFolderWithOneProgramOnlyIsNoInstallation(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "postgres"), []byte("#!/bin/sh\necho 'postgres (PostgreSQL) 99.0'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if p, ok := programsIn(dir); ok {
		t.Errorf("took %+v for an installation", p)
	}
}
