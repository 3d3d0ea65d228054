package doctor

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/admin/declare"
	"dex/internal/app/config"
	"dex/internal/base/secret"
	"dex/internal/base/strict"
	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/key"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// healthy are the facts of an installation that has nothing wrong with it.
func healthy(t *testing.T) Facts {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dex.yaml")
	text := "issuer: https://login.example.com\ndb: postgres://dex@db.example.com/dex?sslmode=verify-full\n" +
		"key_secrets: [\"ZGV4IHRlc3RzIGRleCB0ZXN0cyBkZXggdGVzdHMgMTI=\"]\ntrusted_proxies: [10.0.0.7/32]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := config.Load(config.Source{Environ: []string{"DEX_WORKER_CONFIG=" + file}})
	if err != nil {
		t.Fatal(err)
	}
	f := Facts{
		Now: noon, Settings: s, KeysKnown: true,
		KeyPlan:  &KeyPlan{Algorithms: slices.Concat(s.Keys.Algorithms, s.Keys.Encryption), Rotation: s.Keys.Rotation, Lead: s.Keys.Lead},
		Database: &Database{Schema: 7, Brings: 7, Durable: true, Version: "PostgreSQL 16"},
		Clients: []client.Registered{{
			Client: client.Client{ID: "app", RequirePKCE: true, RedirectURIs: []string{"https://app.example.com/cb"}, GrantTypes: []string{client.AuthorizationCode}, Secrets: make([]secret.Hash, 1)},
			Notes:  []client.SecretNote{{CreatedAt: noon.Add(-30 * day)}},
		}},
		Connectors: []Connector{{Configured: connector.Configured{ID: "corp", Kind: "oidc"}, Checked: true, Took: 50 * time.Millisecond}},
		Certificates: []Certificate{{
			About: "tls_cert_file", Names: []string{"login.example.com"}, Host: "login.example.com", Covers: true, NotBefore: noon.Add(-day), NotAfter: noon.Add(60 * day),
		}},
	}
	for _, alg := range s.Keys.Algorithms {
		f.Keys = append(f.Keys, key.Key{Alg: jose.Algorithm(alg), SignFrom: noon.Add(-day)})
	}
	return f
}

func TestAHealthyInstallationHasNoFindings(t *testing.T) {
	if all := Findings(healthy(t)); len(all) > 0 {
		t.Errorf("found %+v", all)
	}
	if Worst(nil) != 0 {
		t.Error("nothing is wrong, and yet something is")
	}
}

