package internal_test

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"testing/fstest"
)

// The rules of the house are tested by breaking them.

func parse(t *testing.T, file, code string) source {
	t.Helper()
	syntax, err := parser.ParseFile(token.NewFileSet(), file, code, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return source{file, syntax}
}

func TestAnImportThatGoesUpIsFound(t *testing.T) {
	for _, test := range []struct {
		name, file, imports string
		wrong               bool
	}{
		{"base on base", "internal/base/httpx/a.go", "dex/internal/base/fault", false},
		{"base on a noun", "internal/base/httpx/a.go", "dex/internal/domain/user", true},
		{"base on the standards", "internal/base/seal/a.go", "dex/internal/protocol/oauth", true},
		{"the standards on the network", "internal/protocol/oauth/a.go", "net", true},
		{"a noun on another", "internal/domain/mint/a.go", "dex/internal/domain/key", false},
		{"a noun on the store", "internal/domain/user/a.go", "dex/internal/store", true},
		{"a noun on SQL", "internal/domain/user/a.go", "database/sql", true},
		{"a noun on templates", "internal/domain/user/a.go", "html/template", true},
		{"a connector on a noun", "internal/connector/oidc/a.go", "dex/internal/domain/user", false},
		{"a connector on the store", "internal/connector/oidc/a.go", "dex/internal/store", true},
		{"a connector on pages", "internal/connector/oidc/a.go", "dex/web", true},
		{"the store on a noun", "internal/store/users.go", "dex/internal/domain/user", false},
		{"the store on a flow", "internal/store/users.go", "dex/internal/flow/login", true},
		{"the store on HTTP", "internal/store/users.go", "net/http", true},
		{"a flow on pages", "internal/flow/login/a.go", "dex/web", false},
		{"a flow on another", "internal/flow/login/a.go", "dex/internal/flow/authorize", true},
		{"a flow on the store", "internal/flow/login/a.go", "dex/internal/store", true},
		{"pages on base", "web/web.go", "dex/internal/base/httpx", false},
		{"pages on a noun", "web/web.go", "dex/internal/domain/user", true},
		{"the operators' side on a flow", "internal/admin/api/a.go", "dex/internal/flow/token", true},
		{"assembly on all", "internal/app/worker/a.go", "dex/internal/store", false},
		{"a program on assembly", "cmd/dex-worker/main.go", "dex/internal/app/worker", false},
		{"a program on the operators' client", "cmd/dexctl/main.go", "dex/internal/admin/apiclient", false},
		{"a program on the operators' API", "cmd/dexctl/main.go", "dex/internal/admin/api", true},
		{"a program on the store", "cmd/dex-worker/main.go", "dex/internal/store", true},
		{"somebody else on the operators' client", "internal/flow/login/a.go", "dex/internal/admin/apiclient", true},
		{"assembly on what is for tests", "internal/app/worker/a.go", "dex/internal/store/storetest", true},
		{"what is for tests on what is for tests", "internal/connector/connectortest/a.go", "dex/internal/connector/faketest", false},
		{"a wing that nobody knows", "internal/util/a.go", "dex/internal/base/fault", true},
		{"somebody else's package", "internal/base/httpx/a.go", "net/http", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := wrongImports(parse(t, test.file, "package x\nimport _ \""+test.imports+"\""))
			if (len(got) > 0) != test.wrong {
				t.Errorf("found %q", got)
			}
		})
	}
}

