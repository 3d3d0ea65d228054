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
