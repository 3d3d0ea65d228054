package certificate

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

var key = ed25519.NewKeyFromSeed([]byte("dex tests dex tests dex tests 12"))

func made(t testing.TB, change func(c *x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
		Subject: pkix.Name{CommonName: "app", Organization: []string{"Example, Inc."}, Country: []string{"DE"}},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestATokenNamesACertificateByItsHash(t *testing.T) {
	c := made(t, nil)
	sum := sha256.Sum256(c.Raw)
	if got := Thumbprint(c); got != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Error(got)
	}
}

func TestACertificateHasTheNameOfAClient(t *testing.T) {
	uri, err := url.Parse("spiffe://example.com/app")
	if err != nil {
		t.Fatal(err)
	}
	c := made(t, func(c *x509.Certificate) {
		c.DNSNames, c.EmailAddresses = []string{"a.example.com", "b.example.com"}, []string{"App@example.com"}
		c.IPAddresses, c.URIs = []net.IP{net.IPv4(192, 0, 2, 1), net.ParseIP("2001:db8::1")}, []*url.URL{uri}
	})
	two := made(t, func(c *x509.Certificate) {
		c.RawSubject, err = asn1.Marshal(pkix.RDNSequence{
			{{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "Example"}},
			{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "app"}, {Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: "7"}},
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	for _, tt := range []struct {
		name  string
		names Names
		of    *x509.Certificate
		want  bool
	}{
		{"as Go writes it", Names{SubjectDN: c.Subject.String()}, c, true},
		{"spaces and letters", Names{SubjectDN: `cn=APP, o=example\,  inc., C=de`}, c, true},
		{"by number", Names{SubjectDN: `2.5.4.3=app,2.5.4.10=Example\2c Inc.,C=DE`}, c, true},
		{"encoded", Names{SubjectDN: `CN=#1303617070,O=Example\, Inc.,C=DE`}, c, true},
		{"from the first to the last", Names{SubjectDN: `C=DE,O=Example\, Inc.,CN=app`}, c, false},
		{"less", Names{SubjectDN: `CN=app`}, c, false},
		{"more", Names{SubjectDN: `CN=app,OU=x,O=Example\, Inc.,C=DE`}, c, false},
		{"another value", Names{SubjectDN: `CN=app2,O=Example\, Inc.,C=DE`}, c, false},
		{"another kind", Names{SubjectDN: `OU=app,O=Example\, Inc.,C=DE`}, c, false},
		{"an unescaped comma", Names{SubjectDN: `CN=app,O=Example, Inc.,C=DE`}, c, false},
		{"two in one part", Names{SubjectDN: "UID=7+CN=app,O=Example"}, two, true},
		{"two in two parts", Names{SubjectDN: "UID=7,CN=app,O=Example"}, two, false},
		{"the same twice", Names{SubjectDN: "CN=app+CN=app,O=Example"}, two, false},
		{"a host", Names{SANDNS: "B.example.com"}, c, true},
		{"another host", Names{SANDNS: "example.com"}, c, false},
		{"a URI", Names{SANURI: "spiffe://example.com/app"}, c, true},
		{"a URI in other letters", Names{SANURI: "spiffe://example.com/App"}, c, false},
		{"an address", Names{SANIP: "192.0.2.1"}, c, true},
		{"an address of six", Names{SANIP: "2001:DB8:0::1"}, c, true},
		{"another address", Names{SANIP: "192.0.2.2"}, c, false},
		{"no address", Names{SANIP: "x"}, c, false},
		{"mail", Names{SANEmail: "App@example.com"}, c, true},
		{"other mail", Names{SANEmail: "b@example.com"}, c, false},
		{"no name", Names{}, c, false},
	} {
		if got := tt.names.Match(tt.of); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestAClientIsKnownByOneName(t *testing.T) {
	for _, tt := range []struct {
		names Names
		good  bool
	}{
		{Names{}, false},
		{Names{SANDNS: "a.example.com"}, true},
		{Names{SANDNS: "a.example.com", SANURI: "x:y"}, false},
		{Names{SubjectDN: "CN=app"}, true},
		{Names{SubjectDN: "app"}, false},
		{Names{SubjectDN: "=app"}, false},
		{Names{SubjectDN: "CN=app,"}, false},
		{Names{SubjectDN: "WHAT=app"}, false},
		{Names{SubjectDN: `CN=a"b`}, false},
		{Names{SubjectDN: `CN=#zz`}, false},
		{Names{SubjectDN: `CN=a\`}, false},
		{Names{SubjectDN: "CN=" + strings.Repeat("x", maxDN)}, false},
		{Names{SubjectDN: strings.Repeat("CN=x,", maxParts) + "CN=x"}, false},
		{Names{SANIP: "192.0.2.1"}, true},
		{Names{SANIP: "192.0.2"}, false},
	} {
		if err := tt.names.Check(); (err == nil) != tt.good {
			t.Errorf("%+v: error %v", tt.names, err)
		}
	}
}

func FuzzParseDN(f *testing.F) {
	f.Add(`CN=app+UID=7,O=Example\2c Inc.,C=#13024445`)
	f.Add(`2.5.4.3 = a\,b , C=DE`)
	f.Fuzz(func(t *testing.T, s string) {
		names, err := parseDN(s)
		if err == nil && (len(names) == 0 || len(names) > maxParts) {
			t.Fatalf("%d names", len(names))
		}
	})
}
