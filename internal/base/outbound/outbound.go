// Package outbound is the one HTTP client that leaves the house. Whom it calls
// is often somebody else's choice: a connector's issuer, a client's key set. So
// it looks at each address before it dials, and dials only what it looked at.
//
// All rules are kept by the client's transport, and hold as well for a library
// that takes the transport out and builds a client of its own around it.
package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// The limits that hold where [Options] names no other.
const (
	DefaultTimeout = 8 * time.Second
	DefaultConnect = 2 * time.Second
	DefaultMaxBody = 1 << 20
	DefaultPerHost = 4

	maxHeader = 16 << 10
)

// Options says what a client may do. The zero value is the strictest useful one.
type Options struct {
	// AllowPrivate lists the networks that may be called although they are not
	// public. Only there may a URL be http.
	AllowPrivate []netip.Prefix

	// Ports lists the ports that may be called. None means any: an operator's
	// own provider listens where it likes.
	Ports []uint16

	Timeout time.Duration // of a call from the first step to the last byte
	Connect time.Duration // of finding the address and reaching it
	MaxBody int64         // of an answer, in bytes
	PerHost int           // connections at a time; further calls wait

	RootCAs  *x509.CertPool // whom to trust; the system's if nil
	Resolver Resolver       // who knows the addresses of a name; the system if nil
}

// New returns a client that follows no redirects, knows no proxy and keeps no
// cookies.
func New(o Options) *http.Client {
	o = o.withDefaults()
	return &http.Client{Transport: &transport{
		timeout: o.Timeout,
		maxBody: o.MaxBody,
		https:   o.transport(dialer{Options: o}),
		http:    o.transport(dialer{Options: o, onlyPrivate: true}),
	}}
}

// WithCertificate returns a client that keeps the same rules, and shows a certificate
// to whoever asks for one in TLS. Connections are its own: those of the other client
// have shown nothing. A client that was not made here stays as it is.
func WithCertificate(c *http.Client, certificate tls.Certificate) *http.Client {
	t, ours := c.Transport.(*transport)
	if !ours {
		return c
	}
	https := t.https.Clone()
	https.TLSClientConfig.Certificates = []tls.Certificate{certificate}
	return &http.Client{Transport: &transport{timeout: t.timeout, maxBody: t.maxBody, https: https, http: t.http}}
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Connect <= 0 {
		o.Connect = DefaultConnect
	}
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.PerHost <= 0 {
		o.PerHost = DefaultPerHost
	}
	if o.Resolver == nil {
		// Go's own resolver: the C library's takes 0x7f.1 for an address.
		o.Resolver = &net.Resolver{PreferGo: true}
	}
	return o
}

// transport returns what does the speaking once the address is approved. It
// speaks HTTP/1.1 only, where a connection carries one call at a time and the
// limits below mean what they say.
func (o Options) transport(d dialer) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Protocols:              &protocols,
		Proxy:                  nil, // the environment shall not decide whom we talk to
		DialContext:            d.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
		TLSHandshakeTimeout:    o.Timeout,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // a small answer could unfold into a huge one
		MaxConnsPerHost:        o.PerHost,
		MaxIdleConnsPerHost:    o.PerHost,
		MaxIdleConns:           64,
		IdleConnTimeout:        time.Minute,
	}
}
