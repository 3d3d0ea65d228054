package storetest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"dex/internal/store"
	"dex/internal/store/storetest"
)

// TestTheSuiteLeavesNoMethodOut insists that the suite, which every engine passes,
// calls each method of the store.
func TestTheSuiteLeavesNoMethodOut(t *testing.T) {
	called := callsIn(t, "suite*.go")
	for _, of := range []reflect.Type{reflect.TypeFor[*store.Tenant](), reflect.TypeFor[*store.DB]()} {
		for i := range of.NumMethod() {
			name := of.Method(i).Name
			if name == "Close" { // every test's database is closed, in storetest.go
				continue
			}
			if !called[name] {
				t.Errorf("no promise of the suite calls %s.%s", of, name)
			}
		}
	}
}

// notWhole are the verbs that change something and are not done as one step, with the
// reason.
var notWhole = map[string]string{
	"ClearAway":   "it clears away batch by batch, and what is left waits for the next time",
	"CountUse":    "it counts batch by batch, and goes on where it was",
	"IndexPeople": "it finds people's words batch by batch",
	"Reseal":      "it seals batch by batch, and what is left opens by the old secret",
	"TryFounding": "a guess is counted by itself before it is looked at, so that no number of them at once is more than a secret bears",
	"Backup":      "it changes nothing of the database: it writes a file of its own",
	"Inventory":   "it only reads, all at one moment",
	"Migrate":     "each migration is a step of its own, and goose keeps the account of them",
}

// TestEveryVerbThatChangesSomethingHasAFailureForEachOfItsCalls insists that the
// table of deeds leaves none out. What changes something asks the writer, or begins
// a transaction, by itself or through others of the store.
func TestEveryVerbThatChangesSomethingHasAFailureForEachOfItsCalls(t *testing.T) {
	tried := map[string]bool{}
	for _, verb := range storetest.Deeds() {
		name, _, _ := strings.Cut(verb, " ")
		tried[name] = true
	}
	changing := changingVerbs(t)
	if len(changing) < 20 {
		t.Fatalf("only %d verbs change something: %v", len(changing), changing)
	}
	for name := range changing {
		if !tried[name] && notWhole[name] == "" {
			t.Errorf("%s changes something, and no deed tries what happens when its calls fail: add it to deeds.go", name)
		}
	}
	for name := range tried {
		if !changing[name] {
			t.Errorf("%s is tried, but changes nothing", name)
		}
	}
	for name := range notWhole {
		if !changing[name] {
			t.Errorf("%s is excused, but changes nothing", name)
		}
	}
}

// changingVerbs returns the exported methods of the store that lead to a change.
func changingVerbs(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	asks := map[string]map[string]bool{} // of each function, whom it calls
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				asks[fn.Name.Name] = merged(asks[fn.Name.Name], called(fn.Body))
			}
		}
	}
	verbs := map[string]bool{}
	for _, of := range []reflect.Type{reflect.TypeFor[*store.Tenant](), reflect.TypeFor[*store.DB]()} {
		for i := range of.NumMethod() {
			if name := of.Method(i).Name; leads(name, asks, map[string]bool{}) {
				verbs[name] = true
			}
		}
	}
	return verbs
}

// leads reports whether a function comes to write, sooner or later.
func leads(name string, asks map[string]map[string]bool, seen map[string]bool) bool {
	switch name {
	case "writer", "inTx", "Up":
		return true
	}
	if seen[name] {
		return false
	}
	seen[name] = true
	for next := range asks[name] {
		if leads(next, asks, seen) {
			return true
		}
	}
	return false
}

// called returns the names of what is called in a piece of code.
func called(n ast.Node) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(n, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch f := call.Fun.(type) {
		case *ast.SelectorExpr:
			names[f.Sel.Name] = true
		case *ast.Ident:
			names[f.Name] = true
		}
		return true
	})
	return names
}

func merged(a, b map[string]bool) map[string]bool {
	if a == nil {
		return b
	}
	for name := range b {
		a[name] = true
	}
	return a
}

// callsIn returns the names of all methods that files call.
func callsIn(t *testing.T, pattern string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	called := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if method, ok := call.Fun.(*ast.SelectorExpr); ok {
					called[method.Sel.Name] = true
				}
			}
			return true
		})
	}
	return called
}
