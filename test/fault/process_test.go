package fault

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dex/test/program"
)

// files returns how many files and connections a program has open.
func files(t testing.TB, p *program.Process) int {
	t.Helper()
	all, err := os.ReadDir(filepath.Join("/proc", fmt.Sprint(p.Cmd.Process.Pid), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// goroutines ends a program in the way in which it tells of them all.
func goroutines(p *program.Process) int {
	p.Signal(syscall.SIGQUIT)
	<-p.Done
	n := 0
	for line := range strings.Lines(p.Log.String()) {
		if strings.HasPrefix(line, "goroutine ") {
			n++
		}
	}
	return n
}
