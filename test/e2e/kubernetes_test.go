package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dex/test/conformance"
	"dex/test/foreign"
	"dex/test/program"
)

// secure is a dex that speaks TLS, as Kubernetes wants an issuer to.
type secure struct {
	*program.Process
	authority string // the file to trust
	tls       *tls.Config
}

// startSecure starts it with Ann, who is in the group staff, and these clients.
func startSecure(t testing.TB, clients string) secure {
	t.Helper()
	c, err := conformance.NewCertificate("dex", "127.0.0.1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir, roots := t.TempDir(), x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(c.Chain))
	d := secure{authority: filepath.Join(dir, "tls.crt"), tls: &tls.Config{RootCAs: roots}}
	for file, text := range map[string]string{d.authority: c.Chain, filepath.Join(dir, "tls.key"): c.Key} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := newSite(t)
	s.url = "https://" + s.address
	s.configure(fmt.Sprintf(`tls_cert_file: %s
tls_key_file: %s
users:
  - {id: ann, username: ann, email: ann@example.com, email_verified: true, name: Ann Example, groups: [staff], password: ann-likes-dex}
clients:
%s`, d.authority, filepath.Join(dir, "tls.key"), clients))
	d.Process = launch(t, "--config", s.file, "--db", s.db)
	d.URL = s.url
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: d.tls}}
	t.Cleanup(client.CloseIdleConnections)
	d.Await("it is ready", func() bool {
		resp, err := client.Get(d.URL + "/readyz")
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
	t.Cleanup(d.Stop)
	return d
}

// visitor is a browser that trusts it.
func (d secure) visitor(t testing.TB) *visitor {
	v := newVisitor(t)
	v.client.Transport.(*http.Transport).TLSClientConfig = d.tls
	return v
}

var visitURL = regexp.MustCompile(`http://127\.0\.0\.1:\d+/?`)

// kubelogin gets a token as kubectl would have it do. If it asks for a browser, there is
// one.
func (d secure) kubelogin(t testing.TB, cache string, browse func(address string), arguments ...string) string {
	t.Helper()
	address := program.FreeAddress(t)
	cmd := exec.CommandContext(t.Context(), foreign.Program(t, "kubelogin"), append([]string{
		"get-token", "--oidc-issuer-url", d.URL, "--oidc-client-id", "kubectl", "--oidc-use-pkce", "--certificate-authority", d.authority,
		"--oidc-extra-scope", "email,groups,offline_access", "--listen-address", address, "--oidc-redirect-url-hostname", "127.0.0.1",
		"--skip-open-browser", "--token-cache-dir", cache,
	}, arguments...)...)
	cmd.Env = []string{"HOME=" + cache, "PATH=" + os.Getenv("PATH")}
	var out bytes.Buffer
	var said program.Recorder
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if browse != nil {
		for deadline := time.Now().Add(program.Patience); !visitURL.MatchString(said.String()); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("kubelogin asks for no browser:\n%s", &said)
			}
		}
		browse(visitURL.FindString(said.String()))
	}
	if err := <-ended; err != nil {
		t.Fatalf("kubelogin: %v\n%s", err, &said)
	}
	var credential struct {
		Status struct {
			Token string `json:"token"`
		} `json:"status"`
	}
	if err := json.Unmarshal(out.Bytes(), &credential); err != nil || credential.Status.Token == "" {
		t.Fatalf("kubelogin says %s (%v)", &out, err)
	}
	return credential.Status.Token
}

// admitted is what the API server of Kubernetes makes of tokens.
type admitted struct {
	User   string   `json:"user"`
	Groups []string `json:"groups"`
	Error  string   `json:"error"`
}

