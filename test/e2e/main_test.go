package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	// What the program is made of, so that a change of it is known to be one of these
	// tests, and they are run again.
	_ "dex/internal/app/worker"
)

// worker is the path of the dex-worker under test.
var worker string

// TestMain builds the program once.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dex-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	worker = filepath.Join(dir, "dex-worker")
	arguments := []string{"build", "-o", worker}
	if raceDetector {
		arguments = append(arguments, "-race")
	}
	if out, err := exec.Command("go", append(arguments, "dex/cmd/dex-worker")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build dex-worker: %v\n%s", err, out)
		return 1
	}
	defer closeChromium()
	return m.Run()
}
