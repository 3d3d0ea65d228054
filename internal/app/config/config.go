// Package config is what an operator can say about how dex runs: one struct,
// whose comments are the reference, filled in from flags, the environment, a YAML
// file and defaults, in this order of precedence.
//
// Load reports every mistake at once, each with its place, because an operator
// who mends one line at a time restarts once for each. What it returns has been
// checked as far as it can be without a network, a database or a look at other
// programs; whoever assembles the program takes the values as they are.
package config

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/spf13/pflag"

	"dex/internal/base/strict"
)

// maxFile bounds the configuration file. One that names ten thousand users fits.
const maxFile = 4 << 20

type (
	// Mistake is one thing that is wrong with settings.
	Mistake = strict.Mistake
	// Mistakes are all of them.
	Mistakes = strict.Mistakes
)

// Source is where settings come from.
type Source struct {
	Flags   *pflag.FlagSet // parsed, with the flags that [BindFlags] or [BindOverlordFlags] made; nil for none
	Environ []string       // as [os.Environ] returns it

	// ReadFile reads a file up to a limit, beyond which it fails. Nil reads
	// from the machine.
	ReadFile func(name string, limit int64) ([]byte, error)
	// Run runs a program, by its words, and returns what it prints. Nil runs it on the
	// machine.
	Run func(words []string) ([]byte, error)
}

// Load puts the settings of dex-worker together and checks them. The error is of type
// [Mistakes] and holds everything that is wrong.
func Load(src Source) (*Settings, error) { return assemble(&worker, src) }

// LoadOverlord puts the settings of dex-overlord together and checks them.
func LoadOverlord(src Source) (*Overlord, error) { return assemble(&overlord, src) }

// assemble puts the settings of a program together.
func assemble[S any](p *program[S], src Source) (*S, error) {
	if src.ReadFile == nil {
		src.ReadFile = readFile
	}
	if src.Run == nil {
		src.Run = runCommand
	}
	l := loader{
		Findings: strict.NewFindings(),
		prefix:   p.prefix,
		table:    p.table,
		env:      environment(src.Environ),
		read:     src.ReadFile,
		run:      src.Run,
	}
	s := new(S)
	v := reflect.ValueOf(s).Elem()
	strict.SetDefaults(v)

	// The file is named by the outer layers, and yields to them.
	overrides, file := l.overrides(src.Flags), ""
	for _, o := range overrides {
		if o.name == "config" {
			file = o.texts[len(o.texts)-1]
		}
	}
	readable := file == "" || l.file(file, s)
	for _, o := range overrides {
		l.apply(v, o)
	}

	if readable {
		p.check(s, &l)
	}
	if err := l.Err(); err != nil {
		return nil, err
	}
	p.keep(s, l.Places)
	return s, nil
}

// loader is one run of [Load].
type loader struct {
	*strict.Findings
	prefix string // of the environment
	table  []setting
	env    map[string]string
	read   func(name string, limit int64) ([]byte, error)
	run    func(words []string) ([]byte, error)
}

// file reads the configuration file into s, and reports whether it could.
func (l *loader) file(name string, s any) bool {
	data, err := l.read(name, maxFile)
	if err != nil {
		l.AddAt(l.Places["config"], "", "cannot read the configuration file %s: %s", name, strict.Cause(err))
		return false
	}
	d := strict.Decoder{
		Findings: l.Findings,
		Name:     name,
		Expand:   func(text string) (string, error) { return strict.Expand(text, l.lookupEnv, l.read) },
	}
	return d.Decode(data, s)
}

func (l *loader) lookupEnv(name string) (string, bool) {
	value, ok := l.env[name]
	return value, ok
}

// environment turns NAME=value lines into a map.
func environment(lines []string) map[string]string {
	env := make(map[string]string, len(lines))
	for _, line := range lines {
		if name, value, ok := strings.Cut(line, "="); ok {
			env[name] = value
		}
	}
	return env
}

func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("it is larger than %d KiB", limit>>10)
	}
	return data, nil
}

// Where tells where a setting was made, such as "dex.yaml:14:5", for those who
// find out later that it does not work. The path is as in a [strict.Mistake]; a part
// that was not set itself is found where its parent was.
func (s *Settings) Where(path string) string { return strict.Nearest(s.places, path).String() }
