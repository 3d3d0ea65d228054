// Package internal_test holds the rules of the house, which no compiler keeps:
// who stands on whom, and what is done in one place only.
package internal_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// standsOn says which wings a wing may import. The way is always down; and as a
// flow may not import another, it hands over by sending the browser on.
var standsOn = map[string][]string{
	"base":      {"base"},
	"protocol":  {"base", "protocol"},
	"web":       {"base", "web"},
	"domain":    {"base", "protocol", "domain"},
	"connector": {"base", "protocol", "domain", "connector"},
	"store":     {"base", "protocol", "domain", "connector", "store"},
	"flow":      {"base", "protocol", "domain", "connector", "web"},
	"admin":     {"base", "protocol", "domain", "connector", "web", "admin"},
	"app":       {"base", "protocol", "domain", "connector", "store", "flow", "admin", "web", "app", "examples"},
	"cmd":       {"app"},
}

// doors are packages that one more wing may use than the table says.
var doors = map[string]string{"internal/admin/apiclient": "cmd", "internal/admin/resource": "cmd", "internal/admin/declare": "cmd"}

// beneath are the packages from elsewhere that a wing has no business with.
var beneath = map[string][]string{
	"protocol": {"database/sql", "os", "net"},
	"domain":   {"net/http", "database/sql", "html/template", "text/template"},
	"store":    {"net/http"},
	"flow":     {"database/sql"},
	"admin":    {"database/sql"},
	"web":      {"database/sql"},
}

// rule is something that is done in one place only.
type rule struct {
	why   string
	names []string // "import path.Name", or ".Name" for a method of anything
	holds func(file string) bool
}

var rules = []rule{
	{
		why: "all that leaves the house goes through base/outbound, which looks at each address",
		names: []string{
			"net/http.DefaultClient", "net/http.DefaultTransport", "net/http.Get", "net/http.Head", "net/http.Post", "net/http.PostForm",
			"net/http.Client{}", "net/http.Transport{}",
		},
		holds: func(file string) bool { return !in(file, "internal/base/outbound") },
	},
	{
		why:   "the clock is handed in",
		names: []string{"time.Now", "time.Since", "time.Until"},
		holds: func(file string) bool {
			return in(file, "internal/domain", "internal/flow", "internal/connector", "internal/protocol")
		},
	},
	{
		why:   "the environment is read by app and cmd, which hand on what they find",
		names: []string{"os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv"},
		holds: func(file string) bool { return !in(file, "internal/app", "cmd") },
	},
	{
		why:   "what there is to say goes to the log or to the caller",
		names: []string{"fmt.Print", "fmt.Printf", "fmt.Println"},
		holds: func(file string) bool { return in(file, "internal") },
	},
	{
		why:   "a connector sees no response: it says what the browser should do",
		names: []string{"net/http.ResponseWriter"},
		holds: func(file string) bool { return in(file, "internal/connector") },
	},
	{
		why:   "the standards take values and return values: they do no I/O",
		names: []string{"net/http.Request", "net/http.ResponseWriter", "net/http.Handler"},
		holds: func(file string) bool { return in(file, "internal/protocol") },
	},
	{
		why:   "its hashes withstand nobody: it is for tests",
		names: []string{"dex/internal/domain/credential.NewSparing"},
		holds: func(string) bool { return true },
	},
	{
		why:   "the guard against other origins has no holes (Go advisory GO-2025-3955)",
		names: []string{".AddInsecureBypassPattern"},
		holds: func(string) bool { return true },
	},
	{
		why:   "encoding/json writes a map's keys as they are, and a secret must not show",
		names: []string{"map[dex/internal/base/secret.Value]"},
		holds: func(string) bool { return true },
	},
}

// in reports whether a file stands in one of the folders.
func in(file string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return strings.HasPrefix(file, f+"/") })
}

// wing returns the wing of a folder: the name under internal, or the folder at
// the top.
func wing(folder string) string {
	first, rest, _ := strings.Cut(folder, "/")
	if first == "internal" {
		first, _, _ = strings.Cut(rest, "/")
	}
	return first
}

// isForTests reports whether a package serves tests alone, such as storetest.
func isForTests(folder string) bool { return strings.HasSuffix(path.Base(folder), "test") }

// source is a file of the house, without its tests.
type source struct {
	file   string // as seen from the module's root
	syntax *ast.File
}

func (s source) folder() string { return path.Dir(s.file) }

