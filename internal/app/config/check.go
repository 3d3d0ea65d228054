package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"dex/internal/admin/declare"
	"dex/internal/base/seal"
	"dex/internal/base/secret"
	"dex/internal/base/strict"
	"dex/internal/domain/tenant"
)

// check finds what contradicts itself or cannot work, and fills in what follows
// from the rest. Each of its parts looks at the settings and nothing else, but
// for key secrets, some of which stand in files.
func (s *Settings) check(l *loader) {
	checkListen(s, l.Findings)
	checkDatabase(s, l.Findings)
	checkIssuer(s, l.Findings)
	checkDrain(s, l.Findings)
	checkHosts(s.ClientDocumentsAllow, l.Findings)
	checkTLS(s.TLSCertFile, s.TLSKeyFile, l.Findings)
	checkMutual(s, l.Findings)
	l.keySecrets(s.KeySecrets, s.DB)
	checkExpiry(s.Expiry, l.Findings)
	checkKeys(s.Keys, l.Findings)
	checkDeclared(s, l.Findings)
	checkTelemetry(s.OTLPEndpoint, l.Findings)
	l.audit(&s.Audit)
	l.mail(&s.Mail)
	if strings.TrimSpace(s.Name) == "" {
		l.Add("name", "must not be empty")
	}
}

func checkListen(s *Settings, f *strict.Findings) {
	checkAddresses(f, address{"listen", s.Listen}, address{"demo_listen", s.DemoListen})
	s.AdminListen, s.MetricsListen = orOff(s.AdminListen), orOff(s.MetricsListen)
	checkAddresses(f, address{"admin_listen", s.AdminListen}, address{"metrics_listen", s.MetricsListen})
	for _, one := range []address{{"listen", s.Listen}, {"demo_listen", s.DemoListen}, {"admin_listen", s.AdminListen}, {"metrics_listen", s.MetricsListen}} {
		if host, _, err := net.SplitHostPort(one.value); err == nil && s.NoDB && !tenant.Loopback(host) {
			f.Add(one.path, "must be a loopback address such as 127.0.0.1 together with no_db, which everybody can log in to; choose a database to serve others")
		}
	}
	if s.Listen == s.DemoListen && s.NoDB && !strings.HasSuffix(s.Listen, ":0") {
		f.Add("demo_listen", "is the same address as listen")
	}
}

// address is a setting that says where to listen.
type address struct{ path, value string }

// orOff makes nothing of what says that there is to be no listener.
func orOff(value string) string {
	if value == "off" {
		return ""
	}
	return value
}

// checkAddresses looks at addresses to listen on. An empty one is of no listener; of
// two that are the same only one could listen.
func checkAddresses(f *strict.Findings, all ...address) {
	for _, one := range all {
		_, port, err := net.SplitHostPort(one.value)
		n, perr := strconv.ParseUint(port, 10, 16)
		bad := err != nil || perr != nil || strconv.FormatUint(n, 10) != port
		switch {
		case one.value == "" && optional(one.path):
		case bad && optional(one.path):
			f.Add(one.path, "must be host:port, such as 127.0.0.1:5558, or off")
		case bad:
			f.Add(one.path, "must be host:port, such as 127.0.0.1:5556")
		}
	}
}

// optional reports whether a listener can be off.
func optional(path string) bool { return path != "listen" && path != "demo_listen" }

// checkMutual looks at where clients show their certificates.
func checkMutual(s *Settings, f *strict.Findings) {
	s.MTLSListen = orOff(s.MTLSListen)
	checkAddresses(f, address{"mtls_listen", s.MTLSListen})
	u, err := url.Parse(s.MTLSURL)
	switch {
	case s.MTLSURL == "" && s.MTLSListen != "":
		f.Add("mtls_url", "is not set: it is the https URL at which clients reach mtls_listen")
	case s.MTLSURL != "" && (err != nil || u.Scheme != "https" || u.Host == "" || s.MTLSURL != "https://"+u.Host || strings.ToLower(u.Host) != u.Host):
		f.Add("mtls_url", "must be https:// with a host, and a port if need be, such as https://mtls.example.com")
	case s.MTLSURL != "" && s.MTLSListen == "" && s.ForwardedCertificatesSecret == "":
		f.Add("mtls_url", "leads to nothing: set mtls_listen, or forwarded_certificates_secret for a proxy that hands certificates on")
	}
	if issuer, err := url.Parse(s.Issuer); err == nil && u != nil && u.Host != "" && u.Host == issuer.Host {
		f.Add("mtls_url", "is the host of the issuer, where browsers would be asked for certificates: take another host or port")
	}
	if s.MTLSListen != "" && s.TLSCertFile == "" {
		f.Add("mtls_listen", "needs tls_cert_file and tls_key_file: certificates are shown in TLS alone")
	}
	switch secret := s.ForwardedCertificatesSecret; {
	case secret == "":
	case len(s.TrustedProxies) == 0:
		f.Add("forwarded_certificates_secret", "is for the proxies of trusted_proxies, of which there are none")
	case len(secret) < 32:
		f.Add("forwarded_certificates_secret", "must have at least 32 characters, at random: whoever guesses it can be any client")
	}
	if s.MTLSCAFile != "" && s.MTLSListen == "" && s.ForwardedCertificatesSecret == "" {
		f.Add("mtls_ca_file", "is of no use without mtls_listen or forwarded_certificates_secret: nobody can show a certificate")
	}
}

