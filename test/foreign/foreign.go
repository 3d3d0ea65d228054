// Package foreign runs relying parties against a provider that we have not
// written: two libraries of another language, by authors who read the same
// standards and let nothing pass. What they accept is not only what we meant.
//
// The scripts stand beside this file. Each does discovery, login, userinfo,
// refresh, introspection, revocation and logout with every check that its library
// has, prints a line a step, and fails at the first that is not right.
package foreign

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The scripts, each named after the package that it is about.
const (
	OpenIDClient = "openid-client.mjs"
	OAuth4WebAPI = "oauth4webapi.mjs"
)

// FAPI2 are both once more, as FAPI 2.0 with message signing has it: for clients with
// private_key_jwt and DPoP.
var FAPI2 = []string{"fapi2.mjs", "fapi2-oauth4webapi.mjs"}

// Upstream is a provider for dex to ask. It is no relying party: whoever starts it in
// the folder of the scripts tells it what it has to know in the environment.
const Upstream = "upstream.mjs"

// Scripts are those for clients of any kind.
var Scripts = []string{OpenIDClient, OAuth4WebAPI}

// Party says who a script is to the provider, and who logs in.
type Party struct {
	Issuer      string
	ClientID    string
	Auth        string // client_secret_basic if it is empty, client_secret_post, private_key_jwt or none
	Secret      string
	Key         string // for private_key_jwt: a private JWK with kid and alg
	RedirectURI string // nobody needs to listen there
	Username    string
	Password    string

	Connector             string // the one to choose, if there are several
	Scope                 string // openid profile email groups offline_access if it is empty
	IDTokenAlg            string // RS256 if it is empty
	AccessTokenAudience   string // if it is set, access tokens have to be JWTs for it (RFC 9068)
	PostLogoutRedirectURI string // if it is set, the logout is followed to it
	ClientCredentials     bool   // try that grant too
}

// limit is more than a script ever takes; it ends one that hangs.
const limit = 2 * time.Minute

// Run runs a script as this party. The test fails if the script does, and is
// skipped where there is no Node.js.
func (p Party) Run(t testing.TB, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	out, err := p.run(ctx, t, script)
	t.Logf("%s as %s:\n%s", script, p.ClientID, out)
	if err != nil {
		t.Errorf("%s: %v", script, err)
	}
}

func (p Party) run(ctx context.Context, t testing.TB, script string) ([]byte, error) {
	t.Helper()
	dir := Install(t)
	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Dir = dir
	cmd.Env = p.environment()
	return cmd.CombinedOutput()
}

// environment is all that a script is told. The test's own is left out, so that
// no proxy or option of this machine takes part.
func (p Party) environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for name, value := range map[string]string{
		"ISSUER":                   p.Issuer,
		"CLIENT_ID":                p.ClientID,
		"CLIENT_AUTH":              p.Auth,
		"CLIENT_SECRET":            p.Secret,
		"CLIENT_KEY":               p.Key,
		"REDIRECT_URI":             p.RedirectURI,
		"USERNAME":                 p.Username,
		"PASSWORD":                 p.Password,
		"CONNECTOR":                p.Connector,
		"SCOPE":                    p.Scope,
		"ID_TOKEN_ALG":             p.IDTokenAlg,
		"ACCESS_TOKEN_AUDIENCE":    p.AccessTokenAudience,
		"POST_LOGOUT_REDIRECT_URI": p.PostLogoutRedirectURI,
	} {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	if p.ClientCredentials {
		env = append(env, "CLIENT_CREDENTIALS=yes")
	}
	return env
}

var installed struct {
	sync.Mutex
	dir string
}

// Install makes sure that the libraries are there, just as the lock file has them,
// and returns the folder of the scripts. It is quick when they are. A test
// is skipped where there is no Node.js, but for in CI.
func Install(t testing.TB) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil && os.Getenv("CI") == "" {
			t.Skipf("%v; test/setup installs it", err)
		}
	}
	installed.Lock()
	defer installed.Unlock()
	if installed.dir == "" {
		dir, err := folder()
		if err == nil {
			err = install(t.Context(), dir)
		}
		if err != nil {
			t.Fatal(err)
		}
		installed.dir = dir
	}
	return installed.dir
}

// Program returns the path of a relying party in Go, which test/setup builds. A test is
// skipped where it is not there, but for in CI.
func Program(t testing.TB, name string) string {
	t.Helper()
	dir, err := folder()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "..", "..", ".tools", "foreign", name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("%v; test/setup builds it", err)
		}
		t.Fatal(err)
	}
	return path
}

// folder finds the scripts, from whichever package's test this is.
func folder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "test", "foreign"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("foreign: found no go.mod above the test")
		}
		dir = parent
	}
}

// install runs npm if the libraries are not those of the lock file.
func install(ctx context.Context, dir string) error {
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return fmt.Errorf("foreign: %w", err)
	}
	// Tests of two packages may come here at once.
	guard, err := os.Open(filepath.Join(dir, "package.json"))
	if err != nil {
		return fmt.Errorf("foreign: %w", err)
	}
	defer func() { _ = guard.Close() }() // which also lets go of the lock
	if err := syscall.Flock(int(guard.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("foreign: %w", err)
	}
	mark := filepath.Join(dir, "node_modules", ".installed")
	want := fmt.Appendf(nil, "%x\n", sha256.Sum256(lock))
	if have, err := os.ReadFile(mark); err == nil && bytes.Equal(have, want) {
		return nil
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("foreign: npm ci: %w\n%s", err, out)
	}
	return os.WriteFile(mark, want, 0o644)
}
