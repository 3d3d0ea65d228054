package e2e

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// What the programs are made of, so that a change of them is known to be one of
	// these tests, and they are run again.
	_ "dex/internal/app/ctl"
	_ "dex/internal/app/overlord"
	_ "dex/internal/app/worker"
)

// worker and overlord are the paths of the programs under test.
var worker, overlord string

// TestMain builds the program once.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dex-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	worker, overlord = filepath.Join(dir, "dex-worker"), filepath.Join(dir, "dex-overlord")
	arguments := []string{"build", "-o", dir}
	if raceDetector {
		// What the tests are built with says what need not be watched.
		arguments = append(arguments, strings.Fields(cmp.Or(os.Getenv("DEX_TEST_RACE"), "-race"))...)
	}
	if out, err := exec.Command("go", append(arguments, "dex/cmd/dex-worker", "dex/cmd/dex-overlord")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the programs: %v\n%s", err, out)
		return 1
	}
	defer closeChromium()
	return m.Run()
}
