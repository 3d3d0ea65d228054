package route

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path"
	"strconv"
	"strings"
	"testing"
)

// all reads the routes out of the source, so that none can be left out here.
func all(t *testing.T) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "route.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, value := range spec.Values {
			if text, ok := value.(*ast.BasicLit); ok && text.Kind == token.STRING {
				route, err := strconv.Unquote(text.Value)
				if err != nil {
					t.Fatal(err)
				}
				routes[spec.Names[i].Name] = route
			}
		}
		return true
	})
	if len(routes) < 10 || routes["Authorize"] != Authorize {
		t.Fatalf("read only %v", routes)
	}
	return routes
}

func TestNoTwoRoutesGetInEachOthersWay(t *testing.T) {
	mux := http.NewServeMux()
	seen := map[string]string{}
	for name, route := range all(t) {
		if other, ok := seen[route]; ok {
			t.Errorf("%s and %s are both %s", name, other, route)
			continue
		}
		seen[route] = name
		if route == Home {
			route = "/{$}" // that page alone; a bare slash would stand for all paths
		}
		mux.Handle(route, http.NotFoundHandler()) // panics if it could be another route's too
	}
}

func TestARouteIsAPlainPathOnOurSide(t *testing.T) {
	for name, route := range all(t) {
		plain := strings.NewReplacer("{", "", "}", "").Replace(route)
		clean := path.Clean(plain)
		if !strings.HasPrefix(route, "/") || plain != clean && plain != clean+"/" || strings.ContainsAny(plain, "?#% \\") || plain != strings.ToLower(plain) {
			t.Errorf("%s is %q", name, route)
		}
	}
}

// These paths are the standards' choice, not ours (OpenID Connect Discovery,
// section 4; RFC 8414, section 3).
func TestTheWellKnownPathsAreTheStandards(t *testing.T) {
	if Discovery != "/.well-known/openid-configuration" || OAuthMetadata != "/.well-known/oauth-authorization-server" {
		t.Errorf("discovery is at %s and %s", Discovery, OAuthMetadata)
	}
}
