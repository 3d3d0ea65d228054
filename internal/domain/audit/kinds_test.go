package audit

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// kinds returns every constant of the type Kind in this folder.
func kinds(t *testing.T) (all []Kind) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(syntax, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Kind" {
				text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, Kind(text))
			}
			return true
		})
	}
	return all
}

func TestEveryKindOfEventSaysWhatItMeans(t *testing.T) {
	said := map[Kind]int{}
	for _, m := range Meanings {
		said[m.Kind]++
		if !strings.HasSuffix(m.Says, ".") || len(m.Says) < 15 {
			t.Errorf("%s says %q, which is no sentence", m.Kind, m.Says)
		}
	}
	all := kinds(t)
	if len(all) < 20 {
		t.Fatalf("only %d kinds were found", len(all))
	}
	for _, k := range all {
		if said[k] != 1 {
			t.Errorf("%s stands %d times in Meanings (kinds.go); it should stand there once", k, said[k])
		}
		delete(said, k)
	}
	for k := range said {
		t.Errorf("nobody records %s", k)
	}
}

// The page holds a table between two marks, and an example, which are written here.
func TestTheDocumentationKnowsEveryKindOfEvent(t *testing.T) {
	file := filepath.Join("..", "..", "..", "docs", "operate", "audit.md")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| kind | what has happened |\n|---|---|\n")
	for _, m := range Meanings {
		fmt.Fprintf(&table, "| `%s` | %s |\n", m.Kind, m.Says)
	}
	example, err := Exported{"default", Event{
		ID: "evt_1j5hk0s2g0abcdefghijklmnop", At: time.Date(2026, time.May, 1, 12, 0, 0, 123456000, time.UTC), Kind: LoginSucceeded, Actor: "usr_zoe",
		UserID: "usr_zoe", ClientID: "notes", ConnectorID: "local", SessionID: "ses_1", SupportCode: "K7QX-9WDM-3T", RemoteAddr: "192.0.2.7",
		Detail: map[string]string{"account": "known"},
	}}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	got := between(t, string(page), "kinds", table.String())
	got = between(t, got, "example", "```json\n"+string(example)+"\n```\n")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != string(page) {
		t.Errorf("%s is out of date; run go test ./internal/domain/audit -update", file)
	}
}

// between puts a text between the two marks of a name.
func between(t *testing.T, page, name, text string) string {
	t.Helper()
	begin, end := "<!-- "+name+": made by make golden -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("the page has no place for %s", name)
	}
	return before + begin + "\n" + text + "\n" + end + after
}
