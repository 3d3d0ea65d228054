package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"dex/internal/connector"
	"dex/internal/domain/rule"
	"dex/internal/protocol/jose"
)

// The ways in which we prove to a provider who we are. OpenID Connect Core,
// section 9.
const (
	authBasic      = "client_secret_basic"
	authPost       = "client_secret_post"
	authSecretJWT  = "client_secret_jwt"
	authKeyJWT     = "private_key_jwt"
	authTLS        = "tls_client_auth" // RFC 8705, section 2.1
	authSelfSigned = "self_signed_tls_client_auth"
	authNone       = "none"
)

var authMethods = []string{authBasic, authPost, authSecretJWT, authKeyJWT, authTLS, authSelfSigned, authNone}

// Whom an assertion of ours is for.
const (
	audienceIssuer = "issuer"
	audienceToken  = "token_endpoint"
)

// What comes back from the authorization endpoint. There is no access token among it:
// one that goes through a browser is bound to nothing. RFC 9700, section 2.1.2.
const (
	typeCode    = "code"
	typeHybrid  = "code id_token"
	typeIDToken = "id_token"
)

// The ways in which it comes back. Those with jwt are signed: JWT Secured
// Authorization Response Mode, section 2.3.
const (
	modeQuery       = "query"
	modeFormPost    = "form_post"
	modeQueryJWT    = "query.jwt"
	modeFormPostJWT = "form_post.jwt"
)

// How the access token is shown to the userinfo endpoint. RFC 6750, sections 2.1 and
// 2.2.
const (
	tokenInHeader = "header"
	tokenInBody   = "body"
)

// settings are what an operator says of a provider.
type settings struct {
	Issuer       string // as the provider writes it, to the letter
	ClientID     string
	ClientSecret string
	AuthMethod   string   // client_secret_basic, unless it says otherwise
	Scopes       []string // beside openid
	// AssertionAudience is whom our assertions are for: "issuer", or "token_endpoint" for
	// a provider that knows no better.
	AssertionAudience string
	// SigningKey holds the private keys of private_key_jwt and of request objects, in
	// PEM, SigningAlg what they sign with where that is not as usual.
	SigningKey string
	SigningAlg jose.Algorithm
	// DecryptionKey holds the private keys of what is encrypted for us, in PEM.
	DecryptionKey string
	// ClientCertificate and ClientKey are what we show in TLS, in PEM.
	ClientCertificate string
	ClientKey         string
	ResponseType      string // "code", "code id_token" or "id_token"
	ResponseMode      string // "query", "form_post", or one of these signed: "query.jwt", "form_post.jwt"
	PAR               bool   // push each request, also where the provider does not demand it
	RequestObject     bool   // sign each request
	DPoP              bool   // have tokens bound to a key
	// EncryptedIDToken and SignedUserinfo are what was agreed on with the provider: what
	// comes in the clear or unsigned is then not from it.
	EncryptedIDToken bool
	SignedUserinfo   bool
	UserinfoToken    string // "header" or "body"
	PKCE             string // "S256", or "off" for a provider that stumbles over it
	Prompt           string // sent with each login, such as "select_account"
	ACRValues        []string
	ExtraParams      map[string]string // of the authorization request
	// NoAuthTime is for a provider that never says when somebody has logged in: it is
	// believed to have asked again when we told it to.
	NoAuthTime bool
	Userinfo   bool // ask the userinfo endpoint too, if there is one
	// FrontchannelLogout lets a browser end sessions by their names at the provider.
	FrontchannelLogout bool
	// Refresh asks for a refresh token, and with it again for the person each time
	// an application refreshes.
	Refresh bool
	Algs    []jose.Algorithm // that an ID token may be signed with
	// Claims are expressions for fields of the profile, Extra for claims that have no
	// field of their own.
	Claims map[string]string
	Extra  map[string]string

	// Accepts are the kinds of tokens of the provider that applications may bring in the
	// place of a login, Audiences for whom these may be, where that is not as usual.
	Accepts   []connector.TokenKind
	Audiences []string
	// Login is false for an issuer that has no page to log in at, such as that of programs.
	Login bool
	// JWKS and JWKSURI are the provider's keys, or where they are, if its discovery
	// document does not say so.
	JWKS    json.RawMessage
	JWKSURI string
	fixed   []jose.Key // of JWKS

	DiscoveryMaxAge connector.Duration
	KeysMinRefresh  connector.Duration
}

