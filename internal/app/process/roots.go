package process

import (
	"crypto/x509"
	"fmt"
	"os"
)

// Roots are the certificates that are trusted when others are called: those of the
// system, and those of a file. Without a file it is nil, which is those of the system.
func Roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("outbound_ca_file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the certificates of the system: %w", err)
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("outbound_ca_file: %s holds no certificate in PEM", file)
	}
	return roots, nil
}
