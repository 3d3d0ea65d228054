package deploy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dex/test/program"
)

// said is what a process says.
type said struct {
	program.Recorder
	stop func() // ends the process before the test does
}

// keep runs a program until the test ends, or it is stopped.
func keep(t testing.TB, dir, name string, arguments ...string) *said {
	t.Helper()
	out := &said{}
	cmd := exec.Command(name, arguments...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.stop = sync.OnceFunc(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	t.Cleanup(func() {
		out.stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), out)
		}
	})
	return out
}

// front is where a proxy is to listen, and what it speaks TLS with.
type front struct {
	address    string // of https
	plain      string // of http, which leads to https
	cert, key  string // files
	both       string // the two in one
	worker     string // where the worker is
	dead       [2]string
	dir        string
	roots      *x509.CertPool
	workerSaid *said
}

// newFront starts a worker whose issuer is at the front.
func newFront(t *testing.T) *front {
	t.Helper()
	f := &front{dir: t.TempDir()}
	for _, address := range []*string{&f.address, &f.plain, &f.worker, &f.dead[0], &f.dead[1]} {
		*address = program.FreeAddress(t)
	}
	f.certify(t)
	config := filepath.Join(f.dir, "dex.yaml")
	text := fmt.Sprintf(`
issuer: https://%s
listen: %s
db: sqlite:%s
trusted_proxies: [127.0.0.1/32]
log_format: json
`, f.address, f.worker, filepath.Join(f.dir, "dex.db"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.workerSaid = keep(t, f.dir, filepath.Join(programs(t), "dex-worker"), "--config", config, "--admin-listen", program.FreeAddress(t))
	await(t, func() error { return answers(http.DefaultClient, "http://"+f.worker+"/readyz") })
	return f
}

// await waits until something works.
func await(t testing.TB, works func() error) {
	t.Helper()
	var err error
	for range 600 {
		if err = works(); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal(err)
}

func answers(c *http.Client, url string) error {
	r, err := c.Get(url)
	if err != nil {
		return err
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, r.Status)
	}
	return nil
}

// certify makes a certificate for the front.
func (f *front) certify(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	f.roots = x509.NewCertPool()
	f.roots.AppendCertsFromPEM(cert)
	f.cert, f.key, f.both = filepath.Join(f.dir, "cert.pem"), filepath.Join(f.dir, "key.pem"), filepath.Join(f.dir, "both.pem")
	for file, text := range map[string][]byte{f.cert: cert, f.key: secret, f.both: append(cert, secret...)} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// guest is a client at an address of its own, so that it can be told from the proxy.
const guest = "127.0.0.2"

func (f *front) client() *http.Client {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(guest)}}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: f.roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       30 * time.Second,
	}
}

// lie asks for something with every header by which a proxy is told about a client.
func lie(t *testing.T, c *http.Client, url string) (status int, header http.Header, body string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"X-Forwarded-For": "203.0.113.9", "X-Real-Ip": "203.0.113.9", "Forwarded": "for=203.0.113.9;host=evil.example;proto=http",
		"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-Port": "81", "X-Forwarded-Prefix": "/evil", "X-Original-Host": "evil.example",
	} {
		r.Header.Set(name, value)
	}
	a, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, a.Header, string(text)
}

// holds holds a proxy that has been started to what it promises.
func (f *front) holds(t *testing.T) {
	t.Helper()
	c := f.client()
	await(t, func() error { return answers(c, "https://"+f.address+"/readyz") })
	status, _, body := lie(t, c, "https://"+f.address+"/.well-known/openid-configuration")
	if status != http.StatusOK || !strings.Contains(body, `"issuer":"https://`+f.address+`"`) || strings.Contains(body, "evil") || strings.Contains(body, "http://") {
		t.Errorf("discovery is %d %s", status, body)
	}
	status, header, body := lie(t, c, "https://"+f.address+"/authorize?client_id=nobody")
	if strings.Contains(body+fmt.Sprint(header), "evil") {
		t.Errorf("a page is %d %v %s", status, header, body)
	}
	if got := f.addresses(t, "/authorize"); len(got) != 1 || got[0] != guest {
		t.Errorf("the worker takes the client to be at %v; it is at %s", got, guest)
	}
	// Whoever comes past the proxy is not believed a word.
	if status, _, _ := lie(t, c, "http://"+f.worker+"/keys"); status == http.StatusOK {
		t.Errorf("the worker answers under a name that is not its own")
	}
	if got := f.addresses(t, "/keys"); len(got) != 1 || got[0] != guest {
		t.Errorf("past the proxy the worker takes the client to be at %v; it is at %s", got, guest)
	}
}

// keepsQuiet holds a proxy to the promise that what it logs, of what works and of what
// does not, has paths, and no link by which somebody chooses a password. It stops the
// worker, and so comes last.
func (f *front) keepsQuiet(t *testing.T, log func() string) {
	t.Helper()
	const link = "/account/password?link=dxl_THELINKOFSOMEBODY"
	c := f.client()
	logs := func(times int) {
		t.Helper()
		await(t, func() error {
			if n := strings.Count(log(), "/account/password"); n < times {
				return fmt.Errorf("the proxy has logged %d of %d requests: %s", n, times, log())
			}
			return nil
		})
	}
	if status, _, _ := lie(t, c, "https://"+f.address+link); status != http.StatusGone {
		t.Errorf("a link of nobody is %d", status)
	}
	logs(1)
	f.workerSaid.stop()
	if status, _, _ := lie(t, c, "https://"+f.address+link); status < http.StatusInternalServerError {
		t.Errorf("without a worker it is %d", status)
	}
	logs(2)
	if text := log() + f.workerSaid.String(); strings.Contains(text, "dxl_") {
		t.Errorf("the link is in a log: %s", text)
	}
}

