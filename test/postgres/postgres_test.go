package postgres

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// start returns a cluster that ends with the test.
func start(t *testing.T, o Options) *Cluster {
	t.Helper()
	c, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// ask runs SQL and returns the first column of its last row.
func ask(t *testing.T, url, sql string) string {
	t.Helper()
	ctx := t.Context()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	last := results[len(results)-1]
	if len(last.Rows) == 0 {
		return ""
	}
	return string(last.Rows[len(last.Rows)-1][0])
}

func TestACluster(t *testing.T) {
	c := start(t, Options{})
	url := c.URL("postgres")

	settings := map[string]string{
		"server_encoding":         "UTF8",
		"lc_collate":              "C",
		"TimeZone":                "UTC",
		"max_connections":         "200",
		"fsync":                   "off",
		"synchronous_commit":      "off",
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
	}
	for name, want := range settings {
		// lc_collate left the settings with version 16.
		sql := "SELECT setting FROM pg_settings WHERE name = '" + name + "'"
		if name == "lc_collate" {
			sql = "SELECT datcollate FROM pg_database WHERE datname = 'postgres'"
		}
		if got := ask(t, url, sql); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}

	ask(t, url, "CREATE DATABASE other")
	if got := ask(t, c.URL("other"), "SELECT current_database()"); got != "other" {
		t.Errorf("the URL of other leads to %q", got)
	}

	if err := c.Restart(); err == nil {
		t.Error("a server that runs was started a second time")
	}
}

func TestTwoClustersDoNotMeet(t *testing.T) {
	a, b := start(t, Options{}), start(t, Options{})
	ask(t, a.URL("postgres"), "CREATE DATABASE mine")
	if got := ask(t, b.URL("postgres"), "SELECT count(*) FROM pg_database WHERE datname = 'mine'"); got != "0" {
		t.Error("what was made in one cluster is in the other")
	}
}

func TestWhatWasCommittedSurvivesAKillIfTheClusterIsDurable(t *testing.T) {
	c := start(t, Options{Durable: true, MaxConnections: 20})
	url := c.URL("postgres")
	for name, want := range map[string]string{"fsync": "on", "synchronous_commit": "on", "max_connections": "20"} {
		if got := ask(t, url, "SHOW "+name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}

	ask(t, url, "CREATE TABLE kept (n int)")
	for n := range 20 {
		ask(t, url, "INSERT INTO kept VALUES ("+strconv.Itoa(n)+")")
	}
	backends := children(c.process.cmd.Process.Pid)
	if err := c.Kill9(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range backends {
		awaitEnd(t, pid)
	}
	if _, err := pgconn.Connect(t.Context(), url); err == nil {
		t.Fatal("a killed server answers")
	}
	if err := c.Kill9(); err == nil {
		t.Error("a server that does not run was killed")
	}
	if err := c.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, url, "SELECT count(*) FROM kept"); got != "20" {
		t.Errorf("%s of 20 rows are left", got)
	}
}

// awaitEnd returns when a process has ended. It may still be listed until its
// parent has taken note.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			return
		}
		_, state, _ := strings.Cut(string(stat), ") ")
		if strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X") {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("process %d is still there: %s", pid, stat)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestStopLeavesNothingBehind(t *testing.T) {
	c := start(t, Options{})
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port))
	// A client that stays connected does not hold up the end.
	conn, err := pgconn.Connect(context.Background(), c.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()

	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder %s is still there (%v)", c.dir, err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		_ = conn.Close()
		t.Error("somebody still listens on the cluster's port")
	}
	if err := c.Stop(); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
	if err := c.Restart(); err == nil {
		t.Error("a cluster was started again after it was removed")
	}
}

func TestAPortThatIsTakenEndsTheServerAndItsLogSaysWhy(t *testing.T) {
	c := start(t, Options{})
	other := &Cluster{server: c.server, log: &tail{}, port: c.port}
	programs, err := findPrograms()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.initialize(programs.initdb); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Stop() })

	// The server that is there already answers in the new one's place, so the
	// end of the new one has to be noticed first.
	if err := other.Restart(); !errors.Is(err, errEnded) {
		t.Fatalf("the second server on one port: %v", err)
	} else if !strings.Contains(err.Error(), "in use") {
		t.Errorf("the error does not say that the port is in use: %v", err)
	}
}

func TestFoldersOfTheDeadAreRemovedAndNoOthers(t *testing.T) {
	temp := t.TempDir()
	const nobody = 1 << 30 // above every system's highest process number
	keep := []string{dirPrefix + strconv.Itoa(os.Getpid()) + "-1", dirPrefix + "x-1", "other-1"}
	gone := dirPrefix + strconv.Itoa(nobody) + "-1"
	for _, name := range append(keep, gone) {
		if err := os.Mkdir(filepath.Join(temp, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	removeOrphans(temp)
	for _, name := range keep {
		if _, err := os.Stat(filepath.Join(temp, name)); err != nil {
			t.Errorf("%s was removed", name)
		}
	}
	if _, err := os.Stat(filepath.Join(temp, gone)); err == nil {
		t.Errorf("%s is still there", gone)
	}
}
