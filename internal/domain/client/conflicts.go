package client

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"dex/internal/protocol/certificate"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// Conflict is a setting of a client that contradicts another, or its profile.
type Conflict struct {
	Setting string // as in [Metadatum]
	Item    int    // of a list; negative for the whole setting
	Because string // begins with a verb, as a sentence about the setting does
}

// Place is the setting, with the item that is meant.
func (c Conflict) Place() string {
	if c.Item < 0 {
		return c.Setting
	}
	return fmt.Sprintf("%s[%d]", c.Setting, c.Item)
}

// conflicts gathers conflicts.
type conflicts []Conflict

func (all *conflicts) add(setting, format string, args ...any) {
	*all = append(*all, Conflict{Setting: setting, Item: -1, Because: fmt.Sprintf(format, args...)})
}

func (all *conflicts) item(setting string, i int, format string, args ...any) {
	*all = append(*all, Conflict{Setting: setting, Item: i, Because: fmt.Sprintf(format, args...)})
}

// Conflicts says what of a client contradicts the rest of it, or its profile. A client
// is made only if nothing does, whether a file declares it, an operator's request or
// the client itself.
func Conflicts(c Client) []Conflict {
	var found conflicts
	d := c.Profile.Demands()
	found.proofs(c, d)
	found.grants(c, d)
	found.requests(c, d)
	found.answers(c, d)
	found.assertions(c)
	found.bindings(c, d)
	found.places(c)
	return found
}

// proofs looks at how the client proves who it is.
func (all *conflicts) proofs(c Client, d Demands) {
	hasKeys := len(c.Keys) > 0 || len(c.EncryptionKeys) > 0
	byKey := len(c.Keys) > 0 || c.JWKSURI != ""
	switch m := c.AuthMethod; {
	case c.Public && m != oauth.AuthNone:
		all.add("auth_method", "must be none, since the client is public")
	case !c.Public && m == oauth.AuthNone:
		all.add("auth_method", "is none, which is for clients with public: true")
	case !slices.Contains(d.AuthMethods, m):
		all.add("auth_method", "is %s, which the profile %s does not allow: it has %s", m, c.Profile, orList(d.AuthMethods))
	case m == oauth.AuthPrivateKeyJWT && !byKey:
		all.add("jwks", "is not set, and private_key_jwt is verified with it")
	case m == oauth.AuthSelfSignedTLS && !byKey:
		all.add("jwks", "is not set, and self_signed_tls_client_auth looks for the certificate's key in it")
	}
	if hasKeys && c.JWKSURI != "" {
		all.add("jwks_uri", "contradicts jwks: the keys stand in one place")
	}
	symmetric := strings.HasPrefix(string(c.AuthAlg), "HS")
	switch {
	case c.AuthAlg == "":
	case c.AuthMethod == oauth.AuthSecretJWT && !symmetric:
		all.add("auth_signing_alg", "is %s, and client_secret_jwt signs with the secret: HS256", c.AuthAlg)
	case c.AuthMethod != oauth.AuthSecretJWT && symmetric:
		all.add("auth_signing_alg", "is %s, which is for client_secret_jwt", c.AuthAlg)
	case !symmetric && !d.Allows(c.AuthAlg):
		all.algorithm("auth_signing_alg", c.AuthAlg, c, d)
	}
	for i, v := range c.Shared {
		if len(v) < shortestShared {
			all.item("secrets", i, "is too short to sign with: client_secret_jwt needs %d characters at least", shortestShared)
		}
	}
	names := 0
	for _, name := range []string{c.TLSAuth.SubjectDN, c.TLSAuth.SANDNS, c.TLSAuth.SANURI, c.TLSAuth.SANIP, c.TLSAuth.SANEmail} {
		if name != "" {
			names++
		}
	}
	switch {
	case c.AuthMethod == oauth.AuthTLS && names != 1:
		all.add("tls_client_auth_subject_dn", "or one of tls_client_auth_san_dns, _uri, _ip and _email, and only one, says what stands in the certificate of tls_client_auth")
	case names == 1 && certificate.Names(c.TLSAuth).Check() != nil:
		all.add("tls_client_auth_subject_dn", "or whichever name of a certificate is given cannot be read: %s", certificate.Names(c.TLSAuth).Check())
	case c.AuthMethod != oauth.AuthTLS && names > 0:
		all.add("auth_method", "is %s, so that what is said of the certificate would serve nothing: that is for tls_client_auth", c.AuthMethod)
	}
}

// shortestShared is the length of the shortest secret that a client may sign with, RFC
// 7518 section 3.2.
const shortestShared = 32

// The grant types that concern more than the token endpoint.
const (
	grantImplicit = "implicit"
	grantCIBA     = "urn:openid:params:grant-type:ciba"
)