// house returns what the rules are about.
func house(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, top := range []string{"internal", "web", "cmd"} {
		root := filepath.Join("..", top)
		err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && file == root:
				return nil
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "testdata":
				return fs.SkipDir
			case d.IsDir() || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go"):
				return nil
			}
			syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			all = append(all, source{strings.TrimPrefix(filepath.ToSlash(file), "../"), syntax})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestEveryImportGoesDown(t *testing.T) {
	for _, s := range house(t) {
		for _, fault := range wrongImports(s) {
			t.Errorf("%s %s", s.file, fault)
		}
	}
}

// wrongImports says which imports of a file do not go down.
func wrongImports(s source) (faults []string) {
	from := wing(s.folder())
	for _, spec := range s.syntax.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		folder, ours := strings.CutPrefix(imported, "dex/")
		switch to := wing(folder); {
		case isForTests(s.folder()) && to == "test": // it starts what tests need
		case !ours:
			if slices.Contains(beneath[from], imported) {
				faults = append(faults, fmt.Sprintf("imports %s, which %s has no business with", imported, from))
			}
		case !slices.Contains(standsOn[from], to) && doors[folder] != from:
			faults = append(faults, fmt.Sprintf("imports %s, but %s does not stand on %s", folder, from, to))
		case isForTests(folder) && !isForTests(s.folder()):
			faults = append(faults, fmt.Sprintf("imports %s, which is for tests", folder))
		}
	}
	return faults
}

func TestWhatIsDoneInOnePlaceIsDoneNowhereElse(t *testing.T) {
	for _, s := range house(t) {
		if isForTests(s.folder()) {
			continue
		}
		for _, fault := range brokenRules(s) {
			t.Errorf("%s %s", s.file, fault)
		}
	}
}

// brokenRules says which rules a file breaks.
func brokenRules(s source) (faults []string) {
	used := usedNames(s.syntax)
	for _, r := range rules {
		for _, name := range r.names {
			if used[name] && r.holds(s.file) {
				faults = append(faults, fmt.Sprintf("uses %s, but %s", name, r.why))
			}
		}
	}
	return faults
}

// usedNames returns what a file uses of other packages: "path.Name", the same
// with {} behind it if a value of the type is made, map[path.Name] if it is the key
// of a map, and ".Name" for whatever is selected from anything.
func usedNames(f *ast.File) map[string]bool {
	imports := map[string]string{}
	for _, spec := range f.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imports[name] = imported
	}
	full := func(e ast.Expr) string {
		if selector, ok := e.(*ast.SelectorExpr); ok {
			if id, ok := selector.X.(*ast.Ident); ok && imports[id.Name] != "" {
				return imports[id.Name] + "." + selector.Sel.Name
			}
		}
		return ""
	}
	used := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			used[full(n)] = true
			used["."+n.Sel.Name] = true
		case *ast.CompositeLit:
			used[full(n.Type)+"{}"] = true
		case *ast.MapType:
			used["map["+full(n.Key)+"]"] = true
		case *ast.Ident: // after import . "fmt"
			if imports["."] != "" {
				used[imports["."]+"."+n.Name] = true
			}
		}
		return true
	})
	return used
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	comments := map[string]string{}
	names := map[string]string{}
	for _, s := range house(t) {
		names[s.folder()] = s.syntax.Name.Name
		if s.syntax.Doc != nil {
			comments[s.folder()] += s.syntax.Doc.Text()
		}
	}
	for folder, name := range names {
		if !saysWhatItIs(name, comments[folder]) {
			t.Errorf("%s has no package comment; it begins with %q and says what the package is, then what it is for (STYLE.md)", folder, "// Package "+name)
		}
	}
}

func saysWhatItIs(name, comment string) bool {
	if name == "main" {
		return len(strings.Fields(comment)) > 3
	}
	rest, ok := strings.CutPrefix(comment, "Package "+name+" ")
	return ok && len(strings.Fields(rest)) > 2
}

// migrations is where the store keeps how its tables came to be. The list holds
// a line as sha256sum writes it for each file.
const (
	migrations    = "store/migrations"
	migrationList = "hashes.txt"
)

func TestNoMigrationThatRanIsEdited(t *testing.T) {
	if _, err := os.Stat(migrations); err != nil {
		t.Fatal(err)
	}
	for _, fault := range editedMigrations(t, os.DirFS(migrations)) {
		t.Error(fault)
	}
}

// editedMigrations says which migrations differ from the list.
func editedMigrations(t *testing.T, folder fs.FS) (faults []string) {
	t.Helper()
	list, err := fs.ReadFile(folder, migrationList)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for line := range strings.Lines(string(list)) {
		if fields := strings.Fields(line); len(fields) == 2 {
			listed[fields[1]] = fields[0]
		} else {
			faults = append(faults, fmt.Sprintf("%s: %q is no line of a hash and a file's name", migrationList, line))
		}
	}
	files, err := fs.Glob(folder, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := fs.ReadFile(folder, file)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		switch want, ok := listed[file]; {
		case !ok:
			faults = append(faults, fmt.Sprintf("%s is new. When it is finished, list it: cd internal/%s && sha256sum %s >> %s", file, migrations, file, migrationList))
		case want != hex.EncodeToString(sum[:]):
			faults = append(faults, fmt.Sprintf("%s was edited. Databases that it ran on would never learn of it: put it back, and write a new migration", file))
		}
		delete(listed, file)
	}
	for file := range listed {
		faults = append(faults, fmt.Sprintf("%s is gone, but databases remember that it ran: put it back", file))
	}
	return faults
}
