package ctl

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dex/internal/admin/declare"
	"dex/internal/base/strict"
)

// maxResources is how large a file of resources may be.
const maxResources = 8 << 20

// Resources reads the files that an operator plans and applies, as if they were one: a
// folder stands for the files of YAML in it, and - for standard input. Every mistake is
// told at once with its place, and what stands in two places with both of them.
func (w World) Resources(names []string, stdin io.Reader) (declare.Resources, error) {
	files, err := inFolders(names)
	if err != nil {
		return declare.Resources{}, EndWith(BadUse, "%s", err)
	}
	sources := make([]declare.Source, 0, len(files))
	for _, name := range files {
		s := declare.Source{Name: name, Expand: w.expand}
		if name == "-" {
			s.Name = "standard input"
			s.Data, err = io.ReadAll(io.LimitReader(stdin, maxResources+1))
		} else {
			s.Data, err = readUpTo(name, maxResources)
		}
		if err != nil {
			return declare.Resources{}, EndWith(BadUse, "%s", err)
		}
		if len(s.Data) > maxResources {
			return declare.Resources{}, EndWith(BadUse, "%s is larger than %d MiB", s.Name, maxResources>>20)
		}
		sources = append(sources, s)
	}
	// Whether something is for this machine alone, the server knows.
	r, err := declare.Rules{Local: true}.ReadFiles(sources...)
	if err != nil {
		return r, EndWith(BadUse, "%s", err)
	}
	return r, nil
}

// inFolders names the files that are meant, each once.
func inFolders(names []string) ([]string, error) {
	var files []string
	for _, name := range names {
		info, err := os.Stat(name)
		switch {
		case name == "-":
			files = append(files, name)
			continue
		case err != nil:
			return nil, err
		case !info.IsDir():
			files = append(files, filepath.Clean(name))
			continue
		}
		below, err := os.ReadDir(name)
		if err != nil {
			return nil, err
		}
		before := len(files)
		for _, one := range below {
			if ext := strings.ToLower(filepath.Ext(one.Name())); !one.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, ext) {
				files = append(files, filepath.Join(name, one.Name()))
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s: there is no file of YAML in it", name)
		}
	}
	for i, name := range files {
		if slices.Contains(files[:i], name) {
			return nil, fmt.Errorf("%s is given twice", name)
		}
	}
	return files, nil
}

// expand fills in what a value refers to: ${NAME} and ${file:PATH}, as in the
// configuration of the servers.
func (w World) expand(text string) (string, error) {
	return strict.Expand(text, func(name string) (string, bool) {
		value := w.Getenv(name)
		return value, value != ""
	}, readUpTo)
}

// readUpTo reads a file up to a limit.
func readUpTo(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s is larger than %d KiB", name, limit>>10)
	}
	return text, nil
}