// checkTelemetry looks at where traces are sent.
func checkTelemetry(endpoint string, f *strict.Findings) {
	if endpoint == "" {
		return
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		f.Add("otlp_endpoint", "must be a URL such as http://127.0.0.1:4318")
	}
}

func checkDatabase(s *Settings, f *strict.Findings) {
	switch {
	case f.Flawed("no_db"): // who knows
	case s.NoDB && f.Given("db"):
		f.Add("no_db", "contradicts db, which is set too (%s): take one of them out", f.Where("db"))
	case !s.NoDB && !f.Given("db"):
		f.Add("db", "is not set: say --db sqlite:dex.db, --db postgres://…, or --no-db to try dex without a database")
	}
	if s.DBMaxIdleConns > s.DBMaxOpenConns && f.Given("db_max_idle_conns") {
		f.Add("db_max_idle_conns", "must not be more than db_max_open_conns, which is %d", s.DBMaxOpenConns)
	}
	s.DBMaxIdleConns = min(s.DBMaxIdleConns, s.DBMaxOpenConns)
}

func checkIssuer(s *Settings, f *strict.Findings) {
	switch {
	case s.Issuer != "":
		if err := tenant.CheckIssuer(s.Issuer); err != nil {
			f.Add("issuer", "%s", err)
		}
	case !s.NoDB && !f.Flawed("no_db"):
		f.Add("issuer", "is not set: it is the https URL that applications know this service by")
	case !strings.HasSuffix(s.Listen, ":0"):
		s.Issuer = "http://" + s.Listen
	}
}

// checkHosts looks at the hosts that applications may name. They are compared as they
// stand, so that there is one way to write each.
func checkHosts(hosts []string, f *strict.Findings) {
	for i, host := range hosts {
		name := strings.TrimPrefix(host, "*.")
		if name == "" || name != strings.ToLower(name) || strings.ContainsAny(name, "*/:@?# ") || strings.HasSuffix(name, ".") {
			f.Add(fmt.Sprintf("client_documents_allow[%d]", i), "must be a host in small letters, without a scheme or a port, such as app.example.com or *.example.com")
		}
	}
}

// maxDrain is how long a server may take to leave. Longer is no patience but a mistake.
const maxDrain = 5 * time.Minute

// checkDrain makes of the drain what follows from the issuer: who only tries dex wants
// it to end at once.
func checkDrain(s *Settings, f *strict.Findings) {
	switch {
	case s.Drain < 0 || s.Drain > maxDrain:
		f.Add("drain", "must be between 0s and %s", strict.FormatDuration(maxDrain))
	case !f.Given("drain") && !public(s, f):
		s.Drain = 0
	}
}

// public reports whether the service is for others than this machine, where a
// convenience endangers people. An issuer that is wrong is no reason to say more.
func public(s *Settings, f *strict.Findings) bool {
	if s.NoDB || f.Flawed("issuer") {
		return false
	}
	u, err := url.Parse(s.Issuer)
	return err != nil || !tenant.Loopback(u.Hostname())
}

// checkDeclared looks at what the file says that there is. Without a connector there
// is one, of passwords that dex keeps itself.
func checkDeclared(s *Settings, f *strict.Findings) {
	if len(s.Connectors) == 0 {
		s.Connectors = []declare.Connector{{ID: "local", Kind: "local", Name: "Password"}}
	}
	rules := declare.Rules{Whole: true, Local: !public(s, f), Algorithms: s.Keys.Algorithms}
	if f.Flawed("keys.algorithms") {
		rules.Algorithms = nil
	}
	rules.Check(&declare.Resources{Clients: s.Clients, Connectors: s.Connectors, Users: s.Users}, f)
}

func checkTLS(certFile, keyFile string, f *strict.Findings) {
	if certFile != "" && keyFile == "" {
		f.Add("tls_cert_file", "needs tls_key_file")
	}
	if keyFile != "" && certFile == "" {
		f.Add("tls_key_file", "needs tls_cert_file")
	}
}