// renewable are the grant types that a refresh token comes of.
var renewable = []string{AuthorizationCode, DeviceCode, grantCIBA, Password}

// grants looks at what the client may ask tokens for, and where its answers go.
func (all *conflicts) grants(c Client, d Demands) {
	if i := slices.Index(c.GrantTypes, ClientCredentials); i >= 0 && c.Public {
		all.item("grant_types", i, "client_credentials is not for a public client, which has none")
	}
	if i := slices.Index(c.GrantTypes, Password); i >= 0 && c.Public {
		all.item("grant_types", i, "password is not for a public client: anybody could ask people for theirs in its name")
	}
	if i := slices.Index(c.GrantTypes, Password); i >= 0 && c.SelfRegistered {
		all.item("grant_types", i, "password is for clients that an operator declares")
	}
	if i := slices.Index(c.GrantTypes, JWTBearer); i >= 0 && c.Public {
		all.item("grant_types", i, "%s is not for a public client: whoever gets hold of an assertion could bring it in its name", JWTBearer)
	}
	if i := slices.Index(c.GrantTypes, RefreshToken); i >= 0 && !slices.ContainsFunc(c.GrantTypes, func(t string) bool {
		return slices.Contains(renewable, t) || t == TokenExchange && c.NativeSSOGroup != ""
	}) {
		all.item("grant_types", i, "refresh_token needs authorization_code or %s, which is how a client gets one", DeviceCode)
	}
	switch i := slices.Index(c.Scopes, oauth.ScopeDevice); {
	case i >= 0 && c.NativeSSOGroup == "":
		all.item("scopes", i, "%s needs native_sso_group, which says with whom the login is shared", oauth.ScopeDevice)
	case i < 0 && c.NativeSSOGroup != "" && !c.May(TokenExchange):
		all.add("native_sso_group", "is set, and the client has neither the scope %s nor the grant type %s to use it with", oauth.ScopeDevice, TokenExchange)
	}
	for i, t := range c.GrantTypes {
		if slices.Contains(d.GrantTypes, t) {
			all.item("grant_types", i, "%s is not for clients of the profile %s", t, c.Profile)
		}
	}
	for i, t := range c.ResponseTypes {
		words := strings.Fields(string(t))
		code := slices.Contains(words, "code")
		switch {
		case !slices.Contains(d.ResponseTypes, t):
			all.item("response_types", i, "%q is not for clients of the profile %s: it has %s", t, c.Profile, orList(d.ResponseTypes))
		case code && !c.May(AuthorizationCode):
			all.item("response_types", i, "%q needs the grant type authorization_code", t)
		case (len(words) > 1 || !code) && !c.May(grantImplicit):
			all.item("response_types", i, "%q needs the grant type implicit, because the authorization endpoint answers with tokens", t)
		}
	}
	for _, t := range []string{AuthorizationCode, grantImplicit} {
		if c.May(t) && len(c.RedirectURIs) == 0 {
			all.add("redirect_uris", "is not set, and %s needs somewhere to send the browser back to", t)
			break
		}
	}
	if c.May(grantImplicit) && len(c.ResponseTypes) == 0 {
		all.add("response_types", "is not set, so that the grant type implicit would serve nothing: say which answers the client may have")
	}
	switch b := c.Backchannel; {
	case c.May(grantCIBA) && c.Public:
		all.add("grant_types", "has %s, which is not for a public client: anybody could ask people in its name", grantCIBA)
	case c.May(grantCIBA) && b.Mode == "":
		all.add("ciba_mode", "is not set, and the grant type %s needs one: poll, ping or push", grantCIBA)
	case !c.May(grantCIBA) && b != Backchannel{}:
		all.add("grant_types", "has no %s, so that what is said of it would serve nothing", grantCIBA)
	case b.Mode == oauth.DeliveryPush && d.Bound:
		all.add("ciba_mode", "is push, which the profile %s does not allow: poll or ping", c.Profile)
	case b.Mode == oauth.DeliveryPush && c.DPoPBound:
		all.add("dpop_bound_tokens", "contradicts ciba_mode: push, where the client proves no key that its tokens could be bound to")
	case b.Mode == oauth.DeliveryPush && c.CertificateBound:
		all.add("certificate_bound_tokens", "contradicts ciba_mode: push, where the client shows no certificate that its tokens could be bound to")
	case (b.Mode == oauth.DeliveryPing || b.Mode == oauth.DeliveryPush) && b.Endpoint == "":
		all.add("ciba_notification_endpoint", "is not set, and the mode %s needs it", b.Mode)
	case b.Mode == oauth.DeliveryPoll && b.Endpoint != "":
		all.add("ciba_notification_endpoint", "is set, and in the mode poll nobody is notified")
	}
}