// parseSettings reads and checks settings. The error names every mistake.
func parseSettings(config json.RawMessage) (settings, mapping, error) {
	s := settings{
		AuthMethod:        authBasic,
		AssertionAudience: audienceIssuer,
		Scopes:            []string{"profile", "email"},
		ResponseType:      typeCode,
		ResponseMode:      modeQuery,
		PKCE:              "S256",
		Userinfo:          true,
		Login:             true,
		UserinfoToken:     tokenInHeader,
		Algs:              []jose.Algorithm{jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA},
		DiscoveryMaxAge:   connector.Duration(time.Hour),
		KeysMinRefresh:    connector.Duration(30 * time.Second),
	}
	mistakes := []error{connector.DecodeSettings(config, map[string]any{
		"issuer": &s.Issuer, "client_id": &s.ClientID, "client_secret": &s.ClientSecret, "auth_method": &s.AuthMethod,
		"assertion_audience": &s.AssertionAudience, "signing_key": &s.SigningKey, "signing_alg": &s.SigningAlg,
		"decryption_key": &s.DecryptionKey, "client_certificate": &s.ClientCertificate, "client_key": &s.ClientKey,
		"par": &s.PAR, "request_object": &s.RequestObject, "dpop": &s.DPoP, "encrypted_id_token": &s.EncryptedIDToken,
		"signed_userinfo": &s.SignedUserinfo, "userinfo_token": &s.UserinfoToken, "response_type": &s.ResponseType,
		"scopes": &s.Scopes, "response_mode": &s.ResponseMode, "pkce": &s.PKCE, "prompt": &s.Prompt, "acr_values": &s.ACRValues,
		"extra_params": &s.ExtraParams, "no_auth_time": &s.NoAuthTime, "userinfo": &s.Userinfo, "refresh": &s.Refresh,
		"frontchannel_logout": &s.FrontchannelLogout, "trusted_algs": &s.Algs, "claims": &s.Claims, "extra": &s.Extra,
		"accepts": &s.Accepts, "audiences": &s.Audiences, "login": &s.Login, "jwks": &s.JWKS, "jwks_uri": &s.JWKSURI,
		"discovery_max_age": &s.DiscoveryMaxAge, "keys_min_refresh": &s.KeysMinRefresh,
	})}
	mistakes = append(mistakes, s.checkProvider(), s.checkClient(), s.checkRequest(), s.checkResponse(), s.checkVouching())
	m, err := compile(s.Claims, s.Extra)
	if err := errors.Join(append(mistakes, err)...); err != nil {
		return settings{}, mapping{}, err
	}
	return s, m, nil
}

func mistake(setting, format string, args ...any) error {
	return fmt.Errorf(setting+": "+format, args...)
}

func (s *settings) checkProvider() error {
	var mistakes []error
	u, err := url.Parse(s.Issuer)
	switch {
	case s.Issuer == "":
		mistakes = append(mistakes, mistake("issuer", "is not set"))
	case err != nil || !webURL(u) || strings.ContainsAny(s.Issuer, "?#") || len(s.Issuer) > maxSubject || !visible(s.Issuer):
		mistakes = append(mistakes, mistake("issuer", "must be a URL such as https://accounts.example.com, without a query"))
	}
	if len(s.Algs) == 0 {
		mistakes = append(mistakes, mistake("trusted_algs", "must name at least one algorithm"))
	}
	for _, alg := range s.Algs {
		if !alg.Known() {
			mistakes = append(mistakes, mistake("trusted_algs", "%.20q is not an algorithm that can be trusted", string(alg)))
		}
	}
	return errors.Join(mistakes...)
}

