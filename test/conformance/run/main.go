// Command run takes a running conformance suite through the plans that dex is to pass,
// and prints plan × result.
//
//	run -suite https://localhost.emobix.co.uk:8443
//
// It starts a dex of its own, from this source and with the control that only a build for
// tests has, and ends it again. What belongs to it lies in ./var/conformance.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/outbound"
	"dex/internal/domain/credential"
	"dex/test/conformance"
)

// arguments are what can be said on the command line.
type arguments struct {
	suite, token, plans string
	host                string
	port                int
	dir                 string
	patience            time.Duration
}

func main() {
	var a arguments
	flag.StringVar(&a.suite, "suite", "", "the URL of the suite")
	flag.StringVar(&a.token, "token", os.Getenv("CONFORMANCE_TOKEN"), "the token of its API, if it asks for one")
	flag.StringVar(&a.plans, "plans", "", "run only the plans that this expression fits, such as ^oidcc-basic")
	flag.StringVar(&a.host, "host", "localhost", "what the suite calls this machine")
	flag.IntVar(&a.port, "port", 9443, "the port of dex; the next is for clients with certificates")
	flag.StringVar(&a.dir, "dir", "var/conformance", "where what belongs to it lies")
	flag.DurationVar(&a.patience, "patience", 5*time.Minute, "how long one module may take")
	list := flag.Bool("list", false, "print the plans, and run none")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	plans, err := choose(a.plans)
	switch {
	case err != nil:
	case *list:
		for _, p := range plans {
			fmt.Println(p)
		}
	case a.suite == "":
		err = errors.New("say where the suite is, as in: make conformance SUITE=https://localhost.emobix.co.uk:8443")
	default:
		err = run(ctx, a, plans)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// choose returns the plans that an expression fits.
func choose(expression string) ([]conformance.Plan, error) {
	fits, err := regexp.Compile(expression)
	if err != nil {
		return nil, err
	}
	plans := slices.DeleteFunc(conformance.Plans(), func(p conformance.Plan) bool { return !fits.MatchString(p.String()) })
	if len(plans) == 0 {
		return nil, errors.New("no plan is called so; -list prints them all")
	}
	return plans, nil
}

// errNotOK says that the table tells the rest.
var errNotOK = errors.New("not every module is as it is to be")

func run(ctx context.Context, a arguments, plans []conformance.Plan) error {
	dir, err := filepath.Abs(a.dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	l, err := prepare(ctx, a, dir, plans)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dex, err := l.start(ctx)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cancel(fmt.Errorf("dex ended by itself: %w; see %s", dex.Wait(), l.log.Name()))
	}()
	defer func() {
		_ = dex.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
	}()
	if err := l.awaitReady(ctx); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	rows := l.each(ctx, plans)
	if err := conformance.Write(os.Stdout, rows); err != nil {
		return err
	}
	if slices.ContainsFunc(rows, func(r conformance.Row) bool { return !r.Passed() }) {
		return errNotOK
	}
	return nil
}

// lab is dex with the suite beside it.
type lab struct {
	dir    string
	setup  conformance.Setup
	suite  *http.Client // trusts what the suite shows
	driver *conformance.Driver
	log    *os.File
}

// prepare makes the keys, the certificates and the configuration of dex.
func prepare(ctx context.Context, a arguments, dir string, plans []conformance.Plan) (*lab, error) {
	l := &lab{dir: dir, setup: conformance.Setup{
		Issuer: "https://" + net.JoinHostPort(a.host, fmt.Sprint(a.port)), MTLS: "https://" + net.JoinHostPort(a.host, fmt.Sprint(a.port+1)), Suite: a.suite,
	}}
	l.setup.Resource, l.setup.Approve = l.setup.MTLS+conformance.ResourcePath, l.setup.Issuer+conformance.DecidePath
	var err error
	now := clock.System{}.Now()
	for i := range l.setup.Keys {
		if l.setup.Keys[i], err = conformance.NewKey(fmt.Sprintf("client-%d", i+1)); err != nil {
			return nil, err
		}
		if l.setup.Certificates[i], err = conformance.NewCertificate(fmt.Sprintf("client %d", i+1), "", now); err != nil {
			return nil, err
		}
	}
	server, err := conformance.NewCertificate("dex under test", a.host, now)
	if err != nil {
		return nil, err
	}
	authorities, pool, err := trusted(ctx, a.suite)
	if err != nil {
		return nil, err
	}
	hash, err := credential.NewArgon2(1).Hash(ctx, conformance.Password)
	if err != nil {
		return nil, err
	}
	d := conformance.Dex{
		Listen: fmt.Sprintf(":%d", a.port), MTLSListen: fmt.Sprintf(":%d", a.port+1), Database: "sqlite:" + filepath.Join(dir, "dex.db"),
		CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"), SuiteCAFile: filepath.Join(dir, "suite.crt"), ClientsCAFile: filepath.Join(dir, "clients.crt"), PasswordHash: hash,
	}
	settings, err := l.setup.Settings(d, plans)
	if err != nil {
		return nil, err
	}
	clients := l.setup.Certificates[0].Chain + l.setup.Certificates[1].Chain
	for name, text := range map[string]string{
		"clients.crt": clients, "tls.crt": server.Chain, "tls.key": server.Key, "suite.crt": authorities, "dex.yaml": string(settings),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	l.meet(a, server, pool)
	return l, nil
}

// trusted asks the suite for its certificate, which is one of its own making: who says
// where the suite is says that it is the one that is there.
func trusted(ctx context.Context, suite string) (text string, pool *x509.CertPool, err error) {
	u, err := url.Parse(suite)
	if err != nil || u.Scheme != "https" {
		return "", nil, fmt.Errorf("the suite has to be at an https URL, and not at %q", suite)
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "443")
	}
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: u.Hostname()}}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("the suite does not answer: %w", err)
	}
	defer func() { _ = c.Close() }() // nothing was sent
	pool = x509.NewCertPool()
	for _, certificate := range c.(*tls.Conn).ConnectionState().PeerCertificates {
		pool.AddCert(certificate)
		text += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
	}
	return text, pool, nil
}

