// Package deploy_test holds what stands in deploy to what it says: the units are
// verified, the image can be built from what is there, the proxies start with their
// files and carry requests as promised.
package deploy_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// repository returns the path of a file of the repository.
func repository(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(repository(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// installed returns where a program is, which test/setup installs.
func installed(t testing.TB, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Fatalf("%s is missing; test/setup installs it", name)
	return ""
}

// run runs a command, and fails with what it said.
func run(t testing.TB, dir, name string, arguments ...string) string {
	t.Helper()
	cmd := exec.Command(name, arguments...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

// folder is where the programs were built; "" if they were not.
var folder string

// built is a folder with the programs as they are released, built once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "dex-deploy")
	if err != nil {
		return "", err
	}
	folder = dir
	if err := os.Chmod(dir, 0o755); err != nil {
		return dir, err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir+"/", "./cmd/...")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return dir, &exec.Error{Name: said.String(), Err: err}
	}
	return dir, nil
})

func programs(t testing.TB) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMain(m *testing.M) {
	code := m.Run()
	if folder != "" {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

var units = []string{"deploy/systemd/dex-worker@.service", "deploy/systemd/dex-overlord.service"}

func TestTheUnitsAreWhatSystemdUnderstands(t *testing.T) {
	bin := programs(t)
	for _, unit := range units {
		// The programs are where they were built, and everything else is as it stands.
		file := filepath.Join(t.TempDir(), filepath.Base(unit))
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(read(t, unit), "/usr/local/bin/", bin+"/")), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := run(t, "", installed(t, "systemd-analyze"), "verify", "--man=no", file); strings.TrimSpace(out) != "" {
			t.Errorf("%s: %s", unit, out)
		}
		out := run(t, "", installed(t, "systemd-analyze"), "security", "--offline=true", "--threshold=20", file)
		if !strings.Contains(out, "Overall exposure level") {
			t.Errorf("%s is not hardened: %s", unit, out)
		}
	}
}

var flagInUnit = regexp.MustCompile(`--([a-z][a-z-]*)`)

func TestTheUnitsStartProgramsWithFlagsThatTheyHave(t *testing.T) {
	for _, unit := range units {
		line := regexp.MustCompile(`(?m)^ExecStart=(\S+)(.*)$`).FindStringSubmatch(read(t, unit))
		if line == nil {
			t.Fatalf("%s starts nothing", unit)
		}
		help := run(t, "", filepath.Join(programs(t), filepath.Base(line[1])), "--help")
		flags := flagInUnit.FindAllStringSubmatch(line[2], -1)
		if len(flags) == 0 {
			t.Errorf("%s has no flags", unit)
		}
		for _, f := range flags {
			if !strings.Contains(help, "--"+f[1]) {
				t.Errorf("%s: %s has no flag --%s", unit, line[1], f[1])
			}
		}
	}
}

func TestTheRecordMayBeRotated(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "audit.jsonl")
	if err := os.WriteFile(log, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "logrotate")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(read(t, "deploy/systemd/logrotate"), "/var/log/dex/audit.jsonl", log)), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, installed(t, "logrotate"), "--force", "--state", filepath.Join(dir, "state"), file)
	if _, err := os.Stat(log + ".1"); err != nil {
		t.Errorf("it was not renamed: %v", err)
	}
	if _, err := os.Stat(log); !os.IsNotExist(err) {
		t.Errorf("logrotate made a new one, which might be of another owner: %v", err)
	}
}
