// Package declare is what an operator says that there is: clients, connectors, users
// and groups, in a file or over the administrators' API, in the same words.
//
// What is read has been checked as far as it can be without a look at what is there
// already, and every mistake is told at once. What is written never holds a secret,
// but says where there is one.
package declare

import (
	"time"

	"dex/internal/base/secret"
	"dex/internal/base/strict"
)

// User is somebody whom we know, and who may have a password here.
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
	// What the user may do to this service itself: owner is everything, admin manages people, applications and connectors, support helps people, auditor sees what is not secret. Without one, nothing.
	Role string `yaml:"role" enum:"owner|admin|support|auditor"`
	// The hash of the password, argon2id or bcrypt; "dex-worker hash-password" makes one.
	PasswordHash secret.Value `yaml:"password_hash"`
	// The password itself. Only with no_db or an issuer on a loopback host.
	Password secret.Value `yaml:"password"`
	// Refuse this user, and whatever came of earlier logins.
	Disabled bool `yaml:"disabled"`

	withheld []string // settings that are set and not told
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
	JWKS strict.Object `yaml:"jwks"`
	// Where a browser may be sent back to; compared character by character.
	RedirectURIs []string `yaml:"redirect_uris"`
	// Where a browser may be sent to after logging out.
	PostLogoutRedirectURIs []string `yaml:"post_logout_redirect_uris"`
	// What the client may ask tokens for.
	GrantTypes []string `yaml:"grant_types" default:"authorization_code,refresh_token" enum:"authorization_code|refresh_token|client_credentials|urn:ietf:params:oauth:grant-type:device_code"`
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

	withheld []string // settings that are set and not told
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
	Config strict.Object `yaml:"config"`

	withheld []string // settings that are set and not told
	told     bool     // its config holds no secret
}

// Group is a group of ours, beside those that connectors name.
type Group struct {
	// Its name, as it stands in tokens.
	ID string `yaml:"id" required:"true"`
	// What it is for.
	Description string `yaml:"description"`
	// The ids of the users in it; of those in the same files, their user names serve too.
	Members []string `yaml:"members"`
}

// Resources are what a file declares, section by section.
type Resources struct {
	// The applications that people log in to.
	Clients []Client `yaml:"clients"`
	// The ways to find out who somebody is.
	Connectors []Connector `yaml:"connectors"`
	// The people.
	Users []User `yaml:"users"`
	// The groups of ours.
	Groups []Group `yaml:"groups"`
}
