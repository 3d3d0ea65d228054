package config

import (
	"net/netip"
	"time"

	"dex/internal/base/secret"
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
	// The address of the demo application that comes with no_db, as host:port.
	DemoListen string `yaml:"demo_listen" default:"127.0.0.1:5555"`
	// Try dex without a database: everything is kept in memory and lost at the end. Loopback addresses only.
	NoDB bool `yaml:"no_db"`
	// The database: sqlite:FILE for one machine, postgres://… for several.
	DB Database `yaml:"db"`
	// The most connections to the database at once.
	DBMaxOpenConns int `yaml:"db_max_open_conns" default:"16" min:"1" max:"1000"`
	// The most connections to the database that are kept while idle.
	DBMaxIdleConns int `yaml:"db_max_idle_conns" default:"16" min:"0" max:"1000"`

	// The public URL of this service, exactly as applications know it: https, or http on a loopback host; no slash at its end. With no_db it is http:// and the listen address.
	Issuer string `yaml:"issuer" format:"uri"`
	// What the service is called on its pages.
	Name string `yaml:"name" default:"dex"`
	// The secrets that seal what the database keeps: 32 bytes each in base64, or file:PATH of a file that holds it. The first seals, all open. Required on Postgres. With SQLite one is made and kept in a file beside the database; with no_db it is forgotten at the end.
	KeySecrets []secret.Value `yaml:"key_secrets" shared:"DEX_KEY_SECRETS"`

	// The certificate chain in PEM with which the server speaks TLS itself. Leave it out behind a proxy that does.
	TLSCertFile string `yaml:"tls_cert_file"`
	// The private key of tls_cert_file in PEM.
	TLSKeyFile string `yaml:"tls_key_file"`
	// The networks whose X-Forwarded-For header is believed. It tells the address of a browser, nothing else.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
	// Private networks that connectors may reach. With no_db this machine may be reached without being listed.
	OutboundAllowPrivate []netip.Prefix `yaml:"outbound_allow_private"`

	// A folder whose files replace the built-in templates, styles and messages of the same path.
	Theme string `yaml:"theme"`
	// Read the theme anew for each page, for whoever edits it.
	TemplatesReload bool `yaml:"templates_reload"`
	// The least important lines that are logged.
	LogLevel string `yaml:"log_level" default:"info" enum:"debug|info|warn|error"`
	// How a line of the log looks.
	LogFormat string `yaml:"log_format" default:"text" enum:"text|json"`
	// Rotate keys and clear away what has expired in this process too. Any number of processes may: they take turns.
	Duties bool `yaml:"duties" default:"true"`

	// How long things last.
	Expiry Expiry `yaml:"expiry"`
	// The keys that tokens are signed with.
	Keys Keys `yaml:"keys"`
	// The people of the local connector that this file keeps. Others are kept in the database.
	Users []User `yaml:"users"`
	// The applications that people log in to.
	Clients []Client `yaml:"clients"`
	// The ways to find out who somebody is. Without any there is one: passwords that dex keeps itself.
	Connectors []Connector `yaml:"connectors"`

	places map[string]place
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

// Keys is about the keys that tokens are signed with.
type Keys struct {
	// How long a key signs before the next one does.
	Rotation time.Duration `yaml:"rotation" default:"720h"`
	// How long a key is published before it signs: at least verifier_cache and 57 minutes, so that no application meets a key it has not seen.
	Lead time.Duration `yaml:"lead" default:"25h"`
	// The longest time that an application keeps our public keys without asking again.
	VerifierCache time.Duration `yaml:"verifier_cache" default:"24h"`
	// The algorithms there are keys for. Access tokens are always signed in ES256.
	Algorithms []string `yaml:"algorithms" default:"RS256,ES256,EdDSA" enum:"RS256|ES256|EdDSA"`
}

// User is somebody with a password that this file keeps.
type User struct {
	// What the user is known by for good; the subject of their tokens comes of it. Without one, dex chooses it once and knows the user by the user name.
	ID string `yaml:"id"`
	// The name to log in with. Without one it is the e-mail address.
	Username string `yaml:"username"`
	// The e-mail address. It serves to log in, too.
	Email string `yaml:"email" format:"email"`
	// Whether the address is known to be theirs.
	EmailVerified bool `yaml:"email_verified"`
	// The full name.
	Name string `yaml:"name"`
	// The first name or names.
	GivenName string `yaml:"given_name"`
	// The last name or names.
	FamilyName string `yaml:"family_name"`
	// How applications should call the user. Without one it is the user name.
	PreferredUsername string `yaml:"preferred_username"`
	// The URL of a picture.
	Picture string `yaml:"picture" format:"uri"`
	// The preferred language, such as de or en-GB.
	Locale string `yaml:"locale"`
	// The groups that the user is in.
	Groups []string `yaml:"groups"`
	// The hash of the password, argon2id or bcrypt; "dex-worker hash-password" makes one.
	PasswordHash secret.Value `yaml:"password_hash"`
	// The password itself. Only with no_db or an issuer on a loopback host.
	Password secret.Value `yaml:"password"`
	// Refuse this user, and whatever came of earlier logins.
	Disabled bool `yaml:"disabled"`
}

// Client is an application that people log in to.
type Client struct {
	// The client_id.
	ID string `yaml:"id" required:"true"`
	// What people know the application as. Without one it is the id.
	Name string `yaml:"name"`
	// A bundle of rules: standard is OAuth 2.1 with PKCE; openid is what the OpenID certification asks for, which lets single rules be relaxed.
	Profile string `yaml:"profile" default:"standard" enum:"standard|openid"`
	// The client secret.
	Secret secret.Value `yaml:"secret"`
	// Several secrets, all of which are accepted, while one takes over from another.
	Secrets []secret.Value `yaml:"secrets"`
	// A client that cannot keep a secret: an application in a browser, on a phone, on a desktop.
	Public bool `yaml:"public"`
	// How the client proves who it is. Without one it is none for a public client, private_key_jwt with jwks alone, and client_secret_basic otherwise.
	AuthMethod string `yaml:"auth_method" enum:"client_secret_basic|client_secret_post|private_key_jwt|none"`
	// The public keys of private_key_jwt, as a JWK Set.
	JWKS Object `yaml:"jwks"`
	// Where a browser may be sent back to; compared character by character.
	RedirectURIs []string `yaml:"redirect_uris"`
	// Where a browser may be sent to after logging out.
	PostLogoutRedirectURIs []string `yaml:"post_logout_redirect_uris"`
	// What the client may ask tokens for.
	GrantTypes []string `yaml:"grant_types" default:"authorization_code,refresh_token" enum:"authorization_code|refresh_token|client_credentials"`
	// The scopes that the client may ask for. Without any: openid, profile, email, groups and offline_access.
	Scopes []string `yaml:"scopes"`
	// An application of your own: nobody is asked for consent.
	Trusted bool `yaml:"trusted"`
	// The ids of the clients that may ask for tokens meant for this one.
	TrustedPeers []string `yaml:"trusted_peers"`
	// The ids of the connectors that people may come by. Without any: all.
	Connectors []string `yaml:"connectors"`
	// Only members of one of these groups may log in. Without any: everybody.
	Groups []string `yaml:"groups"`
	// The algorithm of ID tokens.
	IDTokenAlg string `yaml:"id_token_alg" default:"RS256" enum:"RS256|ES256|EdDSA"`
	// An application on the person's own device: the port of a loopback redirect URI is free, and a scheme of its own is allowed (RFC 8252).
	Native bool `yaml:"native"`
	// The origins, such as https://app.example.com, whose scripts may call the token and userinfo endpoints.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// The application's privacy policy, shown when consent is asked.
	PolicyURL string `yaml:"policy_url" format:"uri"`
	// The application's terms of service, shown when consent is asked.
	TermsURL string `yaml:"terms_url" format:"uri"`
	// Demand PKCE. It can be set to false only with the profile openid, and not for a public client.
	RequirePKCE *bool `yaml:"require_pkce"`
	// Instead of expiry.refresh_grace.
	RefreshGrace *time.Duration `yaml:"refresh_grace"`
	// Instead of expiry.access_tokens.
	AccessTokenTTL time.Duration `yaml:"access_token_ttl"`
	// Instead of expiry.id_tokens.
	IDTokenTTL time.Duration `yaml:"id_token_ttl"`
	// Refuse this client, and whatever came of earlier logins.
	Disabled bool `yaml:"disabled"`
}

// Connector is a way to find out who somebody is.
type Connector struct {
	// Its name in URLs: small letters, digits and dashes. People's accounts hang on it, so it should never change.
	ID string `yaml:"id" required:"true"`
	// What it speaks to: local is passwords that dex keeps itself, oidc is any OpenID provider, mock lets everybody in and is for tests.
	Kind string `yaml:"kind" required:"true" enum:"local|oidc|mock"`
	// What people know it as. Without one it is the id.
	Name string `yaml:"name"`
	// Do not offer it, and refuse who came by it.
	Disabled bool `yaml:"disabled"`
	// Mail domains that this connector speaks for: a verified address in one of them joins the account that has it.
	AuthoritativeDomains []string `yaml:"authoritative_domains"`
	// The settings of its kind: see docs/connectors.
	Config Object `yaml:"config"`
}
