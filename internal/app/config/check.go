package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"dex/internal/base/seal"
	"dex/internal/base/secret"
)

// check finds what contradicts itself or cannot work, and fills in what follows
// from the rest. Each of its parts looks at the settings and nothing else, but
// for key secrets, some of which stand in files.
func (l *loader) check(s *Settings) {
	checkListen(s, l.findings)
	checkDatabase(s, l.findings)
	checkIssuer(s, l.findings)
	checkTLS(s, l.findings)
	l.keySecrets(s)
	checkExpiry(s.Expiry, l.findings)
	checkKeys(s.Keys, l.findings)
	checkConnectors(s, l.findings)
	checkUsers(s, l.findings)
	checkClients(s, l.findings)
	if strings.TrimSpace(s.Name) == "" {
		l.add("name", "must not be empty")
	}
}

func checkListen(s *Settings, f *findings) {
	for _, one := range []struct{ path, address string }{
		{"listen", s.Listen}, {"demo_listen", s.DemoListen},
	} {
		host, port, err := net.SplitHostPort(one.address)
		if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || strconv.FormatUint(n, 10) != port {
			f.add(one.path, "must be host:port, such as 127.0.0.1:5556")
			continue
		}
		if s.NoDB && !loopback(host) {
			f.add(one.path, "must be a loopback address such as 127.0.0.1 together with no_db, which everybody can log in to; choose a database to serve others")
		}
	}
	if s.Listen == s.DemoListen && s.NoDB && !strings.HasSuffix(s.Listen, ":0") {
		f.add("demo_listen", "is the same address as listen")
	}
}

// loopback reports whether a host is this machine and nobody else's.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Zone() == "" && a.Unmap().IsLoopback()
}

func checkDatabase(s *Settings, f *findings) {
	switch {
	case f.flawed["no_db"]: // who knows
	case s.NoDB && f.given("db"):
		f.add("no_db", "contradicts db, which is set too (%s): take one of them out", nearest(f.places, "db"))
	case !s.NoDB && !f.given("db"):
		f.add("db", "is not set: say --db sqlite:dex.db, --db postgres://…, or --no-db to try dex without a database")
	}
	if s.DBMaxIdleConns > s.DBMaxOpenConns && f.given("db_max_idle_conns") {
		f.add("db_max_idle_conns", "must not be more than db_max_open_conns, which is %d", s.DBMaxOpenConns)
	}
	s.DBMaxIdleConns = min(s.DBMaxIdleConns, s.DBMaxOpenConns)
}

func checkIssuer(s *Settings, f *findings) {
	switch {
	case s.Issuer != "":
		if err := validIssuer(s.Issuer); err != nil {
			f.add("issuer", "%s", err)
		}
	case !s.NoDB && !f.flawed["no_db"]:
		f.add("issuer", "is not set: it is the https URL that applications know this service by")
	case !strings.HasSuffix(s.Listen, ":0"):
		s.Issuer = "http://" + s.Listen
	}
}

// validIssuer says what is wrong with an issuer (OpenID Connect Discovery 1.0, 3;
// RFC 8414, 2). Applications compare it character by character, so that each
// spelling that means the same is a trap; there is only one that passes.
func validIssuer(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return errors.New("must be a URL such as https://login.example.com")
	}
	_, port, _ := net.SplitHostPort(u.Host)
	if _, err := strconv.ParseUint(port, 10, 16); err != nil && port != "" {
		return errors.New("must have a port from 1 to 65535, or none")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must be an https URL")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return errors.New("must be https: http is for loopback hosts only")
	case u.User != nil:
		return errors.New("must not hold a user name or a password")
	case strings.ContainsAny(raw, "?#"):
		return errors.New("must have neither a query nor a fragment")
	case strings.HasSuffix(raw, "/"):
		return fmt.Errorf("must not end in a slash: did you mean %s?", strings.TrimRight(raw, "/"))
	case u.Host != strings.ToLower(u.Host) || strings.HasSuffix(u.Hostname(), "."):
		return errors.New("must have its host in small letters, without a dot at the end")
	case u.Scheme == "https" && port == "443", u.Scheme == "http" && port == "80", strings.HasSuffix(u.Host, ":"):
		return errors.New("must leave out the port that its scheme implies")
	case u.Path != "" && u.Path != path.Clean(u.Path), u.EscapedPath() != u.Path, u.String() != raw:
		return errors.New("must have a plain path, without //, . or .. and without escapes")
	}
	return nil
}

