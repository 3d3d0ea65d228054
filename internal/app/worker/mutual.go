package worker

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"dex/internal/app/config"
	"dex/internal/app/process"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/domain/proof"
	"dex/internal/protocol/oauth"
)

// mutual returns where the endpoints of clients are reached at the listener that asks
// for certificates, in place of the issuer: RFC 8705 section 5. It is empty if there is
// none, or it is not for this tenant: the settings name one address, which stands for the
// host of the default tenant and all that share it.
func (w *Worker) mutual(s *site) string {
	if w.settings.MTLSURL == "" || s.url.Host != w.home.url.Host {
		return ""
	}
	return w.settings.MTLSURL + s.base
}

// bases returns under which addresses the routes of a tenant can be reached.
func (w *Worker) bases(s *site) []string {
	if at := w.mutual(s); at != "" {
		return []string{s.issuer, at}
	}
	return []string{s.issuer}
}

// nonces returns what the proofs of a tenant's clients have to hold; nil if they need
// nothing.
func (w *Worker) nonces(s *site) *proof.Nonces {
	if !w.settings.DPoPNonces {
		return nil
	}
	return &proof.Nonces{Key: w.keys.MACKey(s.purpose("dpop nonce"))}
}

// aside answers clients at the address at which they are asked for certificates, which
// stands for the host of the issuer. What browsers come for is not there: they would ask
// the person for a certificate, and have a second place to send cookies to.
func (w *Worker) aside(next http.Handler) http.Handler {
	at, err := url.Parse(w.settings.MTLSURL)
	if err != nil || w.settings.MTLSURL == "" {
		return next
	}
	names := httpx.Names(at)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !slices.Contains(names, strings.ToLower(r.Host)) {
			next.ServeHTTP(rw, r)
			return
		}
		inside := *r
		inside.Host = w.home.url.Host
		if _, below, _ := w.sites.find(&inside); !route.IsForClients(below) && !controls(below) {
			http.NotFound(rw, r)
			return
		}
		next.ServeHTTP(rw, &inside)
	})
}

// takesCertificates reports whether clients can show us certificates at all.
func (w *Worker) takesCertificates() bool {
	return w.settings.MTLSListen != "" || w.settings.ForwardedCertificatesSecret != ""
}

// authMethods are how clients can prove who they are here.
func (w *Worker) authMethods() []oauth.AuthMethod {
	all := []oauth.AuthMethod{oauth.AuthSecretBasic, oauth.AuthSecretPost, oauth.AuthSecretJWT, oauth.AuthPrivateKeyJWT}
	if w.takesCertificates() {
		all = append(all, oauth.AuthSelfSignedTLS)
		if w.authorities != nil {
			all = append(all, oauth.AuthTLS)
		}
	}
	return append(all, oauth.AuthNone)
}

// listenForCertificates opens the listener that asks clients for certificates; none if
// it is off.
func listenForCertificates(ctx context.Context, s *config.Settings) (net.Listener, error) {
	if s.MTLSListen == "" {
		return nil, nil
	}
	return process.ListenForCertificates(ctx, s.MTLSListen, "mtls-listen", s.TLSCertFile, s.TLSKeyFile)
}

// authorities reads the certificates of those who vouch for clients; nil if there is no
// file of them.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("mtls_ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("mtls_ca_file: there is no certificate in %s", file)
	}
	return pool, nil
}
