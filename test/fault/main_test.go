package fault

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	// What the program is made of, so that a change of it is known to be one of these
	// tests, and they are run again.
	_ "dex/internal/app/overlord"
	_ "dex/internal/app/worker"
)

// What a run can be told.
var (
	seedFlag = flag.Uint64("seed", 0, "what chance follows from; 0 takes one from the time")
	fromFlag = flag.String("from", "", "the commit whose programs are upgraded from, or \"auto\": the one before the last migration")
	timeFlag = flag.Duration("faulttime", 0, "for how long faults go on at random after each has been once")
)

// The programs under test: as released, and a worker with a clock that is an hour late.
var worker, overlord, lateWorker string

// late is by how much the clock of lateWorker is wrong.
const late = -time.Hour

// TestMain builds the programs once.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dex-fault-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	worker, overlord, lateWorker = filepath.Join(dir, "dex-worker"), filepath.Join(dir, "dex-overlord"), filepath.Join(dir, "late-worker")
	if err := errors.Join(
		build(worker, "dex/cmd/dex-worker"),
		build(overlord, "dex/cmd/dex-overlord"),
		build(lateWorker, "dex/cmd/dex-worker", "-tags", "faultclock", "-ldflags", "-X dex/internal/base/clock.faultOffset="+late.String()),
	); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(to, program string, arguments ...string) error {
	arguments = append(append([]string{"build", "-o", to}, arguments...), program)
	if out, err := exec.Command("go", arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", program, err, out)
	}
	return nil
}