// found are findings by their code, each with facts that it is found of.
var found = []struct {
	name, code string
	severity   Severity
	facts      func(f *Facts)
	about      string
}{
	{"a mistake in the configuration", "config-mistake", Broken, func(f *Facts) {
		f.Mistakes, f.Settings = strict.Mistakes{{Place: "dex.yaml:1:1", Path: "issuer", Message: "is wrong"}}, nil
	}, "issuer"},
	{"something that cannot be looked at", "cannot-look", Broken, func(f *Facts) { f.Failures = []Failure{{"keys", "no"}} }, "keys"},
	{"a duty that fails", "not-well", Weak, func(f *Facts) { f.Problems = []string{"The duty fails."} }, "the installation"},
	{"a listener in the clear", "plain-listener", Weak, func(f *Facts) { f.Settings.Listen = "0.0.0.0:5556" }, "listen"},
	{"an API in the clear", "plain-admin-listener", Unsafe, func(f *Facts) { f.Settings.AdminListen = "10.0.0.1:5558" }, "admin_listen"},
	{"passwords that applications ask for", "passwords-elsewhere", Weak, func(f *Facts) { f.Settings.PasswordGrant = true }, "password_grant"},
	{"a proxy that nobody trusts", "no-trusted-proxies", Weak, func(f *Facts) { f.Settings.TrustedProxies = nil }, "trusted_proxies"},
	{"everybody trusted as a proxy", "any-proxy", Unsafe, func(f *Facts) { f.Settings.TrustedProxies = prefixes("0.0.0.0/0") }, "trusted_proxies[0]"},
	{"connectors that reach everything", "outbound-everywhere", Unsafe, func(f *Facts) { f.Settings.OutboundAllowPrivate = prefixes("10.0.0.0/8", "::/0") }, "outbound_allow_private[1]"},
	{"connectors that reach a cloud's metadata", "outbound-metadata", Unsafe, func(f *Facts) { f.Settings.OutboundAllowPrivate = prefixes("169.254.0.0/16") }, "outbound_allow_private[0]"},
	{"connectors that reach this machine", "outbound-loopback", Weak, func(f *Facts) { f.Settings.OutboundAllowPrivate = prefixes("127.0.0.1/32") }, "outbound_allow_private[0]"},
	{"a database that is away", "database-away", Broken, func(f *Facts) { f.Database.Err = "refused" }, "db"},
	{"a schema that is too old", "schema-too-old", Broken, func(f *Facts) { f.Database.Schema = 6 }, "db"},
	{"a schema that is newer", "schema-newer", Note, func(f *Facts) { f.Database.Schema = 8 }, "db"},
	{"a schema that is too new", "schema-too-new", Broken, func(f *Facts) { f.Database.Schema, f.Database.TooNew = 9, "too new" }, "db"},
	{"a clock that is off", "clock-off", Weak, func(f *Facts) { f.Database.Skew = -10 * time.Second }, "db"},
	{"a clock that is far off", "clock-off", Unsafe, func(f *Facts) { f.Database.Skew = time.Hour }, "db"},
	{"a superuser", "database-superuser", Weak, func(f *Facts) { f.Database.Superuser = true }, "db"},
	{"a database that forgets", "not-durable", Unsafe, func(f *Facts) { f.Database.Durable = false }, "db"},
	{"a file for others", "one-machine", Note, func(f *Facts) { f.Settings.DB = "sqlite:dex.db" }, "db"},
	{"a database in the clear", "database-in-the-clear", Unsafe, func(f *Facts) { f.Settings.DB = "postgres://dex@db.example.com/dex" }, "db"},
	{"a database that anybody can be", "database-unverified", Weak, func(f *Facts) { f.Settings.DB = "postgres://dex@db.example.com/dex?sslmode=require" }, "db"},
	{"tokens that live long", "long-lived", Weak, func(f *Facts) { f.Settings.Expiry.AccessTokens = 2 * time.Hour }, "expiry.access_tokens"},
	{"a client's tokens that live long", "long-lived", Weak, func(f *Facts) { f.Clients[0].AccessTTL = 2 * time.Hour }, "client app"},
	{"no database", "no-database", Weak, func(f *Facts) { f.Settings.NoDB = true }, "no_db"},
	{"an issuer for this machine", "loopback-issuer", Note, func(f *Facts) { f.Settings.Issuer = "http://127.0.0.1:5556" }, "issuer"},
	{"a theme that is read again and again", "templates-reload", Note, func(f *Facts) { f.Settings.TemplatesReload = true }, "templates_reload"},
	{"a log that tells everything", "log-debug", Note, func(f *Facts) { f.Settings.LogLevel = "debug" }, "log_level"},
	{"a password in the file", "password-in-file", Weak, func(f *Facts) { f.Settings.Users = []declare.User{{Username: "ann", Password: "x"}} }, "users[0].password"},
	{"a hash of bcrypt", "bcrypt", Note, func(f *Facts) { f.Settings.Users = []declare.User{{Username: "ann", PasswordHash: "$2b$10$x"}} }, "users[0].password_hash"},
	{"a secret that others can read", "file-open", Unsafe, func(f *Facts) { f.Files = []File{{Path: "key.pem", Holds: "the key", Open: true}} }, "key.pem"},
	{"a key beside what it opens", "key-beside-database", Weak, func(f *Facts) { f.Files = []File{{Path: "dex.db.key", BesideDB: true}} }, "key_secrets"},
	{"a certificate that cannot be used", "certificate", Broken, func(f *Facts) { f.Certificates[0].Err = "no" }, "tls_cert_file"},
	{"a certificate that has expired", "certificate-expired", Broken, func(f *Facts) { f.Certificates[0].NotAfter = noon.Add(-time.Hour) }, "tls_cert_file"},
	{"a certificate that expires soon", "certificate-expires", Weak, func(f *Facts) { f.Certificates[0].NotAfter = noon.Add(3 * day) }, "tls_cert_file"},
	{"a certificate of tomorrow", "certificate-early", Broken, func(f *Facts) { f.Certificates[0].NotBefore = noon.Add(day) }, "tls_cert_file"},
	{"a certificate for somebody else", "certificate-host", Broken, func(f *Facts) { f.Certificates[0].Covers = false }, "tls_cert_file"},
	{"a clock that is not yours", "clock-off-yours", Weak, func(f *Facts) { f.Skews = []Skew{{"the issuer", time.Minute}} }, "the issuer"},
	{"no key", "no-key", Broken, func(f *Facts) { f.Keys = f.Keys[1:] }, "keys of RS256"},
	{"a key that should have a successor", "key-late", Weak, func(f *Facts) { f.Keys[0].SignFrom = noon.Add(-30*day + time.Hour) }, "keys of RS256"},
	{"a key that should be gone", "key-late", Weak, func(f *Facts) { f.Keys[1].SignFrom = noon.Add(-40 * day) }, "keys of ES256"},
	{"a connector for tests", "mock-connector", Unsafe, func(f *Facts) { f.Connectors[0].Kind = "mock" }, "connector corp"},
	{"a connector that is out", "connector-out", Broken, func(f *Facts) { f.Connectors[0].Err = "502" }, "connector corp"},
	{"a connector that is slow", "connector-slow", Weak, func(f *Facts) { f.Connectors[0].Took = 4 * time.Second }, "connector corp"},
	{"a connector in the clear", "connector-in-the-clear", Unsafe, func(f *Facts) { f.Connectors[0].Plaintext = "http://idp.example.com" }, "connector corp"},
	{"a connector that speaks for a domain", "authoritative", Note, func(f *Facts) {
		f.Connectors[0].Policy = user.Policy{AuthoritativeFor: []string{"example.com"}}
	}, "connector corp"},
	{"no connector at all", "no-connector", Broken, func(f *Facts) { f.Connectors[0].Disabled = true }, "connectors"},
	{"no PKCE", "no-pkce", Weak, func(f *Facts) { f.Clients[0].RequirePKCE = false }, "client app"},
	{"a public client that nobody is asked about", "public-trusted", Note, func(f *Facts) { f.Clients[0].Public, f.Clients[0].Trusted = true, true }, "client app"},
	{"a client that administers", "administers", Note, func(f *Facts) { f.Clients[0].Scopes = oauth.Scopes{"openid", "dex:users:read"} }, "client app"},
	{"an address twice", "redirect-twice", Note, redirectsTo("https://a.example.com", "https://a.example.com"), "client app"},
	{"an address that two have", "redirect-shared", Weak, func(f *Facts) { f.Clients = append(f.Clients, f.Clients[0]); f.Clients[1].ID = "other" }, "client other"},
	{"a pattern", "redirect-wildcard", Unsafe, redirectsTo("https://*.example.com/cb"), "client app"},
	{"an address in the clear", "redirect-in-the-clear", Unsafe, redirectsTo("http://app.example.com/cb"), "client app"},
	{"an address on whatever machine", "redirect-loopback", Weak, redirectsTo("http://127.0.0.1/cb"), "client app"},
	{"an address by name", "redirect-localhost", Note, func(f *Facts) { redirectsTo("http://localhost/cb")(f); f.Clients[0].Native = true }, "client app"},
	{"a scheme of its own", "redirect-scheme", Note, redirectsTo("com.example.app:/cb"), "client app"},
	{"an old secret", "old-secret", Weak, func(f *Facts) { f.Clients[0].Notes[0].CreatedAt = noon.Add(-400 * day) }, "client app"},
	{"two secrets for long", "two-secrets", Note, func(f *Facts) {
		f.Clients[0].Secrets, f.Clients[0].Notes[0].CreatedAt = make([]secret.Hash, 2), noon.Add(-40*day)
	}, "client app"},
}

