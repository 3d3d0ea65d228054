package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"dex/examples/app"
	"dex/internal/protocol/jose"
)

// block returns the nth YAML of a page, for these addresses instead of those that
// everybody has.
func block(t *testing.T, page string, n int, addresses ...string) string {
	t.Helper()
	text, err := os.ReadFile(repository(t, page))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(found) <= n {
		t.Fatalf("%s has %d blocks of YAML", page, len(found))
	}
	return strings.NewReplacer(addresses...).Replace(found[n][1])
}

// place writes what a guide says into a site's file, for the guide's command.
func (s *site) place(yaml string) {
	s.t.Helper()
	if err := os.WriteFile(s.file, []byte("key_secrets: ["+keySecret+"]\n"+yaml), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// serveNotes serves the example application as the guides start it.
func serveNotes(t *testing.T, dex *site, prepare func(url string)) (url string) {
	t.Helper()
	return serveApp(t, func(url string) app.Config {
		prepare(url)
		return app.Config{Issuer: dex.url, ClientID: "notes", ClientSecret: "a-secret-for-notes", BaseURL: url}
	})
}

func TestTheGuideToAddAnApplication(t *testing.T) {
	const guide = "docs/guide/add-an-application.md"
	dex := newSite(t)
	notes := serveNotes(t, dex, func(url string) {
		dex.place(block(t, guide, 0, "http://127.0.0.1:5556", dex.url, "http://127.0.0.1:5555", url))
		start(t, dex.url, "--config", dex.file, "--db", dex.db, "--listen", dex.address)
	})
	v := newVisitor(t)
	p := v.signIn(v.press(v.open(notes), "log-in"), "ann", "ann-likes-dex")
	if p = v.press(p, "allow"); p.claim("claims", "groups") != `["admins","staff"]` {
		t.Errorf("the groups are %q", p.claim("claims", "groups"))
	}
	if p = v.press(p, "refresh"); !p.has("access-token-before") {
		t.Errorf("the refresh leads to\n%s", p.body)
	}
	if p = v.press(p, "log-out"); !p.has("logged-out-everywhere") {
		t.Errorf("the logout leads to\n%s", p.body)
	}
}

func TestTheGuideToConnectAnotherProvider(t *testing.T) {
	const guide = "docs/guide/connect-another-provider.md"
	partner, dex := newSite(t), newSite(t)
	notes := serveNotes(t, dex, func(url string) {
		addresses := []string{"127.0.0.1:6556", partner.address, "127.0.0.1:5556", dex.address, "http://127.0.0.1:5555", url}
		partner.place(block(t, guide, 0, addresses...))
		dex.place(block(t, guide, 1, addresses...))
		start(t, partner.url, "--config", partner.file, "--db", partner.db)
		start(t, dex.url, "--config", dex.file, "--db", dex.db, "--listen", dex.address)
	})
	v := newVisitor(t)
	p := v.press(v.open(notes), "log-in")
	p = v.press(v.signIn(v.open(p.link("connector-partner")), "paula", "paula-likes-dex"), "allow")
	if p.has("allow") { // of our dex, as it is for any application
		p = v.press(p, "allow")
	}
	if got := p.claim("claims", "groups"); got != `["partner:sales"]` {
		t.Errorf("the groups are %q:\n%s", got, p.body)
	}
	if got := p.claim("claims", "iss"); got != dex.url {
		t.Errorf("the issuer is %q", got)
	}
	if p = v.press(p, "log-out"); !p.has("logged-out-everywhere") {
		t.Errorf("the logout leads to\n%s", p.body)
	}
}

// privateKey returns a fresh key as it stands in YAML.
func privateKey(t *testing.T, alg jose.Algorithm) string {
	t.Helper()
	key, err := jose.GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Quote(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// The examples in the pages of the connectors are ones that a dex takes.
func TestTheExamplesOfTheConnectorsPages(t *testing.T) {
	for _, name := range []string{"local", "oidc", "mock"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.configure(block(t, "docs/connectors/"+name+".md", 0, "${PARTNER_CLIENT_SECRET}", "partner-secret"))
			s.start()
		})
	}
	t.Run("oidc for tokens alone", func(t *testing.T) {
		s := newSite(t)
		s.configure(block(t, "docs/connectors/oidc.md", 1))
		s.start()
	})
	t.Run("oidc with all that FAPI demands", func(t *testing.T) {
		s := newSite(t)
		s.configure(block(t, "docs/connectors/oidc.md", 2,
			"${BANK_SIGNING_KEY}", privateKey(t, jose.ES256), "${BANK_DECRYPTION_KEY}", privateKey(t, jose.RS256)))
		s.start()
	})
	t.Run("oidc with its claims", func(t *testing.T) {
		s := newSite(t)
		page := "docs/connectors/oidc.md"
		claims := "      " + strings.ReplaceAll(strings.TrimSpace(block(t, page, 3)), "\n", "\n      ") + "\n"
		s.configure(block(t, page, 0, "${PARTNER_CLIENT_SECRET}", "partner-secret") + claims)
		s.start()
	})
}
