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
	// The names in between.
	MiddleName string `yaml:"middle_name"`
	// What friends say.
	Nickname string `yaml:"nickname"`
	// The URL of a page about the user.
	ProfileURL string `yaml:"profile" format:"uri"`
	// The URL of a page of the user's own.
	Website string `yaml:"website" format:"uri"`
	// The gender, such as female, male or another word.
	Gender string `yaml:"gender"`
	// The day of birth, as YYYY-MM-DD; 0000 for a year that is not told, or the year alone.
	Birthdate string `yaml:"birthdate"`
	// The time zone, such as Europe/Paris.
	ZoneInfo string `yaml:"zoneinfo"`
	// The telephone number, such as +49 30 123456.
	Phone string `yaml:"phone_number"`
	// Whether the telephone number is known to be theirs.
	PhoneVerified bool `yaml:"phone_number_verified"`
	// Where the user is reached by letter.
	Address Address `yaml:"address"`
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

// Address is where somebody is reached by letter.
type Address struct {
	// All of it, as it stands on a letter, with line breaks.
	Formatted string `yaml:"formatted"`
	// Street and number, with line breaks if need be.
	StreetAddress string `yaml:"street_address"`
	// City or village.
	Locality string `yaml:"locality"`
	// State, province or region.
	Region string `yaml:"region"`
	// The postal code.
	PostalCode string `yaml:"postal_code"`
	// The country.
	Country string `yaml:"country"`
}

