package operate_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	yaml "go.yaml.in/yaml/v4"

	"dex/internal/admin/api"
	"dex/internal/admin/resource"
	"dex/internal/app/office"
	"dex/internal/app/operate"
	"dex/internal/base/clock"
	"dex/internal/base/seal"
)

var update = flag.Bool("update", false, "write the golden files anew")

// described is the API as it is described, with every noun that there is.
func described(t *testing.T) (*api.Server, []byte) {
	t.Helper()
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	s, err := operate.New(operate.Options{Keys: ring, Clock: &clock.Fake{}, More: (&office.Office{}).Nouns()})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := s.Document()
	if err != nil {
		t.Fatal(err)
	}
	return s, doc
}

func TestTheDescriptionOfTheAPIIsCheckedIn(t *testing.T) {
	_, doc := described(t)
	file := filepath.Join("..", "..", "..", "api", "openapi.yaml")
	doc = append([]byte("# Made of internal/admin/api by make golden. Not to be edited.\n"), doc...)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, doc) {
		t.Error("api/openapi.yaml is not what the API does: make golden writes it anew")
	}
}

// document is as much of OpenAPI 3.1 as every operation must have.
type document struct {
	OpenAPI string
	Info    struct{ Title, Version string }
	Paths   map[string]map[string]struct {
		OperationID string `yaml:"operationId"`
		Summary     string
		Description string
		Parameters  []struct {
			Name, In string
			Required bool
			Schema   map[string]any
		}
		Security  []map[string][]string
		Responses map[string]struct {
			Description string
			Content     map[string]struct{ Schema map[string]any }
		}
	}
	Components struct {
		Schemas         map[string]map[string]any
		SecuritySchemes map[string]map[string]any `yaml:"securitySchemes"`
	}
}

func TestTheDescriptionIsOpenAPIAndSaysOfEachRouteWhatItTakes(t *testing.T) {
	s, text := described(t)
	var doc document
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version == "" {
		t.Errorf("it is no OpenAPI 3.1: %q %+v", doc.OpenAPI, doc.Info)
	}
	for _, ref := range regexp.MustCompile(`\$ref: ['"]?#/components/schemas/(\w+)`).FindAllSubmatch(text, -1) {
		if doc.Components.Schemas[string(ref[1])] == nil {
			t.Errorf("nothing is described as %s", ref[1])
		}
	}
	operations := 0
	for _, methods := range doc.Paths {
		operations += len(methods)
	}
	if operations != len(s.Routes()) {
		t.Errorf("%d operations are described, of %d", operations, len(s.Routes()))
	}
	for _, r := range s.Routes() {
		op, ok := doc.Paths[r.Path][strings.ToLower(r.Method)]
		if !ok || op.OperationID != r.ID || op.Summary == "" {
			t.Errorf("%s %s is not described: %+v", r.Method, r.Path, op)
			continue
		}
		parameters := map[string]bool{}
		for _, p := range op.Parameters {
			parameters[p.In+" "+p.Name] = true
			if p.In == "path" && !p.Required || p.Schema == nil {
				t.Errorf("%s: the parameter %s is not described", r.ID, p.Name)
			}
		}
		for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(r.Path, -1) {
			if !parameters["path "+name[1]] {
				t.Errorf("%s does not say what %s is", r.ID, name[0])
			}
		}
		if r.Guarded != parameters["header If-Match"] || r.Creates != parameters["header Idempotency-Key"] {
			t.Errorf("%s does not say which headers it takes: %v", r.ID, parameters)
		}
		switch {
		case r.Public && len(op.Security) > 0:
			t.Errorf("%s is public, and described as if it were not", r.ID)
		case !r.Public && (len(op.Security) != 1 || len(op.Security[0]["token"]) != 1 || op.Security[0]["token"][0] != r.Scope || !strings.Contains(op.Description, r.Scope)):
			t.Errorf("%s does not say that it takes %s: %v %q", r.ID, r.Scope, op.Security, op.Description)
		}
		good := false
		for status, answer := range op.Responses {
			good = good || strings.HasPrefix(status, "2")
			if _, problem := answer.Content[resource.ProblemType]; problem == strings.HasPrefix(status, "2") || answer.Description == "" {
				t.Errorf("%s: the answer %s is not described", r.ID, status)
			}
		}
		for _, status := range []string{"400", "422", "429", "500", "503"} {
			if _, ok := op.Responses[status]; !ok {
				t.Errorf("%s does not say that it may answer %s", r.ID, status)
			}
		}
		if _, ok := op.Responses["401"]; ok == r.Public || !good {
			t.Errorf("%s describes the answers %v", r.ID, op.Responses)
		}
	}
	if doc.Components.SecuritySchemes["token"] == nil {
		t.Error("it does not say what a token is")
	}
}
