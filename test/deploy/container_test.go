package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const containerfile = "deploy/container/Containerfile"

// instructions returns what the Containerfile says, a line each.
func instructions(t *testing.T) (all [][]string) {
	t.Helper()
	for line := range strings.Lines(read(t, containerfile)) {
		if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			all = append(all, words)
		}
	}
	return all
}

func TestTheImageIsBuiltFromWhatIsThere(t *testing.T) {
	copied := 0
	for _, words := range instructions(t) {
		if words[0] != "COPY" || strings.HasPrefix(words[1], "--from") {
			continue
		}
		for _, source := range words[1 : len(words)-1] {
			if _, err := os.Stat(repository(t, source)); err != nil {
				t.Errorf("it copies %s: %v", source, err)
			}
			copied++
		}
	}
	if copied < 6 {
		t.Errorf("it copies %d things", copied)
	}
	// What it copies is all that the programs need: in a folder with nothing else they
	// can be built.
	dir := t.TempDir()
	for _, words := range instructions(t) {
		if words[0] == "COPY" && !strings.HasPrefix(words[1], "--from") {
			for _, source := range words[1 : len(words)-1] {
				run(t, "", "cp", "-r", repository(t, source), dir+"/")
			}
		}
	}
	run(t, dir, "go", "build", "-o", os.DevNull, "./cmd/dex-worker")
}

// empty makes a root with what the image has, and nothing else.
func empty(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"usr/local/bin", "etc/ssl/certs", "etc/dex"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"dex-worker", "dex-overlord", "dexctl"} {
		run(t, "", "cp", filepath.Join(programs(t), name), filepath.Join(root, "usr/local/bin", name))
	}
	run(t, "", "cp", repository(t, "deploy/container/passwd"), filepath.Join(root, "etc/passwd"))
	run(t, "", "chmod", "-R", "a+rX", root)
	return root
}

func TestTheProgramsRunInAnEmptyRootAsNobody(t *testing.T) {
	root := empty(t)
	for _, name := range []string{"dex-worker", "dex-overlord", "dexctl"} {
		cmd := exec.Command("/usr/local/bin/"+name, "--help")
		cmd.SysProcAttr = inside(root)
		cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/local/bin"}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	// And as the image starts it, but for the settings, which are not there.
	var entry []string
	for _, words := range instructions(t) {
		if words[0] == "ENTRYPOINT" || words[0] == "CMD" {
			for _, word := range words[1:] {
				entry = append(entry, strings.Trim(word, `[]",`))
			}
		}
	}
	cmd := exec.Command(entry[0], entry[1:]...)
	cmd.SysProcAttr, cmd.Dir, cmd.Env = inside(root), "/", []string{"PATH=/usr/local/bin"}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "/etc/dex/dex.yaml") {
		t.Errorf("without settings: %v\n%s", err, out)
	}
}

// inside are the attributes of a process that has a folder for its root, and is
// nobody there. Without being root it takes a namespace of its own.
func inside(root string) *syscall.SysProcAttr {
	const nobody = 65532
	if os.Geteuid() == 0 {
		return &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return &syscall.SysProcAttr{
		Chroot: root, Cloneflags: syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getegid(), Size: 1}},
	}
}

func TestTheImageHasNoRootAndNoShell(t *testing.T) {
	text := read(t, containerfile)
	final := text[strings.LastIndex(text, "FROM "):]
	for _, want := range []string{"FROM scratch", "USER 65532:65532", "/etc/ssl/certs/ca-certificates.crt", "dex-worker", "dex-overlord", "dexctl"} {
		if !strings.Contains(final, want) {
			t.Errorf("the image lacks %q", want)
		}
	}
	if strings.Contains(final, "RUN") {
		t.Error("something is run in the image, which has nothing to run")
	}
}
