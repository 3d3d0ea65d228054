// Package route names the paths of the public server, all in one place. Flows do
// not import one another: they hand over by sending the browser to a route.
package route

// The paths, relative to the issuer.
const (
	Home            = "/"
	Discovery       = "/.well-known/openid-configuration"
	OAuthMetadata   = "/.well-known/oauth-authorization-server"
	Keys            = "/keys"
	ConnectorKeys   = "/keys/{connector}" // ours, by which a connector proves who we are
	Authorize       = "/authorize"
	Consent         = "/consent"
	Login           = "/login"                // the chooser, or straight on to the only connector
	LoginConnector  = "/login/{connector}"    // begin with this connector; its form is posted back here
	Callback        = "/callback/{connector}" // where an upstream provider sends the browser
	Device          = "/device"               // a code on one screen, a login on another
	Token           = "/token"
	PushRequest     = "/par"
	DeviceRequest   = "/device_authorization"
	Userinfo        = "/userinfo"
	Register        = "/register"          // clients register themselves, RFC 7591
	RegisterClient  = "/register/{client}" // … and manage that, RFC 7592
	WebFinger       = "/.well-known/webfinger"
	ProtectedUser   = "/.well-known/oauth-protected-resource/userinfo" // RFC 9728
	Revoke          = "/revoke"
	Introspect      = "/introspect"
	Logout          = "/logout"
	LogoutConfirm   = "/logout/confirm"
	CheckSession    = "/check_session"               // a frame of ours on applications' pages
	AccountPassword = "/account/password"            // choose a password by a link
	LogoutDone      = "/logout/done"                 // the browser comes back from the upstream's logout
	LogoutUpstream  = "/logout/upstream/{connector}" // an upstream provider says that somebody has signed out there
	Static          = "/static/"
	Live            = "/livez"
	Ready           = "/readyz"
	Approvals       = "/approvals" // what waits for the word of whoever is signed in
	Backchannel     = "/backchannel_authentication"
)