// requests looks at what the client sends to the authorization endpoint.
func (all *conflicts) requests(c Client, d Demands) {
	switch {
	case c.RequirePKCE:
	case c.Profile != OpenID && d.PKCE:
		all.add("require_pkce", "can be false only with profile: openid")
	case c.Public:
		all.add("require_pkce", "must be true for a public client, which has no other proof that a code is its own")
	}
	asks := c.May(AuthorizationCode) || c.May(grantImplicit)
	if d.PAR && !c.RequirePAR && asks {
		all.add("require_par", "must be true with the profile %s", c.Profile)
	}
	verified := len(c.Keys) > 0 || c.JWKSURI != ""
	switch {
	case c.RequestObjectAlg == unsigned && !d.Unsigned:
		all.add("request_object_alg", "is none, which the profile %s does not allow", c.Profile)
	case c.RequestObjectAlg == unsigned && c.RequireSignedRequest:
		all.add("request_object_alg", "is none, which contradicts require_signed_request")
	case c.RequestObjectAlg != "" && c.RequestObjectAlg != unsigned && !verified, c.RequireSignedRequest && !verified:
		all.add("jwks", "is not set, and signed requests are verified with it")
	case c.RequestObjectAlg != unsigned:
		all.algorithm("request_object_alg", c.RequestObjectAlg, c, d)
	}
	for i, uri := range c.RequestURIs {
		if !secure(uri) || len(uri) > maxRequestURI {
			all.item("request_uris", i, "must be an https URL of %d characters at most", maxRequestURI)
		}
	}
	all.algorithm("ciba_request_alg", c.Backchannel.RequestAlg, c, d)
}

// unsigned is the algorithm of what is not signed.
const unsigned jose.Algorithm = "none"

// maxRequestURI is how long a request_uri may be, OpenID Connect Core section 6.2.
const maxRequestURI = 512

// answers looks at what we sign and encrypt for the client, and whom we tell it of.
func (all *conflicts) answers(c Client, d Demands) {
	for _, signed := range []struct {
		setting string
		alg     jose.Algorithm
	}{
		{"id_token_alg", c.IDTokenAlg}, {"userinfo_alg", c.UserinfoAlg},
		{"response_alg", c.ResponseAlg}, {"introspection_alg", c.IntrospectionAlg},
	} {
		all.algorithm(signed.setting, signed.alg, c, d)
	}
	for _, encrypted := range []struct {
		setting string
		by      Encryption
		ours    bool // we encrypt it
	}{
		{"id_token_encryption", c.IDTokenEncryption, true}, {"userinfo_encryption", c.UserinfoEncryption, true},
		{"response_encryption", c.ResponseEncryption, true}, {"introspection_encryption", c.IntrospectionEncryption, true},
		{"request_object_encryption", c.RequestObjectEncryption, false},
	} {
		switch {
		case encrypted.by.Enc != "" && encrypted.by.Alg == "":
			all.add(encrypted.setting+"_alg", "is not set, and %s_enc is: say how the key is encrypted", encrypted.setting)
		case encrypted.ours && encrypted.by.Alg != "" && !c.canEncrypt(encrypted.by.Alg):
			all.add("jwks", "holds no key to encrypt to with %s, which %s_alg is: add one with \"use\": \"enc\"", encrypted.by.Alg, encrypted.setting)
		}
	}
	if c.SubjectType == SubjectPairwise && c.SectorURI == "" && len(hosts(c.RedirectURIs)) > 1 {
		all.add("sector_identifier_uri", "is not set, and the redirect URIs are on several hosts, so that nobody knows which sector the pairwise subjects are of")
	}
	if c.DefaultMaxAge != nil && *c.DefaultMaxAge < 0 {
		all.add("default_max_age", "must not be negative")
	}
}

// assertions looks at the other authorization servers that the client asks assertions for.
func (all *conflicts) assertions(c Client) {
	const setting = "id_jag_audiences"
	if len(c.IDJAGAudiences) == 0 {
		return
	}
	switch {
	case !c.May(TokenExchange):
		all.add(setting, "needs the grant type %s, by which assertions are asked for", TokenExchange)
	case c.Public:
		all.add(setting, "is not for a public client: whoever gets hold of an ID token could ask in its name")
	case c.SubjectType == SubjectPairwise:
		all.add(setting, "contradicts subject_type: pairwise: the other server knows people by another subject than this client does, so that the assertion would name somebody it has never heard of")
	}
	for i, a := range c.IDJAGAudiences {
		switch {
		case !secure(a.Issuer) && !loopback(a.Issuer) || strings.ContainsAny(a.Issuer, "?#"):
			all.item(setting, i, "must have an issuer that is an https URL without a query and a fragment")
		case a.ClientID == "":
			all.item(setting, i, "has no client_id: say as which client this one is known there")
		case slices.ContainsFunc(c.IDJAGAudiences[:i], func(before IDJAGAudience) bool { return before.Issuer == a.Issuer }):
			all.item(setting, i, "has the issuer of another: one server knows the client by one client_id")
		case slices.ContainsFunc(a.Scopes, noScope):
			all.item(setting, i, "has a scope that is none: visible ASCII characters other than \" and \\, without spaces")
		}
	}
}

