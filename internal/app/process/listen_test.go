package process

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// files writes a certificate of a key, and returns where.
func files(t testing.TB, key crypto.Signer) (cert, private string) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	cert, private = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, private: {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, private
}

// accept lets whoever comes shake hands, and reports how many certificates each has shown.
func accept(l net.Listener, shown chan<- int) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		conn := c.(*tls.Conn)
		n := -1
		if conn.HandshakeContext(context.Background()) == nil {
			n = len(conn.ConnectionState().PeerCertificates)
		}
		_ = c.Close()
		shown <- n
	}
}

// What FAPI demands of TLS, as the conformance suite tries it:
// EnsureTLS12OrLater, DisallowInsecureCipher.
func TestTLSSpeaksWhatFAPILeavesOfIt(t *testing.T) {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := files(t, r)
	l, err := Listen(t.Context(), "127.0.0.1:0", "listen", cert, key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	shown := make(chan int, 64)
	go accept(l, shown)
	shake := func(c *tls.Config) (tls.ConnectionState, error) {
		c.InsecureSkipVerify = true
		conn, err := (&tls.Dialer{Config: c}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer func() { _ = conn.Close() }()
		return conn.(*tls.Conn).ConnectionState(), nil
	}
	if state, err := shake(&tls.Config{}); err != nil || state.Version != tls.VersionTLS13 {
		t.Errorf("of all versions %s is spoken: %v", tls.VersionName(state.Version), err)
	}
	if _, err := shake(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	good := map[uint16]bool{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: true, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: true}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if suite.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		_, err := shake(&tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
		if (err == nil) != good[suite.ID] {
			t.Errorf("%s: spoken is %v", suite.Name, err == nil)
		}
	}
}

func TestAClientMayShowACertificateOfItsOwnMaking(t *testing.T) {
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := files(t, e)
	own, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ListenForCertificates(t.Context(), "127.0.0.1:0", "mtls-listen", cert, key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	shown := make(chan int, 2)
	go accept(l, shown)
	for want, certs := range [][]tls.Certificate{nil, {own}} {
		c := &tls.Config{InsecureSkipVerify: true, Certificates: certs}
		conn, err := (&tls.Dialer{Config: c}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if got := <-shown; got != want {
			t.Errorf("%d certificates are shown, want %d", got, want)
		}
		_ = conn.Close()
	}
}
