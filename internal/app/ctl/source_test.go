package ctl

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// loggedIn is a world in which somebody has logged in.
func loggedIn(t *testing.T) (*fake, World, func(time.Duration)) {
	f := newFake(t)
	w, moving, _ := f.world()
	if _, err := w.Login(t.Context(), f.target(), LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	return f, w, moving.Advance
}

func TestATokenIsRefreshedBeforeItEnds(t *testing.T) {
	f, w, advance := loggedIn(t)
	source := w.Source(f.target())
	for _, step := range []struct {
		after time.Duration
		want  string
	}{
		{0, "access-1"}, {9 * time.Minute, "access-1"}, {45 * time.Second, "access-2"}, {time.Minute, "access-2"}, {9 * time.Minute, "access-3"},
	} {
		advance(step.after)
		if got, err := source.Token(t.Context(), ""); err != nil || got != step.want {
			t.Errorf("after %s: %q, %v; want %q", step.after, got, err, step.want)
		}
	}
	if last := f.asked[len(f.asked)-1]; last.Get("refresh_token") != "refresh-2" || last.Get("client_id") != DefaultClient {
		t.Errorf("the last refresh was %v", last)
	}
}

// Many dexctl at once find the token too old: one refreshes it, and all go on with what
// it got. With the race detector this shows that a process is not in the way of itself
// either.
func TestOfManyProcessesOneRefreshes(t *testing.T) {
	f, w, advance := loggedIn(t)
	advance(time.Hour)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if got, err := w.Source(f.target()).Token(t.Context(), ""); err != nil || got != "access-2" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	if len(f.asked) != 2 { // the login's, and one
		t.Errorf("the token endpoint was asked %d times", len(f.asked))
	}
}

func TestALoginThatTheIssuerHasEnded(t *testing.T) {
	f, w, advance := loggedIn(t)
	advance(time.Hour)
	f.token = func(url.Values) any { return map[string]any{"error": "invalid_grant"} }
	_, err := w.Source(f.target()).Token(t.Context(), "")
	mustSay(t, err, "ended", "dexctl login")
	if StatusOf(err) != Denied {
		t.Errorf("status %d", StatusOf(err))
	}
	_, err = w.LoggedIn(f.target())
	mustSay(t, err, "not logged in")
}

func TestAFailureToRefreshLosesNothing(t *testing.T) {
	f, w, advance := loggedIn(t)
	advance(time.Hour)
	f.token = func(url.Values) any { return map[string]any{"error": "temporarily_unavailable"} }
	if _, err := w.Source(f.target()).Token(t.Context(), ""); err == nil {
		t.Fatal("no error")
	}
	f.token = nil
	if got, err := w.Source(f.target()).Token(t.Context(), ""); err != nil || got != "access-3" {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

func TestATokenGoesOnlyWhereItIsFor(t *testing.T) {
	f, w, _ := loggedIn(t)
	elsewhere := f.target()
	elsewhere.API = "https://evil.example.com"
	_, err := w.Source(elsewhere).Token(t.Context(), "")
	mustSay(t, err, "evil.example.com", "dexctl login")
}

func TestATokenThatOthersCanReadIsNotUsed(t *testing.T) {
	f, w, _ := loggedIn(t)
	v, _ := w.vault("here")
	if err := os.Chmod(v.file, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err := w.Source(f.target()).Token(t.Context(), "")
	mustSay(t, err, "read by others", "0640", "chmod 600")
}

func TestADamagedTokenSaysWhereItIs(t *testing.T) {
	f, w, _ := loggedIn(t)
	v, _ := w.vault("here")
	if err := os.WriteFile(v.file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := w.Source(f.target()).Token(t.Context(), "")
	mustSay(t, err, v.file, "damaged")
}

func TestTheEnvironmentsTokenIsTakenAsItIs(t *testing.T) {
	f := newFake(t)
	w, _, _ := f.world()
	target := f.target()
	target.Token = "given"
	if got, err := w.Source(target).Token(t.Context(), ""); err != nil || got != "given" || len(f.asked) > 0 {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestATokenThatTheServerRefusesIsReplacedOnce(t *testing.T) {
	f, w, _ := loggedIn(t)
	source := w.Source(f.target())
	if got, err := source.Token(t.Context(), "access-1"); err != nil || got != "access-2" {
		t.Errorf("got %q, %v", got, err)
	}
	// Another process, which was refused the same one, takes what the first has got.
	if got, err := w.Source(f.target()).Token(t.Context(), "access-1"); err != nil || got != "access-2" {
		t.Errorf("got %q, %v", got, err)
	}
	given := f.target()
	given.Token = "given"
	_, err := w.Source(given).Token(t.Context(), "given")
	mustSay(t, err, EnvToken)
	if StatusOf(err) != Denied {
		t.Errorf("status %d", StatusOf(err))
	}
}

func TestALogoutRevokesAndForgets(t *testing.T) {
	f, w, _ := loggedIn(t)
	if err := w.Logout(t.Context(), f.target()); err != nil {
		t.Fatal(err)
	}
	if len(f.revoked) != 1 || f.revoked[0].Get("token") != "refresh-1" || f.revoked[0].Get("client_id") != DefaultClient {
		t.Errorf("revoked %v", f.revoked)
	}
	err := w.Logout(t.Context(), f.target())
	mustSay(t, err, "not logged in")
	t.Run("even if the issuer is away, which is said", func(t *testing.T) {
		f, w, _ := loggedIn(t)
		f.Close()
		mustSay(t, w.Logout(t.Context(), f.target()), "logged out here", "could not be told")
		_, err := w.LoggedIn(f.target())
		mustSay(t, err, "not logged in")
	})
}

func TestTheServerIsFoundByFlagsThenEnvironmentThenFile(t *testing.T) {
	const file = `
current: one
contexts:
- {name: one, api: "https://one.example.com", tenant: acme}
- {name: two, api: "https://two.example.com/dex/", client_id: other}
`
	for _, tt := range []struct {
		name  string
		flags Flags
		env   map[string]string
		want  Context
		says  string
	}{
		{name: "the current one", want: Context{Name: "one", API: "https://one.example.com", Tenant: "acme"}},
		{name: "another by name", flags: Flags{Context: "two"}, want: Context{Name: "two", API: "https://two.example.com/dex", ClientID: "other"}},
		{name: "another by its address", flags: Flags{API: "https://two.example.com/dex"}, want: Context{Name: "two", API: "https://two.example.com/dex", ClientID: "other"}},
		{name: "by the environment", env: map[string]string{EnvContext: "two"}, want: Context{Name: "two", API: "https://two.example.com/dex", ClientID: "other"}},
		{name: "a flag comes before the environment", flags: Flags{Context: "one"}, env: map[string]string{EnvAPI: "https://two.example.com/dex", EnvTenant: "beta"}, want: Context{Name: "one", API: "https://one.example.com", Tenant: "beta"}},
		{name: "one that nobody knows yet", flags: Flags{API: "http://127.0.0.1:5558"}, want: Context{Name: "127.0.0.1-5558", API: "http://127.0.0.1:5558"}},
		{name: "one that is given a name", flags: Flags{API: "http://[::1]:5558/", Context: "laptop"}, want: Context{Name: "laptop", API: "http://[::1]:5558"}},
		{name: "a name that is none", flags: Flags{Context: "three"}, says: `no context "three"`},
		{name: "in the clear", flags: Flags{API: "http://one.example.com"}, says: "ssh -L"},
		{name: "with a password in it", flags: Flags{API: "https://ann:secret@one.example.com"}, says: "without a name"},
		{name: "no address", flags: Flags{API: "one.example.com"}, says: "no address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := worldWith(t, file, tt.env).Find(tt.flags)
			if tt.says != "" {
				mustSay(t, err, tt.says)
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("it tells a password: %v", err)
				}
				return
			}
			if tt.want.ClientID == "" {
				tt.want.ClientID = DefaultClient
			}
			if err != nil || got.Context != tt.want {
				t.Errorf("got %+v, %v", got.Context, err)
			}
		})
	}
	t.Run("nobody has said", func(t *testing.T) {
		_, err := worldWith(t, "", nil).Find(Flags{})
		mustSay(t, err, "dexctl login --api", "DEXCTL_API")
		if StatusOf(err) != Denied {
			t.Errorf("status %d", StatusOf(err))
		}
	})
}

func worldWith(t *testing.T, contexts string, env map[string]string) World {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(contexts), 0o600); err != nil {
		t.Fatal(err)
	}
	return World{Getenv: func(name string) string {
		if name == EnvConfig {
			return file
		}
		return env[name]
	}}
}

func TestAFileOfContextsThatCannotBe(t *testing.T) {
	for name, tt := range map[string]struct{ text, says string }{
		"no YAML":                       {"a: [", "config.yaml"},
		"an unknown name":               {"contexts:\n- {name: a, api: https://a.example.com, clientid: x}\n", "clientid"},
		"twice the same":                {"contexts:\n- {name: a, api: https://a.example.com}\n- {name: a, api: https://b.example.com}\n", "twice"},
		"a name that leads elsewhere":   {"contexts:\n- {name: ../x, api: https://a.example.com}\n", "no name"},
		"a current one that is not":     {"current: b\ncontexts:\n- {name: a, api: https://a.example.com}\n", "not among"},
		"an address in the clear":       {"contexts:\n- {name: a, api: http://a.example.com}\n", "https"},
		"a list where there is a value": {"current: [a]\n", "config.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := worldWith(t, tt.text, nil).Contexts()
			mustSay(t, err, tt.says)
		})
	}
}

func TestContextsAreKept(t *testing.T) {
	w := worldWith(t, "", nil)
	var c Contexts
	c.Set(Context{Name: "a", API: "https://a.example.com"})
	c.Set(Context{Name: "b", API: "https://b.example.com"})
	c.Set(Context{Name: "a", API: "https://c.example.com"})
	c.Current = "a"
	if err := w.SaveContexts(c); err != nil {
		t.Fatal(err)
	}
	got, err := w.Contexts()
	if err != nil || len(got.All) != 2 || got.All[0].API != "https://c.example.com" || got.Current != "a" {
		t.Errorf("got %+v, %v", got, err)
	}
	got.Remove("a")
	if got.Current != "" || len(got.All) != 1 {
		t.Errorf("after removing: %+v", got)
	}
	c.Current = "nobody"
	if w.SaveContexts(c) == nil {
		t.Error("contexts are kept that could not be read again")
	}
}

func FuzzContexts(f *testing.F) {
	for _, seed := range []string{"", "current: a\ncontexts:\n- {name: a, api: https://a.example.com}\n", "a: &a [*a]", "contexts: [{}]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := readContexts(text)
		if err != nil {
			return
		}
		for _, one := range c.All {
			if strings.ContainsAny(one.Name, "/\\") || strings.HasPrefix(one.Name, ".") {
				t.Errorf("the name %q leads elsewhere", one.Name)
			}
			if u, err := parseAPI(one.API); err != nil || u.Scheme != "https" && !isLoopback(u.Hostname()) {
				t.Errorf("the address %q was let pass", one.API)
			}
		}
	})
}
