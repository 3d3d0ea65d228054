package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"dex/internal/app/config"
	"dex/internal/app/process"
	"dex/internal/app/worker"
	"dex/internal/base/seal"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/tenant"
	"dex/internal/store"
)

// asProgram makes the test's binary be the program, so that what is tested is what
// people run: arguments, environment, output and exit status.
const asProgram = "RUN_AS_DEX"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// ran is how a run of the program ended.
type ran struct {
	status      int
	out, errOut string
}

// run runs the program to its end.
func run(t *testing.T, input string, environ []string, args ...string) ran {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append([]string{asProgram + "=1", "HOME=" + t.TempDir(), "DEX_WORKER_ADMIN_LISTEN=off"}, environ...)
	cmd.Dir = t.TempDir()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errOut
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatalf("%v: %v\n%s", args, err, errOut.String())
	} else if ok && !exit.Exited() {
		t.Fatalf("%v did not end by itself\n%s", args, errOut.String())
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "dex.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTheHelpSaysWhatThereIs(t *testing.T) {
	for _, test := range []struct {
		args []string
		says []string
	}{
		{[]string{"--help"}, []string{"dex-worker --no-db", "--config", "--listen", "--db ", "DEX_WORKER_LOG_LEVEL", "explain", "hash-password", "key-secret", "version"}},
		{[]string{"explain", "--help"}, []string{"error page", "K7QX-9WDM-3T", "--db"}},
		{[]string{"hash-password", "--help"}, []string{"password_hash", "standard input"}},
		{[]string{"key-secret", "--help"}, []string{"key_secrets"}},
		{[]string{"version"}, []string{"dex-worker "}},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			r := run(t, "", nil, test.args...)
			if r.status != 0 || r.errOut != "" {
				t.Errorf("status %d, %q", r.status, r.errOut)
			}
			for _, want := range test.says {
				if !strings.Contains(r.out, want) {
					t.Errorf("it does not say %q:\n%s", want, r.out)
				}
			}
			for line := range strings.Lines(r.out) {
				if len(line) > 400 {
					t.Errorf("a line of %d characters: %.80s…", len(line), line)
				}
			}
		})
	}
	t.Run("a flag of each setting", func(t *testing.T) {
		help := run(t, "", nil, "--help").out
		command().Flags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(help, "--"+f.Name) || f.Usage == "" {
				t.Errorf("--%s is not in the help", f.Name)
			}
		})
	})
}

func TestBadUseEndsWithTwoAndSaysEverything(t *testing.T) {
	bad := file(t, "issuer: http://login.example.com\nlissen: 127.0.0.1:0\ndb: sqlite:x.db\nclients:\n- {name: x}\n")
	for _, test := range []struct {
		name    string
		args    []string
		environ []string
		status  int
		says    []string
	}{
		{name: "nothing is said", status: process.BadUse, says: []string{"db: is not set", "--no-db", "issuer: is not set"}},
		{name: "several mistakes in the file", args: []string{"--config", bad}, status: process.BadUse, says: []string{bad + ":1:", "must be https", bad + ":2:", "lissen: unknown", "listen", bad + ":5:", "id"}},
		{name: "a file that is not there", args: []string{"--config", "nowhere.yaml"}, status: process.BadUse, says: []string{"nowhere.yaml"}},
		{name: "a variable of ours that is none", args: []string{"--no-db"}, environ: []string{"DEX_WORKER_LISSEN=x"}, status: process.BadUse, says: []string{"DEX_WORKER_LISSEN", "DEX_WORKER_LISTEN"}},
		{name: "everybody could log in from outside", args: []string{"--no-db", "--listen", "0.0.0.0:0"}, status: process.BadUse, says: []string{"--listen", "loopback"}},
		{name: "… by another name", args: []string{"--no-db", "--listen", ":5556"}, status: process.BadUse, says: []string{"--listen", "loopback"}},
		{name: "… to the demo application", args: []string{"--no-db", "--demo-listen", "[::]:0"}, status: process.BadUse, says: []string{"--demo-listen", "loopback"}},
		{name: "… by the environment", environ: []string{"DEX_WORKER_NO_DB=true", "DEX_WORKER_LISTEN=192.0.2.1:80"}, status: process.BadUse, says: []string{"DEX_WORKER_LISTEN", "loopback"}},
		{name: "no database and one", args: []string{"--no-db", "--db", "sqlite:x.db"}, status: process.BadUse, says: []string{"--no-db", "contradicts"}},
		{name: "a level that is none", args: []string{"--no-db", "--log-level", "loud"}, status: process.BadUse, says: []string{"--log-level", "debug"}},
		{name: "a flag that is none", args: []string{"--lissen", "x"}, status: process.BadUse, says: []string{"--lissen"}},
		{name: "an argument too many", args: []string{"serve"}, status: process.BadUse, says: []string{"serve"}},
		{name: "explain without a code", args: []string{"explain"}, status: process.BadUse, says: []string{"1 arg"}},
		{name: "explain without a database", args: []string{"explain", "--no-db", "K7QX-9WDM-3T"}, status: process.Failed, says: []string{"nothing is kept"}},
		{name: "the database is not there yet", args: []string{"--db", "sqlite:nowhere/dex.db", "--listen", "127.0.0.1:0", "--issuer", "https://a.example.com"}, status: process.Failed, says: []string{"nowhere"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := run(t, "", test.environ, test.args...)
			if r.status != test.status || r.out != "" {
				t.Errorf("status %d, want %d; output %q; error %q", r.status, test.status, r.out, r.errOut)
			}
			if !strings.HasPrefix(r.errOut, "dex-worker: ") {
				t.Errorf("it does not say who speaks: %q", r.errOut)
			}
			for _, want := range test.says {
				if !strings.Contains(r.errOut, want) {
					t.Errorf("it does not say %q: %s", want, r.errOut)
				}
			}
		})
	}
}