// addresses returns whom the worker has seen asking for a path.
func (f *front) addresses(t *testing.T, path string) (all []string) {
	t.Helper()
	await(t, func() error {
		all = nil
		for line := range strings.Lines(f.workerSaid.String()) {
			var l struct{ Path, Remote string }
			if json.Unmarshal([]byte(line), &l) == nil && l.Path == path {
				all = append(all, l.Remote)
			}
		}
		if len(all) == 0 {
			return fmt.Errorf("the worker has not logged %s", path)
		}
		return nil
	})
	return all
}

// leads checks that http leads to https, at the name of the issuer.
func (f *front) leads(t *testing.T, to string) {
	t.Helper()
	status, header, _ := lie(t, f.client(), "http://"+f.plain+"/x?y=z")
	if status != http.StatusMovedPermanently || header.Get("Location") != to+"/x?y=z" {
		t.Errorf("http is %d and leads to %s", status, header.Get("Location"))
	}
}

// write writes a proxy's file, with these addresses in the place of those it has. Each
// must be there.
func (f *front) write(t *testing.T, from string, replace ...string) string {
	t.Helper()
	text := read(t, from)
	replace = append(replace, "10.0.0.11:5556", f.dead[0], "10.0.0.12:5556", f.worker, "10.0.0.13:5556", f.dead[1])
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			t.Fatalf("%s has no %q", from, replace[i])
		}
		text = strings.ReplaceAll(text, replace[i], replace[i+1])
	}
	file := filepath.Join(f.dir, filepath.Base(from))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestHAProxyCarriesRequestsAsPromised(t *testing.T) {
	f := newFront(t)
	file := f.write(t, "deploy/haproxy/haproxy.cfg", "bind :80\n", "bind "+f.plain+"\n", "bind :443", "bind "+f.address, "/etc/haproxy/login.example.com.pem", f.both)
	if out := run(t, "", installed(t, "haproxy"), "-c", "-f", file); strings.Contains(out, "WARNING") {
		t.Errorf("its file: %s", out)
	}
	out := keep(t, f.dir, installed(t, "haproxy"), "-db", "-f", file)
	f.holds(t)
	f.leads(t, "https://"+f.plain)
	f.keepsQuiet(t, out.String)
}

func TestNginxCarriesRequestsAsPromised(t *testing.T) {
	f := newFront(t)
	site := f.write(t, "deploy/nginx/dex.conf", "listen 80;", "listen "+f.plain+";", "listen 443 ssl", "listen "+f.address+" ssl", "return 301 https://login.example.com", "return 301 https://"+f.address,
		"server_name login.example.com;", "server_name 127.0.0.1;", "/etc/nginx/login.example.com.pem", f.cert, "/etc/nginx/login.example.com.key", f.key,
		"/var/log/nginx/dex.log", filepath.Join(f.dir, "access.log"))
	main := filepath.Join(f.dir, "nginx.conf")
	text := fmt.Sprintf("daemon off;\npid %[1]s/pid;\nerror_log stderr;\n%[3]sevents {}\nhttp {\n", f.dir, site, user())
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		text += fmt.Sprintf("\t%s_temp_path %s/%s;\n", kind, f.dir, kind)
	}
	if err := os.WriteFile(main, []byte(text+"\tinclude "+site+";\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(t, "", installed(t, "nginx"), "-t", "-c", main, "-e", "stderr"); strings.Contains(out, "[warn]") {
		t.Errorf("its file: %s", out)
	}
	out := keep(t, f.dir, installed(t, "nginx"), "-c", main, "-e", "stderr")
	f.holds(t)
	f.leads(t, "https://"+f.address)
	f.keepsQuiet(t, func() string {
		text, err := os.ReadFile(filepath.Join(f.dir, "access.log"))
		if err != nil {
			t.Fatal(err)
		}
		return out.String() + string(text)
	})
}

// user keeps nginx ours if we are root: it could not read the test's folder otherwise.
func user() string {
	if os.Geteuid() == 0 {
		return "user root;\n"
	}
	return ""
}

func TestCaddyCarriesRequestsAsPromised(t *testing.T) {
	// As it stands.
	as := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(as, []byte(read(t, "deploy/caddy/Caddyfile")), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "", installed(t, "caddy"), "validate", "--adapter", "caddyfile", "--config", as)
	// And at the test's address, with its certificate.
	f := newFront(t)
	file := f.write(t, "deploy/caddy/Caddyfile", "\tlog {\n", "\tadmin off\n\tauto_https off\n\tlog {\n",
		"login.example.com {", fmt.Sprintf("https://%s {\n\tbind 127.0.0.1\n\ttls %s %s\n", f.address, f.cert, f.key))
	out := keep(t, f.dir, installed(t, "caddy"), "run", "--adapter", "caddyfile", "--config", file)
	f.holds(t)
	f.keepsQuiet(t, out.String)
}
