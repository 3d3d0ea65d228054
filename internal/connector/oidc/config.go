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
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
	authNone  = "none"
)

// settings are what an operator says of a provider.
type settings struct {
	Issuer       string // as the provider writes it, to the letter
	ClientID     string
	ClientSecret string
	AuthMethod   string   // client_secret_basic, unless it says otherwise
	Scopes       []string // beside openid
	ResponseMode string   // "query", or "form_post"
	PKCE         string   // "S256", or "off" for a provider that stumbles over it
	Prompt       string   // sent with each login, such as "select_account"
	ACRValues    []string
	ExtraParams  map[string]string // of the authorization request
	// NoAuthTime is for a provider that never says when somebody has logged in: it is
	// believed to have asked again when we told it to.
	NoAuthTime bool
	Userinfo   bool // ask the userinfo endpoint too, if there is one
	// Refresh asks for a refresh token, and with it again for the person each time
	// an application refreshes.
	Refresh bool
	Algs    []jose.Algorithm // that an ID token may be signed with
	// Claims are expressions for fields of the profile, Extra for claims that have no
	// field of their own.
	Claims map[string]string
	Extra  map[string]string

	DiscoveryMaxAge connector.Duration
	KeysMinRefresh  connector.Duration
}

// parseSettings reads and checks settings. The error names every mistake.
func parseSettings(config json.RawMessage) (settings, mapping, error) {
	s := settings{
		AuthMethod:      authBasic,
		Scopes:          []string{"profile", "email"},
		ResponseMode:    "query",
		PKCE:            "S256",
		Userinfo:        true,
		Algs:            []jose.Algorithm{jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA},
		DiscoveryMaxAge: connector.Duration(time.Hour),
		KeysMinRefresh:  connector.Duration(30 * time.Second),
	}
	mistakes := []error{connector.DecodeSettings(config, map[string]any{
		"issuer": &s.Issuer, "client_id": &s.ClientID, "client_secret": &s.ClientSecret, "auth_method": &s.AuthMethod,
		"scopes": &s.Scopes, "response_mode": &s.ResponseMode, "pkce": &s.PKCE, "prompt": &s.Prompt, "acr_values": &s.ACRValues,
		"extra_params": &s.ExtraParams, "no_auth_time": &s.NoAuthTime, "userinfo": &s.Userinfo, "refresh": &s.Refresh,
		"trusted_algs": &s.Algs, "claims": &s.Claims, "extra": &s.Extra,
		"discovery_max_age": &s.DiscoveryMaxAge, "keys_min_refresh": &s.KeysMinRefresh,
	})}
	mistakes = append(mistakes, s.checkProvider(), s.checkClient(), s.checkRequest())
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
	var mistakes []error
	if s.ClientID == "" {
		mistakes = append(mistakes, mistake("client_id", "is not set"))
	}
	switch s.AuthMethod {
	case authBasic, authPost:
		if s.ClientSecret == "" {
			mistakes = append(mistakes, mistake("client_secret", "is not set, nor is auth_method none"))
		}
	case authNone:
		if s.ClientSecret != "" {
			mistakes = append(mistakes, mistake("client_secret", "is not used with auth_method none"))
		}
		if s.PKCE == "off" {
			mistakes = append(mistakes, mistake("pkce", "cannot be off without a client_secret: anybody could redeem a code"))
		}
	default:
		mistakes = append(mistakes, mistake("auth_method", "must be %s, %s or %s", authBasic, authPost, authNone))
	}
	return errors.Join(mistakes...)
}

// reserved are the parameters of a request that have a setting of their own, or
// that nobody sets but we.
var reserved = []string{
	"acr_values", "client_id", "client_secret", "code_challenge", "code_challenge_method", "id_token_hint", "login_hint",
	"max_age", "nonce", "prompt", "redirect_uri", "request", "request_uri", "response_mode", "response_type", "scope",
	"state", "ui_locales",
}

func (s *settings) checkRequest() error {
	var mistakes []error
	if s.ResponseMode != "query" && s.ResponseMode != "form_post" {
		mistakes = append(mistakes, mistake("response_mode", "must be query or form_post"))
	}
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
