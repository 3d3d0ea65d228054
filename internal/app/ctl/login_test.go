package ctl

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestALoginComesBackToThisMachine(t *testing.T) {
	f := newFake(t)
	w, _, said := f.world()
	got, err := w.Login(t.Context(), f.target(), LoginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.AccessToken != "access-1" || got.API != f.URL || got.Issuer != f.URL {
		t.Errorf("got %+v", got)
	}
	if !strings.Contains(said.String(), f.URL+"/authorize?") {
		t.Errorf("the address is not printed: %s", said)
	}
	if page := f.seen(); !strings.Contains(page, "You are logged in") {
		t.Errorf("the browser ends at %s", page)
	}
	for name, part := range map[string]string{"Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
		if !strings.Contains(f.pageHead.Get(name), part) {
			t.Errorf("the page has %s %q", name, f.pageHead.Get(name))
		}
	}
	all, err := w.Contexts()
	if err != nil || all.Current != "here" {
		t.Errorf("the contexts are %+v, %v", all, err)
	}
	v, _ := w.vault("here")
	if info, err := os.Stat(v.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file: %v, %v", info, err)
	}
}

func TestALoginThatIsNotOurs(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answer   func(url.Values)
		metadata map[string]any
		says     string
		page     string
		status   Status
	}{
		{name: "the person refuses", answer: func(v url.Values) { v.Del("code"); v.Set("error", "access_denied") }, says: "access_denied", page: "not logged in", status: Denied},
		{name: "the issuer says why", answer: func(v url.Values) {
			v.Del("code")
			v.Set("error", "invalid_scope")
			v.Set("error_description", "<b>No</b> such scope.")
		}, says: "No", page: "&lt;b&gt;No", status: Denied},
		{name: "another issuer answers", answer: func(v url.Values) { v.Set("iss", "https://evil.example.com") }, says: "evil.example.com", page: "not logged in", status: Failed},
		{name: "no issuer answers, though ours would say so", answer: func(v url.Values) { v.Del("iss") }, says: "asked of", page: "not logged in", status: Failed},
		{name: "without a code", answer: func(v url.Values) { v.Del("code") }, says: "no code", page: "not logged in", status: Failed},
		{name: "an issuer without PKCE", metadata: map[string]any{"code_challenge_methods_supported": []string{"plain"}}, says: "S256", status: Failed},
		{name: "an issuer that says it is another", metadata: map[string]any{"issuer": "https://other.example.com"}, says: "says that it is", status: Failed},
		{name: "a token endpoint in the clear", metadata: map[string]any{"token_endpoint": "http://login.example.com/token"}, says: "https", status: Failed},
		{name: "an endpoint that is no address", metadata: map[string]any{"authorization_endpoint": "javascript:alert(1)"}, says: "endpoint", status: Failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			f.answer, f.metadata = tt.answer, tt.metadata
			w, _, _ := f.world()
			_, err := w.Login(t.Context(), f.target(), LoginOptions{})
			mustSay(t, err, tt.says)
			if got := StatusOf(err); got != tt.status {
				t.Errorf("status %d, want %d", got, tt.status)
			}
			if !strings.Contains(f.seen(), tt.page) {
				t.Errorf("the browser ends at %s", f.seen())
			}
			if v, _ := w.vault("here"); fileExists(v.file) {
				t.Error("a token is kept")
			}
		})
	}
}

func fileExists(name string) bool { _, err := os.Stat(name); return err == nil }

