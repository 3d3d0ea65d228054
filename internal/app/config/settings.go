package config

import (
	"net/netip"
	"time"

	"dex/internal/admin/declare"
	"dex/internal/base/secret"
	"dex/internal/base/strict"
)

// Settings is everything that can be set for dex-worker. The comment of each
// field is its entry in docs/operate/settings.md and its description in the JSON
// Schema. A field that is not a section or a list of sections is a flag and an
// environment variable too.
type Settings struct {
	// The YAML file that settings are read from.
	File string `yaml:"-" flag:"config"`

	// The address that the server listens on, as host:port. Port 0 takes a free one.
	Listen string `yaml:"listen" default:"127.0.0.1:5556"`
	// The address that the administrators' API listens on, as host:port; off for none. It speaks TLS as listen does.
	AdminListen string `yaml:"admin_listen" default:"127.0.0.1:5558"`
	// The file that the one-time secret for the first administrator is written to, readable by nobody else. Without one it is shown on the terminal.
	BootstrapSecretFile string `yaml:"bootstrap_secret_file"`
	// The address at which Prometheus finds metrics, as host:port, under /metrics; off for none.
	MetricsListen string `yaml:"metrics_listen" default:"off"`
	// The URL of an OpenTelemetry collector (OTLP over HTTP) that traces are sent to. Without one, none are.
	OTLPEndpoint string `yaml:"otlp_endpoint" format:"uri"`
	// The address of the demo application that comes with no_db, as host:port.
	DemoListen string `yaml:"demo_listen" default:"127.0.0.1:5555"`
	// Try dex without a database: everything is kept in memory and lost at the end. Loopback addresses only.
	NoDB bool `yaml:"no_db"`
	// The database: sqlite:FILE for one machine, postgres://… for several.
	DB Database `yaml:"db" alias:"db-url"`
	// The most connections to the database at once.
	DBMaxOpenConns int `yaml:"db_max_open_conns" default:"16" min:"1" max:"1000"`
	// The most connections to the database that are kept while idle.
	DBMaxIdleConns int `yaml:"db_max_idle_conns" default:"16" min:"0" max:"1000"`

	// The public URL of this service, exactly as applications know it: https, or http on a loopback host; no slash at its end. With no_db it is http:// and the listen address.
	Issuer string `yaml:"issuer" format:"uri"`
	// What the service is called on its pages.
	Name string `yaml:"name" default:"dex"`
	// The secrets that seal what the database keeps: 32 bytes each in base64, or file:PATH of a file that holds it, or command:PROGRAM of one that prints it. The first seals, all open. Required on Postgres. With SQLite one is made and kept in a file beside the database; with no_db it is forgotten at the end.
	KeySecrets []secret.Value `yaml:"key_secrets" shared:"DEX_KEY_SECRETS"`

	// The certificate chain in PEM with which the server speaks TLS itself. Leave it out behind a proxy that does.
	TLSCertFile string `yaml:"tls_cert_file"`
	// The private key of tls_cert_file in PEM.
	TLSKeyFile string `yaml:"tls_key_file"`
	// The networks whose X-Forwarded-For header is believed. It tells the address of a browser, nothing else.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
	// The address that the server listens on for clients that show a certificate (mutual TLS), as host:port; off for none. It speaks TLS with tls_cert_file.
	MTLSListen string `yaml:"mtls_listen" default:"off"`
	// The https URL, without a path, at which clients reach mtls_listen, or a proxy that asks for certificates and hands them on. It stands for the scheme and host of the issuer.
	MTLSURL string `yaml:"mtls_url" format:"uri"`
	// The certificates in PEM of the authorities that vouch for clients of the method tls_client_auth. Without it there are no such clients.
	MTLSCAFile string `yaml:"mtls_ca_file"`
	// The secret by which a proxy of trusted_proxies shows, in the header Dex-Proxy-Secret, that the certificate it hands on in Client-Cert (RFC 9440) is that of the client. Without it no such certificate is believed.
	ForwardedCertificatesSecret secret.Value `yaml:"forwarded_certificates_secret"`
	// DPoP proofs must hold a nonce of ours, so that none can be made before its time; it costs each client a second request now and then.
	DPoPNonces bool `yaml:"dpop_nonces"`
	// Applications may watch, in a frame of ours on their pages, whether somebody is signed in still (OpenID Connect Session Management). That takes a cookie which frames on other sites see; most browsers keep such cookies from them.
	SessionManagement bool `yaml:"session_management"`
	// Serve the grant type password to the clients that have it, which ask people for their passwords themselves. It is for old applications of your own: OAuth 2.1 has it no more.
	PasswordGrant bool `yaml:"password_grant"`
	// Private networks that connectors may reach. With no_db this machine may be reached without being listed.
	OutboundAllowPrivate []netip.Prefix `yaml:"outbound_allow_private"`
	// A file of certificates in PEM that are trusted beside those of the system, when connectors and applications are called.
	OutboundCAFile string `yaml:"outbound_ca_file"`
	// The hosts that applications which say of themselves what they are may name: where their key sets are, their sectors, their request objects, and they themselves, if their client_id is an https URL. *.example.com is every host below. Without any, nothing is fetched that an application has named by itself.
	ClientDocumentsAllow []string `yaml:"client_documents_allow"`
	// The types of authorization details (RFC 9396) that there are, such as payment_initiation. A client may ask for those of them that it has in its authorization_details_types, and the person is shown what it asks for.
	AuthorizationDetailsTypes []string `yaml:"authorization_details_types"`

	// A folder whose files replace the built-in templates, styles and messages of the same path.
	Theme string `yaml:"theme"`
	// Read the theme anew for each page, for whoever edits it.
	TemplatesReload bool `yaml:"templates_reload"`
	// The least important lines that are logged.
	LogLevel string `yaml:"log_level" default:"info" enum:"debug|info|warn|error"`
	// How a line of the log looks.
	LogFormat string `yaml:"log_format" default:"text" enum:"text|json"`
	// How long the server goes on once it has been told to stop: /readyz says that it is leaving, so that a balancer sends nobody here any more who would be cut off, and everybody who comes is served; at most 5m. Unless it is set there is no such time on a loopback issuer.
	Drain time.Duration `yaml:"drain" default:"5s"`
	// Rotate keys and clear away what has expired in this process too. Any number of processes may: they take turns.
	Duties bool `yaml:"duties" default:"true"`

	// How long things last.
	Expiry Expiry `yaml:"expiry"`
	// The keys that tokens are signed with.
	Keys Keys `yaml:"keys"`
	// Where the record of what was done is sent, beside the database.
	Audit Audit `yaml:"audit"`
	// How mail is sent.
	Mail Mail `yaml:"mail"`
	// Whether applications may register themselves, and for what (OpenID Connect Registration, RFC 7591). It is about the issuer of this file; for others, and without it, the administrators' API says so.
	Registration Registration `yaml:"registration"`
	// The people of the local connector that this file keeps. Others are kept in the database.
	Users []declare.User `yaml:"users"`
	// The applications that people log in to.
	Clients []declare.Client `yaml:"clients"`
	// The ways to find out who somebody is. Without any there is one: passwords that dex keeps itself.
	Connectors []declare.Connector `yaml:"connectors"`

	places map[string]strict.Place
}