func redirectsTo(uris ...string) func(*Facts) {
	return func(f *Facts) { f.Clients[0].RedirectURIs = uris }
}

func prefixes(all ...string) (out []netip.Prefix) {
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestEachFindingIsFound(t *testing.T) {
	for _, tt := range found {
		t.Run(tt.name, func(t *testing.T) {
			f := healthy(t)
			tt.facts(&f)
			for _, got := range Findings(f) {
				if got.Code != tt.code {
					continue
				}
				if got.Severity != tt.severity || got.About != tt.about {
					t.Errorf("it is %s, about %q", got.Severity, got.About)
				}
				if got.Says == "" || got.Cure == "" || strings.Contains(got.Says+got.Cure, "%!") {
					t.Errorf("it says %q and cures by %q", got.Says, got.Cure)
				}
				return
			}
			t.Errorf("found %+v", Findings(f))
		})
	}
}

// A finding that nobody has tested is no finding.
func TestEachCodeHasATest(t *testing.T) {
	tested := map[string]bool{}
	for _, tt := range found {
		tested[tt.code] = true
	}
	code := regexp.MustCompile(`(?:Code: |add\(\w+, |Finding\{\w+, )"([a-z-]+)"`)
	n := 0
	for _, file := range []string{"doctor.go", "settings.go", "things.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range code.FindAllStringSubmatch(string(source), -1) {
			if n++; !tested[m[1]] {
				t.Errorf("%s: nothing shows that %s is found", file, m[1])
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d codes were seen", n)
	}
}

func TestTheGravestComesFirstAndSaysWhere(t *testing.T) {
	f := healthy(t)
	f.Settings.LogLevel, f.Settings.AdminListen, f.Database.Err = "debug", "0.0.0.0:5558", "refused"
	all := Findings(f)
	if len(all) != 3 || all[0].Severity != Broken || all[1].Severity != Unsafe || all[2].Severity != Note || Worst(all) != Broken {
		t.Errorf("found %+v", all)
	}
	if !strings.Contains(all[0].Place, "dex.yaml:2:") {
		t.Errorf("the place of db is %q", all[0].Place)
	}
}

// What is switched off endangers nobody.
func TestWhatIsDisabledIsLeftAlone(t *testing.T) {
	f := healthy(t)
	f.Clients[0].Disabled, f.Clients[0].RequirePKCE = true, false
	f.Connectors = append(f.Connectors, Connector{Configured: connector.Configured{ID: "test", Kind: "mock", Disabled: true}})
	if all := Findings(f); len(all) > 0 {
		t.Errorf("found %+v", all)
	}
}

func TestASeverityIsKnownByItsName(t *testing.T) {
	for _, name := range Severities() {
		s, ok := ParseSeverity(name)
		text, err := json.Marshal(s)
		if !ok || err != nil || string(text) != `"`+name+`"` {
			t.Errorf("%s: %v %s %v", name, ok, text, err)
		}
	}
	if _, ok := ParseSeverity("dire"); ok {
		t.Error("a severity is known that is none")
	}
}
