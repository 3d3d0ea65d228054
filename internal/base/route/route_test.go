package route

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

func TestTheFirstPartOfEveryRouteIsReserved(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "route.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		if d, ok := node.(*ast.FuncDecl); ok && d != nil {
			return false
		}
		lit, ok := node.(*ast.BasicLit)
		if !ok {
			return true
		}
		path, _ := strconv.Unquote(lit.Value)
		first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if !strings.HasPrefix(path, "/") || first == "" {
			return true
		}
		if n++; !Reserved(first) {
			t.Errorf("%s begins with %q, which a tenant may take", path, first)
		}
		return true
	})
	if n < 15 {
		t.Errorf("%d routes only", n)
	}
	for _, free := range []string{"", "acme", "Keys", "login2", "static-files", "dex"} {
		if Reserved(free) {
			t.Errorf("%q is reserved", free)
		}
	}
}