func TestAPasswordIsHashedFromStandardInput(t *testing.T) {
	for input, password := range map[string]string{
		"correct horse battery\n":   "correct horse battery",
		"correct horse battery":     "correct horse battery",
		"ends in a return\r\n":      "ends in a return",
		" spaces belong to it \n":   " spaces belong to it ",
		"only the first\nline is\n": "only the first",
		"grüße\n":                   "grüße",
	} {
		r := run(t, input, nil, "hash-password")
		hash := strings.TrimSuffix(r.out, "\n")
		if r.status != 0 || !strings.HasPrefix(hash, "$argon2id$") || strings.Contains(hash, "\n") {
			t.Errorf("%q: status %d, %q, %q", input, r.status, r.out, r.errOut)
			continue
		}
		if right, err := credential.NewArgon2(1).Verify(t.Context(), password, hash); !right || err != nil {
			t.Errorf("%q: the hash is not that of %q: %v", input, password, err)
		}
	}
	for _, input := range []string{"", "\n", strings.Repeat("x", 1025) + "\n", "a\x00b\n", "\xff\n"} {
		if r := run(t, input, nil, "hash-password"); r.status == 0 || r.out != "" {
			t.Errorf("%.20q: status %d, %q", input, r.status, r.out)
		}
	}
	if r := run(t, "x\n", nil, "hash-password", "secret"); r.status == 0 || strings.Contains(r.out, "argon2") {
		t.Errorf("a password is taken from the arguments, which everybody on the machine can read: %q", r.out)
	}
}

func TestAKeySecretIsFreshAndFits(t *testing.T) {
	first, second := run(t, "", nil, "key-secret"), run(t, "", nil, "key-secret")
	if first.out == second.out {
		t.Error("twice the same")
	}
	if _, err := seal.ParseSecret(strings.TrimSpace(first.out)); err != nil || first.status != 0 {
		t.Errorf("%q: %v", first.out, err)
	}
}

// attempted makes a database that knows of an attempt to log in, and returns the
// configuration that leads to it.
func attempted(t *testing.T, code string) string {
	t.Helper()
	config := file(t, fmt.Sprintf("db: sqlite:%s\nissuer: https://a.example.com\n", filepath.Join(t.TempDir(), "dex.db")))
	s := settings(t, config)
	w, err := worker.New(s, worker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Open(t.Context()); err != nil { // it makes the database, its tenant and keys
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	key, err := seal.ParseSecret(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.NewRing(key)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Options{URL: string(s.DB), Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	view, err := db.Tenant(t.Context(), tenant.Default)
	if err != nil {
		t.Fatal(err)
	}
	err = view.KeepTrace(t.Context(), code, time.Now(), []audit.Step{
		{At: 0, What: "request", Said: "app asks for openid"}, {At: 1200, What: "connector", Said: "local: password wrong or nobody of that name"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func settings(t *testing.T, file string) *config.Settings {
	t.Helper()
	s, err := config.Load(config.Source{Environ: []string{config.EnvPrefix + "CONFIG=" + file}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestExplainTellsTheStoryOfAnAttempt(t *testing.T) {
	code := audit.NewSupportCode()
	config := attempted(t, code)
	for name, asked := range map[string]string{"as it stands on the page": code, "in small letters": strings.ToLower(code), "with spaces": " " + code + " "} {
		r := run(t, "", nil, "explain", asked, "--config", config)
		if r.status != 0 || !strings.Contains(r.out, code) {
			t.Errorf("%s: status %d, %q, %q", name, r.status, r.out, r.errOut)
		}
		for _, want := range []string{"app asks for openid", "password wrong or nobody of that name", "1.2s", "Nothing was granted"} {
			if !strings.Contains(r.out, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, r.out)
			}
		}
	}
	for _, asked := range []string{"AAAA-AAAA-AA", "x", "' OR 1=1 --", ""} {
		r := run(t, "", nil, "explain", asked, "--config", config)
		if r.status != process.Failed || r.out != "" || !regexp.MustCompile(`(?i)dex-worker: .*(no|nothing|unknown)`).MatchString(r.errOut) {
			t.Errorf("%q: status %d, %q, %q", asked, r.status, r.out, r.errOut)
		}
	}
}
