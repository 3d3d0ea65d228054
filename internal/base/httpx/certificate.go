package httpx

import (
	"context"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"dex/internal/base/secret"
)

// Forwarding is whose word we take for the certificate of a client that stands behind
// a proxy: that of our proxies, if they know the secret as well. A network alone is
// not enough, since others may be in it. Its zero value takes nobody's.
type Forwarding struct {
	Proxies Proxies
	Secret  secret.Value
}

// The headers in which a proxy hands on a certificate (RFC 9440, section 2), and the one
// by which it shows that it is ours.
const (
	headerCert   = "Client-Cert"
	headerChain  = "Client-Cert-Chain"
	headerSecret = "Dex-Proxy-Secret"
)

func (f Forwarding) trusts(r *http.Request) bool {
	given := r.Header[headerSecret]
	return f.Secret != "" && len(given) == 1 && hmac.Equal([]byte(given[0]), []byte(f.Secret)) &&
		f.Proxies.trusts(parseHop(r.RemoteAddr))
}

type certificatesKey struct{}

// RealCertificates finds out which certificate a client has shown, for [Certificates]
// to tell to all inside: in the handshake with us, or with a proxy whose word counts.
// Nobody inside sees the headers, whoever they came from.
func RealCertificates(next http.Handler, f Forwarding) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cert, chain := r.Header[headerCert], r.Header[headerChain]
		trusted := len(cert) > 0 && f.trusts(r)
		for _, name := range []string{headerCert, headerChain, headerSecret} {
			delete(r.Header, name)
		}
		switch {
		case trusted:
			shown, err := parseForwarded(cert, chain)
			if err != nil {
				Annotate(r.Context(), slog.String("certificate", err.Error()))
				break
			}
			r = r.WithContext(context.WithValue(r.Context(), certificatesKey{}, shown))
		case r.TLS != nil && len(r.TLS.PeerCertificates) > 0:
			r = r.WithContext(context.WithValue(r.Context(), certificatesKey{}, r.TLS.PeerCertificates))
		}
		next.ServeHTTP(w, r)
	})
}

// Certificates returns the certificate that a client has shown, and behind it those
// that lead up from it. That the client holds its key is proven; nothing else is.
func Certificates(r *http.Request) []*x509.Certificate {
	shown, _ := r.Context().Value(certificatesKey{}).([]*x509.Certificate)
	return shown
}

// The sizes of forwarded certificates that are looked at. Keys of RSA are bounded as they
// are in a handshake with us: what verifies a signature by one costs by the square of its
// size, and anybody can put their own into a chain.
const (
	maxCertificate = 16 << 10
	maxChain       = 8
	maxRSABits     = 8192
)

// parseForwarded reads the certificate of a client as a proxy hands it on: that of the
// connection in Client-Cert, and those that lead up from it in Client-Cert-Chain
// (RFC 9440, section 2). The first of what it returns is the client's own.
func parseForwarded(cert, chain []string) ([]*x509.Certificate, error) {
	if len(cert) != 1 {
		return nil, errors.New("Client-Cert must come once")
	}
	first, err := parseBytes(cert[0])
	if err != nil {
		return nil, err
	}
	all := []*x509.Certificate{first}
	for _, line := range chain {
		for item := range strings.SplitSeq(line, ",") {
			if len(all) == maxChain {
				return nil, fmt.Errorf("a chain of more than %d", maxChain)
			}
			next, err := parseBytes(strings.Trim(item, " \t"))
			if err != nil {
				return nil, err
			}
			all = append(all, next)
		}
	}
	return all, nil
}

// parseBytes reads a certificate that is written as a byte sequence (RFC 8941, section
// 3.3.5).
func parseBytes(item string) (*x509.Certificate, error) {
	text, begins := strings.CutPrefix(item, ":")
	text, ends := strings.CutSuffix(text, ":")
	if !begins || !ends || base64.StdEncoding.DecodedLen(len(text)) > maxCertificate+2 {
		return nil, errors.New("not a byte sequence of a certificate's size")
	}
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
		return nil, fmt.Errorf("an RSA key of more than %d bits", maxRSABits)
	}
	return c, nil
}
