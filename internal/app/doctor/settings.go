package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"dex/internal/app/config"
	"dex/internal/domain/tenant"
)

// forOthers reports whether the service is for others than this machine.
func forOthers(s *config.Settings) bool {
	u, err := url.Parse(s.Issuer)
	return !s.NoDB && err == nil && u.Hostname() != "" && !tenant.Loopback(u.Hostname())
}

// open reports whether an address that is listened on can be reached from elsewhere.
func open(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && !tenant.Loopback(host)
}

// addresses looks at who can reach what, and what is believed of whom.
func addresses(f Facts) (all []Finding) {
	s := f.Settings
	if s == nil {
		return nil
	}
	add := func(severity Severity, code, about, says, cure string, args ...any) {
		all = append(all, Finding{Severity: severity, Code: code, About: about, Says: fmt.Sprintf(says, args...), Cure: cure})
	}
	speaksTLS := s.TLSCertFile != ""
	if forOthers(s) && !speaksTLS && open(s.Listen) {
		add(Weak, "plain-listener", "listen", "%s is reached without TLS from other machines, and passwords pass there on their way from the proxy.", "Set tls_cert_file and tls_key_file, or listen on 127.0.0.1 with the proxy on this machine.", s.Listen)
	}
	if open(s.AdminListen) && !speaksTLS {
		add(Unsafe, "plain-admin-listener", "admin_listen", "the administrators' API on %s is reached without TLS from other machines: whoever listens on the way has the tokens of owners.", "Listen on 127.0.0.1 and forward a port, or set tls_cert_file and tls_key_file.", s.AdminListen)
	}
	if forOthers(s) && !speaksTLS && len(s.TrustedProxies) == 0 {
		add(Weak, "no-trusted-proxies", "trusted_proxies", "the issuer is https and the server speaks plain HTTP, so that a proxy stands before it; but no proxy is trusted. Every browser seems to have the proxy's address: guessers slow down everybody, and the record names the proxy.", "List the proxy's address, such as trusted_proxies: [10.0.0.7/32].")
	}
	if s.PasswordGrant {
		add(Weak, "passwords-elsewhere", "password_grant", "applications may ask people for their passwords themselves: people learn to type them anywhere, and no second step is ever asked of them there.", "Let these applications use the authorization code or the device grant, and set it to false.")
	}
	for i, p := range s.TrustedProxies {
		if isWide(p) {
			add(Unsafe, "any-proxy", fmt.Sprintf("trusted_proxies[%d]", i), "%s trusts nearly everybody to say which address they come from: a guesser is never slowed down, and the record can be lied to.", "List the addresses of your proxies alone.", p)
		}
	}
	for i, p := range s.OutboundAllowPrivate {
		switch at := fmt.Sprintf("outbound_allow_private[%d]", i); {
		case isWide(p):
			add(Unsafe, "outbound-everywhere", at, "%s lets connectors reach every address, so that whoever may configure one can ask services that trust this network.", "List the networks of your providers alone.", p)
		case forOthers(s) && (p.Contains(netip.MustParseAddr("169.254.169.254")) || p.Contains(netip.MustParseAddr("fd00:ec2::254"))):
			add(Unsafe, "outbound-metadata", at, "%s contains the address at which clouds hand out this machine's credentials.", "List the networks of your providers alone.", p)
		case forOthers(s) && p.Overlaps(netip.MustParsePrefix("127.0.0.0/8")):
			add(Weak, "outbound-loopback", at, "%s lets connectors reach what listens on this machine alone, the administrators' API among it.", "List the networks of your providers alone.", p)
		}
	}
	return all
}

// isWide reports whether a network is nearly all there is.
func isWide(p netip.Prefix) bool {
	return p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 16
}

// database looks at where everything is kept.
func database(f Facts) (all []Finding) {
	add := func(severity Severity, code, says, cure string, args ...any) {
		all = append(all, Finding{Severity: severity, Code: code, About: "db", Says: fmt.Sprintf(says, args...), Cure: cure})
	}
	if s := f.Settings; s != nil {
		databaseURL(s, add)
	}
	d := f.Database
	if d == nil {
		return all
	}
	program, machine, mend := "this program", "this machine", "Finish the upgrade, or ask the newer dexctl."
	if d.Afar {
		program, machine, mend = "the server that was asked", "the server that was asked", "Finish the upgrade: put the newer version where the older one runs."
	}
	switch {
	case d.Err != "":
		add(Broken, "database-away", "the database cannot be reached: %s", "See that it runs and that this machine may reach it; workers serve again by themselves.", d.Err)
		return all
	case d.TooNew != "":
		add(Broken, "schema-too-new", "%s", "Run the newer program, or restore a backup from before the upgrade.", d.TooNew)
	case d.Schema < d.Brings:
		add(Broken, "schema-too-old", "the database has schema %d and %s needs %d: workers of this version wait for it.", "Start an overlord of this version, or a worker with duties: true. dexctl upgrade check says whether the others may go on meanwhile.", d.Schema, program, d.Brings)
	case d.Schema > d.Brings:
		add(Note, "schema-newer", "the database has schema %d, and %s brings %d: an upgrade is under way, or that is an old one.", mend, d.Schema, program, d.Brings)
	}
	const ntp = "Let NTP set the clocks of both machines."
	switch skew := d.Skew.Abs(); {
	case skew > time.Minute:
		add(Unsafe, "clock-off", "the clock of %s is off the database's by %s. Workers follow the database's, but other services on that machine, and verifiers of tokens, do not.", ntp, machine, d.Skew.Round(time.Millisecond))
	case skew > 5*time.Second:
		add(Weak, "clock-off", "the clock of %s is off the database's by %s.", ntp, machine, d.Skew.Round(time.Millisecond))
	}
	if d.Superuser {
		add(Weak, "database-superuser", "dex is a superuser of Postgres: whoever gets its password has every database there, and the machine.", "Give it a role of its own that owns its database and nothing else.")
	}
	if !d.Durable {
		add(Unsafe, "not-durable", "the database answers before what it was told is on disk: after a power cut, a revocation that was confirmed may be undone and a code be redeemed twice.", "Set fsync and synchronous_commit to on.")
	}
	return all
}

