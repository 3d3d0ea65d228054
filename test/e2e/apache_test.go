package e2e

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"dex/test/program"
)

// apache is a web server that lets nobody in whom mod_auth_openidc, the relying party
// of Debian, has not heard of.
type apache struct {
	t    testing.TB
	url  string
	back string // its redirect URI
}

// modules are what it takes to serve a file to somebody who is logged in.
var modules = []string{"mpm_event", "authn_core", "authz_core", "authz_user", "headers", "dir", "auth_openidc"}

// startApache starts it with settings of the module.
func startApache(t testing.TB, address string, settings ...string) apache {
	t.Helper()
	binary := "/usr/sbin/apache2"
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("%v; test/setup installs it", err)
	}
	a := apache{t: t, url: "http://" + address}
	a.back = a.url + "/in/callback"
	// A folder of the test is for nobody else, and Apache becomes somebody else.
	dir, err := os.MkdirTemp("", "dex-apache-")
	if err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		err = errors.Join(os.Chmod(dir, 0o755), os.MkdirAll(filepath.Join(dir, "www", "in"), 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"in/index.html", "bye.html"} {
		if err := os.WriteFile(filepath.Join(dir, "www", file), []byte("this is "+file), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lines := []string{
		"ServerRoot " + dir, "DocumentRoot " + dir + "/www", "ServerName " + address, "Listen " + address,
		"PidFile " + dir + "/pid", "ErrorLog /dev/stderr", "LogLevel warn", "DirectoryIndex index.html",
		"DefaultRuntimeDir " + dir, "Mutex file:" + dir, "StartServers 1", "ThreadsPerChild 4", "MaxRequestWorkers 4",
		"OIDCRedirectURI " + a.back, "OIDCCryptoPassphrase " + keySecret,
		"OIDCInfoHook access_token id_token userinfo refresh_token",
	}
	for _, m := range modules {
		lines = append(lines, fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%[1]s.so", m))
	}
	if os.Getuid() == 0 {
		lines = append(lines, "User www-data", "Group www-data")
	}
	lines = append(append(lines, settings...),
		"<Location /in>", "AuthType openid-connect", "Require valid-user", `Header set X-User "expr=%{REMOTE_USER}"`, "</Location>")
	file := filepath.Join(dir, "apache.conf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), binary, "-t", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p := launchProgram(t, binary, nil, "-X", "-f", file)
	p.Await("Apache answers", func() bool {
		resp, err := http.Get(a.url + "/bye.html")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	t.Cleanup(p.Stop)
	return a
}

// info is what the module knows of the session.
func (a apache) info(v *visitor) (i struct {
	AccessToken  string         `json:"access_token"`
	RefreshToken string         `json:"refresh_token"`
	IDToken      map[string]any `json:"id_token"`
	Userinfo     map[string]any `json:"userinfo"`
}) {
	a.t.Helper()
	p := v.open(a.back + "?info=json")
	if err := json.Unmarshal([]byte(p.body), &i); err != nil {
		a.t.Fatalf("info: %d %s", p.status, p.body)
	}
	return i
}

// Debian's relying party logs somebody in, refreshes, and logs them out of both.
func TestApacheFindsNothingWrong(t *testing.T) {
	private, set := clientKey(t, "key-rs256")
	key, public := pemFiles(t, private)
	address := program.FreeAddress(t)
	s := newSite(t)
	s.configure(fmt.Sprintf(`users:
  - {id: ann, username: ann, email: ann@example.com, email_verified: true, name: Ann Example, groups: [staff], password: ann-likes-dex}
clients:
  - {id: apache, name: Apache, profile: openid, jwks: %s, redirect_uris: ["http://%s/in/callback"], post_logout_redirect_uris: ["http://%[2]s/bye.html"], id_token_alg: ES256}
`, set, address))
	dex := s.start()
	a := startApache(t, address,
		"OIDCProviderMetadataURL "+dex.URL+"/.well-known/openid-configuration", "OIDCClientID apache",
		"OIDCScope \"openid profile email offline_access\"", "OIDCPKCEMethod S256", "OIDCRemoteUserClaim email",
		"OIDCPrivateKeyFiles key-rs256#"+key, "OIDCPublicKeyFiles key-rs256#"+public, "OIDCProviderTokenEndpointAuth private_key_jwt", "OIDCIDTokenSignedResponseAlg ES256",
	)
	v := newVisitor(t)
	in := v.signIn(v.open(a.url+"/in/"), "ann", "ann-likes-dex")
	if in.has("allow") {
		in = v.press(in, "allow")
	}
	if in.status != http.StatusOK || in.body != "this is in/index.html" {
		t.Fatalf("the login ends at %s with %d:\n%s", in.url, in.status, in.body)
	}
	first := a.info(v)
	if first.Userinfo["email"] != "ann@example.com" || first.IDToken["iss"] != dex.URL || first.RefreshToken == "" {
		t.Errorf("Apache knows %+v", first)
	}
	v.open(a.back + "?" + url.Values{"refresh": {a.url + "/in/"}, "access_token": {first.AccessToken}}.Encode())
	if next := a.info(v); next.AccessToken == first.AccessToken || next.RefreshToken == first.RefreshToken {
		t.Error("nothing was refreshed")
	}
	if out := v.open(a.back + "?" + url.Values{"logout": {a.url + "/bye.html"}}.Encode()); out.body != "this is bye.html" {
		t.Errorf("the logout ends at %s with %d:\n%s", out.url, out.status, out.body)
	}
	if again := v.open(a.url + "/in/"); !again.has("password") {
		t.Errorf("after the logout there is no login page but %s:\n%s", again.url, again.body)
	}
}

// pemFiles writes both halves of a private JWK into files as OpenSSL has them.
func pemFiles(t testing.TB, jwk string) (private, public string) {
	t.Helper()
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON([]byte(jwk)); err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key.Key)
	if err != nil {
		t.Fatal(err)
	}
	open, err := x509.MarshalPKIXPublicKey(key.Public().Key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	private, public = filepath.Join(dir, "private.pem"), filepath.Join(dir, "public.pem")
	for file, block := range map[string]*pem.Block{private: {Type: "PRIVATE KEY", Bytes: secret}, public: {Type: "PUBLIC KEY", Bytes: open}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return private, public
}