func (d secure) kubernetes(t testing.TB, tokens ...string) (all []admitted) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), foreign.Program(t, "kubernetes"), "--oidc-issuer-url", d.URL, "--oidc-client-id", "kubectl", "--oidc-ca-file", d.authority)
	cmd.Stdin = strings.NewReader(strings.Join(tokens, "\n") + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kubernetes: %v", err)
	}
	for answers := json.NewDecoder(bytes.NewReader(out)); answers.More(); {
		var a admitted
		if err := answers.Decode(&a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	if len(all) != len(tokens) {
		t.Fatalf("%d answers for %d tokens", len(all), len(tokens))
	}
	return all
}

// kubectl logs in by kubelogin; the API server's own verifier believes the token, and no
// other.
func TestKubernetesFindsNothingWrong(t *testing.T) {
	foreign.Program(t, "kubelogin")
	d := startSecure(t, `  - {id: kubectl, name: kubectl, public: true, native: true, redirect_uris: ["http://127.0.0.1"]}
  - {id: other, name: Other, secret: other-secret, redirect_uris: ["`+callback+`"]}
`)
	v, cache := d.visitor(t), t.TempDir()
	first := d.kubelogin(t, cache, func(address string) {
		p := v.signIn(v.open(address), "ann", "ann-likes-dex")
		if p.has("allow") {
			p = v.press(p, "allow")
		}
		if p.status != http.StatusOK {
			t.Errorf("the login ends at %s with %d:\n%s", p.url, p.status, p.body)
		}
	})
	if again := d.kubelogin(t, cache, nil); again != first {
		t.Error("a token that is still good was not used again")
	}
	fresh := d.kubelogin(t, cache, nil, "--force-refresh")
	if fresh == first {
		t.Error("nothing was refreshed")
	}
	cut := strings.LastIndexByte(first, '.') + 1
	forged := first[:cut] + strings.Repeat("A", len(first)-cut)
	for i, a := range d.kubernetes(t, first, fresh, forged) {
		switch good := i < 2; {
		case good && (a.User != "oidc:ann@example.com" || len(a.Groups) != 1 || a.Groups[0] != "oidc:staff"):
			t.Errorf("token %d: Kubernetes says %+v", i, a)
		case !good && a.Error == "":
			t.Errorf("a forged token is believed: %+v", a)
		}
	}
}

// oauth2-proxy logs somebody in, refreshes with each request, and logs them out.
func TestOAuth2ProxyFindsNothingWrong(t *testing.T) {
	binary := foreign.Program(t, "oauth2-proxy")
	address := program.FreeAddress(t)
	url := "http://" + address
	d := startSecure(t, fmt.Sprintf(`  - {id: proxy, name: Proxy, secret: proxy-secret, redirect_uris: ["%s/oauth2/callback"], post_logout_redirect_uris: ["%[1]s/ping"]}
`, url))
	p := launchProgram(t, binary, nil, "--provider=oidc", "--oidc-issuer-url="+d.URL, "--client-id=proxy", "--client-secret=proxy-secret",
		"--redirect-url="+url+"/oauth2/callback", "--email-domain=*", "--upstream=static://202", "--cookie-secret="+keySecret[:32], "--cookie-secure=false",
		"--cookie-refresh=1ms", "--code-challenge-method=S256", "--insecure-oidc-skip-nonce=false", "--provider-ca-file="+d.authority,
		"--scope=openid email profile groups offline_access", "--skip-provider-button", "--http-address="+address, "--allowed-group=staff",
		"--whitelist-domain=127.0.0.1:*")
	p.Await("the proxy answers", func() bool {
		resp, err := http.Get(url + "/ping")
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
	t.Cleanup(p.Kill)
	v := d.visitor(t)
	in := v.signIn(v.open(url+"/"), "ann", "ann-likes-dex")
	if in.has("allow") {
		in = v.press(in, "allow")
	}
	if in.status != http.StatusAccepted {
		t.Fatalf("the login ends at %s with %d:\n%s", in.url, in.status, in.body)
	}
	// It counts in seconds, and refreshes when one has passed.
	p.Await("the proxy has refreshed", func() bool {
		if again := v.open(url + "/"); again.status != http.StatusAccepted {
			t.Fatalf("later it is %s with %d:\n%s", again.url, again.status, again.body)
		}
		return strings.Contains(d.Log.String(), "grant_type=refresh_token")
	})
	out := v.open(url + "/oauth2/sign_out?rd=" + neturl.QueryEscape(d.URL+"/logout?client_id=proxy&post_logout_redirect_uri="+neturl.QueryEscape(url+"/ping")))
	if out.has("confirm-logout") {
		out = v.press(out, "confirm-logout")
	}
	if again := v.open(url + "/"); !again.has("password") {
		t.Errorf("after the logout at %s there is no login page but %s:\n%s", out.url, again.url, again.body)
	}
}