// databaseURL looks at the address of the database.
func databaseURL(s *config.Settings, add func(severity Severity, code, says, cure string, args ...any)) {
	if s.DB.File() != "" && forOthers(s) {
		add(Note, "one-machine", "everything is kept in a file on this machine: while the machine is down, nobody logs in.", "Use Postgres and several workers where that matters; see docs/operate.")
	}
	if !s.DB.Postgres() {
		return
	}
	u, err := url.Parse(string(s.DB))
	if err != nil {
		return
	}
	mode, host := u.Query().Get("sslmode"), u.Hostname()
	switch {
	case host == "" || strings.HasPrefix(host, "/") || tenant.Loopback(host):
	case mode == "disable" || mode == "allow" || mode == "prefer" || mode == "":
		add(Unsafe, "database-in-the-clear", "the way to the database at %s need not be encrypted: whoever listens there sees names, mail addresses and hashes, and whoever stands there changes them.", "Add ?sslmode=verify-full&sslrootcert=… to db.", host)
	case mode != "verify-full":
		add(Weak, "database-unverified", "sslmode=%s does not make sure that it is the database at %s that answers.", "Set sslmode=verify-full.", mode, host)
	}
}

// expiry looks at how long things last.
func expiry(f Facts) (all []Finding) {
	s := f.Settings
	if s == nil {
		return nil
	}
	for _, one := range []struct {
		about string
		is    time.Duration
		most  time.Duration
		says  string
		cure  string
	}{
		{"expiry.access_tokens", s.Expiry.AccessTokens, time.Hour, "whoever reads access tokens without asking goes on to believe a revoked one for %s.", "An hour is long; 10m is the default, and refresh tokens do the rest."},
		{"expiry.id_tokens", s.Expiry.IDTokens, 24 * time.Hour, "an ID token counts for %s.", "It is meant for the moment of the login; 10m is the default."},
		{"expiry.sessions", s.Expiry.Sessions, 30 * 24 * time.Hour, "a browser stays signed in for %s without a new proof of who sits there.", "A day is the default; applications that need more ask with refresh tokens."},
		{"expiry.refresh", s.Expiry.Refresh, 180 * 24 * time.Hour, "a refresh token can be used for %s.", "30 days is the default; refresh_idle ends what nobody uses."},
		{"expiry.refresh_grace", s.Expiry.RefreshGrace, 5 * time.Minute, "a stolen refresh token of the generation before works for %s beside the right one.", "60s is the default, and enough for a lost answer."},
		{"keys.rotation", s.Keys.Rotation, 366 * 24 * time.Hour, "a key signs for %s: one that was copied is worth something for that long.", "30 days is the default, and costs nobody anything."},
	} {
		if one.is > one.most {
			all = append(all, Finding{Severity: Weak, Code: "long-lived", About: one.about, Says: fmt.Sprintf(one.says, days(one.is)), Cure: one.cure})
		}
	}
	return all
}

// trial looks for what is right while somebody tries dex, and not afterwards.
func trial(f Facts) (all []Finding) {
	s := f.Settings
	if s == nil {
		return nil
	}
	add := func(severity Severity, code, about, says, cure string) {
		all = append(all, Finding{Severity: severity, Code: code, About: about, Says: says, Cure: cure})
	}
	if s.NoDB {
		add(Weak, "no-database", "no_db", "everything is kept in memory and lost at the end.", "Choose a database, such as sqlite:dex.db.")
	}
	if !s.NoDB && !forOthers(s) {
		add(Note, "loopback-issuer", "issuer", s.Issuer+" can be reached from this machine alone.", "Set issuer to the https URL that applications will know it by.")
	}
	if forOthers(s) && s.TemplatesReload {
		add(Note, "templates-reload", "templates_reload", "the theme is read anew for each page, which costs time.", "Take it out when the theme is finished.")
	}
	if forOthers(s) && s.LogLevel == "debug" {
		add(Note, "log-debug", "log_level", "the log is at debug, and may fill the disk.", "Set it to info.")
	}
	for i, u := range s.Users {
		if u.Password != "" {
			add(Weak, "password-in-file", fmt.Sprintf("users[%d].password", i), "the password of "+u.Username+" stands in the configuration.", `Put its hash there as password_hash; "dex-worker hash-password" makes one.`)
		}
		if strings.HasPrefix(string(u.PasswordHash), "$2") {
			add(Note, "bcrypt", fmt.Sprintf("users[%d].password_hash", i), "the hash of "+u.Username+" is bcrypt, which is cheaper to guess than argon2id.", `Make a new one by "dex-worker hash-password".`)
		}
	}
	return all
}