// public reports whether the service is for others than this machine, where a
// convenience endangers people. An issuer that is wrong is no reason to say more.
func public(s *Settings, f *findings) bool {
	if s.NoDB || f.flawed["issuer"] {
		return false
	}
	u, err := url.Parse(s.Issuer)
	return err != nil || !loopback(u.Hostname())
}

func checkTLS(s *Settings, f *findings) {
	if s.TLSCertFile != "" && s.TLSKeyFile == "" {
		f.add("tls_cert_file", "needs tls_key_file")
	}
	if s.TLSKeyFile != "" && s.TLSCertFile == "" {
		f.add("tls_key_file", "needs tls_cert_file")
	}
}

// keySecrets reads the key secrets that stand in files, and checks them all.
func (l *loader) keySecrets(s *Settings) {
	seen := map[string]bool{}
	for i, k := range s.KeySecrets {
		at := fmt.Sprintf("key_secrets[%d]", i)
		text := string(k)
		if file, ok := strings.CutPrefix(text, "file:"); ok {
			var err error
			if text, err = readValue(file, l.read); err != nil {
				l.add(at, "%s", err)
				continue
			}
		}
		s.KeySecrets[i] = secret.Value(strings.TrimSpace(text))
		key, err := seal.ParseSecret(string(s.KeySecrets[i]))
		switch {
		case err != nil:
			l.add(at, `must be 32 random bytes in base64, or file: and a path; make one with "openssl rand -base64 32"`)
		case seen[key.ID()]:
			l.add(at, "is the same as one before it")
		default:
			seen[key.ID()] = true
		}
	}
	if s.DB.Postgres() && len(s.KeySecrets) == 0 {
		l.add("key_secrets", `is not set, and a Postgres database is worth nothing to a thief only if what it keeps is sealed; make one with "openssl rand -base64 32"`)
	}
}

func checkExpiry(e Expiry, f *findings) {
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
		{name: "refresh_grace", value: e.RefreshGrace, max: maxGrace},
	} {
		switch at := "expiry." + one.name; {
		case one.value < one.shorter && one.than != "" && !f.given(at):
			// The one that was set is the one to change.
			f.add("expiry."+one.than, "must not be longer than %s, which is %s", one.name, formatDuration(one.value))
		case one.value < one.shorter && one.than != "":
			f.add(at, "must not be shorter than %s, which is %s", one.than, formatDuration(one.shorter))
		case one.value < one.shorter:
			f.add(at, "must be %s at least", formatDuration(one.shorter))
		case one.max > 0 && one.value > one.max:
			f.add(at, "must be %s at most", formatDuration(one.max))
		}
	}
}

// maxGrace bounds how long a stolen refresh token and its owner's can live side
// by side unnoticed.
const maxGrace = 10 * time.Minute

// What the lead of a key must cover beside the longest cache of a verifier, so
// that nobody ever meets a signature of a key they have not seen.
const (
	keySetMaxAge   = 5 * time.Minute  // how long anybody may cache our key set on the way
	keySetStalest  = 50 * time.Minute // the oldest key set that a worker serves and still counts as ready
	clockTolerance = time.Minute      // how wrong each of two clocks may be
)

func checkKeys(k Keys, f *findings) {
	least := k.VerifierCache + keySetMaxAge + keySetStalest + 2*clockTolerance
	if k.Lead < least {
		f.add("keys.lead", "must be %s at least: verifier_cache (%s) and 57m for caches on the way and clocks that differ; with less, some applications would refuse tokens after a rotation",
			formatDuration(least), formatDuration(k.VerifierCache))
	}
	if k.Rotation <= k.Lead {
		f.add("keys.rotation", "must be longer than keys.lead, which is %s", formatDuration(k.Lead))
	}
	if !slices.Contains(k.Algorithms, "ES256") {
		f.add("keys.algorithms", "must include ES256, which access tokens are signed in")
	}
	if again, ok := duplicate(k.Algorithms); ok {
		f.add(fmt.Sprintf("keys.algorithms[%d]", again), "stands there twice")
	}
}

// duplicate returns the index of the first item that was there before.
func duplicate(list []string) (int, bool) {
	seen := make(map[string]bool, len(list))
	for i, item := range list {
		if seen[item] {
			return i, true
		}
		seen[item] = true
	}
	return 0, false
}
