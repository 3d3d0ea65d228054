package fault

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dex/test/postgres"
)

// TestTwoVersionsServeSideBySide upgrades a whole deployment while everybody is at
// work: promise 7, by the programs of an earlier commit and those of today. The old
// ones have made the database; the new overlord migrates it beneath them; old and new
// workers serve the same people, an old one comes back from a crash, and in the end all
// are new. What clients were told before holds after.
//
// It takes the history of the repository and the time to build it, so that it runs only
// where -from names a commit, as "make fault" does.
func TestTwoVersionsServeSideBySide(t *testing.T) {
	if *fromFlag == "" {
		t.Log("no version was named to upgrade from: make fault does, or -from auto")
		return
	}
	commit := *fromFlag
	if commit == "auto" {
		if commit = beforeTheLastMigration(); commit == "" {
			t.Log("there is no history here to find an earlier version in: fetch all of the repository (git fetch --unshallow), or name a commit by -from")
			return
		}
	}
	seed := seedOf(t)
	before := buildOf(t, commit)
	s := newSite(t, seed, postgres.Options{Durable: true}, before)
	guardian := s.places[workers]
	for _, step := range []scenario{
		{"everything is old", func(s *site) { s.anyWorker().restart() }},
		{"the overlord is new and has migrated, the workers are old", func(*site) { guardian.becomes(overlord) }},
		{"an old worker comes back from a crash", func(s *site) { s.anyWorker().restart() }},
		{"one worker is new", func(s *site) { s.places[0].becomes(worker) }},
		{"an old and a new worker come back from a crash", func(s *site) {
			s.places[0].restart()
			s.places[1].restart()
		}},
		{"the new one is taken back", func(s *site) { s.places[0].becomes(before.worker) }},
		{"everything is new", func(s *site) {
			for _, p := range s.places[:workers] {
				p.becomes(worker)
			}
		}},
	} {
		s.undergo(step)
	}
	s.noGoroutineIsLeft()
}

// becomes lets a process end in peace, and another version of its program stand in its
// place.
func (p *place) becomes(program string) {
	p.site.t.Helper()
	p.process.Stop()
	p.program = program
	p.start()
	p.process.AwaitReady()
}

// buildOf builds the programs of an earlier commit.
func buildOf(t *testing.T, commit string) built {
	t.Helper()
	dir := t.TempDir()
	archive := filepath.Join(dir, "source.tar")
	described, err := git("log", "-1", "--format=%h %cs %s", commit)
	if err == nil {
		_, err = git("archive", "--output", archive, commit)
	}
	if err != nil {
		t.Fatalf("the programs of an earlier commit are built out of the repository's history: %v", err)
	}
	t.Logf("the old version: %s", described)
	source := filepath.Join(dir, "source")
	b := built{worker: filepath.Join(dir, "old-worker"), overlord: filepath.Join(dir, "old-overlord")}
	for _, command := range [][]string{
		{"mkdir", source},
		{"tar", "-x", "-f", archive, "-C", source},
		{"go", "-C", source, "build", "-o", b.worker, "./cmd/dex-worker"},
		{"go", "-C", source, "build", "-o", b.overlord, "./cmd/dex-overlord"},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	// A commit of before these programs stood on their own cannot be run like today's.
	for program, flags := range map[string][]string{
		b.worker: {"--config", "--listen", "--admin-listen", "--db", "--duties"}, b.overlord: {"--db-url", "--key-secrets", "--admin-listen"},
	} {
		out, err := exec.Command(program, "--help").CombinedOutput()
		for _, flag := range flags {
			if err != nil || !strings.Contains(string(out), flag) {
				t.Fatalf("the programs of %s cannot be run here: %s has no %s (%v). Name a later commit by -from", commit, filepath.Base(program), flag, err)
			}
		}
	}
	return b
}

// beforeTheLastMigration is the commit before the schema was last changed: its programs
// know less of the database than today's. It is empty if no history tells of it.
func beforeTheLastMigration() string {
	added, err := git("log", "-1", "--diff-filter=A", "--format=%H", "--", ":/internal/store/migrations/*.sql")
	if err != nil || added == "" {
		return ""
	}
	before, err := git("rev-parse", "--verify", "--quiet", added+"^")
	if err != nil {
		return ""
	}
	return before
}

// git asks the history of the repository.
func git(arguments ...string) (string, error) {
	out, err := exec.Command("git", append([]string{"-C", "../.."}, arguments...)...).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(arguments, " "), err, failed.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}
