package internal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// promisesPage lists what shows each promise.
const promisesPage = "../docs/operate/promises.md"

// The promises and the decisions that there are.
const (
	promises  = 7
	decisions = 22
)

var (
	ofPromise  = regexp.MustCompile(`^### (\d+)\. `)
	ofDecision = regexp.MustCompile(`^\| (\d+)\. .*\| ` + "`(Test\\w+)` \\| `([^`]+)` \\|$")
	shownBy    = regexp.MustCompile("^\\| `(Test\\w+)` \\| `([^`]+)` \\|")
)

// evidence is a test that the page names.
type evidence struct{ test, folder string }

// readPromises returns which tests the page names for each promise and decision.
func readPromises(page string) (ofPromises, ofDecisions map[int][]evidence) {
	ofPromises, ofDecisions = map[int][]evidence{}, map[int][]evidence{}
	current := 0
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if m := ofPromise.FindStringSubmatch(line); m != nil {
			current, _ = strconv.Atoi(m[1]) // digits, by the pattern
		}
		if m := shownBy.FindStringSubmatch(line); m != nil {
			ofPromises[current] = append(ofPromises[current], evidence{m[1], m[2]})
		}
		if m := ofDecision.FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			ofDecisions[n] = append(ofDecisions[n], evidence{m[2], m[3]})
		}
	}
	return ofPromises, ofDecisions
}

func TestEachPromiseHasATestThatIsThere(t *testing.T) {
	page, err := os.ReadFile(promisesPage)
	if err != nil {
		t.Fatal(err)
	}
	ofPromises, ofDecisions := readPromises(string(page))
	hold := func(what string, n int, all map[int][]evidence) {
		for i := 1; i <= n; i++ {
			if len(all[i]) == 0 {
				t.Errorf("%s names no test for %s %d", promisesPage, what, i)
			}
			for _, e := range all[i] {
				if !isTest(t, e) {
					t.Errorf("%s %d is shown by %s in %s, which is not there", what, i, e.test, e.folder)
				}
			}
		}
		if len(all) != n {
			t.Errorf("there are %d of %s, and %s has %d", n, what, promisesPage, len(all))
		}
	}
	hold("promise", promises, ofPromises)
	hold("decision", decisions, ofDecisions)
}

// isTest reports whether a package has a test.
func isTest(t *testing.T, e evidence) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", e.folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(code), "\nfunc "+e.test+"(t *testing.T)") {
			return true
		}
	}
	return false
}

func TestAPromiseWithoutATestIsFound(t *testing.T) {
	p, d := readPromises("### 1. One\n| `TestA` | `internal` | how |\n### 2. Two\nno table\n| 3. Three | `TestB` | `internal/store` |\n")
	if len(p[1]) != 1 || p[1][0] != (evidence{"TestA", "internal"}) || len(p[2]) != 0 || len(d[3]) != 1 {
		t.Errorf("read %v and %v", p, d)
	}
	if isTest(t, evidence{"TestThatNobodyWrote", "internal"}) || isTest(t, evidence{"TestEachPromiseHasATestThatIsThere", "nowhere"}) {
		t.Error("a test was found that is not there")
	}
}