// Expiry says how long things last. Lifetimes are written like 10m, 24h or 30d,
// in whole seconds.
type Expiry struct {
	// ID tokens. A client can have its own.
	IDTokens time.Duration `yaml:"id_tokens" default:"10m"`
	// Access tokens. A client can have its own. Whoever reads one without asking us believes it for this long, even when it has been revoked.
	AccessTokens time.Duration `yaml:"access_tokens" default:"10m"`
	// Authorization codes, at most 10m.
	Codes time.Duration `yaml:"codes" default:"60s"`
	// An attempt to log in, from the first page to the last, at most 24h.
	Attempts time.Duration `yaml:"attempts" default:"30m"`
	// A session that nobody uses.
	SessionsIdle time.Duration `yaml:"sessions_idle" default:"8h"`
	// A session, however much it is used.
	Sessions time.Duration `yaml:"sessions" default:"24h"`
	// A refresh token that nobody uses.
	RefreshIdle time.Duration `yaml:"refresh_idle" default:"168h"`
	// A refresh token, however much it is used.
	Refresh time.Duration `yaml:"refresh" default:"720h"`
	// How long the refresh token before the last one is answered with the same successor again, so that a lost answer costs nobody a session; 0s for not at all, at most 10m. A client can have its own.
	RefreshGrace time.Duration `yaml:"refresh_grace" default:"60s"`
}

// Registration says what applications may register themselves for.
type Registration struct {
	// Who may register an application: nobody (off), who has an initial access token of an administrator (token), or anybody (open).
	Admission string `yaml:"admission" default:"off" enum:"off|token|open"`
	// The profile of such applications, unless their initial access token says another.
	Profile string `yaml:"profile" default:"standard" enum:"standard|openid|fapi1|fapi2"`
	// The scopes that they may have.
	Scopes []string `yaml:"scopes" default:"openid,profile,email,address,phone,offline_access"`
	// The grant types that they may have.
	GrantTypes []string `yaml:"grant_types" default:"authorization_code,refresh_token,implicit" enum:"authorization_code|refresh_token|implicit|client_credentials|urn:ietf:params:oauth:grant-type:device_code|urn:openid:params:grant-type:ciba"`
	// How many there may be at once.
	Most int `yaml:"most" default:"1000" min:"1" max:"1000000"`
}

// Keys is about the keys that tokens are signed with.
type Keys struct {
	// How long a key signs before the next one does.
	Rotation time.Duration `yaml:"rotation" default:"720h"`
	// How long a key is published before it signs: at least verifier_cache and 57 minutes, so that no application meets a key it has not seen.
	Lead time.Duration `yaml:"lead" default:"25h"`
	// The longest time that an application keeps our public keys without asking again.
	VerifierCache time.Duration `yaml:"verifier_cache" default:"24h"`
	// The algorithms there are keys for. Access tokens are always signed in ES256.
	Algorithms []string `yaml:"algorithms" default:"RS256,ES256,EdDSA" enum:"RS256|PS256|ES256|EdDSA"`
	// The kinds of key that applications can encrypt request objects to: RSA-OAEP for an RSA key, ECDH-ES for an elliptic one. Without any, nothing encrypted is taken.
	Encryption []string `yaml:"encryption" enum:"RSA-OAEP|ECDH-ES"`
}
