package config

import (
	"net/netip"
	"time"

	"dex/internal/base/secret"
	"dex/internal/base/strict"
)

// Overlord is everything that can be set for dex-overlord. Its comments are the
// reference in docs/operate/overlord-settings.md.
type Overlord struct {
	// The YAML file that settings are read from.
	File string `yaml:"-" flag:"config"`

	// The address that the overlord's API listens on, as host:port; off for none.
	AdminListen string `yaml:"admin_listen" default:"127.0.0.1:5557"`
	// The address at which Prometheus finds metrics, as host:port, under /metrics; off for none.
	MetricsListen string `yaml:"metrics_listen" default:"off"`
	// The URL of an OpenTelemetry collector (OTLP over HTTP) that traces are sent to. Without one, none are.
	OTLPEndpoint string `yaml:"otlp_endpoint" format:"uri"`
	// The certificate chain in PEM with which the API speaks TLS.
	TLSCertFile string `yaml:"tls_cert_file"`
	// The private key of tls_cert_file in PEM.
	TLSKeyFile string `yaml:"tls_key_file"`
	// The networks whose X-Forwarded-For header is believed. It tells the address of an administrator, nothing else.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`

	// The database: postgres://…, or sqlite:FILE of a worker on the same machine.
	DB Database `yaml:"db_url" alias:"db"`
	// The most connections to the database at once.
	DBMaxOpenConns int `yaml:"db_max_open_conns" default:"8" min:"1" max:"1000"`
	// Bring the database to what this program needs when it starts. Without it the overlord waits until somebody has.
	DBMigrate bool `yaml:"db_migrate" default:"true"`
	// The secrets that seal what the database keeps: the same as those of the workers.
	KeySecrets []secret.Value `yaml:"key_secrets" shared:"DEX_KEY_SECRETS"`

	// How often what has expired is cleared away.
	GCInterval time.Duration `yaml:"gc_interval" default:"10m"`
	// How long a key signs before the next one does; the same as keys.rotation.
	KeyPeriod time.Duration `yaml:"key_period"`
	// The file that the one-time secret for the first administrator is written to, readable by nobody else. Without one it is shown on the terminal, and where there is none "dex-overlord bootstrap-secret" makes one.
	BootstrapSecretFile string `yaml:"bootstrap_secret_file"`
	// Private networks that may be reached, to deliver mail and the record of what was done.
	OutboundAllowPrivate []netip.Prefix `yaml:"outbound_allow_private"`
	// A file of certificates in PEM that are trusted beside those of the system, when something is delivered.
	OutboundCAFile string `yaml:"outbound_ca_file"`
	// The hosts on which applications that have registered themselves are told that somebody has signed out: the same as with the workers.
	ClientDocumentsAllow []string `yaml:"client_documents_allow"`

	// The least important lines that are logged.
	LogLevel string `yaml:"log_level" default:"info" enum:"debug|info|warn|error"`
	// How a line of the log looks.
	LogFormat string `yaml:"log_format" default:"text" enum:"text|json"`

	// The keys that tokens are signed with: the same as those of the workers.
	Keys Keys `yaml:"keys"`
	// How long things last: the same as with the workers.
	Expiry Expiry `yaml:"expiry"`
	// Where the record of what was done is sent, beside the database.
	Audit Audit `yaml:"audit"`
	// How mail is sent.
	Mail Mail `yaml:"mail"`

	places map[string]strict.Place
}

// Where tells where a setting was made, as [Settings.Where] does.
func (s *Overlord) Where(path string) string { return strict.Nearest(s.places, path).String() }

func (s *Overlord) check(l *loader) {
	if s.DB == "" && !l.Flawed("db_url") {
		l.Add("db_url", "is not set: say --db-url postgres://…, the database of the workers")
	}
	s.AdminListen, s.MetricsListen = orOff(s.AdminListen), orOff(s.MetricsListen)
	checkHosts(s.ClientDocumentsAllow, l.Findings)
	checkAddresses(l.Findings, address{"admin_listen", s.AdminListen}, address{"metrics_listen", s.MetricsListen})
	checkTLS(s.TLSCertFile, s.TLSKeyFile, l.Findings)
	checkTelemetry(s.OTLPEndpoint, l.Findings)
	l.audit(&s.Audit)
	l.mail(&s.Mail)
	l.keySecrets(s.KeySecrets, s.DB)
	if s.GCInterval < time.Second {
		l.Add("gc_interval", "must be 1s at least")
	}
	if l.Given("key_period") && !l.Flawed("key_period") {
		if l.Given("keys.rotation") {
			l.Add("key_period", "is the same setting as keys.rotation, which is set too")
		}
		s.Keys.Rotation = s.KeyPeriod
	}
	checkExpiry(s.Expiry, l.Findings)
	checkKeys(s.Keys, l.Findings)
	s.KeyPeriod = s.Keys.Rotation
}

// KeyFile returns the file that a worker on SQLite keeps its key secret in, when no
// other was given.
func (s *Overlord) KeyFile() string { return keyFile(s.DB, s.KeySecrets) }
