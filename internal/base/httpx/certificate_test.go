package httpx

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var certificateKey = ed25519.NewKeyFromSeed([]byte("dex tests dex tests dex tests 12"))

func certificateOf(t testing.TB, serial int64) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(nil, template, template, certificateKey.Public(), certificateKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func bytesOf(c *x509.Certificate) string { return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":" }

func TestAProxyHandsOnACertificate(t *testing.T) {
	a, b := certificateOf(t, 1), certificateOf(t, 2)
	got, err := parseForwarded([]string{bytesOf(a)}, []string{bytesOf(b) + " ,\t" + bytesOf(a), bytesOf(b)})
	if err != nil || len(got) != 4 || !got[0].Equal(a) || !got[1].Equal(b) || !got[2].Equal(a) || !got[3].Equal(b) {
		t.Fatalf("%d certificates, error %v", len(got), err)
	}
	large := &x509.Certificate{SerialNumber: big.NewInt(3), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	n := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), maxRSABits), big.NewInt(1))
	der, err := x509.CreateCertificate(nil, large, large, &rsa.PublicKey{N: n, E: 65537}, certificateKey)
	if err != nil {
		t.Fatal(err)
	}
	huge := ":" + base64.StdEncoding.EncodeToString(der) + ":"
	whole := bytesOf(a)
	for name, given := range map[string]struct{ cert, chain []string }{
		"none":                    {},
		"two":                     {cert: []string{whole, whole}},
		"two in one line":         {cert: []string{whole + ", " + whole}},
		"an empty one":            {cert: []string{"::"}},
		"no colons":               {cert: []string{strings.Trim(whole, ":")}},
		"one colon":               {cert: []string{":"}},
		"spaces around it":        {cert: []string{" " + whole}},
		"a parameter":             {cert: []string{whole + ";a"}},
		"base64url":               {cert: []string{":" + base64.RawURLEncoding.EncodeToString(a.Raw) + "-_:"}},
		"something behind it":     {cert: []string{":" + base64.StdEncoding.EncodeToString(append(a.Raw, 0)) + ":"}},
		"PEM":                     {cert: []string{"-----BEGIN CERTIFICATE-----"}},
		"a chain of nothing":      {cert: []string{whole}, chain: []string{""}},
		"a chain that is garbage": {cert: []string{whole}, chain: []string{":AAAA:"}},
		"a very long chain":       {cert: []string{whole}, chain: []string{strings.TrimSuffix(strings.Repeat(whole+",", maxChain), ",")}},
		"a very large key":        {cert: []string{huge}},
		"a chain by a large key":  {cert: []string{whole}, chain: []string{huge}},
		"a very large one":        {cert: []string{":" + strings.Repeat("A", 2*maxCertificate) + ":"}},
	} {
		if got, err := parseForwarded(given.cert, given.chain); err == nil {
			t.Errorf("%s: %d certificates", name, len(got))
		}
	}
}

// 1.H 99.
func TestAForwardedCertificateIsBelievedOfOurProxiesAlone(t *testing.T) {
	shown, ours := certificateOf(t, 1), certificateOf(t, 2)
	forwarding := Forwarding{Proxies: Proxies{netip.MustParsePrefix("192.0.2.0/24")}, Secret: "the secret of our proxies"}
	const near, far = "192.0.2.7:1234", "198.51.100.7:1234"
	for _, tt := range []struct {
		name       string
		forwarding Forwarding
		from       string
		header     http.Header
		tls        *tls.ConnectionState
		want       *x509.Certificate
	}{
		{"by a proxy that knows the secret", forwarding, near, http.Header{headerCert: {bytesOf(shown)}, headerSecret: {"the secret of our proxies"}}, nil, shown},
		{"by a stranger that knows it", forwarding, far, http.Header{headerCert: {bytesOf(shown)}, headerSecret: {"the secret of our proxies"}}, nil, nil},
		{"by a proxy with another secret", forwarding, near, http.Header{headerCert: {bytesOf(shown)}, headerSecret: {"another"}}, nil, nil},
		{"by a proxy with two secrets", forwarding, near, http.Header{headerCert: {bytesOf(shown)}, headerSecret: {"another", "the secret of our proxies"}}, nil, nil},
		{"by a proxy without one", forwarding, near, http.Header{headerCert: {bytesOf(shown)}}, nil, nil},
		{"where no secret is set", Forwarding{Proxies: forwarding.Proxies}, near, http.Header{headerCert: {bytesOf(shown)}, headerSecret: {""}}, nil, nil},
		{"garbage", forwarding, near, http.Header{headerCert: {":AAAA:"}, headerSecret: {"the secret of our proxies"}}, nil, nil},
		{"in the handshake", forwarding, far, http.Header{}, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{ours}}, ours},
		{"in the handshake, with another in the header", forwarding, far, http.Header{headerCert: {bytesOf(shown)}}, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{ours}}, ours},
		{"none at all", forwarding, near, http.Header{}, &tls.ConnectionState{}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/token", nil)
			r.RemoteAddr, r.Header, r.TLS = tt.from, tt.header, tt.tls
			RealCertificates(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got := Certificates(r)
				if tt.want == nil && got != nil || tt.want != nil && (len(got) != 1 || !got[0].Equal(tt.want)) {
					t.Errorf("%d certificates", len(got))
				}
				if len(r.Header) > 0 {
					t.Errorf("inside there is %v", r.Header)
				}
			}), tt.forwarding).ServeHTTP(httptest.NewRecorder(), r)
		})
	}
}

func FuzzParseForwarded(f *testing.F) {
	c := certificateOf(f, 1)
	f.Add(bytesOf(c), bytesOf(c))
	f.Add("::", "")
	f.Fuzz(func(t *testing.T, cert, chain string) {
		all, err := parseForwarded([]string{cert}, []string{chain})
		if (err == nil) != (len(all) > 0) || len(all) > maxChain {
			t.Fatalf("%d certificates, error %v", len(all), err)
		}
	})
}
