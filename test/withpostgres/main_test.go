package main

import (
	"bufio"
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"dex/test/postgres"
)

// asCommand makes the test binary be the program itself, so that the tests run
// the real one without building it.
const asCommand = "WITHPOSTGRES_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program returns the program with its arguments, and the folder in which its
// server's data will be.
func program(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	if err := postgres.Installed(); err != nil {
		t.Fatal(err)
	}
	temp, err := os.MkdirTemp("", "withpostgres-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	if err := os.Chmod(temp, 0o711); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "TMPDIR="+temp)
	cmd.Stderr = os.Stderr
	return cmd, temp
}

// assertEmpty fails if something is left in the folder.
func assertEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

func TestTheCommandFindsAServerAndItsExitStatusIsPassedOn(t *testing.T) {
	cmd, temp := program(t, "--", "sh", "-c", `printf '%s' "$DEX_TEST_POSTGRES"; exit 7`)
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit status %d, not 7 (%v)", code, err)
	}
	u, err := url.Parse(string(out))
	if err != nil || u.Scheme != "postgres" || u.Hostname() != "127.0.0.1" {
		t.Errorf("DEX_TEST_POSTGRES is %q", out)
	}
	if conn, err := pgconn.Connect(t.Context(), string(out)); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the server outlived the command")
	}
	assertEmpty(t, temp)
}

func TestACommandThatCannotBeStartedIsOurFailure(t *testing.T) {
	cmd, temp := program(t, "--", "/nonexistent/command")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != failed {
		t.Errorf("got %v, want exit status %d", err, failed)
	}
	if !strings.Contains(stderr.String(), "/nonexistent/command") {
		t.Errorf("the message does not name the command: %s", &stderr)
	}
	assertEmpty(t, temp)
}

func TestWithoutACommandItTellsHowToUseIt(t *testing.T) {
	cmd, _ := program(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_ = cmd.Run()
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(stderr.String(), "Usage: withpostgres") {
		t.Errorf("exit status %d, message %q", cmd.ProcessState.ExitCode(), &stderr)
	}
}

// running starts the program with a command that tells its server's address,
// and returns the address.
func running(t *testing.T, script string) (cmd *exec.Cmd, address, temp string) {
	t.Helper()
	cmd, temp = program(t, "--", "sh", "-c", script)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(address), temp
}

func TestASignalIsTheCommandsToObey(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			cmd, _, temp := running(t, `
				trap 'exit 41' INT TERM
				echo "$DEX_TEST_POSTGRES"
				while :; do sleep 0.05; done`)
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 41 {
				t.Errorf("got %v, want the command's 41", err)
			}
			assertEmpty(t, temp)
		})
	}
}

func TestACommandThatASignalEndsCountsAsInTheShell(t *testing.T) {
	cmd, _ := program(t, "--", "sh", "-c", "kill -TERM $$")
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 128+int(syscall.SIGTERM) {
		t.Errorf("got %v, want exit status %d", err, 128+int(syscall.SIGTERM))
	}
}

// No clean-up of ours runs when we are killed, as when a test runs into its time
// limit. The kernel has to do it.
func TestTheServerDoesNotOutliveUsEvenIfWeAreKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux can a process ask to end with its parent")
	}
	// The command ends by itself when it finds that its parent has gone.
	cmd, address, _ := running(t, `
		echo "$DEX_TEST_POSTGRES"
		while kill -0 $PPID 2>/dev/null; do sleep 0.05; done`)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgconn.Connect(t.Context(), address)
		if err != nil {
			return
		}
		_ = conn.Close(t.Context())
		if time.Now().After(deadline) {
			t.Fatal("the server still answers")
		}
	}
}
