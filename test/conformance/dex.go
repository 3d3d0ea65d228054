package conformance

import (
	"encoding/json"
	"net/url"
)

// Dex is where dex listens while it is tested, and with what.
type Dex struct {
	Listen, MTLSListen    string // as host:port
	CertFile, KeyFile     string // of both
	SuiteCAFile           string // whom to trust where dex asks the suite
	ClientsCAFile         string // whom to trust where clients show certificates
	Database, SecretsFile string
	PasswordHash          string // of [Password]
}

// Settings returns the configuration of dex under test, in JSON, which is YAML.
func (s Setup) Settings(d Dex, plans []Plan) ([]byte, error) {
	clients, err := s.Clients(plans)
	if err != nil {
		return nil, err
	}
	suite, err := url.Parse(s.Suite)
	if err != nil {
		return nil, err
	}
	people := People()
	for _, p := range people {
		person := p.(object)
		delete(person, "password") // which is for issuers on this machine alone
		person["password_hash"] = d.PasswordHash
	}
	return json.MarshalIndent(object{
		"issuer": s.Issuer, "listen": d.Listen, "tls_cert_file": d.CertFile, "tls_key_file": d.KeyFile, "admin_listen": "off",
		"db": d.Database, "mtls_listen": d.MTLSListen, "mtls_url": s.MTLS, "mtls_ca_file": d.ClientsCAFile,
		"keys": object{"algorithms": list{"RS256", "PS256", "ES256", "EdDSA"}, "encryption": list{"RSA-OAEP"}},
		// The suite is on this machine, or beside it, behind a certificate of its own.
		"outbound_allow_private": list{"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"},
		"outbound_ca_file":       d.SuiteCAFile, "client_documents_allow": list{suite.Hostname()},
		"registration":       object{"admission": "open", "profile": "openid"},
		"session_management": true, "authorization_details_types": list{detailsType},
		"connectors": list{object{"id": "local", "kind": "local", "name": "Password"}},
		"clients":    clients, "users": people,
	}, "", "  ")
}

// The paths of the control that only a build for tests has.
const (
	RotatePath   = "/conformance/rotate"   // POST: new keys sign from now on
	DecidePath   = "/conformance/decide"   // GET: a backchannel request is allowed or denied
	ResourcePath = "/conformance/resource" // a protected resource
)