// keySecrets reads the key secrets that stand in files, and checks them all.
func (l *loader) keySecrets(secrets []secret.Value, db Database) {
	seen := map[string]bool{}
	for i, k := range secrets {
		at := fmt.Sprintf("key_secrets[%d]", i)
		text, ok := l.fromFile(at, string(k))
		if !ok {
			continue
		}
		secrets[i] = secret.Value(strings.TrimSpace(text))
		key, err := seal.ParseSecret(string(secrets[i]))
		switch {
		case err != nil:
			l.Add(at, `must be 32 random bytes in base64, or file: and a path, or command: and a program; make one with "openssl rand -base64 32"`)
		case seen[key.ID()]:
			l.Add(at, "is the same as one before it")
		default:
			seen[key.ID()] = true
		}
	}
	if db.Postgres() && len(secrets) == 0 {
		l.Add("key_secrets", `is not set, and a Postgres database is worth nothing to a thief only if what it keeps is sealed; make one with "openssl rand -base64 32"`)
	}
}

// fromFile returns a secret that may stand in a file, which "file:" and a path then
// say, or that a program prints, which "command:" and its words say. If it cannot be
// had, it says so, and returns false.
func (l *loader) fromFile(at, text string) (string, bool) {
	if words, ok := strings.CutPrefix(text, "command:"); ok {
		return l.fromCommand(at, strings.Fields(words))
	}
	file, ok := strings.CutPrefix(text, "file:")
	if !ok {
		return text, true
	}
	text, err := strict.ReadValue(file, l.read)
	if err != nil {
		l.Add(at, "%s", err)
		return "", false
	}
	return strings.TrimSpace(text), true
}

func (l *loader) fromCommand(at string, words []string) (string, bool) {
	if len(words) == 0 {
		l.Add(at, "names no program after command:")
		return "", false
	}
	printed, err := l.run(words)
	if err != nil {
		l.Add(at, "cannot get it from %q: %s", words[0], err)
		return "", false
	}
	return strings.TrimSpace(string(printed)), true
}

func checkExpiry(e Expiry, f *strict.Findings) {
	for _, one := range []struct {
		name           string
		value, shorter time.Duration // of which it must not be less
		than           string
		max            time.Duration
	}{
		{name: "id_tokens", value: e.IDTokens, shorter: time.Second},
		{name: "access_tokens", value: e.AccessTokens, shorter: time.Second},
		{name: "codes", value: e.Codes, shorter: time.Second, max: 10 * time.Minute}, // RFC 6749, 4.1.2
		{name: "attempts", value: e.Attempts, shorter: time.Minute, max: 24 * time.Hour},
		{name: "sessions_idle", value: e.SessionsIdle, shorter: time.Second},
		{name: "sessions", value: e.Sessions, shorter: e.SessionsIdle, than: "sessions_idle"},
		{name: "refresh_idle", value: e.RefreshIdle, shorter: time.Second},
		{name: "refresh", value: e.Refresh, shorter: e.RefreshIdle, than: "refresh_idle"},
		{name: "refresh_grace", value: e.RefreshGrace, max: declare.MaxGrace},
	} {
		switch at := "expiry." + one.name; {
		case one.value < one.shorter && one.than != "" && !f.Given(at):
			// The one that was set is the one to change.
			f.Add("expiry."+one.than, "must not be longer than %s, which is %s", one.name, strict.FormatDuration(one.value))
		case one.value < one.shorter && one.than != "":
			f.Add(at, "must not be shorter than %s, which is %s", one.than, strict.FormatDuration(one.shorter))
		case one.value < one.shorter:
			f.Add(at, "must be %s at least", strict.FormatDuration(one.shorter))
		case one.max > 0 && one.value > one.max:
			f.Add(at, "must be %s at most", strict.FormatDuration(one.max))
		}
	}
}

// What the lead of a key must cover beside the longest cache of a verifier, so
// that nobody ever meets a signature of a key they have not seen.
const (
	keySetMaxAge   = 5 * time.Minute  // how long anybody may cache our key set on the way
	keySetStalest  = 50 * time.Minute // the oldest key set that a worker serves and still counts as ready
	clockTolerance = time.Minute      // how wrong each of two clocks may be
)

func checkKeys(k Keys, f *strict.Findings) {
	least := k.VerifierCache + keySetMaxAge + keySetStalest + 2*clockTolerance
	if k.Lead < least {
		f.Add("keys.lead", "must be %s at least: verifier_cache (%s) and 57m for caches on the way and clocks that differ; with less, some applications would refuse tokens after a rotation",
			strict.FormatDuration(least), strict.FormatDuration(k.VerifierCache))
	}
	if k.Rotation <= k.Lead {
		f.Add("keys.rotation", "must be longer than keys.lead, which is %s", strict.FormatDuration(k.Lead))
	}
	if !slices.Contains(k.Algorithms, "ES256") {
		f.Add("keys.algorithms", "must include ES256, which access tokens are signed in")
	}
	if again, ok := declare.Duplicate(k.Algorithms); ok {
		f.Add(fmt.Sprintf("keys.algorithms[%d]", again), "stands there twice")
	}
	if again, ok := declare.Duplicate(k.Encryption); ok {
		f.Add(fmt.Sprintf("keys.encryption[%d]", again), "stands there twice")
	}
}