// meet puts the driver together.
func (l *lab) meet(a arguments, server conformance.Certificate, pool *x509.CertPool) {
	pool = pool.Clone()
	pool.AppendCertsFromPEM([]byte(server.Chain))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	l.suite = &http.Client{Transport: transport, Timeout: time.Minute}
	party := conformance.Party{
		Client: outbound.New(outbound.Options{
			AllowPrivate: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}, RootCAs: pool,
		}),
		Browser: transport, Clock: clock.System{}, Key: l.setup.Certificates[0].Key,
	}
	l.driver = &conformance.Driver{
		Suite:  &conformance.Suite{URL: a.suite, Token: a.token, HTTP: l.suite},
		Config: l.setup.Config, Rotate: l.rotate, LogIn: party.LogIn,
		Every: time.Second, Patience: a.patience, Wait: wait,
		Said: func(format string, args ...any) { fmt.Printf(format+"\n", args...) },
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// start builds dex and starts it.
func (l *lab) start(ctx context.Context) (*exec.Cmd, error) {
	binary := filepath.Join(l.dir, "dex-worker")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "conformance", "-o", binary, "./cmd/dex-worker")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build dex: %w", err)
	}
	var err error
	if l.log, err = os.Create(filepath.Join(l.dir, "dex.log")); err != nil {
		return nil, err
	}
	dex := exec.Command(binary, "--config", filepath.Join(l.dir, "dex.yaml"))
	dex.Stdout, dex.Stderr = l.log, l.log
	return dex, dex.Start()
}

func (l *lab) awaitReady(ctx context.Context) error {
	for range 100 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.setup.Issuer+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		if resp, err := l.suite.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("dex does not become ready; see %s", l.log.Name())
}

// rotate changes dex's signing keys, by the control of the build for tests.
func (l *lab) rotate(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.setup.Issuer+conformance.RotatePath, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := l.suite.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("dex does not rotate its keys: status %d", resp.StatusCode)
	}
	return nil
}

func (l *lab) each(ctx context.Context, plans []conformance.Plan) (rows []conformance.Row) {
	for _, p := range plans {
		fmt.Printf("\n== %s\n", p)
		outcomes, err := l.driver.Run(ctx, p)
		rows = append(rows, conformance.Row{Plan: p, Outcomes: outcomes, Err: err})
		if ctx.Err() != nil {
			break
		}
	}
	return rows
}
