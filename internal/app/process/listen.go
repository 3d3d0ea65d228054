package process

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Listen opens a listener. A taken port says what to do about it.
func Listen(ctx context.Context, address, flag, certFile, keyFile string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the address %s is taken: stop the program that uses it, or choose another with --%s", address, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	if certFile == "" {
		return l, nil
	}
	return overTLS(l, certFile, keyFile, tls.NoClientCert)
}

// ListenForCertificates is [Listen] for clients that show a certificate. Whose it is, and
// whether that counts, is not asked here: some clients sign their own.
func ListenForCertificates(ctx context.Context, address, flag, certFile, keyFile string) (net.Listener, error) {
	l, err := Listen(ctx, address, flag, "", "")
	if err != nil {
		return nil, err
	}
	return overTLS(l, certFile, keyFile, tls.RequestClientCert)
}

// suites are what TLS 1.2 may use: what FAPI leaves of it (FAPI 1.0 Advanced, section
// 8.5; FAPI 2.0 Security Profile, section 5.2.1), which are those that authenticate what
// they encrypt and leave nothing to decrypt later. Of TLS 1.3 there is nothing to choose.
var suites = []uint16{
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
}

// overTLS speaks TLS at a listener, by the certificate in a file.
func overTLS(l net.Listener, certFile, keyFile string, clients tls.ClientAuthType) (net.Listener, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the TLS certificate: %w", err), l.Close())
	}
	return tls.NewListener(l, &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, CipherSuites: suites,
		ClientAuth: clients, NextProtos: []string{"http/1.1"},
	}), nil
}
