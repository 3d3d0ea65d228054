package all

import (
	"regexp"
	"testing"
)

func TestEachKindHasANameOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		if seen[k.Name] || !regexp.MustCompile(`^[a-z0-9]+$`).MatchString(k.Name) || k.New == nil {
			t.Errorf("%+v", k)
		}
		seen[k.Name] = true
	}
	for _, k := range Kinds() {
		if len(k.Secrets) > 0 && len(k.SentTo) == 0 {
			t.Errorf("%s does not say to whom its secrets are sent", k.Name)
		}
	}
	for _, name := range []string{"local", "mock", "oidc"} {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
}
