package fault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"math/rand/v2"

	"dex/test/program"
)

// diskSize is that of the small disk. An empty database takes a sixteenth of it.
const diskSize = "16m"

// aside returns the command that runs others where they can have file systems of their
// own: root may, and elsewhere whoever may make a namespace of users.
func aside(t *testing.T) []string {
	t.Helper()
	for _, flags := range [][]string{{"--mount"}, {"--user", "--map-root-user", "--mount"}} {
		command := append([]string{"unshare"}, flags...)
		if exec.Command(command[0], append(command[1:], "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", t.TempDir())...).Run() == nil {
			return command
		}
	}
	t.Fatal("this test fills a disk, a small one of its own. It needs the program unshare, and root or unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone)")
	return nil
}

// small is a worker with a SQLite file on a disk of its own.
func small(t *testing.T) (s *site, disk string) {
	t.Helper()
	address, dir := program.FreeAddress(t), t.TempDir()
	s = &site{t: t, url: "http://" + address, ledger: newLedger(), transport: &http.Transport{DisableKeepAlives: true}, file: filepath.Join(dir, "dex.yaml")}
	var err error
	if s.home, err = url.Parse(s.url); err != nil {
		t.Fatal(err)
	}
	mount := filepath.Join(dir, "disk")
	if err := errors.Join(os.Mkdir(mount, 0o700), os.WriteFile(s.file, []byte(configuration(s.url)), 0o600)); err != nil {
		t.Fatal(err)
	}
	command := append(aside(t), "sh", "-c", `mount -t tmpfs -o size=`+diskSize+` tmpfs "$0" && exec "$@"`, mount,
		worker, "--config", s.file, "--listen", address, "--admin-listen", program.FreeAddress(t), "--db", "sqlite:"+filepath.Join(mount, "dex.db"))
	p := &place{site: s, address: address, process: program.Start(t, command[0], nil, command[1:]...)}
	p.process.URL = s.url
	s.places = []*place{p}
	t.Cleanup(func() {
		p.process.Kill()
		if t.Failed() {
			t.Logf("what went wrong by the worker's account:\n%s", complaints(p.process.Log.String()))
		}
	})
	p.process.AwaitReady()
	// What only the worker sees is seen through it.
	return s, filepath.Join("/proc", fmt.Sprint(p.process.Cmd.Process.Pid), "root", mount)
}

// fill takes all room that is left, to the last byte.
func fill(t *testing.T, disk string) (free func()) {
	t.Helper()
	name := filepath.Join(disk, "filler")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFullDiskIsAPauseAndNoMore(t *testing.T) {
	s, disk := small(t)
	ctx, cancel := context.WithTimeout(context.Background(), program.Patience)
	defer cancel()
	p := &person{site: s, name: "p0", chance: rand.New(rand.NewPCG(1, 1))}
	family := func() *family {
		r := s.request()
		code, err := s.browser().code(ctx, r, p.name)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := p.redeem(ctx, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {r.verifier}})
		if !ok {
			t.Fatalf("no tokens\n%s", strings.Join(s.ledger.wrong, "\n"))
		}
		return &family{id: claim(got.AccessToken, "gid"), token: got.RefreshToken, access: got.AccessToken, generation: 1}
	}
	kept, revoked := family(), family()
	free := fill(t, disk)
	// What is written goes where there was room already, until that is used up.
	full := false
	for n := 0; n < 1000 && !full; n++ {
		got, err := s.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {kept.token}})
		if full = errors.Is(err, errAway); !full {
			kept.token, kept.access = got.RefreshToken, got.AccessToken
		}
	}
	if !full {
		t.Fatal("the disk is full, and nobody notices")
	}
	for range 5 {
		if _, err := s.browser().code(ctx, s.request(), p.name); !errors.Is(err, errAway) {
			t.Errorf("a login: %v", err)
		}
		if a, err := s.send(ctx, "/revoke", url.Values{"token": {revoked.token}}); err == nil {
			t.Errorf("a revocation is answered with %d, and cannot have been written", a.status)
		}
		// Whoever only reads is served.
		for _, path := range []string{"/keys", "/.well-known/openid-configuration"} {
			if a, err := s.browser().do(ctx, http.MethodGet, s.url+path, nil); err != nil || a.status != http.StatusOK {
				t.Errorf("%s: %v", path, err)
			}
		}
		if a, err := s.send(ctx, "/introspect", url.Values{"token": {kept.access}}); err != nil || !strings.Contains(a.body, `"active":true`) {
			t.Errorf("introspection: %v", err)
		}
	}
	free()
	if !p.refresh(ctx, kept) {
		t.Error("the session is lost")
	}
	p.revoke(ctx, revoked)
	if !revoked.revoked {
		t.Error("the revocation is not answered")
	}
	family()
	whole(t, filepath.Join(disk, "dex.db"))
	if len(s.ledger.wrong) > 0 {
		t.Error(strings.Join(s.ledger.wrong, "\n"))
	}
	t.Logf("with a full disk:\n%s", s.ledger.table())
	s.places[0].process.Stop()
}

// whole makes sure that nothing in a database's file is broken.
func whole(t *testing.T, file string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var said string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&said); err != nil || said != "ok" {
		t.Errorf("the database says %q of itself (%v)", said, err)
	}
}