func (s *settings) checkClient() error {
	if !s.Login && s.ClientID == "" {
		return s.checkKeys() // we are nobody there
	}
	var mistakes []error
	if s.ClientID == "" {
		mistakes = append(mistakes, mistake("client_id", "is not set"))
	}
	if !slices.Contains(authMethods, s.AuthMethod) {
		mistakes = append(mistakes, mistake("auth_method", "must be one of %s", strings.Join(authMethods, ", ")))
	}
	switch needs := s.AuthMethod == authBasic || s.AuthMethod == authPost || s.AuthMethod == authSecretJWT; {
	case needs && s.ClientSecret == "":
		mistakes = append(mistakes, mistake("client_secret", "is not set, and auth_method %s needs it", s.AuthMethod))
	case !needs && s.ClientSecret != "":
		mistakes = append(mistakes, mistake("client_secret", "is not used with auth_method %s", s.AuthMethod))
	case s.AuthMethod == authSecretJWT && len(s.ClientSecret) < 32:
		mistakes = append(mistakes, mistake("client_secret", "is too short for auth_method %s: HS256 takes 32 bytes (RFC 7518, section 3.2)", s.AuthMethod))
	}
	if s.AuthMethod == authNone && s.PKCE == "off" {
		mistakes = append(mistakes, mistake("pkce", "cannot be off without a client_secret: anybody could redeem a code"))
	}
	if s.AssertionAudience != audienceIssuer && s.AssertionAudience != audienceToken {
		mistakes = append(mistakes, mistake("assertion_audience", "must be %s or %s", audienceIssuer, audienceToken))
	}
	return errors.Join(append(mistakes, s.checkKeys())...)
}

// checkKeys says what is missing among our keys. What is wrong with them shows when
// they are read.
func (s *settings) checkKeys() error {
	var mistakes []error
	if s.SigningKey == "" && (s.AuthMethod == authKeyJWT || s.RequestObject) {
		mistakes = append(mistakes, mistake("signing_key", "is not set, and auth_method private_key_jwt and request_object sign with it"))
	}
	if s.SigningAlg != "" && !s.SigningAlg.Signs() {
		mistakes = append(mistakes, mistake("signing_alg", "%.20q is not an algorithm that we sign with", string(s.SigningAlg)))
	}
	if s.EncryptedIDToken && s.DecryptionKey == "" {
		mistakes = append(mistakes, mistake("decryption_key", "is not set, and nobody can encrypt an ID token without it"))
	}
	if (s.ClientCertificate == "") != (s.ClientKey == "") {
		mistakes = append(mistakes, mistake("client_certificate", "goes with client_key, and the one is not set without the other"))
	}
	if s.ClientCertificate == "" && (s.AuthMethod == authTLS || s.AuthMethod == authSelfSigned) {
		mistakes = append(mistakes, mistake("client_certificate", "is not set, and auth_method %s shows it", s.AuthMethod))
	}
	return errors.Join(mistakes...)
}

// reserved are the parameters of a request that have a setting of their own, or
// that nobody sets but we.
var reserved = []string{
	"acr_values", "client_id", "client_secret", "code_challenge", "code_challenge_method", "dpop_jkt", "id_token_hint", "login_hint",
	"max_age", "nonce", "prompt", "redirect_uri", "request", "request_uri", "response_mode", "response_type", "scope",
	"state", "ui_locales",
}

