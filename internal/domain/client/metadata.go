package client

import (
	"slices"

	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// Offer is what this server has for clients: what they can be registered for, and what
// discovery says that there is.
type Offer struct {
	GrantTypes    []string
	ResponseTypes []oauth.ResponseType
	AuthMethods   []oauth.AuthMethod
	SubjectTypes  []SubjectType
	Signing       []jose.Algorithm // of what we sign for clients
	Encryption    Encryptions      // of what we encrypt for clients
	Decryption    Encryptions      // of what clients encrypt for us
	Modes         []oauth.ResponseMode
	Requests      []jose.Algorithm // of request objects; "none" among them if they may be unsigned
	Userinfo      bool             // userinfo may be signed
	Introspection bool             // introspection may be signed, RFC 9701
	Backchannel   []string         // the modes of delivery, CIBA section 4; none if there is no such endpoint
	DetailsTypes  []string         // of authorization details, RFC 9396
}

// Encryptions are ways to encrypt. Without any there is no encryption.
type Encryptions struct {
	Algs []jose.KeyManagement
	Encs []jose.ContentEncryption
}

// Metadatum is one thing that is known of a client. It has up to three names: in
// registration, in the files and the API of operators, and, for what there is to choose
// from, in discovery. All four read this one table.
type Metadatum struct {
	Name    string // in registration
	Setting string // in files and over the administrators' API
	Is      string // what it says, for whoever has to fill it in
	Spec    string // where it is specified
	// Listed are the members of discovery that list the values.
	Listed []string
	// Values are those that the server offers; nil if anything goes.
	Values func(o Offer) []string

	// at is where it stands in a client: a pointer that JSON can be read into.
	at func(c *Client) any
}

// The specifications, as they are cited.
const (
	rfc7591   = "RFC 7591, 2"
	oidcReg   = "OpenID Connect Registration, 2"
	oidcRP    = "OpenID Connect RP-Initiated Logout, 3.1"
	oidcFront = "OpenID Connect Front-Channel Logout, 2"
	oidcBack  = "OpenID Connect Back-Channel Logout, 2.2"
	rfc8705   = "RFC 8705"
	jarm      = "JARM, 3"
	rfc9701   = "RFC 9701, 6"
	ciba      = "CIBA, 4"
)

// Metadata is all that a client can say of itself.
var Metadata = []Metadatum{
	{
		Name: "client_name", Setting: "name", Is: "what people know it as", Spec: rfc7591,
		at: func(c *Client) any { return &c.Name },
	},
	{
		Name: "redirect_uris", Setting: "redirect_uris", Is: "where a browser may be sent back to", Spec: rfc7591,
		at: func(c *Client) any { return &c.RedirectURIs },
	},
	{
		Name: "application_type", Setting: "native", Is: "whether it runs on people's own devices", Spec: oidcReg,
		Values: these("web", "native"), at: func(c *Client) any { return &applicationType{&c.Native} },
	},
	{
		Name: "token_endpoint_auth_method", Setting: "auth_method", Is: "how it proves who it is", Spec: rfc7591,
		Listed: []string{"token_endpoint_auth_methods_supported"},
		Values: func(o Offer) []string { return texts(o.AuthMethods) },
		at:     func(c *Client) any { return &c.AuthMethod },
	},
	{
		Name: "token_endpoint_auth_signing_alg", Setting: "auth_signing_alg", Is: "the algorithm of its assertions", Spec: oidcReg,
		Listed: []string{"token_endpoint_auth_signing_alg_values_supported"},
		Values: func(Offer) []string { return texts(AssertionAlgs()) },
		at:     func(c *Client) any { return &c.AuthAlg },
	},
	{
		Name: "tls_client_auth_subject_dn", Setting: "tls_client_auth_subject_dn", Is: "the name in its certificate", Spec: rfc8705 + ", 2.1.2",
		at: func(c *Client) any { return &c.TLSAuth.SubjectDN },
	},
	{
		Name: "tls_client_auth_san_dns", Setting: "tls_client_auth_san_dns", Is: "the DNS name in its certificate", Spec: rfc8705 + ", 2.1.2",
		at: func(c *Client) any { return &c.TLSAuth.SANDNS },
	},
	{
		Name: "tls_client_auth_san_uri", Setting: "tls_client_auth_san_uri", Is: "the URI in its certificate", Spec: rfc8705 + ", 2.1.2",
		at: func(c *Client) any { return &c.TLSAuth.SANURI },
	},
	{
		Name: "tls_client_auth_san_ip", Setting: "tls_client_auth_san_ip", Is: "the IP address in its certificate", Spec: rfc8705 + ", 2.1.2",
		at: func(c *Client) any { return &c.TLSAuth.SANIP },
	},
	{
		Name: "tls_client_auth_san_email", Setting: "tls_client_auth_san_email", Is: "the e-mail address in its certificate", Spec: rfc8705 + ", 2.1.2",
		at: func(c *Client) any { return &c.TLSAuth.SANEmail },
	},
	{
		Name: "jwks", Setting: "jwks", Is: "its public keys", Spec: rfc7591,
		at: func(c *Client) any { return &keySet{c} },
	},
	{
		Name: "jwks_uri", Setting: "jwks_uri", Is: "where its public keys are", Spec: rfc7591,
		at: func(c *Client) any { return &c.JWKSURI },
	},
	{
		Name: "grant_types", Setting: "grant_types", Is: "what it may ask tokens for", Spec: rfc7591,
		Listed: []string{"grant_types_supported"},
		Values: func(o Offer) []string { return o.GrantTypes },
		at:     func(c *Client) any { return &c.GrantTypes },
	},
	{
		Name: "response_types", Setting: "response_types", Is: "what the authorization endpoint may answer it with", Spec: rfc7591,
		Listed: []string{"response_types_supported"},
		Values: func(o Offer) []string { return texts(o.ResponseTypes) },
		at:     func(c *Client) any { return &responseTypes{&c.ResponseTypes} },
	},
	{
		Name: "scope", Setting: "scopes", Is: "the scopes that it may ask for", Spec: rfc7591,
		at: func(c *Client) any { return &spaced{&c.Scopes} },
	},
	{
		Name: "authorization_details_types", Setting: "authorization_details_types", Is: "the types of authorization details that it may ask for", Spec: "RFC 9396, 10",
		Listed: []string{"authorization_details_types_supported"},
		Values: func(o Offer) []string { return o.DetailsTypes },
		at:     func(c *Client) any { return &c.DetailsTypes },
	},
	{
		Name: "post_logout_redirect_uris", Setting: "post_logout_redirect_uris", Is: "where a browser may be sent to after logging out", Spec: oidcRP,
		at: func(c *Client) any { return &c.PostLogoutRedirectURIs },
	},
	{
		Name: "request_uris", Setting: "request_uris", Is: "where its request objects are", Spec: oidcReg,
		at: func(c *Client) any { return &c.RequestURIs },
	},
	{
		Name: "request_object_signing_alg", Setting: "request_object_alg", Is: "the algorithm of its request objects", Spec: oidcReg,
		Listed: []string{"request_object_signing_alg_values_supported"},
		Values: func(o Offer) []string { return texts(o.Requests) },
		at:     func(c *Client) any { return &c.RequestObjectAlg },
	},
	{
		Name: "request_object_encryption_alg", Setting: "request_object_encryption_alg", Is: "how the keys of its request objects are encrypted", Spec: oidcReg,
		Listed: []string{"request_object_encryption_alg_values_supported"},
		Values: func(o Offer) []string { return texts(o.Decryption.Algs) },
		at:     func(c *Client) any { return &c.RequestObjectEncryption.Alg },
	},
	{
		Name: "request_object_encryption_enc", Setting: "request_object_encryption_enc", Is: "how its request objects are encrypted", Spec: oidcReg,
		Listed: []string{"request_object_encryption_enc_values_supported"},
		Values: func(o Offer) []string { return texts(o.Decryption.Encs) },
		at:     func(c *Client) any { return &c.RequestObjectEncryption.Enc },
	},
	{
		Name: "require_pushed_authorization_requests", Setting: "require_par", Is: "it pushes all its authorization requests", Spec: "RFC 9126, 6",
		at: func(c *Client) any { return &c.RequirePAR },
	},
	{
		Name: "require_signed_request_object", Setting: "require_signed_request", Is: "it signs all its authorization requests", Spec: "RFC 9101, 10.5",
		at: func(c *Client) any { return &c.RequireSignedRequest },
	},
	{
		Name: "subject_type", Setting: "subject_type", Is: "whether others know a person by the same name", Spec: oidcReg,
		Listed: []string{"subject_types_supported"},
		Values: func(o Offer) []string { return texts(o.SubjectTypes) },
		at:     func(c *Client) any { return &c.SubjectType },
	},
	{
		Name: "sector_identifier_uri", Setting: "sector_identifier_uri", Is: "the list of all its redirect URIs, whose host is its sector", Spec: oidcReg,
		at: func(c *Client) any { return &c.SectorURI },
	},
	{
		Name: "id_token_signed_response_alg", Setting: "id_token_alg", Is: "the algorithm of its ID tokens", Spec: oidcReg,
		Listed: []string{"id_token_signing_alg_values_supported"},
		Values: func(o Offer) []string { return texts(o.Signing) },
		at:     func(c *Client) any { return &c.IDTokenAlg },
	},
	{
		Name: "id_token_encrypted_response_alg", Setting: "id_token_encryption_alg", Is: "how the keys of its ID tokens are encrypted", Spec: oidcReg,
		Listed: []string{"id_token_encryption_alg_values_supported"},
		Values: func(o Offer) []string { return texts(o.Encryption.Algs) },
		at:     func(c *Client) any { return &c.IDTokenEncryption.Alg },
	},
	{
		Name: "id_token_encrypted_response_enc", Setting: "id_token_encryption_enc", Is: "how its ID tokens are encrypted", Spec: oidcReg,
		Listed: []string{"id_token_encryption_enc_values_supported"},
		Values: func(o Offer) []string { return texts(o.Encryption.Encs) },
		at:     func(c *Client) any { return &c.IDTokenEncryption.Enc },
	},
	{
		Name: "userinfo_signed_response_alg", Setting: "userinfo_alg", Is: "the algorithm of userinfo, if it is signed", Spec: oidcReg,
		Listed: []string{"userinfo_signing_alg_values_supported"},
		Values: func(o Offer) []string { return signedIf(o.Userinfo, o) },
		at:     func(c *Client) any { return &c.UserinfoAlg },
	},
	{
		Name: "userinfo_encrypted_response_alg", Setting: "userinfo_encryption_alg", Is: "how the keys of userinfo are encrypted", Spec: oidcReg,
		Listed: []string{"userinfo_encryption_alg_values_supported"},
		Values: func(o Offer) []string { return given(o.Userinfo, texts(o.Encryption.Algs)) },
		at:     func(c *Client) any { return &c.UserinfoEncryption.Alg },
	},
	{
		Name: "userinfo_encrypted_response_enc", Setting: "userinfo_encryption_enc", Is: "how userinfo is encrypted", Spec: oidcReg,
		Listed: []string{"userinfo_encryption_enc_values_supported"},
		Values: func(o Offer) []string { return given(o.Userinfo, texts(o.Encryption.Encs)) },
		at:     func(c *Client) any { return &c.UserinfoEncryption.Enc },
	},
	{
		Name: "authorization_signed_response_alg", Setting: "response_alg", Is: "the algorithm of its authorization responses, if they are signed", Spec: jarm,
		Listed: []string{"authorization_signing_alg_values_supported"},
		Values: func(o Offer) []string { return signedIf(o.jarm(), o) },
		at:     func(c *Client) any { return &c.ResponseAlg },
	},
	{
		Name: "authorization_encrypted_response_alg", Setting: "response_encryption_alg", Is: "how the keys of its authorization responses are encrypted", Spec: jarm,
		Listed: []string{"authorization_encryption_alg_values_supported"},
		Values: func(o Offer) []string { return given(o.jarm(), texts(o.Encryption.Algs)) },
		at:     func(c *Client) any { return &c.ResponseEncryption.Alg },
	},
	{
		Name: "authorization_encrypted_response_enc", Setting: "response_encryption_enc", Is: "how its authorization responses are encrypted", Spec: jarm,
		Listed: []string{"authorization_encryption_enc_values_supported"},
		Values: func(o Offer) []string { return given(o.jarm(), texts(o.Encryption.Encs)) },
		at:     func(c *Client) any { return &c.ResponseEncryption.Enc },
	},
	{
		Name: "introspection_signed_response_alg", Setting: "introspection_alg", Is: "the algorithm of introspection, if it is signed", Spec: rfc9701,
		Listed: []string{"introspection_signing_alg_values_supported"},
		Values: func(o Offer) []string { return signedIf(o.Introspection, o) },
		at:     func(c *Client) any { return &c.IntrospectionAlg },
	},
	{
		Name: "introspection_encrypted_response_alg", Setting: "introspection_encryption_alg", Is: "how the keys of introspection are encrypted", Spec: rfc9701,
		Listed: []string{"introspection_encryption_alg_values_supported"},
		Values: func(o Offer) []string { return given(o.Introspection, texts(o.Encryption.Algs)) },
		at:     func(c *Client) any { return &c.IntrospectionEncryption.Alg },
	},
	{
		Name: "introspection_encrypted_response_enc", Setting: "introspection_encryption_enc", Is: "how introspection is encrypted", Spec: rfc9701,
		Listed: []string{"introspection_encryption_enc_values_supported"},
		Values: func(o Offer) []string { return given(o.Introspection, texts(o.Encryption.Encs)) },
		at:     func(c *Client) any { return &c.IntrospectionEncryption.Enc },
	},
	{
		Name: "tls_client_certificate_bound_access_tokens", Setting: "certificate_bound_tokens", Is: "its access tokens are bound to its certificate", Spec: rfc8705 + ", 3.4",
		at: func(c *Client) any { return &c.CertificateBound },
	},
	{
		Name: "dpop_bound_access_tokens", Setting: "dpop_bound_tokens", Is: "its access tokens are bound to a key of its own", Spec: "RFC 9449, 5.2",
		at: func(c *Client) any { return &c.DPoPBound },
	},
	{
		Name: "default_max_age", Setting: "default_max_age", Is: "how long ago a person may have logged in, in seconds", Spec: oidcReg,
		at: func(c *Client) any { return &c.DefaultMaxAge },
	},
	{
		Name: "require_auth_time", Setting: "require_auth_time", Is: "its ID tokens say when the person logged in, which all do", Spec: oidcReg,
		at: func(c *Client) any { return &c.RequireAuthTime },
	},
	{
		Name: "default_acr_values", Setting: "default_acr_values", Is: "how people should log in", Spec: oidcReg,
		at: func(c *Client) any { return &c.DefaultACR },
	},
	{
		Name: "initiate_login_uri", Setting: "initiate_login_uri", Is: "where a login of it can be begun from elsewhere", Spec: oidcReg,
		at: func(c *Client) any { return &c.InitiateLoginURI },
	},
	{
		Name: "frontchannel_logout_uri", Setting: "frontchannel_logout_uri", Is: "what a browser opens when somebody logs out", Spec: oidcFront,
		at: func(c *Client) any { return &c.FrontchannelLogoutURI },
	},
	{
		Name: "frontchannel_logout_session_required", Setting: "frontchannel_logout_session_required", Is: "and that it names the session", Spec: oidcFront,
		at: func(c *Client) any { return &c.FrontchannelLogoutSession },
	},
	{
		Name: "backchannel_logout_uri", Setting: "backchannel_logout_uri", Is: "where we tell it that somebody has logged out", Spec: oidcBack,
		at: func(c *Client) any { return &c.BackchannelLogoutURI },
	},
	{
		Name: "backchannel_logout_session_required", Setting: "backchannel_logout_session_required", Is: "and of which session", Spec: oidcBack,
		at: func(c *Client) any { return &c.BackchannelLogoutSession },
	},
	{
		Name: "backchannel_token_delivery_mode", Setting: "ciba_mode", Is: "how it hears of somebody who is asked elsewhere", Spec: ciba,
		Listed: []string{"backchannel_token_delivery_modes_supported"},
		Values: func(o Offer) []string { return o.Backchannel },
		at:     func(c *Client) any { return &c.Backchannel.Mode },
	},
	{
		Name: "backchannel_client_notification_endpoint", Setting: "ciba_notification_endpoint", Is: "where it hears of it", Spec: ciba,
		at: func(c *Client) any { return &c.Backchannel.Endpoint },
	},
	{
		Name: "backchannel_authentication_request_signing_alg", Setting: "ciba_request_alg", Is: "the algorithm of its requests to ask somebody elsewhere", Spec: ciba,
		Listed: []string{"backchannel_authentication_request_signing_alg_values_supported"},
		Values: func(o Offer) []string { return given(len(o.Backchannel) > 0, texts(fapiAlgorithms)) },
		at:     func(c *Client) any { return &c.Backchannel.RequestAlg },
	},
	{
		Name: "logo_uri", Setting: "logo_url", Is: "its logo", Spec: rfc7591,
		at: func(c *Client) any { return &c.LogoURL },
	},
	{
		Name: "client_uri", Setting: "home_url", Is: "its home page", Spec: rfc7591,
		at: func(c *Client) any { return &c.HomeURL },
	},
	{
		Name: "policy_uri", Setting: "policy_url", Is: "its privacy policy", Spec: rfc7591,
		at: func(c *Client) any { return &c.PolicyURL },
	},
	{
		Name: "tos_uri", Setting: "terms_url", Is: "its terms of service", Spec: rfc7591,
		at: func(c *Client) any { return &c.TermsURL },
	},
	{
		Name: "contacts", Setting: "contacts", Is: "who is responsible for it", Spec: rfc7591,
		at: func(c *Client) any { return &c.Contacts },
	},
	{
		Name: "software_id", Setting: "software_id", Is: "of which software it is an installation", Spec: rfc7591,
		at: func(c *Client) any { return &c.SoftwareID },
	},
	{
		Name: "software_version", Setting: "software_version", Is: "in which version", Spec: rfc7591,
		at: func(c *Client) any { return &c.SoftwareVersion },
	},
}

// Supported are the members of discovery that list what clients may choose from. What
// there is nothing of is not listed.
func (o Offer) Supported() map[string][]string {
	all := map[string][]string{}
	for _, m := range Metadata {
		if m.Values == nil {
			continue
		}
		if values := m.Values(o); len(values) > 0 {
			for _, name := range m.Listed {
				all[name] = values
			}
		}
	}
	return all
}

// jarm reports whether authorization responses may be signed.
func (o Offer) jarm() bool { return slices.Contains(o.Modes, "jwt") }

// signedIf are the algorithms of something that is signed only if it is offered.
func signedIf(offered bool, o Offer) []string { return given(offered, texts(o.Signing)) }

func given(offered bool, values []string) []string {
	if !offered {
		return []string{}
	}
	return values
}

// these are values that do not depend on what is offered.
func these(values ...string) func(Offer) []string {
	return func(Offer) []string { return values }
}

// texts are values as texts. There may be none of them, which is not to say that
// anything goes.
func texts[T ~string](values []T) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	return all
}
