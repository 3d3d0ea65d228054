package fault

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"dex/test/postgres"
	"dex/test/program"
)

// serverDisk is the size of the disk beneath a Postgres: an empty cluster with its log
// takes half of it.
const serverDisk = "144m"

// smallDisk is a folder on a small file system of its own, which whoever runs Postgres
// may write to. It is there as long as a process that holds it, and seen through it.
func smallDisk(t *testing.T) string {
	t.Helper()
	mount, err := os.MkdirTemp("", "dex-disk-") // not below a folder that we alone may enter
	if err == nil {
		err = os.Chmod(mount, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(mount) }) // it is empty out here
	hold := []string{"sleep", "infinity"}
	if uid, gid, other := postgres.Owner(); other {
		hold = append([]string{"setpriv", fmt.Sprint("--reuid=", uid), fmt.Sprint("--regid=", gid), "--clear-groups"}, hold...)
	}
	command := append(aside(t), "sh", "-c", `mount -t tmpfs -o mode=1777,size=`+serverDisk+` tmpfs "$0" && echo held && exec "$@"`, mount)
	command = append(command, hold...)
	holder := exec.Command(command[0], command[1:]...)
	says, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = holder.Process.Kill() // it runs until then
		_ = holder.Wait()         // and ends by it
	})
	if said := bufio.NewScanner(says); !said.Scan() || said.Text() != "held" {
		t.Fatal("no file system could be mounted")
	}
	return filepath.Join("/proc", fmt.Sprint(holder.Process.Pid), "root", mount)
}

// TestAFullDiskUnderPostgresIsAPauseAndNoMore fills the disk beneath Postgres while
// everybody is at work: first there is no room for another page of a table, then none
// for the log, and the server goes down and cannot come back. Clients hear 503, or
// nothing. When there is room again, and Postgres runs, all goes on, and nothing is lost
// that anybody was told was done.
func TestAFullDiskUnderPostgresIsAPauseAndNoMore(t *testing.T) {
	disk := smallDisk(t)
	s := newSite(t, seedOf(t), postgres.Options{Durable: true, Parent: disk, Settings: []string{"max_wal_size=64MB", "min_wal_size=32MB"}}, built{worker, overlord})
	s.undergo(scenario{"the disk of the database is full", func(s *site) {
		free := fill(t, disk)
		s.attempts(20 * persons)
		s.useUpLog()
		s.attempts(20 * persons)
		free()
		s.must(s.primary.Kill9()) // it has ended by itself, or will find room: a start is a start
		s.must(s.primary.Restart())
	}})
	if s.ledger.done("requests without an answer") == 0 {
		t.Error("the disk was full, and nobody noticed")
	}
}

// useUpLog has Postgres go on to the next part of its log until there is no room for
// one, which is its end.
func (s *site) useUpLog() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), program.Patience)
	defer cancel()
	for ctx.Err() == nil {
		db, err := pgx.Connect(ctx, s.primary.URL("postgres"))
		if err != nil {
			return
		}
		_, err = db.Exec(ctx, `SELECT pg_logical_emit_message(true, 'filler', repeat('x', 1000000)), pg_switch_wal()`)
		_ = db.Close(ctx) // it may be gone
		if err != nil {
			return
		}
	}
	s.t.Fatal("the log of Postgres has room without an end")
}