func (s *settings) checkRequest() error {
	var mistakes []error
	if s.PKCE != "S256" && s.PKCE != "off" {
		mistakes = append(mistakes, mistake("pkce", "must be S256 or off"))
	}
	if slices.ContainsFunc(strings.Fields(s.Prompt), func(p string) bool { return p == "none" }) {
		mistakes = append(mistakes, mistake("prompt", "cannot be none: nobody could log in"))
	}
	for _, scope := range s.Scopes {
		if !visible(scope) || strings.ContainsAny(scope, ` "\`) {
			mistakes = append(mistakes, mistake("scopes", "%.40q is not a scope", scope))
		}
	}
	s.Scopes = s.allScopes()
	for _, name := range slices.Sorted(maps.Keys(s.ExtraParams)) {
		if slices.Contains(reserved, name) {
			mistakes = append(mistakes, mistake("extra_params", "%s cannot be set here", name))
		}
	}
	return errors.Join(mistakes...)
}

// checkResponse says which ways back there are not.
func (s *settings) checkResponse() error {
	var mistakes []error
	if !slices.Contains([]string{typeCode, typeHybrid, typeIDToken}, s.ResponseType) {
		mistakes = append(mistakes, mistake("response_type", "must be %q, %q or %q", typeCode, typeHybrid, typeIDToken))
	}
	switch s.ResponseMode {
	case modeQuery, modeQueryJWT:
		if s.ResponseType != typeCode {
			mistakes = append(mistakes, mistake("response_mode", "must be %s or %s with response_type %s: an ID token does not belong into an address", modeFormPost, modeFormPostJWT, s.ResponseType))
		}
	case modeFormPost, modeFormPostJWT:
	default:
		mistakes = append(mistakes, mistake("response_mode", "must be %s, %s, %s or %s", modeQuery, modeFormPost, modeQueryJWT, modeFormPostJWT))
	}
	if s.ResponseType == typeIDToken && (s.Refresh || s.DPoP) {
		mistakes = append(mistakes, mistake("response_type", "id_token brings no tokens, so that there is nothing to refresh, nor for dpop to bind"))
	}
	if s.UserinfoToken != tokenInHeader && s.UserinfoToken != tokenInBody {
		mistakes = append(mistakes, mistake("userinfo_token", "must be %s or %s", tokenInHeader, tokenInBody))
	}
	if s.UserinfoToken == tokenInBody && s.DPoP {
		mistakes = append(mistakes, mistake("userinfo_token", "must be %s with dpop (RFC 9449, section 7.1)", tokenInHeader))
	}
	return errors.Join(mistakes...)
}

// allScopes returns the scopes that are asked for. Without openid there would be no
// ID token.
func (s *settings) allScopes() []string {
	all := append([]string{"openid"}, s.Scopes...)
	if s.Refresh {
		all = append(all, "offline_access")
	}
	var once []string
	for _, scope := range all {
		if !slices.Contains(once, scope) {
			once = append(once, scope)
		}
	}
	return once
}

// webURL reports whether a browser or we can go there. Whether http is good enough
// for an address is decided where it is dialled.
func webURL(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.Fragment == "" && u.Opaque == ""
}

// visible reports whether s has nothing in it but ASCII that can be seen.
func visible(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// compile compiles the expressions. The error names every mistake.
func compile(claims, extra map[string]string) (mapping, error) {
	m := mapping{fields: map[string]*rule.Rule{}, extra: map[string]*rule.Rule{}}
	var mistakes []error
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		kind, known := kindOf(name)
		if !known {
			mistakes = append(mistakes, mistake("claims", "a profile has no %.64q; see extra", name))
			continue
		}
		compiled, err := rule.Compile(claims[name], kind)
		if err != nil {
			mistakes = append(mistakes, mistake("claims."+name, "%w", err))
		}
		m.fields[name] = compiled
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if _, known := kindOf(name); known || slices.Contains(protocolClaims, name) || !visible(name) || len(name) > 64 {
			mistakes = append(mistakes, mistake("extra", "%.64q cannot be set here", name))
			continue
		}
		compiled, err := rule.Compile(extra[name], rule.Any)
		if err != nil {
			mistakes = append(mistakes, mistake("extra."+name, "%w", err))
		}
		m.extra[name] = compiled
	}
	return m, errors.Join(mistakes...)
}
