package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dex/test/program"
)

// The stack is started as make stack does, one of its workers is killed, and it is
// stopped.
func TestTheStackStartsHealsAndLeavesNothing(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	built := filepath.Join(t.TempDir(), "stack")
	if out, err := exec.Command("go", "build", "-o", built, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir, worker, port := filepath.Join(t.TempDir(), "stack"), program.FreePorts(t, workers), program.FreePorts(t, 1)
	do := func(verb string) string {
		cmd := exec.Command(built, "-dir", dir, "-port", strconv.Itoa(port), "-overlord-port", strconv.Itoa(program.FreePorts(t, 1)),
			"-admin-port", strconv.Itoa(program.FreePorts(t, 1)), "-worker-port", strconv.Itoa(worker), verb)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", verb, err, out)
		}
		return string(out)
	}
	t.Cleanup(func() {
		if err := stop(dir); err != nil {
			t.Error(err)
		}
	})
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	if said := do("start"); !strings.Contains(said, url) || !strings.Contains(said, "dexctl") {
		t.Errorf("it says %s", said)
	}
	if said := do("start"); !strings.Contains(said, "runs already") {
		t.Errorf("started twice it says %s", said)
	}
	text, err := os.ReadFile(filepath.Join(dir, "worker2.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range 20 { // the balancer finds others
		if r, err := http.Get(url + "/keys"); err != nil || r.StatusCode != http.StatusOK {
			t.Errorf("while a worker is dead: %v, %v", r, err)
		} else {
			_ = r.Body.Close()
		}
	}
	healed := false
	for range 600 {
		again, err := os.ReadFile(filepath.Join(dir, "worker2.pid"))
		if healed = err == nil && string(again) != string(text); healed {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !healed {
		t.Error("the worker was not started again")
	}
	do("stop")
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left in %s: %v", dir, err)
	}
	if _, err := http.Get(url + "/keys"); err == nil {
		t.Error("it answers still")
	}
	do("stop")
}