// Client is an application that people log in to.
type Client struct {
	// The client_id.
	ID string `yaml:"id" required:"true"`
	// What people know the application as. Without one it is the id.
	Name string `yaml:"name"`
	// A bundle of rules: standard is OAuth 2.1 with PKCE; openid is what the OpenID certification asks for, which lets single rules be relaxed; fapi1 is FAPI 1.0 Advanced and FAPI-CIBA, fapi2 the FAPI 2.0 Security Profile.
	Profile string `yaml:"profile" default:"standard" enum:"standard|openid|fapi1|fapi2"`
	// The client secret.
	Secret secret.Value `yaml:"secret"`
	// Several secrets, all of which are accepted, while one takes over from another.
	Secrets []secret.Value `yaml:"secrets"`
	// A client that cannot keep a secret: an application in a browser, on a phone, on a desktop.
	Public bool `yaml:"public"`
	// How the client proves who it is. Without one it is none for a public client, private_key_jwt with jwks alone, and client_secret_basic otherwise.
	AuthMethod string `yaml:"auth_method" enum:"client_secret_basic|client_secret_post|client_secret_jwt|private_key_jwt|tls_client_auth|self_signed_tls_client_auth|none"`
	// The algorithm that the client signs its assertions with, for private_key_jwt and client_secret_jwt. Without one: any that is supported.
	AuthSigningAlg string `yaml:"auth_signing_alg" enum:"RS256|PS256|ES256|ES384|EdDSA|HS256"`
	// The public keys of the client, as a JWK Set: those that verify what it signs, and those to encrypt for it.
	JWKS strict.Object `yaml:"jwks"`
	// Where the client publishes its public keys, instead of jwks, so that it can replace them by itself.
	JWKSURI string `yaml:"jwks_uri" format:"uri"`
	// For tls_client_auth: the subject of the client's certificate, as in CN=app,O=Example (RFC 4514).
	TLSSubjectDN string `yaml:"tls_client_auth_subject_dn"`
	// For tls_client_auth: a DNS name in the client's certificate.
	TLSSANDNS string `yaml:"tls_client_auth_san_dns"`
	// For tls_client_auth: a URI in the client's certificate.
	TLSSANURI string `yaml:"tls_client_auth_san_uri"`
	// For tls_client_auth: an IP address in the client's certificate.
	TLSSANIP string `yaml:"tls_client_auth_san_ip"`
	// For tls_client_auth: a mail address in the client's certificate.
	TLSSANEmail string `yaml:"tls_client_auth_san_email"`
	// Where a browser may be sent back to; compared character by character.
	RedirectURIs []string `yaml:"redirect_uris"`
	// Where a browser may be sent to after logging out.
	PostLogoutRedirectURIs []string `yaml:"post_logout_redirect_uris"`
	// Where request objects of the client are, for requests that name one (OpenID Connect Core, section 6.2).
	RequestURIs []string `yaml:"request_uris"`
	// What an authorization may end in. Without any: code, if the client has the grant type authorization_code. Others than code need the profile openid or fapi1.
	ResponseTypes []string `yaml:"response_types" enum:"code|id_token|id_token token|code id_token|code token|code id_token token"`
	// What the client may ask tokens for. Of these password needs the profile openid, and is served only with password_grant.
	GrantTypes []string `yaml:"grant_types" default:"authorization_code,refresh_token" enum:"authorization_code|refresh_token|client_credentials|implicit|urn:ietf:params:oauth:grant-type:device_code|urn:openid:params:grant-type:ciba|urn:ietf:params:oauth:grant-type:token-exchange|urn:ietf:params:oauth:grant-type:jwt-bearer|password"`
	// The scopes that the client may ask for. Without any: openid, profile, email, groups and offline_access.
	Scopes []string `yaml:"scopes"`
	// The resource servers, by URI, that the client may ask access tokens for (RFC 8707).
	Resources []string `yaml:"resources"`
	// The types of authorization details that the client may ask for (RFC 9396).
	AuthorizationDetailsTypes []string `yaml:"authorization_details_types"`
	// An application of your own: nobody is asked for consent.
	Trusted bool `yaml:"trusted"`
	// The ids of the clients that may ask for tokens meant for this one.
	TrustedPeers []string `yaml:"trusted_peers"`
	// Other authorization servers, to which people log in by this one: the client may ask for assertions that get it access there in their name (ID-JAG). Each has an issuer, the client_id that this client has there, and the scopes that it may ask for there; nobody is asked for consent.
	IDJAGAudiences []IDJAGAudience `yaml:"id_jag_audiences"`
	// The ids of the connectors that people may come by. Without any: all.
	Connectors []string `yaml:"connectors"`
	// Only members of one of these groups may log in. Without any: everybody.
	Groups []string `yaml:"groups"`
	// The algorithm of ID tokens; PS256, ES256 or EdDSA with the profiles fapi1 and fapi2.
	IDTokenAlg string `yaml:"id_token_alg" default:"RS256" enum:"RS256|PS256|ES256|EdDSA"`
	// Encrypt ID tokens for the client: how their key is.
	IDTokenEncryptionAlg string `yaml:"id_token_encryption_alg" enum:"RSA-OAEP|RSA-OAEP-256|ECDH-ES|ECDH-ES+A128KW|ECDH-ES+A256KW"`
	// Encrypt ID tokens for the client: how their content is. Without one: A128CBC-HS256.
	IDTokenEncryptionEnc string `yaml:"id_token_encryption_enc" enum:"A128CBC-HS256|A256CBC-HS512|A128GCM|A256GCM"`
	// Sign userinfo answers in this algorithm. Without one they are plain JSON.
	UserinfoAlg string `yaml:"userinfo_alg" enum:"RS256|PS256|ES256|EdDSA"`
	// Encrypt userinfo answers for the client: how their key is.
	UserinfoEncryptionAlg string `yaml:"userinfo_encryption_alg" enum:"RSA-OAEP|RSA-OAEP-256|ECDH-ES|ECDH-ES+A128KW|ECDH-ES+A256KW"`
	// Encrypt userinfo answers for the client: how their content is. Without one: A128CBC-HS256.
	UserinfoEncryptionEnc string `yaml:"userinfo_encryption_enc" enum:"A128CBC-HS256|A256CBC-HS512|A128GCM|A256GCM"`
	// The algorithm that the client signs its request objects with. Without one: any that is supported; none only with the profile openid.
	RequestObjectAlg string `yaml:"request_object_alg" enum:"none|RS256|PS256|ES256|ES384|EdDSA"`
	// How the client encrypts its request objects: the key.
	RequestObjectEncryptionAlg string `yaml:"request_object_encryption_alg" enum:"RSA-OAEP|RSA-OAEP-256|ECDH-ES|ECDH-ES+A128KW|ECDH-ES+A256KW"`
	// How the client encrypts its request objects: the content. Without one: any.
	RequestObjectEncryptionEnc string `yaml:"request_object_encryption_enc" enum:"A128CBC-HS256|A256CBC-HS512|A128GCM|A256GCM"`
	// The algorithm of authorization responses in the response modes jwt (JARM). Without one: that of ID tokens.
	ResponseAlg string `yaml:"response_alg" enum:"RS256|PS256|ES256|EdDSA"`
	// Encrypt such responses for the client: how their key is.
	ResponseEncryptionAlg string `yaml:"response_encryption_alg" enum:"RSA-OAEP|RSA-OAEP-256|ECDH-ES|ECDH-ES+A128KW|ECDH-ES+A256KW"`
	// Encrypt such responses for the client: how their content is. Without one: A128CBC-HS256.
	ResponseEncryptionEnc string `yaml:"response_encryption_enc" enum:"A128CBC-HS256|A256CBC-HS512|A128GCM|A256GCM"`
	// Sign introspection answers in this algorithm (RFC 9701). Without one they are plain JSON.
	IntrospectionAlg string `yaml:"introspection_alg" enum:"RS256|PS256|ES256|EdDSA"`
	// Encrypt introspection answers for the client: how their key is.
	IntrospectionEncryptionAlg string `yaml:"introspection_encryption_alg" enum:"RSA-OAEP|RSA-OAEP-256|ECDH-ES|ECDH-ES+A128KW|ECDH-ES+A256KW"`
	// Encrypt introspection answers for the client: how their content is. Without one: A128CBC-HS256.
	IntrospectionEncryptionEnc string `yaml:"introspection_encryption_enc" enum:"A128CBC-HS256|A256CBC-HS512|A128GCM|A256GCM"`
	// Whether all clients know a person by one subject, or those of each sector by another, so that they cannot compare whom they know.
	SubjectType string `yaml:"subject_type" enum:"public|pairwise"`
	// A document that lists the redirect URIs of all clients of a sector, which share pairwise subjects. Without one the sector is the host of the redirect URIs.
	SectorIdentifierURI string `yaml:"sector_identifier_uri" format:"uri"`
	// How long ago a person may have logged in, if the client does not say.
	DefaultMaxAge *time.Duration `yaml:"default_max_age"`
	// ID tokens must say when the person logged in. They always do.
	RequireAuthTime bool `yaml:"require_auth_time"`
	// The authentication context classes that are asked for, if the client does not say.
	DefaultACRValues []string `yaml:"default_acr_values"`
	// Where the application begins a login by itself, for whoever sends people there.
	InitiateLoginURI string `yaml:"initiate_login_uri" format:"uri"`
	// The page of the application that is shown in a frame when a session ends, so that it ends its own (OpenID Connect Front-Channel Logout).
	FrontchannelLogoutURI string `yaml:"frontchannel_logout_uri" format:"uri"`
	// The page needs to know which session of which issuer.
	FrontchannelLogoutSessionRequired bool `yaml:"frontchannel_logout_session_required"`
	// Where the application is told that a session has ended (OpenID Connect Back-Channel Logout).
	BackchannelLogoutURI string `yaml:"backchannel_logout_uri" format:"uri"`
	// It needs to know which session.
	BackchannelLogoutSessionRequired bool `yaml:"backchannel_logout_session_required"`
	// How the client hears of a backchannel authentication (CIBA).
	CIBAMode string `yaml:"ciba_mode" enum:"poll|ping|push"`
	// Where the client is notified, for the mode ping.
	CIBANotificationEndpoint string `yaml:"ciba_notification_endpoint" format:"uri"`
	// The algorithm that the client signs backchannel authentication requests with. Without one they need not be signed, except with the profile fapi1.
	CIBARequestAlg string `yaml:"ciba_request_alg" enum:"RS256|PS256|ES256|ES384|EdDSA"`
	// An application on the person's own device: the port of a loopback redirect URI is free, and a scheme of its own is allowed (RFC 8252).
	Native bool `yaml:"native"`
	// The origins, such as https://app.example.com, whose scripts may call the token and userinfo endpoints.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// The application's privacy policy, shown when consent is asked.
	PolicyURL string `yaml:"policy_url" format:"uri"`
	// The application's terms of service, shown when consent is asked.
	TermsURL string `yaml:"terms_url" format:"uri"`
	// The application's logo, shown when somebody logs in to it.
	LogoURL string `yaml:"logo_url" format:"uri"`
	// The application's own page.
	HomeURL string `yaml:"home_url" format:"uri"`
	// Who answers for the application: mail addresses.
	Contacts []string `yaml:"contacts"`
	// What software the client is, for whoever registers many of its kind.
	SoftwareID string `yaml:"software_id"`
	// Which version of it.
	SoftwareVersion string `yaml:"software_version"`
	// Demand PKCE. It can be set to false only with the profile openid, and not for a public client.
	RequirePKCE *bool `yaml:"require_pkce"`
	// Take authorization requests only if they were pushed (RFC 9126).
	RequirePAR *bool `yaml:"require_par"`
	// Take authorization requests only if they are signed (RFC 9101).
	RequireSignedRequest bool `yaml:"require_signed_request"`
	// Bind access tokens to the certificate that the client connects with (RFC 8705).
	CertificateBoundTokens bool `yaml:"certificate_bound_tokens"`
	// Bind access tokens to a key that the client proves to have (DPoP, RFC 9449).
	DPoPBoundTokens bool `yaml:"dpop_bound_tokens"`
	// Share logins with the clients of the same group: applications of one maker on one device (OpenID Connect Native SSO). Of two clients of a group the one that somebody has logged in to by the scope device_sso lets the other in, if that has the grant type urn:ietf:params:oauth:grant-type:token-exchange.
	NativeSSOGroup string `yaml:"native_sso_group"`
	// Instead of expiry.refresh_grace.
	RefreshGrace *time.Duration `yaml:"refresh_grace"`
	// What the client's access tokens look like: jwt, which resource servers read by themselves (RFC 9068), or opaque, so that they have to ask by introspection. Without one: jwt.
	AccessTokenFormat string `yaml:"access_token_format" enum:"jwt|opaque"`
	// Instead of expiry.access_tokens.
	AccessTokenTTL time.Duration `yaml:"access_token_ttl"`
	// Instead of expiry.id_tokens.
	IDTokenTTL time.Duration `yaml:"id_token_ttl"`
	// Refuse this client, and whatever came of earlier logins.
	Disabled bool `yaml:"disabled"`

	withheld []string // settings that are set and not told
}

// IDJAGAudience is another authorization server that identity assertions are for.
type IDJAGAudience struct {
	// Its issuer, as its own metadata say it.
	Issuer string `yaml:"issuer" required:"true" format:"uri"`
	// As which client this one is known there.
	ClientID string `yaml:"client_id" required:"true"`
	// The scopes that the client may ask for there. Without any none is named, and the other server decides.
	Scopes []string `yaml:"scopes"`
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