// noScope reports whether a text is anything but one scope.
func noScope(s string) bool {
	all, err := oauth.ParseScopes(s)
	return err != nil || len(all) != 1 || all[0] != s
}

// canEncrypt reports whether there is a key to encrypt to in a way, as far as is known
// here: what stands at an address of the client is not.
func (c Client) canEncrypt(alg jose.KeyManagement) bool {
	_, err := jose.EncryptTo(c.EncryptionKeys, alg)
	return err == nil || c.JWKSURI != ""
}

// algorithm notes an algorithm that the profile does not allow.
func (all *conflicts) algorithm(setting string, alg jose.Algorithm, c Client, d Demands) {
	if alg != "" && !d.Allows(alg) {
		all.add(setting, "is %s, which the profile %s does not allow: it has %s", alg, c.Profile, orList(d.Algorithms))
	}
}

// bindings looks at what the access tokens of the client are bound to.
func (all *conflicts) bindings(c Client, d Demands) {
	switch {
	case d.Certificate && !c.CertificateBound:
		all.add("certificate_bound_tokens", "must be true with the profile %s", c.Profile)
	case d.Bound && !c.CertificateBound && !c.DPoPBound:
		all.add("dpop_bound_tokens", "or certificate_bound_tokens must be true with the profile %s", c.Profile)
	}
}

// places looks at the addresses that browsers are sent to, and that we ask or tell
// something.
func (all *conflicts) places(c Client) {
	for _, one := range []struct {
		setting, uri string
		local        bool // plain http within the machine will do
	}{
		{"jwks_uri", c.JWKSURI, true}, {"sector_identifier_uri", c.SectorURI, true},
		{"initiate_login_uri", c.InitiateLoginURI, false},
		{"frontchannel_logout_uri", c.FrontchannelLogoutURI, true}, {"backchannel_logout_uri", c.BackchannelLogoutURI, true},
		{"ciba_notification_endpoint", c.Backchannel.Endpoint, true},
		{"logo_url", c.LogoURL, true}, {"home_url", c.HomeURL, true}, {"policy_url", c.PolicyURL, true}, {"terms_url", c.TermsURL, true},
	} {
		if one.uri != "" && !secure(one.uri) && (!one.local || !loopback(one.uri)) {
			all.add(one.setting, "must be an https URL")
		}
	}
	for _, one := range []struct{ setting, uri string }{
		{"frontchannel_logout_uri", c.FrontchannelLogoutURI}, {"backchannel_logout_uri", c.BackchannelLogoutURI},
	} {
		if strings.Contains(one.uri, "#") {
			all.add(one.setting, "must have no fragment")
		}
	}
	// OpenID Connect Front-Channel Logout, section 2.
	if u := c.FrontchannelLogoutURI; u != "" && !slices.ContainsFunc(c.RedirectURIs, func(r string) bool { return origin(r) == origin(u) }) {
		all.add("frontchannel_logout_uri", "must be on the scheme, host and port of a redirect URI")
	}
	if c.FrontchannelLogoutSession && c.FrontchannelLogoutURI == "" {
		all.add("frontchannel_logout_uri", "is not set, and frontchannel_logout_session_required is")
	}
	if c.BackchannelLogoutSession && c.BackchannelLogoutURI == "" {
		all.add("backchannel_logout_uri", "is not set, and backchannel_logout_session_required is")
	}
}

// secure reports whether a URI is one of https, and leads somewhere.
func secure(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil
}

// loopback reports whether a URI is one of plain http that stays within the machine.
func loopback(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.User != nil {
		return false
	}
	switch u.Hostname() {
	case "127.0.0.1", "::1", "localhost":
		return true
	}
	return false
}

// origin is the scheme, host and port of a URI.
func origin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}

// hosts are the hosts of URIs, each once.
func hosts(uris []string) []string {
	var all []string
	for _, uri := range uris {
		if u, err := url.Parse(uri); err == nil && !slices.Contains(all, u.Hostname()) {
			all = append(all, u.Hostname())
		}
	}
	return all
}

// orList writes what there is to choose from.
func orList[T ~string](values []T) string {
	all := texts(values)
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}