func TestAStrangersAnswerChangesNothing(t *testing.T) {
	f := newFake(t)
	w, _, _ := f.world()
	w.Browse = func(_ context.Context, address string) error {
		asked, err := url.Parse(address)
		if err != nil {
			return err
		}
		back := asked.Query().Get("redirect_uri")
		go func() {
			for _, stranger := range []string{back + "?code=evil&state=guessed&iss=" + url.QueryEscape(f.URL), back, back + "x"} {
				answer, err := f.Client().Get(stranger)
				if err != nil {
					t.Error(err)
					continue
				}
				_ = answer.Body.Close()
				if answer.StatusCode != http.StatusBadRequest && answer.StatusCode != http.StatusNotFound {
					t.Errorf("%s: %s", stranger, answer.Status)
				}
			}
			req, _ := http.NewRequest(http.MethodGet, back+"?"+url.Values{"state": {asked.Query().Get("state")}, "code": {"evil"}}.Encode(), nil)
			req.Host = "evil.example.com"
			if answer, err := f.Client().Do(req); err != nil || answer.StatusCode != http.StatusNotFound {
				t.Errorf("under another name: %v %v", answer, err)
			}
			f.browse(address)
		}()
		return nil
	}
	if _, err := w.Login(t.Context(), f.target(), LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	if code := f.asked[0].Get("code"); len(f.asked) != 1 || code != "the-code" {
		t.Errorf("redeemed %q, %d times", code, len(f.asked))
	}
}

func TestALoginEndsWhenItIsInterrupted(t *testing.T) {
	f := newFake(t)
	w, _, _ := f.world()
	ctx, cancel := context.WithCancel(t.Context())
	w.Browse = func(context.Context, string) error { cancel(); return nil }
	if _, err := w.Login(ctx, f.target(), LoginOptions{}); Message(err) != "interrupted" {
		t.Errorf("got %v", err)
	}
}

func TestALoginByACode(t *testing.T) {
	f := newFake(t)
	f.metadata = map[string]any{"device_authorization_endpoint": f.URL + "/device"}
	answers := []any{
		map[string]any{"error": "authorization_pending"},
		map[string]any{"error": "slow_down"},
		map[string]any{"access_token": "access", "token_type": "bearer", "expires_in": 600, "refresh_token": "refresh"},
	}
	f.token = func(v url.Values) any {
		if v.Get("grant_type") != deviceGrant || v.Get("device_code") != "the-device" || v.Get("client_id") != DefaultClient {
			t.Errorf("asked with %v", v)
		}
		next := answers[0]
		answers = answers[1:]
		return next
	}
	w, moving, said := f.world()
	w.Browse = nil // which makes it the way without being asked for
	began := moving.Now()
	if _, err := w.Login(t.Context(), f.target(), LoginOptions{}); err != nil {
		t.Fatal(err)
	}
	if took := moving.Now().Sub(began); took != 5*time.Second+5*time.Second+10*time.Second {
		t.Errorf("it asked at another pace: %s in all", took)
	}
	for _, want := range []string{f.URL + "/device", "WDJB-MJHT"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the person is not told %s: %s", want, said)
		}
	}
}

func TestALoginByACodeThatFails(t *testing.T) {
	for _, tt := range []struct {
		name, code, says string
		device           map[string]any
	}{
		{name: "refused", code: "access_denied", says: "refused"},
		{name: "the server says it is too late", code: "expired_token", says: "expired"},
		{name: "nobody comes", code: "authorization_pending", says: "expired"},
		{name: "something else", code: "invalid_client", says: "invalid_client"},
		{name: "an answer without a code", device: map[string]any{"user_code": nil}, says: "cannot be used"},
		{name: "an address that is none", device: map[string]any{"verification_uri": "javascript:alert(1)"}, says: "cannot be used"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t)
			f.metadata = map[string]any{"device_authorization_endpoint": f.URL + "/device"}
			f.device = tt.device
			f.token = func(url.Values) any { return map[string]any{"error": tt.code} }
			w, _, _ := f.world()
			_, err := w.Login(t.Context(), f.target(), LoginOptions{Device: true})
			mustSay(t, err, tt.says)
			if StatusOf(err) != Denied && tt.code != "" {
				t.Errorf("status %d", StatusOf(err))
			}
		})
	}
	t.Run("an issuer that does not know it", func(t *testing.T) {
		f := newFake(t)
		w, _, _ := f.world()
		_, err := w.Login(t.Context(), f.target(), LoginOptions{Device: true})
		mustSay(t, err, "--no-browser")
	})
}

func TestAMachineIsItsOwnClient(t *testing.T) {
	f := newFake(t)
	w, _, _ := f.world()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("s:cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	target := f.target()
	target.ClientID, target.ClientSecretFile = "ci job", file
	source := w.Source(target)
	for range 2 {
		if got, err := source.Token(t.Context(), ""); err != nil || got != "access-1" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if len(f.asked) != 1 || f.asked[0].Get("grant_type") != "client_credentials" || f.asked[0].Get("basic") != "ci+job:s%3Acret" || f.asked[0].Get("scope") != "dex:users:read dex:users:write" {
		t.Errorf("asked with %v", f.asked)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := w.Source(target).Token(t.Context(), "")
	mustSay(t, err, "read by others", "chmod 600")
}

func TestWithoutAScreenThereIsNoBrowser(t *testing.T) {
	found := func(string) (string, error) { return "/usr/bin/it", nil }
	missing := func(string) (string, error) { return "", os.ErrNotExist }
	env := func(set ...string) func(string) string {
		return func(name string) string {
			for _, s := range set {
				if s == name {
					return "x"
				}
			}
			return ""
		}
	}
	for _, tt := range []struct {
		name, system string
		getenv       func(string) string
		lookPath     func(string) (string, error)
		want         string
	}{
		{"a desktop", "linux", env("DISPLAY"), found, "xdg-open"},
		{"a newer desktop", "linux", env("WAYLAND_DISPLAY"), found, "xdg-open"},
		{"a server", "linux", env(), found, ""},
		{"a desktop without the program", "linux", env("DISPLAY"), missing, ""},
		{"a Mac", "darwin", env(), found, "open"},
		{"Windows", "windows", env(), found, "rundll32 url.dll,FileProtocolHandler"},
	} {
		if got := strings.Join(opener(tt.system, tt.getenv, tt.lookPath), " "); got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