func TestABrokenRuleIsFound(t *testing.T) {
	const flow, base, connector = "internal/flow/login/a.go", "internal/base/httpx/a.go", "internal/connector/oidc/a.go"
	for _, test := range []struct {
		name, file, imports, code string
		broken                    bool
	}{
		{"the default client", connector, `"net/http"`, `var c = http.DefaultClient`, true},
		{"the default client under another name", connector, `h "net/http"`, `var c = h.DefaultClient`, true},
		{"the default client with nothing in front", connector, `. "net/http"`, `var c = DefaultClient`, true},
		{"a plain call", base, `"net/http"`, `func f() { http.Get("x") }`, true},
		{"a client of one's own", connector, `"net/http"`, `var c = &http.Client{}`, true},
		{"a client that was handed in", connector, `"net/http"`, `var c *http.Client`, false},
		{"the client that leaves the house", "internal/base/outbound/a.go", `"net/http"`, `var c = &http.Client{}`, false},
		{"a method of the same name", base, `"net/http"`, `func f(h http.Header) { h.Get("x") }`, false},
		{"the time in a flow", flow, `"time"`, `func f() { time.Now() }`, true},
		{"the time in a flow, as a value", flow, `"time"`, `var now = time.Now`, true},
		{"the time in a flow, by its difference", flow, `"time"`, `func f(t time.Time) { time.Since(t) }`, true},
		{"the time in a noun", "internal/domain/user/a.go", `"time"`, `func f() { time.Now() }`, true},
		{"the time in a standard", "internal/protocol/jose/a.go", `"time"`, `func f() { time.Now() }`, true},
		{"the time of a clock", flow, `"dex/internal/base/clock"`, `func f(c clock.Clock) { c.Now() }`, false},
		{"the time in the base", base, `"time"`, `func f() { time.Now() }`, false},
		{"the environment in a flow", flow, `"os"`, `var x = os.Getenv("X")`, true},
		{"the environment in pages", "web/web.go", `"os"`, `func f() { os.LookupEnv("X") }`, true},
		{"the environment in assembly", "internal/app/config/a.go", `"os"`, `var x = os.Getenv("X")`, false},
		{"the environment in a program", "cmd/dexctl/main.go", `"os"`, `var x = os.Getenv("X")`, false},
		{"printing", "internal/app/worker/a.go", `"fmt"`, `func f() { fmt.Println("x") }`, true},
		{"printing in a program", "cmd/dexctl/main.go", `"fmt"`, `func f() { fmt.Println("x") }`, false},
		{"printing to somebody", "internal/app/worker/a.go", `"fmt"; "io"`, `func f(w io.Writer) { fmt.Fprintln(w, "x") }`, false},
		{"a request in a standard", "internal/protocol/oauth/a.go", `"net/http"`, `func f(r *http.Request) {}`, true},
		{"a status in a standard", "internal/protocol/oauth/a.go", `"net/http"`, `var s = http.StatusFound`, false},
		{"a response in a connector", connector, `"net/http"`, `func f(w http.ResponseWriter) {}`, true},
		{"a response in a flow", flow, `"net/http"`, `func f(w http.ResponseWriter) {}`, false},
		{"a hole in the guard", flow, `"net/http"`, `func f(g *http.CrossOriginProtection) { g.AddInsecureBypassPattern("/") }`, true},
		{"a hasher for tests", "internal/app/worker/a.go", `"dex/internal/domain/credential"`, `var h = credential.NewSparing()`, true},
		{"a secret as a key", flow, `"dex/internal/base/secret"`, `var m map[secret.Value]int`, true},
		{"a secret behind a key", flow, `"dex/internal/base/secret"`, `var m map[string]secret.Value`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := brokenRules(parse(t, test.file, "package x\nimport ("+test.imports+")\n"+test.code))
			if (len(got) > 0) != test.broken {
				t.Errorf("found %q", got)
			}
		})
	}
}

func TestAPackageWithoutACommentIsFound(t *testing.T) {
	for _, test := range []struct {
		name, pkg, comment string
		want               bool
	}{
		{"a comment", "seal", "Package seal is authenticated encryption.\n", true},
		{"none", "seal", "", false},
		{"one of another package", "seal", "Package sealing is authenticated encryption.\n", false},
		{"one that says nothing", "seal", "Package seal .\n", false},
		{"a program's comment", "main", "dex-worker is the public server.\n", true},
		{"a program without one", "main", "", false},
	} {
		if got := saysWhatItIs(test.pkg, test.comment); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}

func TestAnEditedMigrationIsFound(t *testing.T) {
	const (
		first = "CREATE TABLE a (id TEXT);\n"
		sum   = "8f6e09c6d1a5c1e0d1c4b8b5ad2a7c0f5cf5e9a7a1d4e2f4a0b3c6d9e8f70112" // of something else
	)
	for _, test := range []struct {
		name  string
		files map[string]string
		fault string
	}{
		{"as listed", map[string]string{"0001_a.sql": first, "hashes.txt": "d0b5e4117d9d53986c92271c81b65a402143b459b3b593f7d257eb727de09143  0001_a.sql\n"}, ""},
		{"edited", map[string]string{"0001_a.sql": first, "hashes.txt": sum + "  0001_a.sql\n"}, "was edited"},
		{"new", map[string]string{"0001_a.sql": first, "hashes.txt": ""}, "sha256sum 0001_a.sql >> hashes.txt"},
		{"without a list", map[string]string{"0001_a.sql": first}, "sha256sum 0001_a.sql >> hashes.txt"},
		{"gone", map[string]string{"hashes.txt": sum + "  0001_a.sql\n"}, "is gone"},
		{"a line that is none", map[string]string{"hashes.txt": "0001_a.sql\n"}, "is no line"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := fstest.MapFS{}
			for name, content := range test.files {
				folder[name] = &fstest.MapFile{Data: []byte(content)}
			}
			got := strings.Join(editedMigrations(t, folder), "\n")
			if (got == "") != (test.fault == "") || !strings.Contains(got, test.fault) {
				t.Errorf("found %q, want %q", got, test.fault)
			}
		})
	}
}
