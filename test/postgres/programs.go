package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// minVersion is the oldest major version that dex works with.
const minVersion = 14

// programs are those of one installation.
type programs struct {
	initdb, postgres string
	version          int
}

// ErrMissing means that there is no PostgreSQL server to be found here.
var ErrMissing = fmt.Errorf("postgres: found no initdb and postgres of version %d or later; install the package postgresql", minVersion)

// installations are the folders in which systems keep the server's programs,
// apart from PATH. Debian's are not in PATH, and there may be several.
var installations = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
}

// findPrograms returns the newest installation that is new enough.
func findPrograms() (programs, error) {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range installations {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return programs{}, fmt.Errorf("postgres: %w", err)
		}
		dirs = append(dirs, found...)
	}
	var all []programs
	for _, dir := range dirs {
		if p, ok := programsIn(dir); ok {
			all = append(all, p)
		}
	}
	return newest(all)
}

// Installed returns nil if [Start] can find the server's programs, and
// [ErrMissing] if not.
func Installed() error {
	_, err := findPrograms()
	return err
}

// newest returns the one with the highest version; of equals, the one that was
// found first.
func newest(all []programs) (programs, error) {
	all = slices.DeleteFunc(all, func(p programs) bool { return p.version < minVersion })
	if len(all) == 0 {
		return programs{}, ErrMissing
	}
	// MaxFunc returns the first of several maxima.
	return slices.MaxFunc(all, func(a, b programs) int { return cmp.Compare(a.version, b.version) }), nil
}

// programsIn returns the programs in a folder. Links are followed, because
// initdb finds what it needs beside its own file.
func programsIn(dir string) (programs, bool) {
	var p programs
	for name, path := range map[string]*string{"initdb": &p.initdb, "postgres": &p.postgres} {
		resolved, err := filepath.EvalSymlinks(filepath.Join(dir, name))
		if err != nil || !filepath.IsAbs(resolved) {
			return programs{}, false
		}
		*path = resolved
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, p.postgres, "--version").Output()
	if err != nil {
		return programs{}, false
	}
	var ok bool
	p.version, ok = majorVersion(string(out))
	return p, ok
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// majorVersion reads the answer to postgres --version.
func majorVersion(answer string) (int, bool) {
	m := versionPattern.FindStringSubmatch(answer)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}

// owner is the account that a cluster's processes run under.
type owner struct{ uid, gid int }

// Owner returns whom clusters belong to, and whether that is somebody else than we are.
func Owner() (uid, gid int, other bool) {
	o, err := unprivileged()
	if err != nil || o == nil {
		return 0, 0, false
	}
	return o.uid, o.gid, true
}

// unprivileged returns whom root's clusters belong to, and nil for everybody
// else, whose clusters are their own.
func unprivileged() (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // no other owner is an answer, not a failure
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if err := errors.Join(errUID, errGID); err != nil {
			return nil, fmt.Errorf("postgres: the account %s: %w", name, err)
		}
		return &owner{uid: uid, gid: gid}, nil
	}
	return nil, errors.New("postgres: the server does not run as root, and there is no account postgres or nobody to run it under")
}
