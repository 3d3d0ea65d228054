package client

import (
	"slices"
	"testing"

	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// sound are clients that nothing is wrong with, one of each profile.
var sound = map[Profile]Client{
	Standard: {
		ID: "s", Profile: Standard, AuthMethod: oauth.AuthSecretBasic, RequirePKCE: true, IDTokenAlg: jose.RS256,
		RedirectURIs: []string{"https://a.example/cb"}, GrantTypes: []string{AuthorizationCode, RefreshToken},
	},
	OpenID: {
		ID: "o", Profile: OpenID, AuthMethod: oauth.AuthSecretPost, IDTokenAlg: jose.RS256,
		RedirectURIs: []string{"https://a.example/cb"}, GrantTypes: []string{AuthorizationCode, grantImplicit},
		ResponseTypes: []oauth.ResponseType{"code", "id_token token", "code id_token"},
	},
	FAPI1: {
		ID: "f1", Profile: FAPI1, AuthMethod: oauth.AuthPrivateKeyJWT, JWKSURI: "https://a.example/jwks", IDTokenAlg: jose.PS256,
		RedirectURIs: []string{"https://a.example/cb"}, GrantTypes: []string{AuthorizationCode, grantImplicit},
		ResponseTypes: []oauth.ResponseType{"code id_token"}, CertificateBound: true,
	},
	FAPI2: {
		ID: "f2", Profile: FAPI2, AuthMethod: oauth.AuthPrivateKeyJWT, JWKSURI: "https://a.example/jwks", IDTokenAlg: jose.ES256,
		RedirectURIs: []string{"https://a.example/cb"}, GrantTypes: []string{AuthorizationCode, RefreshToken},
		RequirePKCE: true, RequirePAR: true, DPoPBound: true,
	},
}

func TestSoundClientsHaveNoConflicts(t *testing.T) {
	for _, p := range Profiles {
		if found := Conflicts(sound[p]); found != nil {
			t.Errorf("%s: %v", p, found)
		}
	}
}

// elsewhere gives a client a server to ask assertions for.
func elsewhere(change func(c *Client)) func(c *Client) {
	return func(c *Client) {
		c.GrantTypes = []string{AuthorizationCode, TokenExchange}
		c.IDJAGAudiences = []IDJAGAudience{{Issuer: "https://chat.example", ClientID: "there", Scopes: oauth.Scopes{"chat"}}}
		if change != nil {
			change(c)
		}
	}
}

func TestSettingsThatContradictEachOther(t *testing.T) {
	key, err := jose.GenerateKey(jose.EncryptEC)
	if err != nil {
		t.Fatal(err)
	}
	elliptic := key.Public()
	for _, test := range []struct {
		name   string
		of     Profile
		change func(c *Client)
		at     string // the setting that is named; empty if nothing is wrong
	}{
		// To whom we say who somebody is.
		{"a server elsewhere", Standard, elsewhere(nil), ""},
		{"… without the grant type", Standard, elsewhere(func(c *Client) { c.GrantTypes = c.GrantTypes[:1] }), "id_jag_audiences"},
		{"… that knows people by another subject", Standard, elsewhere(func(c *Client) { c.SubjectType = SubjectPairwise }), "id_jag_audiences"},
		{"… of a public client", Standard, elsewhere(func(c *Client) { c.Public, c.AuthMethod = true, oauth.AuthNone }), "id_jag_audiences"},
		{"… that anybody could be", Standard, elsewhere(func(c *Client) { c.IDJAGAudiences[0].Issuer = "http://chat.example" }), "id_jag_audiences[0]"},
		{"… with a query", Standard, elsewhere(func(c *Client) { c.IDJAGAudiences[0].Issuer += "?a=b" }), "id_jag_audiences[0]"},
		{"… where nobody knows it", Standard, elsewhere(func(c *Client) { c.IDJAGAudiences[0].ClientID = "" }), "id_jag_audiences[0]"},
		{"… that stands there twice", Standard, elsewhere(func(c *Client) { c.IDJAGAudiences = append(c.IDJAGAudiences, c.IDJAGAudiences[0]) }), "id_jag_audiences[1]"},
		{"… with two scopes for one", Standard, elsewhere(func(c *Client) { c.IDJAGAudiences[0].Scopes = oauth.Scopes{"a b"} }), "id_jag_audiences[0]"},
		// How it proves who it is.
		{"a public client with a secret", Standard, func(c *Client) { c.Public = true }, "auth_method"},
		{"a client that proves nothing and is not public", Standard, func(c *Client) { c.AuthMethod = oauth.AuthNone }, "auth_method"},
		{"a public client", Standard, func(c *Client) { c.Public, c.AuthMethod = true, oauth.AuthNone }, ""},
		{"keys that are nowhere", Standard, func(c *Client) { c.AuthMethod = oauth.AuthPrivateKeyJWT }, "jwks"},
		{"keys in two places", FAPI2, func(c *Client) { c.Keys = []jose.Key{{}} }, "jwks_uri"},
		{"a certificate whose key is nowhere", Standard, func(c *Client) { c.AuthMethod = oauth.AuthSelfSignedTLS }, "jwks"},
		{"a certificate without a name", Standard, func(c *Client) { c.AuthMethod = oauth.AuthTLS }, "tls_client_auth_subject_dn"},
		{"a certificate with two names", Standard, func(c *Client) {
			c.AuthMethod, c.TLSAuth = oauth.AuthTLS, TLSAuth{SubjectDN: "CN=a", SANDNS: "a.example"}
		}, "tls_client_auth_subject_dn"},
		{"a certificate with one name", Standard, func(c *Client) { c.AuthMethod, c.TLSAuth.SANIP = oauth.AuthTLS, "192.0.2.1" }, ""},
		{"the name of a certificate that nobody asks for", Standard, func(c *Client) { c.TLSAuth.SANIP = "192.0.2.1" }, "auth_method"},
		{"a secret with FAPI 1", FAPI1, func(c *Client) { c.AuthMethod = oauth.AuthSecretBasic }, "auth_method"},
		{"a secret that signs with FAPI 2", FAPI2, func(c *Client) { c.AuthMethod = oauth.AuthSecretJWT }, "auth_method"},
		{"a public client with FAPI 2", FAPI2, func(c *Client) { c.Public, c.AuthMethod = true, oauth.AuthNone }, "auth_method"},
		{"a secret that signs with a key's algorithm", Standard, func(c *Client) { c.AuthMethod, c.AuthAlg = oauth.AuthSecretJWT, jose.ES256 }, "auth_signing_alg"},
		{"a secret that signs", Standard, func(c *Client) { c.AuthMethod, c.AuthAlg = oauth.AuthSecretJWT, "HS256" }, ""},
		{"a key that signs with a secret's algorithm", FAPI2, func(c *Client) { c.AuthAlg = "HS256" }, "auth_signing_alg"},
		{"assertions in RS256 with FAPI 2", FAPI2, func(c *Client) { c.AuthAlg = jose.RS256 }, "auth_signing_alg"},

		// What it may ask for.
		{"client credentials of a public client", Standard, func(c *Client) {
			c.Public, c.AuthMethod, c.GrantTypes = true, oauth.AuthNone, []string{AuthorizationCode, ClientCredentials}
		}, "grant_types[1]"},
		{"refresh tokens of nothing", Standard, func(c *Client) { c.GrantTypes = []string{RefreshToken} }, "grant_types[0]"},
		{"a login that is shared with nobody", Standard, func(c *Client) { c.Scopes = append(slices.Clone(c.Scopes), oauth.ScopeDevice) }, "scopes[0]"},
		{"a group of which nothing can come", Standard, func(c *Client) { c.NativeSSOGroup = "maker" }, "native_sso_group"},
		{"passwords in OAuth 2.1", Standard, func(c *Client) { c.GrantTypes = append(slices.Clone(c.GrantTypes), Password) }, "grant_types[2]"},
		{"passwords for a client that registers itself", OpenID, func(c *Client) { c.SelfRegistered = true; c.GrantTypes = append(slices.Clone(c.GrantTypes), Password) }, "grant_types[2]"},
		{"passwords with FAPI 1", FAPI1, func(c *Client) { c.GrantTypes = append(slices.Clone(c.GrantTypes), Password) }, "grant_types[2]"},
		{"the implicit grant in OAuth 2.1", Standard, func(c *Client) { c.GrantTypes = append(slices.Clone(c.GrantTypes), grantImplicit) }, "grant_types[2]"},
		{"hybrid in OAuth 2.1", Standard, func(c *Client) { c.ResponseTypes = []oauth.ResponseType{"code id_token"} }, "response_types[0]"},
		{"tokens in the address with FAPI 1", FAPI1, func(c *Client) { c.ResponseTypes = []oauth.ResponseType{"code id_token token"} }, "response_types[0]"},
		{"hybrid with FAPI 2", FAPI2, func(c *Client) { c.ResponseTypes = []oauth.ResponseType{"code id_token"} }, "response_types[0]"},
		{"hybrid without the implicit grant", OpenID, func(c *Client) { c.GrantTypes = []string{AuthorizationCode} }, "response_types[1]"},
		{"a code without its grant", OpenID, func(c *Client) { c.GrantTypes = []string{grantImplicit} }, "response_types[0]"},
		{"the implicit grant without a use", OpenID, func(c *Client) { c.ResponseTypes = nil }, "response_types"},
		{"nowhere to send the browser back to", OpenID, func(c *Client) {
			c.RedirectURIs, c.GrantTypes, c.ResponseTypes = nil, []string{grantImplicit}, []oauth.ResponseType{"id_token"}
		}, "redirect_uris"},
		{"CIBA without a mode", Standard, func(c *Client) { c.GrantTypes = []string{grantCIBA} }, "ciba_mode"},
		{"CIBA by polling", Standard, func(c *Client) { c.GrantTypes, c.Backchannel.Mode = []string{grantCIBA, RefreshToken}, "poll" }, ""},
		{"pings to nowhere", Standard, func(c *Client) { c.GrantTypes, c.Backchannel.Mode = []string{grantCIBA}, "ping" }, "ciba_notification_endpoint"},
		{"notifications of who polls", Standard, func(c *Client) {
			c.GrantTypes, c.Backchannel = []string{grantCIBA}, Backchannel{Mode: "poll", Endpoint: "https://a.example/c"}
		}, "ciba_notification_endpoint"},
		{"tokens sent", OpenID, func(c *Client) {
			c.GrantTypes, c.ResponseTypes, c.Backchannel = []string{grantCIBA}, nil, Backchannel{Mode: "push", Endpoint: "https://a.example/c"}
		}, ""},
		{"tokens sent to nowhere", Standard, func(c *Client) { c.GrantTypes, c.Backchannel.Mode = []string{grantCIBA}, "push" }, "ciba_notification_endpoint"},
		{"tokens sent with FAPI 1", FAPI1, func(c *Client) {
			c.GrantTypes, c.ResponseTypes, c.Backchannel = []string{grantCIBA}, nil, Backchannel{Mode: "push", Endpoint: "https://a.example/c"}
		}, "ciba_mode"},
		{"tokens sent with FAPI 2", FAPI2, func(c *Client) {
			c.GrantTypes, c.ResponseTypes, c.Backchannel = []string{grantCIBA}, nil, Backchannel{Mode: "push", Endpoint: "https://a.example/c"}
		}, "ciba_mode"},
		{"tokens sent that are bound to a key", Standard, func(c *Client) {
			c.GrantTypes, c.Backchannel, c.DPoPBound = []string{grantCIBA}, Backchannel{Mode: "push", Endpoint: "https://a.example/c"}, true
		}, "dpop_bound_tokens"},
		{"tokens sent that are bound to a certificate", Standard, func(c *Client) {
			c.GrantTypes, c.Backchannel, c.CertificateBound = []string{grantCIBA}, Backchannel{Mode: "push", Endpoint: "https://a.example/c"}, true
		}, "certificate_bound_tokens"},
		{"a mode without CIBA", Standard, func(c *Client) { c.Backchannel.Mode = "poll" }, "grant_types"},

		// What it sends.
		{"no PKCE in OAuth 2.1", Standard, func(c *Client) { c.RequirePKCE = false }, "require_pkce"},
		{"no PKCE with FAPI 2", FAPI2, func(c *Client) { c.RequirePKCE = false }, "require_pkce"},
		{"no PKCE of a public client", OpenID, func(c *Client) { c.Public, c.AuthMethod = true, oauth.AuthNone }, "require_pkce"},
		{"no PAR with FAPI 2", FAPI2, func(c *Client) { c.RequirePAR = false }, "require_par"},
		{"unsigned request objects in OAuth 2.1", Standard, func(c *Client) { c.RequestObjectAlg = "none" }, "request_object_alg"},
		{"unsigned request objects of OpenID Connect", OpenID, func(c *Client) { c.RequestObjectAlg = "none" }, ""},
		{"unsigned request objects that are signed", OpenID, func(c *Client) { c.RequestObjectAlg, c.RequireSignedRequest = "none", true }, "request_object_alg"},
		{"signed requests that nobody can verify", Standard, func(c *Client) { c.RequireSignedRequest = true }, "jwks"},
		{"an algorithm of requests that nobody can verify", Standard, func(c *Client) { c.RequestObjectAlg = jose.ES256 }, "jwks"},
		{"request objects in RS256 with FAPI 2", FAPI2, func(c *Client) { c.RequestObjectAlg = jose.RS256 }, "request_object_alg"},
		{"a request object without TLS", OpenID, func(c *Client) { c.RequestURIs = []string{"https://a.example/r#h", "http://a.example/r"} }, "request_uris[1]"},

		// What we answer.
		{"ID tokens in RS256 with FAPI 1", FAPI1, func(c *Client) { c.IDTokenAlg = jose.RS256 }, "id_token_alg"},
		{"userinfo in RS256 with FAPI 2", FAPI2, func(c *Client) { c.UserinfoAlg = jose.RS256 }, "userinfo_alg"},
		{"responses in RS256 with FAPI 2", FAPI2, func(c *Client) { c.ResponseAlg = jose.RS256 }, "response_alg"},
		{"content that is encrypted with no key", Standard, func(c *Client) { c.IDTokenEncryption.Enc = "A128GCM" }, "id_token_encryption_alg"},
		{"encryption for nobody", Standard, func(c *Client) { c.UserinfoEncryption = Encryption{Alg: "RSA-OAEP"} }, "jwks"},
		{"encryption", Standard, func(c *Client) {
			c.UserinfoEncryption, c.EncryptionKeys = Encryption{Alg: "ECDH-ES"}, []jose.EncryptionKey{{Public: elliptic}}
		}, ""},
		{"encryption to a key of another kind", Standard, func(c *Client) {
			c.UserinfoEncryption, c.EncryptionKeys = Encryption{Alg: "RSA-OAEP"}, []jose.EncryptionKey{{Public: elliptic}}
		}, "jwks"},
		{"pairwise subjects of two hosts", Standard, func(c *Client) {
			c.SubjectType, c.RedirectURIs = SubjectPairwise, []string{"https://a.example/cb", "https://b.example/cb"}
		}, "sector_identifier_uri"},
		{"pairwise subjects of two ports", Standard, func(c *Client) {
			c.SubjectType, c.RedirectURIs = SubjectPairwise, []string{"https://a.example/cb", "https://a.example:8443/cb"}
		}, ""},
		{"a login in the future", Standard, func(c *Client) { c.DefaultMaxAge = new(oauth.Seconds(-1)) }, "default_max_age"},

		// What its tokens are bound to.
		{"bearer tokens with FAPI 2", FAPI2, func(c *Client) { c.DPoPBound = false }, "dpop_bound_tokens"},
		{"DPoP with FAPI 1", FAPI1, func(c *Client) { c.CertificateBound, c.DPoPBound = false, true }, "certificate_bound_tokens"},

		// Where it is.
		{"a login that begins without TLS", Standard, func(c *Client) { c.InitiateLoginURI = "http://localhost/login" }, "initiate_login_uri"},
		{"keys without TLS", FAPI2, func(c *Client) { c.JWKSURI = "http://a.example/jwks" }, "jwks_uri"},
		{"keys on this machine", FAPI2, func(c *Client) { c.JWKSURI = "http://127.0.0.1:8080/jwks" }, ""},
		{"a logo that is a script", Standard, func(c *Client) { c.LogoURL = "javascript:alert(1)" }, "logo_url"},
		{"a policy behind a password", Standard, func(c *Client) { c.PolicyURL = "https://u:p@a.example" }, "policy_url"},
		{"a front-channel logout elsewhere", Standard, func(c *Client) { c.FrontchannelLogoutURI = "https://b.example/out" }, "frontchannel_logout_uri"},
		{"a front-channel logout at home", Standard, func(c *Client) { c.FrontchannelLogoutURI, c.FrontchannelLogoutSession = "https://a.example/out", true }, ""},
		{"a back-channel logout with a fragment", Standard, func(c *Client) { c.BackchannelLogoutURI = "https://b.example/out#x" }, "backchannel_logout_uri"},
		{"a session that nobody is told of", Standard, func(c *Client) { c.BackchannelLogoutSession = true }, "backchannel_logout_uri"},
	} {
		c := sound[test.of]
		test.change(&c)
		found := Conflicts(c)
		if test.at == "" {
			if found != nil {
				t.Errorf("%s: %v", test.name, found)
			}
			continue
		}
		if !slices.ContainsFunc(found, func(f Conflict) bool { return f.Place() == test.at && f.Because != "" }) {
			t.Errorf("%s: found %v, want one at %s", test.name, found, test.at)
		}
	}
}

func TestAProfileThatNobodyKnowsOpensNothing(t *testing.T) {
	d := Profile("wizard").Demands()
	if !d.PKCE || !d.PAR || d.Allows(jose.RS256) || Profile("").Demands().IDTokenAlg() != jose.RS256 {
		t.Errorf("it demands %+v", d)
	}
}
